"""Networks become graphs without breaks, for any batch, and the graphs compute the same."""

import logging
import warnings

import numpy as np
import onnxruntime
import pytest
import torch

from remi_stream.networks import fastpose, hrnet
from remi_stream.networks.darknet import Darknet, MaxPool, parse_cfg
from remi_stream.networks.network import NETWORKS, ImageInput, Network, find_network
from remi_stream.networks.served import ServedNetwork, build_network
from tests.networks.golden import filled
from tests.networks.test_darknet import CFG

SMALLEST = ("smoothnet_8", "videopose3d_causal", "alphapose_coco17", "pare", "poco_cliff")
ABSOLUTE, RELATIVE = 5e-4, 1e-4


def inputs(network, batch):
    generator = torch.Generator().manual_seed(batch)
    made = []
    for name, shape in network.input_shapes().items():
        size = (batch, *shape)
        picture = name == "image"
        made.append(
            torch.randint(0, 256, size, dtype=torch.uint8, generator=generator)
            if picture
            else torch.randn(size, generator=generator)
        )
    return tuple(made)


def same_in_onnx(served, path):
    """Export with batch 2, run with batch 3; check torch.export's graph on the way."""
    network = served.network
    batch = torch.export.Dim("batch", min=1, max=64)
    shapes = (tuple({0: batch} for _ in network.input_shapes()),)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logging.getLogger("torch.onnx").setLevel(logging.ERROR)
        graph = torch.export.export(served, inputs(network, 2), dynamic_shapes=shapes)
        program = torch.onnx.export(
            graph, dynamo=True, input_names=list(network.input_shapes()), output_names=list(network.outputs), verbose=False
        )
    program.save(str(path))
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options)
    fresh = inputs(network, 3)
    found = session.run(None, {name: tensor.numpy() for name, tensor in zip(network.input_shapes(), fresh)})
    with torch.inference_mode():
        expected = served(*fresh)
    for got, wanted in zip(found, expected, strict=True):
        np.testing.assert_allclose(got, wanted.numpy(), atol=ABSOLUTE, rtol=RELATIVE)


@pytest.mark.parametrize("name", SMALLEST)
def test_network_with_fewer_blocks_becomes_a_graph(name, tmp_path, monkeypatch):
    monkeypatch.setattr(hrnet, "STAGE_MODULES", (1, 1, 1))
    monkeypatch.setattr(hrnet, "BRANCH_BLOCKS", 1)
    monkeypatch.setattr(fastpose, "LAYER_BLOCKS", (1, 1, 1, 1))
    same_in_onnx(ServedNetwork(find_network(name), filled(build_network(name))), tmp_path / "network.onnx")


def test_yolo_becomes_a_graph(tmp_path):
    network = Network("", ImageInput(64, 64), ("rows",))
    same_in_onnx(
        ServedNetwork(network, filled(Darknet(parse_cfg(CFG), order="cell first", zeros=True))), tmp_path / "network.onnx"
    )


def test_pool_whose_outside_is_zero_stays_so(tmp_path):
    class Below(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.pool = MaxPool(5, 1, zeros=True)

        def forward(self, x):
            return (self.pool(x - 5),)

    network = Network("", None, ("y",), {"x": (3, 9, 9)})
    same_in_onnx(ServedNetwork(network, Below()).eval(), tmp_path / "network.onnx")


@pytest.mark.slow
@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_becomes_a_graph(name, tmp_path):
    same_in_onnx(ServedNetwork(find_network(name), filled(build_network(name))), tmp_path / "network.onnx")
