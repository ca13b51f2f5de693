"""Which TensorRT module is found, and the reason if one does not start."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from remi_stream.inference.tensorrt import NoBackendError, find_backend, make_error_logger, read_cache, save_cache
from remi_stream.install_hint import install_command
from tests.inference.cpu_cuda import Severity, cpu_tensorrt

INSTALL = f"Install it: {install_command('torch', 'rtx')} (GeForce and RTX), or [torch,trt] from NVIDIA's index (any GPU)"


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of modules that is searched first; what is imported from it does not stay."""
    monkeypatch.syspath_prepend(str(tmp_path))
    names = ("tensorrt", "tensorrt_rtx")
    loaded = {name: sys.modules.pop(name) for name in names if name in sys.modules}
    yield tmp_path
    for name in names:
        sys.modules.pop(name, None)
    sys.modules.update(loaded)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (
            "raise ImportError('libnvinfer.so.10: cannot open shared object file')",
            "does not start: libnvinfer.so.10: cannot open",
        ),
        ("raise OSError('libcudart.so.13: no such file\\nsecond line')", r"does not start: libcudart.so.13: no such file\. "),
        ("", "tensorrt is a stub without TensorRT in it, from the wrong index"),
    ],
)
def test_module_that_does_not_start_is_reported_with_its_reason(site: Path, content: str, why: str) -> None:
    (site / "tensorrt.py").write_text(content)
    with pytest.raises(NoBackendError, match=why) as error:
        find_backend(("tensorrt",))
    assert str(error.value).endswith(INSTALL)
    assert "\n" not in str(error.value)


def test_next_module_is_taken_if_the_first_does_not_start(site: Path) -> None:
    (site / "tensorrt.py").write_text("raise ImportError('libnvinfer.so.10')")
    (site / "tensorrt_rtx.py").write_text("__version__ = '1.7.1'\nclass Builder: ...")
    assert find_backend()[::2] == ("tensorrt_rtx", "1.7.1")
    assert find_backend().title == "TensorRT-RTX 1.7.1"


def test_missing_modules_are_named() -> None:
    with pytest.raises(NoBackendError, match=r"^tensorrt_of_tomorrow is not installed\. Install it"):
        find_backend(("tensorrt_of_tomorrow",))


def test_first_error_is_the_reason() -> None:
    log = make_error_logger(cpu_tensorrt().module)
    assert log.reason() == "no reason was logged"
    for severity, message in ((Severity.WARNING, "slow"), (Severity.ERROR, "no\n memory"), (Severity.ERROR, "failed")):
        log.log(severity, message)
    assert log.reason() == "no memory"


def test_cache_that_cannot_be_saved_is_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "kernels").write_text("a file where the folder should be")
    save_cache(tmp_path / "kernels" / "x.cache", b"kernels")
    assert "x.cache cannot be saved (File exists); the next start takes longer" in caplog.text
    assert read_cache(tmp_path / "kernels" / "x.cache") == b""
    save_cache(tmp_path / "more" / "x.cache", b"kernels")
    assert read_cache(tmp_path / "more" / "x.cache") == b"kernels"
    assert [path.name for path in (tmp_path / "more").iterdir()] == ["x.cache"]
