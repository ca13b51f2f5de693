"""glTF: checked by Khronos' validator, and posed by independent code."""

from __future__ import annotations

import json
import struct
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trimesh
from scipy.spatial.transform import Rotation, Slerp

from remi_stream.body.known_bodies import SMPL_PELVIS_M, Retargeter
from remi_stream.body.smpl import load_default_body
from remi_stream.export import gltf
from remi_stream.recordings.take import Take
from tests.clip import FPS
from tests.export.dance import AWAY, FRAMES, LATE, Y_UP, smpl, take
from tests.sample import bodies

VALIDATOR = Path(__file__).parent / "validator"
KINDS = {5121: "<u1", 5123: "<u2", 5125: "<u4", 5126: "<f4"}
WIDTHS = {"SCALAR": 1, "VEC3": 3, "VEC4": 4, "MAT4": 16}


class File:
    """A .glb, read by the specification."""

    def __init__(self, path: Path) -> None:
        data = path.read_bytes()
        magic, version, length = struct.unpack("<4sII", data[:12])
        assert (magic, version, length) == (b"glTF", 2, len(data))
        size, kind = struct.unpack("<I4s", data[12:20])
        assert kind == b"JSON"
        self.json = json.loads(data[20 : 20 + size])
        self._bytes = data[28 + size :]

    def array(self, number: int) -> np.ndarray:
        told = self.json["accessors"][number]
        view, width = self.json["bufferViews"][told["bufferView"]], WIDTHS[told["type"]]
        flat = np.frombuffer(self._bytes, KINDS[told["componentType"]], told["count"] * width, view["byteOffset"])
        return flat.reshape(-1, width)

    def pose(self, time_s: float) -> None:
        """Set the nodes to the animation at a time."""
        (animation,) = self.json["animations"]
        for channel in animation["channels"]:
            sampler = animation["samplers"][channel["sampler"]]
            times, values = self.array(sampler["input"])[:, 0].astype(float), self.array(sampler["output"]).astype(float)
            at = np.clip(time_s, times[0], times[-1])
            if sampler["interpolation"] == "STEP":
                value = values[np.searchsorted(times, at, "right") - 1]
            elif channel["target"]["path"] == "rotation" and len(times) > 1:
                value = Slerp(times, Rotation.from_quat(values))(at).as_quat()
            else:
                value = np.array([np.interp(at, times, column) for column in values.T])
            self.json["nodes"][channel["target"]["node"]][channel["target"]["path"]] = value

    def matrices(self) -> list[np.ndarray]:
        """Transform of each node in the scene, (4, 4)."""
        found: dict[int, np.ndarray] = {}
        waiting = [(root, np.eye(4)) for root in self.json["scenes"][self.json["scene"]]["nodes"]]
        while waiting:
            index, above = waiting.pop()
            node, own = self.json["nodes"][index], np.eye(4)
            own[:3, :3] = Rotation.from_quat(node.get("rotation", [0, 0, 0, 1])).as_matrix() * node.get("scale", np.ones(3))
            own[:3, 3] = node.get("translation", [0, 0, 0])
            found[index] = above @ own
            waiting += [(child, found[index]) for child in node.get("children", [])]
        return [found[index] for index in range(len(self.json["nodes"]))]

    def skin(self, name: str) -> np.ndarray:
        """The posed vertices (V, 3) of a person."""
        (node,) = (node for node in self.json["nodes"] if node["name"] == name)
        attributes = self.json["meshes"][node["mesh"]]["primitives"][0]["attributes"]
        skin, nodes = self.json["skins"][node["skin"]], self.matrices()
        inverse = self.array(skin["inverseBindMatrices"]).reshape(-1, 4, 4).swapaxes(1, 2)
        moves = np.stack([nodes[joint] @ inverse[index] for index, joint in enumerate(skin["joints"])])
        blend = np.einsum("vk,vkab->vab", self.array(attributes["WEIGHTS_0"]), moves[self.array(attributes["JOINTS_0"])])
        points = self.array(attributes["POSITION"])
        return np.einsum("vab,vb->va", blend, np.c_[points, np.ones(len(points))])[:, :3]


@pytest.fixture(scope="module")
def dance(tmp_path_factory: pytest.TempPathFactory) -> Path:
    (path,) = gltf.write_gltf(take(), tmp_path_factory.mktemp("gltf"))
    return path


