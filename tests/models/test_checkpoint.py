from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from remi_stream.errors import RemiError
from remi_stream.models import checkpoint
from remi_stream.models.checkpoint import (
    DARKNET_NETWORKS,
    expected_shapes,
    read_checkpoint,
    recognise_darknet,
    recognise_networks,
)
from remi_stream.networks.network import NETWORKS

from .conftest import zeros

Make = Callable[..., Path]
TWINS = {"videopose3d", "videopose3d_causal"}


@pytest.mark.parametrize("network", [name for name in NETWORKS if name not in DARKNET_NETWORKS])
def test_every_network_is_recognised_in_its_published_container(network: str, empty: Make) -> None:
    assert set(recognise_networks(empty(network))) == (TWINS if network in TWINS else {network})


@pytest.mark.parametrize(
    ("network", "prefix", "wrap"),
    [
        ("poco_cliff", "", lambda state: state),
        ("poco_cliff", "model.", lambda state: {"model": state}),
        ("poco_pare", "", lambda state: {"model": {"state_dict": state}}),
        ("poco_pare", "model.", lambda state: {"state_dict": state}),
        ("pare", "model.", lambda state: {"state_dict": state, "optimizer": {}}),
        ("alphapose_coco17", "module.", lambda state: state),
    ],
)
def test_container_and_prefix_do_not_matter(network: str, prefix: str, wrap: Callable[[dict], dict], tmp_path: Path) -> None:
    state = {f"{prefix}{key}": value for key, value in zeros(network).items()}
    beside = {f"{prefix}smpl.faces": torch.zeros(3), f"{prefix}smpl.smpl.betas": torch.zeros(1, 10), "loss.w": torch.zeros(1)}
    torch.save(wrap(state | beside), tmp_path / "some.pt")
    assert recognise_networks(tmp_path / "some.pt") == [network]
    assert read_checkpoint(tmp_path / "some.pt", network).keys() == expected_shapes(network).keys()


def test_smoothnet_of_both_published_sizes_is_recognised(tmp_path: Path) -> None:
    large = {"res_blocks.0.linear1.weight": torch.zeros(128, 512)}
    shapes = expected_shapes(
        "smoothnet_16",
        checkpoint.tensor_shapes(
            large | {f"res_blocks.{n}.linear1.weight": large["res_blocks.0.linear1.weight"] for n in range(5)}
        ),
    )
    assert len(shapes) == 24
    torch.save({"state_dict": {key: torch.zeros(shape) for key, shape in shapes.items()}}, tmp_path / "large.pth.tar")
    assert recognise_networks(tmp_path / "large.pth.tar") == ["smoothnet_16"]


def test_numbers_come_as_they_were_in_float32(made: Make, tmp_path: Path) -> None:
    path = made("smoothnet_w8")
    state = torch.load(path, weights_only=True)["state_dict"]
    got = read_checkpoint(path, "smoothnet_8")
    assert all(torch.equal(got[key], value) for key, value in state.items())
    torch.save({key: value.half() for key, value in state.items()}, tmp_path / "half.pt")
    half = read_checkpoint(tmp_path / "half.pt", "smoothnet_8")
    assert {value.dtype for value in half.values()} == {torch.float32}
    assert torch.allclose(half["decoder.weight"], state["decoder.weight"], atol=1e-3)


def test_counters_that_early_checkpoints_lack_are_zero(tmp_path: Path) -> None:
    state = {key: value for key, value in zeros("alphapose_coco17").items() if not key.endswith("num_batches_tracked")}
    torch.save(state, tmp_path / "old.pth")
    assert recognise_networks(tmp_path / "old.pth") == ["alphapose_coco17"]
    got = read_checkpoint(tmp_path / "old.pth", "alphapose_coco17")
    assert got["duc2.bn.num_batches_tracked"].item() == 0
    assert got.keys() == expected_shapes("alphapose_coco17").keys()


