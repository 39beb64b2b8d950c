"""`export --to tflite`, where LiteRT's converter is installed; and what is said where it is not."""

from pathlib import Path

import numpy as np
import pytest

from wootzc.builder.result.export import export_result
from wootzc.diagnostics import WootzError


def test_without_the_converter_the_extra_is_named(
    quick_result: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wootzc.backends.torch.tflite.find_spec", lambda _: None)
    with pytest.raises(WootzError, match="WZ312") as raised:
        export_result(quick_result, "tflite", tmp_path / "net.tflite")
    assert "wootzc[tflite]" in str(raised.value) and not (tmp_path / "net.tflite").exists()


@pytest.mark.filterwarnings("ignore")  # of the converter
def test_the_file_gives_the_logits_of_the_build(quick_result: Path, tmp_path: Path) -> None:
    pytest.importorskip("litert_torch")
    from ai_edge_litert.interpreter import Interpreter

    file = tmp_path / "net.tflite"
    done = export_result(quick_result, "tflite", file, with_normalization=True)
    assert "[1, 8, 8, 1]" in done.takes
    with np.load(quick_result / "best" / "example.npz") as example:
        images, logits = example["images"], example["logits"]
    net = Interpreter(str(file))
    net.allocate_tensors()
    for image, want in zip(images[:4], logits[:4], strict=True):
        net.set_tensor(net.get_input_details()[0]["index"], image[None])
        net.invoke()
        (got,) = net.get_tensor(net.get_output_details()[0]["index"])
        assert np.allclose(got, want, rtol=1e-3, atol=1e-3)
