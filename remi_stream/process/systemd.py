"""systemd: the text of our service unit, and the notifications of a running daemon (sd_notify).

The unit is the shipped template with this installation's paths, as system or user service. A notification is a datagram of
NAME=VALUE lines to $NOTIFY_SOCKET, see sd_notify(3); without that variable there are none.
"""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Mapping, MutableMapping, Sequence
from pathlib import Path

from remi_stream.errors import UsageError
from remi_stream.messages import Health
from remi_stream.paths import shipped_folder

UNIT_HEADER = "# Written by `remi-stream service install`. What each line is for: docs/operate/service.md"

SYSTEM_ONLY_DIRECTIVES = (
    "Wants",
    "After",
    "WorkingDirectory",
    "Environment",
    "User",
    "DynamicUser",
    "SupplementaryGroups",
    "StateDirectory",
    "RuntimeDirectory",
    "RuntimeDirectoryMode",
    "UMask",
    "CapabilityBoundingSet",
    "AmbientCapabilities",
    "ProtectSystem",
    "ProtectHome",
    "PrivateTmp",
    "PrivateMounts",
    "ProtectProc",
    "ProtectKernelTunables",
    "ProtectKernelModules",
    "ProtectKernelLogs",
    "ProtectControlGroups",
    "ProtectClock",
    "ProtectHostname",
    "RemoveIPC",
    "DevicePolicy",
    "DeviceAllow",
    "WantedBy",
)
"""Directives dropped from user units: the user manager cannot apply them, or they would hide the user's home or results."""

ONE_TIME_LINES = ("READY=1", "STOPPING=1")
"""Notifications that are sent once."""
MAX_STATUS_LENGTH = 160
"""Maximum length of the status line, characters."""


def unit_template() -> str:
    """Text of the unit that ships."""
    return (shipped_folder("configs") / "systemd/remi-stream.service").read_text()


def unit_name(daemon: str) -> str:
    """Name of the service of a daemon."""
    return "remi-stream" if daemon == "default" else f"remi-stream-{daemon}"


def system_unit_text(command: Sequence[str], *, read_homes: bool) -> str:
    """Text of the system service. read_homes: it needs read access to home folders."""
    return _fill_template({"ExecStart": _quote_command(command)} | ({"ProtectHome": "read-only"} if read_homes else {}))


def user_unit_text(command: Sequence[str], folder: Path, home: Path | None) -> str:
    """Text of a user service. folder: working directory. home: value of REMI_HOME, if not the default."""
    own = {"ExecStart": _quote_command(command), "WorkingDirectory": _escape_percent(folder), "WantedBy": "default.target"}
    if home:
        own["Environment"] = _quote(f"REMI_HOME={home}")
    return _fill_template({**dict.fromkeys(SYSTEM_ONLY_DIRECTIVES, ""), **own})


def _fill_template(values: Mapping[str, str]) -> str:
    """Replace directives in the template: a value replaces all lines of its directive, an empty one removes them."""
    lines, done = [UNIT_HEADER], set[str]()
    for line in unit_template().splitlines():
        name, is_set, _ = line.partition("=")
        if line.startswith("#") or (is_set and name in done):
            continue
        if is_set and name in values:
            done.add(name)
            line = f"{name}={values[name]}" if values[name] else ""
            if not line:
                continue
        lines.append(line)
    return _collapse_blank_lines(lines)


def _collapse_blank_lines(lines: list[str]) -> str:
    kept = [line for before, line in zip(["", *lines], lines) if line or before]
    return "\n".join(kept).rstrip() + "\n"


def _quote_command(words: Sequence[str]) -> str:
    """Quote a command line for ExecStart=. `$` is escaped in arguments only: systemd expands no variables in the path.

    Raises UsageError for a path that systemd rejects.
    """
    if any(letter in words[0] for letter in "\"'\\\n"):
        raise UsageError(f"systemd runs no program with quotes or backslashes in its path: {words[0]!r}. Install it elsewhere")
    return " ".join([_quote(words[0]), *(_quote(word.replace("$", "$$")) for word in words[1:])])


def _quote(word: str) -> str:
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("%", "%%")
    plain = all(letter.isalnum() or letter in "/._-=%$:+,@" for letter in word)
    return escaped if plain else f'"{escaped}"'


def _escape_percent(path: Path) -> str:
    return str(path).replace("%", "%%")  # % begins a specifier, systemd.unit(5)


class SystemdNotifier:
    """Notifies systemd. Removes its environment variables, so that no child process can notify in the daemon's name."""

    def __init__(self, variables: MutableMapping[str, str] = os.environ) -> None:
        address = variables.pop("NOTIFY_SOCKET", "")
        watchdog_s = int(variables.pop("WATCHDOG_USEC", "0")) / 1e6
        is_for_us = variables.pop("WATCHDOG_PID", "") in ("", str(os.getpid()))
        # "@": a socket in the abstract namespace, unix(7)
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
