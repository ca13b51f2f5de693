"""The choice of the GPU, with a fake NVML."""

from __future__ import annotations

from pathlib import Path

import pytest

from remi_stream.inference import gpu
from remi_stream.inference.gpu import Gpu, NoGpuError, NvidiaDriver, find_gpu, read_driver, visible_gpus
from tests.sinks import nvml

DISPLAY = nvml.Gpu("NVIDIA T400", capability=(7, 5), uuid="GPU-aa1", cores=384, mhz=1425)
ADA = nvml.Gpu("NVIDIA GeForce RTX 4090", capability=(8, 9), uuid="GPU-bb2", cores=16384, mhz=3105)


@pytest.fixture(autouse=True)
def no_choice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.delenv("CUDA_DEVICE_ORDER", raising=False)


def test_driver_and_gpus_are_described(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = nvml.install(monkeypatch, nvml.Gpu(), version="580.95.05", cuda=13000)
    assert read_driver() == NvidiaDriver(
        "580.95.05", "13.0", (Gpu("NVIDIA Test", "8.6", 12 * 2**30, 9 * 2**30, uuid="GPU-8f2c0d1e"),)
    )
    assert fake.users == 0


def test_unsupported_query_of_a_gpu_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    nvml.install(monkeypatch, nvml.Gpu("NVIDIA GB10", total=None, capability=None, cores=None, uuid=""), cuda=0)
    assert read_driver() == NvidiaDriver("570.1", "", (Gpu("NVIDIA GB10"),))


def test_first_gpu_is_the_fastest_as_in_cuda_unless_the_bus_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    nvml.install(monkeypatch, DISPLAY, ADA)
    assert find_gpu().name == ADA.name
    monkeypatch.setenv("CUDA_DEVICE_ORDER", "PCI_BUS_ID")
    assert find_gpu().name == DISPLAY.name


@pytest.mark.parametrize(
    ("chosen", "names"),
    [
        (None, "abc"),
        ("1", "b"),
        ("2,0", "ca"),
        (" 1 , 2 ", "bc"),
        ("GPU-3", "c"),
        ("GPU-3,GPU-1", "ca"),
        ("MIG-9c", "a"),
        ("", ""),
        ("-1", ""),
        ("1,7,0", "b"),
        ("none", ""),
    ],
)
def test_visible_gpus_are_those_of_cuda(chosen: str | None, names: str) -> None:
    gpus = [Gpu(name, uuid=f"GPU-{number}") for number, name in enumerate("abc", 1)]
    assert "".join(each.name for each in visible_gpus(gpus, chosen)) == names


def test_chosen_gpu_is_found_and_hidden_ones_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    nvml.install(monkeypatch, DISPLAY, ADA)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    assert find_gpu().name == DISPLAY.name
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    with pytest.raises(NoGpuError, match="CUDA_VISIBLE_DEVICES hides every GPU"):
        find_gpu()


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("Driver/library version mismatch", "reports: Failed to initialize NVML: Driver/library version mismatch"),
        ("", "reports: No devices were found"),
    ],
)
def test_driver_that_does_not_answer_is_quoted(fault: str, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    nvml.install(monkeypatch, fault=fault)
    with pytest.raises(NoGpuError, match=f"^the NVIDIA driver {message}$"):
        find_gpu()
    assert read_driver().fault == message.removeprefix("reports: ")


@pytest.mark.parametrize(("has_file", "hint"), [(False, ""), (True, "; a container needs --gpus all")])
def test_machine_without_a_driver(has_file: bool, hint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nvml.install(monkeypatch, fault=nvml.LIBRARY_NOT_FOUND)
    monkeypatch.setattr(gpu, "DRIVER_VERSION_FILE", tmp_path / ("" if has_file else "version"))
    assert read_driver() == NvidiaDriver()
    with pytest.raises(NoGpuError) as error:
        find_gpu()
    assert str(error.value) == f"there is no NVIDIA driver here (libnvidia-ml.so.1 is missing{hint})"
