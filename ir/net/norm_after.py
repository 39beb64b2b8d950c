"""Which norm a layer's output goes through first: it says how much each of its filters counts."""

from wootzc.ir.layers import Body, Branch
from wootzc.ir.net.network import Network


def norm_after(where: Body | Network, maker: str) -> str | None:
    """The path of the first norm that what `maker` makes enters; None where another layer that
    makes channels comes first, or the end of the body. In a network both are segment/path.
    """
    if isinstance(where, Network):
        name, path = maker.split("/")
        (own,) = (segment.body for segment in where.segments if segment.name == name)
        norm = norm_after(own, path)
        return None if norm is None else f"{name}/{norm}"
    *outer, last = maker.split(".")
    found, goes_on = _first_norm(_arm(where, outer)[int(last) + 1 :], outer, int(last) + 1)
    while found is None and goes_on and outer:
        *outer, branch, _ = outer
        found, goes_on = _first_norm(_arm(where, outer)[int(branch) + 1 :], outer, int(branch) + 1)
    return found


def _arm(body: Body, prefix: list[str]) -> Body:
    """The layers whose paths begin with `prefix`: branch and arm by turns."""
    for branch, arm in zip(prefix[::2], prefix[1::2], strict=True):
        layer = body[int(branch)]
        assert isinstance(layer, Branch)
        body = layer.arms[int(arm)]
    return body


def _first_norm(layers: Body, prefix: list[str], start: int) -> tuple[str | None, bool]:
    """The first norm of these, and where there is none, whether channels come out of them.

    Local norms have no scales.
    """
    for index, layer in enumerate(layers, start):
        here = [*prefix, str(index)]
        if isinstance(layer, Branch):
            ends = [_first_norm(arm, [*here, str(i)], 0) for i, arm in enumerate(layer.arms)]
            norms = [path for path, _ in ends if path is not None]
            if norms:
                return norms[0], False
            if not any(goes_on for _, goes_on in ends):
                return None, False
        elif layer.channels == "makes":
            return None, False
        elif layer.scales:
            return ".".join(here), False
    return None, True
