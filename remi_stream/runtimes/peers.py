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
from remi_stream.models.manifest import ModelFile
from remi_stream.models.store import model_file
from remi_stream.networks.network import find_network
from remi_stream.runtimes.runtime import OnGpu, Runtime, load_weights, require_torch
from remi_stream.sample import sample_boxes, sample_clip

PICTURES = 8
WARM_UP = 4
NEAR = 20.0
"""Margin of the crops around the sample's person, px."""


Clock = Literal["wall clock", "CUDA events"]


class Peer(NamedTuple):
    """A runtime to benchmark."""

    kind: str
    """Name of a runtime, or "graphs": PyTorch with torch.compile and CUDA graphs."""
    settings: dict[str, Any]
    """Keyword arguments of the runtime."""


class Outcome(NamedTuple):
    """Times and outputs of one runtime."""

    name: str
    """The runtime's own name."""
    times_ms: np.ndarray
    """Time of each call, ms."""
    outputs: list[dict[str, np.ndarray]]
    """Outputs by name, for each input."""
    clock: Clock = "wall clock"
    """What timed the calls."""


def compare(file: ModelFile, peers: list[Peer], rounds: int = 5, calls: int = 8, batch: int = 1) -> list[Outcome]:
    """Time a checkpoint in several runtimes, one batch per call, in turns: one runs while the others wait.

    A call takes and returns NumPy arrays: the transfers to and from a GPU are part of its time, with CUDA events too.
    """
    inputs = batched(sample_inputs(file.network), batch)
    with started(file, peers, inputs) as pipes:
        first = [answer(pipe) for pipe in pipes]
        times: list[list[float]] = [[] for _ in peers]
        for _ in range(rounds):
            for pipe, measured in zip(pipes, times):
                pipe.send(calls)
                measured += answer(pipe)
    return [Outcome(name, np.array(each), outputs, clock) for (name, outputs, clock), each in zip(first, times)]


@contextmanager
def started(file: ModelFile, peers: list[Peer], feeds: list[dict[str, np.ndarray]]) -> Iterator[list[Connection]]:
    """Start a process for each runtime and yield their pipes; the processes end with the block."""
    spawn = multiprocessing.get_context("spawn")
    pipes, processes = [], []
    for peer in peers:
        ours, theirs = spawn.Pipe()
        process = spawn.Process(target=serve, args=(theirs, file, peer, feeds), daemon=True)
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


def answer(pipe: Connection) -> Any:
    """Receive the next answer of a benchmark process. Raises RemiError with its reason if it failed."""
    try:
        failed, content = pipe.recv()
    except EOFError:
        raise RemiError("A benchmark process died; the log above says why.") from None
    if failed:
        raise RemiError(content)
    return content


def serve(pipe: Connection, file: ModelFile, peer: Peer, feeds: list[dict[str, np.ndarray]]) -> None:
    """Benchmark process: send the runtime's name and outputs, then time calls as requested until the pipe closes."""
    try:
        runtime = open_peer(file, peer)
    except RemiError as error:
        pipe.send((True, str(error)))
        return
    outputs = [{name: value.copy() for name, value in runtime.run(feed).items()} for feed in feeds]
    for index in range(WARM_UP):
        runtime.run(feeds[index % len(feeds)])
    clock, timed = clock_of(runtime)
    pipe.send((False, (runtime.name, outputs, clock)))
    while (calls := wanted(pipe)) is not None:
        pipe.send((False, [timed(functools.partial(runtime.run, feeds[index % len(feeds)])) for index in range(calls)]))


def clock_of(runtime: Runtime) -> tuple[Clock, Callable[[Callable[[], object]], float]]:
    """Return the clock of a runtime, in ms: CUDA events on a GPU, else the wall clock."""
    return ("CUDA events", runtime.timed) if isinstance(runtime, OnGpu) else ("wall clock", wall_ms)


def wall_ms(work: Callable[[], object]) -> float:
    """Time work with the wall clock, ms."""
    start = time.perf_counter()
    work()
    return (time.perf_counter() - start) * 1000


def open_peer(file: ModelFile, peer: Peer) -> Runtime:
    """Load the runtime to benchmark. Raises RemiError."""
    if peer.kind != "graphs":
        return load_weights(file, peer.kind, **peer.settings)
    require_torch(file)
    from remi_stream.runtimes.graphs import Graphs

    return Graphs(file.network, model_file(file), **peer.settings)


def batched(feeds: list[dict[str, np.ndarray]], batch: int) -> list[dict[str, np.ndarray]]:
    """Combine single rows into as many batches, each starting one row later than the one before."""
    stacked = {name: np.concatenate([feed[name] for feed in feeds]) for name in feeds[0]}
    chosen = [(start + np.arange(batch)) % len(feeds) for start in range(len(feeds))]
    return [{name: values[rows] for name, values in stacked.items()} for rows in chosen]


def wanted(pipe: Connection) -> int | None:
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
    for image in sample_people(table.picture.width, table.picture.height) if table.picture else [None] * PICTURES:
        feed = {name: random.normal(0, 0.3, (1, *shape)).astype(np.float32) for name, shape in table.inputs.items()}
        feeds.append(feed if image is None else {"image": image[None], **feed})
    return feeds


def sample_people(width: int, height: int) -> list[np.ndarray]:
    """Return crops (height, width, 3) uint8 RGB of the sample clip's person."""
    boxes, video, crops = sample_boxes(), cv2.VideoCapture(str(sample_clip())), []
    for index in np.linspace(0, len(boxes) - 1, PICTURES).astype(int):
        video.set(cv2.CAP_PROP_POS_FRAMES, int(index))
        image = video.read()[1]
        x0, y0, x1, y1 = np.clip(boxes[index] + [-NEAR, -NEAR, NEAR, NEAR], 0, [*image.shape[1::-1]] * 2).astype(int)
        crops.append(np.ascontiguousarray(cv2.resize(image[y0:y1, x0:x1], (width, height))[..., ::-1]))
    video.release()
    return crops
