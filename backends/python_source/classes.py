"""A network as classes of Python, one for all segments that are the same, in a library's words."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import TypeAlias, assert_never

from wootzc.backends.python_source.expressions import Call, Expression, Sum, laid_out
from wootzc.backends.python_source.text import attributes, class_name, documented
from wootzc.backends.weights.channels_first import Order, order_after_flatten
from wootzc.ir import layers as ir
from wootzc.ir.layers.shapes import Shape, shape_after, shape_text
from wootzc.ir.layers.signature import operator_of
from wootzc.ir.net.network import Module, Network, segment_shapes

Statement: TypeAlias = tuple[str, Expression]  # target = expression

# What generated files call their own.
TAKEN = frozenset({"CLASSES", "HERE", "INPUT", "MEAN", "Net", "Path", "STD"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Library:
    """How a library has classes and layers written."""

    width: int  # of a line
    fill: bool = False  # as `laid_out` has it
    base: str  # of all classes: "nn.Module"
    init: tuple[str, ...]  # how `__init__` begins
    given: str = ""  # to the classes of segments by that of the network
    call: str  # the method that computes
    axes: str  # of what the network takes
    concat: tuple[str, str]  # "torch.cat(", and along which axis
    classes: frozenset[str] = frozenset()  # names that are taken in files, beside `TAKEN`
    attributes: frozenset[str]  # names that are taken in classes
    made: Callable[[ir.Learned, Shape], Call]  # of what enters: the call in `__init__`
    # Of a layer, what enters it, the variables that hold that and are to hold what leaves, and the
    # layer's attribute: what the latter becomes, one expression after the other.
    steps: Callable[[ir.Layer, Shape, str, str, str], Iterator[Expression]]
    # Where channels come first: statements that bring a vector into our order.
    pixel_by_pixel: Callable[[str, Shape, str], Iterator[Statement]] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Learned:
    """A layer that carries weights, as an attribute of its segment's class."""

    path: str  # in its segment: "0.0.2"
    attribute: str  # "conv_0_0_2"
    layer: ir.Layer
    made: Call  # the call in __init__
    shape: Shape  # that enters
    order: Order

    @property
    def shapes(self) -> dict[str, Shape]:
        """Of its arrays, by parameter."""
        leaving = self.layer.after(self.shape)[-1]
        return {one.name: one.sizes(self.shape[-1], leaving) for one in self.layer.arrays()}


