"""Builds and runs images of our Dockerfiles without a Docker engine: buildah and podman, on a base that mmdebstrap makes.

Everything is in a folder of its own, which is removed after the tests. This machine's pip configuration (a mirror, a certificate)
is mounted while an image is built, and is not in the image.
"""

from __future__ import annotations

import ast
import contextlib
import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BASE = "docker.io/library/python:3.11-slim"
CERTIFICATES = "/etc/ssl/certs"
HOOK = 'ln -s python3 "$1/usr/bin/python"; rm -f "$1"/usr/lib/python3*/EXTERNALLY-MANAGED'
MAKE_BASE = (
    "mmdebstrap",
    "--quiet",
    "--variant=minbase",
    "--include=python3,python3-venv,python3-pip,ca-certificates",
    f"--customize-hook={HOOK}",
    "bookworm",
)
"""Replaces `BASE`, which would have to be pulled from a registry: Debian 12 with its Python 3.11."""

LIMITS = ("--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024")
"""podman's default limits exceed those of a container in which the tests themselves run."""


class Storage:
    """Storage of the images and containers of the tests."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        on_overlay = output("stat", "--file-system", "--format=%T", str(folder)) == "overlayfs"
        driver = "vfs" if on_overlay else "overlay"
        self._own = ("--root", str(folder / "root"), "--runroot", str(folder / "run"), "--storage-driver", driver)

    def podman(self, *arguments: str, timeout_s: float = 120) -> subprocess.CompletedProcess[str]:
        """Run podman on this storage."""
        return subprocess.run(self.command(*arguments), capture_output=True, text=True, timeout=timeout_s)

    def command(self, *arguments: str) -> list[str]:
        """Command line of podman on this storage, without warnings."""
        return ["podman", *self._own, "--log-level=fatal", *arguments]

    def build(self, dockerfile: str, tag: str, *arguments: str) -> Image:
        """Build an image of one of our Dockerfiles."""
        self._import_base()
        mounts = [word for path, place in pip_mounts(self._folder) for word in ("-v", f"{path}:{place}:ro")]
        how = ("--isolation", "chroot", "--network", "host", "--pull=never", "--format", "docker", *mounts)
        command = ["buildah", *self._own, "build", *how, *arguments, "-f", dockerfile, "-t", tag, "."]
        done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=900)
        assert done.returncode == 0, done.stdout[-4000:]
        return Image(self, tag)

    def _import_base(self) -> None:
        if self.podman("image", "exists", BASE).returncode:
            done = self.podman("import", str(base_tar()), BASE, timeout_s=300)
            assert done.returncode == 0, done.stderr

    def close(self) -> None:
        """Remove all containers, mounts and files."""
        self.podman("rm", "--all", "--force", "--time", "0", "--volumes")
        mounted = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines() if str(self._folder) in line]
        for place in sorted(mounted, reverse=True):
            subprocess.run(["umount", "--lazy", place], capture_output=True)
        shutil.rmtree(self._folder, ignore_errors=True)


class Image:
    """A built image. options: podman's, before the image's name."""

    def __init__(self, storage: Storage, name: str) -> None:
        self.storage, self.name = storage, name

    def run(self, *arguments: str, options: Sequence[str] = (), timeout_s: float = 120) -> subprocess.CompletedProcess[str]:
        """Run a command to its end, with no network."""
        return self.storage.podman(*self._run(options), self.name, *arguments, timeout_s=timeout_s)

    @contextlib.contextmanager
    def running(self, *arguments: str, options: Sequence[str] = ()) -> Iterator[Container]:
        """Run a container while the block runs, with no network."""
        name = f"t{os.urandom(4).hex()}"
        process = subprocess.Popen(
            self.storage.command(*self._run(options), "--name", name, self.name, *arguments),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        try:
            yield Container(self.storage, name, process)
        finally:
            self.storage.podman("rm", "--force", "--time", "0", name)
            process.kill()
            with process:
                process.wait()

    def _run(self, options: Sequence[str]) -> tuple[str, ...]:
        return ("run", "--rm", "--network=none", "--runtime=runc", *LIMITS, *options)


class Container:
    """A container that runs in the foreground of a podman process."""

    def __init__(self, storage: Storage, name: str, process: subprocess.Popen[str]) -> None:
        self._storage, self.name, self.process = storage, name, process

    def wait_for_line(self, pattern: str) -> re.Match[str]:
        """Wait for an output line that matches."""
        lines = []
        for line in self.process.stdout or ():
            lines.append(line)
            if found := re.search(pattern, line):
                return found
        raise AssertionError(f"it never printed {pattern!r}, but:\n{''.join(lines)}")

    def do(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a command in the container."""
        return self._storage.podman("exec", self.name, *command)

    def wait_until(self, is_expected: Callable[[str], object], *command: str, timeout_s: float = 30) -> str:
        """Run a command in the container repeatedly until its output is the expected one; return the output."""
        end = time.monotonic() + timeout_s
        while not is_expected(text := self.do(*command).stdout.strip()):
            assert time.monotonic() < end, f"not within {timeout_s} s; the last output is {text!r}"
        return text

    def health(self) -> int:
        """The exit code of the image's HEALTHCHECK."""
        return self._storage.podman("healthcheck", "run", self.name).returncode

    def stop(self) -> tuple[int, float]:
        """Stop it as `docker stop` does; return its exit code and the duration, s."""
        begun_at = time.monotonic()
        self._storage.podman("stop", "--time", "20", self.name)
        return self.process.wait(20), time.monotonic() - begun_at


def base_tar() -> Path:
    """Archive of the base image, made once on this machine."""
    folder = Path(tempfile.gettempdir()) / "remi-stream-test-base"
    folder.mkdir(exist_ok=True)
    tar = folder / f"{hashlib.sha256(repr(MAKE_BASE).encode()).hexdigest()[:16]}.tar"
    with open(folder / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not tar.exists():
            part = tar.with_suffix(".part.tar")
            done = subprocess.run([*MAKE_BASE, str(part)], capture_output=True, text=True, timeout=600)
            assert done.returncode == 0, done.stderr[-2000:]
            part.rename(tar)
    return tar


def pip_mounts(folder: Path) -> list[tuple[str, str]]:
    """Mounts for this machine's pip configuration and the files that it names: (source, target)."""
    listed = output(sys.executable, "-m", "pip", "config", "list").splitlines()
    values = {key: ast.literal_eval(value) for key, _, value in (line.partition("=") for line in listed)}
    settings = {key.rpartition(".")[2]: value for key, value in values.items()}
    file = folder / "pip.conf"
    file.write_text("\n".join(["[global]", *(f"{key} = {value}" for key, value in settings.items())]) + "\n")
    words = [word for value in settings.values() for word in str(value).split()]
    local = {str(Path(word.removeprefix("file://")).parent) for word in words if word.startswith("file://")}
    local |= {word for word in words if Path(word).is_absolute() and Path(word).exists() and not word.startswith(CERTIFICATES)}
    return [(str(file), "/etc/pip.conf"), *((path, path) for path in sorted({CERTIFICATES, *local}))]


def output(*command: str) -> str:
    """Standard output of a command."""
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
