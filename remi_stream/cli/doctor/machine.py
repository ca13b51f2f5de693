"""What `doctor` checks: facts about this machine and the installation."""

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

from remi_stream.capture.webcam import VideoDevice, list_devices
from remi_stream.cli.doctor.library_probes import library_probe
from remi_stream.cli.doctor.nvidia import NvidiaReport, probe_nvidia
from remi_stream.errors import RemiError
from remi_stream.models.store import verify_store
from remi_stream.paths import run_folder, user_data_folder
from remi_stream.transport.address import daemon_address
from remi_stream.transport.link import send_control_request

CONTROL_TIMEOUT_S = 0.5
"""The daemon is on this machine and answers within milliseconds."""
IMPORT_TIMEOUT_S = 60.0
"""Limit for a library that hangs while it is imported; a first import from a cold disk is slow."""


class Machine:
    """This machine; tests replace single methods."""

    def python(self) -> tuple[int, int]:
        """Version of the Python interpreter."""
        return sys.version_info[:2]

    def requirements(self) -> list[str]:
        """Required packages ("numpy>=1.26"), without extras."""
        needed = importlib.metadata.requires("remi-stream") or []
        return [requirement for requirement in needed if ";" not in requirement]

    def version(self, package: str) -> str | None:
        """Installed version of a package."""
        try:
            return importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            return None

    def cores(self) -> int:
        """Number of CPUs that this process may use."""
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1

    def cpu_flags(self) -> set[str]:
        """CPU flags as in /proc/cpuinfo; empty if there is none."""
        info = Path("/proc/cpuinfo")
        lines = info.read_text().splitlines() if info.exists() else []
        return next((set(line.split(":")[1].split()) for line in lines if line.startswith("flags")), set())

    def run_python(self, code: str) -> str:
        """Output of Python code in a separate process, which a broken library may crash. Raises RemiError with its last line."""
        try:
            done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=IMPORT_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            raise RemiError(f"no answer within {IMPORT_TIMEOUT_S:.0f} s") from None
        if done.returncode:
            raise RemiError((done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1])
        return done.stdout.strip()

    def import_errors(self, modules: list[str]) -> dict[str, str]:
        """Why each module does not work, "" if it does; one process for all, and one for each only if that fails."""
        try:
            self.run_python("\n".join(map(library_probe, modules)))
        except RemiError:
            return {module: self._import_error(module) for module in modules}
        return dict.fromkeys(modules, "")

    def _import_error(self, module: str) -> str:
        try:
            self.run_python(library_probe(module))
        except RemiError as error:
            return str(error)
        return ""

    def nvidia_report(self, engine: str) -> NvidiaReport:
        """Results of the NVIDIA probes; engine: engine to run in TensorRT, "" for none."""
        return probe_nvidia(self.run_python, engine)

    def cameras(self) -> list[VideoDevice]:
        """Capture devices, and devices that cannot be queried."""
        return list_devices()

    def group_of(self, path: str) -> str:
        """Name of the group that owns a device file."""
        number = os.stat(path).st_gid
        try:
            return grp.getgrgid(number).gr_name
        except KeyError:
            return str(number)

    def models(self) -> dict[str, str]:
        """Fault of each known model file: "", "missing" or "damaged"."""
        return verify_store()

    def port_is_free(self, number: int) -> bool:
        """Whether a daemon could bind this port."""
        with socket.socket() as probe:
            # Otherwise connections in TIME_WAIT, which a daemon has left when it stopped, would block the port.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", number))
            except OSError:
                return False
        return True

    def daemon(self, name: str) -> dict[str, Any] | None:
        """Status of the running daemon of this name; None if there is none."""
        try:
            return send_control_request(daemon_address(name), {"ask": "status"}, CONTROL_TIMEOUT_S)
        except RemiError:
            return None

    def make_run_folder(self) -> str:
        """Create and remove a run folder, as a daemon does. Raises RemiError."""
        with run_folder(f"doctor-{os.getpid()}") as folder:
            return str(folder.path.parent)

    def free_bytes(self) -> tuple[Path, int]:
        """The folder of remi-stream's files, and the free bytes there."""
        existing = next(folder for folder in (user_data_folder(), *user_data_folder().parents) if folder.exists())
        return user_data_folder(), shutil.disk_usage(existing).free
