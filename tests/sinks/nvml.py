"""A driver of NVIDIA GPUs that are not there, for whoever imports pynvml."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest


class NVMLError(Exception):
    """What NVML raises, whatever is wrong."""


class Gpu(NamedTuple):
    """What one GPU tells: percent, bytes, degrees Celsius, milliwatts (None: it has no such sensor)."""

    name: str = "NVIDIA Test"
    at_work: int = 40
    used: int = 3 * 2**30
    total: int = 12 * 2**30
    celsius: int = 61
    milliwatts: int | None = 87_500


class Driver:
    """The functions of pynvml that are used, with its names."""

    NVMLError = NVMLError
    NVML_TEMPERATURE_GPU = 0

    def __init__(self, gpus: list[Gpu], starts: bool) -> None:
        self.gpus, self.starts, self.users = gpus, starts, 0

    def nvmlInit(self) -> None:
        if not self.starts:
            raise NVMLError("Driver Not Loaded")
        self.users += 1

    def nvmlShutdown(self) -> None:
        self.users -= 1

    def nvmlSystemGetDriverVersion(self) -> str:
        return "570.1"

    def nvmlDeviceGetCount(self) -> int:
        return len(self.gpus)

    def nvmlDeviceGetHandleByIndex(self, index: int) -> int:
        return index

    def nvmlDeviceGetName(self, handle: int) -> str:
        return self.gpus[handle].name

    def nvmlDeviceGetUtilizationRates(self, handle: int) -> Any:
        return SimpleNamespace(gpu=self.gpus[handle].at_work, memory=1)

    def nvmlDeviceGetMemoryInfo(self, handle: int) -> Any:
        return SimpleNamespace(total=self.gpus[handle].total, used=self.gpus[handle].used)

    def nvmlDeviceGetTemperature(self, handle: int, sensor: int) -> int:
        return self.gpus[handle].celsius

    def nvmlDeviceGetPowerUsage(self, handle: int) -> int:
        milliwatts = self.gpus[handle].milliwatts
        if milliwatts is None:
            raise NVMLError("Not Supported")
        return milliwatts


def install(monkeypatch: pytest.MonkeyPatch, *gpus: Gpu, starts: bool = True) -> Driver:
    """Let `import pynvml` find this driver."""
    driver = Driver(list(gpus), starts)
    monkeypatch.setitem(sys.modules, "pynvml", driver)
    return driver
