"""Whether the pipeline is well: what /healthz and /readyz answer."""

from __future__ import annotations

from remi_stream.messages import Bodies, CameraFacts, Health

SILENT_S = 3.0
"""Health comes twice a second; a relay that is started anew is back sooner."""
FRESH_S = 5.0


class Vitals:
    """What was last heard of each stage and camera. Times are monotonic seconds."""

    def __init__(self, now: float) -> None:
        self._heard_at = now
        self._stages: dict[str, Health] = {}
        self._cameras: dict[str, str] = {}
        self._bodies_at: dict[str, float] = {}

    def take(self, message: Bodies | CameraFacts | Health, now: float) -> None:
        """Note a message that arrived now."""
        self._heard_at = now
        if isinstance(message, Bodies):
            self._bodies_at[message.camera] = now
        elif isinstance(message, CameraFacts):
            self._cameras[message.camera] = message.state
        else:
            self._stages[message.stage] = message

    @property
    def stages(self) -> dict[str, str]:
        """The state of each stage."""
        return {stage: health.state for stage, health in self._stages.items()}

    def illness(self, now: float) -> str:
        """Why the pipeline is not healthy, in one line; "" when it is."""
        for stage, health in self._stages.items():
            if health.state == "failed":
                return f"{stage} failed: {health.reason}"
        silent_s = now - self._heard_at
        return f"Nothing heard on the bus for {silent_s:.0f} s" if silent_s > SILENT_S else ""

    def idleness(self, now: float) -> str:
        """Why nobody can count on bodies just now, in one line; "" when they come."""
        live = [camera for camera, state in self._cameras.items() if state == "live"]
        if not live:
            states = ", ".join(f"{camera}: {state}" for camera, state in self._cameras.items())
            return f"No camera is live ({states or 'none was heard of yet'})"
        newest_at = max(self._bodies_at.get(camera, float("-inf")) for camera in live)
        return "" if now - newest_at <= FRESH_S else f"No bodies in the last {FRESH_S:.0f} s from {', '.join(live)}"
