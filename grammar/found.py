"""What a space is over, once it has been found."""

from dataclasses import dataclass

from wootzc.ir.network import Network


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A network. One that was read from a file may bring weights, and notes on its reading."""

    network: Network
    weights: str | None = None  # path of the file that holds them
    notes: tuple[str, ...] = ()
    new_head: bool = False  # its last layer is another than the weights are for
