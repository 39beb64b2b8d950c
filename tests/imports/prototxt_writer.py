"""Writes the full-size networks of tests/imports/prototxt: `python prototxt_writer.py FOLDER`.

In the style of the files that came with the papers: in-place layers, names with a slash or a
letter per block, weight fillers, auxiliary heads, phases. Sizes are those of the papers.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

INPUT = 'input: "data"\ninput_dim: 10\ninput_dim: 3\ninput_dim: {0}\ninput_dim: {0}\n'

# Krizhevsky et al. 2012, with the pools before the norms, as Caffe's reference network has them.
ALEXNET: list[str | tuple[str, int, int, int, int, int]] = [
    ("conv1", 96, 11, 4, 0, 1), "pool1", "norm1", ("conv2", 256, 5, 1, 2, 2), "pool2", "norm2",
    ("conv3", 384, 3, 1, 1, 1), ("conv4", 384, 3, 1, 1, 2), ("conv5", 256, 3, 1, 1, 2), "pool5",
]  # fmt: skip

VGG16 = [(64, 2), (128, 2), (256, 3), (512, 3), (512, 3)]  # Simonyan and Zisserman 2015, D

# Szegedy et al. 2015, table 1: 1x1, 3x3 reduce, 3x3, 5x5 reduce, 5x5, pool projection.
INCEPTIONS = {
    "3a": (64, 96, 128, 16, 32, 32), "3b": (128, 128, 192, 32, 96, 64),
    "4a": (192, 96, 208, 16, 48, 64), "4b": (160, 112, 224, 24, 64, 64),
    "4c": (128, 128, 256, 24, 64, 64), "4d": (112, 144, 288, 32, 64, 64),
    "4e": (256, 160, 320, 32, 128, 128), "5a": (256, 160, 320, 32, 128, 128),
    "5b": (384, 192, 384, 48, 128, 128),
}  # fmt: skip

RESNET50 = [(64, 3), (128, 4), (256, 6), (512, 3)]  # He et al. 2016, table 1


class Writer:
    """Layers in the new syntax, or in the old one; `bottom` is the last blob."""

    def __init__(self, old: bool = False, fillers: bool = False, normed: bool = False):
        self.old, self.fillers, self.normed = old, fillers, normed
        self.bottom = "data"
        self.text: list[str] = []

    def layer(self, kind: str, name: str, bottoms: list[str], top: str, *fields: str) -> str:
        word = "layers" if self.old else "layer"
        of_type = kind.upper() if self.old else f'"{NEW[kind]}"'
        lines = [f"{word} {{", f'  name: "{name}"', f"  type: {of_type}"]
        lines += [f'  bottom: "{bottom}"' for bottom in bottoms]
        lines += [f'  top: "{top}"', *(f"  {field}" for field in fields), "}"]
        self.text += lines
        self.bottom = top
        return top

    def weights(self, rates: tuple[int, ...] = (1, 2)) -> list[str]:
        if not self.fillers:
            return []
        if self.old:
            return [f"blobs_lr: {rate}" for rate in rates] + ["weight_decay: 1", "weight_decay: 0"]
        return [
            f"param {{\n    lr_mult: {rate}\n    decay_mult: {2 - rate}\n  }}" for rate in rates
        ]

    def conv(
        self, name: str, width: int, kernel: int, stride: int = 1, pad: int = 0, group: int = 1,
        bias: bool = True, bottom: str = "",
    ) -> str:  # fmt: skip
        fields = [f"num_output: {width}"]
        fields += [f"pad: {pad}"] * (pad > 0) + [f"kernel_size: {kernel}"]
        fields += [f"stride: {stride}"] * (stride > 1) + [f"group: {group}"] * (group > 1)
        fields += ["bias_term: false"] * (not bias)
        if self.fillers:
            fields += ['weight_filler {\n      type: "xavier"\n      std: 0.03\n    }']
            fields += ['bias_filler {\n      type: "constant"\n      value: 0.2\n    }'] * bias
        block = "convolution_param {\n    " + "\n    ".join(fields) + "\n  }"
        return self.layer(
            "convolution", name, [bottom or self.bottom], name, *self.weights(), block
        )

    def relu(self, name: str) -> str:
        return self.layer("relu", name, [self.bottom], self.bottom)

    def pool(
        self, name: str, kind: str, kernel: int, stride: int, pad: int = 0, bottom: str = "",
        floor: bool = False,
    ) -> str:  # fmt: skip
        fields = [f"pool: {kind}", f"kernel_size: {kernel}", f"stride: {stride}"]
        fields += [f"pad: {pad}"] * (pad > 0) + ["round_mode: FLOOR"] * floor
        block = "pooling_param {\n    " + "\n    ".join(fields) + "\n  }"
        return self.layer("pooling", name, [bottom or self.bottom], name, block)

    def lrn(self, name: str) -> str:
        block = "lrn_param {\n    local_size: 5\n    alpha: 0.0001\n    beta: 0.75\n  }"
        return self.layer("lrn", name, [self.bottom], name, block)

    def dense(self, name: str, width: int) -> str:
        block = f"inner_product_param {{\n    num_output: {width}\n  }}"
        return self.layer("inner_product", name, [self.bottom], name, *self.weights(), block)

    def dropout(self, name: str, ratio: float) -> str:
        block = f"dropout_param {{\n    dropout_ratio: {ratio}\n  }}"
        return self.layer("dropout", name, [self.bottom], self.bottom, block)

    def softmax(self) -> str:
        return self.layer("softmax", "prob", [self.bottom], "prob")

    def norm(
        self, of: str, norm: str = "bn{}", scale: str = "scale{}",
        field: str = "use_global_stats: true",
    ) -> str:  # fmt: skip
        block = f"batch_norm_param {{\n    {field}\n  }}"
        self.layer("batch_norm", norm.format(of), [self.bottom], self.bottom, block)
        block = "scale_param {\n    bias_term: true\n  }"
        return self.layer("scale", scale.format(of), [self.bottom], self.bottom, block)

    def data(self, crop: int, phase: str, batch: int) -> None:
        self.text += [
            "layer {", '  name: "data"', '  type: "Data"', '  top: "data"', '  top: "label"',
            f"  include {{\n    phase: {phase}\n  }}",
            f"  transform_param {{\n    mirror: {str(phase == 'TRAIN').lower()}"
            f"\n    crop_size: {crop}\n    mean_value: 104  # blue first\n  }}",
            f'  data_param {{\n    source: "ilsvrc12_lmdb"\n    batch_size: {batch}'
            "\n    backend: LMDB\n  }",
            "}",
        ]  # fmt: skip

    def loss(self, name: str, weight: float) -> None:
        logits = self.bottom
        self.layer(
            "softmax_loss", f"{name}/loss", [logits, "label"], f"{name}/loss",
            f"loss_weight: {weight}",
        )  # fmt: skip
        for best in (1, 5):
            self.layer(
                "accuracy", f"{name}/top-{best}", [logits, "label"], f"{name}/top-{best}",
                "include {\n    phase: TEST\n  }",
                f"accuracy_param {{\n    top_k: {best}\n  }}",
            )  # fmt: skip

    def written(self, *head: str) -> str:
        return "\n".join([*head, *self.text, ""])


NEW = {
    "accuracy": "Accuracy", "batch_norm": "BatchNorm", "concat": "Concat",
    "convolution": "Convolution", "dropout": "Dropout", "eltwise": "Eltwise",
    "inner_product": "InnerProduct", "lrn": "LRN", "pooling": "Pooling", "relu": "ReLU",
    "scale": "Scale", "softmax": "Softmax", "softmax_loss": "SoftmaxWithLoss",
}  # fmt: skip


def alexnet(old: bool) -> str:
    net = Writer(old, fillers=True)
    for part in ALEXNET:
        match part:
            case str() if part.startswith("pool"):
                net.pool(part, "MAX", 3, 2)
            case str():
                net.lrn(part)
            case (name, width, kernel, stride, pad, group):
                net.conv(name, width, kernel, stride, pad, group)
                net.relu(f"relu{name[-1]}")
    for number, width in ((6, 4096), (7, 4096), (8, 1000)):
        net.dense(f"fc{number}", width)
        if number < 8:
            net.relu(f"relu{number}")
            net.dropout(f"drop{number}", 0.5)
    net.softmax()
    return net.written('name: "AlexNet"', INPUT.format(227).rstrip())


def vgg16(old: bool) -> str:
    net = Writer(old)
    for stage, (width, count) in enumerate(VGG16, 1):
        for number in range(1, count + 1):
            net.conv(f"conv{stage}_{number}", width, 3, pad=1)
            net.relu(f"relu{stage}_{number}")
        net.pool(f"pool{stage}", "MAX", 2, 2)
    for number, width in ((6, 4096), (7, 4096), (8, 1000)):
        net.dense(f"fc{number}", width)
        if number < 8:
            net.relu(f"relu{number}")
            net.dropout(f"drop{number}", 0.5)
    net.softmax()
    return net.written('name: "VGG16"', INPUT.format(224).rstrip())


def unit(
    net: Writer, path: str, part: str, width: int, kernel: int, stride: int = 1, bottom: str = ""
) -> str:
    """Convolution and activation, with a norm between them in the files that have norms."""
    pad = kernel // 2
    top = net.conv(f"{path}/{part}", width, kernel, stride, pad, bias=not net.normed, bottom=bottom)
    if net.normed:
        net.norm(f"{path}/{part}", "{}/bn", "{}/scale", "eps: 0.001")
    net.relu(f"{path}/relu_{part}")
    return top


def inception(net: Writer, name: str, widths: tuple[int, ...]) -> None:
    one, reduce3, three, reduce5, five, projection = widths
    path, start = f"inception_{name}", net.bottom
    large = 3 if net.normed else 5  # as torchvision has it
    arms = [unit(net, path, "1x1", one, 1)]
    unit(net, path, "3x3_reduce", reduce3, 1, bottom=start)
    arms.append(unit(net, path, "3x3", three, 3))
    unit(net, path, "5x5_reduce", reduce5, 1, bottom=start)
    arms.append(unit(net, path, "5x5", five, large))
    net.pool(f"{path}/pool", "MAX", 3, 1, 1, bottom=start)
    arms.append(unit(net, path, "pool_proj", projection, 1))
    net.layer("concat", f"{path}/output", arms, f"{path}/output")


def auxiliary(net: Writer, name: str) -> None:
    """A head on the side; the main way goes on where it was."""
    start = net.bottom
    net.pool(f"{name}/ave_pool", "AVE", 5, 3)
    net.conv(f"{name}/conv", 128, 1)
    net.relu(f"{name}/relu_conv")
    net.dense(f"{name}/fc", 1024)
    net.relu(f"{name}/relu_fc")
    net.dropout(f"{name}/drop_fc", 0.7)
    net.dense(f"{name}/classifier", 1000)
    net.loss(name, 0.3)
    net.bottom = start


def googlenet(net: Writer, heads: bool = False) -> str:
    """`heads`: as it was trained, with data layers and three losses; else the network alone."""
    if heads:
        net.data(224, "TRAIN", 32)
        net.data(224, "TEST", 50)
    unit(net, "conv1", "7x7_s2", 64, 7, 2)
    net.pool("pool1/3x3_s2", "MAX", 3, 2)
    if not net.normed:
        net.lrn("pool1/norm1")
    unit(net, "conv2", "3x3_reduce", 64, 1)
    unit(net, "conv2", "3x3", 192, 3)
    if not net.normed:
        net.lrn("conv2/norm2")
    net.pool("pool2/3x3_s2", "MAX", 3, 2)
    for name, widths in INCEPTIONS.items():
        inception(net, name, widths)
        if name in ("3b", "4e"):
            net.pool(f"pool{int(name[0])}/3x3_s2", "MAX", 3, 2)
        if name in ("4a", "4d") and heads:
            auxiliary(net, "loss1" if name == "4a" else "loss2")
    net.pool("pool5/7x7_s1", "AVE", 7, 1)
    net.dropout("pool5/drop_7x7_s1", 0.4)
    net.dense("loss3/classifier", 1000)
    if heads:
        net.loss("loss3", 1)
        return net.written('name: "GoogLeNet"')
    net.softmax()
    return net.written('name: "GoogLeNet"', INPUT.format(224).rstrip())


def resnet50(stride_first: bool) -> str:
    """`stride_first`: strides in the 1x1 convolutions, as in the paper's own file."""
    net = Writer()
    net.conv("conv1", 64, 7, 2, 3, bias=False)
    net.norm("_conv1")
    net.relu("conv1_relu")
    if stride_first:
        net.pool("pool1", "MAX", 3, 2)
    else:
        net.pool("pool1", "MAX", 3, 2, pad=1, floor=True)
    for stage, (width, count) in enumerate(RESNET50, 2):
        for block in range(count):
            name = f"{stage}{chr(ord('a') + block)}"
            start, stride = net.bottom, 2 if block == 0 and stage > 2 else 1
            if block == 0:
                net.conv(f"res{name}_branch1", 4 * width, 1, stride, bias=False)
                skip = net.norm(f"{name}_branch1")
            else:
                skip = start
            strides = (stride, 1, 1) if stride_first else (1, stride, 1)
            net.bottom = start
            for part, kernel, out, step in zip("abc", (1, 3, 1), (1, 1, 4), strides, strict=True):
                net.conv(f"res{name}_branch2{part}", out * width, kernel, step, kernel // 2,
                         bias=False)  # fmt: skip
                net.norm(f"{name}_branch2{part}")
                if part != "c":
                    net.relu(f"res{name}_branch2{part}_relu")
            net.layer("eltwise", f"res{name}", [skip, net.bottom], f"res{name}")
            net.relu(f"res{name}_relu")
    net.pool("pool5", "AVE", 7, 1)
    net.dense("fc1000", 1000)
    net.softmax()
    shape = "  input_param { shape: { dim: 1 dim: 3 dim: 224 dim: 224 } }"
    head = ["layer {", '  name: "data"', '  type: "Input"', '  top: "data"', shape, "}"]
    return net.written('name: "ResNet-50"', *head)


def files() -> Iterator[tuple[str, str]]:
    yield "alexnet.prototxt", alexnet(old=False)
    yield "alexnet_old.prototxt", alexnet(old=True)
    yield "vgg16_old.prototxt", vgg16(old=True)
    yield "googlenet_train_val.prototxt", googlenet(Writer(fillers=True), heads=True)
    yield "googlenet_old.prototxt", googlenet(Writer(old=True))
    yield "googlenet_normed.prototxt", googlenet(Writer(normed=True))
    yield "resnet50.prototxt", resnet50(stride_first=False)
    yield "resnet50_first.prototxt", resnet50(stride_first=True)


if __name__ == "__main__":
    for file, text in files():
        (Path(sys.argv[1]) / file).write_text(text, encoding="utf-8")
