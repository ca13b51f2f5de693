"""Checks of TensorRT, torch-tensorrt and plans, with fixes; None where a check does not apply."""

from __future__ import annotations

from remi_stream.cli.finding import CheckResult
from remi_stream.cli.graphics import NvidiaGpu, NvidiaReport, TensorRTInstall
from remi_stream.cli.graphics_checks import driver_too_old, gpu_label, major_version, problem
from remi_stream.convert.plan import SYSTEM, PlanKey, build_command

NVIDIA_INDEX = "--extra-index-url https://pypi.nvidia.com"
TENSORRT_TITLES = {"tensorrt": "TensorRT", "tensorrt_rtx": "TensorRT-RTX", "torch_tensorrt": "torch-tensorrt"}
TENSORRT_LIBRARIES = {"tensorrt": "libnvinfer.so", "tensorrt_rtx": "libtensorrt_rtx.so"}
STUB_FIXES = {
    "tensorrt": "a placeholder package of PyPI. Install it from NVIDIA's index",
    "tensorrt_rtx": "incomplete installation. Reinstall it",
}
SUPPORTED_CAPABILITIES = {"tensorrt": "7.5 and later", "tensorrt_rtx": "7.5, 8.x and 12.x"}
TORCH_TENSORRT_PAIRS = {"2.8": "10.12", "2.11": "10.15", "2.12": "10.16", "2.13": "11.0", "2.14": "11.1"}
"""TensorRT version that each torch-tensorrt is built with; its torch has the same number as itself."""


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
    card = report.driver.gpus[0] if report.driver.gpus else NvidiaGpu("")
    if not _supports(found.module, card.capability):
        supported = SUPPORTED_CAPABILITIES[found.module]
        return f"{title} does not support {gpu_label(card)}; supported: {supported}. {_alternative(report, found, card)}"
    return ""


def _supports(module: str, capability: str) -> bool:
    """Whether a TensorRT supports a GPU of this compute capability.

    TensorRT-RTX does not support data-centre GPUs: Hopper (9.0) and data-centre Blackwell (10.x).
    """
    if not capability:
        return True
    major, minor = map(int, capability.split("."))
    return (major, minor) >= (7, 5) and (module == "tensorrt" or major in (7, 8, 12))


def _alternative(report: NvidiaReport, found: TensorRTInstall, card: NvidiaGpu) -> str:
    """Alternative for a GPU that a TensorRT does not support."""
    if found.module == "tensorrt_rtx" and _supports("tensorrt", card.capability):
        return f"Install TensorRT: pip install {_package_name(report)} {NVIDIA_INDEX}"
    stem = report.engine.rpartition("-")[0]
    return f"Use PyTorch: --engine {stem or 'poco'}-torch"


def _plan_fits(report: NvidiaReport, plan: PlanKey) -> bool:
    """Whether a plan fits the installed TensorRT, the system and, if there is one, the GPU."""
    installed = {found.module: found.version for found in report.tensorrt if not found.fault} | {
        "torch_tensorrt": report.torch_tensorrt
    }
    gpus = {card.capability for card in report.driver.gpus[:1] if card.capability}
    return installed.get(plan.backend) == plan.version and gpus <= {*plan.capabilities} and plan.system == SYSTEM


def _plan_mismatch(report: NvidiaReport, model: str) -> str:
    """Why no plan of a model fits."""
    built = dict.fromkeys(_plan_target(plan) for plan in report.plans if plan.model == model)
    installed = [f"{TENSORRT_TITLES[found.module]} {found.version}" for found in report.tensorrt if not found.fault]
    gpu = [f"a GPU of {card.capability}" for card in report.driver.gpus[:1] if card.capability]
    own = " with ".join([" and ".join(installed) or "no TensorRT", *gpu])
    rebuild = f"remi-stream convert {report.engine}" if report.engine else build_command(model)
    return f"{model}'s plan is for {', '.join(built)}; this machine has {own}. Rebuild it: {rebuild}"


def _plan_target(plan: PlanKey) -> str:
    title = f"{TENSORRT_TITLES.get(plan.backend, plan.backend)} {plan.version} for {' and '.join(plan.capabilities)}"
    return title if plan.system == SYSTEM else f"{title} on {plan.system}"


def _install(report: NvidiaReport) -> str:
    """How to install a TensorRT that supports this GPU."""
    capability = report.driver.gpus[0].capability if report.driver.gpus else ""
    if _supports("tensorrt_rtx", capability):
        return f"Install it: pip install 'remi-stream[rtx]', or pip install {_package_name(report)} {NVIDIA_INDEX}"
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
