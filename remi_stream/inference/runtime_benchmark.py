"""Runtime benchmark: one network in several runtimes, each in its own process, timed in turns on the same inputs."""

from __future__ import annotations

import functools
import multiprocessing
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any, Literal, NamedTuple

import cv2
import numpy as np

from remi_stream.errors import RemiError
from remi_stream.inference.load import load_model
from remi_stream.inference.runtime import GpuRuntime, Runtime
from remi_stream.models.manifest import ModelFile
from remi_stream.models.store import ensure_model_file
from remi_stream.networks.network import find_network, require_torch
from remi_stream.paths import sample_boxes, sample_clip

SAMPLE_IMAGES = 8
WARM_UP_CALLS = 4
CROP_MARGIN_PX = 20.0
"""Margin of the crops around the sample's person, px."""
BenchmarkClock = Literal["wall clock", "CUDA events"]


class BenchmarkRuntime(NamedTuple):
    """A runtime to benchmark."""

    kind: str
    """Name of a runtime, or "graphs": PyTorch with torch.compile and CUDA graphs."""
    settings: dict[str, Any]
    """Keyword arguments of the runtime."""


class BenchmarkResult(NamedTuple):
    """Times and outputs of one runtime."""

    name: str
    """The runtime's own name."""
    times_ms: np.ndarray
    """Time of each call, ms."""
    outputs: list[dict[str, np.ndarray]]
    """Outputs by name, for each input."""
    clock: BenchmarkClock = "wall clock"
    """What timed the calls."""


def benchmark_runtimes(
    file: ModelFile, runtimes: list[BenchmarkRuntime], rounds: int = 5, calls: int = 8, batch: int = 1
) -> list[BenchmarkResult]:
    """Time a checkpoint in several runtimes, one batch per call, in turns: one runs while the others wait.

    A call takes and returns NumPy arrays: the transfers to and from a GPU are part of its time, with CUDA events too.
    """
    inputs = batch_inputs(sample_inputs(file.network), batch)
    with benchmark_processes(file, runtimes, inputs) as pipes:
        first = [receive_answer(pipe) for pipe in pipes]
        times: list[list[float]] = [[] for _ in runtimes]
        for _ in range(rounds):  # in turns, so that other load on the machine meets every runtime
            for pipe, measured in zip(pipes, times):
                pipe.send(calls)
                measured += receive_answer(pipe)
    return [BenchmarkResult(name, np.array(each), outputs, clock) for (name, outputs, clock), each in zip(first, times)]


@contextmanager
def benchmark_processes(
    file: ModelFile, runtimes: list[BenchmarkRuntime], inputs: list[dict[str, np.ndarray]]
) -> Iterator[list[Connection]]:
    """Start a process for each runtime and yield their pipes; the processes end with the block."""
    # a fork would share the parent's threads and CUDA context
    spawn = multiprocessing.get_context("spawn")
    pipes, processes = [], []
    for runtime in runtimes:
        ours, theirs = spawn.Pipe()
        process = spawn.Process(target=run_benchmark_process, args=(theirs, file, runtime, inputs), daemon=True)
        process.start()
        theirs.close()
        pipes.append(ours)
        processes.append(process)
    try:
        yield pipes
    finally:
        for pipe, process in zip(pipes, processes):
            pipe.close()
            process.join(5)
            process.kill()


def receive_answer(pipe: Connection) -> Any:
    """Receive the next answer of a benchmark process. Raises RemiError with its reason if it failed."""
    try:
        failed, content = pipe.recv()
    except EOFError:
        raise RemiError("A benchmark process died; the log above says why.") from None
    if failed:
        raise RemiError(content)
    return content


def run_benchmark_process(pipe: Connection, file: ModelFile, spec: BenchmarkRuntime, inputs: list[dict[str, np.ndarray]]) -> None:
    """Benchmark process: send the runtime's name and outputs, then time calls as requested until the pipe closes."""
    try:
        runtime = load_benchmark_runtime(file, spec)
    except RemiError as error:
        pipe.send((True, str(error)))
        return
    outputs = [{name: value.copy() for name, value in runtime.run(feed).items()} for feed in inputs]
    for index in range(WARM_UP_CALLS):
        runtime.run(inputs[index % len(inputs)])
    clock, timed = choose_clock(runtime)
    pipe.send((False, (runtime.name, outputs, clock)))
    while (calls := receive_call_count(pipe)) is not None:
        pipe.send((False, [timed(functools.partial(runtime.run, inputs[index % len(inputs)])) for index in range(calls)]))


def choose_clock(runtime: Runtime) -> tuple[BenchmarkClock, Callable[[Callable[[], object]], float]]:
    """Return the clock of a runtime, in ms: CUDA events on a GPU, else the wall clock."""
    return ("CUDA events", runtime.time_ms) if isinstance(runtime, GpuRuntime) else ("wall clock", wall_time_ms)


def wall_time_ms(work: Callable[[], object]) -> float:
    """Time work with the wall clock, ms."""
    start = time.perf_counter()
    work()
    return (time.perf_counter() - start) * 1000


def load_benchmark_runtime(file: ModelFile, spec: BenchmarkRuntime) -> Runtime:
    """Load the runtime to benchmark. Raises RemiError."""
    if spec.kind != "graphs":
        return load_model(file, spec.kind, **spec.settings)
    require_torch(f"Running {file.name} in PyTorch")
    from remi_stream.inference.torch import TorchGpuRuntime

    return TorchGpuRuntime(file.network, ensure_model_file(file), **spec.settings)


def batch_inputs(inputs: list[dict[str, np.ndarray]], batch: int) -> list[dict[str, np.ndarray]]:
    """Combine single rows into as many batches, each starting one row later than the one before."""
    stacked = {name: np.concatenate([feed[name] for feed in inputs]) for name in inputs[0]}
    chosen = [(start + np.arange(batch)) % len(inputs) for start in range(len(inputs))]
    return [{name: values[rows] for name, values in stacked.items()} for rows in chosen]


def receive_call_count(pipe: Connection) -> int | None:
    """Receive the number of calls to time next; None when the pipe is closed."""
    try:
        calls: int = pipe.recv()
    except EOFError:
        return None
    return calls


def sample_inputs(network: str) -> list[dict[str, np.ndarray]]:
    """Return inputs of one row: crops of the sample clip's person; inputs other than images are noise (fixed seed)."""
    random = np.random.default_rng(0)
    table = find_network(network)
    feeds = []
    for image in sample_crops(table.image.width, table.image.height) if table.image else [None] * SAMPLE_IMAGES:
        feed = {name: random.normal(0, 0.3, (1, *shape)).astype(np.float32) for name, shape in table.inputs.items()}
        feeds.append(feed if image is None else {"image": image[None], **feed})
    return feeds


def sample_crops(width: int, height: int) -> list[np.ndarray]:
    """Return crops (height, width, 3) uint8 RGB of the sample clip's person."""
    boxes, video, crops = sample_boxes(), cv2.VideoCapture(str(sample_clip())), []
    for index in np.linspace(0, len(boxes) - 1, SAMPLE_IMAGES).astype(int):
        video.set(cv2.CAP_PROP_POS_FRAMES, int(index))
        image = video.read()[1]
        x0, y0, x1, y1 = np.clip(
            boxes[index] + [-CROP_MARGIN_PX, -CROP_MARGIN_PX, CROP_MARGIN_PX, CROP_MARGIN_PX], 0, [*image.shape[1::-1]] * 2
        ).astype(int)
        crops.append(np.ascontiguousarray(cv2.resize(image[y0:y1, x0:x1], (width, height))[..., ::-1]))
    video.release()
    return crops
