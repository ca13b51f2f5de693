"""Runs in the guest, as root: what remi-stream reports about a real camera, scene by scene, into DIR/seen.json."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from remi_stream.capture.webcam import Webcam
from remi_stream.cli.doctor.checks import check_cameras
from remi_stream.cli.doctor.machine import Machine
from tests.pipeline.daemon import SYNTHETIC, Daemon, running

DEVICE = "/dev/video0"
DRIVER = Path("/sys/bus/platform/drivers/vivid")
VIVID = ("vivid", "n_devs=1", "node_types=0x1", "num_inputs=1", "input_types=0x0")
"""One camera, and nothing that plays or tunes."""
SIZE = (640, 360)
UNPRIVILEGED_ID = 65534
"""User and group "nobody"."""
SLOW_S = 120.0
"""Everything takes long in here."""


def main(out: Path) -> None:
    """Play every scene; a failed one leaves its traceback, and the next one follows."""
    seen: dict[str, Any] = {}
    for scene in (no_camera, listing, frames, command, unplugged, busy, forbidden):
        began = time.monotonic()
        try:
            seen[scene.__name__] = scene()
        except Exception:  # noqa: BLE001  reported by the test
            seen[scene.__name__] = {"error": traceback.format_exc()}
        print(f"{scene.__name__}: {time.monotonic() - began:.0f} s", flush=True)  # noqa: T201  the guest's console
        (out / "seen.json").write_text(json.dumps(seen, default=str))


def no_camera() -> dict[str, Any]:
    """Before the driver is loaded."""
    return {"doctor": doctor()}


def listing() -> dict[str, Any]:
    """The camera and its modes."""
    subprocess.run(["modprobe", *VIVID], check=True)
    allow()
    return {"cameras": remi("cameras"), "doctor": doctor()}


def frames() -> dict[str, Any]:
    """The capture source alone."""
    device = Webcam(DEVICE, SIZE, 15)
    with contextlib.closing(device.read_frames()) as given:
        taken = [frame for frame, _ in zip(given, range(31)) if frame is not None]
    return {
        "fps": device.fps,
        "captured_at": [frame.captured_at for frame in taken],
        "shapes": sorted({frame.pixels.shape for frame in taken}),
        "contrast": float(taken[0].pixels.std()),
        "change": float(abs(taken[0].pixels.astype(int) - taken[-1].pixels).max()),
    }


def command() -> dict[str, Any]:
    """What a person types."""
    return webcam("--frames", "30")


def unplugged() -> dict[str, Any]:
    """The driver lets go of the camera, as when its plug is pulled, and takes it again."""
    with daemon() as running_one:
        running_one.listen(lambda: len(running_one.bodies) > 5, SLOW_S)
        plug("unbind")
        running_one.listen(lambda: state(running_one) == "reconnecting", SLOW_S)
        running_one.listen(lambda: "unplugged" in running_one.log(), SLOW_S)
        gone, before = not Path(DEVICE).exists(), len(running_one.bodies)
        plug("bind")
        allow()
        running_one.listen(lambda: state(running_one) == "live" and len(running_one.bodies) > before + 5, SLOW_S)
        code = running_one.stop(timeout_s=SLOW_S)
        return {**published(running_one), "before": before, "gone": gone, "code": code}


def busy() -> dict[str, Any]:
    """Another program uses it."""
    with another_program() as pid:
        return {"pid": pid, "doctor": doctor(), "webcam": webcam()}


def forbidden() -> dict[str, Any]:
    """A user who is not in the group."""
    open_folders()
    home = tempfile.mkdtemp()
    shutil.chown(home, UNPRIVILEGED_ID, UNPRIVILEGED_ID)
    ids = {"user": UNPRIVILEGED_ID, "group": UNPRIVILEGED_ID, "extra_groups": ()}
    as_other_user: dict[str, Any] = {**ids, "env": {**os.environ, "XDG_RUNTIME_DIR": home}}
    code = (
        "from remi_stream.cli.doctor.checks import check_cameras; from remi_stream.cli.doctor.machine import Machine\n"
        "from remi_stream.cli.lists import cameras\n"
        "cameras(); print(*check_cameras(Machine(), 'default'), sep='\\n')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, **as_other_user)
    return {"cameras and doctor": done.stdout.splitlines() or done.stderr, "webcam": webcam(**as_other_user)}


def remi(*arguments: str, **how: Any) -> dict[str, Any]:
    """Run remi-stream to its end."""
    command = [sys.executable, "-m", "remi_stream", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=SLOW_S, **how)
    return {"code": done.returncode, "out": done.stdout, "err": done.stderr}


def webcam(*arguments: str, **how: Any) -> dict[str, Any]:
    """Run `remi-stream webcam` without networks."""
    plain = ("--engine", "synthetic", "--detector", "synthetic", "--viewer", "none", "--no-metrics", "--log-format", "text")
    return remi("webcam", DEVICE, "--size", "{}x{}".format(*SIZE), "--fps", "15", *plain, *arguments, **how)


def doctor() -> list[str]:
    """What `doctor` reports about the cameras."""
    return list(check_cameras(Machine(), "default"))


@contextlib.contextmanager
def daemon(**camera: Any) -> Iterator[Daemon]:
    """A pipeline with the camera, and a subscriber of its bus."""
    desk = {"name": "desk", "source": DEVICE, "size": list(SIZE), "fps": 15, **camera}
    with running(Path(tempfile.mkdtemp()), cameras=[desk], **SYNTHETIC) as one:
        yield one


def published(one: Daemon) -> dict[str, Any]:
    """What a daemon has published and logged."""
    shown = ("epoch", "frame_id", "captured_at", "size", "skipped")
    bodies = [{name: getattr(body, name) for name in shown} | {"people": len(body.people)} for body in one.bodies]
    facts = one.cameras["desk"]
    return {"bodies": bodies, "log": one.log(), "fps": facts.fps, "captured": facts.captured, "size": facts.size}


def state(one: Daemon) -> str:
    """State of the camera, as the daemon published it."""
    return one.cameras["desk"].state if "desk" in one.cameras else ""


def open_folders() -> None:
    """Let every user reach our files, wherever they are; in the guest only."""
    for file in (sys.prefix, os.path.realpath(sys.executable), __file__):
        for folder in Path(file).parents:
            folder.chmod(folder.stat().st_mode | 0o005)


def plug(how: str) -> None:
    """Unbind or bind the driver."""
    (DRIVER / how).write_text("vivid.0")


def allow() -> None:
    """Do what udev does for a new camera."""
    shutil.chown(DEVICE, "root", "video")
    os.chmod(DEVICE, 0o660)


@contextlib.contextmanager
def another_program() -> Iterator[int]:
    """Another program that has grabbed a frame and keeps the camera open; its process id."""
    code = f"import cv2; capture = cv2.VideoCapture({DEVICE!r}, cv2.CAP_V4L2); print(capture.grab(), flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout
        assert other.stdout.readline() == b"True\n"
        try:
            yield other.pid
        finally:
            other.kill()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
