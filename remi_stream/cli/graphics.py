"""What this machine and this installation have of NVIDIA's; libraries are loaded in processes of their own."""

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

from remi_stream.convert.plan import PlanKey, plans, read_plan
from remi_stream.errors import RemiError
from remi_stream.pose.engine import choose

NVIDIA, DISPLAY = "0x10de", "0x03"
"""A PCI device's vendor, and how the class of those begins that draw or compute."""
CONTAINER = re.compile(r"docker|containerd|kubepods|lxc|libpod|podman")
NO_DEVICES = ("", "none", "void")
"""What NVIDIA_VISIBLE_DEVICES says where a container is to have no GPU."""
SMI_S = 20.0
CARDS = "--query-gpu=name,compute_cap,memory.total,memory.free,driver_version"
OLD_CARDS = CARDS.replace("compute_cap", "uuid")
"""For drivers that do not tell the compute capability."""
CUDA_OF_DRIVER = re.compile(r"CUDA (?:UMD )?Version\s*:\s*([\d.]+)")
CUDA_OF_TORCH = re.compile(r"^cuda\b[^=\n]*=\s*['\"]([\d.]+)['\"]", re.MULTILINE)
TORCH = """
import torch
try:
    torch.cuda.init()
except Exception as error:
    print(str(error).splitlines()[0])
"""
DRIVER = "from remi_stream.runtimes.gpu import find_gpu; print(*find_gpu(), sep=chr(10))"
LIBRARIES = re.compile(r"lib(nvinfer|tensorrt_rtx)\.so")
MODULES = ("tensorrt", "tensorrt_rtx")

Say = Callable[[str], str]
"""Gives what Python code prints in a process of its own; RemiError with its last line if it fails."""


class Card(NamedTuple):
    """A GPU as its driver tells it. capability: "8.9", "" if untold. total, free: bytes of memory, -1 if untold."""

    name: str
    capability: str = ""
    total: int = -1
    free: int = -1


class Driver(NamedTuple):
    """version: "550.54.14", "" if it does not tell. cuda: the newest it runs, "12.4". fault: why it does not answer.

    Without a driver nothing is known, not even a fault.
    """

    version: str = ""
    cuda: str = ""
    cards: tuple[Card, ...] = ()
    fault: str = ""


class Torch(NamedTuple):
    """PyTorch. cuda: what it is built for, "13.0"; "" for the processor only. fault: why it cannot use the GPU that is there."""

    version: str
    cuda: str = ""
    fault: str = ""


class TensorRT(NamedTuple):
    """One of TensorRT's modules. fault: why it cannot be imported. stub: its packages are there, the libraries are not.

    cuda: the major version that its packages are for, "13"; "" if they do not tell.
    """

    module: str
    version: str
    fault: str = ""
    stub: bool = False
    cuda: str = ""


class Graphics(NamedTuple):
    """Everything that is known. engine: whose plan is asked for ("poco-trt"), "" for none; then plans are of its models.

    board: the machine has one of NVIDIA's on its bus. container: we are in one. promised: it was meant to have a GPU, or the
    machine around it has the driver. hidden: what CUDA_VISIBLE_DEVICES says, None if nothing.
    """

    engine: str = ""
    board: bool = False
    container: bool = False
    promised: bool = False
    hidden: str | None = None
    driver: Driver = Driver()
    torch: Torch | None = None
    tensorrt: tuple[TensorRT, ...] = ()
    torch_tensorrt: str = ""
    plans: tuple[PlanKey, ...] = ()


def look(say: Say, engine: str = "", root: Path = Path("/")) -> Graphics:
    """Ask everything. root: of the file system."""
    driver = ask_driver(say)
    return Graphics(
        engine=engine,
        board=has_board(root),
        container=is_container(root),
        promised=is_promised(root),
        hidden=os.environ.get("CUDA_VISIBLE_DEVICES"),
        driver=driver,
        torch=ask_torch(say, bool(driver.cards)),
        tensorrt=tuple(found for module in MODULES if (found := ask_tensorrt(say, module))),
        torch_tensorrt=version("torch-tensorrt") or "",
        plans=find_plans(engine),
    )


def find_plans(engine: str) -> tuple[PlanKey, ...]:
    """The whole plans of an engine's models, or of all."""
    models = [file.name for file in choose(engine)[0].weights] if engine else None
    found = [manifest.key for folder in sorted(plans().glob("*")) if (manifest := read_plan(folder))]
    return tuple(key for key in found if models is None or key.model in models)


def has_board(root: Path) -> bool:
    """Whether a GPU of NVIDIA's is on the PCI bus, with a driver or without."""
    devices = (root / "sys/bus/pci/devices").glob("*")
    return any(_text(device / "vendor") == NVIDIA and _text(device / "class").startswith(DISPLAY) for device in devices)


def is_container(root: Path) -> bool:
    """Whether this is Docker, Podman, Kubernetes or LXC."""
    marks = (root / ".dockerenv", root / "run/.containerenv")
    return any(mark.exists() for mark in marks) or bool(CONTAINER.search(_text(root / "proc/1/cgroup")))


