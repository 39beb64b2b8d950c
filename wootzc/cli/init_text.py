"""The .wz file that `wootzc init` writes: facts → text, and nothing else."""

import math
from collections.abc import Iterator

from wootzc.builder.search.judging import ASSUMED, images_needed
from wootzc.cli.init_comments import aligned, comment, listed
from wootzc.cli.init_data_text import data_text, other_classes, other_names
from wootzc.cli.init_facts import Facts, Model
from wootzc.grammar.syntax.near_misses import either
from wootzc.ir.layers import Conv, walk
from wootzc.ir.layers.shapes import shape_text
from wootzc.ir.net.cost import network_cost
from wootzc.ir.net.metrics import costs
from wootzc.ir.net.skip import can_be_skipped
from wootzc.ir.net.trunk import trunks
from wootzc.units import count

# Of a teacher with a new last layer: its other weights are not to be thrown over.
TRAINED_ON = "{ steps 2000; optimizer sgd(0.01, momentum = 0.9) }"


def limit_points(images: int) -> float:
    """The loss of accuracy, in points and steps of a half, that so many images can tell.

    At least 1: less than that is not worth a search.
    """
    halves = 2
    while images < images_needed(halves / 200, ASSUMED):
        halves += 1
    return halves / 2


def images_for(points: float) -> int:
    """How many images tell a loss of so many points, to two digits."""
    exact = images_needed(points / 100, ASSUMED)
    step: int = 10 ** max(0, int(math.log10(exact)) - 1)
    return math.ceil(exact / step) * step


def init_text(facts: Facts) -> str:
    """A .wz file in canonical form, with which `wootzc check` finds no fault."""
    statements = (
        *data_text(facts),
        *_teacher(facts),
        *_reach(facts.model),
        "",
        *_objective(facts),
        "",
        *comment("Some of what else can be said (docs/language.md):"),
        *aligned(*further(facts)),
    )
    lines = [
        *_heading(facts),
        "",
        *_network(facts),
        f"space {facts.model.name}_smaller over {_over(facts)} {{",
        *(f"  {line}" if line else line for line in statements),
        "}",
    ]
    return "\n".join(lines) + "\n"


def init_warnings(facts: Facts) -> tuple[str, ...]:
    """What the user should see at once; the text says it too."""
    return tuple(filter(None, (other_classes(facts), other_names(facts))))


def further(facts: Facts) -> tuple[tuple[str, str], ...]:
    """Statements that could be added, and what each does."""
    return (
        (f"keep {facts.model.network.modules[0].name}", "modules that stay whole"),
        ("prune * by taylor", "filters go by what training images say, not by their weights"),
        ("where macs <= 60%", "only networks that cost no more"),
        ("budget 30 minutes", "then the best so far is the result"),
    )


def _reach(model: Model) -> Iterator[str]:
    """More may go than filters inside of modules, where the network has it."""
    narrow, skip = bool(trunks(model.network)), any(map(can_be_skipped, model.network.modules))
    if narrow or skip:
        yield ""
    if narrow:
        yield "narrow t*  // channels between modules may go too"
    if skip:
        yield "skip *  // modules may go whole, where their input can go on"


def _heading(facts: Facts) -> Iterator[str]:
    yield from comment(f"Written by `{facts.command}`. Change what you like, then:")
    yield from aligned(
        (f"wootzc plan {facts.file}", "what is in the space, what it will cost"),
        (f"wootzc build {facts.file}", "the search; stop it and run it again: it goes on"),
    )


def _network(facts: Facts) -> Iterator[str]:
    """What was found, and the statement that reads it where the zoo does not have it."""
    model, network = facts.model, facts.model.network
    scores = len(facts.images.classes) if model.zoo else model.outputs
    cost = network_cost(network)
    yield from comment(
        f"{count(cost.params)} parameters, {count(cost.macs)} MACs (1 MAC = 2 FLOPs); "
        f"{shape_text(network.input)} in, {scores:,} scores out."
    )
    names = [module.name for module in network.modules]
    yield from comment(
        f"{len(names)} module{'s' * (len(names) > 1)} {model.modules}: {listed(names)}; "
        f"`wootzc explain {facts.file}` shows them."
    )
    layers = [layer for part in network.segments for _, layer in walk(part.body)]
    plain = any(isinstance(layer, Conv) for layer in layers) and not any(n.scales for n in layers)
    if model.weights and not model.zoo and plain:
        yield from comment(
            "No batch norms: exporters fold them into convolutions, and fine-tuning goes better "
            "with them. PyTorch keeps them in the file with"
        )
        export = "torch.onnx.export(model.eval(), …, dynamo=False, do_constant_folding=False)"
        yield f"//   {export}"
    for note in model.notes:
        yield from comment(f"Note: {note}.")
    if model.recognised is not None:
        yield from comment(f"{model.path} holds {model.recognised}, by the names of its tensors.")
    if not model.zoo:
        settings = [f"input({shape_text(model.input)})"] if model.input else []
        if other_classes(facts):
            settings.append(f"classes({len(facts.images.classes)})")
        braces = f" {{ {'; '.join(settings)} }}" if settings else ""
        yield f'network {model.name} from "{model.path}"{braces}'
    yield ""


def _over(facts: Facts) -> str:
    model = facts.model
    if not model.zoo:
        return facts.model.name
    size = f", input = {shape_text(model.input)}" if model.input else ""
    return f"{model.zoo}(classes = {len(facts.images.classes)}{size})"


def _teacher(facts: Facts) -> Iterator[str]:
    model = facts.model
    if not model.weights:
        yield ""
        yield from comment(
            "There are no weights, so the full network is trained first. How long, or which "
            'weights to take instead: teacher { steps 20_000 }, teacher from "weights.safetensors".'
        )
        return
    words = [f'from "{model.path}"'] if model.zoo else []
    words += [TRAINED_ON] if other_classes(facts) else []
    if words:
        yield ""
        yield " ".join(["teacher", *words])


def _objective(facts: Facts) -> Iterator[str]:
    others = either(name for name in costs() if name != facts.minimize)
    images = facts.images.images["validation"]
    points = limit_points(images)
    limit = f"{points:g} point{'s' * (points != 1)}"
    told = f"{images:,} validation image{'s' * (images > 1)} can tell a loss of {limit} from chance"
    needed = "" if points == 1 else f"; 1 point needs some {images_for(1):,}"
    yield f"minimize {facts.minimize}  // or {others}"
    right = f"where the network is right on {100 * ASSUMED:g} % or more"
    yield from comment(f"{told}, {right}{needed}.")
    yield f"subject to accuracy >= teacher - {limit}"
