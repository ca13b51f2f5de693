"""The text of a systemd unit: the one that ships, with the paths of this installation, for the machine or for one user."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from remi_stream.errors import UsageError
from remi_stream.resources import shared_folder

FIRST_LINE = "# Written by `remi-stream service install`. What each line is for: docs/service.md"

SYSTEM_ONLY = (
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
"""What a user's own manager cannot do, or what a user does not want: results that others may not read, another home."""


def template() -> str:
    """The unit that ships."""
    return (shared_folder("configs") / "systemd/remi-stream.service").read_text()


def unit_name(daemon: str) -> str:
    """How the service of a daemon is called."""
    return "remi-stream" if daemon == "default" else f"remi-stream-{daemon}"


def system_unit(command: Sequence[str], *, homes: bool) -> str:
    """The service of the machine. homes: it has to read what lies in a home folder."""
    return _changed({"ExecStart": _command(command)} | ({"ProtectHome": "read-only"} if homes else {}))


def user_unit(command: Sequence[str], folder: Path, home: Path | None) -> str:
    """The service of one user. folder: what paths are relative to. home: of the models, if it is not the usual one."""
    own = {"ExecStart": _command(command), "WorkingDirectory": _path(folder), "WantedBy": "default.target"}
    if home:
        own["Environment"] = _quoted(f"REMI_HOME={home}")
    return _changed({**dict.fromkeys(SYSTEM_ONLY, ""), **own})


def _changed(values: Mapping[str, str]) -> str:
    """The template with other values; an empty one takes the line away, a line that comes again goes once."""
    lines, done = [FIRST_LINE], set[str]()
    for line in template().splitlines():
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
    """A command line as systemd reads it; a dollar begins a variable in arguments, but not in the program's path.

    Raises UsageError for a program that it would not run.
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
