"""Clips are lifted as the published program does it, whatever runs the network."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from remi_stream.pose.videopose3d import clip_padding, lift_clip, mirror_points, normalise_keypoints, run_in_chunks

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "tools"))

VARIANTS = ("small27", "symmetric", "causal")


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@cache
def golden() -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """The vectors that the project carries, and their manifest."""
    from parity.folder import read_golden

    found = read_golden(Path(__file__).resolve().parents[2] / "data" / "parity" / "videopose3d.npz")
    assert found.manifest
    return found.entries(), found.manifest


@cache
def network(variant: str) -> Any:
    """The network with the weights that the vectors were made with, as a function of arrays."""
    from parity.recipe import make_state

    from remi_stream.networks.videopose3d import VideoPose3d

    facts, weights = golden()[1]["variants"][variant], golden()[1]["weights"]
    module = VideoPose3d(facts["filter_widths"], facts["channels"], facts["causal"])
    shapes = {key: tuple(tensor.shape) for key, tensor in module.state_dict().items()}
    state = make_state(shapes, weights["seed"], weights["gain"])
    module.load_state_dict({key: torch.from_numpy(np.asarray(array)) for key, array in state.items()})
    module.requires_grad_(False).eval()
    return lambda keypoints: module(torch.from_numpy(keypoints))[0].numpy()


def shift(keypoints: np.ndarray) -> np.ndarray:
    """A network that sees three frames and whose joints are the key points of the first, the middle and the last of them."""
    first, middle, last = (keypoints[:, start : keypoints.shape[1] - 2 + start] for start in range(3))
    return np.stack([first[..., 0], middle[..., 0], last[..., 0]], -1)


def clip(frames: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(frames, 17, 2)).astype(np.float32)


@pytest.mark.parametrize("variant", VARIANTS)
def test_pixels_are_normalised_as_published(variant: str) -> None:
    entries, _ = golden()
    width, height = entries[f"{variant}.clip.in.resolution_wh"]
    found = normalise_keypoints(entries[f"{variant}.clip.in.keypoints_px"], (int(width), int(height)))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, entries[f"{variant}.clip.out.keypoints_norm"], atol=1e-6)


@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize("variant", VARIANTS)
def test_clip_gives_the_golden_joints(variant: str, flip: bool) -> None:
    entries, manifest = golden()
    facts = manifest["variants"][variant]
    keypoints, expected = (
        entries[f"{variant}.clip.out.{name}"] for name in ("keypoints_norm", "joints3d_flip_avg" if flip else "joints3d_plain")
    )
    found = lift_clip(network(variant), keypoints, is_causal=facts["causal"], receptive_field=facts["receptive_field"], flip=flip)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=manifest["accuracy_batch3"][variant]["joints3d"]["suggested_atol"])
    assert clip_padding(facts["receptive_field"], facts["causal"]) == (facts["left_pad"], facts["right_pad"])


@pytest.mark.parametrize("frames", [27, 40, 71, 200])
@pytest.mark.parametrize("flip", [False, True])
def test_pieces_of_a_clip_give_what_the_whole_gives(frames: int, flip: bool) -> None:
    run, keypoints = network("small27"), clip(45)
    options: dict[str, Any] = {"is_causal": False, "receptive_field": 27, "flip": flip}
    told: list[int] = []
    found = lift_clip(run_in_chunks(run, 27, frames, told.append), keypoints, **options)
    np.testing.assert_allclose(found, lift_clip(run, keypoints, **options), atol=2e-5)
    assert told[-1] == 45
    assert told == sorted(set(told))


def test_pieces_are_all_of_the_length_that_the_network_takes() -> None:
    seen: list[int] = []

    def one_window(keypoints: np.ndarray) -> np.ndarray:
        seen.append(keypoints.shape[1])
        assert keypoints.flags.c_contiguous
        return shift(keypoints)

    lift_clip(run_in_chunks(one_window, 3, 5), clip(7), is_causal=False, receptive_field=3, flip=True)
    assert set(seen) == {5}


def test_network_may_use_its_memory_again() -> None:
    memory = np.zeros((1, 1, 17, 3), np.float32)

    def one_window(keypoints: np.ndarray) -> np.ndarray:
        memory[:] = shift(keypoints)
        return memory

    options: dict[str, Any] = {"is_causal": True, "receptive_field": 3, "flip": False}
    np.testing.assert_array_equal(
        lift_clip(run_in_chunks(one_window, 3, 3), clip(5), **options), lift_clip(shift, clip(5), **options)
    )


@pytest.mark.parametrize(("causal", "moved"), [(False, (-1, 0, 1)), (True, (-2, -1, 0))])
def test_ends_of_a_clip_are_repeated_on_the_right_side(causal: bool, moved: tuple[int, ...]) -> None:
    keypoints = clip(6)
    joints = lift_clip(shift, keypoints, is_causal=causal, receptive_field=3, flip=False)
    for axis, step in enumerate(moved):
        np.testing.assert_array_equal(joints[..., axis], keypoints[np.clip(np.arange(6) + step, 0, 5), :, 0])


def test_mirror_exchanges_sides_and_leaves_the_original_alone() -> None:
    points = clip(1)[0]
    before = points.copy()
    turned = mirror_points(points, "coco17")
    np.testing.assert_array_equal(turned[5], points[6] * [-1, 1])
    np.testing.assert_array_equal(turned[0], points[0] * [-1, 1])
    np.testing.assert_array_equal(mirror_points(turned, "coco17"), points)
    np.testing.assert_array_equal(points, before)
