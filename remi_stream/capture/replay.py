"""A camera whose people were recorded: a recording, or what was made of a film, published as if it happened now."""

from __future__ import annotations

import bisect
import queue
import secrets
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from urllib.parse import parse_qsl, quote, unquote, urlencode

import msgspec

from remi_stream.capture.reel import Reel, reel_of
from remi_stream.capture.source import State
from remi_stream.capture.telling import Telling
from remi_stream.capture.tempo import FASTEST, SLOWEST, Tempo
from remi_stream.config import Camera
from remi_stream.errors import UsageError
from remi_stream.messages import Bodies, CameraFacts, Frame, Person, Playing, Wish
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

    Whoever is seen again after a jump, in a loop, or after a restart, has another track_id: nothing joins what was apart.
    """

    def __init__(self, camera: Camera, life: int = 0) -> None:
        self.camera = camera
        self.epoch = secrets.randbits(48)
        self.captured = 0
        self._folder, self._options = place_of(camera)
        self._ids_before, self._highest_id = life * IDS_PER_LIFE, 0
        self._wishes: queue.SimpleQueue[Wish] = queue.SimpleQueue()
        self._obeyed = 0
        self._shows_once = False
        self._reel: Reel | None = None
        self._state: State = "starting"
        self._telling = Telling()

    def open(self) -> None:
        """Read what was kept, and find the pictures of it if they are there. RemiError says what the user has to mend."""
        self._take = open_kept(self._folder)
        self._frames = self._take.frames
        self._began_s = self._frames[0].captured_at
        self._first = first_frame(self._frames, self._options.start_s)
        self._tempo = Tempo(self._frames[self._first].captured_at, self._options.speed)
        self._go_to(self._first)

    def take(self, message: Wish) -> None:
        """Take note of what is wished."""
        self._wishes.put(message)

    def step(self) -> Iterable[Bodies | Frame | CameraFacts] | None:
        """Wait until the next frame is due, or something is wished; None at the end."""
        if self._state == "ended":
            return None
        if self._place == len(self._frames) and not self._again():
            return self._stand_at_end()
        bodies = self._frames[self._place]
        if not self._at_hand(bodies) or not self._wait(bodies.captured_at):
            return self._facts_if_due(time.monotonic())
        self._place += 1
        self._state, self._shows_once, self._shown_s = "live", False, bodies.captured_at
        return [*self._messages(bodies, time.monotonic()), *self._facts_if_due(time.monotonic())]

    def close(self) -> None:
        """Close the video."""
        if self._reel:
            self._reel.close()

    def _stand_at_end(self) -> list[CameraFacts]:
        """End; during a pause, wait for what comes."""
        if not self._tempo.paused or self._enough:
            self._state = "ended"
        else:
            self._obey(LONGEST_WAIT_S)
        return self._facts_if_due(time.monotonic())

    def _again(self) -> bool:
        """Begin anew if there is to be more."""
        if not self.camera.loop or self._enough or self._tempo.paused:
            return False
        end_s = self._frames[-1].captured_at + 1 / self._take.fps
        self._tempo.again(end_s, self._frames[self._first].captured_at)
        self._go_to(self._first)
        return True

    @property
    def _enough(self) -> bool:
        return self.camera.frames is not None and self.captured >= self.camera.frames

    def _go_to(self, place: int) -> None:
        """Go on from a frame; nobody there is who was before."""
        self.close()
        self._ids_before, self._highest_id = self._ids_before + self._highest_id, 0
        self._place, self._shown_s = place, self._frames[place].captured_at
        self._reel = reel_of(self._folder, self._take, place)

    def _obey(self, wait_s: float) -> bool:
        """Do what is wished, if something is within so many seconds; whether it was."""
        try:
            wish = self._wishes.get(timeout=wait_s)
        except queue.Empty:
            return False
        self._tempo.change(time.monotonic(), wish.speed, wish.paused)
        if wish.seek_s is not None:
            self._go_to(first_frame(self._frames, wish.seek_s))
            self._tempo.jump(self._shown_s)
            self._shows_once = True
        self._obeyed = wish.id
        self._telling.hasten()
        return True

    def _at_hand(self, bodies: Bodies) -> bool:
        """Decode up to a frame's picture, for a moment at most, and hear what is wished meanwhile; whether it is there."""
        if self._reel is None or self._reel.forward(bodies, time.monotonic() + LONGEST_WAIT_S):
            return True
        self._obey(0.0)
        return False

    def _wait(self, at_s: float) -> bool:
        """Wait until a moment of the recording has come, for a moment at most; whether it has, and nothing else was wished."""
        now = time.monotonic()
        wait_s = 0.0 if self._shows_once else max(0.0, self._tempo.due(at_s, now) - now)
        return not self._obey(min(wait_s, LONGEST_WAIT_S)) and wait_s <= LONGEST_WAIT_S

    def _messages(self, bodies: Bodies, now: float) -> list[Bodies | Frame]:
        """The frame with new numbers, and its picture."""
        self.captured += 1
        if self._enough:
            self._place = len(self._frames)
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
                fps=self._take.fps * self._tempo.speed,
                captured=self.captured,
                playing=self._playing(),
            )
        ]

    def _playing(self) -> Playing:
        return Playing(
            position_s=self._shown_s - self._began_s,
            length_s=self._frames[-1].captured_at - self._began_s,
            speed=self._tempo.speed,
            paused=self._tempo.paused,
            wish=self._obeyed,
        )


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
    if not SLOWEST <= options.speed <= FASTEST or not options.start_s >= 0:
        allowed = f"a speed from {SLOWEST:g} to {FASTEST:g}, and start_s not before the recording"
        raise UsageError(f"Camera {camera.name!r}: {query!r}; allowed are {allowed}")
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
