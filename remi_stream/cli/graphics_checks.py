"""From what is known of NVIDIA's things here to what is wrong with them and what to do; None where there is nothing to say."""

from __future__ import annotations

from remi_stream.cli.finding import Finding
from remi_stream.cli.graphics import Card, Graphics

NEEDED_BYTES = 2e9
"""Free on the GPU: half a gigabyte for CUDA itself, and weights, activations and TensorRT's own for eight people. An estimate."""
OLDEST_DRIVER = {11: "450", 12: "525", 13: "580"}
"""The first driver that runs a CUDA; from CUDA 11 on it runs everything of the same major version."""
TORCH_INDEX = {12: "https://download.pytorch.org/whl/cu126", 13: "https://download.pytorch.org/whl/cu130"}
GIVEN = "docker run --gpus all (Podman: --device nvidia.com/gpu=all)"
NO_GPU, TOO_OLD = "No CUDA GPUs", "too old"
"""In the words of PyTorch."""


def gpu(known: Graphics) -> Finding:
    """Look for a GPU that answers."""
    driver = known.driver
    if driver.cards:
        runs = f"driver {driver.version or 'of unknown version'}" + (f", runs CUDA up to {driver.cuda}" if driver.cuda else "")
        return Finding("ok", f"{', '.join(map(called, driver.cards))}; {runs}")
    if driver.fault:
        machine = "Restart the machine; if that does not help, install the driver again: sudo ubuntu-drivers install"
        mend = "Start the container again; if that does not help, restart the machine" if known.container else machine
        return bad(known, f"the NVIDIA driver does not answer: {driver.fault.rstrip('.')}. {mend}")
    if known.container and known.board:
        return bad(known, f"this container was not given the machine's NVIDIA GPU. Start it with: {GIVEN}")
    if known.container and known.promised:
        return bad(known, f"this container was not given an NVIDIA GPU. If the machine has one: {GIVEN}{_without(known)}")
    if known.board:
        return bad(
            known,
            "an NVIDIA GPU without a driver. Install it: sudo ubuntu-drivers install "
            "(or from https://www.nvidia.com/drivers), then restart the machine",
        )
    if known.engine:
        return bad(known, f"no NVIDIA GPU here, which {known.engine} is for. Run it elsewhere, or take: {_instead(known)}")
    return Finding("ok", "no NVIDIA GPU; everything works without one")


def _without(known: Graphics) -> str:
    """What a machine without a GPU runs instead of the engine that was asked for."""
    return f". If it has none, take: {_instead(known)}" if known.engine else ""


def _instead(known: Graphics) -> str:
    """The option that takes the same network without TensorRT."""
    return f"--engine {known.engine.rpartition('-')[0]}"


def memory(known: Graphics) -> Finding | None:
    """Look at the first GPU's memory."""
    card = known.driver.cards[0] if known.driver.cards else Card("")
    if card.total < 0 or card.free < 0:
        return None
    text = f"{card.free / 1e9:.1f} of {card.total / 1e9:.1f} GB free"
    if card.free >= NEEDED_BYTES:
        return Finding("ok", text)
    needed = f"a network needs about {NEEDED_BYTES / 1e9:.0f} GB"
    if card.total < NEEDED_BYTES:
        return bad(known, f"{text}; {needed}. Run it elsewhere, or take an engine for the processor: --engine blazepose")
    return bad(known, f"{text}; {needed}. End other programs that use the GPU; nvidia-smi lists them")


def torch(known: Graphics) -> Finding | None:
    """Look whether PyTorch can use the GPU."""
    found, driver = known.torch, known.driver
    here = bool(driver.cards or driver.fault or known.board or known.promised)
    if not found:
        absent = f"not installed; plans use its memory. Install it: {_torch_for(driver.cuda)}"
        return bad(known, absent) if here and known.engine else None
    if not found.cuda:
        unfit = f"{found.version} is for the processor only. Install one for CUDA: {_torch_for(driver.cuda)}"
        return bad(known, unfit) if here else None
    text = f"{found.version} for CUDA {found.cuda}"
    if TOO_OLD in found.fault or 0 < major(driver.cuda) < major(found.cuda):
        return bad(known, f"{text}, but {too_old(known, found.cuda)}{_other_torch(known)}")
    if NO_GPU in found.fault and known.hidden is not None:
        return bad(known, f"{text} sees no GPU: CUDA_VISIBLE_DEVICES is {known.hidden!r}. Unset it: unset CUDA_VISIBLE_DEVICES")
    if found.fault:
        return bad(known, f"{text} cannot use the GPU: {found.fault.rstrip('.')}. Install it again: {_torch_for(found.cuda)}")
    return Finding("ok", text)


def bad(known: Graphics, text: str) -> Finding:
    """A fault for who asked for an engine that needs the GPU; a hint for everybody else."""
    return Finding("fail" if known.engine else "warn", text)


def too_old(known: Graphics, cuda: str) -> str:
    """What a driver is too old for."""
    driver = known.driver
    limit = f"runs CUDA up to {driver.cuda}" if driver.cuda else "is too old"
    oldest = OLDEST_DRIVER.get(major(cuda))
    newer = f"driver {oldest} or newer" if oldest else "a newer driver"
    where = " on the machine around this container" if known.container else ""
    return f"{f'driver {driver.version}'.strip()} {limit}. Install {newer}{where}: sudo ubuntu-drivers install"


def _other_torch(known: Graphics) -> str:
    """What else would do: a PyTorch that the driver runs, which in a container is another image."""
    cuda = known.driver.cuda
    if major(cuda) not in TORCH_INDEX:
        return ""
    if known.container:
        return f", or build the image for CUDA {major(cuda)}: docs/containers.md says with which --build-arg"
    return f", or a PyTorch for CUDA {major(cuda)}: {_torch_for(cuda)}"


def _torch_for(cuda: str) -> str:
    """How to get a PyTorch that a driver of this CUDA runs; the newest one for a driver that is too old for all."""
    index = TORCH_INDEX.get(major(cuda)) or TORCH_INDEX[max(TORCH_INDEX)]
    return f"pip install --force-reinstall torch --index-url {index}"


def called(card: Card) -> str:
    """A GPU for people."""
    return f"{card.name} (compute capability {card.capability})" if card.capability else card.name


def major(version: str) -> int:
    """12 of "12.4"; 0 if nothing is known."""
    number = version.partition(".")[0]
    return int(number) if number.isdecimal() else 0
