"""The spaces of benchmarks/regret.py: the digits by two recipes, CIFAR-10 small, imported networks.

Where a space says nothing of fine-tuning, it goes by the defaults.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
MODULE = """
module basic(width, stride = 1) {
  add {
    { conv(3x3, width, stride = stride); norm; relu; conv(3x3, width); norm }
    { shortcut(width, stride = stride) }
  }
  relu
}
"""
BODY = """
  basic(16) as a[1..3]; basic(32, stride = 2) as b1; basic(32) as b[2..3]
  basic(64, stride = 2) as c1; basic(64) as c[2..3]
  global_pool; dense(10)
}
"""
DIGITS = MODULE + "network net { input(8x8x1); conv(3x3, 16); norm; relu" + BODY
CIFAR = MODULE + "network net { input(32x32x3); conv(3x3, 16, stride = 2); norm; relu" + BODY
README = "finetune { steps 60; optimizer sgd(0.02, momentum = 0.9); schedule cosine; every 20 }"
SHORT = "finetune { steps 30; optimizer sgd(0.02, momentum = 0.9); schedule cosine; every 10 }"


@dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    """Where the data lies that does not come with wootzc, if it was given."""

    cifar: Path | None  # .npz with training, validation and test images
    stranger: Path | None  # a folder of benchmarks/stranger.py


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A space without what is searched: which candidates, and how."""

    name: str
    network: Callable[[Files], str]  # text of the network `net`
    data: Callable[[Files], str]  # statements that say data and teacher
    rates: str
    points: float  # accuracy ≥ teacher − points
    minimize: str = "params"
    recipe: str = ""

    def text(self, files: Files, seed: int, *search: str, rates: bool = True) -> str:
        """`search`: statements of the selection and the search. `rates`: as the case has them."""
        own = [f"rates {{ {self.rates} }}", "prune *"] if rates else []
        lines = [
            self.data(files),
            *own,
            f"minimize {self.minimize}",
            f"subject to accuracy >= teacher - {self.points} points",
            self.recipe,
            f"seed {seed}",
            *search,
        ]
        body = "\n  ".join(line for line in lines if line)
        return f"{self.network(files)}\nspace regret over net {{\n  {body}\n}}\n"


def _digits(name: str, points: float, minimize: str = "params", recipe: str = "") -> Case:
    teacher = "teacher { steps 600; every 100 }"
    images = f'data "{ROOT / "samples" / "digits.npz"}" {{ validation 20%; test 20% }}'
    data = f"{images}; {teacher}; multiple of 1"  # its layers are narrow
    return Case(
        name=name,
        network=lambda _: DIGITS,
        data=lambda _: data,
        rates="50%, 70%, 85%, 94%",
        points=points,
        minimize=minimize,
        recipe=recipe,
    )


def _cifar(name: str, points: float, minimize: str = "params", recipe: str = "") -> Case:
    teacher = "teacher { steps 2_500; weight_decay 5e-4; every 500 }"
    return Case(
        name=name,
        network=lambda _: CIFAR,
        data=lambda files: f'data "{files.cifar}"; augment {{ flip; crop(4) }}; {teacher}',
        rates="30%, 50%, 70%, 85%",
        points=points,
        minimize=minimize,
        recipe=recipe,
    )


def _onnx(name: str, points: float, minimize: str = "params") -> Case:
    folder = ROOT / "samples"
    data = f'data "{folder / "digits.npz"}" {{ validation 20%; test 20%; mean(0.019); std(0.024) }}'
    return Case(
        name=name,
        network=lambda _: f'network net from "{folder / "digits.onnx"}"',
        data=lambda _: data,
        rates="30%, 50%, 75%, 90%, 95%",
        points=points,
        minimize=minimize,
    )


def _stranger(name: str, points: float, minimize: str = "params") -> Case:
    return Case(
        name=name,
        network=lambda files: f'network net from "{files.stranger}/model.onnx"',
        data=lambda files: f'data folder("{files.stranger}/data") {{ normalize imagenet }}',
        rates="0, 30%, 50%, 70%, 90%",
        points=points,
        minimize=minimize,
    )


DIGIT_CASES = (
    _digits("digits", 1.0, recipe=README),
    _digits("digits, macs", 1.0, "macs", README),
    _digits("digits, short", 1.0, recipe=SHORT),
    _digits("digits, short, half a point", 0.5, recipe=SHORT),
    _digits("digits, defaults", 0.5),
    _onnx("digits.onnx", 0.5),
    _onnx("digits.onnx, macs", 1.0, "macs"),
)
CIFAR_CASES = (
    _cifar("cifar", 3.0),
    _cifar("cifar, 5 points", 5.0),
    _cifar("cifar, macs", 3.0, "macs"),
)
STRANGER_CASES = (
    _stranger("stranger", 2.0),
    _stranger("stranger, macs", 3.0, "macs"),
)


def cases(files: Files) -> tuple[Case, ...]:
    """Those whose data is there."""
    found = DIGIT_CASES
    if files.cifar:
        found += CIFAR_CASES
    if files.stranger:
        found += STRANGER_CASES
    return found