@dataclass(slots=True)
class Written:
    """A body, written down layer by layer."""

    library: Library
    learned: list[Learned] = field(default_factory=list)
    statements: list[Statement] = field(default_factory=list)
    order: Order = None  # of what leaves

    def in_our_order(self, given: str, order: Order, result: str) -> str:
        """Have a vector brought into our order; the variable that holds it."""
        if order is None or self.library.pixel_by_pixel is None:
            return given
        self.statements += self.library.pixel_by_pixel(given, order, result)
        return result

    def body(
        self, body: ir.Body, shape: Shape, order: Order, prefix: str, given: str, result: str
    ) -> Order:
        """Statements that turn variable `given` into `result`; none where the body is empty."""
        for index, layer in enumerate(body):
            path = f"{prefix}{index}"
            if isinstance(layer, ir.Branch):
                order = self._branch(layer, shape, order, path, given, result)
            else:
                order = self._layer(layer, shape, order, path, given, result)
            given, shape = result, shape_after(layer, shape)
        return order

    def _layer(
        self, layer: ir.Layer, shape: Shape, order: Order, path: str, x: str, result: str
    ) -> Order:
        if isinstance(layer, ir.GroupNorm | ir.LocalNorm):  # what is beside what counts
            x, order = self.in_our_order(x, order, result), None
        attribute = f"{operator_of(layer).name.replace('_', '')}_{path.replace('.', '_')}"
        if isinstance(layer, ir.Learned):
            made = self.library.made(layer, shape)
            learned = Learned(
                path=path, attribute=attribute, layer=layer, made=made, shape=shape, order=order
            )
            self.learned.append(learned)
        steps = self.library.steps(layer, shape, x, result, attribute)
        self.statements += [(result, step) for step in steps]
        if isinstance(layer, ir.Flatten) and self.library.pixel_by_pixel is not None:
            return order_after_flatten(shape)
        return None if isinstance(layer, ir.Dense) else order

    def _branch(
        self, branch: ir.Branch, shape: Shape, order: Order, path: str, x: str, result: str
    ) -> Order:
        names = [f"{result}_{i}" if arm else x for i, arm in enumerate(branch.arms)]
        orders = [
            self.body(arm, shape, order, f"{path}.{i}.", x, name)
            for i, (arm, name) in enumerate(zip(branch.arms, names, strict=True))
        ]
        if branch.join == "concat" or len(set(orders)) > 1:
            numbered = enumerate(zip(names, orders, strict=True))
            names = [self.in_our_order(name, one, f"{result}_{i}") for i, (name, one) in numbered]
            orders = [None]
        head, along = self.library.concat
        match branch.join:
            case "add":
                joined: Expression = Sum("+", tuple(names))
            case "concat":
                joined = Call(head, (Call("[", tuple(names), "]"), along))
            case "scale":
                joined = Sum("*", tuple(names))
            case _:
                assert_never(branch.join)
        self.statements.append((result, joined))
        return orders[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentClass:
    name: str
    shape: Shape  # that enters
    body: Written
    segments: list[str] = field(default_factory=list)  # that are of this class


@dataclass(frozen=True, slots=True, kw_only=True)
class Classes:
    """A network, written down. Segments by name, in order of execution."""

    library: Library
    of: dict[str, SegmentClass]
    attributes: dict[str, str]  # segment → attribute of the network
    order: Order  # of what leaves the network

    def distinct(self) -> list[SegmentClass]:
        return list({made.name: made for made in self.of.values()}.values())

    def learned(self) -> Iterator[tuple[str, str, Learned]]:
        """Every layer that carries weights, with its path, "a1/0.0.2", and its attribute."""
        for segment, made in self.of.items():
            for one in made.body.learned:
                yield f"{segment}/{one.path}", f"{self.attributes[segment]}.{one.attribute}", one


def classes_of(network: Network, library: Library) -> Classes:
    """One class for segments of equal body, shape and order of numbers, under free names."""
    known: dict[tuple[ir.Body, Shape, Order], SegmentClass] = {}
    of: dict[str, SegmentClass] = {}
    order: Order = None
    for segment, shape in zip(network.segments, segment_shapes(network), strict=False):
        key = segment.body, shape, order
        if key not in known:
            definition = segment.definition if isinstance(segment, Module) else ""
            taken = {*TAKEN, *library.classes, *(one.name for one in known.values())}
            name, body = class_name(definition or segment.name, taken), Written(library)
            body.order = body.body(segment.body, shape, order, "", "x", "x")
            known[key] = SegmentClass(name=name, shape=shape, body=body)
        known[key].segments.append(segment.name)
        of[segment.name] = known[key]
        order = known[key].body.order
    names = attributes(of, library.attributes)
    return Classes(library=library, of=of, attributes=names, order=order)


def segment_class(one: SegmentClass) -> Iterator[str]:
    """The lines of a class."""
    library, body = one.body.library, one.body
    yield f"class {one.name}({library.base}):"
    words = f"{', '.join(one.segments)}: input {shape_text(one.shape)}."
    yield from documented(words, library.width)
    yield ""
    if body.learned or library.given:
        yield from library.init
        if not body.learned:
            yield "        pass  # nothing to learn here"
        made = [(f"self.{learned.attribute}", learned.made) for learned in body.learned]
        yield from _assigned(made, library)
        yield ""
    yield f"    def {library.call}(self, x):"
    yield from _assigned(body.statements, library)
    yield "        return x"


def network_class(
    network: Network,
    made: Classes,
    init: Iterable[str] = (),  # more lines of `__init__`
    call: Iterable[str] = (),  # lines before the first segment
) -> Iterator[str]:
    """The lines of the class `Net`, behind those of its segments."""
    library, x = made.library, Written(made.library)
    yield f"class Net({library.base}):"
    words = f"{network.name}: {len(made.of)} segments, one after the other."
    yield from documented(words, library.width)
    yield ""
    yield from library.init
    yield from init
    for segment, one in made.of.items():
        yield f"        self.{made.attributes[segment]} = {one.name}({library.given})"
    yield ""
    yield f"    def {library.call}(self, x):  # [{library.axes}] -> logits"
    yield from call
    for segment in made.of:
        yield f"        x = self.{made.attributes[segment]}(x)"
    x.in_our_order("x", made.order, "x")
    yield from _assigned(x.statements, library)
    yield "        return x"


def _assigned(statements: Iterable[Statement], library: Library) -> Iterator[str]:
    for target, expression in statements:
        yield from laid_out(
            f"        {target} = ", expression, width=library.width, fill=library.fill
        )
