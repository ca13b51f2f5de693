"""Fake NVML: a driver of NVIDIA GPUs that are not there, in place of pynvml."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest

LIBRARY_NOT_FOUND = "NVML Shared Library Not Found"


class NVMLError(Exception):
    """The one exception class of NVML."""

    @property
    def value(self) -> int:
        """NVML's error code."""
        return Driver.NVML_ERROR_LIBRARY_NOT_FOUND if str(self) == LIBRARY_NOT_FOUND else 999


class Gpu(NamedTuple):
    """What NVML reports of one GPU: percent, bytes, degrees Celsius, milliwatts, MHz (None: not supported)."""

    name: str = "NVIDIA Test"
    at_work: int = 40
    used: int = 3 * 2**30
    total: int | None = 12 * 2**30
    celsius: int = 61
    milliwatts: int | None = 87_500
    capability: tuple[int, int] | None = (8, 6)
    uuid: str = "GPU-8f2c0d1e"
    cores: int | None = 3584
    mhz: int = 1777


class Driver:
    """The functions of pynvml that are used, with its names."""

    NVMLError = NVMLError
    NVML_TEMPERATURE_GPU = 0
    NVML_CLOCK_SM = 1
    NVML_ERROR_LIBRARY_NOT_FOUND = 12

    def __init__(self, gpus: list[Gpu], fault: str = "", version: str = "570.1", cuda: int = 12080) -> None:
        self.gpus, self.fault, self.version, self.cuda, self.users = gpus, fault, version, cuda, 0

    def nvmlInit(self) -> None:
        if self.fault:
            raise NVMLError(self.fault)
        self.users += 1

    def nvmlShutdown(self) -> None:
        self.users -= 1

    def nvmlSystemGetDriverVersion(self) -> str:
        return self.version

    def nvmlSystemGetCudaDriverVersion(self) -> int:
        return self.cuda

    def nvmlDeviceGetCount(self) -> int:
        return len(self.gpus)

    def nvmlDeviceGetHandleByIndex(self, index: int) -> int:
        return index

    def nvmlDeviceGetName(self, handle: int) -> str:
        return self.gpus[handle].name

    def nvmlDeviceGetUUID(self, handle: int) -> str:
        return self.gpus[handle].uuid

    def nvmlDeviceGetCudaComputeCapability(self, handle: int) -> list[int]:
        return list(supported(self.gpus[handle].capability))

    def nvmlDeviceGetNumGpuCores(self, handle: int) -> int:
        return supported(self.gpus[handle].cores)

    def nvmlDeviceGetMaxClockInfo(self, handle: int, clock: int) -> int:
        return self.gpus[handle].mhz

    def nvmlDeviceGetUtilizationRates(self, handle: int) -> Any:
        return SimpleNamespace(gpu=self.gpus[handle].at_work, memory=1)

    def nvmlDeviceGetMemoryInfo(self, handle: int) -> Any:
        total = supported(self.gpus[handle].total)
        return SimpleNamespace(total=total, used=self.gpus[handle].used, free=total - self.gpus[handle].used)

    def nvmlDeviceGetTemperature(self, handle: int, sensor: int) -> int:
        return self.gpus[handle].celsius

    def nvmlDeviceGetPowerUsage(self, handle: int) -> int:
        return supported(self.gpus[handle].milliwatts)


def supported(value: Any) -> Any:
    """Return a value; as NVML, refuse the one that the GPU does not support."""
    if value is None:
        raise NVMLError("Not Supported")
    return value


def install(monkeypatch: pytest.MonkeyPatch, *gpus: Gpu, **more: Any) -> Driver:
    """Let `import pynvml` find this driver."""
    driver = Driver(list(gpus), **more)
    monkeypatch.setitem(sys.modules, "pynvml", driver)
    return driver


def write_module(folder: Path, *gpus: Gpu, **more: Any) -> None:
    """Write this driver as a module pynvml into a folder of PYTHONPATH, for other processes."""
    code = f"""
import sys
sys.path.append({str(Path(__file__).parents[2])!r})
from tests.sinks.nvml import Driver, Gpu
sys.modules[__name__] = Driver({list(gpus)!r}, **{more!r})
"""
    (folder / "pynvml.py").write_text(code)