def skin_of(k: int, track_id: int) -> np.ndarray:
    pose = smpl(k, track_id)
    return load_default_body().vertices(pose.global_orient, pose.body_pose, pose.betas, pose.transl) * Y_UP


@pytest.mark.parametrize(("track_id", "k"), [(1, 0), (1, 17), (1, FRAMES - 1), (2, LATE), (2, AWAY[-1] + 3)])
def test_skins_are_where_our_own_skinning_has_them(dance: Path, track_id: int, k: int) -> None:
    file = File(dance)
    file.pose(k / FPS + 1e-6)  # its times have 24 bits
    off = np.linalg.norm(file.skin(f"track-{track_id:06d}") - skin_of(k, track_id), axis=1)
    assert off.max() < 0.001, f"{off.max() * 1000:.2f} mm"


def test_person_out_of_sight_has_scale_0(dance: Path) -> None:
    file = File(dance)
    sizes = []
    for k in (0, LATE, AWAY[0] - 1, AWAY[0] + 1, AWAY[-1], AWAY[-1] + 1):
        file.pose(k / FPS + 1e-4)
        sizes.append(np.ptp(file.skin("track-000002"), 0).max() > 0.5)
    assert sizes == [False, True, True, False, False, True]
    file.pose(0)
    assert np.ptp(file.skin("track-000001"), 0).max() > 0.5


@pytest.mark.browser
def test_khronos_validator_finds_nothing_wrong(dance: Path) -> None:
    report = validate(dance)
    assert report["info"]["animationCount"] == 1
    assert report["info"]["maxInfluences"] == 4


def validate(path: Path) -> dict[str, Any]:
    """Khronos' report; asserts that it has no issues."""
    if not (VALIDATOR / "node_modules").exists():
        subprocess.run(["npm", "ci", "--no-audit", "--no-fund"], cwd=VALIDATOR, check=True, capture_output=True)
    result = subprocess.run(["node", VALIDATOR / "validate.js", path], capture_output=True, text=True, check=True)
    report: dict[str, Any] = json.loads(result.stdout)
    assert {name: report["issues"][name] for name in ("numErrors", "numWarnings", "messages")} == {
        "numErrors": 0,
        "numWarnings": 0,
        "messages": [],
    }
    return report


def test_trimesh_opens_it(dance: Path) -> None:
    scene = trimesh.load(dance)
    assert len(scene.geometry) == 2
    assert {len(mesh.faces) for mesh in scene.geometry.values()} == {len(load_default_body().faces)}


def test_smpl_pose_stands_where_it_was_published_on_the_open_body_while_smpl_is_not_imported(tmp_path: Path) -> None:
    (path,) = gltf.write_gltf(Take("smpl", (1280, 720), FPS, take("smpl").frames[:3]), tmp_path)
    file = File(path)
    file.pose(2 / FPS)
    pelvis = next(index for index, node in enumerate(file.json["nodes"]) if node["name"] == "pelvis")
    np.testing.assert_allclose(file.matrices()[pelvis][:3, 3], (SMPL_PELVIS_M + smpl(2).transl) * Y_UP, atol=1e-5)


@pytest.mark.browser
def test_imported_smpl_has_a_colour_for_each_person_and_the_four_joints_that_move_a_vertex_most(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = load_default_body().skin_weights * np.float32(0.99)
    weights[:, 5] += np.float32(0.01)
    figure = replace(load_default_body(), name="smpl", vertex_rgb=None, skin_weights=weights)
    monkeypatch.setattr(gltf, "retarget_to_available_body", lambda body: Retargeter(figure, figure))
    (path,) = gltf.write_gltf(Take("smpl", (1280, 720), FPS, take("smpl").frames[LATE : LATE + 3]), tmp_path)
    file = File(path)
    file.pose(0)
    pose = smpl(LATE)
    true = figure.vertices(pose.global_orient, pose.body_pose, pose.betas, pose.transl) * Y_UP
    off = np.linalg.norm(file.skin("track-000001") - true, axis=1)
    assert 0 < off.max() < 0.03
    colours = [material["pbrMetallicRoughness"]["baseColorFactor"] for material in file.json["materials"]]
    assert colours[0] != colours[1]
    validate(path)


def test_video_without_people_makes_no_file(tmp_path: Path) -> None:
    assert gltf.write_gltf(Take("empty", (640, 360), 30.0, [bodies(people=[])]), tmp_path) == []
    assert list(tmp_path.iterdir()) == []
