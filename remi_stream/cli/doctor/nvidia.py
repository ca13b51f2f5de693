"""Probes for NVIDIA_VENDOR GPUs, the driver, PyTorch, TensorRT and plans; libraries are loaded in separate processes."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from remi_stream.errors import RemiError
from remi_stream.inference.plan import PlanKey, plans_folder, read_plan
from remi_stream.pose.engine import resolve_engine

NVIDIA_VENDOR, DISPLAY_CLASS = "0x10de", "0x03"
"""PCI vendor id of NVIDIA_VENDOR, and the prefix of the PCI class of display controllers (VGA and 3D)."""
CONTAINER_CGROUP = re.compile(r"docker|containerd|kubepods|lxc|libpod|podman")
NO_GPU_VALUES = ("", "none", "void")
"""Values of NVIDIA_VISIBLE_DEVICES with which the NVIDIA_VENDOR container toolkit adds no GPU."""
NVIDIA_SMI_TIMEOUT_S = 20.0
"""nvidia-smi may load the driver first, which takes seconds without the persistence daemon."""
GPU_QUERY = "--query-gpu=name,compute_cap,memory.total,memory.free,driver_version"
GPU_QUERY_WITHOUT_CAPABILITY = GPU_QUERY.replace("compute_cap", "uuid")
"""For drivers that cannot report the compute capability."""
DRIVER_CUDA = re.compile(r"CUDA (?:UMD )?Version\s*:\s*([\d.]+)")
TORCH_CUDA = re.compile(r"^cuda\b[^=\n]*=\s*['\"]([\d.]+)['\"]", re.MULTILINE)
TORCH_PROBE = """
import torch
try:
    torch.cuda.init()
except Exception as error:
    print(str(error).splitlines()[0])
"""
DRIVER_PROBE = "from remi_stream.inference.gpu import find_gpu; print(*find_gpu(), sep=chr(10))"
TENSORRT_LIBRARY = re.compile(r"lib(nvinfer|tensorrt_rtx)\.so")
TENSORRT_MODULES = ("tensorrt", "tensorrt_rtx")

RunPython = Callable[[str], str]
"""Runs Python code in a separate process and returns its output; RemiError with the last line if it fails."""


class NvidiaGpu(NamedTuple):
    """A GPU as reported by its driver."""

    name: str
    capability: str = ""
    """Compute capability ("8.9"), "" if unknown."""
    total_bytes: int = -1
    """GPU memory, bytes; -1 if unknown."""
    free_bytes: int = -1
    """Free GPU memory, bytes; -1 if unknown."""


class NvidiaDriver(NamedTuple):
    """The NVIDIA_VENDOR driver; all fields are empty if there is none."""

    version: str = ""
    """Driver version ("550.54.14"), "" if unknown."""
    cuda: str = ""
    """Newest CUDA version that it runs ("12.4")."""
    gpus: tuple[NvidiaGpu, ...] = ()
    """The GPUs in the order of nvidia-smi."""
    fault: str = ""
    """Why the driver does not answer."""


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
    """An NVIDIA_VENDOR GPU is on the PCI bus."""
    in_container: bool = False
    """This process runs in a container."""
    gpu_expected: bool = False
    """The container should have a GPU: its image requests one, or the host has the driver."""
    visible_devices: str | None = None
    """Value of CUDA_VISIBLE_DEVICES, None if it is not set."""
    driver: NvidiaDriver = NvidiaDriver()
    """The NVIDIA_VENDOR driver."""
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
    """Whether an NVIDIA_VENDOR GPU is on the PCI bus, with or without a driver."""
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
    """Query the driver by nvidia-smi, or by its library where nvidia-smi is absent, as in a container with `compute` only."""
    program = shutil.which("nvidia-smi")
    if not program:
        return _probe_driver_library(run_python)
    try:
        rows, summary = _query_gpus(program), _run(program)
    except RemiError as error:
        return NvidiaDriver(fault=str(error))
    cells = [[cell.strip() for cell in row.split(",")] for row in rows.splitlines() if row.count(",") == GPU_QUERY.count(",")]
    if not cells:
        return NvidiaDriver(fault=rows.strip().partition("\n")[0] or "nvidia-smi printed nothing")
    cuda = DRIVER_CUDA.search(summary)
    return NvidiaDriver(cells[0][4], cuda[1] if cuda else "", tuple(_parse_gpu(*row[:4]) for row in cells))


def _query_gpus(program: str) -> str:
    """Query nvidia-smi: a row of comma-separated values per GPU."""
    try:
        return _run(program, GPU_QUERY, "--format=csv,noheader,nounits")
    except RemiError as error:
        if "compute_cap" not in str(error):
            raise
    return _run(program, GPU_QUERY_WITHOUT_CAPABILITY, "--format=csv,noheader,nounits")


def _parse_gpu(name: str, capability: str, total_mib: str, free_mib: str) -> NvidiaGpu:
    """Parse a row of nvidia-smi, which writes "[N/A]" for unknown values."""
    valid = capability if re.fullmatch(r"\d+\.\d+", capability) else ""
    total, free = (int(mib) * 2**20 if mib.isdecimal() else -1 for mib in (total_mib, free_mib))
    return NvidiaGpu(name, valid, total, free)


def _probe_driver_library(say: RunPython) -> NvidiaDriver:
    try:
        name, capability, cuda = say(DRIVER_PROBE).splitlines()
    except (RemiError, ValueError):
        return NvidiaDriver()
    return NvidiaDriver(cuda=cuda, gpus=(NvidiaGpu(name, capability),))


def _run(program: str, *arguments: str) -> str:
    """Output of a program. Raises RemiError with its first line if it fails."""
    try:
        done = subprocess.run([program, *arguments], capture_output=True, text=True, timeout=NVIDIA_SMI_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        raise RemiError(f"nvidia-smi did not answer within {NVIDIA_SMI_TIMEOUT_S:.0f} s") from None
    except OSError as error:
        raise RemiError(f"nvidia-smi cannot be started: {error.strerror}") from None
    if done.returncode:
        output = (done.stdout + done.stderr).strip().splitlines()
        raise RemiError(output[0] if output else f"nvidia-smi ended with exit code {done.returncode}")
    return done.stdout


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
    """Whether the installed packages are placeholders without the libraries, which only NVIDIA_VENDOR's index has.

    A single package without bindings and libraries comes from NVIDIA_VENDOR's tar archive, whose libraries lie elsewhere.
    """
    if fault.startswith("AttributeError"):
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
