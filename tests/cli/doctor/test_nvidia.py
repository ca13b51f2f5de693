"""The NVIDIA checks of `doctor`: each problem, from a fake report, with its exact line."""

from __future__ import annotations

import msgspec
import pytest

from remi_stream.cli.doctor.checks import NVIDIA_CHECKS, tensorrt_engine
from remi_stream.cli.doctor.nvidia import NvidiaReport, TensorRTInstall, TorchInstall
from remi_stream.errors import UsageError
from remi_stream.inference.gpu import Gpu, NvidiaDriver
from remi_stream.inference.plan import PlanKey
from remi_stream.install_hint import install_command

GB = 10**9
RTX = Gpu("NVIDIA GeForce RTX 3060", "8.6", 12 * GB, 11 * GB)
H200 = Gpu("NVIDIA H200", "9.0", 150 * GB, 149 * GB)
PASCAL = Gpu("NVIDIA GeForce GTX 1080", "6.1", 8 * GB, 7 * GB)
NEW = NvidiaDriver("580.95.05", "13.0", (RTX,))
OLD = NvidiaDriver("550.54.14", "12.4", (RTX,))
OLDEST = NvidiaDriver("470.256.02", "11.4", (RTX,))
HOPPER = NvidiaDriver("580.95.05", "13.0", (H200,))
TORCH = TorchInstall("2.13.0", "13.0")
TRT = TensorRTInstall("tensorrt", "11.0.0.114", cuda="13")
TRT_RTX = TensorRTInstall("tensorrt_rtx", "1.7.1.116", cuda="13")
NVINFER = "ImportError: libnvinfer.so.11: cannot open shared object file: No such file or directory"
FROM_NVIDIA = "--extra-index-url https://pypi.nvidia.com"
TORCH_TOO_OLD = "The NVIDIA driver on your system is too old (found version 12040). Please update your GPU driver by ..."


def plan(backend: str = "tensorrt", version: str = TRT.version, *capabilities: str, model: str = "poco_cliff") -> PlanKey:
    return PlanKey(model, "fp16", "0" * 64, 8, backend, version, capabilities or ("8.6",))


