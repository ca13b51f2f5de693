"""Which libraries a process imports: PyTorch and OpenVINO must not share one, and neither need be installed for the other."""

from __future__ import annotations

import subprocess
import sys

import pytest

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
