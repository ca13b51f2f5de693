"""Metrics with exact definitions: latency, changes and jitter."""

from __future__ import annotations

import math

import msgspec
import numpy as np
import pytest

from remi_stream.body.known_bodies import Retargeter
from remi_stream.body.smpl import load_default_body
from remi_stream.geometry import project
from remi_stream.measure.motion import MOTION_COLUMNS, TEXT_COLUMN_COUNT, MotionMeter, MotionValues
from remi_stream.measure.remi_metrics import full_image_camera, observe_pose
from remi_stream.messages import Person
from remi_stream.skeletons import JOINT_NAMES
from tests.sample import bodies, person

DT = 0.04


def onto_open_body(source: str) -> Retargeter:
    return Retargeter(load_default_body() if source == "open" else None, load_default_body())


def at(x_m: float, track_id: int = 1, skeleton: str = "smpl24", spread: float = 0.1) -> Person:
    """A person x_m to the right, joints spread along y."""
    joints = {"smpl24": 24, "blazepose33": 33, "point": 1}[skeleton]
    places = np.zeros((joints, 3), np.float32)
    places[:, 0], places[:, 1], places[:, 2] = x_m, spread * np.arange(joints), 3
    return person(track_id, skeleton, joints, joints_m=places)


def watch(meter: MotionMeter, *frames: list[Person], dt: float = DT, late_s: float = 0.05) -> list[MotionValues]:
    return [meter.add(bodies(k, 100 + k * dt, people=people), 100 + k * dt + late_s) for k, people in enumerate(frames)]


@pytest.mark.parametrize("skeleton", ["smpl24", "blazepose33", "point"])
def test_steady_walk_has_steps_and_no_jitter(skeleton: str) -> None:
    change = watch(MotionMeter(), *([at(0.02 * k, skeleton=skeleton)] for k in range(4)))[-1].change
    assert (change.joint_mm, change.root_mm) == (pytest.approx(20, rel=1e-4), pytest.approx(20, rel=1e-4))
    assert (change.about_root_mm, change.joint_jitter_mm, change.root_jitter_mm) == pytest.approx((0, 0, 0), abs=1e-3)


def test_steady_walk_with_uneven_frames_has_no_jitter() -> None:
    meter = MotionMeter()
    for when in (0.0, 0.03, 0.1, 0.12):
        change = meter.add(bodies(captured_at=100 + when, people=[at(0.5 * when)]), 101).change
    assert change.joint_jitter_mm == pytest.approx(0, abs=1e-3)


def test_oscillation_is_jitter() -> None:
    change = watch(MotionMeter(), *([at(0.01 * (k % 2))] for k in range(3)))[-1].change
    assert (change.joint_jitter_mm, change.root_jitter_mm) == pytest.approx((10, 10), rel=1e-4)


def test_jitter_of_hands_differs_from_jitter_of_the_root() -> None:
    still, moved = at(0.0), at(0.0)
    joints = moved.joints_m.copy()
    joints[23] += (0, 0, 0.24)
    moved = msgspec.structs.replace(moved, joints_m=joints)
    change = watch(MotionMeter(), [still], [moved], [still])[-1].change
    assert (change.joint_jitter_mm, change.root_jitter_mm) == pytest.approx((10, 0), rel=1e-4)
    assert (change.joint_mm, change.about_root_mm, change.root_mm) == pytest.approx((10, 10, 0), rel=1e-4)


def test_latency_is_up_to_the_viewer() -> None:
    meter = MotionMeter()
    values = watch(meter, *([at(0)] for _ in range(20)), late_s=0.06)
    values += [meter.add(bodies(captured_at=100.8, people=[at(0)]), 101.0)]
    assert [values[0].latency_ms, values[-1].latency_ms] == pytest.approx([60, 200])
    means = dict(zip(MOTION_COLUMNS[TEXT_COLUMN_COUNT:], meter.means(101.0)))
    assert means["Latency (ms)"] == pytest.approx((20 * 60 + 200) / 21)
    assert 60 <= means["Latency, 95th Percentile (ms)"] <= 200
    assert means["Frames per Second"] == pytest.approx(20 / (101.0 - 100.06))


def test_people_are_compared_by_their_track() -> None:
    values = watch(MotionMeter(), [at(0, 1), at(1, 2)], [at(1.01, 2), at(0.03, 1)], [at(1, 5)])
    assert values[1].change.joint_mm == pytest.approx(20, rel=1e-3)
    assert [value.people for value in values] == [2, 2, 1]
    assert math.isnan(values[2].change.joint_mm)


def test_frame_without_people_has_no_moves_and_ends_the_comparison() -> None:
    meter = MotionMeter()
    values = watch(meter, [at(0)], [], [at(1)])
    assert [value.with_people for value in values] == [100, 0, 100]
    assert all(math.isnan(move) for value in values for move in value.change)
    assert dict(zip(MOTION_COLUMNS[TEXT_COLUMN_COUNT:], meter.means(100.2)))["Frames with People (%)"] == pytest.approx(200 / 3)


