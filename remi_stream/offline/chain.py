"""Detector, identities and engine as one synchronous chain: every frame, in order, the same result every time.

The detector looks at every frame, and only whom it finds there is posed: boxes are not carried. An engine that remembers people
gets back what it left for them: BlazePose looks where it saw them last, once the detector has confirmed that they are there.
Detectors run ahead in threads; what one finds in a frame depends on nothing else, and so neither does the chain.
"""

from __future__ import annotations

import queue
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import NamedTuple

import msgspec
import numpy as np

from remi_stream.detect.detector import Detector, Found
from remi_stream.messages import Bodies, Frame, Person
from remi_stream.offline.ahead import in_order
from remi_stream.offline.following import Followed, Following
from remi_stream.offline.given import GivenBoxes
from remi_stream.offline.results import DETECTED_BOX, DETECTED_SCORE
from remi_stream.offline.search import search
from remi_stream.pose.engine import Crop, Engine, Pose
from remi_stream.pose.matching import same_body

DETECTORS = 2
"""Each in a thread of its own; more gain nothing beside the engine's."""


class Seen(NamedTuple):
    """A frame with whom the detector found in it. people: with the numbers of their boxes. crops: of the people, in order."""

    frame: Frame
    found: Found
    people: list[tuple[Followed, int]]
    crops: list[Crop]


class Chain:
    """people: how many the engine gets at once, of several frames if it remembers nobody; pictures: the detector, in each look.

    An engine that remembers nobody says so (`memoryless = True`); of pictures that are apart, all engines may get several.
    """

    def __init__(self, engine: Engine, detectors: Sequence[Detector | GivenBoxes], people: int, pictures: int) -> None:
        self.engine = engine
        self._memoryless = bool(getattr(engine, "memoryless", False))
        self._people, self._pictures = people, pictures
        self._free: queue.Queue[Detector | GivenBoxes] = queue.Queue()
        for detector in detectors:
            self._free.put(detector)
        self._pool = ThreadPoolExecutor(len(detectors), thread_name_prefix="detect")

    def close(self) -> None:
        """End the threads."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def run(self, frames: Iterable[Frame], following: Following, *, apart: bool) -> Iterator[Bodies]:
        """Everybody in each of these frames; a batch holds no others. apart: nobody goes on from one to the next."""
        waiting: list[Seen] = []
        for frame, found in self._searched(frames):
            waiting.append(self._meet(frame, found, Following(following.max_people) if apart else following))
            if self._enough(waiting, apart):
                yield from self._pose(waiting, following, apart)
                waiting = []
        yield from self._pose(waiting, following, apart)

    def _enough(self, waiting: list[Seen], apart: bool) -> bool:
        together = self._people if self._memoryless or apart else 1
        return sum(len(seen.crops) for seen in waiting) >= together or len(waiting) >= together

    def _searched(self, frames: Iterable[Frame]) -> Iterator[tuple[Frame, Found]]:
        groups = in_order(self._pool, self._search, grouped(frames, self._pictures), self._free.qsize())
        return (seen for group in groups for seen in group)

    def _search(self, frames: list[Frame]) -> list[tuple[Frame, Found]]:
        """Find everybody, with a detector that nobody else uses meanwhile."""
        detector = self._free.get()
        try:
            return list(zip(frames, search(detector, frames)))
        finally:
            self._free.put(detector)

    def _meet(self, frame: Frame, found: Found, following: Following) -> Seen:
        assert frame.intrinsics
        people = following.meet(frame.image, found, frame.captured_at)
        crops = [
            Crop(frame.image, found.boxes_xyxy[index], who.track_id, frame.captured_at, frame.intrinsics, who.memory)
            for who, index in people
        ]
        return Seen(frame, found, people, crops)

    def _pose(self, batch: list[Seen], following: Following, apart: bool) -> Iterator[Bodies]:
        """Estimate everybody in a batch at once."""
        crops = [crop for seen in batch for crop in seen.crops]
        poses = iter(self.engine.infer(crops) if crops else [])
        for seen in batch:
            own = list(islice(poses, len(seen.crops)))
            naming = Following() if apart else following
            yield self._bodies(seen, told(seen, own, naming))

    def _bodies(self, seen: Seen, people: list[Person]) -> Bodies:
        frame = seen.frame
        assert frame.intrinsics
        return Bodies(
            camera=frame.camera,
            epoch=frame.epoch,
            frame_id=frame.frame_id,
            captured_at=frame.captured_at,
            engine=self.engine.name,
            size=frame.size,
            intrinsics=frame.intrinsics,
            people=people,
        )


def told(seen: Seen, poses: list[Pose], following: Following) -> list[Person]:
    """The people of a frame, by age, each body once; what the engine remembers of them is kept."""
    credible: list[Pose] = []
    people = []
    for (who, index), pose in zip(seen.people, poses):
        if pose.person is None:
            continue
        if any(same_body(pose, other) for other in credible):
            following.forget(who)
            continue
        who.memory = pose.state
        credible.append(pose)
        people.append(_named(pose.person, following.name(who), seen.found, index))
    return people


def _named(person: Person, track_id: int, found: Found, index: int) -> Person:
    """The person with their id and what the detector said."""
    detected = {DETECTED_BOX: found.boxes_xyxy[index], DETECTED_SCORE: found.scores[index : index + 1]}
    native = {**person.native, **{name: np.array(values, np.float32) for name, values in detected.items()}}
    return msgspec.structs.replace(person, track_id=track_id, native=native)


def grouped(frames: Iterable[Frame], size: int) -> Iterator[list[Frame]]:
    """Frames in lists of `size`, the last one shorter."""
    rest = iter(frames)
    while group := list(islice(rest, size)):
        yield group
