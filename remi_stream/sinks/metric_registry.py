"""Registry of Prometheus metric values (counters, gauges, histograms), rendered in the text exposition format.

Not prometheus_client, because a scrape must be cheap: the text of a line is formatted once, when its labels are first used.
"""

from __future__ import annotations

import importlib
import logging
from bisect import bisect_left
from collections.abc import Callable
from itertools import accumulate
from typing import Any

from remi_stream.metrics import METRICS, Metric

LABEL_ESCAPES = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})
"""Characters that the text format requires to be escaped in label values."""


class MetricValue:
    """One series of a counter or gauge."""

    def __init__(self, metric: Metric, labels: dict[str, str]) -> None:
        self.value = 0.0
        self._line = f"{metric.name}{_format_labels(labels)} "

    def render_text(self) -> str:
        """Render its line."""
        return f"{self._line}{self.value!r}\n"


class Histogram:
    """One histogram series: counts of durations by upper bound (`le`), s."""

    def __init__(self, metric: Metric, labels: dict[str, str]) -> None:
        self._bounds = metric.buckets
        self._counts = [0] * (len(metric.buckets) + 1)
        self._sum_s = 0.0
        bounds = [*map(repr, metric.buckets), "+Inf"]
        self._buckets = [f"{metric.name}_bucket{_format_labels({**labels, 'le': bound})} " for bound in bounds]
        self._lines = f"{metric.name}_count{_format_labels(labels)} ", f"{metric.name}_sum{_format_labels(labels)} "

    def observe(self, seconds: float) -> None:
        """Count an observation in its bucket."""
        self._counts[bisect_left(self._bounds, seconds)] += 1
        self._sum_s += seconds

    def render_text(self) -> str:
        """Render its lines; buckets are cumulative."""
        totals = list(accumulate(self._counts))
        buckets = "".join([f"{line}{total}.0\n" for line, total in zip(self._buckets, totals)])
        count, total_s = self._lines
        return f"{buckets}{count}{totals[-1]}.0\n{total_s}{self._sum_s!r}\n"


class MetricRegistry:
    """All series that this process exports, by metric name and label values."""

    def __init__(self) -> None:
        histograms = [metric.name for metric in METRICS.values() if metric.kind == "histogram"]
        self._histograms: dict[str, dict[tuple[str, ...], Histogram]] = {name: {} for name in histograms}
        self._values: dict[str, dict[tuple[str, ...], MetricValue]] = {name: {} for name in METRICS if name not in histograms}

    def increment(self, name: str, amount: float, /, **labels: str) -> None:
        """Increment a counter."""
        self._value(name, labels).value += amount

    def set(self, name: str, value: float, /, **labels: str) -> None:
        """Set a gauge."""
        self._value(name, labels).value = float(value)

    def observe(self, name: str, seconds: float, /, **labels: str) -> None:
        """Observe a duration in a histogram."""
        series, key = self._histograms[name], _label_values(name, labels)
        if key not in series:
            series[key] = Histogram(METRICS[name], labels)
        series[key].observe(seconds)

    def remove(self, name: str, /, **labels: str) -> None:
        """Remove all series of a metric that have these labels."""
        wanted = {METRICS[name].labels.index(label): value for label, value in labels.items()}
        series = self._values[name]
        for key in [key for key in series if all(key[index] == value for index, value in wanted.items())]:
            del series[key]

    def render_text(self) -> bytes:
        """Render all series in Prometheus' text format."""
        return "".join([self._family(metric) for metric in METRICS.values()]).encode()

    def _family(self, metric: Metric) -> str:
        series = self._histograms.get(metric.name) or self._values.get(metric.name) or {}
        head = f"# HELP {metric.name} {metric.help}\n# TYPE {metric.name} {metric.kind}\n"
        return head + "".join([each.render_text() for each in series.values()]) if series else ""

    def _value(self, name: str, labels: dict[str, str]) -> MetricValue:
        series, key = self._values[name], _label_values(name, labels)
        if key not in series:
            series[key] = MetricValue(METRICS[name], labels)
        return series[key]


def _label_values(name: str, labels: dict[str, str]) -> tuple[str, ...]:
    return tuple([labels[label] for label in METRICS[name].labels])


def _format_labels(labels: dict[str, str]) -> str:
    pairs = ",".join(f'{label}="{value.translate(LABEL_ESCAPES)}"' for label, value in labels.items())
    return f"{{{pairs}}}" if pairs else ""


# GPU metrics from NVML: utilization, memory, temperature, power. Without pynvml or an NVIDIA GPU there are none.


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
            nvml = importlib.import_module("pynvml")
        except ModuleNotFoundError:
            return
        try:
            nvml.nvmlInit()
            driver = nvml.nvmlSystemGetDriverVersion()
            self._nvml = nvml
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