PARE, PARE_ON_HOPPER = plan(model="pare"), plan("tensorrt", TRT.version, "9.0", model="pare")
PROBLEMS: dict[str, tuple[str, NvidiaReport, str]] = {
    "no driver": (
        "GPU",
        NvidiaReport(gpu_on_bus=True),
        "an NVIDIA GPU without a driver. Install one: sudo ubuntu-drivers install (or from https://www.nvidia.com/drivers), "
        "then restart the machine",
    ),
    "driver that does not answer": (
        "GPU",
        NvidiaReport(gpu_on_bus=True, driver=NvidiaDriver(fault="Failed to initialize NVML: Driver/library version mismatch")),
        "the NVIDIA driver does not answer: Failed to initialize NVML: Driver/library version mismatch. Restart the machine; "
        "if that does not help, reinstall the driver: sudo ubuntu-drivers install",
    ),
    "driver that does not answer in a container": (
        "GPU",
        NvidiaReport(in_container=True, driver=NvidiaDriver(fault="Failed to initialize NVML: Unknown Error")),
        "the NVIDIA driver does not answer: Failed to initialize NVML: Unknown Error. Start the container again; "
        "if that does not help, restart the machine",
    ),
    "container without --gpus": (
        "GPU",
        NvidiaReport(in_container=True, gpu_expected=True),
        "this container has no NVIDIA GPU. If the machine has one: docker run --gpus all (Podman: --device nvidia.com/gpu=all)",
    ),
    "container on a machine with a GPU": (
        "GPU",
        NvidiaReport(in_container=True, gpu_on_bus=True),
        "this container cannot access the NVIDIA GPU of the machine. Start it with: docker run --gpus all "
        "(Podman: --device nvidia.com/gpu=all)",
    ),
    "not enough GPU memory": (
        "GPU memory",
        NvidiaReport(driver=NvidiaDriver("580.95.05", "13.0", (RTX._replace(free_bytes=GB),))),
        "1.0 of 12.0 GB free; a network needs about 2 GB. Stop other programs that use the GPU; nvidia-smi lists them",
    ),
    "GPU that is too small": (
        "GPU memory",
        NvidiaReport(driver=NvidiaDriver("580.95.05", "13.0", (RTX._replace(total_bytes=GB, free_bytes=GB // 2),))),
        "0.5 of 1.0 GB free; a network needs about 2 GB. Run it elsewhere, or use a CPU engine: --engine blazepose",
    ),
    "driver older than torch's CUDA": (
        "PyTorch",
        NvidiaReport(driver=OLD, torch=TORCH),
        "2.13.0 for CUDA 13.0, but driver 550.54.14 runs CUDA up to 12.4. Install driver 580 or newer: "
        "sudo ubuntu-drivers install, or a PyTorch for CUDA 12: pip install --force-reinstall torch --index-url https://download.pytorch.org/whl/cu126",
    ),
    "driver older than torch's CUDA, in a container": (
        "PyTorch",
        NvidiaReport(in_container=True, driver=OLD, torch=TORCH),
        "2.13.0 for CUDA 13.0, but driver 550.54.14 runs CUDA up to 12.4. Install driver 580 or newer on the machine around "
        "this container: sudo ubuntu-drivers install, or build the image for CUDA 12: "
        "see docs/operate/containers.md for the --build-arg",
    ),
    "driver older than any torch's CUDA": (
        "PyTorch",
        NvidiaReport(driver=OLDEST, torch=TorchInstall("2.13.0+cu126", "12.6")),
        "2.13.0+cu126 for CUDA 12.6, but driver 470.256.02 runs CUDA up to 11.4. Install driver 525 or newer: "
        "sudo ubuntu-drivers install",
    ),
    "driver older than torch's CUDA, by torch's own message": (
        "PyTorch",
        NvidiaReport(driver=NvidiaDriver("550.54.14", "", (RTX,)), torch=TorchInstall("2.13.0", "13.0", TORCH_TOO_OLD)),
        "2.13.0 for CUDA 13.0, but driver 550.54.14 is too old. Install driver 580 or newer: sudo ubuntu-drivers install",
    ),
    "CPU-only torch, new driver": (
        "PyTorch",
        NvidiaReport(driver=NEW, torch=TorchInstall("2.13.0+cpu")),
        "2.13.0+cpu is for CPU only. Install one for CUDA: pip install --force-reinstall torch "
        "--index-url https://download.pytorch.org/whl/cu130",
    ),
    "CPU-only torch, older driver": (
        "PyTorch",
        NvidiaReport(driver=OLD, torch=TorchInstall("2.13.0+cpu")),
        "2.13.0+cpu is for CPU only. Install one for CUDA: pip install --force-reinstall torch "
        "--index-url https://download.pytorch.org/whl/cu126",
    ),
    "GPU that is hidden from torch": (
        "PyTorch",
        NvidiaReport(driver=NEW, visible_devices="-1", torch=TorchInstall("2.13.0", "13.0", "No CUDA GPUs are available")),
        "2.13.0 for CUDA 13.0 sees no GPU: CUDA_VISIBLE_DEVICES is '-1'. Unset it: unset CUDA_VISIBLE_DEVICES",
    ),
    "torch that fails": (
        "PyTorch",
        NvidiaReport(driver=NEW, visible_devices="0", torch=TorchInstall("2.13.0", "13.0", "CUDA error: unknown error.")),
        "2.13.0 for CUDA 13.0 cannot use the GPU: CUDA error: unknown error. Reinstall it: "
        "pip install --force-reinstall torch --index-url https://download.pytorch.org/whl/cu130",
    ),
    "TensorRT's libraries missing": (
        "TensorRT",
        NvidiaReport(driver=NEW, tensorrt=(TRT._replace(fault=NVINFER),)),
        "TensorRT 11.0.0.114 does not find libnvinfer.so.11. Install it: "
        f"pip install --force-reinstall --no-cache-dir tensorrt-cu13 {FROM_NVIDIA}, "
        "or add its folder to LD_LIBRARY_PATH",
    ),
    "TensorRT from the wrong index": (
        "TensorRT",
        NvidiaReport(driver=OLD, tensorrt=(TensorRTInstall("tensorrt", "10.15.1", NVINFER, is_stub=True, cuda="12"),)),
        "TensorRT 10.15.1 is installed without libnvinfer.so: a placeholder package of PyPI. Install it from NVIDIA's index: "
        f"pip install --force-reinstall --no-cache-dir tensorrt-cu12 {FROM_NVIDIA}",
    ),
    "TensorRT-RTX without its libraries": (
        "TensorRT",
        NvidiaReport(
            driver=NEW, tensorrt=(TRT_RTX._replace(fault="ImportError: libtensorrt_rtx.so.1: cannot open", is_stub=True),)
        ),
        "TensorRT-RTX 1.7.1.116 is installed without libtensorrt_rtx.so: incomplete installation. Reinstall it: "
        "pip install --force-reinstall --no-cache-dir tensorrt-rtx-cu13",
    ),
    "TensorRT that crashes": (
        "TensorRT",
        NvidiaReport(driver=NEW, tensorrt=(TRT._replace(fault="exit code -11"),)),
        "TensorRT 11.0.0.114 does not load: exit code -11. Reinstall it: "
        f"pip install --force-reinstall --no-cache-dir tensorrt-cu13 {FROM_NVIDIA}",
    ),
    "TensorRT for a newer CUDA": (
        "TensorRT",
        NvidiaReport(driver=OLD, tensorrt=(TRT,)),
        "TensorRT 11.0.0.114 is for CUDA 13, but driver 550.54.14 runs CUDA up to 12.4. Install driver 580 or newer: "
        "sudo ubuntu-drivers install",
    ),
    "Hopper and TensorRT-RTX": (
        "TensorRT",
        NvidiaReport(driver=HOPPER, tensorrt=(TRT_RTX,)),
        "TensorRT-RTX 1.7.1.116 does not support NVIDIA H200 (compute capability 9.0); supported: 7.5, 8.x and 12.x. "
        f"Install TensorRT: pip install tensorrt-cu13 {FROM_NVIDIA}",
    ),
    "GPU that is too old for both": (
        "TensorRT",
        NvidiaReport(driver=NvidiaDriver("580.95.05", "13.0", (PASCAL,)), tensorrt=(TRT, TRT_RTX)),
        "TensorRT 11.0.0.114 does not support NVIDIA GeForce GTX 1080 (compute capability 6.1); supported: 7.5 and later. "
        "Use PyTorch: --engine poco-torch; "
        "TensorRT-RTX 1.7.1.116 does not support NVIDIA GeForce GTX 1080 (compute capability 6.1); supported: 7.5, 8.x and 12.x. "
        "Use PyTorch: --engine poco-torch",
    ),
    "torch-tensorrt for another torch": (
        "torch-tensorrt",
        NvidiaReport(torch=TORCH, torch_tensorrt="2.11.0"),
        "2.11.0 is built for torch 2.11, got 2.13.0. Install the matching one: "
        f"pip install 'torch-tensorrt==2.13.*' {FROM_NVIDIA}",
    ),
    "torch-tensorrt for another TensorRT": (
        "torch-tensorrt",
        NvidiaReport(torch=TorchInstall("2.12.1+cu130", "13.0"), torch_tensorrt="2.12.1", tensorrt=(TRT,)),
        "2.12.1 is built for TensorRT 10.16, got 11.0.0.114. Install the matching one: "
        f"pip install 'tensorrt==10.16.*' {FROM_NVIDIA}",
    ),
    "torch-tensorrt without torch": (
        "torch-tensorrt",
        NvidiaReport(torch_tensorrt="2.13.0"),
        "2.13.0 without PyTorch. Install the matching one: pip install 'torch==2.13.*'",
    ),
    "plan of another version": (
        "plans",
        NvidiaReport(driver=NEW, tensorrt=(TRT,), plans=(plan("tensorrt", "10.15.1.29"),)),
        "poco_cliff's plan is for TensorRT 10.15.1.29 for 8.6; this machine has TensorRT 11.0.0.114 with a GPU of 8.6. "
        "Rebuild it: remi-stream convert poco-trt",
    ),
    "plan for another GPU": (
        "plans",
        NvidiaReport(driver=HOPPER, tensorrt=(TRT,), plans=(plan(), PARE, PARE_ON_HOPPER)),
        "poco_cliff's plan is for TensorRT 11.0.0.114 for 8.6; this machine has TensorRT 11.0.0.114 with a GPU of 9.0. "
        "Rebuild it: remi-stream convert poco-trt",
    ),
    "plan of torch-tensorrt and one of another system": (
        "plans",
        NvidiaReport(
            torch_tensorrt="2.13.0",
            tensorrt=(TRT,),
            plans=(plan("torch_tensorrt", "2.12.1"), msgspec.structs.replace(plan(), system="linux-aarch64")),
        ),
        "poco_cliff's plan is for torch-tensorrt 2.12.1 for 8.6, TensorRT 11.0.0.114 for 8.6 on linux-aarch64; "
        "this machine has TensorRT 11.0.0.114. Rebuild it: remi-stream convert poco-trt",
    ),
    "plan without TensorRT": (
        "plans",
        NvidiaReport(tensorrt=(TRT._replace(fault=NVINFER),), plans=(plan(),)),
        "poco_cliff's plan is for TensorRT 11.0.0.114 for 8.6; this machine has no TensorRT. Rebuild it: "
        "remi-stream convert poco-trt",
    ),
}


@pytest.mark.parametrize("name", PROBLEMS)
def test_problem_is_reported_in_one_exact_line(name: str) -> None:
    title, report, line = PROBLEMS[name]
    assert NVIDIA_CHECKS[title](report) == ("warn", line)


@pytest.mark.parametrize("name", PROBLEMS)
def test_problem_is_a_failure_for_a_named_engine_that_needs_the_gpu(name: str) -> None:
    title, report, _ = PROBLEMS[name]
    finding = NVIDIA_CHECKS[title](report._replace(engine="poco-trt"))
    assert finding
    assert finding.verdict == "fail"


MISSING: list[tuple[str, NvidiaReport, tuple[str, str]]] = [
    ("GPU", NvidiaReport(), ("fail", "no NVIDIA GPU, which poco-trt needs. Run it elsewhere, or use: --engine poco")),
    (
        "GPU",
        NvidiaReport(in_container=True, gpu_expected=True),
        (
            "fail",
            "this container has no NVIDIA GPU. If the machine has one: docker run --gpus all "
            "(Podman: --device nvidia.com/gpu=all). If it has none, use: --engine poco",
        ),
    ),
    (
        "TensorRT",
        NvidiaReport(driver=NEW),
        ("fail", f"not installed. Install it: {install_command('rtx')}, or pip install tensorrt-cu13 {FROM_NVIDIA}"),
    ),
    ("TensorRT", NvidiaReport(driver=HOPPER), ("fail", f"not installed. Install it: pip install tensorrt-cu13 {FROM_NVIDIA}")),
    (
        "PyTorch",
        NvidiaReport(driver=OLD),
        (
            "fail",
            "not installed; TensorRT plans need it for GPU memory. Install it: "
            "pip install --force-reinstall torch --index-url https://download.pytorch.org/whl/cu126",
        ),
    ),
    ("plans", NvidiaReport(driver=NEW), ("warn", "none yet. Build one: remi-stream convert poco-trt")),
    (
        "plans",
        NvidiaReport(driver=NEW, tensorrt=(TRT_RTX,), plans=(plan(),)),
        (
            "fail",
            "poco_cliff's plan is for TensorRT 11.0.0.114 for 8.6; this machine has TensorRT-RTX 1.7.1.116 with a GPU of 8.6. "
            "Rebuild it: remi-stream convert poco-trt",
        ),
    ),
]


@pytest.mark.parametrize(("title", "report", "finding"), MISSING)
def test_missing_part_of_a_named_engine_is_reported(title: str, report: NvidiaReport, finding: tuple[str, str]) -> None:
    assert NVIDIA_CHECKS[title](report._replace(engine="poco-trt")) == finding


def lines(report: NvidiaReport) -> dict[str, str]:
    found = {title: check(report) for title, check in NVIDIA_CHECKS.items()}
    assert {finding.verdict for finding in found.values() if finding} == {"ok"}
    return {title: finding.text for title, finding in found.items() if finding}


def test_machine_without_a_gpu_gets_one_ok_line() -> None:
    one = {"GPU": "no NVIDIA GPU; everything works without one"}
    assert lines(NvidiaReport()) == one
    assert lines(NvidiaReport(in_container=True, torch=TorchInstall("2.13.0+cpu"))) == one


def test_without_a_gpu_nothing_is_suggested_to_install() -> None:
    for torch in (None, TorchInstall("2.13.0+cpu")):
        assert NVIDIA_CHECKS["PyTorch"](NvidiaReport(engine="poco-trt", torch=torch)) is None


def test_complete_machine_is_ok() -> None:
    report = NvidiaReport("poco-trt", True, True, True, "0", NEW, TORCH, (TRT, TRT_RTX), "2.13.0", (plan(),))
    assert lines(report) == {
        "GPU": "NVIDIA GeForce RTX 3060 (compute capability 8.6); driver 580.95.05, runs CUDA up to 13.0",
        "GPU memory": "11.0 of 12.0 GB free",
        "PyTorch": "2.13.0 for CUDA 13.0",
        "TensorRT": "TensorRT 11.0.0.114, TensorRT-RTX 1.7.1.116",
        "torch-tensorrt": "2.13.0, matches torch 2.13.0",
        "plans": "poco_cliff fp16 (TensorRT)",
    }


@pytest.mark.parametrize(
    ("title", "report"),
    [
        (
            "PyTorch",
            NvidiaReport(driver=NvidiaDriver("535.1", "12.2", (RTX,)), torch=TorchInstall("2.9.1", "12.8")),
        ),  # CUDA 12 runs 12
        ("PyTorch", NvidiaReport(torch=TORCH)),
        ("TensorRT", NvidiaReport(driver=HOPPER, tensorrt=(TRT, TRT_RTX))),  # one is enough
        ("TensorRT", NvidiaReport(driver=NEW, tensorrt=(TRT._replace(fault=NVINFER), TRT_RTX))),
        ("TensorRT", NvidiaReport(tensorrt=(TRT_RTX,))),  # builds without a GPU
        ("TensorRT", NvidiaReport(driver=NvidiaDriver(cuda="13.0", gpus=(Gpu("a GPU"),)), tensorrt=(TRT_RTX,))),
        (
            "torch-tensorrt",
            NvidiaReport(
                torch=TorchInstall("2.14.1", "13.0"), torch_tensorrt="2.14.0", tensorrt=(TRT._replace(version="11.1.2"),)
            ),
        ),
        (
            "torch-tensorrt",
            NvidiaReport(torch=TorchInstall("2.19.0", "13.0"), torch_tensorrt="2.19.0", tensorrt=(TRT,)),
        ),  # a later version than those in the table
        ("plans", NvidiaReport(torch_tensorrt="2.13.0", plans=(plan("torch_tensorrt", "2.13.0"),))),
        ("plans", NvidiaReport(tensorrt=(TRT_RTX,), plans=(plan("tensorrt_rtx", TRT_RTX.version, "8.0", "8.6"), plan()))),
    ],
)
def test_working_parts_are_ok(title: str, report: NvidiaReport) -> None:
    finding = NVIDIA_CHECKS[title](report)
    assert finding
    assert finding.verdict == "ok"


def test_unknown_memory_is_not_checked() -> None:
    assert NVIDIA_CHECKS["GPU memory"](NvidiaReport(driver=NvidiaDriver(cuda="13.0", gpus=(Gpu("a GPU"),)))) is None


@pytest.mark.parametrize("engine", ["", "blazepose", "poco-torch"])
def test_cpu_engine_needs_no_gpu_check(engine: str) -> None:
    assert tensorrt_engine(engine) == ""


def test_unknown_engine_is_reported() -> None:
    with pytest.raises(UsageError, match="Unknown engine 'nothing'"):
        tensorrt_engine("nothing-trt")