def test_track_is_not_compared_over_a_gap() -> None:
    assert math.isnan(watch(MotionMeter(), [at(0)], [at(1)], dt=0.6)[-1].change.joint_mm)


def test_rotation_and_shape_changes_are_measured() -> None:
    one = at(0)
    assert one.smpl is not None
    pose, betas = np.zeros(69, np.float32), np.zeros(10, np.float32)
    pose[3], betas[1] = np.radians(24), 0.5
    other = msgspec.structs.replace(one, smpl=msgspec.structs.replace(one.smpl, body_pose=pose, betas=betas))
    change = watch(MotionMeter(), [one], [other])[-1].change
    assert (change.rotation_deg, change.shape) == pytest.approx((1, 0.5), rel=1e-4)


def test_person_without_smpl_or_joints_is_measured_as_far_as_can_be() -> None:
    bare = msgspec.structs.replace(at(0), smpl=None)
    change = watch(MotionMeter(), [bare], [bare])[-1].change
    assert change.joint_mm == 0
    assert math.isnan(change.rotation_deg)
    empty = msgspec.structs.replace(bare, joints_m=np.empty((0, 3), np.float32))
    assert math.isnan(watch(MotionMeter(), [empty], [empty])[-1].change.joint_mm)


@pytest.mark.parametrize(("seconds", "rate"), [(5.0, 10.0), (1.0, 10.0)])
def test_only_the_last_seconds_count(seconds: float, rate: float) -> None:
    meter = MotionMeter(seconds)
    for k in range(100):
        meter.add(bodies(k, 100 + k / 10, people=[at(0)] if k < 60 else []), 100 + k / 10)
    means = dict(zip(MOTION_COLUMNS[TEXT_COLUMN_COUNT:], meter.means(109.9, 80.0)))
    assert means["Frames per Second"] == pytest.approx(rate)
    assert means["Frames with People (%)"] == pytest.approx(100 * max(0, 60 - 99 + 10 * seconds) / (10 * seconds), abs=2)
    assert means["Filter Lag (ms)"] == 80


def test_nothing_measured_is_no_number() -> None:
    means = MotionMeter().means(5.0)
    assert len(means) == len(MOTION_COLUMNS) - TEXT_COLUMN_COUNT
    assert all(math.isnan(mean) for mean in means)


def test_observation_is_the_body_without_translation() -> None:
    somebody = at(0)
    look = observe_pose(bodies(people=[msgspec.structs.replace(somebody, smpl=None), somebody]), onto_open_body)
    assert look is not None
    assert (look.rotations.shape, look.betas.shape, look.vertices_m.shape) == ((23, 3, 3), (10,), (13524, 3))
    assert np.abs(look.vertices_m.mean(0)).max() < 0.5
    assert observe_pose(bodies(people=[]), onto_open_body) is None


def test_observation_of_a_pose_for_another_body_keeps_rotations_and_betas() -> None:
    smpl = at(0).smpl
    assert smpl is not None
    betas = np.linspace(-1, 1, 10).astype(np.float32)
    seen = [
        observe_pose(bodies(people=[person(smpl=msgspec.structs.replace(smpl, body=body, betas=betas))]), onto_open_body)
        for body in ("smpl", "open")
    ]
    assert seen[0] is not None
    assert seen[1] is not None
    assert np.array_equal(seen[0].betas, betas)
    assert np.array_equal(seen[0].rotations, seen[1].rotations)
    assert np.abs(seen[0].vertices_m - seen[1].vertices_m).max() > 0.001, "betas mean nothing on another body"


def test_root_is_that_of_the_joints_not_of_the_key_points() -> None:
    names = JOINT_NAMES["h36m17"]
    moved = []
    for step in (0.0, 0.1):
        joints = np.zeros((17, 3), np.float32)
        joints[[names.index("left_hip"), names.index("right_hip")], 0] = step
        moved.append([person(skeleton="coco17", joints=17, joints_skeleton="h36m17", joints_m=joints)])
    assert watch(MotionMeter(), *moved)[-1].change.root_mm == pytest.approx(100, rel=1e-4)


def test_weak_camera_agrees_with_the_real_one_at_the_depth_of_the_body() -> None:
    frame, somebody = bodies(intrinsics=(700.0, 720.0, 300.0, 190.0)), at(0)
    assert somebody.smpl is not None
    sx, sy, tx, ty = full_image_camera(somebody.smpl, frame.size, frame.intrinsics)
    x, y = 0.3, -0.2
    pixels = project(np.array([x, y, 0]) + somebody.smpl.transl, frame.intrinsics)
    edges = [sx * (x + tx), sy * (y + ty)]
    np.testing.assert_allclose(edges, pixels / (np.array(frame.size) / 2) - 1, atol=1e-6)
