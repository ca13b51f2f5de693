"""VideoPose3D: both ways through it agree, and time runs as it should."""

import pytest
import torch

from remi_stream.networks.videopose3d import VideoPose3d, build_videopose3d
from remi_stream.pose import videopose3d as lift
from tests.networks.golden import filled

WIDTHS = [(3, 3, 3), (3, 5), (1, 3, 3), (5,)]


def network(widths=(3, 3, 3), causal=False):
    return filled(VideoPose3d(widths, 16, causal))


def clip(frames, seed=1):
    return torch.randn(frames, 17, 2, generator=torch.Generator().manual_seed(seed))


def lift_clip(module, keypoints):
    def run(clips):
        return module(torch.from_numpy(clips))[0].numpy()

    options = {"is_causal": module.causal, "receptive_field": module.receptive_field, "flip": False}
    return torch.from_numpy(lift.lift_clip(run, keypoints.numpy(), **options))


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("widths", WIDTHS)
def test_single_window_is_computed_as_in_a_clip(widths, causal):
    module = network(widths, causal)
    field = module.receptive_field
    keypoints = clip(field + 4)
    (whole,) = module(keypoints[None])
    windows = torch.cat([module(keypoints[None, start : start + field])[0] for start in range(5)], 1)
    torch.testing.assert_close(windows, whole, atol=1e-6, rtol=0)


@pytest.mark.parametrize("causal", [False, True])
def test_every_frame_of_a_clip_gets_joints(causal):
    module = network(causal=causal)
    for frames in (1, 2, 40):
        assert lift_clip(module, clip(frames)).shape == (frames, 17, 3)


def test_causal_joints_depend_on_no_later_frame():
    module = network(causal=True)
    keypoints = clip(40)
    changed = keypoints.clone()
    changed[25:] += 1
    before, after = lift_clip(module, keypoints), lift_clip(module, changed)
    torch.testing.assert_close(before[:25], after[:25], atol=1e-6, rtol=0)
    assert (before[25] - after[25]).abs().max() > 1e-3


def test_causal_blocks_hand_on_the_last_frame_of_their_window_and_symmetric_ones_the_middle_one():
    for causal, last in ((False, 14), (True, 26)):
        module = network(causal=causal)
        for convolution in module.layers_conv:
            torch.nn.init.zeros_(convolution.weight)
        for frame in range(27):
            keypoints = clip(27)
            keypoints[frame] += 1
            moved = not torch.equal(module(keypoints[None])[0], module(clip(27)[None])[0])
            assert moved == (last - 2 <= frame <= last)


def test_symmetric_joints_depend_on_as_many_frames_on_both_sides():
    module = network()
    keypoints = clip(60)
    changed = keypoints.clone()
    changed[30] += 1
    moved = (lift_clip(module, keypoints) - lift_clip(module, changed)).abs().amax((1, 2)) > 1e-6
    assert moved.nonzero().ravel().tolist() == list(range(30 - 13, 30 + 14))


@pytest.mark.parametrize("widths", WIDTHS)
def test_sizes_are_those_of_the_checkpoint(widths):
    state = VideoPose3d(widths, 16).state_dict()
    shapes = {key: tuple(tensor.shape) for key, tensor in state.items()}
    assert build_videopose3d(shapes, causal=True).widths == widths
    assert {key: tuple(tensor.shape) for key, tensor in build_videopose3d(shapes, False).state_dict().items()} == shapes
