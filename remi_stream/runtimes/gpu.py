"""The NVIDIA GPU of this machine, asked of the driver itself: no PyTorch, no TensorRT, and no memory taken on the GPU."""

from __future__ import annotations

import ctypes
from typing import NamedTuple

from remi_stream.errors import RemiError

DRIVER = "libcuda.so.1"
MAJOR, MINOR = 75, 76
"""Of CUdevice_attribute: the compute capability."""
NO_DEVICE = 100


class NoGpuError(RemiError):
    """There is no NVIDIA GPU that could be used, and why."""


class Gpu(NamedTuple):
    """capability: "8.9". cuda: the newest CUDA that the driver runs, "12.8"."""

    name: str
    capability: str
    cuda: str


def find_gpu() -> Gpu:
    """The first GPU. Raises NoGpuError that says why there is none."""
    try:
        driver = ctypes.CDLL(DRIVER)
    except OSError:
        raise NoGpuError(f"there is no NVIDIA driver here ({DRIVER} is missing)") from None
    if (code := driver.cuInit(0)) == NO_DEVICE:
        raise NoGpuError("the NVIDIA driver sees no GPU (a container needs --gpus all)")
    if code:
        raise NoGpuError(f"the NVIDIA driver does not start (error {code}); see: nvidia-smi")
    return Gpu(_name(driver), f"{_number(driver, MAJOR)}.{_number(driver, MINOR)}", _cuda(driver))


def _name(driver: ctypes.CDLL) -> str:
    text = ctypes.create_string_buffer(100)
    driver.cuDeviceGetName(text, len(text), 0)
    return text.value.decode()


def _number(driver: ctypes.CDLL, attribute: int) -> int:
    number = ctypes.c_int()
    driver.cuDeviceGetAttribute(ctypes.byref(number), attribute, 0)
    return number.value


def _cuda(driver: ctypes.CDLL) -> str:
    """The driver gives 12080 for CUDA 12.8."""
    number = ctypes.c_int()
    driver.cuDriverGetVersion(ctypes.byref(number))
    return f"{number.value // 1000}.{number.value % 1000 // 10}"
