"""Checks of the GPU, its memory and PyTorch, with fixes; None where a check does not apply."""

from __future__ import annotations

from remi_stream.cli.finding import Finding
from remi_stream.cli.graphics import Card, Graphics

NEEDED_BYTES = 2e9
"""Free GPU memory for eight people: 0.5 GB for the CUDA context, plus weights, activations and TensorRT. An estimate."""
OLDEST_DRIVER = {11: "450", 12: "525", 13: "580"}
"""Oldest driver by major CUDA version; from CUDA 11 on, a driver runs all minor versions (minor version compatibility)."""
TORCH_INDEX = {12: "https://download.pytorch.org/whl/cu126", 13: "https://download.pytorch.org/whl/cu130"}
GIVEN = "docker run --gpus all (Podman: --device nvidia.com/gpu=all)"
NO_GPU, TOO_OLD = "No CUDA GPUs", "too old"
"""Parts of PyTorch's error messages."""


def gpu(report: Graphics) -> Finding:
    """Check that a GPU and its driver work."""
    driver = report.driver
    if driver.cards:
        runs = f"driver {driver.version or 'of unknown version'}" + (f", runs CUDA up to {driver.cuda}" if driver.cuda else "")
        return Finding("ok", f"{', '.join(map(called, driver.cards))}; {runs}")
    if driver.fault:
        machine = "Restart the machine; if that does not help, reinstall the driver: sudo ubuntu-drivers install"
        fix = "Start the container again; if that does not help, restart the machine" if report.container else machine
        return bad(report, f"the NVIDIA driver does not answer: {driver.fault.rstrip('.')}. {fix}")
    if report.container and report.board:
        return bad(report, f"this container cannot access the NVIDIA GPU of the machine. Start it with: {GIVEN}")
    if report.container and report.promised:
        return bad(report, f"this container has no NVIDIA GPU. If the machine has one: {GIVEN}{_fallback_hint(report)}")
    if report.board:
        return bad(
            report,
            "an NVIDIA GPU without a driver. Install one: sudo ubuntu-drivers install "
            "(or from https://www.nvidia.com/drivers), then restart the machine",
        )
    if report.engine:
        return bad(
            report, f"no NVIDIA GPU, which {report.engine} needs. Run it elsewhere, or use: {_same_network_option(report)}"
        )
    return Finding("ok", "no NVIDIA GPU; everything works without one")


def _fallback_hint(report: Graphics) -> str:
    """Hint for a machine without a GPU: the same network without TensorRT."""
    return f". If it has none, use: {_same_network_option(report)}" if report.engine else ""


def _same_network_option(report: Graphics) -> str:
    """The option for the same network without TensorRT."""
    return f"--engine {report.engine.rpartition('-')[0]}"


def memory(report: Graphics) -> Finding | None:
    """Check the free memory of the first GPU."""
    card = report.driver.cards[0] if report.driver.cards else Card("")
    if card.total < 0 or card.free < 0:
        return None
    text = f"{card.free / 1e9:.1f} of {card.total / 1e9:.1f} GB free"
    if card.free >= NEEDED_BYTES:
        return Finding("ok", text)
    needed = f"a network needs about {NEEDED_BYTES / 1e9:.0f} GB"
    if card.total < NEEDED_BYTES:
        return bad(report, f"{text}; {needed}. Run it elsewhere, or use a CPU engine: --engine blazepose")
    return bad(report, f"{text}; {needed}. Stop other programs that use the GPU; nvidia-smi lists them")


def torch(report: Graphics) -> Finding | None:
    """Check that PyTorch can use the GPU."""
    installed, driver = report.torch, report.driver
    expected = bool(driver.cards or driver.fault or report.board or report.promised)
    if not installed:
        missing = f"not installed; TensorRT plans need it for GPU memory. Install it: {_torch_install_command(driver.cuda)}"
        return bad(report, missing) if expected and report.engine else None
    if not installed.cuda:
        cpu_only = f"{installed.version} is for CPU only. Install one for CUDA: {_torch_install_command(driver.cuda)}"
        return bad(report, cpu_only) if expected else None
    text = f"{installed.version} for CUDA {installed.cuda}"
    if TOO_OLD in installed.fault or 0 < major(driver.cuda) < major(installed.cuda):
        return bad(report, f"{text}, but {too_old(report, installed.cuda)}{_torch_alternative(report)}")
    if NO_GPU in installed.fault and report.hidden is not None:
        return bad(report, f"{text} sees no GPU: CUDA_VISIBLE_DEVICES is {report.hidden!r}. Unset it: unset CUDA_VISIBLE_DEVICES")
    if installed.fault:
        return bad(
            report,
            f"{text} cannot use the GPU: {installed.fault.rstrip('.')}. Reinstall it: {_torch_install_command(installed.cuda)}",
        )
    return Finding("ok", text)


def bad(report: Graphics, text: str) -> Finding:
    """A failure if an engine that needs the GPU was named, else a warning."""
    return Finding("fail" if report.engine else "warn", text)


def too_old(report: Graphics, cuda: str) -> str:
    """Message about a driver that is too old for a CUDA version, with the oldest one that works."""
    driver = report.driver
    limit = f"runs CUDA up to {driver.cuda}" if driver.cuda else "is too old"
    oldest = OLDEST_DRIVER.get(major(cuda))
    wanted = f"driver {oldest} or newer" if oldest else "a newer driver"
    where = " on the machine around this container" if report.container else ""
    return f"{f'driver {driver.version}'.strip()} {limit}. Install {wanted}{where}: sudo ubuntu-drivers install"


def _torch_alternative(report: Graphics) -> str:
    """Alternative to a new driver: a PyTorch for the driver's CUDA; in a container, an image for that CUDA."""
    cuda = report.driver.cuda
    if major(cuda) not in TORCH_INDEX:
        return ""
    if report.container:
        return f", or build the image for CUDA {major(cuda)}: see docs/containers.md for the --build-arg"
    return f", or a PyTorch for CUDA {major(cuda)}: {_torch_install_command(cuda)}"


def _torch_install_command(cuda: str) -> str:
    """Command that installs PyTorch for a driver's CUDA; the newest one if the driver is too old for all."""
    index = TORCH_INDEX.get(major(cuda)) or TORCH_INDEX[max(TORCH_INDEX)]
    return f"pip install --force-reinstall torch --index-url {index}"


def called(card: Card) -> str:
    """Name and compute capability of a GPU."""
    return f"{card.name} (compute capability {card.capability})" if card.capability else card.name


def major(version: str) -> int:
    """Major version: 12 of "12.4"; 0 if unknown."""
    number = version.partition(".")[0]
    return int(number) if number.isdecimal() else 0
