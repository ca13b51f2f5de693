"""Liveness and readiness of the pipeline: what /healthz and /readyz answer."""

from __future__ import annotations

from remi_stream.messages import Bodies, CameraFacts, Health

BUS_TIMEOUT_S = 3.0
"""A bus silent for longer is unhealthy. Heartbeats come twice a second, and a restarted relay is back sooner."""
READY_TIMEOUT_S = 5.0
"""A pipeline without bodies for longer is not ready."""


class PipelineHealth:
    """The last state of each stage and camera. Times are monotonic seconds."""

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

    def health_error(self, now: float) -> str:
        """Return why the pipeline is not healthy, in one line; "" when it is."""
        for stage, health in self._stages.items():
            if health.state == "failed":
                return f"{stage} failed: {health.reason}"
        silent_s = now - self._last_message_at
        return f"No message on the bus for {silent_s:.0f} s" if silent_s > BUS_TIMEOUT_S else ""

    def not_ready_reason(self, now: float) -> str:
        """Return why the pipeline is not ready (no live camera, or no recent bodies), in one line; "" when it is."""
        live = [camera for camera, state in self._cameras.items() if state == "live"]
        if not live:
            states = ", ".join(f"{camera}: {state}" for camera, state in self._cameras.items())
            return f"No camera is live ({states or 'none has reported yet'})"
        newest_at = max(self._bodies_at.get(camera, float("-inf")) for camera in live)
        return (
            "" if now - newest_at <= READY_TIMEOUT_S else f"No bodies in the last {READY_TIMEOUT_S:.0f} s from {', '.join(live)}"
        )
