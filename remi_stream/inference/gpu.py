"""NVIDIA's GPUs, queried by NVML, the driver's management library: without PyTorch or TensorRT, without GPU memory."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from remi_stream.errors import RemiError

NVML_LIBRARY = "libnvidia-ml.so.1"
DRIVER_VERSION_FILE = Path("/proc/driver/nvidia/version")
"""A file of the kernel's driver; in a container that of its host, even if the container gets no GPU."""


class NoGpuError(RemiError):
    """There is no usable NVIDIA GPU; the message says why."""


class NoDriverError(NoGpuError):
    """There is no NVIDIA driver."""


class Gpu(NamedTuple):
    """An NVIDIA GPU."""

    name: str
    capability: str = ""
    """Compute capability: "8.9"; "" if unknown."""
    total_bytes: int = -1
    """GPU memory, bytes; -1 if unknown."""
    free_bytes: int = -1
    """Free GPU memory, bytes; -1 if unknown."""
    uuid: str = ""
    """NVIDIA's id of this GPU: "GPU-8f2c0d1e-..."."""


class NvidiaDriver(NamedTuple):
    """The NVIDIA driver; all fields are empty if there is none."""

    version: str = ""
    """Driver version ("550.54.14"), "" if unknown."""
    cuda: str = ""
    """Newest CUDA version that it runs ("12.4"), "" if unknown."""
    gpus: tuple[Gpu, ...] = ()
    """The GPUs in CUDA's order."""
    fault: str = ""
    """Why the driver does not answer."""


def find_gpu() -> Gpu:
    """Return the GPU that CUDA counts as the first. Raises NoGpuError with the reason if there is none."""
    driver = read_driver()
    if driver.fault:
        raise NoGpuError(f"the NVIDIA driver reports: {driver.fault}")
    if not driver.gpus:
        hint = "; a container needs --gpus all" if DRIVER_VERSION_FILE.exists() else ""
        raise NoGpuError(f"there is no NVIDIA driver here ({NVML_LIBRARY} is missing{hint})")
    visible = visible_gpus(driver.gpus, os.environ.get("CUDA_VISIBLE_DEVICES"))
    if not visible:
        raise NoGpuError("CUDA_VISIBLE_DEVICES hides every GPU")
    return visible[0]


def read_driver() -> NvidiaDriver:
    """Return the driver's versions and GPUs, or why it does not answer; an empty record if there is no driver."""
    try:
        nvml = start_nvml()
    except NoDriverError:
        return NvidiaDriver()
    except NoGpuError as error:
        return NvidiaDriver(fault=str(error))
    try:
        gpus = tuple(describe_gpu(nvml, handle) for handle in ordered_handles(nvml))
        cuda = value_or(nvml, 0, nvml.nvmlSystemGetCudaDriverVersion)  # 12.8 is 12080
        return NvidiaDriver(
            version=value_or(nvml, "", nvml.nvmlSystemGetDriverVersion),
            cuda=f"{cuda // 1000}.{cuda % 1000 // 10}" if cuda else "",
            gpus=gpus,
            fault="" if gpus else "No devices were found",
        )
    except nvml.NVMLError as error:
        return NvidiaDriver(fault=str(error))
    finally:
        nvml.nvmlShutdown()


def start_nvml() -> Any:
    """Start NVML and return its module; `nvmlShutdown` ends it. Raises NoDriverError, or NoGpuError with NVML's reason."""
    import pynvml

    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError as error:
        if error.value == pynvml.NVML_ERROR_LIBRARY_NOT_FOUND:
            raise NoDriverError(f"{NVML_LIBRARY} is missing") from None
        raise NoGpuError(f"Failed to initialize NVML: {error}") from None
    return pynvml


def ordered_handles(nvml: Any) -> list[Any]:
    """Return NVML's handles in CUDA's order: the fastest first, unless CUDA_DEVICE_ORDER sets the order on the bus."""
    handles = [nvml.nvmlDeviceGetHandleByIndex(index) for index in range(nvml.nvmlDeviceGetCount())]
    if os.environ.get("CUDA_DEVICE_ORDER") == "PCI_BUS_ID":
        return handles

    # CUDA's own measure is not published; cores times clock separates a workstation's display GPU from the one for computing.
    def speed(handle: Any) -> int:
        cores = value_or(nvml, 0, nvml.nvmlDeviceGetNumGpuCores, handle)
        return cores * value_or(nvml, 0, nvml.nvmlDeviceGetMaxClockInfo, handle, nvml.NVML_CLOCK_SM)

    return sorted(handles, key=speed, reverse=True)


def describe_gpu(nvml: Any, handle: Any) -> Gpu:
    """Describe a GPU; values that NVML does not provide stay unknown."""
    memory = value_or(nvml, None, nvml.nvmlDeviceGetMemoryInfo, handle)
    return Gpu(
        name=nvml.nvmlDeviceGetName(handle),
        capability=".".join(map(str, value_or(nvml, (), nvml.nvmlDeviceGetCudaComputeCapability, handle))),
        total_bytes=memory.total if memory else -1,
        free_bytes=memory.free if memory else -1,
        uuid=value_or(nvml, "", nvml.nvmlDeviceGetUUID, handle),
    )


def value_or(nvml: Any, default: Any, query: Callable[..., Any], *arguments: Any) -> Any:
    """Return the result of a query to NVML, or the default if this GPU or driver does not support it."""
    try:
        return query(*arguments)
    except nvml.NVMLError:
        return default


def visible_gpus(gpus: Sequence[Gpu], chosen: str | None) -> list[Gpu]:
    """Return the GPUs that CUDA sees. chosen: the value of CUDA_VISIBLE_DEVICES, numbers or beginnings of UUIDs; None: all.

    As in CUDA, the first entry that is no GPU ends the list. A MIG instance counts as the first GPU.
    """
    found: list[Gpu] = []
    for entry in (part.strip() for part in chosen.split(",")) if chosen is not None else map(str, range(len(gpus))):
        if entry.isdecimal():
            matches = gpus[int(entry) : int(entry) + 1]
        elif entry.startswith("MIG-"):
            matches = gpus[:1]
        else:
            matches = [gpu for gpu in gpus if entry and gpu.uuid.startswith(entry)][:1]
        if not matches:
            break
        found += matches
    return found
