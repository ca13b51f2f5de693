"""Checks of NVIDIA GPUs, PyTorch, TensorRT and plans, with fixes; a check returns None where it does not apply."""

from __future__ import annotations

from typing import Literal, NamedTuple

from remi_stream.cli.doctor.nvidia import NvidiaReport, TensorRTInstall
from remi_stream.inference.gpu import Gpu
from remi_stream.inference.plan import SYSTEM, PlanKey, build_command
from remi_stream.install_hint import install_command


class CheckResult(NamedTuple):
    """Result of one check of `doctor`."""

    verdict: Literal["ok", "warn", "fail"]
    """fail: the daemon cannot run; warn: it can, with a restriction."""
    text: str
    """What was found and, unless it is ok, how to fix it."""


# GPU, memory and PyTorch

MIN_FREE_GPU_BYTES = 2e9
"""Free GPU memory for eight people: 0.5 GB for the CUDA context, plus weights, activations and TensorRT. An estimate."""
MIN_DRIVER_BY_CUDA = {11: "450", 12: "525", 13: "580"}
"""Oldest driver by major CUDA version; from CUDA 11 on, a driver runs all minor versions (minor version compatibility)."""
TORCH_INDEX_URLS = {12: "https://download.pytorch.org/whl/cu126", 13: "https://download.pytorch.org/whl/cu130"}
GPU_CONTAINER_HINT = "docker run --gpus all (Podman: --device nvidia.com/gpu=all)"
TORCH_SEES_NO_GPU, TORCH_DRIVER_TOO_OLD = "No CUDA GPUs", "too old"
"""Parts of PyTorch's error messages."""


def check_gpu(report: NvidiaReport) -> CheckResult:
    """Check that a GPU and its driver work."""
    driver = report.driver
    if driver.gpus:
        runs = f"driver {driver.version or 'of unknown version'}" + (f", runs CUDA up to {driver.cuda}" if driver.cuda else "")
        return CheckResult("ok", f"{', '.join(map(gpu_label, driver.gpus))}; {runs}")
    if driver.fault:
        machine = "Restart the machine; if that does not help, reinstall the driver: sudo ubuntu-drivers install"
        fix = "Start the container again; if that does not help, restart the machine" if report.in_container else machine
        return problem(report, f"the NVIDIA driver does not answer: {driver.fault.rstrip('.')}. {fix}")
    if report.in_container and report.gpu_on_bus:
        return problem(report, f"this container cannot access the NVIDIA GPU of the machine. Start it with: {GPU_CONTAINER_HINT}")
    if report.in_container and report.gpu_expected:
        return problem(
            report, f"this container has no NVIDIA GPU. If the machine has one: {GPU_CONTAINER_HINT}{_fallback_hint(report)}"
        )
    if report.gpu_on_bus:
        return problem(
            report,
            "an NVIDIA GPU without a driver. Install one: sudo ubuntu-drivers install "
            "(or from https://www.nvidia.com/drivers), then restart the machine",
        )
    if report.engine:
        return problem(
            report, f"no NVIDIA GPU, which {report.engine} needs. Run it elsewhere, or use: {_same_network_option(report)}"
        )
    return CheckResult("ok", "no NVIDIA GPU; everything works without one")


def _fallback_hint(report: NvidiaReport) -> str:
    """Hint for a machine without a GPU: the same network without TensorRT."""
    return f". If it has none, use: {_same_network_option(report)}" if report.engine else ""


def _same_network_option(report: NvidiaReport) -> str:
    """The option for the same network without TensorRT."""
    return f"--engine {report.engine.rpartition('-')[0]}"


def check_gpu_memory(report: NvidiaReport) -> CheckResult | None:
    """Check the free memory of the first GPU."""
    gpu = report.driver.gpus[0] if report.driver.gpus else Gpu("")
    if gpu.total_bytes < 0 or gpu.free_bytes < 0:
        return None
    text = f"{gpu.free_bytes / 1e9:.1f} of {gpu.total_bytes / 1e9:.1f} GB free"
    if gpu.free_bytes >= MIN_FREE_GPU_BYTES:
        return CheckResult("ok", text)
    needed = f"a network needs about {MIN_FREE_GPU_BYTES / 1e9:.0f} GB"
    if gpu.total_bytes < MIN_FREE_GPU_BYTES:
        return problem(report, f"{text}; {needed}. Run it elsewhere, or use a CPU engine: --engine blazepose")
    return problem(report, f"{text}; {needed}. Stop other programs that use the GPU; nvidia-smi lists them")


