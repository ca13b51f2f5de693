"""`remi-stream doctor`: whether everything that is needed is there, and what to do if not."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from remi_stream import config
from remi_stream.capture.devices import Device
from remi_stream.cli.finding import Finding
from remi_stream.cli.graphics import Graphics
from remi_stream.cli.graphics_checks import gpu, memory, torch
from remi_stream.cli.machine import Machine
from remi_stream.cli.tensorrt_checks import plans, tensorrt, torch_tensorrt
from remi_stream.errors import DONE, NOT_STARTED, RemiError
from remi_stream.pose.engine import choose

FIRST_PYTHON, LAST_PYTHON = (3, 10), (3, 13)
LITTLE_BYTES, TOO_LITTLE_BYTES = 1e9, 1e8
FEATURES = {"avx2": "AVX2", "avx512f": "AVX-512", "amx_bf16": "AMX bf16"}
CV2 = ("opencv-python-headless", "opencv-python", "opencv-contrib-python-headless", "opencv-contrib-python")
OPENVINO = """import sys
sys.modules["openvino_telemetry"] = None
import openvino
print(openvino.__version__.split('-')[0], *openvino.Core().available_devices)"""
LOADED_APART = ("openvino", "av")
FFMPEG = "import av; print(av.ffmpeg_version_info)"
MODULES = {"opencv-python-headless": "cv2", "pillow": "PIL", "pyyaml": "yaml", "pyzmq": "zmq"}
"""What is imported of a package that calls it otherwise."""
ABSENT = re.compile(r"(lib[\w.+-]*\.so[\w.]*): cannot open shared object")
DEBIAN = {
    "libGL.so": "libgl1",
    "libEGL.so": "libegl1",
    "libOpenGL.so": "libopengl0",
    "libgthread-2.0.so": "libglib2.0-0",
    "libglib-2.0.so": "libglib2.0-0",
    "libSM.so": "libsm6",
    "libXext.so": "libxext6",
    "libXrender.so": "libxrender1",
    "libxcb.so": "libxcb1",
    "libgomp.so": "libgomp1",
    "libstdc++.so": "libstdc++6",
}
"""Where Debian and Ubuntu keep libraries that Python packages expect of the system."""
STYLES = {"ok": "green", "warn": "yellow", "fail": "bold red"}


def doctor(
    name: Annotated[str, typer.Option(help="Name of the daemon whose ports are looked at.")] = "default",
    engine: Annotated[str, typer.Option(help="Engine that is to run, e.g. poco-trt: what it lacks is a failure.")] = "",
) -> int:
    """Check this machine and this installation."""
    console = Console(soft_wrap=True)
    machine = Machine()
    verdicts = []
    for title, finding in findings(machine, name, gpu_engine(engine)):
        verdicts.append(finding.verdict)
        console.print(Text.assemble((f"{finding.verdict:<5}", STYLES[finding.verdict]), f"{title:<15}{finding.text}"))
    return NOT_STARTED if "fail" in verdicts else DONE


def gpu_engine(engine: str) -> str:
    """The engine if it runs in TensorRT, else nothing. Raises UsageError if there is no such engine."""
    return engine if engine and choose(engine)[1] == "tensorrt" else ""


def findings(machine: Machine, name: str, engine: str) -> Iterator[tuple[str, Finding]]:
    """Everything that is looked at, one after the other, with what was found."""
    for title, check in CHECKS.items():
        yield title, check(machine, name)
    known = machine.graphics(engine)
    for title, look in GRAPHICS_CHECKS.items():
        if finding := look(known):
            yield title, finding


def python(machine: Machine, _name: str) -> Finding:
    """Look at the interpreter."""
    version = ".".join(map(str, machine.python()))
    if machine.python() < FIRST_PYTHON:
        return Finding("fail", f"{version}; 3.10 to 3.13 are supported. Make a new environment with one of them")
    if machine.python() > LAST_PYTHON:
        return Finding("warn", f"{version} is untried; 3.10 to 3.13 are supported")
    return Finding("ok", version)


def packages(machine: Machine, _name: str) -> Finding:
    """Look for missing and unfit packages."""
    found = {requirement: machine.version(_package(requirement)) for requirement in machine.requirements()}
    bad = [f"{need} (got {version or 'none'})" for need, version in found.items() if not version or not _fits(version, need)]
    if bad:
        return Finding("fail", f"needed: {', '.join(bad)}. Install again: pip install remi-stream")
    return Finding("ok", ", ".join(f"{_package(need)} {version}" for need, version in found.items()))


def one_opencv(machine: Machine, _name: str) -> Finding:
    """Look for packages that overwrite each other's cv2."""
    found = [package for package in CV2 if machine.version(package)]
    if len(found) > 1:
        rest = " ".join(found)
        return Finding(
            "warn",
            f"{', '.join(found)} overwrite each other. Keep one: pip uninstall {rest}; "
            f"pip install 'opencv-python-headless>=4.10,<5'",
        )
    return Finding("ok", f"one cv2 ({found[0]})") if found else Finding("fail", "no cv2. pip install opencv-python-headless")


