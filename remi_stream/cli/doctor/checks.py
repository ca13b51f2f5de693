"""`remi-stream doctor`: checks the machine and the installation, and suggests fixes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from remi_stream import config
from remi_stream.capture.webcam import VideoDevice
from remi_stream.cli.doctor.library_probes import FFMPEG_PROBE, LIBRARY_PROBES, OPENVINO_PROBE, engine_probe
from remi_stream.cli.doctor.machine import Machine
from remi_stream.cli.doctor.nvidia import NvidiaReport
from remi_stream.cli.doctor.nvidia_checks import (
    CheckResult,
    check_gpu,
    check_gpu_memory,
    check_plans,
    check_tensorrt,
    check_torch,
    check_torch_tensorrt,
)
from remi_stream.errors import EXIT_DONE, EXIT_NOT_STARTED, RemiError
from remi_stream.install_hint import install_command
from remi_stream.models.store import file_fault
from remi_stream.pose.engine import resolve_engine

MIN_PYTHON, MAX_PYTHON = (3, 10), (3, 13)
LOW_DISK_BYTES, MIN_DISK_BYTES = 1e9, 1e8
"""Free disk space below which the check warns or fails."""
CPU_FEATURES = {"avx2": "AVX2", "avx512f": "AVX-512", "amx_bf16": "AMX bf16"}
OPENCV_PACKAGES = ("opencv-python-headless", "opencv-python", "opencv-contrib-python-headless", "opencv-contrib-python")
"""Packages that all install into the folder cv2/."""
PROBED_SEPARATELY = ("openvino", "av")
"""Packages with a check of their own."""
MODULE_NAMES = {"nvidia-ml-py": "pynvml", "opencv-python-headless": "cv2", "pillow": "PIL", "pyyaml": "yaml", "pyzmq": "zmq"}
"""Import names that differ from the package name."""
MISSING_LIBRARY = re.compile(r"(lib[\w.+-]*\.so[\w.]*): cannot open shared object")
DEBIAN_PACKAGES = {
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
"""Debian and Ubuntu packages of system libraries that Python packages load."""
VERDICT_STYLES = {"ok": "green", "warn": "yellow", "fail": "bold red"}


def doctor(
    name: Annotated[str, typer.Option(help="Name of the daemon whose ports are checked.")] = "default",
    engine: Annotated[
        str, typer.Option(help="Engine that must run here, e.g. blazepose or poco-trt: a missing part is a failure.")
    ] = "",
) -> int:
    """Check this machine and the installation."""
    console = Console(soft_wrap=True)
    machine = Machine()
    verdicts = []
    for title, result in run_checks(machine, name, engine):
        verdicts.append(result.verdict)
        console.print(Text.assemble((f"{result.verdict:<5}", VERDICT_STYLES[result.verdict]), f"{title:<15}{result.text}"))
    return EXIT_NOT_STARTED if "fail" in verdicts else EXIT_DONE


def tensorrt_engine(engine: str) -> str:
    """The engine if it runs in TensorRT, else "". Raises UsageError for an unknown engine."""
    return engine if engine and resolve_engine(engine)[1] == "tensorrt" else ""


def run_checks(machine: Machine, name: str, engine: str) -> Iterator[tuple[str, CheckResult]]:
    """Run all checks in order; yield each title and result. engine: the one that must run here, "" for none."""
    needs_gpu = tensorrt_engine(engine)
    for title, check in CHECKS.items():
        yield title, check(machine, name)
    if engine and not needs_gpu:
        yield "engine", check_engine(machine, engine)
    report = machine.nvidia_report(needs_gpu)
    for title, nvidia_check in NVIDIA_CHECKS.items():
        if result := nvidia_check(report):
            yield title, result


def check_python(machine: Machine, _name: str) -> CheckResult:
    """Check the Python version."""
    version = ".".join(map(str, machine.python()))
    if machine.python() < MIN_PYTHON:
        return CheckResult("fail", f"{version}; 3.10 to 3.13 are supported. Make a new environment with one of them")
    if machine.python() > MAX_PYTHON:
        return CheckResult("warn", f"{version} is untested; 3.10 to 3.13 are supported")
    return CheckResult("ok", version)


def check_packages(machine: Machine, _name: str) -> CheckResult:
    """Check that required packages are installed in a supported version."""
    found = {requirement: machine.version(_package_name(requirement)) for requirement in machine.requirements()}
    bad = [f"{need} (got {version or 'none'})" for need, version in found.items() if not version or not _satisfies(version, need)]
    if bad:
        return CheckResult("fail", f"missing or wrong version: {', '.join(bad)}. Reinstall: {install_command()}")
    return CheckResult("ok", ", ".join(f"{_package_name(need)} {version}" for need, version in found.items()))


def check_opencv(machine: Machine, _name: str) -> CheckResult:
    """Check that only one package provides cv2, and that it works."""
    found = [package for package in OPENCV_PACKAGES if machine.version(package)]
    if len(found) > 1:
        rest = " ".join(found)
        return CheckResult(
            "warn",
            f"{', '.join(found)} overwrite each other. Keep one: pip uninstall {rest}; "
            f"pip install 'opencv-python-headless>=4.10,<5'",
        )
    if not found:
        return CheckResult("fail", "no cv2. pip install opencv-python-headless")
    try:
        machine.run_python(LIBRARY_PROBES["cv2"])
    except RemiError as error:
        return CheckResult("fail", f"cv2 does not work: {error}. {_fix(str(error), found[0])}")
    return CheckResult("ok", f"one cv2 ({found[0]}), and it works")


def check_cpu(machine: Machine, _name: str) -> CheckResult:
    """Check the number of cores and the CPU features."""
    flags, cores = machine.cpu_flags(), machine.cores()
    features = [name for flag, name in CPU_FEATURES.items() if flag in flags]
    text = ", ".join([f"{cores} {'core' if cores == 1 else 'cores'}", *features])
    if cores < 2:
        return CheckResult("warn", f"{text}; detection and pose share it. Use at least two, or a lower frame rate")
    if flags and "avx2" not in flags:
        return CheckResult("warn", f"{text}, no AVX2; expect a few frames per second")
    return CheckResult("ok", text)


def check_openvino(machine: Machine, _name: str) -> CheckResult:
    """Check that OpenVINO runs a network, and list its devices."""
    try:
        version, *devices = machine.run_python(OPENVINO_PROBE).split()
    except RemiError as error:
        return CheckResult("fail", f"does not work: {error}. {_fix(str(error), 'openvino')}")
    return CheckResult("ok", f"{version}, devices: {', '.join(devices)}")


def check_ffmpeg(machine: Machine, _name: str) -> CheckResult:
    """Check that PyAV writes and reads H.264 with its FFmpeg libraries."""
    try:
        return CheckResult("ok", machine.run_python(FFMPEG_PROBE))
    except RemiError as error:
        return CheckResult("fail", f"does not work: {error}. {_fix(str(error), 'av')}")


def check_libraries(machine: Machine, _name: str) -> CheckResult:
    """Try all other required packages: a missing system library, or a package with parts missing, shows only in use."""
    needed = [_package_name(requirement) for requirement in machine.requirements()]
    packages = {
        MODULE_NAMES.get(package, package.replace("-", "_")): package for package in needed if package not in PROBED_SEPARATELY
    }
    faults = {module: fault for module, fault in machine.import_errors(list(packages)).items() if fault}
    bad = [f"{module} does not work: {fault}. {_fix(fault, packages[module])}" for module, fault in faults.items()]
    return CheckResult("fail", "; ".join(bad)) if bad else CheckResult("ok", f"work: {', '.join(packages)}")


def check_models(machine: Machine, _name: str) -> CheckResult:
    """Check the weights."""
    states = machine.models()
    damaged = [name for name, fault in states.items() if fault == "damaged"]
    missing = [name for name, fault in states.items() if fault == "missing"]
    if damaged:
        return CheckResult("fail", f"damaged: {', '.join(damaged)}. Pull them again: remi-stream models pull")
    if missing:
        return CheckResult("warn", f"missing: {', '.join(missing)}. Pulled on first use, or: remi-stream models pull")
    return CheckResult("ok", ", ".join(states))


def check_engine(machine: Machine, engine: str) -> CheckResult:
    """Check that an engine's weights are here, and that it runs on one picture, in a process of its own."""
    files = resolve_engine(engine)[0].weights
    for file in files:
        if fault := file_fault(file):
            how = f"pull {file.name}" if file.wheel else f"import {file.published or file.file}"
            return CheckResult("fail", f"{engine}: {file.name} is {fault}. remi-stream models {how}")
    try:
        return CheckResult("ok", machine.run_python(engine_probe(engine)))
    except RemiError as error:
        return CheckResult("fail", f"{engine} does not run: {str(error).rpartition('RemiError: ')[2]}")


