"""Probes for NVIDIA GPUs, the driver, PyTorch, TensorRT and plans; libraries are loaded in separate processes."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import msgspec

from remi_stream.errors import RemiError
from remi_stream.inference.gpu import NvidiaDriver
from remi_stream.inference.plan import PlanKey, plans_folder, read_plan
from remi_stream.pose.engine import resolve_engine

NVIDIA_VENDOR, DISPLAY_CLASS = "0x10de", "0x03"
"""PCI vendor id of NVIDIA, and the prefix of the PCI class of display controllers (VGA and 3D)."""
CONTAINER_CGROUP = re.compile(r"docker|containerd|kubepods|lxc|libpod|podman")
NO_GPU_VALUES = ("", "none", "void")
"""Values of NVIDIA_VISIBLE_DEVICES with which NVIDIA's container toolkit adds no GPU."""
TORCH_CUDA = re.compile(r"^cuda\b[^=\n]*=\s*['\"]([\d.]+)['\"]", re.MULTILINE)
TORCH_PROBE = """
import torch
try:
    torch.cuda.init()
except Exception as error:
    print(str(error).splitlines()[0])
"""
DRIVER_PROBE = """
import msgspec
from remi_stream.inference.gpu import read_driver
print(msgspec.json.encode(read_driver()).decode())
"""
TENSORRT_LIBRARY = re.compile(r"lib(nvinfer|tensorrt_rtx)\.so")
TENSORRT_MODULES = ("tensorrt", "tensorrt_rtx")

RunPython = Callable[[str], str]
"""Runs Python code in a separate process and returns its output; RemiError with the last line if it fails."""


class TorchInstall(NamedTuple):
    """The installed PyTorch."""

    version: str
    """PyTorch's version."""
    cuda: str = ""
    """CUDA version that it is built for ("13.0"), "" for CPU only."""
    fault: str = ""
    """Why it cannot use the GPU."""


class TensorRTInstall(NamedTuple):
    """An installed TensorRT: the module `tensorrt` or `tensorrt_rtx`."""

    module: str
    """Import name."""
    version: str
    """Version of the module, or of its packages if it cannot be imported."""
    fault: str = ""
    """Why it cannot be imported."""
    is_stub: bool = False
    """Its Python packages are installed without the libraries."""
    cuda: str = ""
    """Major CUDA version of its packages ("13"), "" if unknown."""


class NvidiaReport(NamedTuple):
    """Results of all probes."""

    engine: str = ""
    """The engine to run in TensorRT ("poco-trt"), "" if none was named."""
    gpu_on_bus: bool = False
    """An NVIDIA GPU is on the PCI bus."""
    in_container: bool = False
    """This process runs in a container."""
    gpu_expected: bool = False
    """The container should have a GPU: its image requests one, or the host has the driver."""
    visible_devices: str | None = None
    """Value of CUDA_VISIBLE_DEVICES, None if it is not set."""
    driver: NvidiaDriver = NvidiaDriver()
    """The NVIDIA driver."""
    torch: TorchInstall | None = None
    """None if PyTorch is not installed."""
    tensorrt: tuple[TensorRTInstall, ...] = ()
    """The installed TensorRT modules."""
    torch_tensorrt: str = ""
    """Version of torch-tensorrt, "" if it is not installed."""
    plans: tuple[PlanKey, ...] = ()
    """Built plans: of the engine's models, or all if no engine was named."""


def probe_nvidia(run_python: RunPython, engine: str = "", root: Path = Path("/")) -> NvidiaReport:
    """Run all probes. root: root of the file system."""
    driver = probe_driver(run_python)
    return NvidiaReport(
        engine=engine,
        gpu_on_bus=has_gpu_on_bus(root),
        in_container=is_container(root),
        gpu_expected=expects_gpu(root),
        visible_devices=os.environ.get("CUDA_VISIBLE_DEVICES"),
        driver=driver,
        torch=probe_torch(run_python, bool(driver.gpus)),
        tensorrt=tuple(install for module in TENSORRT_MODULES if (install := probe_tensorrt(run_python, module))),
        torch_tensorrt=installed_version("torch-tensorrt") or "",
        plans=find_plans(engine),
    )