def cpu(machine: Machine, _name: str) -> Finding:
    """Look at what the processor can do."""
    flags, cores = machine.cpu_flags(), machine.cores()
    names = [name for flag, name in FEATURES.items() if flag in flags]
    text = ", ".join([f"{cores} {'core' if cores == 1 else 'cores'}", *names])
    if cores < 2:
        return Finding("warn", f"{text}; detection and pose share it. Give it two, or use a lower frame rate")
    if flags and "avx2" not in flags:
        return Finding("warn", f"{text}, no AVX2; expect a few frames a second")
    return Finding("ok", text)


def openvino(machine: Machine, _name: str) -> Finding:
    """Import OpenVINO and list its devices."""
    try:
        version, *devices = machine.say(OPENVINO).split()
    except RemiError as error:
        return Finding("fail", f"does not load: {error}. {_cure(str(error), 'openvino')}")
    return Finding("ok", f"{version}, devices: {', '.join(devices)}")


def ffmpeg(machine: Machine, _name: str) -> Finding:
    """Import PyAV with its FFmpeg libraries."""
    try:
        return Finding("ok", machine.say(FFMPEG))
    except RemiError as error:
        return Finding("fail", f"does not load: {error}. {_cure(str(error), 'av')}")


def libraries(machine: Machine, _name: str) -> Finding:
    """Import everything else that is needed; what a package lacks of the system shows only then."""
    needed = [_package(requirement) for requirement in machine.requirements()]
    packages = {MODULES.get(package, package.replace("-", "_")): package for package in needed if package not in LOADED_APART}
    faults = {module: fault for module, fault in machine.load(list(packages)).items() if fault}
    bad = [f"{module} does not load: {fault}. {_cure(fault, packages[module])}" for module, fault in faults.items()]
    return Finding("fail", "; ".join(bad)) if bad else Finding("ok", f"load: {', '.join(packages)}")


def models(machine: Machine, _name: str) -> Finding:
    """Look at the files of weights."""
    states = machine.models()
    damaged = [name for name, fault in states.items() if fault == "damaged"]
    missing = [name for name, fault in states.items() if fault == "missing"]
    if damaged:
        return Finding("fail", f"damaged: {', '.join(damaged)}. Fetch anew: remi-stream models pull")
    if missing:
        return Finding("warn", f"not here yet: {', '.join(missing)}. Fetched on first use, or: remi-stream models pull")
    return Finding("ok", ", ".join(states))


def cameras(machine: Machine, name: str) -> Finding:
    """Look for cameras at this machine, and for what keeps them from being used."""
    devices = machine.cameras()
    if not devices:
        return Finding("ok", "none at this machine; network cameras need none")
    ours = {str(stage["pid"]) for stage in (machine.daemon(name) or {"stages": {}})["stages"].values()}
    bad = [trouble for trouble in (_trouble(device, machine, ours) for device in devices) if trouble]
    return Finding("warn", "; ".join(bad)) if bad else Finding("ok", ", ".join(map(_called, devices)))


