"""The plan as a picture: Graphviz DOT and Mermaid.

Sequitur's grammar is drawn as the DAG that blocks are chosen from: an edge to every rule in a
rule's body, parallel ones merged. Other plans show their blocks, each with the number of candidates
that it is a part of. Blocks stand out.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from wootzc.ir.passes.base import having
from wootzc.ir.passes.select_blocks import block_of
from wootzc.ir.plan import Block, Expanded, Grammar, Plan
from wootzc.ir.sequence import rows_with


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    name: str
    lines: tuple[str, ...]  # of its label
    is_block: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Graph:
    name: str
    nodes: tuple[Node, ...]
    edges: tuple[tuple[str, str, str], ...]  # from, to, label


def to_dot(plan: Plan) -> str:
    """For `dot -Tsvg`."""
    graph = graph_of(plan)
    lines = [f"digraph {_quoted(graph.name)} {{", "  rankdir=TB;", "  node [shape=box];"]
    for node in graph.nodes:
        style = ' style="filled,bold" fillcolor="#ffd58a" fontcolor="#222222"' * node.is_block
        lines.append(f"  {node.name} [label={_quoted(*node.lines)}{style}];")
    for start, end, label in graph.edges:
        lines.append(f"  {start} -> {end}{f' [label={_quoted(label)}]' if label else ''};")
    return "\n".join([*lines, "}"]) + "\n"


def to_mermaid(plan: Plan) -> str:
    """For Markdown pages that render Mermaid."""
    graph = graph_of(plan)
    lines = ["flowchart TD"]
    for node in graph.nodes:
        label = "<br/>".join(line.replace('"', "#quot;") for line in node.lines)
        lines.append(f'  {node.name}["{label}"]{":::block" * node.is_block}')
    for start, end, label in graph.edges:
        lines.append(f"  {start} -->{f'|{label}|' if label else ''} {end}")
    lines.append("  classDef block fill:#ffd58a,stroke:#8a5a00,stroke-width:2px,color:#222222")
    return "\n".join(lines) + "\n"


def graph_of(plan: Plan) -> Graph:
    """The graph of a plan that has candidates at least."""
    plan = having(plan, Expanded, "dag")
    if isinstance(plan.mined, Grammar):
        return _grammar_graph(plan, plan.mined)
    return _block_graph(plan, plan.blocks or ())


def run_text(plan: Plan, block: Block) -> str:
    """ "a1 30% a2 50%"."""
    modules = plan.space.network.modules
    return " ".join(
        f"{modules[block.start + offset].name} {100 * plan.space.rates[rate]:g}%"
        for offset, rate in enumerate(block.rates)
    )


def _grammar_graph(plan: Expanded, grammar: Grammar) -> Graph:
    blocks = set(plan.blocks or ())
    nodes = [Node(name="r0", lines=(plan.space.name, _times(len(plan.candidates), "candidate")))]
    edges = []
    for number, rule in enumerate(grammar.rules):
        if number:
            run = block_of(grammar, number)
            lines = (f"r{number} × {rule.frequency}", run_text(plan, run))
            nodes.append(Node(name=f"r{number}", lines=lines, is_block=run in blocks))
        children = sorted({child for child in rule.body if child >= 0})
        edges += [(f"r{number}", f"r{child}", "") for child in children]
    return Graph(name=plan.space.name, nodes=tuple(nodes), edges=tuple(edges))


def _block_graph(plan: Expanded, blocks: tuple[Block, ...]) -> Graph:
    counts = _uses(plan, blocks)
    total = _times(len(plan.candidates), "candidate")
    nodes = [Node(name="space", lines=(plan.space.name, total))]
    nodes += [
        Node(name=f"b{k}", lines=(f"block {k}", run_text(plan, block)), is_block=True)
        for k, block in enumerate(blocks)
    ]
    edges = tuple(("space", f"b{k}", f"{counts[k]:,}") for k in range(len(blocks)))
    return Graph(name=plan.space.name, nodes=tuple(nodes), edges=edges)


def _uses(plan: Expanded, blocks: Iterable[Block]) -> list[int]:
    """In how many candidates each block is: composed from it, or else, matched by it."""
    rows = plan.candidates.values
    if plan.composition is not None:
        vectors = plan.composition.values
        return [int((vectors[:, b.start] == k).sum()) for k, b in enumerate(blocks)]
    return [len(rows_with(rows, b.start, b.rates)) for b in blocks]


def _times(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'s' * (count != 1)}"


def _quoted(*lines: str) -> str:
    escaped = (line.replace("\\", "\\\\").replace('"', '\\"') for line in lines)
    return '"' + "\\n".join(escaped) + '"'
