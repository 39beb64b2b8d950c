"""Every mistake in a Caffe file is refused, with its line; there is never another exception."""

import random
import re
from pathlib import Path

import pytest

from wootzc.grammar.imports.prototxt import read_prototxt
from wootzc.grammar.imports.prototxt.text_format import MAX_CHARACTERS
from wootzc.ir.graph import Refused

GRAPHS = Path(__file__).parent / "prototxt" / "graphs"
HEAD = 'input: "data"\ninput_dim: [1, 3, 8, 8]\n'


def layer(
    kind: str, fields: str = "", bottoms: str = "data", tops: str = "x", name: str = "l"
) -> str:
    """One layer on one line, line 3 behind `HEAD`."""
    reads = " ".join(f'bottom: "{bottom}"' for bottom in bottoms.split())
    makes = " ".join(f'top: "{top}"' for top in tops.split())
    return f'layer {{ name: "{name}" type: "{kind}" {reads} {makes} {fields} }}\n'


def conv(fields: str, **wires: str) -> str:
    return layer("Convolution", f"convolution_param {{ {fields} }}", **wires)


FC = layer("InnerProduct", "inner_product_param { num_output: 4 }")
BEHIND = {"bottoms": "x", "tops": "y", "name": "m"}  # a second layer, on line 4

SYNTAX = {
    "": "1: this file has no layers",
    "a: ": "1:4: the end of the file does not fit here: expected `[`, `{`, a name, a number or a "
    "text in quotes",
    "a": "1:2: the end of the file does not fit here: expected `:` or `{`",
    "a {\n  b: 1": "1:3: this `{` is never closed",
    "a: 3\n}": "2:1: this `}` closes nothing",
    'a: "x\n': "1:4: this text in quotes does not end on its line",
    "a: 1..2": "1:4: `1..2` does not fit here: expected `[`, `{`, a name, a number or a text in "
    "quotes",
    "a: [1,]": "1:7: `]` does not fit here: expected `{`, a name, a number or a text in quotes",
    "a: [1 2]": "1:7: `2` does not fit here: expected `,` or `]`",
    "a { ] }": "1:5: `]` does not fit here: expected `}` or a name",
    "$": "1:1: `$` does not fit here: expected a name",
    "a: \x00": "1:4: `U+0000` does not fit here: expected `[`, `{`, a name, a number or a text in "
    "quotes",
    "\n\n  é: 3": "3:3: `é` does not fit here: expected a name",
    "a {" * 40 + "}" * 40: "1:99: braces are nested more than 32 deep",
}

