"""One network in several runtimes, each in a process of its own, timed in turns on the same inputs."""

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
"""How far around the sample's person the pictures reach, px."""


Clock = Literal["wall clock", "CUDA events"]


class Peer(NamedTuple):
    """A runtime to measure. kind, settings: as for `load_weights`, or "graphs": PyTorch compiled, with CUDA graphs."""

    kind: str
    settings: dict[str, Any]


class Outcome(NamedTuple):
    """name: what ran. times_ms: of each call. outputs: of each of the inputs, by name. clock: what timed the calls."""

    name: str
    times_ms: np.ndarray
    outputs: list[dict[str, np.ndarray]]
    clock: Clock = "wall clock"


def compare(file: ModelFile, peers: list[Peer], rounds: int = 5, calls: int = 8, batch: int = 1) -> list[Outcome]:
    """Time a checkpoint in several runtimes, a batch a call, in turns: each runs alone, while the others wait.

    A call takes arrays and gives arrays: what it takes to bring them to a GPU and back is in its time, also where the GPU's own
    clock takes it.
    """
    feeds = batched(sample_inputs(file.network), batch)
    with started(file, peers, feeds) as pipes:
        first = [answer(pipe) for pipe in pipes]
        times: list[list[float]] = [[] for _ in peers]
        for _ in range(rounds):
            for pipe, found in zip(pipes, times):
                pipe.send(calls)
                found += answer(pipe)
    return [Outcome(name, np.array(each), outputs, clock) for (name, outputs, clock), each in zip(first, times)]


@contextmanager
def started(file: ModelFile, peers: list[Peer], feeds: list[dict[str, np.ndarray]]) -> Iterator[list[Connection]]:
    """A process for each peer, ready; they end with the block."""
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
    """What a peer says next. Raises RemiError with its reason if it failed."""
    try:
        failed, said = pipe.recv()
    except EOFError:
        raise RemiError("A benchmark process died; the log above says why.") from None
    if failed:
        raise RemiError(said)
    return said


def serve(pipe: Connection, file: ModelFile, peer: Peer, feeds: list[dict[str, np.ndarray]]) -> None:
    """A peer's process: say the name and the outputs, then time as many calls as asked for, until nobody asks."""
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
    """What times a runtime's calls in ms: on a GPU its own clock, or else this machine's."""
    return ("CUDA events", runtime.timed) if isinstance(runtime, OnGpu) else ("wall clock", wall_ms)


def wall_ms(work: Callable[[], object]) -> float:
    """What work takes here, ms."""
    start = time.perf_counter()
    work()
    return (time.perf_counter() - start) * 1000


def open_peer(file: ModelFile, peer: Peer) -> Runtime:
    """Load a peer's runtime. Raises RemiError."""
    if peer.kind != "graphs":
        return load_weights(file, peer.kind, **peer.settings)
    require_torch(file)
    from remi_stream.runtimes.graphs import Graphs

    return Graphs(file.network, model_file(file), **peer.settings)


def batched(feeds: list[dict[str, np.ndarray]], batch: int) -> list[dict[str, np.ndarray]]:
    """As many feeds, each of so many rows, that begin at one row after the other."""
    together = {name: np.concatenate([feed[name] for feed in feeds]) for name in feeds[0]}
    chosen = [(start + np.arange(batch)) % len(feeds) for start in range(len(feeds))]
    return [{name: values[rows] for name, values in together.items()} for rows in chosen]


def wanted(pipe: Connection) -> int | None:
    """How many calls are asked for next; None at the end."""
    try:
        calls: int = pipe.recv()
    except EOFError:
        return None
    return calls


def sample_inputs(network: str) -> list[dict[str, np.ndarray]]:
    """Inputs of one row each: the sample's person, all over the clip; what is no picture is noise (fixed seed)."""
    random = np.random.default_rng(0)
    table = find_network(network)
    feeds = []
    for picture in sample_people(table.picture.width, table.picture.height) if table.picture else [None] * PICTURES:
        feed = {name: random.normal(0, 0.3, (1, *shape)).astype(np.float32) for name, shape in table.inputs.items()}
        feeds.append(feed if picture is None else {"image": picture[None], **feed})
    return feeds


def sample_people(width: int, height: int) -> list[np.ndarray]:
    """Pictures (height, width, 3) uint8 RGB of the sample's person."""
    boxes, video, found = sample_boxes(), cv2.VideoCapture(str(sample_clip())), []
    for index in np.linspace(0, len(boxes) - 1, PICTURES).astype(int):
        video.set(cv2.CAP_PROP_POS_FRAMES, int(index))
        image = video.read()[1]
        x0, y0, x1, y1 = np.clip(boxes[index] + [-NEAR, -NEAR, NEAR, NEAR], 0, [*image.shape[1::-1]] * 2).astype(int)
        found.append(np.ascontiguousarray(cv2.resize(image[y0:y1, x0:x1], (width, height))[..., ::-1]))
    video.release()
    return found
