"""From what is known of TensorRT here to what is wrong with it and what to do; None where there is nothing to say."""

from __future__ import annotations

from remi_stream.cli.finding import Finding
from remi_stream.cli.graphics import Card, Graphics, TensorRT
from remi_stream.cli.graphics_checks import bad, called, major, too_old
from remi_stream.convert.plan import SYSTEM, PlanKey, command

NVIDIA_INDEX = "--extra-index-url https://pypi.nvidia.com"
TITLES = {"tensorrt": "TensorRT", "tensorrt_rtx": "TensorRT-RTX", "torch_tensorrt": "torch-tensorrt"}
LIBRARIES = {"tensorrt": "libnvinfer.so", "tensorrt_rtx": "libtensorrt_rtx.so"}
STUB = {
    "tensorrt": "a placeholder of PyPI's index. Install it from NVIDIA's",
    "tensorrt_rtx": "not all of it was installed. Install it again",
}
CAPABILITIES = {"tensorrt": "7.5 and later", "tensorrt_rtx": "7.5, 8.x and 12.x"}
PAIRS = {"2.8": "10.12", "2.11": "10.15", "2.12": "10.16", "2.13": "11.0", "2.14": "11.1"}
"""torch-tensorrt: the TensorRT that it is built with. Its torch has its own number."""


def tensorrt(known: Graphics) -> Finding | None:
    """Look for a TensorRT that loads and knows this GPU; one is enough."""
    if not known.tensorrt:
        return bad(known, f"not installed. {_install(known)}") if known.engine else None
    faults = {found: _fault(known, found) for found in known.tensorrt}
    fit = [f"{TITLES[found.module]} {found.version}" for found, fault in faults.items() if not fault]
    return Finding("ok", ", ".join(fit)) if fit else bad(known, "; ".join(faults.values()))


def torch_tensorrt(known: Graphics) -> Finding | None:
    """Look whether torch-tensorrt fits torch and TensorRT."""
    found = known.torch_tensorrt
    if not found:
        return None
    if not known.torch:
        return bad(known, f"{found} without PyTorch. Install the one that fits: pip install 'torch=={_minor(found)}.*'")
    if _minor(known.torch.version) != _minor(found):
        return bad(
            known,
            f"{found} is made for torch {_minor(found)}, got {known.torch.version}. Install the one that fits: "
            f"pip install 'torch-tensorrt=={_minor(known.torch.version)}.*' {NVIDIA_INDEX}",
        )
    for own in known.tensorrt:
        needed = PAIRS.get(_minor(found))
        if own.module == "tensorrt" and needed and own.version and _minor(own.version) != needed:
            return bad(
                known,
                f"{found} is made for TensorRT {needed}, got {own.version}. Install the one that fits: "
                f"pip install 'tensorrt=={needed}.*' {NVIDIA_INDEX}",
            )
    return Finding("ok", f"{found}, fits torch {known.torch.version}")


def plans(known: Graphics) -> Finding | None:
    """Look whether every model that has plans has one for this TensorRT and this GPU."""
    if not known.plans:
        return Finding("warn", f"none yet. Build it: remi-stream convert {known.engine}") if known.engine else None
    fit = [plan for plan in known.plans if _fits(known, plan)]
    models = dict.fromkeys(plan.model for plan in known.plans)
    misfits = [_misfit(known, model) for model in models if model not in {plan.model for plan in fit}]
    if misfits:
        return bad(known, "; ".join(misfits))
    return Finding("ok", ", ".join(f"{plan.model} {plan.precision} ({TITLES.get(plan.backend, plan.backend)})" for plan in fit))