REFUSED = [
    # types
    (layer("Deconvolution"), "3: layer `l` is of type Deconvolution, which wootzc does not prune",
     "wootzc prunes networks that give one score per class"),
    (layer("PReLU"), "3: layer `l` is of type PReLU, which wootzc does not prune",
     "a ReLU with a fixed `negative_slope` is known"),
    (layer("Slice", tops="x y"), "3: layer `l` is of type Slice, which wootzc does not prune",
     "a convolution with `group: 2` works on halves"),
    (layer("Softmax") + layer("ReLU", bottoms="x", tops="y"),
     "3: layer `l` is of type Softmax, which wootzc does not prune",
     "it may only stand at the end of the network"),
    (layer("Convolutoin"), "3: layer `l` is of type Convolutoin, which wootzc does not prune",
     "did you mean `Convolution`?"),
    (layer("Bilinear"), "3: layer `l` is of type Bilinear, which wootzc does not prune",
     "describe the network in a .wz file, without such a layer"),
    ('layers { type: CONVOLUTON bottom: "data" top: "x" }', "3: there is no type `CONVOLUTON`",
     "did you mean `CONVOLUTION`?"),
    ('layers { type: FOO bottom: "data" top: "x" }', "3: there is no type `FOO`",
     'types of today stand in quotes: "ReLU"'),
    ('layers { layer { name: "c" type: "conv" } bottom: "data" top: "c" }',
     "3: this is the syntax of Caffe's first versions, a `layer` in `layers`",
     "bring it up to date with Caffe's tool upgrade_net_proto_text"),
    ('layer { bottom: "data" top: "x" }', "3: this layer has no type",
     'write `type: "Convolution"`'),
    ('layer { type: 4 bottom: "data" }', "3: `type` must be a text in quotes, not 4", None),
    ("layer: 3", "3: `layer` must be fields in braces, not 3", None),
    # fields
    (conv(""), "3: `convolution_param` has no `num_output`", "write `num_output: …` into it"),
    (conv("num_output: 8 kernal_size: 3"), "3: `convolution_param` has no `kernel_size`",
     "should `kernal_size` be `kernel_size`?"),
    (conv("num_output: 8 kernel_size: 3 dialtion: 2"),
     "3: `convolution_param` has no field `dialtion`", "did you mean `dilation`?"),
    (layer("Pooling", "poling_param { kernel_size: 2 }"), "3: `layer` has no field `poling_param`",
     "did you mean `pooling_param`?"),
    (layer("ReLU", "colour: 3"), "3: `layer` has no field `colour`",
     "remove it, if nothing depends on it"),
    (layer("ReLU", "lrn_param { }"), "3: a layer of type ReLU has no `lrn_param`",
     "remove it"),
    ("inputs: 3\n" + layer("ReLU"), "3: `net` has no field `inputs`", "did you mean `input`?"),
    (conv('num_output: "8" kernel_size: 3'),
     '3: `num_output` must be a whole number from 1, not "8"', None),
    (conv("num_output: 0 kernel_size: 3"), "3: `num_output` must be a whole number from 1, not 0",
     None),
    (conv("num_output: 1.5 kernel_size: 3"),
     "3: `num_output` must be a whole number from 1, not 1.5", None),
    (conv("num_output: { } kernel_size: 3"),
     "3: `num_output` must be a whole number from 1, not { … }", None),
    (conv(f"num_output: {'9' * 99} kernel_size: 3"),
     f"3: `num_output` must be a whole number from 1, not {'9' * 40}…", None),
    (conv("num_output: 9999999999 kernel_size: 3"),
     "3: `num_output` must be a whole number from 1 to 2147483647, not 9999999999", None),
    (conv("num_output: 8 num_output: 4 kernel_size: 3"),
     "3: `num_output` stands in `convolution_param` twice", "remove one of them"),
    (conv("num_output: 8 kernel_size: [3, 3, 3]"),
     "3: `kernel_size` has 3 values: images have height and width", None),
    (conv("num_output: 8 kernel_size: 3 kernel_h: 3 kernel_w: 3"),
     "3: `kernel_size` stands beside `kernel_h` and `kernel_w`", "leave out one or the others"),
    (conv("num_output: 8 kernel_h: 3"), "3: `convolution_param` has no `kernel_w`",
     "write `kernel_w: …` into it"),
    (conv("num_output: 8 kernel_size: 3 bias_term: maybe"),
     "3: `bias_term` must be `true` or `false`, not maybe", None),
    (layer("ReLU", "relu_param { negative_slope: 1e999 }"),
     "3: `negative_slope` must be a number within reach, not 1e999", None),
    (layer("ReLU", "relu_param { negative_slope: steep }"),
     "3: `negative_slope` must be a number, not steep", None),
    (layer("Pooling", "pooling_param { pool: MEAN kernel_size: 2 }"),
     "3: `pool` must be `MAX`, `AVE` or `STOCHASTIC`, not MEAN", None),
    (layer("ReLU", "include { phase: DEPLOY }"), "3: `phase` must be `TRAIN` or `TEST`, not DEPLOY",
     None),
    # what layers can be
    (conv("num_output: 8 kernel_size: 3 axis: 2"), "3: layer `l` works along axis 2",
     "only `axis: 1`, along the channels, is known"),
    (conv("num_output: 8 kernel_size: 3 group: 2"),
     "3: layer `l` has 2 groups, which do not divide 3 → 8", None),
    (conv("num_output: 8 kernel_size: 9"),
     "3: layer `l` does not fit its input: a 9x9 window does not fit into 8x8 pixels", None),
    (conv("num_output: 8 kernel_size: 3", bottoms="data data"),
     "3: layer `l` has 2 and 1 of `bottom` and `top`",
     "a layer of type Convolution has one of each"),
    (layer("Pooling", "pooling_param { pool: STOCHASTIC kernel_size: 2 }"),
     "3: layer `l` pools at random", "use MAX or AVE"),
    (layer("Pooling", "pooling_param { kernel_size: 2 pad: 2 }"),
     "3: layer `l` pads by 2x2 around 2x2 windows", "some windows would see nothing but padding"),
    (layer("Pooling", "pooling_param { kernel_size: 1 stride: 5 }"),
     "3: layer `l` has a last window that lies outside of the image",
     "make its stride no greater than its kernel, or crop the input"),
    (layer("LRN", "lrn_param { norm_region: WITHIN_CHANNEL }"),
     "3: layer `l` normalises within channels", "only ACROSS_CHANNELS is known"),
    (layer("LRN", "lrn_param { local_size: 4 }"), "3: layer `l` has a `local_size` of 4",
     "it must be odd"),
    (layer("Eltwise", "eltwise_param { operation: MAX }", bottoms="data data"),
     "3: layer `l` takes the greatest of several tensors", "only SUM and PROD are known"),
    (layer("Eltwise", "eltwise_param { coeff: 1 coeff: -1 }", bottoms="data data"),
     "3: layer `l` adds with factors", "only `coeff: 1` is known"),
    (layer("Eltwise", "eltwise_param { operation: PROD }", bottoms="data data data"),
     "3: layer `l` multiplies 3 tensors", "only two are known"),
    (layer("Concat", "concat_param { axis: 2 }", bottoms="data data"),
     "3: layer `l` works along axis 2", "only `axis: 1`, along the channels, is known"),
    (layer("Scale", "scale_param { num_axes: 2 }"), "3: layer `l` scales more than channels",
     "set `num_axes: 1`"),
    (layer("Scale", "scale_param { bias_term: true }", bottoms="data data"),
     "3: layer `l` scales one blob by another along some axes",
     "only `axis: 0` without bias is known"),
    (layer("Clip", "clip_param { min: 0 max: 1 }"), "3: layer `l` clips to 0..1",
     "only 0..6 is known, relu6"),
    (layer("ELU", "elu_param { alpha: 2 }"), "3: layer `l` sets `alpha` to 2", "only 1 is known"),
    (layer("Swish", "swish_param { beta: 2 }"), "3: layer `l` sets `beta` to 2",
     "only 1 is known"),
    (layer("Dropout", "dropout_param { dropout_ratio: 1 }"),
     "3: layer `l` has a `dropout_ratio` of 1", "it must be from 0 to below 1"),
    (layer("Reshape", "reshape_param { shape { dim: 0 dim: 3 dim: 64 } }"),
     "3: layer `l` changes the axes of an image", "only reshaping to a vector is known"),
    (layer("Reshape", "reshape_param { shape { dim: 0 } axis: 1 }"),
     "3: layer `l` reshapes a part of the axes", "only reshaping to a vector is known"),
    (layer("Flatten", "flatten_param { end_axis: 2 }"),
     "3: layer `l` flattens a part of the axes", "only whole images can be flattened"),
    (FC + conv("num_output: 4 kernel_size: 1", **BEHIND),
     "4: layer `m` does not fit its input: Conv expects height x width x channels, but a vector "
     "enters", None),
    (FC + layer("Pooling", "pooling_param { kernel_size: 2 }", **BEHIND),
     "4: layer `m` pools a vector", "only images are pooled"),
    (FC + layer("Scale", **BEHIND), "4: layer `m` scales a vector with nothing to normalise it",
     "only after BatchNorm, or on images"),
    # wires
    (layer("ReLU", bottoms="dat"), "3: layer `l` reads `dat`, which no layer before it makes",
     "did you mean `data`?"),
    (layer("ReLU") + layer("TanH", name="m"), "4: layer `m` makes `x`, as a layer before it does",
     "only a layer that reads a blob may write it again"),
    (layer("Softmax"), "3: layer `l` reads `data`, the input: there is no network between", None),
    (layer("Silence", tops=""),
     "3: layer `l` leads nowhere, nor does any other: the network has no output", None),
    (conv("num_output: 4 kernel_size: 1")
     + layer("Eltwise", bottoms="x data", tops="y", name="m"),
     "4: layer `m` joins 8x8x4 and 8x8x3, which do not fit", "sums have one shape"),
    (layer("Pooling", "pooling_param { kernel_size: 2 stride: 2 }")
     + layer("Concat", bottoms="x data", tops="y", name="m"),
     "4: layer `m` joins 4x4x3 and 8x8x3, which do not fit", "heights and widths agree"),
    (conv("num_output: 4 kernel_size: 1")
     + layer("Scale", "scale_param { axis: 0 }", bottoms="x data", tops="y", name="m"),
     "4: layer `m` joins 8x8x4 and 8x8x3, which do not fit",
     "the second has the shape of the first, or one value per channel"),
    ('layer { name: "in" type: "Input" top: "b" input_param { shape { dim: [1, 3, 8, 8] } } }\n'
     + layer("Eltwise", bottoms="data b"), " has 2 inputs, `b` and `data`",
     "wootzc prunes networks that read one image"),
    (conv('num_output: 3 kernel_size: 1 } param { name: "w"')
     + conv('num_output: 3 kernel_size: 1 } param { name: "w"', **BEHIND),
     "4: layer `m` shares its weights `w` with `l`",
     "wootzc prunes layers with weights of their own"),
    # modules
    ("module { layer { } }", "3: this module has no name",
     'write `module { name: "m1" layer { … } }`'),
    ('module { name: "1/a" }', "3: `1/a` cannot be a module's name",
     "a name is letters, digits and `_`, and begins with no digit"),
    ('module { name: "conv" }', "3: `conv` is built into wootzc, so no module can have its name",
     "rename it"),
    ('module { name: "a" }\nmodule { name: "a" }', "4: there is a module `a` on line 3 already",
     "every module needs a name of its own"),
    ('module { name: "a" module { name: "b" } }', "3: `module` has no field `module`",
     "known here: layer, layers, name"),
]  # fmt: skip