def change(network: str, without: tuple[str, ...] = (), **others: torch.Tensor) -> dict[str, torch.Tensor]:
    return {key: value for key, value in zeros(network).items() if key not in without} | others


FAULTY = {
    "missing": (
        change("alphapose_halpe26", without=("conv_out.weight", "conv_out.bias")),
        r"it is nearest to alphapose_halpe26, but 2 keys missing: conv_out.weight, conv_out.bias\.$",
    ),
    "many": (
        {key: value for key, value in zeros("poco_pare").items() if not key.startswith("uncert_head")},
        r"nearest to poco_pare, but \d+ keys missing: uncert_head\S+, uncert_head\S+, uncert_head\S+, \.\.\.",
    ),
    "shape": (
        change("smoothnet_32", **{"decoder.bias": torch.zeros(31)}),
        r"nearest to smoothnet_32, but 1 key of another shape: decoder.bias \[31\], expected \[32\]\.$",
    ),
    "unknown": (
        change("pare", **{"head.extra.weight": torch.zeros(3)}),
        r"nearest to pare, but 1 key not of this network: head.extra.weight\.$",
    ),
    "another": (
        {"conv.weight": torch.zeros(3), "conv.bias": torch.zeros(3)},
        r"its 2 tensors \(conv.weight, conv.bias\) belong to none of",
    ),
    "no tensors": ({"epoch": 3}, r"has no tensors at its top level or under model, state_dict, model_pos"),
    "a list": ([torch.zeros(3)], "contains a list, not a state dict"),
    "nested in itself": ({"model": {"model": {"model": {"model": {"epoch": 1}}}}}, "has no tensors"),
}


@pytest.mark.parametrize("kind", FAULTY)
def test_faulty_checkpoint_is_reported_in_one_line(kind: str, tmp_path: Path) -> None:
    content, wanted = FAULTY[kind]
    torch.save(content, tmp_path / "bad.pt")
    with pytest.raises(RemiError, match=wanted) as error:
        recognise_networks(tmp_path / "bad.pt")
    assert str(error.value).startswith("bad.pt ")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_are_refused_with_the_tensor_at_import_and_at_load(number: float, tmp_path: Path) -> None:
    state = change("smoothnet_32", **{"decoder.bias": torch.full((32,), number)})
    torch.save(state, tmp_path / "bad.pt")
    for read in (recognise_networks, lambda path: read_checkpoint(path, "smoothnet_32")):
        with pytest.raises(RemiError, match=r"^bad.pt is damaged: decoder.bias has non-finite numbers\.$"):
            read(tmp_path / "bad.pt")


def test_checkpoint_of_another_network_does_not_load(empty: Make) -> None:
    with pytest.raises(RemiError, match=r"poco_pare.pt does not fit poco_cliff: \d+ keys missing: "):
        read_checkpoint(empty("poco_pare"), "poco_cliff")


@pytest.mark.parametrize("network", DARKNET_NETWORKS)
def test_darknets_are_reported_by_how_many_numbers_they_have(network: str, tmp_path: Path) -> None:
    published = {"yolov3": 248_007_048, "yolov3_spp": 252_209_544}
    path = tmp_path / "some.weights"
    with path.open("wb") as file:
        file.truncate(published[network])
    assert recognise_darknet(path) == [network]
    with path.open("wb") as file:
        file.truncate(published[network] - 4)
    with pytest.raises(
        RemiError, match=r"some.weights has \d+ bytes, but .* yolov3 248007048, yolov3_spp 252209544. It may be truncated"
    ):
        recognise_darknet(path)
    with pytest.raises(RemiError, match=r"some.weights has"):
        read_checkpoint(path, network)


def test_without_torch_one_line_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "torch", None)
    with pytest.raises(RemiError, match=r"Reading poco.pt needs PyTorch, which is not installed here: .*pip install .*\[torch\]"):
        recognise_networks(tmp_path / "poco.pt")
