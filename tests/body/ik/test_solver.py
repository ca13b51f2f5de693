"""Inverse kinematics from BlazePose landmarks."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from remi_stream.body.ik.solver import END_JOINTS, MIDDLE_JOINTS, UPPER_JOINTS, IkSolution, IkSolver, body_landmarks
from remi_stream.body.smpl import forward_kinematics, load_default_body
from remi_stream.geometry import axis_angle_from_matrices, matrices_from_axis_angle, orthonormal_axes
from remi_stream.skeletons import JOINT_NAMES

REST = load_default_body().rest_joints(np.zeros(10))
SKELETON = IkSolver(REST, exchanges_sides=True)
SEEN = np.ones(33)
BEND_DEGREES = {"left_elbow": (0, -70, 0), "right_elbow": (0, 70, 0), "left_knee": (60, 0, 0), "right_knee": (60, 0, 0)}
MIRROR = np.diag([-1.0, 1, 1])
FRAME_S = 1 / 30


def pose(**degrees: tuple[float, float, float]) -> np.ndarray:
    """Rotations (24, 3, 3) from rotation vectors in degrees by joint name."""
    turns = np.zeros((24, 3))
    for name, vector in degrees.items():
        turns[JOINT_NAMES["smpl24"].index(name)] = np.radians(vector)
    return matrices_from_axis_angle(turns)


def random_pose(seed: int) -> np.ndarray:
    """A person with bent elbows and knees, in a random pose within reach."""
    spread = {"pelvis": 180, "left_shoulder": 40, "right_shoulder": 40, "left_hip": 35, "right_hip": 35, "head": 20}
    random = np.random.default_rng(seed)
    turns = {name: tuple(random.uniform(-1, 1, 3) * most / 1.7) for name, most in spread.items()}
    return pose(**turns, **BEND_DEGREES)


def points(rotations: np.ndarray) -> np.ndarray:
    return body_landmarks(*forward_kinematics(REST, rotations, np.zeros(3)))


def between(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The angles, degrees, between rotations."""
    return np.degrees(np.linalg.norm(axis_angle_from_matrices(a.swapaxes(-1, -2) @ b), axis=-1))


def world(rotations: np.ndarray) -> np.ndarray:
    return forward_kinematics(REST, rotations, np.zeros(3))[0]


def twist_change(before: IkSolution, after: IkSolution) -> float:
    """How far the left upper arm turned, degrees."""
    return float(between(before.rotations[16], after.rotations[16]))


def test_rest_pose_gives_no_rotations() -> None:
    assert between(SKELETON.solve(points(pose()), SEEN).rotations, np.eye(3)).max() < 0.5


@pytest.mark.parametrize("seed", range(12))
def test_known_pose_is_recovered_from_its_landmarks(seed: int) -> None:
    true = random_pose(seed)
    found = SKELETON.solve(points(true), SEEN).rotations
    limbs = [0, 15, *UPPER_JOINTS, *MIDDLE_JOINTS]
    assert between(world(found)[limbs], world(true)[limbs]).max() < 15
    assert between(world(found)[[20, 21, 7, 8]], world(true)[END_JOINTS]).max() < 15
    off = forward_kinematics(REST, found, np.zeros(3))[1] - forward_kinematics(REST, true, np.zeros(3))[1]
    assert np.linalg.norm(off, axis=1).max() < 0.04


@pytest.mark.parametrize("seed", range(4))
def test_turn_of_the_whole_person_turns_nothing_but_the_root(seed: int) -> None:
    still = points(random_pose(seed))
    turn = matrices_from_axis_angle(np.array([0.4, 1.1, -0.3]))
    before, after = SKELETON.solve(still, SEEN), SKELETON.solve(still @ turn.T + [1, 2, 3], SEEN)
    assert between(turn @ before.rotations[0], after.rotations[0]) < 1e-3
    assert between(before.rotations[1:], after.rotations[1:]).max() < 1e-3


def test_size_of_the_person_does_not_matter() -> None:
    still = points(random_pose(3))
    assert between(SKELETON.solve(still, SEEN).rotations, SKELETON.solve(1.4 * still, SEEN).rotations).max() < 1e-3


def test_mirrored_person_takes_the_mirrored_pose() -> None:
    def twins(names: tuple[str, ...]) -> list[int]:
        swap = {"left": "right", "right": "left"}
        return [names.index("_".join(swap.get(word, word) for word in name.split("_"))) for name in names]

    still = points(random_pose(5))
    found = SKELETON.solve(still, SEEN).rotations
    mirrored = SKELETON.solve((still @ MIRROR)[twins(JOINT_NAMES["blazepose33"])], SEEN).rotations
    assert between(mirrored, (MIRROR @ found @ MIRROR)[twins(JOINT_NAMES["smpl24"])]).max() < 2


def test_twist_of_a_straight_arm_is_held_in_spite_of_noise() -> None:
    random = np.random.default_rng(0)
    bent, straight = points(pose(left_elbow=(0, -70, 0))), points(pose(left_elbow=(0, -3, 0)))
    noisy = [straight + random.normal(0, 0.005, (33, 3)) for _ in range(30)]
    solution = SKELETON.solve(bent, SEEN)
    held, free = [], []
    for one, other in pairwise(noisy):
        after = SKELETON.solve(one, SEEN, solution.ik_state, FRAME_S)
        held.append(twist_change(solution, after))
        raw = [orthonormal_axes(p[13] - p[11], np.cross(p[13] - p[11], p[15] - p[13])) for p in (one, other)]
        free.append(float(between(*raw)))
        solution = after
    assert max(held) < 25
    assert max(free) > 60


