"""A real daemon in a process of its own, and an ear on its bus."""

from __future__ import annotations

import contextlib
import itertools
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import yaml

from remi_stream.messages import Bodies, CameraFacts, Health
from remi_stream.transport.address import address_in
from remi_stream.transport.link import LinkContext, Subscriber, send_control_request

SYNTHETIC = {"engine": "synthetic", "detector": "synthetic"}


class Daemon:
    """A running `remi-stream run`, its log, and everything it published since we began to listen."""

    def __init__(self, process: subprocess.Popen[str], name: str, folder: Path, runtime: Path) -> None:
        self.process, self.name, self.folder, self.runtime = process, name, folder, runtime
        self.bodies: list[Bodies] = []
        self.came_at: list[float] = []
        self.cameras: dict[str, CameraFacts] = {}
        self.stages: dict[str, Health] = {}
        self._context = LinkContext()
        self.address = address_in(runtime / "remi-stream" / name)
        self.environment = {**os.environ, "XDG_RUNTIME_DIR": str(runtime)}
        """Environment of commands that use this daemon."""
        self._bus = Subscriber(self._context, self.address, ["bodies/", "camera/", "health/"])

    def listen(self, until: Callable[[], Any], timeout_s: float = 20.0) -> None:
        """Take in what is published until the condition holds; fail with the log when it never does."""
        end = time.monotonic() + timeout_s
        while not until():
            assert time.monotonic() < end, f"waited {timeout_s} s in vain; the log:\n{self.log()}"
            assert self.process.poll() is None or self.read_all(), f"it has ended; the log:\n{self.log()}"
            self.take(0.1)

    def read_all(self) -> bool:
        """Whether something was still to be read."""
        seen = len(self.bodies)
        self.take(0.3)
        return len(self.bodies) > seen

    def take(self, timeout_s: float) -> None:
        """Take in everything that has been published, waiting a moment for the first of it."""
        item = self._bus.receive(timeout_s)
        while item is not None:
            message = item[1]
            if isinstance(message, Bodies):
                self.bodies.append(message)
                self.came_at.append(time.monotonic())
            elif isinstance(message, CameraFacts):
                self.cameras[message.camera] = message
            else:
                self.stages[message.stage] = message
            item = self._bus.receive(0)

    def more_bodies(self, count: int, timeout_s: float = 20.0) -> list[Bodies]:
        """Wait for so many more bodies and give them."""
        start = len(self.bodies)
        self.listen(lambda: len(self.bodies) >= start + count, timeout_s)
        return self.bodies[start:]

    def status(self) -> dict[str, Any]:
        """What `remi-stream status` says."""
        return send_control_request(self.address, {"ask": "status"})

    def pid(self, stage: str) -> int:
        """The process of a stage."""
        self.listen(lambda: stage in self.stages and self.stages[stage].pid > 0)
        return self.stages[stage].pid

    def log(self) -> str:
        """Everything it has said so far."""
        return (self.folder / "log").read_text()

    def stop(self, how: int = signal.SIGTERM, timeout_s: float = 15.0) -> int:
        """Send a signal and give the exit code."""
        self.process.send_signal(how)
        return self.process.wait(timeout_s)

    def close(self) -> None:
        """Make sure that it is gone."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self._context.close()


@contextlib.contextmanager
def running(folder: Path, **config: Any) -> Iterator[Daemon]:
    """Run a pipeline; nothing of it may be left behind in the end."""
    name = f"t{secrets.token_hex(4)}"
    file = folder / f"{name}.yaml"
    file.write_text(yaml.safe_dump({"metrics": False, **config}))
    command = [sys.executable, "-m", "remi_stream", "run", str(file), "--name", name, "--log-format", "text"]
    runtime = Path(tempfile.mkdtemp(prefix="r"))
    with open(folder / "log", "w") as log:
        process = subprocess.Popen(command, stderr=log, text=True, env={**os.environ, "XDG_RUNTIME_DIR": str(runtime)})
    daemon = Daemon(process, name, folder, runtime)
    try:
        yield daemon
    finally:
        daemon.close()
        assert gone(name), f"orphans: {orphans(name)}"
    left = list((runtime / "remi-stream").iterdir()) if (runtime / "remi-stream").exists() else []
    shutil.rmtree(runtime)
    assert left == [], "sockets or locks are left"


def orphans(name: str) -> list[str]:
    """The stages of a daemon that are still alive; found by the daemon's name in their orders."""
    found = []
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            with contextlib.suppress(OSError):
                command = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                if "remi_stream stage" in command and f"--name {name} " in command:
                    found.append(f"{process.name} {command}")
    return found


def gone(name: str) -> bool:
    """Whether no stage of this daemon is alive, waiting a moment for the last ones."""
    end = time.monotonic() + 5
    while orphans(name) and time.monotonic() < end:
        time.sleep(0.05)
    return not orphans(name)


def check_books(bodies: list[Bodies]) -> Counter[str]:
    """Assert that every frame between the first and the last body of each epoch is accounted for; give what was dropped."""
    dropped: Counter[str] = Counter()
    for before, after in itertools.pairwise(bodies):
        if before.epoch == after.epoch:
            gap = after.frame_id - before.frame_id - 1
            assert gap == sum(after.skipped.values()), f"{before.frame_id} -> {after.frame_id}: {after.skipped}"
        dropped.update(after.skipped)
    return dropped
