"""The Prometheus exporter: metrics of all bus messages on /metrics, liveness on /healthz, readiness on /readyz."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable
from typing import Any

from remi_stream.config import LOOPBACK_HOST, METRICS_SERVICE, Config
from remi_stream.inference.gpu import NoGpuError, start_nvml
from remi_stream.messages import Bodies, CameraFacts, Health
from remi_stream.pipeline import STAGES
from remi_stream.sinks.counters import PipelineCounters
from remi_stream.sinks.http_guard import HostNames
from remi_stream.sinks.metric_registry import CONTENT_TYPE, MetricRegistry
from remi_stream.sinks.page_server import HttpPage, HttpPageServer
from remi_stream.stage import Sink, StageSpec

# GPU metrics from NVML: utilization, memory, temperature, power. Without an NVIDIA GPU there are none.


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


BUS_TIMEOUT_S = 3.0
"""A bus silent for longer is unhealthy. Heartbeats come twice a second, and a restarted relay is back sooner."""
INNER_STAGES = frozenset(row.name for row in STAGES if not (row.is_source or row.is_sink))
"""Stages that serve all cameras; without one of them the daemon does not work."""
READY_TIMEOUT_S = 5.0
"""A pipeline without bodies for longer is not ready."""


class PipelineHealth:
    """Liveness and readiness: the last state of each stage and camera. Times are monotonic seconds."""

    def __init__(self, now: float) -> None:
        self._last_message_at = now
        self._stages: dict[str, Health] = {}
        self._cameras: dict[str, str] = {}
        self._bodies_at: dict[str, float] = {}

    def update(self, message: Bodies | CameraFacts | Health, now: float) -> None:
        """Update with a message that arrived now."""
        self._last_message_at = now
        if isinstance(message, Bodies):
            self._bodies_at[message.camera] = now
        elif isinstance(message, CameraFacts):
            self._cameras[message.camera] = message.state
        else:
            self._stages[message.stage] = message

    @property
    def stage_states(self) -> dict[str, str]:
        """The state of each stage."""
        return {stage: health.state for stage, health in self._stages.items()}

    @property
    def camera_states(self) -> dict[str, str]:
        """The state of each camera that has reported one."""
        return dict(self._cameras)

    @property
    def ready_text(self) -> str:
        """Return "ready", and which cameras are away nevertheless."""
        away = [f"{camera} is {state}" for camera, state in self._cameras.items() if state not in ("live", "ended")]
        return "; ".join(["ready", *away])

    def stage_faults(self, *allowed: str) -> str:
        """Return the stages whose state is none of these, with their reasons, in one line."""
        return "; ".join(
            f"{stage} is {health.state}{': ' * bool(health.reason)}{health.reason}"
            for stage, health in self._stages.items()
            if health.state not in allowed
        )

    def health_error(self, now: float) -> str:
        """Return why the pipeline is not healthy, in one line; "" when it is, or when only sources or sinks have failed."""
        for stage, health in self._stages.items():
            if health.state == "failed" and stage in INNER_STAGES:
                return f"{stage} is failed: {health.reason}"
        silent_s = now - self._last_message_at
        return f"No message on the bus for {silent_s:.0f} s" if silent_s > BUS_TIMEOUT_S else ""

    def not_ready_reason(self, now: float) -> str:
        """Return why the pipeline is not ready (a stage that is not, no live camera, no recent bodies), in one line; or ""."""
        if faults := self.stage_faults("ready", "done"):
            return faults
        live = [camera for camera, state in self._cameras.items() if state == "live"]
        if not live:
            states = ", ".join(f"{camera}: {state}" for camera, state in self._cameras.items())
            return f"No camera is live ({states or 'none has reported yet'})"
        newest_at = max(self._bodies_at.get(camera, float("-inf")) for camera in live)
        return (
            "" if now - newest_at <= READY_TIMEOUT_S else f"No bodies in the last {READY_TIMEOUT_S:.0f} s from {', '.join(live)}"
        )


class ExporterStage(Sink):
    """Counts every message and serves the metrics over HTTP."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self._config = config
        self._registry = MetricRegistry()
        self._counters = PipelineCounters(config, self._registry)
        self._gpus = GpuMetrics()
        # Else a scrape could see a message half counted, and captured = published + dropped + in flight would not hold.
        self._lock = threading.Lock()
        self._server: HttpPageServer | None = None

    def open(self) -> None:
        """Start the HTTP server. Raises RemiError when the port is in use."""
        self._pipeline_health = PipelineHealth(time.monotonic())
        pages = {"/metrics": self._scrape, "/healthz": self._health, "/readyz": self._ready}
        host = self._config.metrics_bind
        names = HostNames(self._config.viewer_hosts, with_local=host is not None)
        self._server = HttpPageServer(self._config.port(METRICS_SERVICE), pages, host or LOOPBACK_HOST, names)
        self._gpus.open(self._registry)
        self._server.start()

    def step(self, message: Bodies | CameraFacts | Health) -> None:
        """Count a message."""
        now = time.monotonic()
        with self._lock:
            self._counters.count_message(message, now)
            self._pipeline_health.update(message, now)

    def close(self) -> None:
        """Stop the HTTP server, if it was started."""
        if self._server:
            self._server.stop()
        self._gpus.close()

    def _scrape(self) -> HttpPage:
        with self._lock:
            self._gpus.update(self._registry)
            self._counters.update_time(time.monotonic())
            return HttpPage(self._registry.render_text(), content_type=CONTENT_TYPE)

    def _health(self) -> HttpPage:
        with self._lock:
            health = self._pipeline_health
            error, stages, cameras = health.health_error(time.monotonic()), health.stage_states, health.camera_states
            faults = health.stage_faults("starting", "ready", "done")
        status = "failed" if error else "degraded" if faults else "ok"
        answer = {"status": status, "reason": error or faults, "stages": stages, "cameras": cameras}
        return HttpPage(json.dumps(answer).encode() + b"\n", 503 if error else 200, "application/json")

    def _ready(self) -> HttpPage:
        with self._lock:
            reason = self._pipeline_health.not_ready_reason(time.monotonic())
            text = reason or self._pipeline_health.ready_text
        return HttpPage(f"{text}\n".encode(), 503 if reason else 200)


def make_exporter_stage(spec: StageSpec) -> ExporterStage:
    """Create the exporter stage from its StageSpec."""
    return ExporterStage(spec.config)
