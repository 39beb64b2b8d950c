"""Networks that give no numbers: refused before anything is searched with them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from wootzc.backends.weights.stored import initial_weights
from wootzc.builder import Options, build
from wootzc.builder.jobs.events import Event, Trained
from wootzc.diagnostics import WootzError
from wootzc.driver import analyze_file

Change = Callable[[str, Any], Any]


def huge(name: str, value: Any) -> Any:
    return np.full_like(value, 3e38) if name.endswith("kernel") else value


def negative(name: str, value: Any) -> Any:
    return np.full_like(value, -1) if name.endswith("var") else value


def none(name: str, value: Any) -> Any:
    return np.full_like(value, np.nan) if name.endswith("bias") else value


@pytest.mark.parametrize(
    "change, code",
    [(huge, "WZ260"), (negative, "WZ260"), (none, "WZ259")],
    ids=lambda x: getattr(x, "__name__", x),
)
@pytest.mark.parametrize("trained_on", ["", "{ steps 10; batch 32; every 5 }"])
def test_the_teacher(
    change: Change, code: str, trained_on: str, make_space: Any, tmp_path: Path
) -> None:
    source = Path(make_space())
    (network,) = analyze_file(source).networks
    weights = initial_weights(network, 0)
    save_file({n: change(n, v) for n, v in weights.items()}, source.with_name("w.safetensors"))
    text = source.read_text()
    start, end = text.index("teacher {"), text.index("\n", text.index("teacher {"))
    read = f'teacher from "w.safetensors" {trained_on}'
    source.write_text(text[:start] + read + text[end:])
    events: list[Event] = []
    with pytest.raises(WootzError) as caught:
        build(
            source,
            Options(out=tmp_path / "out", store=tmp_path / "store"),
            [events.append],
        )
    assert [d.code for d in caught.value.diagnostics] == [code]
    assert not any(isinstance(event, Trained) for event in events)
    assert not list((tmp_path / "store").glob("artifacts/*/*"))
