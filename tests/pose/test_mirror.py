"""AlphaPose with flip augmentation: the mirrored crop too."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from remi_stream.models.manifest import find_engine
from remi_stream.pose import alphapose
from remi_stream.pose.alphapose import AlphaPoseEngine, HeatmapDecoding
from remi_stream.pose.heatmaps import mirror_joint_pairs
from remi_stream.skeletons import JOINT_NAMES
from tests.tracking.seer import crop_of, picture

BOX = np.array([200, 100, 350, 300], np.float32)


class Mirrored:
    """Finds the same body in crop and mirrored crop, as a perfect published network: one column to the side in the second."""

    name = "fake"

    def __init__(self, skeleton: str, faint: float = 1.0) -> None:
        names = JOINT_NAMES[skeleton]
        random = np.random.default_rng(3)
        self.at = random.integers([8, 8], [40, 56], (len(names), 2))
        self.twins = dict(mirror_joint_pairs(skeleton)) | {b: a for a, b in mirror_joint_pairs(skeleton)}
        self.faint, self.images = faint, []
        self.maps = np.zeros((1, len(names), 64, 48), np.float32)

    def run(self, tensors: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        self.images.append(tensors["image"])
        self.maps[:] = 0
        for joint, (x, y) in enumerate(self.at):
            if len(self.images) == 1:
                self.maps[0, joint, y, x] = 0.9
            else:
                self.maps[0, self.twins.get(joint, joint), y, 48 - x] = 0.9 * self.faint
        return {"heatmaps": self.maps}


def looked(network: Mirrored, skeleton: str, flip: bool) -> Any:
    image = np.random.default_rng(0).integers(0, 255, picture().shape, np.uint8)
    [pose] = AlphaPoseEngine("test", network, skeleton, HeatmapDecoding(False, 0.1, flip)).infer([crop_of(BOX, image)])
    assert pose.person is not None
    return pose.person


@pytest.mark.parametrize("skeleton", ["coco17", "halpe26", "halpe136"])
def test_both_inferences_agree_joint_by_joint(skeleton: str) -> None:
    once, twice = Mirrored(skeleton), Mirrored(skeleton)
    alone, both = looked(once, skeleton, False), looked(twice, skeleton, True)
    assert (len(once.images), len(twice.images)) == (1, 2)
    np.testing.assert_array_equal(twice.images[1], twice.images[0][:, :, ::-1])
    np.testing.assert_array_equal(both.keypoints_px, alone.keypoints_px)
    np.testing.assert_allclose(both.keypoint_scores, alone.keypoint_scores)


def test_scores_are_the_mean_of_both_inferences() -> None:
    np.testing.assert_allclose(looked(Mirrored("coco17", faint=0.5), "coco17", True).keypoint_scores, 0.9 * 0.75, rtol=1e-6)


@pytest.mark.parametrize(("skeleton", "pairs"), [("coco17", 8), ("halpe26", 11), ("halpe136", 11 + 21 + 29)])
def test_each_joint_has_one_twin_at_most(skeleton: str, pairs: int) -> None:
    joints = [joint for pair in mirror_joint_pairs(skeleton) for joint in pair]
    assert len(set(joints)) == len(joints) == 2 * pairs


ACROSS = [range(17), range(17, 27), range(31, 36), [36, 37, 38, 39, 42, 43, 44, 45], [41, 40, 47, 46], range(48, 55)]
ACROSS += [range(59, 54, -1), range(60, 65), [67, 66, 65], [27], [28], [29], [30]]
"""The 68 points of a face in rows from one side to the other."""


def test_face_reads_backwards_in_the_mirror() -> None:
    assert sorted(point for row in ACROSS for point in row) == list(range(68))
    twins = {26 + point: 26 + point for point in range(68)}
    for one, other in mirror_joint_pairs("halpe136"):
        twins |= {one: other, other: one}
    for row in ACROSS:
        assert [twins[26 + point] - 26 for point in row] == list(row)[::-1]


@pytest.mark.parametrize("name", ["alphapose", "alphapose-26", "alphapose-17"])
@pytest.mark.parametrize("flip", [0.0, 1.0])
def test_manifest_has_the_option(name: str, flip: float, monkeypatch: pytest.MonkeyPatch) -> None:
    manifest = find_engine(name)
    network = Mirrored(manifest.skeleton)
    monkeypatch.setattr(alphapose, "load_model", lambda file, kind, **settings: network)
    engine = alphapose.open_engine(manifest, "onnx", {"threads": 2, **manifest.options, "lift": 0.0, "flip": flip})
    engine.infer([crop_of(BOX, picture())])
    assert len(network.images) == 1 + flip
