"""The command that installs an extra into this installation, from where it came: a checkout, a wheel, a repository."""

from __future__ import annotations

import importlib.metadata
import json
import re
import shlex
import shutil
import sys
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

PROJECT = "remi-stream"
CHECKOUT = Path(__file__).resolve().parents[1]
"""The checkout that this code lies in; without a pyproject.toml it is a site-packages folder instead."""


def install_command(*extras: str) -> str:
    """Command that (re)installs remi-stream with these extras into this environment, for a POSIX shell.

    There is no release on an index, so that `pip install remi-stream` finds nothing.
    """
    names = f"[{','.join(extras)}]" if extras else ""
    if (CHECKOUT / "pyproject.toml").is_file():
        return _pip("-e", f"{CHECKOUT}{names}")
    origin = _origin()
    address = origin.get("url", "")
    local = Path(unquote(urlsplit(address).path)) if address.startswith("file:") else None
    if local and local.exists():
        return _pip(f"{local}{names}")
    if vcs := origin.get("vcs_info"):
        return _pip(f"{PROJECT}{names} @ {vcs['vcs']}+{address}@{vcs['commit_id']}")
    return _pip(*_requirements(extras))


def _pip(*arguments: str) -> str:
    """`pip install ...` with this environment's pip, by its path unless it is the first one of the search path."""
    pip = shutil.which("pip")
    is_ours = pip is not None and Path(pip).parent == Path(sys.executable).parent
    program = "pip" if is_ours else f"{shlex.quote(sys.executable)} -m pip"
    return f"{program} install {' '.join(map(shlex.quote, arguments))}"


def _origin() -> dict[str, Any]:
    """What this installation was installed from, as pip recorded it (PEP 610); empty if unknown."""
    try:
        text = importlib.metadata.distribution(PROJECT).read_text("direct_url.json")
    except importlib.metadata.PackageNotFoundError:
        return {}
    return json.loads(text) if text else {}


def _requirements(extras: tuple[str, ...]) -> list[str]:
    """The packages of these extras (without extras: those that remi-stream itself needs), without environment markers."""
    try:
        listed = importlib.metadata.requires(PROJECT) or []
    except importlib.metadata.PackageNotFoundError:
        return [f"{PROJECT}[{','.join(extras)}]" if extras else PROJECT]
    wanted = []
    for requirement in listed:
        package, _, marker = (part.strip() for part in requirement.partition(";"))
        extra = re.search(r"extra\s*==\s*['\"]([\w-]+)['\"]", marker)
        if (extra.group(1) in extras) if extra else not extras:
            wanted.append(package)
    return list(dict.fromkeys(wanted))
