"""A real systemd as process 1 in namespaces of its own, with only our unit and no effect on this machine."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from remi_stream.paths import user_data_folder
from remi_stream.process.systemd import system_unit_text, unit_name

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = "/lib/systemd/systemd"
NAMESPACES = ("--mount", "--pid", "--uts", "--ipc", "--cgroup", "--fork", "--kill-child=KILL", "--mount-proc")
JOIN = ("--mount", "--pid", "--uts", "--ipc", "--cgroup")
BEGIN = """set -e
mount --make-rprivate /
case {prefix} in /root/*)  # which other users may not enter
  mount --bind {prefix} {keep}
  mount -t tmpfs -o mode=755 tmpfs /root
  mkdir -p {prefix}
  mount --bind {keep} {prefix};;
esac
test ! -d {models} || cp -r {models} {keep}.models
mount -t tmpfs -o mode=755 tmpfs /var/lib
mkdir -p -m 700 /var/lib/private
mkdir -p /var/lib/private/remi-stream/home
test ! -d {keep}.models || cp -r {keep}.models /var/lib/private/remi-stream/home/models
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -p /run/systemd /run/lock
cp -r {files} /run/try
chmod -R a+rX /run/try
export container=try SYSTEMD_UNIT_PATH=/run/try SYSTEMD_LOG_TARGET=console
exec {program} --system --unit=try.target --log-target=console --show-status=0
"""
CHANGED = """[Service]
StandardOutput=append:/var/lib/log
StandardError=append:/var/lib/log
WatchdogSec=3
TimeoutAbortSec=1
RestartSec=0.5
"""
PIPELINE = "pipe ${HOME} %n 'a' \"b\" \\t;#.yaml"
"""A name with all characters that systemd interprets in command lines."""
EMPTY = "[Unit]\nDefaultDependencies=no\n"


class Machine:
    """The inside of the namespaces: one service, and commands run as root."""

    def __init__(self, init: int, daemon: str) -> None:
        self.init, self.service = init, unit_name(daemon)

    def run(self, *command: str) -> str:
        """Standard output of a command in the namespaces."""
        inside = ["nsenter", "--target", str(self.init), *JOIN, *command]
        return subprocess.run(inside, capture_output=True, text=True, timeout=150).stdout

    def fact(self, name: str) -> str:
        """Value of a property of the service."""
        return self.run("systemctl", "show", self.service, "--property", name, "--value").strip()

    def log(self) -> str:
        """Log of the service."""
        return self.run("cat", "/var/lib/log")

    def wait(self, condition: Callable[[], bool], timeout_s: float = 60.0) -> None:
        """Wait until the condition holds; poll four times a second."""
        end = time.monotonic() + timeout_s
        while not condition():
            assert time.monotonic() < end, f"{self.run('systemctl', 'status', self.service)}\n{self.log()}"
            time.sleep(0.25)


@contextlib.contextmanager
def booted(folder: Path, pipeline: str, daemon: str) -> Iterator[Machine]:
    """Boot with the service of a pipeline while the block runs; then kill everything."""
    files, keep = folder / "files", folder / "keep"
    files.mkdir()
    keep.mkdir()
    _write_units(files, pipeline, daemon)
    begin = BEGIN.format(prefix=sys.base_prefix, keep=keep, models=user_data_folder() / "models", files=files, program=PROGRAM)
    with open(folder / "systemd.log", "w") as log:
        outer = subprocess.Popen(
            ["unshare", *NAMESPACES, "sh", "-c", begin], stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )
    try:
        machine = Machine(_child_of(outer, folder / "systemd.log"), daemon)
        machine.wait(lambda: machine.fact("ActiveState") in ("activating", "active", "failed"))
        yield machine
    finally:
        outer.kill()
        outer.wait()


def _write_units(files: Path, pipeline: str, daemon: str) -> None:
    service = f"{unit_name(daemon)}.service"
    script = Path(sys.executable).parent / "remi-stream"
    (files / PIPELINE).write_text(pipeline)
    (files / service).write_text(
        system_unit_text([str(script), "run", f"/run/try/{PIPELINE}", "--name", daemon], read_homes=True)
    )
    (files / f"{service}.d").mkdir()
    seen = f"BindReadOnlyPaths={ROOT}\n" if ROOT.is_relative_to("/tmp") else ""
    (files / f"{service}.d/try.conf").write_text(CHANGED + seen)
    (files / "try.target").write_text(f"{EMPTY}Wants={service}\n")
    for name in ("sysinit", "basic", "network-online", "shutdown"):
        (files / f"{name}.target").write_text(EMPTY)


def _child_of(outer: subprocess.Popen[bytes], log: Path) -> int:
    """Host pid of the process that is 1 inside, once systemd answers."""
    end = time.monotonic() + 20
    children = Path(f"/proc/{outer.pid}/task/{outer.pid}/children")
    while True:
        assert outer.poll() is None, log.read_text()
        assert time.monotonic() < end, log.read_text()
        for child in children.read_text().split():
            if os.path.exists(f"/proc/{child}/root/run/systemd/private"):
                return int(child)
        time.sleep(0.05)