INPUTS = [
    ('input: "data"\n' + layer("ReLU"), "1: the file does not say how large its input `data` is",
     'say it: network NAME from "….prototxt" { input(224x224x3) }'),
    (layer("Data", "", "", "data label") + layer("ReLU"),
     "1: the file does not say how large its input `data` is",
     'say it: network NAME from "….prototxt" { input(224x224x3) }'),
    ('input: "data" input_dim: [1, 2, 3]\n' + layer("ReLU"), "1: the input has 3 dimensions",
     "write batch, channels, height and width: 1 3 224 224"),
    (layer("Constant", "", "", "data") + layer("ReLU"),
     "1: layer `l` is of type Constant and reads nothing, but is no input wootzc knows",
     'write `layer { type: "Input" … }`'),
]  # fmt: skip


def refused(text: str, folder: Path) -> Refused:
    path = folder / "net.prototxt"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(Refused) as caught:
        read_prototxt(str(path))
    return caught.value


@pytest.mark.parametrize("text", SYNTAX, ids=lambda text: repr(text)[:20])
def test_syntax_errors_have_line_and_column(text: str, tmp_path: Path) -> None:
    assert refused(text, tmp_path).message == f"net.prototxt:{SYNTAX[text]}"


@pytest.mark.parametrize(
    ("text", "message", "help"),
    [*((HEAD + text, message, help) for text, message, help in REFUSED), *INPUTS],
)
def test_what_is_refused(text: str, message: str, help: str | None, tmp_path: Path) -> None:
    error = refused(text, tmp_path)
    assert error.message == f"net.prototxt{':' * message[:1].isdigit()}{message}"
    assert error.help == help


