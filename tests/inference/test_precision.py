"""In FP16 the backbone is half precision; the head, the normalisation, inputs and outputs are not."""

from __future__ import annotations

import pytest
import torch

from remi_stream.errors import UsageError
from remi_stream.networks.darknet import YoloLayer
from remi_stream.networks.network import find_network
from remi_stream.networks.served import HalfPrecisionInput, ServedNetwork, build_network, convert_to_half

HALF_NOWHERE = {
    "pare": ("module.module.head.", "mean", "std"),
    "poco_cliff": ("module.module.head.", "module.module.uncert_head.", "mean", "std"),
    "alphapose_coco17": ("module.module.conv_out.", "mean", "std"),
}


def kinds(served: ServedNetwork) -> dict[str, torch.dtype]:
    """The type of every floating number, by its name."""
    tensors = [*served.named_parameters(), *served.named_buffers()]
    return {name: tensor.dtype for name, tensor in tensors if tensor.is_floating_point()}


@pytest.mark.parametrize("name", HALF_NOWHERE)
def test_only_heads_and_normalisation_stay_in_full(name: str) -> None:
    with torch.device("meta"):
        served = convert_to_half(ServedNetwork(find_network(name), build_network(name)))
    assert isinstance(served.module, HalfPrecisionInput)
    for key, kind in kinds(served).items():
        assert (kind == torch.float32) == key.startswith(HALF_NOWHERE[name]), key
    assert torch.float16 in kinds(served).values()


def test_boxes_of_a_detector_are_computed_in_full() -> None:
    with torch.device("meta"):
        served = convert_to_half(ServedNetwork(find_network("yolov3"), build_network("yolov3")))
    scales = [part for part in served.modules() if isinstance(part, YoloLayer)]
    assert len(scales) == 3
    given: list[torch.dtype] = []
    for scale in scales:
        assert scale.anchors_px.dtype == torch.float32
        scale.register_forward_pre_hook(lambda _part, inputs: given.append(inputs[0].dtype))
    with torch.device("meta"), torch.inference_mode():
        (rows,) = served.to("meta")(torch.zeros((1, 416, 416, 3), dtype=torch.uint8))
    assert given == [torch.float32] * 3
    assert rows.dtype == torch.float32


def test_heads_keep_every_digit_of_their_weights() -> None:
    served = ServedNetwork(find_network("alphapose_coco17"), build_network("alphapose_coco17"))
    exact = served.module.conv_out.weight.clone()
    assert torch.equal(convert_to_half(served).module.module.conv_out.weight, exact)


def test_network_without_an_image_input_has_no_fp16_version() -> None:
    with pytest.raises(UsageError, match=r"Use --precision fp32"):
        convert_to_half(ServedNetwork(find_network("smoothnet_8"), build_network("smoothnet_8")))
