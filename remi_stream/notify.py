"""sd_notify for systemd: READY, WATCHDOG, STATUS and STOPPING; does nothing without $NOTIFY_SOCKET.

A notification is a datagram of NAME=VALUE lines to that socket, see sd_notify(3).
"""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import MutableMapping

from remi_stream.messages import Health

ONE_TIME_LINES = ("READY=1", "STOPPING=1")
"""Lines that are sent once."""
MAX_STATUS_LENGTH = 160


class SystemdNotifier:
    """Notifies systemd. Removes its environment variables, so that no child process can notify in the daemon's name."""

    def __init__(self, variables: MutableMapping[str, str] = os.environ) -> None:
        address = variables.pop("NOTIFY_SOCKET", "")
        watchdog_s = int(variables.pop("WATCHDOG_USEC", "0")) / 1e6
        is_for_us = variables.pop("WATCHDOG_PID", "") in ("", str(os.getpid()))
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) if address else None
        self._every_s = watchdog_s / 2  # half the timeout, as sd_watchdog_enabled(3) recommends
        self._alive_due_at = 0.0 if is_for_us and watchdog_s else float("inf")
        self._sent: set[str] = set()
        self._status = ""

    def notify(self, stages: list[Health], is_ready: bool, is_stopping: bool, now: float) -> None:
        """Send what changed, and WATCHDOG=1 twice per watchdog period."""
        if self._socket is None:
            return
        status = systemd_status(stages, is_stopping)
        lines = [line for line, true in zip(ONE_TIME_LINES, (is_ready, is_stopping)) if true and line not in self._sent]
        if status != self._status:
            lines.append(f"STATUS={status}")
        if now >= self._alive_due_at:
            lines.append("WATCHDOG=1")
        if lines and self._send("\n".join(lines)):
            self._sent.update(line for line in lines if line in ONE_TIME_LINES)
            self._status = status
            self._alive_due_at = now + self._every_s if now >= self._alive_due_at else self._alive_due_at

    def _send(self, text: str) -> bool:
        """Whether it was sent. A full or lost socket must not stop the pipeline; the next tick tries again."""
        assert self._socket is not None
        with contextlib.suppress(OSError):
            self._socket.sendto(text.encode(), socket.MSG_DONTWAIT, self._address)
            return True
        return False


def systemd_status(stages: list[Health], is_stopping: bool) -> str:
    """Status line for `systemctl status`."""
    if is_stopping:
        left = [health.stage for health in stages if health.state not in ("done", "stopping", "failed")]
        return f"stopping: {', '.join(left)}"[:MAX_STATUS_LENGTH] if left else "stopping"
    waiting = [f"{health.stage} {health.state}" for health in stages if health.state != "ready"]
    restarts = sum(health.restarts for health in stages)
    return (", ".join(waiting) or f"{len(stages)} stages running")[:MAX_STATUS_LENGTH] + (
        f"; {restarts} restarts" if restarts else ""
    )
