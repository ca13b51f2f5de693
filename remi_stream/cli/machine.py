"""What `doctor` looks at: this machine and this installation. Each method may be faked in a test."""

from __future__ import annotations

import grp
import importlib.metadata
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

from remi_stream.capture.devices import Device, devices
from remi_stream.cli.graphics import Graphics, look
from remi_stream.config import CONTROL, port
from remi_stream.errors import RemiError
from remi_stream.folder import run_folder
from remi_stream.link import ask_control
from remi_stream.models.store import verify
from remi_stream.resources import home

ASK_S = 0.5
IMPORT_S = 60.0


class Machine:
    """The real one."""

    def python(self) -> tuple[int, int]:
        """The interpreter's version."""
        return sys.version_info[:2]

    def requirements(self) -> list[str]:
        """What remi-stream needs, as "numpy>=1.26", without the extras."""
        needed = importlib.metadata.requires("remi-stream") or []
        return [requirement for requirement in needed if ";" not in requirement]

    def version(self, package: str) -> str | None:
        """The installed version of a package."""
        try:
            return importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            return None

    def cores(self) -> int:
        """The processors that this process may use."""
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1

    def cpu_flags(self) -> set[str]:
        """What the processor can do, in Linux' words; empty where it is not told."""
        info = Path("/proc/cpuinfo")
        lines = info.read_text().splitlines() if info.exists() else []
        return next((set(line.split(":")[1].split()) for line in lines if line.startswith("flags")), set())

    def say(self, code: str) -> str:
        """What this code prints in a process of its own: a broken library may crash it. Raises RemiError with its last line."""
        try:
            done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=IMPORT_S)
        except subprocess.TimeoutExpired:
            raise RemiError(f"no answer within {IMPORT_S:.0f} s") from None
        if done.returncode:
            raise RemiError((done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1])
        return done.stdout.strip()

    def load(self, modules: list[str]) -> dict[str, str]:
        """Why each module cannot be imported, "" for one that can: all in one process, each in its own only if that fails."""
        try:
            self.say(f"import {', '.join(modules)}")
        except RemiError:
            return {module: self._fault(module) for module in modules}
        return dict.fromkeys(modules, "")

    def _fault(self, module: str) -> str:
        try:
            self.say(f"import {module}")
        except RemiError as error:
            return str(error)
        return ""

    def graphics(self, engine: str) -> Graphics:
        """What there is of NVIDIA's; engine: whose plan is asked for, "" for none."""
        return look(self.say, engine)

    def cameras(self) -> list[Device]:
        """The devices that can capture, and those that cannot be asked."""
        return devices()

    def group_of(self, path: str) -> str:
        """The group whose members may use a device."""
        number = os.stat(path).st_gid
        try:
            return grp.getgrgid(number).gr_name
        except KeyError:
            return str(number)

    def models(self) -> dict[str, str]:
        """What is wrong with each known file of weights: nothing, "missing" or "damaged"."""
        return verify()

    def port_is_free(self, number: int) -> bool:
        """Whether a daemon could bind it."""
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", number))
            except OSError:
                return False
        return True

    def daemon(self, name: str) -> dict[str, Any] | None:
        """What the daemon of this name answers; None when there is none."""
        try:
            return ask_control(port(name, CONTROL), {"ask": "status"}, ASK_S)
        except RemiError:
            return None

    def make_run_folder(self) -> str:
        """Make a folder for sockets as a daemon does, and remove it; RemiError when that is not possible."""
        with run_folder(f"doctor-{os.getpid()}") as folder:
            return str(folder.parent)

    def free_bytes(self) -> tuple[Path, int]:
        """The user's folder, and the room that is left there."""
        there = next(folder for folder in (home(), *home().parents) if folder.exists())
        return home(), shutil.disk_usage(there).free
