"""The SMPL-layout body: geometry by properties, and the sample clip's truth against the body that made it."""

from __future__ import annotations

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from remi_stream.body.smpl import Body, forward_kinematics, joint_rotations, load_default_body, rotate_body
from remi_stream.paths import data_file
from remi_stream.skeletons import JOINT_NAMES, SMPL_PARENTS

BODY = load_default_body()
J = {name: index for index, name in enumerate(JOINT_NAMES["smpl24"])}
ZERO3, ZERO69, MEAN = np.zeros(3), np.zeros(69), np.zeros(10)
OPENCV = np.diag([1.0, -1.0, -1.0])  # y up, z back -> y down, z forward

posings = settings(max_examples=25, deadline=None)
seeds = st.integers(0, 2**32 - 1)


def random_pose(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """A global_orient, body_pose, betas and transl of a lively person."""
    rng = np.random.default_rng(seed)
    return rng.normal(0, 1.5, 3), rng.normal(0, 0.4, 69), rng.normal(0, 1, 10), rng.normal(0, 2, 3)


@pytest.fixture(scope="module")
def truth() -> dict[str, np.ndarray]:
    with np.load(data_file("sample_truth.npz")) as stored:
        return {name: stored[name] for name in stored.files}


def truth_joints(truth: dict[str, np.ndarray]) -> np.ndarray:
    poses = zip(truth["poses"], truth["transl"])
    return np.array([BODY.joints(pose[:3], pose[3:], truth["betas"], transl) for pose, transl in poses])


def test_open_body_has_the_smpl_layout():
    vertices = len(BODY.v_template)
    assert (BODY.v_template.shape, BODY.shapedirs.shape) == ((vertices, 3), (vertices, 3, 10))
    assert (BODY.joint_regressor.shape, BODY.skin_weights.shape) == ((24, vertices), (vertices, 24))
    assert tuple(BODY.parents) == SMPL_PARENTS
    assert BODY.faces.min() == 0
    assert BODY.faces.max() == vertices - 1
    assert BODY.vertex_rgb is not None
    assert BODY.vertex_rgb.shape == (vertices, 3)


def test_open_body_is_an_upright_adult_facing_forward():
    joints = BODY.rest_joints(MEAN)
    assert 1.6 < np.ptp(BODY.v_template[:, 1]) < 1.9
    assert joints[J["left_wrist"], 0] > 0.5  # the left side at +x
    assert joints[J["left_foot"], 2] > joints[J["left_ankle"], 2] + 0.05  # the toes at +z
    np.testing.assert_allclose(joints[J["left_wrist"]] * [-1, 1, 1], joints[J["right_wrist"]], atol=0.005)


def test_skin_weights_and_regressor_rows_sum_to_one():
    np.testing.assert_allclose(BODY.skin_weights.sum(axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(BODY.joint_regressor.sum(axis=1), 1, atol=1e-5)
    assert BODY.skin_weights.min() >= 0
    assert np.count_nonzero(BODY.skin_weights, axis=1).max() <= 4


def test_zero_pose_is_the_template():
    np.testing.assert_allclose(BODY.vertices(ZERO3, ZERO69, MEAN, ZERO3), BODY.v_template, atol=1e-6)


def test_first_two_shapes_are_stature_and_build():
    mean, tall, broad = (BODY.rest_vertices(betas) for betas in (MEAN, 2 * np.eye(10)[0], 2 * np.eye(10)[1]))
    assert np.ptp(tall[:, 1]) > np.ptp(mean[:, 1]) + 0.08
    assert abs(np.ptp(broad[:, 1]) - np.ptp(mean[:, 1])) < 0.02
    waist = np.abs(mean[:, 1] - BODY.rest_joints(MEAN)[J["spine1"], 1]) < 0.02
    waist &= np.abs(mean[:, 0]) < 0.3
    assert np.ptp(broad[waist, 2]) > np.ptp(mean[waist, 2]) + 0.02


@posings
@given(seeds)
def test_rest_joints_are_regressed_from_the_rest_skin(seed: int):
    betas = random_pose(seed)[2]
    np.testing.assert_allclose(BODY.rest_joints(betas), BODY.joint_regressor @ BODY.rest_vertices(betas), atol=1e-5)


@posings
@given(seeds)
def test_root_joint_stays_put_whatever_the_rotation(seed: int):
    orient, pose, betas, transl = random_pose(seed)
    np.testing.assert_allclose(BODY.joints(orient, pose, betas, transl)[0], BODY.rest_joints(betas)[0] + transl)


@posings
@given(seeds)
def test_bones_keep_their_lengths_in_any_pose(seed: int):
    orient, pose, betas, transl = random_pose(seed)
    rest, posed = BODY.rest_joints(betas), BODY.joints(orient, pose, betas, transl)
    parents = list(SMPL_PARENTS[1:])
    lengths, posed_lengths = (np.linalg.norm(joints[1:] - joints[parents], axis=1) for joints in (rest, posed))
    np.testing.assert_allclose(posed_lengths, lengths)


@posings
@given(seeds)
def test_change_of_axes_turns_skin_and_joints_rigidly(seed: int):
    orient, pose, betas, transl = random_pose(seed)
    turn = Rotation.random(random_state=seed).as_matrix()
    turned = rotate_body(turn, BODY.rest_joints(betas)[0], orient, transl)
    for points in (BODY.joints, BODY.vertices):
        expected = points(orient, pose, betas, transl) @ turn.T
        np.testing.assert_allclose(points(turned[0], pose, betas, turned[1]), expected, atol=1e-5)


@posings
@given(seeds)
def test_change_of_axes_and_back_is_no_change(seed: int):
    orient, _, betas, transl = random_pose(seed)
    turn, root = Rotation.random(random_state=seed).as_matrix(), BODY.rest_joints(betas)[0]
    back = rotate_body(turn.T, root, *rotate_body(turn, root, orient, transl))
    np.testing.assert_allclose(Rotation.from_rotvec(back[0]).as_matrix(), Rotation.from_rotvec(orient).as_matrix(), atol=1e-9)
    np.testing.assert_allclose(back[1], transl, atol=1e-9)


def test_translation_is_no_plain_vector_under_a_change_of_axes():
    root = BODY.rest_joints(MEAN)[0]
    orient, transl = rotate_body(OPENCV, root, ZERO3, np.array([0.0, 1.0, 3.0]))
    np.testing.assert_allclose(orient, [np.pi, 0, 0], atol=1e-12)
    np.testing.assert_allclose(root + transl, OPENCV @ (root + [0.0, 1.0, 3.0]))
    assert abs(transl[1] + 1.0) > 0.3


def test_bent_elbow_takes_the_hand_to_a_known_point():
    """The left forearm, turned by 90 degrees about -y, points ahead from the elbow; the upper arm has not moved."""
    rest, rotations = BODY.rest_joints(MEAN), np.tile(np.eye(3), (24, 1, 1))
    rotations[J["left_elbow"]] = [[0, 0, -1], [0, 1, 0], [1, 0, 0]]
    world, joints = forward_kinematics(rest, rotations, np.array([0.0, 0.0, 2.0]))
    x, y, z = rest[J["left_wrist"]] - rest[J["left_elbow"]]
    np.testing.assert_allclose(joints[J["left_elbow"]], rest[J["left_elbow"]] + [0, 0, 2])
    np.testing.assert_allclose(joints[J["left_wrist"]] - joints[J["left_elbow"]], [-z, y, x])
    np.testing.assert_allclose(world[J["left_hand"]], rotations[J["left_elbow"]])


def test_skin_follows_the_joint_that_owns_it():
    """A vertex with one weight moves as rigidly as its joint does."""
    orient, pose, betas, transl = random_pose(7)
    rest, skin = BODY.rest_vertices(betas), BODY.vertices(orient, pose, betas, transl)
    rest_joints = BODY.rest_joints(betas)
    world, joints = forward_kinematics(rest_joints, joint_rotations(orient, pose), transl)
    for name in ("head", "left_hand", "right_foot"):
        joint, owned = J[name], BODY.skin_weights[:, J[name]] == 1
        assert owned.any()
        expected = (rest[owned] - rest_joints[joint]) @ world[joint].T + joints[joint]
        np.testing.assert_allclose(skin[owned], expected, atol=1e-5)


@pytest.mark.parametrize("angle", [0.0, 1e-12, 1e-8, 1e-4, np.pi, 2 * np.pi])
def test_joint_rotations_are_exact_at_any_angle(angle: float):
    turn = joint_rotations(np.array([0, angle, 0]), ZERO69)[0]
    cosine, sine = np.cos(angle), np.sin(angle)
    np.testing.assert_allclose(turn, [[cosine, 0, sine], [0, 1, 0], [-sine, 0, cosine]], atol=1e-15)


def test_pose_correctives_move_the_skin_before_it_is_posed():
    correctives = np.zeros((*BODY.v_template.shape, 207), np.float32)
    bent, row = J["left_knee"], (J["left_knee"] - 1) * 9
    correctives[:, 0, row + 4] = 0.5  # by the middle of the rotation matrix, which is cos - 1 off the identity
    body = Body(BODY.name, BODY.v_template, BODY.shapedirs, BODY.joint_regressor, BODY.skin_weights, BODY.faces, BODY.parents,
                posedirs=correctives)  # fmt: skip
    pose = np.zeros((23, 3))
    pose[bent - 1, 0] = np.pi / 2
    moved = body.vertices(ZERO3, pose.ravel(), MEAN, ZERO3) - BODY.vertices(ZERO3, pose.ravel(), MEAN, ZERO3)
    np.testing.assert_allclose(moved, np.tile([-0.5, 0, 0], (len(moved), 1)), atol=1e-5)


def test_truth_of_the_clip_is_what_the_open_body_does(truth: dict[str, np.ndarray]):
    np.testing.assert_allclose(truth_joints(truth), truth["joints_m"], atol=1e-3)
    seen = truth["joints_m"] @ truth["K"].T
    np.testing.assert_allclose(seen[..., :2] / seen[..., 2:], truth["joints_px"], atol=0.1)


def test_truth_of_the_clip_stands_on_the_floor_inside_the_image(truth: dict[str, np.ndarray]):
    up, offset = truth["floor_plane"][:3], truth["floor_plane"][3]
    np.testing.assert_allclose(up, truth["camera_from_world"][:3, 1], atol=1e-6)
    for frame in range(0, 240, 24):
        pose, transl = truth["poses"][frame], truth["transl"][frame]
        skin = BODY.vertices(pose[:3], pose[3:], truth["betas"], transl)
        assert 0.004 < (skin @ up + offset).min() < 0.008  # the soles of the shoes lie under the skin
        seen = skin @ truth["K"].T
        x, y = (seen[:, :2] / seen[:, 2:]).T
        assert x.min() > 20
        assert x.max() < 1260
        assert y.min() > 20
        assert y.max() < 700


def test_clip_repeats_without_a_seam(truth: dict[str, np.ndarray]):
    """The step from the last frame to the first is like the steps around it: in place, in turn and in speed."""
    turns = Rotation.from_rotvec(truth["poses"].reshape(-1, 3)).as_matrix().reshape(240, 24, 3, 3)
    for motion in (truth["joints_m"], turns):
        steps = np.roll(motion, -1, axis=0) - motion
        sizes = np.abs(steps).reshape(240, -1).max(axis=1)
        changes = np.abs(np.roll(steps, -1, axis=0) - steps).reshape(240, -1).max(axis=1)
        for series in (sizes, changes):
            near = np.r_[series[:4], series[-7:-2]]
            assert series[-2:].max() < 1.5 * near.max()


def test_clip_is_240_frames_of_720p_with_a_key_frame_each_half_second():
    with av.open(str(data_file("sample.mp4"))) as container:
        stream = container.streams.video[0]
        frames = [(frame.pts * frame.time_base, frame.width, frame.height, frame.key_frame) for frame in container.decode(stream)]
        assert stream.average_rate == 30
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
    assert len(frames) == 240
    assert [float(pts) for pts, *_ in frames] == pytest.approx(np.arange(240) / 30, abs=1e-6)
    assert {(width, height) for _, width, height, _ in frames} == {(1280, 720)}
    keys = [index for index, (*_, is_key) in enumerate(frames) if is_key]
    assert keys[0] == 0
    assert max(np.diff([*keys, 240])) <= 30


def test_package_data_stays_small():
    files = [data_file(name) for name in ("open_body.npz", "sample.mp4", "sample_truth.npz")]
    assert sum(file.stat().st_size for file in files) < 3e6
