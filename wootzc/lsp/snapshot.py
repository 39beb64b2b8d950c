"""A file as it stands in the editor, and what the compiler says of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from wootzc.grammar import Analysis, analyze, syntax
from wootzc.grammar.parse import Memory
from wootzc.ir.net.network import Network
from wootzc.lsp.layers import Places, places_of
from wootzc.lsp.names import Index, index_of, network_of


@dataclass
class Snapshot:
    """One version of a file. What is asked of it is worked out once, when it is first asked."""

    path: str
    text: str
    version: int | None = None
    memory: Memory | None = None  # how far the version before was read

    @cached_property
    def analysis(self) -> Analysis:
        return analyze(self.text, self.path, memory=self.memory)

    @property
    def tree(self) -> syntax.File:
        """Of what could be read; without items where nothing could."""
        return self.analysis.program.trees.get(self.path, syntax.File(items=()))

    @cached_property
    def networks(self) -> dict[str, Network]:
        """By name; those that spaces are over with the arguments that the space gives."""
        found = {network.name: network for network in self.analysis.networks}
        return found | {space.network.name: space.network for space in self.analysis.spaces}

    @cached_property
    def index(self) -> Index:
        return index_of(self.analysis.program, self.networks)

    @cached_property
    def layers(self) -> Places:
        """What is known of layers and modules, by where they are called."""
        return places_of(self.networks.values())

    def network_of(self, nodes: Sequence[Any]) -> Network | None:
        """What the space is over that is among some nodes."""
        space = next(
            n for n in nodes if isinstance(n, syntax.SpaceDefinition | syntax.DerivedSpace)
        )
        return self.networks.get(network_of(space, self.analysis.program) or "")

    def source(self, file: str) -> str:
        return self.text if file == self.path else self.analysis.sources.get(file, "")

    def nodes_at(self, offset: int) -> list[Any]:
        """The nodes around a character, outermost first."""
        nodes: list[Any] = [self.tree]
        while True:
            inner = [n for n in syntax.children(nodes[-1]) if n.span.start <= offset <= n.span.end]
            if not inner:
                return nodes
            nodes.append(max(inner, key=lambda node: node.span.start))
