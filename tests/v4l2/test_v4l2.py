"""A real /dev/video0: Linux' own test driver `vivid` in a virtual machine; what remi-stream saw there, in guest.py."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import pytest

from tests.v4l2 import virtual

TIMEOUT_S = 1500
JOIN = "sudo usermod -aG video $USER, then log in again"

pytestmark = [pytest.mark.slow, pytest.mark.v4l2, pytest.mark.timeout(TIMEOUT_S + 60)]

Scene = dict[str, Any]


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Scene]:
    """Each scene of guest.py by its name; the machine runs once for all."""
    out = tmp_path_factory.mktemp("v4l2") / "out"
    out.mkdir()
    console = virtual.run(Path(__file__).with_name("guest.py"), out, TIMEOUT_S)
    print(console)  # noqa: T201  what was seen
    assert (out / "seen.json").exists(), "the guest has written nothing; its console is above"
    scenes: dict[str, Scene] = json.loads((out / "seen.json").read_text())
    print(json.dumps(scenes, indent=1))  # noqa: T201
    assert {name: scene["error"] for name, scene in scenes.items() if "error" in scene} == {}
    return scenes


def test_camera_and_its_modes_are_listed(seen: dict[str, Scene]) -> None:
    listing = seen["listing"]["cameras"]
    assert (listing["code"], listing["err"]) == (0, "")
    assert listing["out"].splitlines()[:3] == [
        "/dev/video0  vivid-000-vid-cap",
        "  YUYV 320x180 at 1, 2, 4, 5, 10, 12.5, 15, 25, 30, 40, 50, 60 fps",
        "  YUYV 640x360 at 1, 2, 4, 5, 10, 12.5, 15, 25, 30, 40 fps",
    ]


def test_doctor_finds_the_camera_once_it_is_there(seen: dict[str, Scene]) -> None:
    assert seen["no_camera"]["doctor"] == ["ok", "none on this machine; network cameras work without"]
    assert seen["listing"]["doctor"] == ["ok", "/dev/video0 (vivid-000-vid-cap)"]


def test_frames_have_the_requested_size_and_rate(seen: dict[str, Scene]) -> None:
    frames = seen["frames"]
    gaps = [after - before for before, after in itertools.pairwise(frames["captured_at"])]
    assert (frames["fps"], frames["shapes"], len(gaps)) == (15, [[360, 640, 3]], 30)
    assert min(gaps) > 0
    assert sorted(gaps)[15] == pytest.approx(1 / 15, rel=0.1)
    assert frames["contrast"] > 50, "the test picture has bars of every colour"
    assert frames["change"] > 100, "the test picture has a clock"


def test_command_ends_by_itself_without_warnings(seen: dict[str, Scene]) -> None:
    command = seen["command"]
    assert command["code"] == 0
    assert [line for line in command["err"].splitlines() if not is_progress(line)] == []


def test_unplugged_camera_comes_back_as_the_same_one(seen: dict[str, Scene]) -> None:
    scene = seen["unplugged"]
    bodies, before = scene["bodies"], scene["before"]
    assert scene["gone"]
    assert len(bodies) > before + 5
    assert len({body["epoch"] for body in bodies}) == 1
    assert {tuple(body["size"]) for body in bodies} == {(640, 360)}
    for one, other in itertools.pairwise(bodies):
        assert other["captured_at"] > one["captured_at"]
        assert other["frame_id"] - one["frame_id"] - 1 == sum(other["skipped"].values())
    assert bodies[-1]["people"] == 1
    assert scene["fps"] == 15


def test_absence_and_return_are_logged_and_the_end_is_quiet(seen: dict[str, Scene]) -> None:
    scene = seen["unplugged"]
    lines = [line.split(" ", 1)[1].strip() for line in scene["log"].splitlines() if not is_progress(line)]
    *lost, back = lines
    assert lost[-1] == "capture/desk warning: /dev/video0: unplugged; reconnecting"
    assert lost[:-1] in ([], ["capture/desk warning: /dev/video0: gives no more frames; reconnecting"])
    assert back.startswith("capture/desk /dev/video0: connected again after ")
    assert scene["code"] == 0


def test_camera_used_by_another_program_names_the_process(seen: dict[str, Scene]) -> None:
    scene = seen["busy"]
    assert scene["webcam"]["code"] == 3
    assert scene["webcam"]["err"].splitlines()[-1] == (
        f"remi-stream: Camera /dev/video0 is in use by process {scene['pid']} (python). End it, or use another camera"
    )
    verdict, text = scene["doctor"]
    assert verdict == "warn"
    assert text.startswith(
        f"/dev/video0 (vivid-000-vid-cap) is in use by {scene['pid']} (python). It serves one program at a time"
    )


def test_user_outside_the_group_gets_the_command_to_join(seen: dict[str, Scene]) -> None:
    scene = seen["forbidden"]
    assert scene["cameras and doctor"] == [
        f"/dev/video0  vivid-000-vid-cap: permission denied. Join the group: {JOIN}",
        "warn",
        f"/dev/video0 (vivid-000-vid-cap): no permission. Add yourself to the group 'video': {JOIN}",
    ]
    assert (scene["webcam"]["code"], scene["webcam"]["err"].splitlines()) == (
        3,
        [f"remi-stream: This user may not open camera /dev/video0. Join its group: {JOIN}"],
    )


def is_progress(line: str) -> bool:
    """Whether a line of the log only reports progress."""
    return " remi      " in line and "warning" not in line
