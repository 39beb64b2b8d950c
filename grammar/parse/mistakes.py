"""Frequent syntax errors, by example, and what to say of them."""

from typing import NamedTuple


class Mistake(NamedTuple):
    """What to say where the parser stops as it stops in one of the examples."""

    message: str  # {found} is the text at which the parser stopped, {before} the word before it
    help: str  # likewise
    examples: tuple[str, ...]


def _space(*statements: str) -> tuple[str, ...]:
    return tuple(f"space s over n {{ {statement} }}" for statement in statements)


def _body(*statements: str) -> tuple[str, ...]:
    return tuple(f"module m {{ {statement} }}" for statement in statements)


MISTAKES = (
    Mistake(
        "each arm of a branch needs braces of its own",
        "as in `add { { conv(3x3, 16); norm } { } }`; an empty arm passes its input on",
        _body(
            "add { conv(3x3, 1) }", "add {\n norm }", "add(1) { norm }",
            *(f"add {{ {arm}{space}norm }}"
              for arm in ("{ }", "{\n}", *(f"{{{a}{x}{b}}}" for a in ("", "\n") for b in ("", "\n")
                                           for x in ("a", "a; a", "a; a; a")))
              for space in (" ", "\n")),
        ),
    ),
    Mistake(
        "a range of rates says in which steps it goes",
        "as in `rates 0..90% step 10%`",
        _space("rates 0..1", "rates 0..1\n", "rates 0..1 by 1", "rates 0..1, 1", "rates 0..1 1",
               "rates 0..1 a", "rates { 0..1 }", "rates { 0..1, 1 }", "rates { 0..1\n }",
               "rates { 0..1 by 1 }", "rates { 0..1 a }", "rates { 0..1; 1 }"),
    ),
    Mistake(
        "what is left out follows `except`, behind all that is named",
        "as in `prune * except a1, b*`",
        _space("prune a except", "prune a except\n", "prune a except { b }", "prune a except (b)"),
    ),
    Mistake(
        "a constant gets its value by `=`",
        "as in `let size = 32`",
        ("let size 32", "let size", "let size\n", "let size: 32", "let = 32", "let size {",
         "let 32"),
    ),
    Mistake(
        "values have no brackets",
        "one for each of several modules: `basic(32, stride = 2 then 1) as a[1..3]`; sizes: `3x3`",
        _body("m([1, 2])", "m(1, [2])", "m(a = [1])", "m(a = 1, [2])", "m(a = 1, b = [2])"),
    ),
    Mistake(
        "a stage builds on another of the same space, by its name",
        "as in `finetune from teacher { steps 200 }`",
        _space('finetune from "x"', 'finetune from { }', 'polish from "x" { }'),
    ),
    Mistake(
        "a space builds on another by its name",
        "as in `space NAME from OTHER { … }`",
        ('space a from "x.wz" { }', "space a from { }", 'space a over n from "x" { }',
         "space a over n from { }"),
    ),
    Mistake(
        "`sample` needs to know how many candidates to take",
        "as in `sample 500 seed 1`",
        _space("sample", "sample\n"),
    ),
    Mistake(
        "`propose` needs to know how many candidates to propose",
        "as in `propose 500`",
        _space("propose", "propose\n"),
    ),
    Mistake(
        "`budget` needs to know how much",
        "as in `budget 10 candidates` or `budget 30 minutes`",
        _space("budget", "budget\n", "budget -1"),
    ),
    Mistake(
        "`until` says below which saving the search ends",
        "as in `until saving < 1%`",
        _space("until 1%", "until saving 1%", "until saving = 1%", "until 3", "until\n", "until"),
    ),
    Mistake(
        "how sure a limit is to hold follows it as `with confidence`",
        "as in `subject to accuracy >= teacher - 1 points with confidence 90%`",
        _space("subject to accuracy >= 1 with 90%", "subject to accuracy >= teacher with 90%",
               "subject to accuracy >= teacher - 1 points with 90%",
               "subject to accuracy >= 1 with confidence",
               "subject to accuracy >= teacher with confidence",
               "subject to accuracy >= teacher - 1 points with confidence\n"),
    ),
    Mistake(
        "a teacher is a recipe or comes from a file",
        'as in `teacher { steps 600 }` or `teacher from "weights.safetensors"`',
        _space('teacher "x"', "teacher 5", "teacher(x)"),
    ),
    Mistake(
        "a limit begins with `subject to`",
        "as in `subject to accuracy >= teacher - 1.0 points`",
        _space("subject accuracy >= 1", "subject params", "subject 1"),
    ),
    Mistake(
        "a space says which network it is about",
        "as in `space NAME over NETWORK { … }`",
        ("space s { seed 1 }", "space s of n { seed 1 }", "space s = n", "space s(n) { }"),
    ),
    Mistake(
        "a network from a file names its layers in quotes",
        "as in `module m1 { \"layer1.0.*\" }`, with the names that the file gives its layers",
        tuple(f'network n from "x" {{ module m {{ {inside} }} }}'
              for inside in ("a", "a*", "a(1)", "*", "conv(3x3, 16)")),
    ),
    Mistake(
        "a network from a file has no layers of its own",
        "in these braces stand `input(224x224x3)`, `modules by names`, `norms folded` and "
        "`module m1 { \"…\" }`",
        ('network n from "x" { add { } }', 'network n from "x" { add { { } { } } }',
         'network n from "x" { auxiliary { norm } }',
         'network n from "x" { auxiliary(1) { norm } }'),
    ),
    Mistake(
        "a path stands in quotes",
        'as in `data "digits.npz"`, `teacher from "weights.safetensors"`, `include "parts.wz"`',
        (*_space("data digits", "data digits\n", "data digits; all", "data digits.npz",
                 "data ./x", "data /x", "teacher from x", "teacher from ./x", "teacher from /x",
                 "configs from x", "configs from /x",
                 "data folder(x)", "data folder(/x)"),
         "include x", "include ./x", "include /x"),
    ),
    Mistake(
        "a network is read from a file, whose path stands in quotes",
        'as in `network n from "model.onnx"`; what two networks share is a module, written above '
        "both: `module part(width) { … }`",
        ("network n from x", "network n from ./x", "network n from /x"),
    ),
    Mistake(
        "the numbers of several modules are a range",
        "as in `basic(16) as a[1..3]` for a1, a2 and a3",
        _body("m as a[3]", "m as a[1, 2]", "m as a[1-3]", "m as a[1:3]", "m as a[]", "m as a1..a3",
              "m as a*"),
    ),
    Mistake(
        "modules in order stand in parentheses",
        "as in `where nondecreasing(a1..b3)`",
        _space("where nondecreasing a1", "where nondecreasing a*", "where nondecreasing {"),
    ),
    Mistake(
        "candidates stand in braces",
        "as in `configs { [0, 30%] [50%, 50%] }`, or `configs from \"candidates.csv\"`",
        _space("configs [0]", "configs 0", 'configs "x.csv"'),
    ),
    Mistake(
        "a parameter list holds names only",
        "as in `module basic(width, stride = 1) { … }`",
        ("module m(16) { }", "module m(3x3) { }", "module m(a, 16) { }", 'module m("a") { }'),
    ),
)  # fmt: skip

