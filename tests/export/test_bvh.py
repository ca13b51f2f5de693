"""BVH: read back and posed by a small independent reader."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from remi_stream.errors import RemiError
from remi_stream.export import bvh
from remi_stream.recordings.take import Take
from remi_stream.skeletons import JOINT_NAMES
from tests.clip import FPS
from tests.export.dance import AWAY, FRAMES, LATE, Y_UP, joints_of, person, smpl, take
from tests.sample import bodies


def read(path: Path) -> tuple[list[dict[str, Any]], float, np.ndarray]:
    """The joints (name, parent, offset, channels) in the order of the file, seconds a frame, and the numbers (F, channels)."""
    words = path.read_text().split()
    joints: list[dict[str, Any]] = []
    open_joints: list[int] = []
    assert words.pop(0) == "HIERARCHY"
    while (word := words.pop(0)) != "MOTION":
        if word in ("ROOT", "JOINT"):
            joints.append({"name": words.pop(0), "parent": open_joints[-1] if open_joints else -1, "channels": []})
            open_joints.append(len(joints) - 1)
        elif word == "End":
            open_joints.append(-1)
        elif word == "}":
            open_joints.pop()
        elif word == "OFFSET":
            offset = np.array([float(words.pop(0)) for _ in range(3)])
            if open_joints[-1] >= 0:
                joints[open_joints[-1]]["offset"] = offset
        elif word == "CHANNELS":
            joints[open_joints[-1]]["channels"] = [words.pop(0) for _ in range(int(words.pop(0)))]
    assert words.pop(0) == "Frames:"
    count = int(words.pop(0))
    assert [words.pop(0), words.pop(0)] == ["Frame", "Time:"]
    frame_s = float(words.pop(0))
    return joints, frame_s, np.array(words, float).reshape(count, -1)


def posed(joints: list[dict[str, Any]], numbers: np.ndarray) -> dict[str, np.ndarray]:
    """Positions of the joints, in the file's unit: rotations are applied in the order of the channels."""
    rest, places, turns = list(numbers), [], []
    for joint in joints:
        turn, moved = np.eye(3), np.zeros(3)
        for channel in joint["channels"]:
            value = rest.pop(0)
            if channel.endswith("position"):
                moved["XYZ".index(channel[0])] = value
            else:
                turn = turn @ Rotation.from_euler(channel[0].lower(), value, degrees=True).as_matrix()
        above = (turns[joint["parent"]], places[joint["parent"]]) if joint["parent"] >= 0 else (np.eye(3), np.zeros(3))
        places.append(above[1] + above[0] @ (joint["offset"] + moved))
        turns.append(above[0] @ turn)
    assert not rest
    return {joint["name"]: place for joint, place in zip(joints, places)}


def test_joints_are_where_the_body_has_them_to_a_millimetre(tmp_path: Path) -> None:
    written = bvh.write_bvh(take(), tmp_path)
    assert [path.name for path in written] == ["track-000001.bvh", "track-000002.bvh", "track-000002.bvh.json"]
    for track_id, path, first in ((1, written[0], 0), (2, written[1], LATE)):
        joints, frame_s, numbers = read(path)
        assert (len(joints), len(numbers), frame_s) == (24, FRAMES, pytest.approx(1 / FPS)), "one time line for all people"
        for k in (first, first + 3, FRAMES - 1):
            found = posed(joints, numbers[k])
            true = joints_of(smpl(k, track_id)) * Y_UP * 100
            np.testing.assert_allclose(np.array([found[name] for name in JOINT_NAMES["smpl24"]]), true, atol=0.05)


def test_last_pose_is_held_over_a_gap_and_that_is_noted(tmp_path: Path) -> None:
    bvh.write_bvh(take(), tmp_path)
    _, _, numbers = read(tmp_path / "track-000002.bvh")
    held = numbers[AWAY[0] - 1 : AWAY[-1] + 1]
    assert (held == held[0]).all()
    note = json.loads((tmp_path / "track-000002.bvh.json").read_text())
    assert note == {"start_s": 0.0, "fps": FPS, "held_frames": [[0, LATE - 1], [AWAY[0], AWAY[-1]]]}


def test_pose_is_held_before_a_person_comes_and_after_they_left(tmp_path: Path) -> None:
    alone = [bodies(k, k / FPS, people=[person(k, 1), *([person(k, 2)] if 3 <= k <= 8 else [])]) for k in range(12)]
    bvh.write_bvh(Take("visit", (1280, 720), FPS, alone), tmp_path)
    (_, _, one), (_, _, other) = (read(tmp_path / f"track-00000{track_id}.bvh") for track_id in (1, 2))
    assert len(one) == len(other) == 12
    assert (other[:3] == other[3]).all()
    assert (other[9:] == other[8]).all()
    note = json.loads((tmp_path / "track-000002.bvh.json").read_text())
    assert note["held_frames"] == [[0, 2], [9, 11]]


def long_take(seen: dict[int, Sequence[int]], frames: int) -> Take:
    """A take in which each person is seen in a few frames only."""
    people = {k: [person(k % 40, track_id) for track_id in seen if k in seen[track_id]] for each in seen.values() for k in each}
    return Take("long", (1280, 720), FPS, [bodies(k, k / FPS, people=people.get(k, [])) for k in range(frames)])


