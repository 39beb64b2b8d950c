"""What a space is over, once it has been found."""

from dataclasses import dataclass

from wootzc.ir.net.network import Network


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolved:
    """A network. One that was read from a file may bring weights, and notes on its reading."""

    network: Network
    weights: str | None = None  # path of the file that holds them
    notes: tuple[str, ...] = ()
    file: str | None = None  # that the layers were read from, as the source calls it
    new_head: bool = False  # its last layer is another than the weights are for


def by_patterns(file: str) -> str:
    """How modules of a network from a file are said, where those that it has are not enough."""
    return (
        "say by their names in the file which layers make a module, those that read its filters, "
        f'too: from "{file}" {{ module a {{ "layer1*" }} }}; '
        f"`wootzc import {file} --names` lists them"
    )
