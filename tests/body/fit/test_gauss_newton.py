"""Gauss-Newton fit of a body with shape: properties."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from remi_stream.body.fit.fitter import FitState, TrackFit, TrackFitter, closed_form_prior
from remi_stream.body.fit.landmark_model import FREE_JOINTS, POSE_COUNT, ROTATION_COUNT, LandmarkModel
from remi_stream.body.fit.priors import LIKELY_ROTATIONS
from remi_stream.body.ik.limbs import MAX_TURN_RATE
from remi_stream.body.ik.solver import TWINS
from remi_stream.body.smpl import joint_rotations, load_default_body
from remi_stream.geometry import (
    axis_angle_from_matrices,
    default_intrinsics,
    matrices_from_axis_angle,
    project,
    shortest_rotation,
)
from remi_stream.skeletons import JOINT_NAMES

BODY = load_default_body()
MODEL = LandmarkModel(BODY)
FITTER = TrackFitter(BODY)
CAMERA = default_intrinsics(1280, 720)
FRAME_S = 1 / 30
SEEN = np.ones(33)
HERE = np.array([0.3, 0.2, 3.5])
MIRROR = np.diag([-1.0, 1, 1])
SMPL = JOINT_NAMES["smpl24"]
SWAP = {"left": "right", "right": "left"}
JOINTS_TWINS = [SMPL.index("_".join(SWAP.get(word, word) for word in name.split("_"))) for name in SMPL]


def random_pose(seed: int) -> np.ndarray:
    """Rotations (24, 3, 3) of a person upright before the camera, in a random pose within reach."""
    random = np.random.default_rng(seed)
    turns = np.zeros((24, 3))
    turns[0] = np.pi, 0, 0
    spread = {"spine1": 8, "spine2": 8, "neck": 15, "head": 10, "shoulder": 35, "hip": 25}
    for joint, name in enumerate(SMPL):
        turns[joint] += np.radians(spread.get(name.split("_")[-1], 0)) * random.uniform(-1, 1, 3)
    turns[[16, 17], 2] += np.array([-0.7, 0.7])
    turns[[18, 19], 1] += random.uniform(0.6, 1.5, 2) * [-1, 1]
    turns[[4, 5], 0] += random.uniform(0.4, 1.2, 2)
    yaw = matrices_from_axis_angle(np.array([0, random.uniform(-0.8, 0.8), 0]))
    rotations = matrices_from_axis_angle(turns)
    rotations[0] = rotations[0] @ yaw
    return rotations


def fit(
    rotations: np.ndarray,
    betas: np.ndarray | None = None,
    state: FitState | None = None,
    visibility: np.ndarray = SEEN,
    noise: np.ndarray | float = 0.0,
    elapsed: float = FRAME_S,
) -> TrackFit:
    """Fit what the network would say of a pose: pixels, and points in the axes of a camera that points at the person."""
    points = MODEL.points(rotations, np.zeros(10) if betas is None else betas, HERE)
    return fit_points(points, project(points, CAMERA) + noise, visibility, state, elapsed)


def fit_points(
    points: np.ndarray, pixels: np.ndarray, visibility: np.ndarray, state: FitState | None = None, elapsed: float = FRAME_S
) -> TrackFit:
    world = points @ shortest_rotation(np.array([0, 0, 1.0]), points[[11, 12, 23, 24]].mean(0))
    elapsed = elapsed if state else 0.0
    start = FITTER.solve_closed_form(
        world - world[[23, 24]].mean(0), pixels, visibility, CAMERA, state.ik_state if state else None, elapsed
    )
    return FITTER.fit(start, closed_form_prior(start), CAMERA, state, elapsed)


def follow(frames: int, *arguments: Any, **more: Any) -> TrackFit:
    """Fit the same frame again and again."""
    found = fit(*arguments, **more)
    for _ in range(frames - 1):
        found = fit(*arguments, **{**more, "state": found.state})
    return found


def between(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The angles, degrees, between rotations."""
    return np.degrees(np.linalg.norm(axis_angle_from_matrices(a.swapaxes(-1, -2) @ b), axis=-1))


def fitted_rotations(found: TrackFit) -> np.ndarray:
    return joint_rotations(found.smpl.global_orient, found.smpl.body_pose)


def fitted_landmarks(found: TrackFit) -> np.ndarray:
    """Pixels of the fitted body's landmarks, (33, 2)."""
    pose = found.state.pose
    return project(MODEL.points(pose.rotations, pose.betas, pose.transl), CAMERA)