def test_weights_and_very_long_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "net.prototxt"
    path.write_bytes(b"\x0a\x05\xff\xfe")
    with pytest.raises(Refused, match="is no text"):
        read_prototxt(str(path))
    long = refused("#" * (MAX_CHARACTERS + 1), tmp_path)
    assert long.message == "net.prototxt has 2,000,001 characters; at most 2,000,000 are read"
    assert "more than 100,000 words" in refused("a " * 100_001, tmp_path).message


def test_a_missing_file_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_prototxt(str(tmp_path / "none.prototxt"))


TOKENS = re.compile(r'"[^"]*"|[\w.-]+|\S|\s+')
ODD = (
    '{ } [ ] : , 0 -1 1e999 99999999999 0x10 "x" " true MAX layer module name top bottom dim # '
    "\\ ' é \x00 nan - input"
).split(" ")


@pytest.mark.parametrize("seed", range(6))
def test_broken_files_are_refused_and_nothing_else(seed: int, tmp_path: Path) -> None:
    """Tokens left out, doubled, replaced or swapped, in all of the small files."""
    luck = random.Random(seed)
    path = tmp_path / "net.prototxt"
    outcomes = {"read": 0, "refused": 0}
    for source in sorted(GRAPHS.glob("*.prototxt")):
        for _ in range(12):
            tokens = TOKENS.findall(source.read_text(encoding="utf-8"))
            for _ in range(luck.choice((1, 1, 2, 3))):
                at, other = luck.randrange(len(tokens)), luck.randrange(len(tokens))
                match luck.randrange(4):
                    case 0:
                        tokens[at] = ""
                    case 1:
                        tokens[at] += luck.choice(ODD)
                    case 2:
                        tokens[at] = luck.choice(ODD)
                    case _:
                        tokens[at], tokens[other] = tokens[other], tokens[at]
            path.write_text("".join(tokens), encoding="utf-8")
            try:
                read_prototxt(str(path))
                outcomes["read"] += 1
            except Refused as refused:
                assert refused.message.startswith("net.prototxt")
                outcomes["refused"] += 1
    assert min(outcomes.values()) > 0
