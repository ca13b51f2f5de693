"""A camera whose people were recorded: a recording, or what was made of a film, published as if it happened now."""

from __future__ import annotations

import bisect
import secrets
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from urllib.parse import parse_qsl, quote, unquote, urlencode

import msgspec

from remi_stream.capture.reel import Reel, reel_of
from remi_stream.capture.source import State
from remi_stream.capture.telling import Telling
from remi_stream.config import Camera
from remi_stream.errors import UsageError
from remi_stream.messages import Bodies, CameraFacts, Frame, Person
from remi_stream.offline.opening import open_kept
from remi_stream.order import Order

LONGEST_WAIT_S = 0.5
MEANT = ("name", "source", "loop", "frames")
"""What a camera of this kind is told; the rest is about pictures."""
IDS_PER_LIFE = 100_000


class Options(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`recording:FOLDER?speed=0.5&start_s=3`: how fast, and from which second on, also when it begins again."""

    speed: float = 1.0
    start_s: float = 0.0


class ReplayStage:
    """Gives each frame when it is due, numbered anew, captured at that moment; a new epoch each time it is made.

    Whoever is seen again in a loop, or after a restart, has another track_id.
    """

    def __init__(self, camera: Camera, life: int = 0) -> None:
        self.camera = camera
        self.epoch = secrets.randbits(48)
        self.captured = 0
        self._folder, self._options = place_of(camera)
        self._ids_before, self._highest_id = life * IDS_PER_LIFE, 0
        self._began_at: float | None = None
        self._reel: Reel | None = None
        self._state: State = "starting"
        self._telling = Telling()

    def open(self) -> None:
        """Read what was kept, and find the pictures of it if they are there. RemiError says what the user has to mend."""
        self._take = open_kept(self._folder)
        self._first = first_frame(self._take.frames, self._options.start_s)
        self._start_s = self._take.frames[self._first].captured_at
        self._rewind()

    def step(self) -> Iterable[Bodies | Frame | CameraFacts] | None:
        """Wait until the next frame is due; None at the end."""
        if self._state == "ended":
            return None
        if self._place == len(self._take.frames) and not self._again():
            self._state = "ended"
            return self._facts_if_due(time.monotonic())
        bodies = self._take.frames[self._place]
        if not self._wait(bodies.captured_at):
            return self._facts_if_due(time.monotonic())
        self._place += 1
        self._state = "live"
        return [*self._messages(bodies, time.monotonic()), *self._facts_if_due(time.monotonic())]

    def close(self) -> None:
        """Close the video."""
        if self._reel:
            self._reel.close()

    def _again(self) -> bool:
        """Begin anew if there is to be more."""
        if not self.camera.loop or self._enough:
            return False
        assert self._began_at is not None
        lasted_s = self._take.frames[-1].captured_at - self._start_s + 1 / self._take.fps
        self._began_at += lasted_s / self._options.speed
        self._ids_before, self._highest_id = self._ids_before + self._highest_id, 0
        self._rewind()
        return True

    @property
    def _enough(self) -> bool:
        return self.camera.frames is not None and self.captured >= self.camera.frames

    def _rewind(self) -> None:
        self.close()
        self._place = self._first
        self._reel = reel_of(self._folder, self._take, self._first)

    def _wait(self, at_s: float) -> bool:
        """Sleep until a time of the recording has come, for a moment at most; whether it has."""
        now = time.monotonic()
        if self._began_at is None:
            self._began_at = now
        wait_s = self._began_at + (at_s - self._start_s) / self._options.speed - now
        time.sleep(min(max(0.0, wait_s), LONGEST_WAIT_S))
        return wait_s <= LONGEST_WAIT_S

    def _messages(self, bodies: Bodies, now: float) -> list[Bodies | Frame]:
        """The frame with new numbers, and its picture."""
        self.captured += 1
        if self._enough:
            self._place = len(self._take.frames)
        number = self.captured - 1
        self._highest_id = max([self._highest_id, *(person.track_id for person in bodies.people)])
        told = msgspec.structs.replace(
            bodies,
            camera=self.camera.name,
            epoch=self.epoch,
            frame_id=number,
            captured_at=now,
            stamps={},
            skipped={},
            people=[self._renamed(person) for person in bodies.people],
        )
        image = self._reel.picture(bodies) if self._reel else None
        if image is None:
            return [told]
        width, height = bodies.size
        picture = Frame(
            camera=told.camera,
            epoch=told.epoch,
            frame_id=number,
            captured_at=now,
            image=image,
            size=bodies.size,
            rectangle=(0.0, 0.0, float(width), float(height)),
            intrinsics=bodies.intrinsics,
        )
        return [picture, told]

    def _renamed(self, person: Person) -> Person:
        return msgspec.structs.replace(person, track_id=self._ids_before + person.track_id) if self._ids_before else person

    def _facts_if_due(self, now: float) -> list[CameraFacts]:
        if not self._telling.due(self._state, now):
            return []
        return [
            CameraFacts(
                camera=self.camera.name,
                epoch=self.epoch,
                state=self._state,
                source=f"recording:{self._folder.name}",
                size=self._take.size,
                fps=self._take.fps * self._options.speed,
                captured=self.captured,
            )
        ]


def first_frame(frames: Sequence[Bodies], start_s: float) -> int:
    """The first frame that is not before a time, s from the first one. Raises UsageError if there is none."""
    begin = frames[0].captured_at
    found = bisect.bisect_left(range(len(frames)), start_s, key=lambda place: frames[place].captured_at - begin)
    if found == len(frames):
        last_s = frames[-1].captured_at - begin
        raise UsageError(f"There is no frame from second {start_s:g} on; the last one is at {last_s:.2f} s. Begin earlier")
    return found


def source_of(folder: Path, options: Options) -> str:
    """What a camera's configuration says for this."""
    told = {key: value for key, value in msgspec.structs.asdict(options).items() if value != getattr(Options(), key)}
    return f"recording:{quote(str(folder))}" + (f"?{urlencode(told)}" if told else "")


def place_of(camera: Camera) -> tuple[Path, Options]:
    """The folder and the options that a source names. Raises UsageError."""
    folder, _, query = camera.source.partition(":")[2].partition("?")
    try:
        options = msgspec.convert(dict(parse_qsl(query, strict_parsing=bool(query))), Options, strict=False)
    except (msgspec.ValidationError, ValueError) as error:
        allowed = ", ".join(Options.__struct_fields__)
        raise UsageError(f"Camera {camera.name!r}: {camera.source!r}: {error}; allowed after the '?': {allowed}") from None
    if not options.speed > 0 or options.start_s < 0:
        raise UsageError(f"Camera {camera.name!r}: a recording's speed is more than 0, and start_s not before it, got {query!r}")
    return Path(unquote(folder)), options


def check_camera(camera: Camera) -> None:
    """Raise RemiError unless the source can be played and nothing else is asked of it than it can do."""
    folder, options = place_of(camera)
    plain = Camera(name=camera.name, source=camera.source)
    for key in camera.__struct_fields__:
        if key not in MEANT and getattr(camera, key) != getattr(plain, key):
            raise UsageError(f"Camera {camera.name!r}: `{key}` means nothing to a recording; allowed: {', '.join(MEANT)}")
    first_frame(open_kept(folder).frames, options.start_s)


def make(order: Order) -> ReplayStage:
    """Make the stage for an order."""
    return ReplayStage(order.config.camera(order.camera), order.life)