def find_plans(engine: str) -> tuple[PlanKey, ...]:
    """Complete plans of an engine's models, or of all models."""
    models = [file.name for file in resolve_engine(engine)[0].weights] if engine else None
    found = [manifest.key for folder in sorted(plans_folder().glob("*")) if (manifest := read_plan(folder))]
    return tuple(key for key in found if models is None or key.model in models)


def has_gpu_on_bus(root: Path) -> bool:
    """Whether an NVIDIA GPU is on the PCI bus, with or without a driver."""
    devices = (root / "sys/bus/pci/devices").glob("*")
    return any(
        _text(device / "vendor") == NVIDIA_VENDOR and _text(device / "class").startswith(DISPLAY_CLASS) for device in devices
    )


def is_container(root: Path) -> bool:
    """Whether this process runs in Docker, Podman, Kubernetes or LXC."""
    marks = (root / ".dockerenv", root / "run/.containerenv")
    return any(mark.exists() for mark in marks) or bool(CONTAINER_CGROUP.search(_text(root / "proc/1/cgroup")))


def expects_gpu(root: Path) -> bool:
    """Whether the image requests GPUs, or the host's kernel (shared with the container) has the driver."""
    return os.environ.get("NVIDIA_VISIBLE_DEVICES", "") not in NO_GPU_VALUES or (root / "proc/driver/nvidia/version").exists()


def probe_driver(run_python: RunPython) -> NvidiaDriver:
    """Ask the driver, which may hang or crash, in a separate process."""
    try:
        return msgspec.json.decode(run_python(DRIVER_PROBE), type=NvidiaDriver)
    except RemiError as error:
        return NvidiaDriver(fault=str(error))


def probe_torch(run_python: RunPython, has_gpu: bool) -> TorchInstall | None:
    """Read the CUDA version that PyTorch is built for; initialise CUDA only if there is a GPU."""
    torch_version = installed_version("torch")
    if not torch_version:
        return None
    file = importlib.metadata.distribution("torch").locate_file("torch/version.py")
    cuda = TORCH_CUDA.search(_text(Path(str(file))))
    if not (cuda and has_gpu):
        return TorchInstall(torch_version, cuda[1] if cuda else "")
    try:
        return TorchInstall(torch_version, cuda[1], run_python(TORCH_PROBE))
    except RemiError as error:
        return TorchInstall(torch_version, cuda[1], str(error))


def probe_tensorrt(run_python: RunPython, module: str) -> TensorRTInstall | None:
    """Import a TensorRT module, if any of its packages is installed."""
    packages = _packages(module)
    if not packages and importlib.util.find_spec(module) is None:
        return None
    cuda = next((number[1] for name in packages if (number := re.search(r"_cu(\d+)", name))), "")
    package_version = max((package.version for package in packages.values()), default="")
    try:
        return TensorRTInstall(module, run_python(f"import {module} as it; it.Builder; print(it.__version__)"), cuda=cuda)
    except RemiError as error:
        return TensorRTInstall(module, package_version, str(error), _is_stub(module, packages, str(error)), cuda)


def _packages(module: str) -> dict[str, importlib.metadata.Distribution]:
    """Installed packages of a module by name: the module itself, its CUDA variant, bindings and libraries."""
    wanted = re.compile(rf"{module}(_cu\d+)?(_bindings|_libs)?")
    found = {str(package.metadata["Name"]).replace("-", "_").lower(): package for package in importlib.metadata.distributions()}
    return {name: package for name, package in found.items() if wanted.fullmatch(name)}


def _is_stub(module: str, packages: dict[str, importlib.metadata.Distribution], fault: str) -> bool:
    """Whether the installed packages are placeholders without the libraries, which only NVIDIA's index has.

    A single package without bindings and libraries comes from NVIDIA's tar archive, whose libraries lie elsewhere.
    """
    if fault.startswith("AttributeError"):  # the placeholder can be imported, but has no Builder
        return True
    libraries = any(TENSORRT_LIBRARY.search(file.name) for package in packages.values() for file in package.files or ())
    return bool(set(packages) - {module}) and not libraries


def installed_version(package: str) -> str | None:
    """The installed version of a package."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _text(file: Path) -> str:
    try:
        return file.read_text().strip()
    except (OSError, UnicodeDecodeError):
        return ""