def check_torch(report: NvidiaReport) -> CheckResult | None:
    """Check that PyTorch can use the GPU."""
    installed, driver = report.torch, report.driver
    expected = bool(driver.gpus or driver.fault or report.gpu_on_bus or report.gpu_expected)
    if not installed:
        missing = f"not installed; TensorRT plans need it for GPU memory. Install it: {_torch_install_command(driver.cuda)}"
        return problem(report, missing) if expected and report.engine else None
    if not installed.cuda:
        cpu_only = f"{installed.version} is for CPU only. Install one for CUDA: {_torch_install_command(driver.cuda)}"
        return problem(report, cpu_only) if expected else None
    text = f"{installed.version} for CUDA {installed.cuda}"
    if TORCH_DRIVER_TOO_OLD in installed.fault or 0 < major_version(driver.cuda) < major_version(installed.cuda):
        return problem(report, f"{text}, but {driver_too_old(report, installed.cuda)}{_torch_alternative(report)}")
    if TORCH_SEES_NO_GPU in installed.fault and report.visible_devices is not None:
        return problem(
            report,
            f"{text} sees no GPU: CUDA_VISIBLE_DEVICES is {report.visible_devices!r}. Unset it: unset CUDA_VISIBLE_DEVICES",
        )
    if installed.fault:
        return problem(
            report,
            f"{text} cannot use the GPU: {installed.fault.rstrip('.')}. Reinstall it: {_torch_install_command(installed.cuda)}",
        )
    return CheckResult("ok", text)


def problem(report: NvidiaReport, text: str) -> CheckResult:
    """A failure if an engine that needs the GPU was named, else a warning."""
    return CheckResult("fail" if report.engine else "warn", text)


def driver_too_old(report: NvidiaReport, cuda: str) -> str:
    """Message about a driver that is too old for a CUDA version, with the oldest one that works."""
    driver = report.driver
    limit = f"runs CUDA up to {driver.cuda}" if driver.cuda else "is too old"
    oldest = MIN_DRIVER_BY_CUDA.get(major_version(cuda))
    wanted = f"driver {oldest} or newer" if oldest else "a newer driver"
    where = " on the machine around this container" if report.in_container else ""
    return f"{f'driver {driver.version}'.strip()} {limit}. Install {wanted}{where}: sudo ubuntu-drivers install"


def _torch_alternative(report: NvidiaReport) -> str:
    """Alternative to a new driver: a PyTorch for the driver's CUDA; in a container, an image for that CUDA."""
    cuda = report.driver.cuda
    if major_version(cuda) not in TORCH_INDEX_URLS:
        return ""
    if report.in_container:
        return f", or build the image for CUDA {major_version(cuda)}: see docs/operate/containers.md for the --build-arg"
    return f", or a PyTorch for CUDA {major_version(cuda)}: {_torch_install_command(cuda)}"


def _torch_install_command(cuda: str) -> str:
    """Command that installs PyTorch for a driver's CUDA; the newest one if the driver is too old for all."""
    index = TORCH_INDEX_URLS.get(major_version(cuda)) or TORCH_INDEX_URLS[max(TORCH_INDEX_URLS)]
    return f"pip install --force-reinstall torch --index-url {index}"


def gpu_label(gpu: Gpu) -> str:
    """Name and compute capability of a GPU."""
    return f"{gpu.name} (compute capability {gpu.capability})" if gpu.capability else gpu.name


def major_version(version: str) -> int:
    """Major version: 12 of "12.4"; 0 if unknown."""
    number = version.partition(".")[0]
    return int(number) if number.isdecimal() else 0


# TensorRT, torch-tensorrt and plans

