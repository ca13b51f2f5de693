"""The NVIDIA probes of `doctor`, with a fake file system, fake NVML and fake packages."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from remi_stream.cli.doctor import nvidia
from remi_stream.cli.doctor.machine import Machine
from remi_stream.cli.doctor.nvidia import TensorRTInstall, TorchInstall, probe_driver, probe_nvidia, probe_tensorrt, probe_torch
from remi_stream.errors import RemiError
from remi_stream.inference.gpu import Gpu, NvidiaDriver
from remi_stream.inference.plan import MANIFEST_FILE, PLAN_FILE, PlanKey, PlanManifest, plan_folder
from tests.cli.command import finish, start
from tests.sinks import nvml

RUN_PYTHON = Machine().run_python
CARD = nvml.Gpu("NVIDIA GeForce RTX 3060", total=12288 * 2**20, used=1024 * 2**20)
TOY = """
what = "A toy."
adapter = "poco"
licence = "none"
skeleton = "smpl24"
runtime = "tensorrt"
[runtimes.tensorrt]
"""

Install = Callable[..., None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Puts fake packages before the installed ones, for this process and those that it starts."""
    site = tmp_path / "site-packages"
    site.mkdir()
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.setenv("PYTHONPATH", str(site), prepend=":")

    def put(name: str, version: str, files: dict[str, str]) -> None:
        info = site / f"{name}-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name.replace('_', '-')}\nVersion: {version}\n")
        (info / "RECORD").write_text("".join(f"{file},,\n" for file in files))
        for file, text in files.items():
            (site / file).parent.mkdir(exist_ok=True)
            (site / file).write_text(text)

    return put


