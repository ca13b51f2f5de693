"""Detect the NVIDIA GPU through the driver library: needs no PyTorch or TensorRT and allocates no GPU memory."""

from __future__ import annotations

import ctypes
from typing import NamedTuple

from remi_stream.errors import RemiError

DRIVER_LIBRARY = "libcuda.so.1"
CAPABILITY_MAJOR, CAPABILITY_MINOR = 75, 76
"""CUdevice_attribute: compute capability, major and minor."""
CUDA_ERROR_NO_DEVICE = 100  # CUresult CUDA_ERROR_NO_DEVICE


class NoGpuError(RemiError):
    """There is no usable NVIDIA GPU; the message says why."""


class Gpu(NamedTuple):
    """An NVIDIA GPU."""

    name: str
    capability: str
    """Compute capability: "8.9"."""
    cuda_version: str
    """Newest CUDA version that the driver supports: "12.8"."""


def find_gpu() -> Gpu:
    """Return the first GPU. Raises NoGpuError with the reason if there is none."""
    try:
        driver = ctypes.CDLL(DRIVER_LIBRARY)
    except OSError:
        raise NoGpuError(f"there is no NVIDIA driver here ({DRIVER_LIBRARY} is missing)") from None
    if (code := driver.cuInit(0)) == CUDA_ERROR_NO_DEVICE:
        raise NoGpuError("the NVIDIA driver sees no GPU (a container needs --gpus all)")
    if code:
        raise NoGpuError(f"the NVIDIA driver does not start (error {code}); see: nvidia-smi")
    return Gpu(
        _device_name(driver),
        f"{_attribute(driver, CAPABILITY_MAJOR)}.{_attribute(driver, CAPABILITY_MINOR)}",
        _cuda_version(driver),
    )


def _device_name(driver: ctypes.CDLL) -> str:
    text = ctypes.create_string_buffer(100)
    driver.cuDeviceGetName(text, len(text), 0)
    return text.value.decode()


def _attribute(driver: ctypes.CDLL, attribute: int) -> int:
    number = ctypes.c_int()
    driver.cuDeviceGetAttribute(ctypes.byref(number), attribute, 0)
    return number.value


def _cuda_version(driver: ctypes.CDLL) -> str:
    """Return the driver's CUDA version; it encodes 12.8 as 12080."""
    number = ctypes.c_int()
    driver.cuDriverGetVersion(ctypes.byref(number))
    return f"{number.value // 1000}.{number.value % 1000 // 10}"
