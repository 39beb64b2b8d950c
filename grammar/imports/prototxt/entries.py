"""Messages → the layers of a network in the TEST phase, the same for all syntaxes of Caffe."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from wootzc.grammar.check.operators import BUILT_IN
from wootzc.grammar.imports.prototxt.fields import Fields, as_message, as_text, wrong
from wootzc.grammar.imports.prototxt.text_format import Field, Place, Scalar
from wootzc.grammar.syntax.near_misses import did_you_mean
from wootzc.ir.graph import Refused
from wootzc.ir.layers.maxima import MAX_LAYERS

# What the old syntax calls its types, where it is more than the name of today in capitals.
_UNLIKE = {
    "ABSVAL": "AbsVal", "ARGMAX": "ArgMax", "BNLL": "BNLL", "HDF5_DATA": "HDF5Data",
    "HDF5_OUTPUT": "HDF5Output", "LRN": "LRN", "MVN": "MVN", "RELU": "ReLU", "TANH": "TanH",
    "SOFTMAX_LOSS": "SoftmaxWithLoss",
}  # fmt: skip
_LIKE = """ACCURACY CONCAT CONTRASTIVE_LOSS CONVOLUTION DATA DECONVOLUTION DROPOUT DUMMY_DATA
    EUCLIDEAN_LOSS ELTWISE EXP FLATTEN HINGE_LOSS IM2COL IMAGE_DATA INFOGAIN_LOSS INNER_PRODUCT
    MEMORY_DATA MULTINOMIAL_LOGISTIC_LOSS POOLING POWER SIGMOID SIGMOID_CROSS_ENTROPY_LOSS SILENCE
    SOFTMAX SPLIT SLICE WINDOW_DATA THRESHOLD"""
OLD_TYPES = _UNLIKE | {word: word.title().replace("_", "") for word in _LIKE.split()}

# Say how weights begin or how a layer is computed, not what it computes.
FILLERS = ("weight_filler", "bias_filler", "filler", "engine")
# Likewise, of a layer itself; `include` and the like have been read when it is translated.
_LAYER = (
    "name", "type", "bottom", "top", "param", "blobs", "blobs_lr", "weight_decay", "loss_weight",
    "propagate_down", "blob_share_mode", "phase", "include", "exclude", "loss_param",
)  # fmt: skip

_PARAMETERS = tuple(
    f"{kind}_param"
    for kind in """batch_norm bn clip concat convolution dropout eltwise elu flatten inner_product
    lrn pooling relu reshape scale sigmoid swish tanh""".split()
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A layer as the file has it."""

    name: str  # unique
    type: str  # as in the syntax of today: "Convolution"
    bottoms: tuple[str, ...]
    tops: tuple[str, ...]
    fields: Fields
    module: str  # of the `module` block around it; "" without

    def refuse(self, message: str, help: str | None = None) -> Refused:
        """To be raised: what is wrong with this layer, at its line."""
        return self.fields.place.refuse(f"layer `{self.name}` {message}", help)

    def along_channels(self, own: Fields, *names: str) -> None:
        """Refuse any other axis."""
        for name in names:
            axis = own.signed(name, 1)
            if axis != 1:
                raise self.refuse(
                    f"works along axis {axis}", f"only `{name}: 1`, along the channels, is known"
                )

    def check_fields(self) -> None:
        """Refuse a field that no layer has."""
        known = (*_LAYER, *_PARAMETERS)
        for found in self.fields.message.fields:
            if found.name not in known:
                raise found.place.refuse(
                    f"`{self.fields.name}` has no field `{found.name}`",
                    did_you_mean(found.name, known, "remove it, if nothing depends on it"),
                )

    def check_parameters(self) -> None:
        """Refuse parameters of another type, once this one's have been read."""
        for found in self.fields.unread(_LAYER):
            raise found.place.refuse(
                f"a layer of type {self.type} has no `{found.name}`", "remove it"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Entries:
    """`sources`: layers that bring data, of the TEST phase first, then of TRAIN."""

    layers: tuple[Entry, ...]
    sources: tuple[Entry, ...]


def entries_of(net: Fields) -> Entries:
    """The layers of a file in their order. Raises `Refused`."""
    layers: list[Entry] = []
    sources: tuple[list[Entry], list[Entry]] = ([], [])
    modules: dict[str, Place] = {}
    names: set[str] = set()
    for found, module in _messages(net, modules):
        fields = as_message(found)
        trained_only = not _in_phase(fields, "TEST")
        if trained_only and not _in_phase(fields, "TRAIN"):
            continue
        entry = _entry(fields, module, names)
        if not entry.bottoms:
            sources[trained_only].append(entry)
        elif not trained_only:
            names.add(entry.name)
            layers.append(entry)
        if len(layers) > MAX_LAYERS:
            raise found.place.refuse(f"this file has more than {MAX_LAYERS:,} layers")
    if not layers:
        raise net.place.refuse(
            "this file has no layers", "a network is written `layer { name: … type: … }`"
        )
    return Entries(layers=tuple(layers), sources=(*sources[0], *sources[1]))


def _messages(net: Fields, modules: dict[str, Place]) -> Iterator[tuple[Field, str]]:
    """Layers with the module around them. As in the paper, a module is a named block of layers."""
    for found in net.message.fields:
        match found.name:
            case "layer" | "layers":
                yield found, ""
            case "module":
                block = as_message(found)
                name = _module_name(block, modules)
                modules[name] = found.place
                inner = [*block.all("layer"), *block.all("layers")]
                block.finish()
                inner.sort(key=lambda layer: (layer.place.line, layer.place.column))
                yield from ((layer, name) for layer in inner)
            case _:
                pass  # settings of the whole net


def _module_name(block: Fields, modules: dict[str, Place]) -> str:
    name = block.text("name")
    if not name:
        message, help = "this module has no name", 'write `module { name: "m1" layer { … } }`'
    elif not re.fullmatch(r"[A-Za-z_]\w*", name, re.ASCII):
        message = f"`{name}` cannot be a module's name"
        help = "a name is letters, digits and `_`, and begins with no digit"
    elif name in BUILT_IN or re.fullmatch(r"plain\d*", name):
        message = f"`{name}` is built into wootzc, so no module can have its name"
        help = "rename it"
    elif name in modules:
        message = f"there is a module `{name}` on line {modules[name].line} already"
        help = "every module needs a name of its own"
    else:
        return name
    raise block.place.refuse(message, help)


def _entry(fields: Fields, module: str, names: set[str]) -> Entry:
    if fields.all("layer"):
        raise fields.place.refuse(
            "this is the syntax of Caffe's first versions, a `layer` in `layers`",
            "bring it up to date with Caffe's tool upgrade_net_proto_text",
        )
    kind = _type(fields)
    name = fields.text("name") or f"{kind}_{fields.place.line}"
    return Entry(
        # Caffe lets several layers have one name; the later ones get a number here.
        name=name if name not in names else f"{name}_{fields.place.line}",
        type=kind,
        bottoms=fields.texts("bottom"),
        tops=fields.texts("top"),
        fields=fields,
        module=module,
    )


def _type(fields: Fields) -> str:
    found = fields.one("type")
    match found:
        case None:
            raise fields.place.refuse("this layer has no type", 'write `type: "Convolution"`')
        case Field(value=Scalar(kind="word", text=word)):
            if word not in OLD_TYPES:
                help = did_you_mean(word, OLD_TYPES, 'types of today stand in quotes: "ReLU"')
                raise found.place.refuse(f"there is no type `{word}`", help)
            return OLD_TYPES[word]
        case _:
            return as_text(found)


def _in_phase(fields: Fields, phase: str) -> bool:
    """Whether a layer is a part of the network in `phase`, at level 0 and no stage."""
    include = [as_message(f) for f in fields.all("include")]
    exclude = [as_message(f) for f in fields.all("exclude")]
    own = fields.one("phase")
    if own is not None and _phase(own) != phase:
        return False
    if include:
        return any(_rule_holds(rule, phase) for rule in include)
    return not any(_rule_holds(rule, phase) for rule in exclude)


def _rule_holds(rule: Fields, phase: str) -> bool:
    wanted = rule.one("phase")
    levels = range(
        rule.signed("min_level", -(2**31)),
        rule.signed("max_level", 2**31 - 1) + 1,
    )
    stages = rule.texts("stage")
    rule.texts("not_stage")  # holds: no stage is on
    rule.finish()
    return (wanted is None or _phase(wanted) == phase) and 0 in levels and not stages


def _phase(found: Field) -> str:
    match found.value:
        case Scalar(text="TRAIN" | "0"):
            return "TRAIN"
        case Scalar(text="TEST" | "1"):
            return "TEST"
        case _:
            raise wrong(found, "`TRAIN` or `TEST`")