@pytest.fixture
def driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Puts a fake NVML before the real one, for processes that this one starts."""
    folder = tmp_path / "nvml"
    folder.mkdir()
    monkeypatch.setenv("PYTHONPATH", str(folder), prepend=":")
    return functools.partial(nvml.write_module, folder)


def test_driver_is_queried_in_a_process_of_its_own(driver: Install) -> None:
    driver(CARD, version="580.95.05", cuda=13000)
    gpu = Gpu(CARD.name, "8.6", 12288 * 2**20, 11264 * 2**20, CARD.uuid)
    assert probe_driver(RUN_PYTHON) == NvidiaDriver("580.95.05", "13.0", (gpu,))


def test_driver_that_does_not_answer_is_quoted(driver: Install) -> None:
    driver(fault="Driver/library version mismatch")
    assert probe_driver(RUN_PYTHON) == NvidiaDriver(fault="Failed to initialize NVML: Driver/library version mismatch")


def test_driver_that_hangs_is_reported_after_a_timeout() -> None:
    def hang(_: str) -> str:
        raise RemiError("no answer within 60 s")

    assert probe_driver(hang) == NvidiaDriver(fault="no answer within 60 s")


def test_machine_without_a_driver_has_no_gpu_and_no_fault(driver: Install) -> None:
    driver(fault=nvml.LIBRARY_NOT_FOUND)
    assert probe_driver(RUN_PYTHON) == NvidiaDriver()


def test_gpu_is_found_on_the_pci_bus(tmp_path: Path) -> None:
    def plug(slot: str, vendor: str, kind: str) -> None:
        device = tmp_path / "sys/bus/pci/devices" / slot
        device.mkdir(parents=True)
        (device / "vendor").write_text(f"{vendor}\n")
        (device / "class").write_text(f"{kind}\n")

    assert not nvidia.has_gpu_on_bus(tmp_path)
    plug("0000:00:02.0", "0x8086", "0x030000")
    plug("0000:01:00.1", "0x10de", "0x040300")  # audio device of a GPU
    assert not nvidia.has_gpu_on_bus(tmp_path)
    plug("0000:01:00.0", "0x10de", "0x030200")
    assert nvidia.has_gpu_on_bus(tmp_path)


@pytest.mark.parametrize(
    ("file", "text", "yes"),
    [
        (".dockerenv", "", True),
        ("run/.containerenv", "", True),
        ("proc/1/cgroup", "12:cpu:/docker/0123abc\n", True),
        ("proc/1/cgroup", "0::/kubepods.slice/cri-containerd-01.scope\n", True),
        ("proc/1/cgroup", "0::/init.scope\n", False),
        ("home/nothing", "", False),
    ],
)
def test_container_is_recognised_by_its_files(tmp_path: Path, file: str, text: str, yes: bool) -> None:
    (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / file).write_text(text)
    assert nvidia.is_container(tmp_path) is yes


@pytest.mark.parametrize(("variable", "yes"), [("all", True), ("0", True), ("void", False), ("none", False), ("", False)])
def test_container_whose_image_requests_gpus_expects_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str, yes: bool
) -> None:
    monkeypatch.setenv("NVIDIA_VISIBLE_DEVICES", variable)
    assert nvidia.expects_gpu(tmp_path) is yes


def test_container_on_a_machine_with_the_driver_expects_a_gpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NVIDIA_VISIBLE_DEVICES", raising=False)
    (tmp_path / "proc/driver/nvidia").mkdir(parents=True)
    (tmp_path / "proc/driver/nvidia/version").touch()
    assert nvidia.expects_gpu(tmp_path)


CUDA_TORCH = "from typing import Optional\n\n__version__ = '2.13.0'\ncuda: Optional[str] = '13.0'\nhip: Optional[str] = None\n"
CPU_TORCH = CUDA_TORCH.replace("'13.0'", "None")
INIT = "class cuda:\n    def init():\n        "


def test_cpu_torch_is_read_and_not_imported(install: Install) -> None:
    install("torch", "2.13.0+cpu", {"torch/__init__.py": "", "torch/version.py": CPU_TORCH})
    assert probe_torch(never, has_gpu=True) == TorchInstall("2.13.0+cpu")


def test_cuda_torch_is_not_imported_without_a_gpu(install: Install) -> None:
    install("torch", "2.13.0", {"torch/__init__.py": "", "torch/version.py": CUDA_TORCH})
    assert probe_torch(never, has_gpu=False) == TorchInstall("2.13.0", "13.0")


@pytest.mark.parametrize(
    ("module", "fault"),
    [
        (f"{INIT}pass", ""),
        (f"{INIT}raise RuntimeError('Your driver is too old.\\nMore.')", "Your driver is too old."),
        ("raise ImportError('libcudart.so.13: cannot open')", "ImportError: libcudart.so.13: cannot open"),
        ("import os; os.abort()", "exit code -6"),
    ],
)
def test_torch_for_cuda_reports_why_it_cannot_use_the_gpu(install: Install, module: str, fault: str) -> None:
    install("torch", "2.13.0", {"torch/__init__.py": module, "torch/version.py": CUDA_TORCH})
    assert probe_torch(RUN_PYTHON, has_gpu=True) == TorchInstall("2.13.0", "13.0", fault)


def never(code: str) -> str:
    raise AssertionError(code)


GOOD = "Builder = object\n__version__ = '11.0.0.114'\n"
NO_LIBRARY = "raise ImportError('libnvinfer.so.11: cannot open shared object file: No such file or directory')\n"
FAULT = "ImportError: libnvinfer.so.11: cannot open shared object file: No such file or directory"


def test_tensorrt_that_loads_shows_its_version_and_its_cuda(install: Install) -> None:
    install("tensorrt", "11.0.0.114", {"tensorrt/__init__.py": GOOD})
    install("tensorrt_cu13_libs", "11.0.0.114", {"tensorrt_libs/libnvinfer.so.11": ""})
    install("tensorrt_rtx_cu12", "1.2.0", {})
    assert probe_tensorrt(RUN_PYTHON, "tensorrt") == TensorRTInstall("tensorrt", "11.0.0.114", cuda="13")


def test_tensorrt_with_a_library_that_does_not_load_is_no_stub(install: Install) -> None:
    install("tensorrt_cu13", "11.0.0.114", {"tensorrt/__init__.py": NO_LIBRARY})
    install("tensorrt_cu13_libs", "11.0.0.114", {"tensorrt_libs/libnvinfer.so.11": ""})
    assert probe_tensorrt(RUN_PYTHON, "tensorrt") == TensorRTInstall("tensorrt", "11.0.0.114", FAULT, cuda="13")


def test_tensorrt_of_nvidias_archive_without_its_library_is_no_stub(install: Install) -> None:
    install("tensorrt", "11.0.0.114", {"tensorrt/__init__.py": NO_LIBRARY})
    assert probe_tensorrt(RUN_PYTHON, "tensorrt") == TensorRTInstall("tensorrt", "11.0.0.114", FAULT)


def test_tensorrt_from_the_wrong_index_lacks_its_libraries(install: Install) -> None:
    install("tensorrt", "10.15.1", {})
    install("tensorrt_cu12", "10.15.1", {"tensorrt/__init__.py": NO_LIBRARY})
    install("tensorrt_cu12_bindings", "10.15.1", {"tensorrt_bindings/__init__.py": ""})
    install("tensorrt_cu12_libs", "10.15.1", {"tensorrt_libs/__init__.py": ""})
    assert probe_tensorrt(RUN_PYTHON, "tensorrt") == TensorRTInstall("tensorrt", "10.15.1", FAULT, is_stub=True, cuda="12")


def test_tensorrt_without_anything_in_it_is_a_stub(install: Install) -> None:
    install("tensorrt", "0.0.1.dev5", {"tensorrt/__init__.py": ""})
    found = probe_tensorrt(RUN_PYTHON, "tensorrt")
    assert found
    assert (found.version, found.is_stub) == ("0.0.1.dev5", True)


def test_tensorrt_with_only_the_stub_of_its_libraries_is_reported(install: Install) -> None:
    install("tensorrt_cu13_libs", "11.0.0.114", {"tensorrt_libs/__init__.py": ""})
    found = probe_tensorrt(RUN_PYTHON, "tensorrt")
    assert found == TensorRTInstall(
        "tensorrt", "11.0.0.114", "ModuleNotFoundError: No module named 'tensorrt'", is_stub=True, cuda="13"
    )


def test_plans_are_read_from_their_manifests_and_other_folders_are_ignored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REMI_HOME", str(tmp_path))
    key = PlanKey("poco_cliff", "fp16", "0" * 64, 8, "tensorrt", "10.15.1", ("8.6",))
    for number, text in enumerate((b"{", b"{}", msgspec.json.encode(PlanManifest(key, "", [], [], 3, 1.0)))):
        folder = plan_folder(key).with_name(f"{key.folder_name()}{number}")
        folder.mkdir(parents=True)
        (folder / MANIFEST_FILE).write_bytes(text)
        (folder / PLAN_FILE).write_bytes(b"abc")
    assert probe_nvidia(lambda _: "[]", "", tmp_path).plans == (key,)
    assert [nvidia.find_plans(engine) for engine in ("poco-trt", "pare-trt")] == [(key,), ()]


def test_doctor_fails_for_an_engine_that_does_not_fit_the_gpu_memory(
    driver: Install, install: Install, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REMI_HOME", str(tmp_path / "home"))
    (tmp_path / "home/engines").mkdir(parents=True)
    (tmp_path / "home/engines/toy.toml").write_text(TOY)
    driver(CARD._replace(used=12032 * 2**20), version="580.95.05", cuda=13000)
    install("torch", "2.13.0+cpu", {"torch/__init__.py": "", "torch/version.py": CPU_TORCH})
    code, out, err = finish(start("doctor", "--engine", "toy-trt"), lambda: None, timeout_s=60)
    assert (code, err) == (3, "")
    lines = {line[5:20].strip(): (line[:5].strip(), line[20:]) for line in out.splitlines()}
    assert lines["GPU"] == ("ok", "NVIDIA GeForce RTX 3060 (compute capability 8.6); driver 580.95.05, runs CUDA up to 13.0")
    assert lines["GPU memory"][0] == "fail"
    assert lines["PyTorch"] == (
        "fail",
        "2.13.0+cpu is for CPU only. Install one for CUDA: "
        "pip install --force-reinstall torch --index-url https://download.pytorch.org/whl/cu130",
    )
    assert lines["plans"] == ("warn", "none yet. Build one: remi-stream convert toy-trt")