NVIDIA_INDEX = "--extra-index-url https://pypi.nvidia.com"
TENSORRT_TITLES = {"tensorrt": "TensorRT", "tensorrt_rtx": "TensorRT-RTX", "torch_tensorrt": "torch-tensorrt"}
TENSORRT_LIBRARIES = {"tensorrt": "libnvinfer.so", "tensorrt_rtx": "libtensorrt_rtx.so"}
STUB_FIXES = {
    "tensorrt": "a placeholder package of PyPI. Install it from NVIDIA's index",
    "tensorrt_rtx": "incomplete installation. Reinstall it",
}
SUPPORTED_CAPABILITIES = {"tensorrt": "7.5 and later", "tensorrt_rtx": "7.5, 8.x and 12.x"}
TORCH_TENSORRT_PAIRS = {"2.8": "10.12", "2.11": "10.15", "2.12": "10.16", "2.13": "11.0", "2.14": "11.1"}
"""TensorRT version that each torch-tensorrt is built with; torch-tensorrt needs the torch of its own minor version."""


def check_tensorrt(report: NvidiaReport) -> CheckResult | None:
    """Check that a TensorRT loads and supports this GPU; one is enough."""
    if not report.tensorrt:
        return problem(report, f"not installed. {_install(report)}") if report.engine else None
    faults = {found: _tensorrt_fault(report, found) for found in report.tensorrt}
    usable = [f"{TENSORRT_TITLES[found.module]} {found.version}" for found, fault in faults.items() if not fault]
    return CheckResult("ok", ", ".join(usable)) if usable else problem(report, "; ".join(faults.values()))


def check_torch_tensorrt(report: NvidiaReport) -> CheckResult | None:
    """Check that torch-tensorrt matches torch and TensorRT."""
    found = report.torch_tensorrt
    if not found:
        return None
    if not report.torch:
        return problem(
            report, f"{found} without PyTorch. Install the matching one: pip install 'torch=={_minor_version(found)}.*'"
        )
    if _minor_version(report.torch.version) != _minor_version(found):
        return problem(
            report,
            f"{found} is built for torch {_minor_version(found)}, got {report.torch.version}. Install the matching one: "
            f"pip install 'torch-tensorrt=={_minor_version(report.torch.version)}.*' {NVIDIA_INDEX}",
        )
    for own in report.tensorrt:
        needed = TORCH_TENSORRT_PAIRS.get(_minor_version(found))
        if own.module == "tensorrt" and needed and own.version and _minor_version(own.version) != needed:
            return problem(
                report,
                f"{found} is built for TensorRT {needed}, got {own.version}. Install the matching one: "
                f"pip install 'tensorrt=={needed}.*' {NVIDIA_INDEX}",
            )
    return CheckResult("ok", f"{found}, matches torch {report.torch.version}")


def check_plans(report: NvidiaReport) -> CheckResult | None:
    """Check that each model with plans has one for this TensorRT and this GPU."""
    if not report.plans:
        return CheckResult("warn", f"none yet. Build one: remi-stream convert {report.engine}") if report.engine else None
    fitting = [plan for plan in report.plans if _plan_fits(report, plan)]
    models = dict.fromkeys(plan.model for plan in report.plans)
    misfits = [_plan_mismatch(report, model) for model in models if model not in {plan.model for plan in fitting}]
    if misfits:
        return problem(report, "; ".join(misfits))
    return CheckResult(
        "ok", ", ".join(f"{plan.model} {plan.precision} ({TENSORRT_TITLES.get(plan.backend, plan.backend)})" for plan in fitting)
    )


def _tensorrt_fault(report: NvidiaReport, found: TensorRTInstall) -> str:
    """Why a TensorRT cannot be used, with the fix; "" if it can."""
    title, library = f"{TENSORRT_TITLES[found.module]} {found.version}".strip(), TENSORRT_LIBRARIES[found.module]
    if found.is_stub:
        return f"{title} is installed without {library}: {STUB_FIXES[found.module]}: {_reinstall_command(report, found)}"
    if library.partition(".")[0] in found.fault:
        missing = _library_name(found.fault, library)
        command = _reinstall_command(report, found)
        return f"{title} does not find {missing}. Install it: {command}, or add its folder to LD_LIBRARY_PATH"
    if found.fault:
        return f"{title} does not load: {found.fault.rstrip('.')}. Reinstall it: {_reinstall_command(report, found)}"
    if 0 < major_version(report.driver.cuda) < major_version(found.cuda):
        return f"{title} is for CUDA {found.cuda}, but {driver_too_old(report, found.cuda)}"
    gpu = report.driver.gpus[0] if report.driver.gpus else Gpu("")
    if not _supports(found.module, gpu.capability):
        supported = SUPPORTED_CAPABILITIES[found.module]
        return f"{title} does not support {gpu_label(gpu)}; supported: {supported}. {_alternative(report, found, gpu)}"
    return ""


