"""SmoothNet on windows and on clips."""

import pytest
import torch

from remi_stream.filters.smoothnet import smooth_sequence
from remi_stream.networks.served import build_network
from remi_stream.networks.smoothnet import SmoothNetModule
from remi_stream.networks.state_dict_diff import tensor_shapes
from tests.networks.golden import filled


def frames(count, seed=1):
    return torch.randn(count, 6, generator=torch.Generator().manual_seed(seed))


def smooth_clip(module, clip):
    return torch.from_numpy(smooth_sequence(lambda x: module(torch.from_numpy(x))[0].numpy(), clip.numpy(), module.window))


def test_channels_are_smoothed_one_by_one():
    module = filled(build_network("smoothnet_16"))
    x = frames(16).T[None]
    (together,) = module(x)
    (apart,) = module(x.transpose(0, 1))
    torch.testing.assert_close(together[0], apart[:, 0])


def test_clip_of_one_window_is_that_window():
    module = filled(build_network("smoothnet_8"))
    clip = frames(8)
    torch.testing.assert_close(smooth_clip(module, clip), module(clip.T[None])[0][0].T)


def test_frame_of_a_clip_is_the_mean_of_all_its_windows():
    module = filled(build_network("smoothnet_8"))
    clip = frames(20)
    windows = [module(clip[start : start + 8].T[None])[0][0].T for start in range(13)]
    expected = torch.stack([windows[start][10 - start] for start in range(3, 11)]).mean(0)
    torch.testing.assert_close(smooth_clip(module, clip)[10], expected)


@pytest.mark.parametrize(("narrow", "blocks"), [(16, 1), (128, 5)])
def test_sizes_are_those_of_the_checkpoint(narrow, blocks):
    shapes = tensor_shapes(SmoothNetModule(32, narrow=narrow, blocks=blocks).state_dict())
    with torch.device("meta"):
        assert tensor_shapes(build_network("smoothnet_32", shapes).state_dict()) == shapes
