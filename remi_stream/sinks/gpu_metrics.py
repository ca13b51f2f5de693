"""GPU metrics from NVML: utilization, memory, temperature, power. Without an NVIDIA GPU there are none."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from remi_stream.inference.gpu import NoGpuError, start_nvml
from remi_stream.sinks.metric_registry import MetricRegistry

GpuReading = Callable[[Any, Any], float]

GPU_READINGS: dict[str, GpuReading] = {
    "remi_gpu_utilization_ratio": lambda nvml, gpu: nvml.nvmlDeviceGetUtilizationRates(gpu).gpu / 100,
    "remi_gpu_memory_used_bytes": lambda nvml, gpu: nvml.nvmlDeviceGetMemoryInfo(gpu).used,
    "remi_gpu_memory_size_bytes": lambda nvml, gpu: nvml.nvmlDeviceGetMemoryInfo(gpu).total,
    "remi_gpu_temperature_celsius": lambda nvml, gpu: nvml.nvmlDeviceGetTemperature(gpu, nvml.NVML_TEMPERATURE_GPU),
    "remi_gpu_power_watts": lambda nvml, gpu: nvml.nvmlDeviceGetPowerUsage(gpu) / 1000,
}
"""How each gauge is read from (pynvml, device handle). NVML reports percent, bytes, degrees Celsius and milliwatts."""

log = logging.getLogger("remi_stream")


class GpuMetrics:
    """Metrics of the GPUs that are visible to this process. Values that a GPU does not support are left out."""

    def __init__(self) -> None:
        self._nvml: Any = None
        self._gpus: dict[str, Any] = {}

    def open(self, registry: MetricRegistry) -> None:
        """Find the GPUs, and export their names and the driver's version."""
        try:
            self._nvml = nvml = start_nvml()
        except NoGpuError as error:
            log.debug("no GPU metrics: %s", error)
            return
        try:
            driver = nvml.nvmlSystemGetDriverVersion()
            self._gpus = {str(index): nvml.nvmlDeviceGetHandleByIndex(index) for index in range(nvml.nvmlDeviceGetCount())}
            for gpu, handle in self._gpus.items():
                registry.set("remi_gpu_info", 1, gpu=gpu, name=nvml.nvmlDeviceGetName(handle), driver=driver)
        except nvml.NVMLError as error:
            log.debug("no GPU metrics: %s", error)

    def update(self, registry: MetricRegistry) -> None:
        """Read all gauges of all GPUs."""
        for gpu, handle in self._gpus.items():
            for name, reading in GPU_READINGS.items():
                try:
                    registry.set(name, reading(self._nvml, handle), gpu=gpu)
                except self._nvml.NVMLError:  # not supported by this GPU, or not in its present state
                    registry.remove(name, gpu=gpu)

    def close(self) -> None:
        """Shut NVML down."""
        if self._nvml:
            self._nvml.nvmlShutdown()
            self._nvml, self._gpus = None, {}