def test_derivatives_are_those_of_finite_differences() -> None:
    random = np.random.default_rng(0)
    rotations, betas = random_pose(0), random.normal(0, 1, 10)
    posed, step = MODEL.pose(rotations, betas, HERE), 1e-6
    for unknown in range(posed.slopes.shape[2]):
        turned, place, shape = rotations.copy(), HERE.copy(), betas.copy()
        if unknown < ROTATION_COUNT:
            joint = FREE_JOINTS[unknown // 3]
            turned[joint] = turned[joint] @ matrices_from_axis_angle(step * np.eye(3)[unknown % 3])
        elif unknown < POSE_COUNT:
            place[unknown - ROTATION_COUNT] += step
        else:
            shape[unknown - POSE_COUNT] += step
        slope = (MODEL.points(turned, shape, place) - posed.points) / step
        np.testing.assert_allclose(posed.slopes[:, :, unknown], slope, atol=1e-5)


@pytest.mark.parametrize("seed", range(6))
def test_known_pose_comes_back(seed: int) -> None:
    true = random_pose(seed)
    found = follow(8, true)
    pixels = project(MODEL.points(true, np.zeros(10), HERE), CAMERA)
    assert np.linalg.norm(fitted_landmarks(found) - pixels, axis=1).mean() < 3  # of a person 400 px tall
    joints = BODY.joints(found.smpl.global_orient, found.smpl.body_pose, found.smpl.betas, found.smpl.transl)
    truth = BODY.joints(*pose_vectors(true), np.zeros(10), HERE)
    error = (joints - joints[0]) - (truth - truth[0])
    assert np.linalg.norm(error, axis=1).mean() < 0.035


def pose_vectors(rotations: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    vectors = axis_angle_from_matrices(rotations)
    return vectors[0], vectors[1:].ravel()


def test_mirrored_person_takes_the_mirrored_pose() -> None:
    true = random_pose(3)
    points = MODEL.points(true, np.zeros(10), HERE) - HERE * [1, 0, 0]
    centred = CAMERA[0], CAMERA[1], 640.0, 360.0
    assert centred == CAMERA
    plain = fit_points(points, project(points, CAMERA), SEEN)
    mirrored_points = (points @ MIRROR)[TWINS]
    mirrored = fit_points(mirrored_points, project(mirrored_points, CAMERA), SEEN)
    expected = (MIRROR @ fitted_rotations(plain) @ MIRROR)[JOINTS_TWINS]
    assert between(fitted_rotations(mirrored), expected).max() < 1.5


@pytest.mark.parametrize("seed", range(3))
def test_no_joint_turns_faster_than_the_bound(seed: int) -> None:
    random, state, turns = np.random.default_rng(seed), None, []
    for _ in range(12):
        found = fit(random_pose(int(random.integers(1000))), state=state, visibility=random.uniform(0, 1, 33))
        if state:
            turns.append(between(state.pose.rotations, found.state.pose.rotations).max())
        state = found.state
    assert max(turns) <= np.degrees(MAX_TURN_RATE) * FRAME_S + 1e-6


def raised(share: float) -> np.ndarray:
    """A person who raises an arm, by 1.2 rad in all."""
    rotations = random_pose(1)
    rotations[16] = rotations[16] @ matrices_from_axis_angle(share * np.array([0, 0, 1.2]))
    return rotations


def test_moving_arm_is_late_by_less_than_half_a_frame() -> None:
    state, late = follow(8, raised(0)).state, []
    for frame in range(1, 15):
        found = fit(raised(frame / 20), state=state)
        state = found.state
        here, next_ = (project(MODEL.points(raised(k / 20), np.zeros(10), HERE), CAMERA)[15] for k in (frame, frame + 1))
        still = fitted_landmarks(follow(6, raised(frame / 20), state=state))[15]
        step = next_ - here
        late.append(float((still - fitted_landmarks(found)[15]) @ step / (step @ step)))
    assert np.mean(late[5:]) < 0.5
    assert np.linalg.norm(step) > 3


def test_noise_of_pixels_and_depths_is_smoothed() -> None:
    random, state, raw, smooth = np.random.default_rng(1), None, [], []
    points = MODEL.points(random_pose(1), np.zeros(10), HERE)
    pixels = project(points, CAMERA)
    for _ in range(40):
        noisy = points + random.normal(0, 1, (33, 1)) * [0, 0, 0.05]
        found = fit_points(noisy, pixels + random.normal(0, 1, (33, 2)), SEEN, state)
        alone = fit_points(noisy, pixels, SEEN)
        state = found.state
        raw.append(axis_angle_from_matrices(alone.state.pose.rotations))
        smooth.append(axis_angle_from_matrices(state.pose.rotations))
    jitter = [np.abs(np.diff(np.array(series)[5:, 1:], 2, axis=0)).mean() for series in (raw, smooth)]
    assert jitter[1] < 0.4 * jitter[0]


@pytest.mark.parametrize("sizes", [(0, 2.0), (0, -2.0), (2, 2.0), (2, -2.0)])
def test_shape_is_steady_and_explains_the_picture(sizes: tuple[int, float]) -> None:
    true, betas = random_pose(2), sizes[1] * np.eye(10)[sizes[0]]
    state, shapes, errors = None, [], []
    pixels = project(MODEL.points(true, betas, HERE), CAMERA)
    for _ in range(60):
        found = fit(true, betas, state)
        state = found.state
        shapes.append(found.smpl.betas)
        errors.append(np.linalg.norm(fitted_landmarks(found) - pixels, axis=1).mean())
    assert max(np.abs(b - a).max() for a, b in pairwise(shapes)) < 0.04
    assert np.abs(shapes[-1] - shapes[-10]).max() < 0.15
    assert errors[-1] < 3
    if sizes[0]:
        assert shapes[-1][sizes[0]] * np.sign(sizes[1]) > 0.1  # landmarks show little of it


def test_hidden_limb_relaxes_to_a_likely_pose_and_says_so() -> None:
    hidden = SEEN.copy()
    hidden[25:33] = 0.02
    true = random_pose(4)
    points = MODEL.points(true, np.zeros(10), HERE)
    pixels = project(points, CAMERA)
    pixels[25:33] += np.random.default_rng(0).normal(0, 80, (8, 2))
    state = None
    for _ in range(60):
        found = fit_points(points, pixels, hidden, state)
        state = found.state
    legs = [4, 5]
    likely = LIKELY_ROTATIONS[[list(FREE_JOINTS).index(joint) for joint in legs]]
    assert between(fitted_rotations(found)[legs], likely).max() < 25
    assert found.smpl.joint_confidence[legs].max() < 0.2 < found.smpl.joint_confidence[[18, 19]].min()


@pytest.mark.parametrize("visible", [0.0, 1.0])
@pytest.mark.parametrize("pixels", [np.zeros((33, 2)), np.full((33, 2), 1e5), np.tile([640.0, 360.0], (33, 1))])
def test_degenerate_input_gives_numbers(pixels: np.ndarray, visible: float) -> None:
    state = follow(2, random_pose(0)).state
    for _ in range(3):
        found = fit_points(np.zeros((33, 3)) + [0, 0, 3.0], pixels, np.full(33, visible), state)
        state = found.state
        for array in (found.landmarks_m, found.smpl.body_pose, found.smpl.betas, found.smpl.transl, found.smpl.global_orient):
            assert np.isfinite(array).all()


def test_exchanged_left_and_right_are_put_back() -> None:
    rotations = random_pose(1)
    points, state = MODEL.points(rotations, np.zeros(10), HERE), follow(5, rotations).state
    for _ in range(15):
        found = fit_points(points[TWINS], project(points, CAMERA)[TWINS], SEEN, state)
        state = found.state
    assert between(fitted_rotations(found), rotations)[[0, 1, 2, 16, 17]].max() < 15
    np.testing.assert_allclose(project(found.landmarks_m, CAMERA), project(points, CAMERA), atol=0.5)


def test_landmarks_take_the_depths_of_other_rotations_on_their_rays() -> None:
    rotations = random_pose(5)
    points = MODEL.points(rotations, np.zeros(10), HERE)
    world = points @ shortest_rotation(np.array([0, 0, 1.0]), points[[11, 12, 23, 24]].mean(0))
    world[:, 2] += np.random.default_rng(0).normal(0, 0.15, 33)  # the network's depths are its weak side
    start = FITTER.solve_closed_form(world - world[[23, 24]].mean(0), project(points, CAMERA), SEEN, CAMERA)
    moved = FITTER.move_depths(start, rotations)
    assert np.allclose(project(moved.landmarks_m, CAMERA), project(start.landmarks_m, CAMERA))
    errors = [np.abs(np.diff(found.landmarks_m[:, 2] - points[:, 2])).mean() for found in (start, moved)]
    assert errors[1] < 0.1 * errors[0]
