"""The same network in two runtimes: two processes, one set of inputs."""

from __future__ import annotations

import multiprocessing
import threading
from pathlib import Path

import numpy as np
import pytest

from remi_stream.cli import bench_network as bench
from remi_stream.cli.bench_network import bench_network, find_network, outcome_statistics
from remi_stream.convert import onnx_conversion
from remi_stream.errors import RemiError, UsageError
from remi_stream.geometry import matrices_from_axis_angle
from remi_stream.inference import onnx_cache, runtime_benchmark
from remi_stream.inference.gpu import NoGpuError
from remi_stream.inference.runtime_benchmark import (
    BenchmarkResult,
    BenchmarkRuntime,
    batch_inputs,
    benchmark_runtimes,
    receive_answer,
    run_benchmark_process,
    sample_inputs,
)
from remi_stream.inference.tensorrt import TensorRtRuntime
from remi_stream.models.manifest import ModelFile, find_model_file
from tests.convert.stand_ins import bring
from tests.inference.cpu_cuda import CpuCuda, cpu_tensorrt
from tests.inference.small_networks import heatmapper, manifest_of

FLOAT32 = BenchmarkRuntime("openvino", {"threads": 1, "precision": "f32"})


@pytest.fixture
def smoothnet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModelFile:
    """The smallest network, imported and converted."""
    monkeypatch.setenv("REMI_HOME", str(tmp_path / "home"))
    file = bring("smoothnet_w8", tmp_path)
    onnx_conversion.convert_to_onnx(file)
    return file


def test_peers_compute_the_same_and_are_timed_as_often(smoothnet: ModelFile) -> None:
    torch, openvino = benchmark_runtimes(
        smoothnet, [BenchmarkRuntime("torch", {"threads": 1, "device": "cpu"}), FLOAT32], rounds=2, calls=3, batch=2
    )
    assert torch.clock == openvino.clock == "wall clock"
    assert (torch.name, openvino.name) == ("torch cpu f32, 1 thread", "openvino f32, 1 thread")
    assert len(torch.times_ms) == len(openvino.times_ms) == 6
    assert outcome_statistics(openvino, torch)["error"]["y"] < 1e-4
    assert openvino.outputs[0]["y"].shape == (2, 1, 8)
    assert outcome_statistics(openvino, torch, 2)["per_second"] == pytest.approx(2000 / np.median(openvino.times_ms), rel=0.1)


def test_calls_on_a_gpu_are_timed_by_its_own_clock(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    runtime = TensorRtRuntime(
        heatmapper(2), manifest_of({"image": (256, 192, 3)}, {"heatmaps": (2, 64, 48)}), cpu_tensorrt(), CpuCuda()
    )
    monkeypatch.setattr(runtime_benchmark, "load_benchmark_runtime", lambda file, peer: runtime)
    feeds = [{"image": np.full((rows, 256, 192, 3), 9, np.uint8)} for rows in (1, 5)]  # 5 rows are two graphs, of 3 ms each
    ours, theirs = multiprocessing.Pipe()
    serving = threading.Thread(
        target=run_benchmark_process, args=(theirs, find_model_file("alphapose_coco17"), BenchmarkRuntime("tensorrt", {}), feeds)
    )
    serving.start()
    name, outputs, clock = receive_answer(ours)
    ours.send(3)
    times = receive_answer(ours)
    ours.close()
    serving.join()
    assert (clock, times) == ("CUDA events", [3.0, 6.0, 3.0])
    outcome = BenchmarkResult(name, np.array(times), outputs[:1], clock)
    monkeypatch.setattr(bench, "gpu_runtimes", lambda file: [])
    monkeypatch.setattr(bench, "benchmark_runtimes", lambda file, peers, batch: [outcome])
    bench_network("alphapose-17-trt", None, as_json=False)
    assert "batch 1, by CUDA events" in capsys.readouterr().out
    bench_network("alphapose-17-trt", None, as_json=True)
    assert '"clock": "CUDA events", "p50_ms": 3.0' in capsys.readouterr().out


def test_peer_that_cannot_start_says_why(smoothnet: ModelFile) -> None:
    onnx_cache.onnx_path(smoothnet).unlink()
    with pytest.raises(RemiError, match="has not been converted to ONNX"):
        benchmark_runtimes(smoothnet, [FLOAT32])


def test_sample_crops_show_the_samples_person() -> None:
    feeds = sample_inputs("poco_cliff")
    assert [feed["image"].shape for feed in feeds] == [(1, 224, 224, 3)] * 8
    assert feeds[0]["bbox_info"].shape == (1, 3)
    assert all(feed["image"].std() > 20 for feed in feeds)
    assert np.abs(feeds[0]["image"].astype(float) - feeds[4]["image"]).mean() > 5


def test_batches_begin_at_one_row_after_the_other() -> None:
    rows = [{"x": np.full((1, 2), index)} for index in range(3)]
    assert [feed["x"][:, 0].tolist() for feed in batch_inputs(rows, 4)] == [[0, 1, 2, 0], [1, 2, 0, 1], [2, 0, 1, 2]]


def test_gpu_is_required_before_anything_is_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    def none() -> None:
        raise NoGpuError("there is no NVIDIA driver here")

    monkeypatch.setattr("remi_stream.inference.load.find_gpu", none)
    with pytest.raises(RemiError, match="poco-trt needs an NVIDIA GPU"):
        bench_network("poco-trt", None, as_json=False)


def test_rotations_are_compared_in_degrees() -> None:
    turn = matrices_from_axis_angle(np.radians([[0, 0, 3.0]]))[None]
    still = BenchmarkResult("f32", np.ones(3), [{"rotations": np.eye(3)[None, None]}])
    found = outcome_statistics(BenchmarkResult("bf16", np.full(3, 0.5), [{"rotations": turn}]), still)
    assert found["error"] == {"rotations_median_deg": pytest.approx(3.0), "rotations_max_deg": pytest.approx(3.0)}
    assert found["speedup"] == 2.0


def test_engine_without_a_published_network_has_no_peer() -> None:
    assert find_network("poco-ov").name == "poco"
    with pytest.raises(UsageError, match=r"'blazepose' has no network that also runs in PyTorch.* Choose from: alphapose"):
        find_network("blazepose")