def is_promised(root: Path) -> bool:
    """Whether the container's image asks for GPUs, or the kernel, which it shares with the machine, has the driver."""
    return os.environ.get("NVIDIA_VISIBLE_DEVICES", "") not in NO_DEVICES or (root / "proc/driver/nvidia/version").exists()


def ask_driver(say: Say) -> Driver:
    """Ask nvidia-smi; where it is not, as in a container that may only compute, the driver's library."""
    program = shutil.which("nvidia-smi")
    if not program:
        return _ask_library(say)
    try:
        rows, summary = _ask_cards(program), _run(program)
    except RemiError as error:
        return Driver(fault=str(error))
    cells = [[cell.strip() for cell in row.split(",")] for row in rows.splitlines() if row.count(",") == CARDS.count(",")]
    if not cells:
        return Driver(fault=rows.strip().partition("\n")[0] or "nvidia-smi says nothing")
    cuda = CUDA_OF_DRIVER.search(summary)
    return Driver(cells[0][4], cuda[1] if cuda else "", tuple(_card(*row[:4]) for row in cells))


def _ask_cards(program: str) -> str:
    """A row of comma-separated values per GPU."""
    try:
        return _run(program, CARDS, "--format=csv,noheader,nounits")
    except RemiError as error:
        if "compute_cap" not in str(error):
            raise
    return _run(program, OLD_CARDS, "--format=csv,noheader,nounits")


def _card(name: str, capability: str, total_mib: str, free_mib: str) -> Card:
    """What a row of nvidia-smi says; it writes "[N/A]" for what it does not know."""
    known = capability if re.fullmatch(r"\d+\.\d+", capability) else ""
    total, free = (int(mib) * 2**20 if mib.isdecimal() else -1 for mib in (total_mib, free_mib))
    return Card(name, known, total, free)


def _ask_library(say: Say) -> Driver:
    try:
        name, capability, cuda = say(DRIVER).splitlines()
    except (RemiError, ValueError):
        return Driver()
    return Driver(cuda=cuda, cards=(Card(name, capability),))


def _run(program: str, *arguments: str) -> str:
    """What a program prints. Raises RemiError with its first line if it fails."""
    try:
        done = subprocess.run([program, *arguments], capture_output=True, text=True, timeout=SMI_S)
    except subprocess.TimeoutExpired:
        raise RemiError(f"nvidia-smi gave no answer within {SMI_S:.0f} s") from None
    except OSError as error:
        raise RemiError(f"nvidia-smi does not start: {error.strerror}") from None
    if done.returncode:
        said = (done.stdout + done.stderr).strip().splitlines()
        raise RemiError(said[0] if said else f"nvidia-smi ended with exit code {done.returncode}")
    return done.stdout


def ask_torch(say: Say, gpu: bool) -> Torch | None:
    """Read what PyTorch is built for; start it only if that is CUDA and there is a GPU."""
    found = version("torch")
    if not found:
        return None
    file = importlib.metadata.distribution("torch").locate_file("torch/version.py")
    cuda = CUDA_OF_TORCH.search(_text(Path(str(file))))
    if not (cuda and gpu):
        return Torch(found, cuda[1] if cuda else "")
    try:
        return Torch(found, cuda[1], say(TORCH))
    except RemiError as error:
        return Torch(found, cuda[1], str(error))


def ask_tensorrt(say: Say, module: str) -> TensorRT | None:
    """Import one of TensorRT's modules, if anything of it is installed."""
    packages = _packages(module)
    if not packages and importlib.util.find_spec(module) is None:
        return None
    cuda = next((number[1] for name in packages if (number := re.search(r"_cu(\d+)", name))), "")
    known = max((package.version for package in packages.values()), default="")
    try:
        return TensorRT(module, say(f"import {module} as it; it.Builder; print(it.__version__)"), cuda=cuda)
    except RemiError as error:
        return TensorRT(module, known, str(error), _is_stub(module, packages, str(error)), cuda)


def _packages(module: str) -> dict[str, importlib.metadata.Distribution]:
    """The installed packages that a module is made of, by their names: itself, for a CUDA, its bindings, its libraries."""
    wanted = re.compile(rf"{module}(_cu\d+)?(_bindings|_libs)?")
    found = {str(package.metadata["Name"]).replace("-", "_").lower(): package for package in importlib.metadata.distributions()}
    return {name: package for name, package in found.items() if wanted.fullmatch(name)}


def _is_stub(module: str, packages: dict[str, importlib.metadata.Distribution], fault: str) -> bool:
    """Whether what is installed only stands for what NVIDIA's index has.

    A package without others beside it comes from NVIDIA's archive, whose libraries are elsewhere.
    """
    if fault.startswith("AttributeError"):
        return True
    libraries = any(LIBRARIES.search(file.name) for package in packages.values() for file in package.files or ())
    return bool(set(packages) - {module}) and not libraries


def version(package: str) -> str | None:
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
