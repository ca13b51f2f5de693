"""Served networks: bytes in, tensors out; checkpoints fit or are refused in one line."""

import pytest
import torch

from remi_stream.errors import RemiError, UsageError
from remi_stream.networks.network import NETWORKS, find_network
from remi_stream.networks.served import ServedNetwork, build_network, load_network
from tests.networks.golden import filled


@pytest.fixture(scope="module")
def smoothnet():
    return filled(build_network("smoothnet_8")).state_dict()


@pytest.mark.parametrize("name", ["pare", "alphapose_coco17", "yolov3"])
def test_images_are_normalised_inside_the_graph(name):
    class Same(torch.nn.Module):
        def forward(self, image):
            return (image,)

    network = find_network(name)
    image = torch.randint(0, 256, (2, 5, 7, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    (found,) = ServedNetwork(network, Same())(image)
    expected = (image.double() / 255 - torch.tensor(network.image.mean)) / torch.tensor(network.image.std)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found.double(), expected.permute(0, 3, 1, 2), atol=1e-6, rtol=0)


@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_of_the_table_has_the_outputs_of_the_table(name):
    network = find_network(name)
    with torch.device("meta"):
        served = ServedNetwork(network, build_network(name)).to("meta")
        kinds = {key: torch.uint8 if key == "image" else torch.float32 for key in network.input_shapes()}
        outputs = served(*(torch.zeros((2, *shape), dtype=kinds[key]) for key, shape in network.input_shapes().items()))
    assert len(outputs) == len(network.outputs)
    assert {output.shape[0] for output in outputs} == {2}


def test_loaded_network_computes_what_the_filled_one_does(smoothnet):
    x = torch.randn(4, 1, 8, generator=torch.Generator().manual_seed(1))
    module = build_network("smoothnet_8")
    module.load_state_dict(smoothnet)
    assert torch.equal(load_network("smoothnet_8", smoothnet)(x)[0], module(x)[0])


def test_half_precision_and_early_checkpoints_load():
    state = filled(build_network("videopose3d", {"expand_conv.weight": (8, 34, 3), "shrink.weight": (51, 8, 1)})).state_dict()
    kept = {key: tensor.half() for key, tensor in state.items() if not key.endswith("num_batches_tracked")}
    served = load_network("videopose3d", kept)
    assert {tensor.dtype for tensor in served.parameters()} == {torch.float32}


def without(state, key):
    return {name: tensor for name, tensor in state.items() if name != key}


@pytest.mark.parametrize(
    ("change", "reported"),
    [
        (lambda state: without(state, "decoder.bias"), "1 key missing: decoder.bias"),
        (lambda state: state | {"decoder.scale": torch.zeros(1)}, "1 key not of this network: decoder.scale"),
        (lambda state: state | {"optimizer": torch.zeros(1)}, "1 key not of this network: optimizer"),
        (lambda state: state | {"decoder.bias": torch.zeros(9)}, r"decoder.bias \[9\], expected \[8\]"),
        (lambda state: {}, "8 keys missing: encoder.0.weight, encoder.0.bias, res_blocks.0.linear1.weight, ..."),
    ],
)
def test_weights_that_do_not_fit_are_refused_in_one_line(smoothnet, change, reported):
    with pytest.raises(RemiError, match=reported) as caught:
        load_network("smoothnet_8", change(smoothnet))
    assert "\n" not in str(caught.value)
    assert "smoothnet_8" in str(caught.value)


def test_unknown_network_is_reported_with_its_nearest_name():
    with pytest.raises(UsageError, match="Did you mean 'poco_pare'"):
        build_network("poco_par")
