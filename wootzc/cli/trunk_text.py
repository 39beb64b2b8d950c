"""What `wootzc plan` and `explain` say of channels between modules."""

from typing import TypedDict

from wootzc.cli.output import table
from wootzc.ir.net.coupling import couple_network
from wootzc.ir.net.trunk import readers, trunks
from wootzc.ir.space import Space
from wootzc.ir.space.narrow import trunk_choices
from wootzc.units import rate_text

NAMED = 4  # layers that are named before they are only counted


class TrunkFigures(TypedDict):
    name: str
    channels: list[int]  # of each of its groups
    makers: list[str]  # segment/path
    readers: list[str]
    rates: list[float]  # that it may have; [] where it stays whole


def trunk_figures(space: Space) -> list[TrunkFigures]:
    """Every trunk of the network, whether the space cuts it or not."""
    coupling = couple_network(space.network)
    allowed = trunk_choices(space)
    return [
        {
            "name": trunk.name,
            "channels": [coupling.groups[g].width for g in trunk.groups],
            "makers": [path for g in trunk.groups for path in coupling.groups[g].makers],
            "readers": readers(space.network, trunk, coupling),
            "rates": list(allowed.get(trunk.name, ())),
        }
        for trunk in trunks(space.network, coupling)
    ]


def trunks_text(figures: list[TrunkFigures]) -> str:
    """A table of those that are cut, after an empty line; "" where none is."""
    cut = [one for one in figures if one["rates"]]
    if not cut:
        return ""
    rows = [
        (
            one["name"],
            _channels(one["channels"]),
            " ".join(map(rate_text, one["rates"])),
            _some(one["makers"]),
            _some(one["readers"]),
        )
        for one in cut
    ]
    return "\n\n" + table(rows, ("between modules", "channels", "rates", "made by", "read by"))


def trunk_text(one: TrunkFigures) -> str:
    """All that is known of one."""
    return "\n".join(
        [
            f"trunk {one['name']}: {_channels(one['channels'])} channels between modules, "
            + (f"rates {' '.join(map(rate_text, one['rates']))}" if one["rates"] else "kept whole"),
            f"  made by {', '.join(one['makers'])}",
            f"  read by {', '.join(one['readers'])}",
        ]
    )


def _channels(widths: list[int]) -> str:
    return " + ".join(map(str, widths)) if len(widths) <= NAMED else f"{sum(widths)}"


def _some(paths: list[str]) -> str:
    if len(paths) <= NAMED:
        return ", ".join(paths)
    return f"{paths[0]}, {paths[1]} … {paths[-1]} ({len(paths)} layers)"
