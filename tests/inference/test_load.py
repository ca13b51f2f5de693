"""Which libraries a process imports: PyTorch and OpenVINO must not share one, and neither need be installed for the other."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from remi_stream.inference.load import load_runtime
from tests.inference.small_networks import heatmapper

LIBRARIES = ("torch", "openvino", "onnxruntime", "onnx", "tensorrt_rtx")
MODULES = (
    *("inference.load", "inference.tensorrt", "convert.onnx_conversion", "convert.conversion"),
    *("models.importer", "models.checkpoint"),
)


@pytest.mark.parametrize("module", MODULES)
def test_module_imports_no_library_before_it_is_needed(module: str) -> None:
    code = f"import sys, remi_stream.{module}; print(*(name for name in {LIBRARIES} if name in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


@pytest.mark.parametrize("kind", ["openvino", "onnx"])
def test_network_makes_its_first_inference_in_the_thread_that_loads_it(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two first inferences of OpenVINO in two threads deadlock now and then, with the GIL held."""
    if kind == "openvino":
        from openvino import InferRequest as Session

        name = "infer"
    else:
        from onnxruntime import InferenceSession as Session

        name = "run"
    seen: list[threading.Thread] = []
    infer = getattr(Session, name)

    def record(*arguments: Any, **options: Any) -> Any:
        seen.append(threading.current_thread())
        return infer(*arguments, **options)

    monkeypatch.setattr(Session, name, record)
    (tmp_path / "net.onnx").write_bytes(heatmapper(3))
    load_runtime(kind, tmp_path / "net.onnx")
    assert seen == [threading.main_thread()]


def test_networks_are_loaded_one_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from remi_stream.inference import onnxruntime

    inside, most = threading.Semaphore(2), []
    warm_up = onnxruntime.OnnxRuntime._warm_up

    def slowly(self: Any) -> None:
        with inside:
            most.append(inside._value)
            threading.Event().wait(0.05)
            warm_up(self)

    monkeypatch.setattr(onnxruntime.OnnxRuntime, "_warm_up", slowly)
    (tmp_path / "net.onnx").write_bytes(heatmapper(3))
    threads = [threading.Thread(target=load_runtime, args=("onnx", tmp_path / "net.onnx")) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1, 1, 1]