def _supports(module: str, capability: str) -> bool:
    """Whether a TensorRT supports a GPU of this compute capability.

    TensorRT-RTX does not support data-centre GPUs: Hopper (9.0) and data-centre Blackwell (10.x).
    """
    if not capability:
        return True
    major, minor = map(int, capability.split("."))
    return (major, minor) >= (7, 5) and (module == "tensorrt" or major in (7, 8, 12))


def _alternative(report: NvidiaReport, found: TensorRTInstall, gpu: Gpu) -> str:
    """Alternative for a GPU that a TensorRT does not support."""
    if found.module == "tensorrt_rtx" and _supports("tensorrt", gpu.capability):
        return f"Install TensorRT: pip install {_package_name(report)} {NVIDIA_INDEX}"
    stem = report.engine.rpartition("-")[0]
    return f"Use PyTorch: --engine {stem or 'poco'}-torch"


def _plan_fits(report: NvidiaReport, plan: PlanKey) -> bool:
    """Whether a plan fits the installed TensorRT, the system and, if there is one, the GPU."""
    installed = {found.module: found.version for found in report.tensorrt if not found.fault} | {
        "torch_tensorrt": report.torch_tensorrt
    }
    gpus = {gpu.capability for gpu in report.driver.gpus[:1] if gpu.capability}
    return installed.get(plan.backend) == plan.version and gpus <= {*plan.capabilities} and plan.system == SYSTEM


def _plan_mismatch(report: NvidiaReport, model: str) -> str:
    """Why no plan of a model fits."""
    built = dict.fromkeys(_plan_target(plan) for plan in report.plans if plan.model == model)
    installed = [f"{TENSORRT_TITLES[found.module]} {found.version}" for found in report.tensorrt if not found.fault]
    own_gpu = [f"a GPU of {gpu.capability}" for gpu in report.driver.gpus[:1] if gpu.capability]
    own = " with ".join([" and ".join(installed) or "no TensorRT", *own_gpu])
    rebuild = f"remi-stream convert {report.engine}" if report.engine else build_command(model)
    return f"{model}'s plan is for {', '.join(built)}; this machine has {own}. Rebuild it: {rebuild}"


def _plan_target(plan: PlanKey) -> str:
    title = f"{TENSORRT_TITLES.get(plan.backend, plan.backend)} {plan.version} for {' and '.join(plan.capabilities)}"
    return title if plan.system == SYSTEM else f"{title} on {plan.system}"


def _install(report: NvidiaReport) -> str:
    """How to install a TensorRT that supports this GPU."""
    capability = report.driver.gpus[0].capability if report.driver.gpus else ""
    if _supports("tensorrt_rtx", capability):
        return f"Install it: {install_command('rtx')}, or pip install {_package_name(report)} {NVIDIA_INDEX}"
    return f"Install it: pip install {_package_name(report)} {NVIDIA_INDEX}"


def _reinstall_command(report: NvidiaReport, found: TensorRTInstall) -> str:
    """Command that reinstalls a TensorRT; TensorRT-RTX is on PyPI."""
    package = "tensorrt-rtx-cu13" if found.module == "tensorrt_rtx" else f"{_package_name(report)} {NVIDIA_INDEX}"
    return f"pip install --force-reinstall --no-cache-dir {package}"


def _package_name(report: NvidiaReport) -> str:
    """TensorRT package for the driver's CUDA."""
    return "tensorrt-cu12" if major_version(report.driver.cuda) == 12 else "tensorrt-cu13"


def _library_name(fault: str, library: str) -> str:
    """Library name with its version number, from the loader's message."""
    return next((word.strip(":") for word in fault.split() if word.startswith(library)), library)


def _minor_version(version: str) -> str:
    """Minor version: "2.13" of "2.13.0+cpu"."""
    return ".".join(version.split("+")[0].split(".")[:2])
