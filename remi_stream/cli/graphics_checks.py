"""Checks of the GPU, its memory and PyTorch, with fixes; None where a check does not apply."""

from __future__ import annotations

from remi_stream.cli.finding import CheckResult
from remi_stream.cli.graphics import NvidiaGpu, NvidiaReport

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
    card = report.driver.gpus[0] if report.driver.gpus else NvidiaGpu("")
    if card.total_bytes < 0 or card.free_bytes < 0:
        return None
    text = f"{card.free_bytes / 1e9:.1f} of {card.total_bytes / 1e9:.1f} GB free"
    if card.free_bytes >= MIN_FREE_GPU_BYTES:
        return CheckResult("ok", text)
    needed = f"a network needs about {MIN_FREE_GPU_BYTES / 1e9:.0f} GB"
    if card.total_bytes < MIN_FREE_GPU_BYTES:
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
        return f", or build the image for CUDA {major_version(cuda)}: see docs/containers.md for the --build-arg"
    return f", or a PyTorch for CUDA {major_version(cuda)}: {_torch_install_command(cuda)}"


def _torch_install_command(cuda: str) -> str:
    """Command that installs PyTorch for a driver's CUDA; the newest one if the driver is too old for all."""
    index = TORCH_INDEX_URLS.get(major_version(cuda)) or TORCH_INDEX_URLS[max(TORCH_INDEX_URLS)]
    return f"pip install --force-reinstall torch --index-url {index}"


def gpu_label(card: NvidiaGpu) -> str:
    """Name and compute capability of a GPU."""
    return f"{card.name} (compute capability {card.capability})" if card.capability else card.name


def major_version(version: str) -> int:
    """Major version: 12 of "12.4"; 0 if unknown."""
    number = version.partition(".")[0]
    return int(number) if number.isdecimal() else 0
