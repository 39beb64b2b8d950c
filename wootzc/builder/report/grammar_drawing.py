"""The Sequitur grammar of a space as a layered drawing: every rule above the rules of its body."""

from graphlib import TopologicalSorter
from typing import Final

from wootzc.builder.report.markup import Markup, join, picture, plural, tag
from wootzc.ir.plan import Grammar, Plan, Rule
from wootzc.units import rate_text

MOST_RULES: Final = 60  # a larger drawing can't be read; `wootzc plan --emit dag` writes it
NODE_HEIGHT, LAYER, SPACE, EDGE = 26, 74, 14, 12
LETTER = 7.0  # pixels a letter takes, about
SWEEPS: Final = 6  # passes over the layers that pull nodes towards their neighbours

Children = dict[int, tuple[int, ...]]


def grammar_dag(plan: Plan) -> Markup:
    """The drawing, or a sentence where the grammar is too large; empty where none was mined."""
    match plan.mined:
        case Grammar(rules=rules) if 2 <= len(rules) <= MOST_RULES:
            return _draw(plan, rules)
        case Grammar(rules=rules) if len(rules) > MOST_RULES:
            count = plural(len(rules), "rule")
            command = tag("code", "wootzc plan --emit dag")
            return tag("p", f"{count}: too many to draw here; ", command, " writes them all.")
        case _:
            return Markup()


def _draw(plan: Plan, rules: tuple[Rule, ...]) -> Markup:
    labels = [_label(plan, number, rule) for number, rule in enumerate(rules)]
    children = {n: tuple(dict.fromkeys(c for c in r.body if c > 0)) for n, r in enumerate(rules)}
    layers = _ordered(_layers(rules, children), children)
    widths = [len(label) * LETTER + 16 for label in labels]
    total = max(sum(widths[n] + SPACE for n in layer) for layer in layers) + 2 * EDGE
    places: dict[int, tuple[float, float]] = {}  # middle of every node
    for depth, layer in enumerate(layers):
        room = (total - sum(widths[n] for n in layer)) / (len(layer) + 1)
        x = room
        for number in layer:
            places[number] = x + widths[number] / 2, EDGE + NODE_HEIGHT / 2 + depth * LAYER
            x += widths[number] + room
    edges = [_edge(places[n], places[c], n == 0) for n, below in children.items() for c in below]
    nodes = [
        _node(plan, rules, number, labels[number], widths[number], places[number])
        for layer in layers
        for number in layer
    ]
    height = 2 * EDGE + NODE_HEIGHT + (len(layers) - 1) * LAYER
    drawing = picture(*edges, *nodes, size=(total, height), label="Grammar of the space")
    return tag("div", drawing, class_="scroll dag")


def _layers(rules: tuple[Rule, ...], children: Children) -> list[list[int]]:
    """A rule lies below all that use it; terminal rules share the lowest layer, by module."""
    depth = dict.fromkeys(children, 0)
    for number in reversed([*TopologicalSorter(children).static_order()]):  # longest paths
        for child in children[number]:
            depth[child] = max(depth[child], depth[number] + 1)
    terminals = [n for n, rule in enumerate(rules) if rule.symbol is not None]
    inner = [n for n in children if rules[n].symbol is None]
    count = max(depth[n] for n in inner) + 1
    layers = [[n for n in inner if depth[n] == level] for level in range(count)]
    if terminals:
        layers.append(sorted(terminals, key=lambda n: rules[n].symbol or (0, 0)))
    return layers


def _ordered(layers: list[list[int]], children: Children) -> list[list[int]]:
    """Fewer crossings: every node moves to the mean place of its neighbours, again and again.

    The lowest layer stays in network order, which the reader knows.
    """
    neighbours: dict[int, list[int]] = {number: [*below] for number, below in children.items()}
    for number, below in children.items():
        for child in below:
            if number:  # the start rule touches nearly everything and says nothing about places
                neighbours[child].append(number)
    for _ in range(SWEEPS):
        place = {n: (i + 0.5) / len(layer) for layer in layers for i, n in enumerate(layer)}
        for layer in layers[:-1]:
            means = {
                n: sum(place[o] for o in neighbours[n]) / max(len(neighbours[n]), 1) for n in layer
            }
            layer.sort(key=means.__getitem__)
    return layers


def _edge(start: tuple[float, float], end: tuple[float, float], faint: bool) -> Markup:
    (x1, y1), (x2, y2) = start, end
    y1, y2 = y1 + NODE_HEIGHT / 2, y2 - NODE_HEIGHT / 2
    middle = (y1 + y2) / 2
    curve = f"M{x1:.1f},{y1:.1f} C{x1:.1f},{middle:.1f} {x2:.1f},{middle:.1f} {x2:.1f},{y2:.1f}"
    return tag("path", d=curve, class_="edge faint" if faint else "edge")


def _node(
    plan: Plan,
    rules: tuple[Rule, ...],
    number: int,
    label: str,
    width: float,
    place: tuple[float, float],
) -> Markup:
    x, y = place
    kind = "start-rule" if number == 0 else "inner" if rules[number].symbol is None else "terminal"
    box = tag(
        "rect",
        tag("title", _describe(plan, rules, number)),
        x=x - width / 2,
        y=y - NODE_HEIGHT / 2,
        width=width,
        height=NODE_HEIGHT,
        rx=6,
        class_=f"node {kind} tip",
    )
    return join([box, tag("text", label, x=x, y=y + 4, class_="middle small")])


def _label(plan: Plan, number: int, rule: Rule) -> str:
    if number == 0:
        return "all candidates"
    if rule.symbol is None:
        return f"r{number} ×{rule.frequency}"
    module, position = rule.symbol
    return f"{plan.space.network.modules[module].name} {rate_text(plan.space.rates[position])}"


def _describe(plan: Plan, rules: tuple[Rule, ...], number: int) -> str:
    if number == 0:
        return "the start rule: every candidate, one after the other"
    seen = f"{plural(rules[number].frequency, 'time')} in the space"
    parts = [_label(plan, leaf, rules[leaf]) for leaf in _leaves(rules, number)]
    return ", ".join(parts) + f"\n{seen}"


def _leaves(rules: tuple[Rule, ...], number: int) -> list[int]:
    """The terminal rules that a rule expands to, left to right."""
    if rules[number].symbol is not None:
        return [number]
    return [leaf for child in rules[number].body if child >= 0 for leaf in _leaves(rules, child)]
