"""Networks of cfg files: the user's own too, and their `.weights`."""

import numpy as np
import pytest
import torch

from remi_stream.errors import RemiError
from remi_stream.networks.darknet import (
    HEADER_BYTES,
    Darknet,
    MaxPool,
    count_weights,
    numbers_from_state_dict,
    parse_cfg,
    read_cfg,
    read_darknet_weights,
    state_dict_from_numbers,
)
from remi_stream.networks.served import build_network
from tests.networks.golden import filled

CFG = """
; two classes, two scales, two and three anchors
[net]
width=64   # px
height=64

[convolutional]
batch_normalize=1
filters=8
size=3
stride=2
pad=1
activation=leaky

[maxpool]
size=2
stride=2

[convolutional]
batch_normalize=1
filters=8
size=3
stride=1
pad=1
activation=leaky

[shortcut]
from=-2
activation=linear

[maxpool]
size=5
stride=1

[route]
layers=-1,-2

[convolutional]
size=1
stride=1
pad=1
filters=14
activation=linear

[yolo]
mask=1,2
anchors=10,13, 16,30, 33,23
classes=2

[route]
layers=-3

[upsample]
stride=2

[route]
layers=-1,0

[convolutional]
size=1
stride=1
pad=1
filters=21
activation=linear

[yolo]
anchors=10,13, 16,30, 33,23
classes=2
"""


@pytest.fixture
def network():
    return filled(Darknet(parse_cfg(CFG)), gain=0.5)


def test_own_cfg_with_other_classes_anchors_and_sizes_works(network):
    (rows,) = network(torch.rand(2, 3, 64, 96, generator=torch.Generator().manual_seed(1))[:, :, :, :64])
    assert rows.shape == (2, 16 * 16 * 2 + 32 * 32 * 3, 7)
    assert network.size_px == (64, 64)
    assert 0 <= rows[..., 4:].min() <= rows[..., 4:].max() <= 1


def test_rows_say_where_their_cell_is(network):
    detection = network.module_list[7]
    raw = torch.zeros(1, 14, 16, 16)
    rows = detection(raw, 64).reshape(2, 16, 16, 7)
    assert rows[0, 3, 5].tolist() == [22.0, 14.0, 16.0, 30.0, 0.5, 0.5, 0.5]
    assert rows[1, 0, 0, :4].tolist() == [2.0, 2.0, 33.0, 23.0]


def test_both_orders_have_the_same_rows():
    image = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    first, second = (filled(Darknet(parse_cfg(CFG), order=order))(image)[0][0] for order in ("anchor first", "cell first"))
    scale = 16 * 16 * 2
    assert torch.equal(first[:scale].reshape(2, 256, 7).transpose(0, 1), second[:scale].reshape(256, 2, 7))
    assert torch.equal(first[scale:].reshape(3, 1024, 7).transpose(0, 1), second[scale:].reshape(1024, 3, 7))


@pytest.mark.parametrize("size", [2, 3, 5, 13])
def test_pools_are_padded_with_nothing_or_with_zeros(size):
    x = torch.randn(2, 3, 7, 7, generator=torch.Generator().manual_seed(1)) - 2
    before = (size - 1) // 2
    padding = (before, size - 1 - before, before, size - 1 - before)
    for zeros, outside in ((False, -torch.inf), (True, 0.0)):
        expected = torch.nn.functional.max_pool2d(torch.nn.functional.pad(x, padding, value=outside), size, 1)
        assert torch.equal(MaxPool(size, 1, zeros)(x), expected)


def test_pools_with_a_stride_are_not_padded():
    x = -torch.rand(1, 1, 8, 8, generator=torch.Generator().manual_seed(1))
    assert torch.equal(MaxPool(2, 2, zeros=True)(x), torch.nn.functional.max_pool2d(x, 2))


def test_classes_of_a_checkpoint_are_used():
    with torch.device("meta"):
        module = build_network("yolov3", {"module_list.81.conv_81.weight": (18, 1024, 1, 1)})
    assert module.state_dict()["module_list.105.conv_105.bias"].shape == (18,)


@pytest.mark.parametrize("name", ["yolov3", "yolov3-spp"])
def test_packaged_cfg_names_a_size_and_three_scales(name):
    with torch.device("meta"):
        network = Darknet(read_cfg(name))
    assert network.size_px[0] == network.size_px[1] in (416, 608)
    assert sum(section.kind == "yolo" for section in read_cfg(name)) == 3


def test_weights_file_is_read_in_the_order_of_the_cfg(network, tmp_path):
    state = {key: value for key, value in network.state_dict().items() if not key.endswith("num_batches_tracked")}
    (tmp_path / "own.weights").write_bytes(bytes(HEADER_BYTES) + numbers_from_state_dict(state, network).tobytes())
    with torch.device("meta"):
        empty = Darknet(parse_cfg(CFG))
    found = read_darknet_weights(tmp_path / "own.weights", empty)
    assert all(torch.equal(found[key], value) for key, value in network.state_dict().items())


def test_numbers_are_bias_scale_mean_variance_weight(network):
    found = state_dict_from_numbers(np.arange(count_weights(network), dtype=np.float32), network)
    parts = ("batch_norm_0.bias", "batch_norm_0.weight", "batch_norm_0.running_mean", "batch_norm_0.running_var", "conv_0.weight")
    assert [found[f"module_list.0.{part}"].ravel()[0].item() for part in parts] == [0, 8, 16, 24, 32]
    last = found["module_list.11.conv_11.bias"], found["module_list.11.conv_11.weight"]
    assert last[1].ravel()[-1] == count_weights(network) - 1
    assert last[1].ravel()[0] == last[0][-1] + 1


@pytest.mark.parametrize("size", [0, 19, 20, 1000])
def test_weights_file_of_another_length_is_refused_with_both(size, network, tmp_path):
    (tmp_path / "own.weights").write_bytes(bytes(size))
    expected = HEADER_BYTES + 4 * count_weights(network)
    with pytest.raises(RemiError, match=rf"^own.weights has {size} bytes, but this network's weights take {expected}\.$"):
        read_darknet_weights(tmp_path / "own.weights", network)


@pytest.mark.parametrize(
    ("old", "new", "reported"),
    [
        ("[net]", "[convolutional]", "does not begin with \\[net\\]"),
        ("size=3", "sizes=3", "line 7 of the cfg has no 'size'"),
        ("filters=8", "filters=many", "'filters' is 'many', not numbers"),
        ("filters=8", "filters=8,9", "'filters' has 2 numbers instead of one"),
        ("from=-2", "from=7", "refers to layer 7, which is not before it"),
        ("from=-2", "from=-9", "refers to layer -9, which is not before it"),
        ("mask=1,2", "mask=1,3", "refers to more than 3 anchors"),
        ("[upsample]", "[crop]", "Unknown layer in line .* 'crop'. Known: convolutional"),
        ("activation=leaky", "activation=mish", "Unknown activation in line 7 of the cfg: 'mish'"),
    ],
)
def test_mistake_in_a_cfg_is_reported_with_its_line(old, new, reported):
    with pytest.raises(RemiError, match=reported):
        Darknet(parse_cfg(CFG.replace(old, new, 1)))
