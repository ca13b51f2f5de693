"""The NVIDIA GPUs of this machine as metrics, asked of the driver through NVML. Without pynvml or a GPU there are none."""

from __future__ import annotations

import importlib
import logging
from collections.abc import Callable
from typing import Any

from remi_stream.sinks.figures import Figures

Reading = Callable[[Any, Any], float]

READINGS: dict[str, Reading] = {
    "remi_gpu_utilization_ratio": lambda nvml, gpu: nvml.nvmlDeviceGetUtilizationRates(gpu).gpu / 100,
    "remi_gpu_memory_used_bytes": lambda nvml, gpu: nvml.nvmlDeviceGetMemoryInfo(gpu).used,
    "remi_gpu_memory_size_bytes": lambda nvml, gpu: nvml.nvmlDeviceGetMemoryInfo(gpu).total,
    "remi_gpu_temperature_celsius": lambda nvml, gpu: nvml.nvmlDeviceGetTemperature(gpu, nvml.NVML_TEMPERATURE_GPU),
    "remi_gpu_power_watts": lambda nvml, gpu: nvml.nvmlDeviceGetPowerUsage(gpu) / 1000,
}
"""How each gauge is read: NVML tells percent, bytes, degrees Celsius and milliwatts."""

log = logging.getLogger("remi_stream")


class Gpus:
    """The GPUs that the driver shows to this process. What one of them does not tell is left out."""

    def __init__(self) -> None:
        self._nvml: Any = None
        self._gpus: dict[str, Any] = {}

    def open(self, figures: Figures) -> None:
        """Find them, and tell what they are."""
        try:
            nvml = importlib.import_module("pynvml")
        except ModuleNotFoundError:
            return
        try:
            nvml.nvmlInit()
            driver = nvml.nvmlSystemGetDriverVersion()
            self._nvml = nvml
            self._gpus = {str(index): nvml.nvmlDeviceGetHandleByIndex(index) for index in range(nvml.nvmlDeviceGetCount())}
            for gpu, handle in self._gpus.items():
                figures.set("remi_gpu_info", 1, gpu=gpu, name=nvml.nvmlDeviceGetName(handle), driver=driver)
        except nvml.NVMLError as error:
            log.debug("no figures of a GPU: %s", error)

    def tell(self, figures: Figures) -> None:
        """Read the gauges."""
        for gpu, handle in self._gpus.items():
            for name, reading in READINGS.items():
                try:
                    figures.set(name, reading(self._nvml, handle), gpu=gpu)
                except self._nvml.NVMLError:
                    figures.forget(name, gpu=gpu)

    def close(self) -> None:
        """Let go of the driver."""
        if self._nvml:
            self._nvml.nvmlShutdown()
            self._nvml, self._gpus = None, {}
