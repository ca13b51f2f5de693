"""Engines whose runtime is on a GPU crop there, with bit-identical results."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import torch

from remi_stream.geometry import default_intrinsics
from remi_stream.inference.gpu_crops import Cropper
from remi_stream.inference.onnxruntime import OnnxRuntime
from remi_stream.inference.tensorrt import TensorRtRuntime
from remi_stream.inference.torch import TorchGpuRuntime, TorchRuntime
from remi_stream.models.store import ensure_model_file
from remi_stream.pose import smpl_regressor as engines
from remi_stream.pose.alphapose import AlphaPoseEngine, HeatmapDecoding
from remi_stream.pose.crop import SquareCrop, crop_function, warp_crops
from remi_stream.pose.engine import Engine
from remi_stream.pose.smpl_regressor import RegressorOptions
from remi_stream.tracking.crop import Crop, Pose
from tests.convert.stand_ins import bring
from tests.inference.cpu_cuda import CpuCuda, OnDevice, cpu_tensorrt
from tests.inference.small_networks import REGRESSED, heatmapper, manifest_of, regressor
from tests.pose.smpl_regressor.regressing import LENS, SIZE, FakeNetwork, engine_of, random_person

BOXES: list[tuple[float, ...]] = [
    (500, 100, 700, 600),
    (480.5, 90.25, 690, 610),
    (900, -80, 1330, 500),
    (20, 300, 160, 719),
    (560, 120, 740, 590),
]
RNG = np.random.default_rng(11)
FRAMES = [RNG.integers(0, 256, (SIZE[1], SIZE[0], 3), np.uint8), RNG.integers(0, 256, (480, 640, 3), np.uint8)]


def crops_of(frame: np.ndarray, boxes: list[tuple[float, ...]]) -> list[Crop]:
    height, width = frame.shape[:2]
    lens = LENS if (width, height) == SIZE else default_intrinsics(width, height)
    return [Crop(frame, np.array(box, np.float32), index, 0.0, lens) for index, box in enumerate(boxes)]


def plan_of(onnx: bytes, inputs: dict[str, Any], outputs: dict[str, Any], cuda: CpuCuda) -> TensorRtRuntime:
    return TensorRtRuntime(onnx, manifest_of(inputs, outputs), cpu_tensorrt(), cuda)


def small_poco(folder: Path, cuda: CpuCuda) -> tuple[Engine, Engine]:
    """The engine on the processor, and on a GPU."""
    content = regressor(random_person(1).outputs(SquareCrop(600, 350, 600.0)))
    (folder / "poco.onnx").write_bytes(content)
    look = RegressorOptions(1.2, 0.1, has_bbox_info=True)
    plan = plan_of(content, {"image": (224, 224, 3), "bbox_info": (3,)}, REGRESSED, cuda)
    return tuple(engine_of(network, engines.poco_confidence, look) for network in (OnnxRuntime(folder / "poco.onnx"), plan))  # type: ignore[return-value, arg-type]


def small_alphapose(folder: Path, cuda: CpuCuda) -> tuple[Engine, Engine]:
    content = heatmapper(17)
    (folder / "alphapose.onnx").write_bytes(content)
    plan = plan_of(content, {"image": (256, 192, 3)}, {"heatmaps": (17, 64, 48)}, cuda)
    networks = (OnnxRuntime(folder / "alphapose.onnx"), plan)
    return tuple(AlphaPoseEngine("alphapose", network, "coco17", HeatmapDecoding(False, 0.3)) for network in networks)  # type: ignore[return-value]


def require_same(ours: list[Pose], theirs: list[Pose], people: int) -> None:
    assert sum(pose.person is not None for pose in theirs) >= people, [pose.rejection_reason for pose in theirs]
    assert [msgspec.msgpack.encode(pose, enc_hook=plain) for pose in ours] == [
        msgspec.msgpack.encode(pose, enc_hook=plain) for pose in theirs
    ]


def plain(values: Any) -> Any:
    return (str(values.dtype), values.shape, values.tobytes()) if isinstance(values, np.ndarray) else values.item()


@pytest.mark.parametrize("make", [small_poco, small_alphapose])
@pytest.mark.parametrize("rows", [1, 3, 4, 5])
def test_engine_gives_the_same_poses_for_crops_from_the_device(tmp_path: Path, make: Any, rows: int) -> None:
    cuda = CpuCuda()
    here, there = make(tmp_path, cuda)
    crops = crops_of(FRAMES[0], BOXES[:rows])
    require_same(there.infer(crops), here.infer(crops), people=1)
    assert cuda.pictures_uploaded == 1


def test_people_of_two_cameras_take_two_uploads(tmp_path: Path) -> None:
    cuda = CpuCuda()
    here, there = small_alphapose(tmp_path, cuda)
    crops = crops_of(FRAMES[0], BOXES[:2]) + crops_of(FRAMES[1], BOXES[:1]) + crops_of(FRAMES[0], BOXES[2:3])
    require_same(there.infer(crops), here.infer(crops), people=1)
    assert (cuda.pictures_uploaded, cuda.rows_uploaded) == (2, 0)


def test_rows_of_the_last_call_do_not_come_back_in_a_plan_of_one_fixed_size(tmp_path: Path) -> None:
    content = heatmapper(17)
    manifest = manifest_of({"image": (256, 192, 3)}, {"heatmaps": (17, 64, 48)})
    fixed = msgspec.structs.replace(manifest, inputs=[msgspec.structs.replace(manifest.inputs[0], shape=(4, 256, 192, 3))])
    runtime = TensorRtRuntime(content, fixed, cpu_tensorrt(), CpuCuda())
    many = Cropper("cpu").crop([FRAMES[0]] * 7, np.array([[[0.3, 0, at], [0, 0.3, -at]] for at in range(7)]), (192, 256))
    whole = runtime.run({"image": many.numpy()})["heatmaps"].copy()
    on_device = runtime.run({"image": many.as_subclass(OnDevice)})["heatmaps"].copy()
    np.testing.assert_array_equal(on_device, whole)
    np.testing.assert_array_equal(runtime.run({"image": many[5:].as_subclass(OnDevice)})["heatmaps"], whole[5:])
    np.testing.assert_array_equal(runtime.run({"image": many[5:6].numpy()})["heatmaps"], whole[5:6])


def test_runtime_on_a_processor_leaves_cutting_to_opencv() -> None:
    assert crop_function(FakeNetwork({})) is warp_crops
    assert crop_function(object.__new__(TorchRuntime)) is warp_crops


MADE = {
    "poco_cliff": (engines.poco_confidence, True),
    "pare": (engines.pare_confidence, False),
    "alphapose_coco17": (None, False),
}


@pytest.mark.slow
@pytest.mark.parametrize("model", MADE)
def test_published_networks_give_the_same_poses_for_crops_from_the_device(
    model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REMI_HOME", str(tmp_path / "home"))
    file = bring(model, tmp_path, calm=True)
    judge, sees_place = MADE[model]
    eager, graphs = (
        TorchRuntime(file.network, ensure_model_file(file), device="cpu", threads=2),
        eager_graphs(file.network, ensure_model_file(file)),
    )

    def engine(network: Any) -> Engine:
        if judge is None:
            return AlphaPoseEngine("alphapose", network, "coco17", HeatmapDecoding(False, -1.0))
        return engine_of(network, judge, RegressorOptions(1.2, -1.0, sees_place))

    crops = crops_of(FRAMES[0], BOXES[:3])
    require_same(engine(graphs).infer(crops), engine(OnnxLike(graphs)).infer(crops), people=1)
    expected = engine(eager).infer(crops)
    eager.crop, eager.time_ms = Cropper("cpu").crop, graphs.time_ms
    require_same(engine(eager).infer(crops), expected, people=1)


class OnnxLike:
    """The same runtime, as if it were on a processor."""

    def __init__(self, network: TorchGpuRuntime) -> None:
        self.name, self.run = network.name, network.run


def eager_graphs(network: str, checkpoint: Path) -> TorchGpuRuntime:
    return TorchGpuRuntime(network, checkpoint, precision="fp32", compiled=False, device="cpu")


@pytest.mark.gpu
@pytest.mark.parametrize("rows", [1, 5])
def test_on_a_real_gpu_the_network_reads_the_same_bytes(rows: int) -> None:
    from remi_stream.inference.cuda import TorchCuda

    cuda = TorchCuda()
    pair = cuda.allocate_pair((rows, 256, 192, 3), "uint8")
    affines = np.array([[[0.3, 0, at], [0, 0.3, -at]] for at in range(rows)])
    cuda.copy_rows(pair, cuda.crop([FRAMES[0]] * rows, affines, (192, 256)))
    cuda.download(pair)
    cuda.synchronize()
    np.testing.assert_array_equal(pair.host, warp_crops([FRAMES[0]] * rows, affines, (192, 256)))
    assert cuda.time_ms(lambda: torch.cuda._sleep(1_000_000)) > 0.05  # type: ignore[no-untyped-call]