def check_cameras(machine: Machine, name: str) -> CheckResult:
    """Check the cameras of this machine and whether they can be used."""
    devices = machine.cameras()
    if not devices:
        return CheckResult("ok", "none on this machine; network cameras work without")
    # A camera that the daemon itself uses is no fault.
    ours = {str(stage["pid"]) for stage in (machine.daemon(name) or {"stages": {}})["stages"].values()}
    bad = [fault for fault in (_camera_fault(device, machine, ours) for device in devices) if fault]
    return CheckResult("warn", "; ".join(bad)) if bad else CheckResult("ok", ", ".join(map(_camera_label, devices)))


def check_ports(machine: Machine, name: str) -> CheckResult:
    """Check that the ports of this daemon are free or used by itself."""
    numbers = [config.daemon_port(name, service) for service in (config.WEB_SERVICE, config.METRICS_SERVICE)]
    taken = [str(number) for number in numbers if not machine.port_is_free(number)]
    if not taken:
        return CheckResult("ok", f"free: {', '.join(map(str, numbers))}")
    daemon = machine.daemon(name)
    if daemon:
        return CheckResult("ok", f"{', '.join(taken)} used by the running remi-stream {daemon['name']!r} ({daemon['engine']})")
    return CheckResult("fail", f"{', '.join(taken)} used by another program. Stop it, or start remi-stream with --name")