def ports(machine: Machine, name: str) -> Finding:
    """Look for somebody else on this daemon's ports."""
    numbers = [config.port(name, service) for service in (config.BUS, config.CONTROL, config.WEB, config.METRICS)]
    taken = [str(number) for number in numbers if not machine.port_is_free(number)]
    if not taken:
        return Finding("ok", f"free: {', '.join(map(str, numbers))}")
    daemon = machine.daemon(name)
    if daemon:
        return Finding("ok", f"{', '.join(taken)} used by the running remi-stream {daemon['name']!r} ({daemon['engine']})")
    return Finding("fail", f"{', '.join(taken)} used by another program. Stop it, or start remi-stream with --name")


def run_folder(machine: Machine, _name: str) -> Finding:
    """Try to make the folder for sockets."""
    try:
        return Finding("ok", machine.make_run_folder())
    except RemiError as error:
        return Finding("fail", str(error))


def disk(machine: Machine, _name: str) -> Finding:
    """Look at the room for models."""
    folder, free = machine.free_bytes()
    text = f"{free / 1e9:.1f} GB free at {folder}"
    if free < LITTLE_BYTES:
        return Finding("fail" if free < TOO_LITTLE_BYTES else "warn", f"{text}. Make room, or set REMI_HOME to another disk")
    return Finding("ok", text)


CHECKS: dict[str, Callable[[Machine, str], Finding]] = {
    "Python": python,
    "packages": packages,
    "OpenCV": one_opencv,
    "processor": cpu,
    "OpenVINO": openvino,
    "FFmpeg": ffmpeg,
    "libraries": libraries,
    "models": models,
    "cameras": cameras,
    "ports": ports,
    "run folder": run_folder,
    "disk": disk,
}
GRAPHICS_CHECKS: dict[str, Callable[[Graphics], Finding | None]] = {
    "GPU": gpu,
    "GPU memory": memory,
    "PyTorch": torch,
    "TensorRT": tensorrt,
    "torch-tensorrt": torch_tensorrt,
    "plans": plans,
}
"""Those that find nothing to say are not told of."""


def _trouble(device: Device, machine: Machine, ours: set[str]) -> str:
    """Why this camera cannot be used, and what to do; nothing if it can, or is used by this very daemon."""
    others = [user for user in device.used_by if user.split()[0] not in ours]
    if "permission" in device.fault:
        return f"{_called(device)}: no permission. {_admission(machine.group_of(device.path), device.path)}"
    if others or "busy" in device.fault:
        who = ", ".join(others) or "another program"
        return f"{_called(device)} is in use by {who}. It serves one program at a time: end that, or take another"
    return f"{_called(device)}: {device.fault}. Unplug it and plug it in again" if device.fault else ""


def _admission(group: str, path: str) -> str:
    if group == "root":
        return f"Only root may use it: sudo chgrp video {path} && sudo chmod g+rw {path}, then join the group 'video'"
    return f"Add yourself to the group {group!r}: sudo usermod -aG {group} $USER, then log in again"


def _called(device: Device) -> str:
    return f"{device.path} ({device.name})"


def _cure(fault: str, package: str) -> str:
    """What to do about a package that does not load."""
    absent = ABSENT.search(fault)
    if not absent:
        return f"Install it again: pip install --force-reinstall {package}"
    library = absent[1]
    debian = next((name for stem, name in DEBIAN.items() if library.startswith(stem)), None)
    return f"Install it: sudo apt-get install {debian}" if debian else f"Install the system's package that has {library}"


def _package(requirement: str) -> str:
    return re.split(r"[^\w.-]", requirement)[0]


def _fits(version: str, requirement: str) -> bool:
    """Whether a version keeps the bounds (">=4.10,<5") of a requirement."""
    bounds = re.findall(r"(>=|<)\s*([\d.]+)", requirement)
    return all((_numbers(version) >= _numbers(bound)) == (sign == ">=") for sign, bound in bounds)


def _numbers(version: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", version.split("+")[0])]