def test_brief_visit_to_a_long_take_is_a_file_of_its_own_time(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    frames, came, left = int(601 * FPS), 9000, 9011
    seen = {1: [0, frames - 1], 2: range(came, left + 1), 3: [20], 4: [came, came + frames // 9]}
    assert len(bvh.write_bvh(long_take(seen, frames), tmp_path)) == 8
    notes = {number: json.loads((tmp_path / f"track-00000{number}.bvh.json").read_text()) for number in seen}
    counts = {k: (tmp_path / f"track-00000{k}.bvh").read_bytes().partition(b"Frame Time")[2].count(b"\n") - 1 for k in seen}
    assert counts == {1: frames, 2: left - came + 1, 3: 1, 4: frames}
    assert notes[1] == {"start_s": 0.0, "fps": FPS, "held_frames": [[1, frames - 2]]}
    assert notes[2] == {"start_s": pytest.approx(came / FPS), "fps": FPS, "held_frames": []}
    assert notes[4]["start_s"] == 0
    [warning] = caplog.messages
    assert "track-000003 and 1 more: only the person's own time is written" in warning
    joints, _, numbers = read(tmp_path / "track-000002.bvh")
    found = posed(joints, numbers[3])
    true = joints_of(smpl((came + 3) % 40, 2)) * Y_UP * 100
    np.testing.assert_allclose(np.array([found[name] for name in JOINT_NAMES["smpl24"]]), true, atol=0.05)


def test_file_beyond_200_mb_is_of_the_persons_own_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bvh, "MAX_FILE_BYTES", 99 * bvh.FRAME_BYTES)
    bvh.write_bvh(long_take({1: range(20, 90), 2: range(100)}, 100), tmp_path)
    (_, _, one), (_, _, other) = (read(tmp_path / f"track-00000{track_id}.bvh") for track_id in (1, 2))
    assert (len(one), len(other)) == (70, 100)


def test_long_take_is_written_in_little_memory(tmp_path: Path) -> None:
    take = long_take({1: [0, 30_000]}, 30_001)
    tracemalloc.start()
    bvh.write_bvh(take, tmp_path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 100e6


@pytest.mark.parametrize("frames", [1, 3, 7])
def test_chunks_make_no_difference(frames: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = [path.name for path in bvh.write_bvh(take(), tmp_path)]
    monkeypatch.setattr(bvh, "CHUNK_FRAMES", frames + 1)
    (tmp_path / "again").mkdir()
    bvh.write_bvh(take(), tmp_path / "again")
    for name in names:
        assert (tmp_path / "again" / name).read_bytes() == (tmp_path / name).read_bytes()


def test_frames_between_those_of_a_slow_engine_are_filled_by_even_turns(tmp_path: Path) -> None:
    every_third = Take("slow", (1280, 720), FPS, take().frames[:31:3])
    (path, *_) = bvh.write_bvh(every_third, tmp_path)
    joints, _, numbers = read(path)
    assert len(numbers) == 31
    off = [
        np.linalg.norm(
            np.array([posed(joints, numbers[k])[name] for name in JOINT_NAMES["smpl24"]]) - joints_of(smpl(k)) * Y_UP * 100,
            axis=1,
        )
        for k in range(1, 30)
    ]
    assert 0 < np.mean(off) < 1.0


def test_angles_are_those_of_any_rotation_also_where_two_axes_fall_together() -> None:
    rng = np.random.default_rng(0)
    locked = Rotation.from_euler("ZXY", [[30, 90, 40], [-20, -90, 5], [0, 90, 0]], degrees=True)
    turned = Rotation.concatenate([Rotation.random(200, rng=rng), locked])
    angles = bvh.euler_zxy_degrees(turned.as_quat())
    np.testing.assert_allclose(Rotation.from_euler("ZXY", angles, degrees=True).as_matrix(), turned.as_matrix(), atol=1e-5)


def test_knee_that_bends_beyond_a_right_angle_and_a_turn_on_the_spot_have_no_jumps() -> None:
    bend, turn = np.linspace(60, 120, 61), np.linspace(0, 720, 61)
    knee = Rotation.from_euler("X", bend[:, None], degrees=True)
    root = Rotation.from_euler("Y", turn[:, None], degrees=True)
    both = np.stack([knee.as_quat(), root.as_quat()], 1)
    smooth = bvh.unwrap_euler_degrees(bvh.euler_zxy_degrees(both))
    assert np.abs(np.diff(smooth[:, 0], axis=0)).max() < 1.01
    assert np.abs(np.diff(smooth[:, 1], axis=0)).max() < 12.1
    for each, rotations in enumerate((knee, root)):
        again = Rotation.from_euler("ZXY", smooth[:, each], degrees=True)
        np.testing.assert_allclose(again.as_matrix(), rotations.as_matrix(), atol=1e-6)


def test_take_without_a_smpl_pose_is_refused_in_one_line(tmp_path: Path) -> None:
    flat = Take("flat", (640, 360), 30.0, [bodies(people=[person(0, 1, smpl=None)], engine="alphapose")])
    with pytest.raises(RemiError, match=r"No one in flat has a SMPL pose \(engine alphapose\).*Use csv or npz"):
        bvh.write_bvh(flat, tmp_path)
    with pytest.raises(RemiError, match="which has no motion"):
        bvh.write_bvh(Take("album", (640, 360), 30.0, [bodies()], images=("1.jpg",)), tmp_path)
    assert bvh.write_bvh(Take("empty", (640, 360), 30.0, [bodies(people=[])]), tmp_path) == []
    assert list(tmp_path.iterdir()) == []