def _fault(known: Graphics, found: TensorRT) -> str:
    """Why a TensorRT cannot be used here, and what to do; nothing if it can."""
    title, library = f"{TITLES[found.module]} {found.version}".strip(), LIBRARIES[found.module]
    if found.stub:
        return f"{title} is there without {library}: {STUB[found.module]}: {_anew(known, found)}"
    if library.partition(".")[0] in found.fault:
        missing = _library(found.fault, library)
        return f"{title} does not find {missing}. Install it: {_anew(known, found)}, or add its folder to LD_LIBRARY_PATH"
    if found.fault:
        return f"{title} does not load: {found.fault.rstrip('.')}. Install it again: {_anew(known, found)}"
    if 0 < major(known.driver.cuda) < major(found.cuda):
        return f"{title} is for CUDA {found.cuda}, but {too_old(known, found.cuda)}"
    card = known.driver.cards[0] if known.driver.cards else Card("")
    if not _knows(found.module, card.capability):
        return f"{title} does not know {called(card)}; it knows {CAPABILITIES[found.module]}. {_instead(known, found, card)}"
    return ""


def _knows(module: str, capability: str) -> bool:
    """Whether a TensorRT has code for a GPU of this compute capability.

    TensorRT-RTX leaves out the GPUs that only data centres have: Hopper (9.0) and the first Blackwell (10.x).
    """
    if not capability:
        return True
    major, minor = map(int, capability.split("."))
    return (major, minor) >= (7, 5) and (module == "tensorrt" or major in (7, 8, 12))


def _instead(known: Graphics, found: TensorRT, card: Card) -> str:
    """What a GPU needs that a TensorRT does not know."""
    if found.module == "tensorrt_rtx" and _knows("tensorrt", card.capability):
        return f"Install TensorRT: pip install {_package(known)} {NVIDIA_INDEX}"
    stem = known.engine.rpartition("-")[0]
    return f"Use PyTorch: --engine {stem or 'poco'}-torch"


def _fits(known: Graphics, plan: PlanKey) -> bool:
    """Whether a plan can be run here; without a GPU, whether it could be."""
    here = {found.module: found.version for found in known.tensorrt if not found.fault} | {"torch_tensorrt": known.torch_tensorrt}
    gpus = {card.capability for card in known.driver.cards[:1] if card.capability}
    return here.get(plan.backend) == plan.version and gpus <= {*plan.capabilities} and plan.system == SYSTEM


def _misfit(known: Graphics, model: str) -> str:
    """Why no plan of a model can be used."""
    built = dict.fromkeys(_made_for(plan) for plan in known.plans if plan.model == model)
    here = [f"{TITLES[found.module]} {found.version}" for found in known.tensorrt if not found.fault]
    gpu = [f"a GPU of {card.capability}" for card in known.driver.cards[:1] if card.capability]
    own = " with ".join([" and ".join(here) or "no TensorRT", *gpu])
    again = f"remi-stream convert {known.engine}" if known.engine else command(model)
    return f"{model}'s plan is of {', '.join(built)}; here is {own}. Build it again: {again}"


def _made_for(plan: PlanKey) -> str:
    title = f"{TITLES.get(plan.backend, plan.backend)} {plan.version} for {' and '.join(plan.capabilities)}"
    return title if plan.system == SYSTEM else f"{title} on {plan.system}"


def _install(known: Graphics) -> str:
    """How to get a TensorRT that knows this GPU."""
    capability = known.driver.cards[0].capability if known.driver.cards else ""
    if _knows("tensorrt_rtx", capability):
        return f"Install it: pip install 'remi-stream[rtx]', or pip install {_package(known)} {NVIDIA_INDEX}"
    return f"Install it: pip install {_package(known)} {NVIDIA_INDEX}"


def _anew(known: Graphics, found: TensorRT) -> str:
    """How to install a TensorRT again; TensorRT-RTX is in PyPI's index."""
    package = "tensorrt-rtx-cu13" if found.module == "tensorrt_rtx" else f"{_package(known)} {NVIDIA_INDEX}"
    return f"pip install --force-reinstall --no-cache-dir {package}"


def _package(known: Graphics) -> str:
    """TensorRT's package for the driver's CUDA."""
    return "tensorrt-cu12" if major(known.driver.cuda) == 12 else "tensorrt-cu13"


def _library(fault: str, library: str) -> str:
    """The library's name as the loader says it, with its number."""
    return next((word.strip(":") for word in fault.split() if word.startswith(library)), library)


def _minor(version: str) -> str:
    """ "2.13" of "2.13.0+cpu"."""
    return ".".join(version.split("+")[0].split(".")[:2])