def test_held_twist_turns_along_with_the_body() -> None:
    bent, straight = points(pose(left_elbow=(0, 0, 60))), points(pose())
    turn = matrices_from_axis_angle(np.array([0, 0.35, 0]))  # less than the most a torso turns in a frame
    memory = SKELETON.solve(bent, SEEN).ik_state
    here = SKELETON.solve(straight, SEEN, memory, FRAME_S)
    there = SKELETON.solve(straight @ turn.T, SEEN, memory, FRAME_S)
    assert between(here.rotations[1:], there.rotations[1:]).max() < 1e-3


def test_held_twist_goes_back_to_that_of_a_relaxed_arm() -> None:
    straight = points(pose())
    solution = SKELETON.solve(points(pose(left_elbow=(0, 0, 60))), SEEN)
    relaxed = SKELETON.solve(straight, SEEN)
    at_first = SKELETON.solve(straight, SEEN, solution.ik_state, FRAME_S)
    for _ in range(150):
        solution = SKELETON.solve(straight, SEEN, solution.ik_state, FRAME_S)
    assert twist_change(at_first, relaxed) > 45
    assert twist_change(solution, relaxed) < 5


def test_turn_of_a_hand_is_shared_between_forearm_and_wrist() -> None:
    true = pose(left_elbow=(0, -70, 0), left_wrist=(60, 0, 0))
    found = SKELETON.solve(points(true), SEEN).rotations
    straight = SKELETON.solve(points(pose(left_elbow=(0, -70, 0))), SEEN).rotations
    assert between(world(found)[20], world(true)[20]) < 10
    assert between(straight[18], found[18]) == pytest.approx(30, abs=5)
    assert between(straight[20], found[20]) == pytest.approx(30, abs=5)


def test_state_is_not_modified() -> None:
    memory = SKELETON.solve(points(random_pose(1)), SEEN).ik_state
    first = SKELETON.solve(points(random_pose(2)), SEEN, memory, FRAME_S)
    second = SKELETON.solve(points(random_pose(2)), SEEN, memory, FRAME_S)
    np.testing.assert_array_equal(first.rotations, second.rotations)


def test_unobservable_joints_keep_the_rest_pose_with_confidence_0() -> None:
    solution = SKELETON.solve(points(random_pose(4)), SEEN)
    unknown = [10, 11, 13, 14, 22, 23]
    np.testing.assert_array_equal(solution.rotations[unknown], np.tile(np.eye(3), (6, 1, 1)))
    np.testing.assert_array_equal(solution.joint_confidence[unknown], 0)


def test_confidence_follows_visibility_and_bend() -> None:
    hidden = SEEN.copy()
    hidden[[14, 16]] = 0.1
    confidence = SKELETON.solve(points(random_pose(4)), hidden).joint_confidence
    assert confidence[19] <= 0.1 < 0.9 < confidence[18]
    assert SKELETON.solve(points(pose()), SEEN).joint_confidence[18] == pytest.approx(0.5)


def follow(frames: list[np.ndarray], elapsed: float = FRAME_S) -> list[IkSolution]:
    """Solve consecutive frames of rotations (24, 3, 3)."""
    found: list[IkSolution] = []
    for rotations in frames:
        found.append(SKELETON.solve(points(rotations), SEEN, found[-1].ik_state if found else None, elapsed))
    return found


def largest_turn(found: list[IkSolution], joint: int) -> float:
    """Largest turn of a joint between two frames, degrees."""
    return max(float(between(a.rotations[joint], b.rotations[joint])) for a, b in pairwise(found))


@pytest.mark.parametrize("bend", [40, 70, 110])
def test_reversed_elbow_axis_is_taken_gradually(bend: int) -> None:
    front, back = pose(left_elbow=(0, -bend, 0)), pose(left_shoulder=(180, 0, 0), left_elbow=(0, -bend, 0))
    found = follow([front] * 3 + [back] * 60)
    assert largest_turn(found, 16) < 30
    assert between(found[3].rotations[16], front[16]) < 30
    assert between(found[-1].rotations[16], back[16]) < 15


def test_foot_past_a_half_turn_does_not_change_sides() -> None:
    found = follow([pose(left_ankle=(0, yaw, 0), left_knee=(60, 0, 0)) for yaw in range(0, 200, 5)])
    assert largest_turn(found, 7) < 25
    yaws = np.degrees([axis_angle_from_matrices(one.rotations[7])[1] for one in found])
    assert yaws.max() < 50
    assert yaws[-1] > 20


def test_yaw_of_the_foot_turns_a_straight_leg() -> None:
    found = follow([pose()] + [pose(left_hip=(0, 35, 0))] * 8)
    assert between(found[-1].rotations[1], pose(left_hip=(0, 35, 0))[1]) < 20


def test_torso_that_turns_round_in_a_frame_is_believed_after_several() -> None:
    front, back = pose(**BEND_DEGREES), pose(pelvis=(0, 180, 0), **BEND_DEGREES)
    found = follow([front] * 3 + [back] * 3 + [front] * 3 + [back] * 45)
    assert largest_turn(found, 0) < 30
    assert max(float(between(one.rotations[0], front[0])) for one in found[:9]) < 5
    assert [one.is_swapped for one in found[:9]] == [False] * 3 + [True] * 3 + [False] * 3
    assert between(found[-1].rotations[0], back[0]) < 5