CHARACTERS = {
    "“": 'use straight quotes: "…"',
    "”": 'use straight quotes: "…"',
    "'": 'use double quotes: "…"',
    "\u2018": 'use double quotes: "…"',
    "\u2019": 'use double quotes: "…"',
    "×": "an x stands between sizes: 3x3",
    "#": "a comment begins with //",
    "%": "a percent sign follows its number without a space: 30%",
    "–": "use a plain minus sign: -",
    "−": "use a plain minus sign: -",
    "…": "`…` stands for something that you write yourself",
    "\\": 'paths stand in double quotes: "a/b"',
}

# What is said for statements elsewhere, or seems to be.
SYNONYMS = {
    "pruning": "prune", "trim": "prune", "compress": "prune", "freeze": "keep",
    "exclude": "keep", "ignore": "keep", "ignored_layers": "keep",
    "except": "keep", "fix": "keep", "goal": "minimize", "objective": "minimize",
    "reduce": "minimize", "optimize": "minimize", "constraint": "subject to", "limit": "where",
    "require": "where", "constrain": "where", "train": "teacher", "training": "teacher",
    "fine_tune": "finetune", "tune": "finetune", "retrain": "finetune", "sparsity": "rates",
    "pruning_ratio": "rates", "pruning_ratios": "rates", "sparse_ratio": "rates",
    "target_sparsity": "rates", "ch_sparsity": "rates", "pruning_rate": "rates",
    "ratio": "rates", "ratios": "rates", "levels": "rates", "dataset": "data", "images": "data",
    "augmentation": "augment", "augmentations": "augment", "transforms": "augment",
    "search": "explore", "strategy": "explore", "candidates": "sample", "trials": "sample",
    "time": "budget", "timeout": "budget", "deadline": "budget", "stop": "until", "group": "tie",
    "together": "tie", "dtype": "precision", "random_seed": "seed", "import": "include",
    "model": "network", "net": "network", "layer": "module", "block": "module", "def": "module",
    "class": "module", "search_space": "space", "random": "sample", "unprune": "keep",
    "smallest": "minimize",
    "least": "minimize", "lowest": "minimize", "min": "minimize", "shrink": "minimize",
    "largest": "maximize", "greatest": "maximize", "best": "maximize", "max": "maximize",
}  # fmt: skip

# Statements and settings of other tools that have no counterpart: why.
NONE_HERE = {
    **dict.fromkeys(("device", "devices", "gpu", "cuda", "accelerator", "backend", "platform"),
                    "where it runs is no part of the file: `wootzc build --parallel`, `--on`"),
    **dict.fromkeys(("num_workers", "workers", "shuffle", "pin_memory", "drop_last", "prefetch"),
                    "images are shuffled, and read ahead where they are on disk, by themselves"),
    **dict.fromkeys(("global_pruning", "global", "local"),
                    "all modules are searched together, each at rates of its own"),
    **dict.fromkeys(("iterative_steps", "iterations", "pruning_steps", "rounds"),
                    "a candidate is pruned at once, and fine-tuned as `finetune` says"),
    **dict.fromkeys(("loss", "loss_fn", "loss_function"),
                    "the loss is cross-entropy; `label_smoothing` and `distill` change it"),
    **dict.fromkeys(("output", "out", "save", "save_dir", "checkpoint", "name", "log", "verbose"),
                    "results go to build/NAME: `wootzc build --out` names another folder"),
    **dict.fromkeys(("remove", "delete", "unset", "drop", "super", "parent", "base", "inherit"),
                    "a space that builds on another says anew what is to be another; nothing is "
                    "taken away"),
}  # fmt: skip