def check_run_folder(machine: Machine, _name: str) -> CheckResult:
    """Check that the run folder, which holds the sockets, can be created."""
    try:
        return CheckResult("ok", machine.make_run_folder())
    except RemiError as error:
        return CheckResult("fail", str(error))


def check_disk(machine: Machine, _name: str) -> CheckResult:
    """Check the free disk space for models."""
    folder, free = machine.free_bytes()
    text = f"{free / 1e9:.1f} GB free at {folder}"
    if free < LOW_DISK_BYTES:
        return CheckResult(
            "fail" if free < MIN_DISK_BYTES else "warn", f"{text}. Free some space, or set REMI_HOME to another disk"
        )
    return CheckResult("ok", text)


CHECKS: dict[str, Callable[[Machine, str], CheckResult]] = {
    "Python": check_python,
    "packages": check_packages,
    "OpenCV": check_opencv,
    "processor": check_cpu,
    "OpenVINO": check_openvino,
    "FFmpeg": check_ffmpeg,
    "libraries": check_libraries,
    "models": check_models,
    "cameras": check_cameras,
    "ports": check_ports,
    "run folder": check_run_folder,
    "disk": check_disk,
}
NVIDIA_CHECKS: dict[str, Callable[[NvidiaReport], CheckResult | None]] = {
    "GPU": check_gpu,
    "GPU memory": check_gpu_memory,
    "PyTorch": check_torch,
    "TensorRT": check_tensorrt,
    "torch-tensorrt": check_torch_tensorrt,
    "plans": check_plans,
}
"""A check that returns None does not apply and is not printed."""


def _camera_fault(device: VideoDevice, machine: Machine, ours: set[str]) -> str:
    """Why this camera cannot be used, and the fix; "" if it can, or if this daemon uses it."""
    others = [user for user in device.used_by if user.split()[0] not in ours]
    if "permission" in device.fault:
        return f"{_camera_label(device)}: no permission. {_group_hint(machine.group_of(device.path), device.path)}"
    if others or "busy" in device.fault:
        user = ", ".join(others) or "another program"
        return (
            f"{_camera_label(device)} is in use by {user}. It serves one program at a time: stop that one, or use another camera"
        )
    return f"{_camera_label(device)}: {device.fault}. Unplug it and plug it in again" if device.fault else ""


def _group_hint(group: str, path: str) -> str:
    if group == "root":
        return f"Only root may use it: sudo chgrp video {path} && sudo chmod g+rw {path}, then join the group 'video'"
    return f"Add yourself to the group {group!r}: sudo usermod -aG {group} $USER, then log in again"


def _camera_label(device: VideoDevice) -> str:
    return f"{device.path} ({device.name})"


def _fix(fault: str, package: str) -> str:
    """How to fix a package that does not load."""
    missing = MISSING_LIBRARY.search(fault)
    if not missing:
        return f"Reinstall it: pip install --force-reinstall {package}"
    library = missing[1]
    debian = next((name for stem, name in DEBIAN_PACKAGES.items() if library.startswith(stem)), None)
    return f"Install it: sudo apt-get install {debian}" if debian else f"Install the system package that contains {library}"


def _package_name(requirement: str) -> str:
    return re.split(r"[^\w.-]", requirement)[0]


def _satisfies(version: str, requirement: str) -> bool:
    """Whether a version satisfies the bounds (">=4.10,<5") of a requirement."""
    bounds = re.findall(r"(>=|<)\s*([\d.]+)", requirement)
    return all((_version_numbers(version) >= _version_numbers(bound)) == (sign == ">=") for sign, bound in bounds)


def _version_numbers(version: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", version.split("+")[0])]
