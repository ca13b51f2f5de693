"""Text of a systemd service unit: the shipped template with this installation's paths, as system or user service."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from remi_stream.errors import UsageError
from remi_stream.resources import shipped_folder

UNIT_HEADER = "# Written by `remi-stream service install`. What each line is for: docs/service.md"

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


def unit_template() -> str:
    """Text of the unit that ships."""
    return (shipped_folder("configs") / "systemd/remi-stream.service").read_text()


def unit_name(daemon: str) -> str:
    """Name of the service of a daemon."""
    return "remi-stream" if daemon == "default" else f"remi-stream-{daemon}"


def system_unit_text(command: Sequence[str], *, read_homes: bool) -> str:
    """Text of the system service. read_homes: it needs read access to home folders."""
    return _fill_template({"ExecStart": _command(command)} | ({"ProtectHome": "read-only"} if read_homes else {}))


def user_unit_text(command: Sequence[str], folder: Path, home: Path | None) -> str:
    """Text of a user service. folder: working directory. home: value of REMI_HOME, if not the default."""
    own = {"ExecStart": _command(command), "WorkingDirectory": _path(folder), "WantedBy": "default.target"}
    if home:
        own["Environment"] = _quoted(f"REMI_HOME={home}")
    return _fill_template({**dict.fromkeys(SYSTEM_ONLY_DIRECTIVES, ""), **own})


def _fill_template(values: Mapping[str, str]) -> str:
    """Replace values in the template; an empty value removes the line, duplicate directives are removed."""
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
    return _single_spaced(lines)


def _single_spaced(lines: list[str]) -> str:
    kept = [line for before, line in zip(["", *lines], lines) if line or before]
    return "\n".join(kept).rstrip() + "\n"


def _command(words: Sequence[str]) -> str:
    """Quote a command line for ExecStart=. `$` is escaped in arguments only: systemd expands no variables in the path.

    Raises UsageError for a path that systemd rejects.
    """
    if any(letter in words[0] for letter in "\"'\\\n"):
        raise UsageError(f"systemd runs no program with quotes or backslashes in its path: {words[0]!r}. Install it elsewhere")
    return " ".join([_quoted(words[0]), *(_quoted(word.replace("$", "$$")) for word in words[1:])])


def _quoted(word: str) -> str:
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("%", "%%")
    plain = all(letter.isalnum() or letter in "/._-=%$:+,@" for letter in word)
    return escaped if plain else f'"{escaped}"'


def _path(path: Path) -> str:
    return str(path).replace("%", "%%")
