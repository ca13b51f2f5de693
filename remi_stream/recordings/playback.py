"""Playback: publishes a recording, or the results of a video, as if it were live, with speed, pause and seek."""

from __future__ import annotations

import bisect
import math
import queue
import secrets
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from urllib.parse import parse_qsl, quote, unquote, urlencode

import msgspec

from remi_stream.config import CameraConfig
from remi_stream.errors import UsageError
from remi_stream.messages import (
    MAX_PLAYBACK_SPEED,
    MIN_PLAYBACK_SPEED,
    Bodies,
    CameraFacts,
    CameraState,
    Frame,
    Person,
    PlaybackCommand,
    PlaybackStatus,
)
from remi_stream.recordings.reader import open_take
from remi_stream.recordings.video import PlaybackVideo, open_playback_video
from remi_stream.stage import TRACK_IDS_PER_LIFE, StageSpec, StatusTimer

MAX_WAIT_S = 0.5
"""Longest wait of one `step`, so that status messages stay in time."""


class PlaybackClock:
    """Maps times of the recording, at_s, to monotonic time. It runs from the first call of `due_at` after a seek on.

    So the time a seek takes (the video is decoded up to that frame) is not made up by playing faster.
    """

    def __init__(self, at_s: float, speed: float) -> None:
        self.speed, self.paused = speed, False
        self._at_s = at_s
        self._started_at: float | None = None

    def due_at(self, at_s: float, now: float) -> float:
        """When a moment is due, monotonic s; infinity during a pause. Starts the clock."""
        if self.paused:
            return math.inf
        if self._started_at is None:
            self._started_at = now
        return self._started_at + (at_s - self._at_s) / self.speed

    def seek(self, at_s: float) -> None:
        """Seek: stop the clock at another moment."""
        self._at_s, self._started_at = at_s, None

    def set_speed(self, now: float, speed: float | None, paused: bool | None) -> None:
        """Change speed and pause from now (monotonic s) on; None: unchanged."""
        if self._started_at is not None:
            self.seek(self._at_s + (now - self._started_at) * self.speed)
        self.speed = self.speed if speed is None else speed
        self.paused = self.paused if paused is None else paused

    def restart_at(self, end_s: float, begin_s: float) -> None:
        """Start again at begin_s at the moment when end_s is due, so that a loop has no gap."""
        if self._started_at is not None:
            self._started_at += (end_s - self._at_s) / self.speed
        self._at_s = begin_s


class PlaybackOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Options in the source's query: `recording:FOLDER?speed=0.5&start_s=3`."""

    speed: float = 1.0
    """1 is real time."""
    start_s: float = 0.0
    """Start, s from the first frame; also of each loop."""


class PlaybackStage:
    """Publishes each recorded frame when it is due, with a new frame id and capture time.

    After a seek, a loop or a restart, people get new track ids, so that no filter or tracker joins them across the cut.
    """

    def __init__(self, camera: CameraConfig, restarts: int = 0) -> None:
        self.camera = camera
        self.epoch = secrets.randbits(48)
        self.captured = 0
        self.counts: Counter[str] = Counter()
        self._folder, self._options = parse_playback_source(camera)
        # a restarted process must not reuse the ids of its predecessor, which it cannot know
        self._ids_before, self._highest_id = restarts * TRACK_IDS_PER_LIFE, 0
        self._commands: queue.SimpleQueue[PlaybackCommand] = queue.SimpleQueue()
        self._last_command_id = 0
        self._show_next_now = False
        self._video: PlaybackVideo | None = None
        self._state: CameraState = "starting"
        self._status_timer = StatusTimer()

    def open(self) -> None:
        """Open the recording, and its video if there is one. RemiError says what the user must fix."""
        self._take = open_take(self._folder)
        self._frames = self._take.frames
        self._start_s = self._frames[0].captured_at
        self._first_index = first_frame_index(self._frames, self._options.start_s)
        self._playback_clock = PlaybackClock(self._frames[self._first_index].captured_at, self._options.speed)
        self._seek(self._first_index)

    def handle_command(self, message: PlaybackCommand) -> None:
        """Queue a playback command; called from another thread than `step`."""
        self._commands.put(message)

    def step(self) -> Iterable[Bodies | Frame | CameraFacts] | None:
        """Wait for the next frame or a command; None at the end."""
        if self._state == "ended":
            return None
        if self._next_index == len(self._frames) and not self._loop():
            return self._finish()
        bodies = self._frames[self._next_index]
        if not self._decode_to(bodies) or not self._wait_until_due(bodies.captured_at):
            return self._facts_if_due(time.monotonic())
        self._next_index += 1
        self._state, self._show_next_now, self._shown_s = "live", False, bodies.captured_at
        return [*self._messages(bodies, time.monotonic()), *self._facts_if_due(time.monotonic())]

    def close(self) -> None:
        """Close the video."""
        if self._video:
            self._video.close()

    def _finish(self) -> list[CameraFacts]:
        """End the playback; during a pause, wait for commands."""
        if not self._playback_clock.paused or self._has_enough:
            self._state = "ended"
        else:
            self._execute_command(MAX_WAIT_S)
        return self._facts_if_due(time.monotonic())

    def _loop(self) -> bool:
        """Start the next loop; False if there is none."""
        if not self.camera.loop or self._has_enough or self._playback_clock.paused:
            return False
        # the last frame is shown for one frame interval before the first one follows
        end_s = self._frames[-1].captured_at + 1 / self._take.fps
        self._playback_clock.restart_at(end_s, self._frames[self._first_index].captured_at)
        self._seek(self._first_index)
        return True

    @property
    def _has_enough(self) -> bool:
        return self.camera.frames is not None and self.captured >= self.camera.frames

    def _seek(self, index: int) -> None:
        """Continue from the frame with this index, with new track ids."""
        # videos are decoded forward only: a seek opens the video again
        self.close()
        self._ids_before, self._highest_id = self._ids_before + self._highest_id, 0
        self._next_index, self._shown_s = index, self._frames[index].captured_at
        self._video = open_playback_video(self._folder, self._take, index)

    def _execute_command(self, wait_s: float) -> bool:
        """Wait up to wait_s for a command and execute it; whether there was one."""
        try:
            command = self._commands.get(timeout=wait_s)
        except queue.Empty:
            return False
        self._playback_clock.set_speed(time.monotonic(), command.speed, command.paused)
        if command.seek_s is not None:
            self._seek(first_frame_index(self._frames, command.seek_s))
            self._playback_clock.seek(self._shown_s)
            # the frame of a seek is shown at once, also during a pause
            self._show_next_now = True
        self._last_command_id = command.id
        self._status_timer.expire()
        return True

    def _decode_to(self, bodies: Bodies) -> bool:
        """Decode up to a frame's image, for MAX_WAIT_S at most; False if it is not reached yet, after handling a command."""
        if self._video is None or self._video.advance_to(bodies, time.monotonic() + MAX_WAIT_S):
            return True
        self._execute_command(0.0)
        return False

    def _wait_until_due(self, at_s: float) -> bool:
        """Wait until a frame is due, for MAX_WAIT_S at most; False if it is not due yet or a command came."""
        now = time.monotonic()
        wait_s = 0.0 if self._show_next_now else max(0.0, self._playback_clock.due_at(at_s, now) - now)
        return not self._execute_command(min(wait_s, MAX_WAIT_S)) and wait_s <= MAX_WAIT_S

    def _messages(self, bodies: Bodies, now: float) -> list[Bodies | Frame]:
        """The recorded bodies with new ids and times, and their image if there is one."""
        self.captured += 1
        if self._has_enough:
            self._next_index = len(self._frames)
        frame_id = self.captured - 1
        self._highest_id = max([self._highest_id, *(person.track_id for person in bodies.people)])
        published = msgspec.structs.replace(
            bodies,
            camera=self.camera.name,
            epoch=self.epoch,
            frame_id=frame_id,
            captured_at=now,
            # stamps and drops are of the recorded pipeline, not of this one
            stamps={},
            skipped={},
            people=[self._with_new_id(person) for person in bodies.people],
        )
        image = self._video.image_of(bodies) if self._video else None
        if image is None:
            return [published]
        width, height = bodies.size
        frame = Frame(
            camera=published.camera,
            epoch=published.epoch,
            frame_id=frame_id,
            captured_at=now,
            image=image,
            size=bodies.size,
            rectangle=(0.0, 0.0, float(width), float(height)),
            intrinsics=bodies.intrinsics,
        )
        return [frame, published]

    def _with_new_id(self, person: Person) -> Person:
        return msgspec.structs.replace(person, track_id=self._ids_before + person.track_id) if self._ids_before else person

    def _facts_if_due(self, now: float) -> list[CameraFacts]:
        if not self._status_timer.is_due(self._state, now):
            return []
        return [
            CameraFacts(
                camera=self.camera.name,
                epoch=self.epoch,
                state=self._state,
                state_s=self._status_timer.state_s(now),
                source=f"recording:{self._folder.name}",
                size=self._take.size,
                fps=self._take.fps * self._playback_clock.speed,
                captured=self.captured,
                playing=self._playback_status(),
            )
        ]

    def _playback_status(self) -> PlaybackStatus:
        return PlaybackStatus(
            position_s=self._shown_s - self._start_s,
            length_s=self._frames[-1].captured_at - self._start_s,
            speed=self._playback_clock.speed,
            paused=self._playback_clock.paused,
            command_id=self._last_command_id,
        )


def first_frame_index(frames: Sequence[Bodies], start_s: float) -> int:
    """Index of the first frame at or after start_s, s from the first one. Raises UsageError if there is none."""
    begin = frames[0].captured_at
    found = bisect.bisect_left(range(len(frames)), start_s, key=lambda index: frames[index].captured_at - begin)
    if found == len(frames):
        last_s = frames[-1].captured_at - begin
        raise UsageError(f"There is no frame at or after {start_s:g} s; the last one is at {last_s:.2f} s. Start earlier")
    return found


def playback_source(folder: Path, options: PlaybackOptions) -> str:
    """The `source` of a camera's configuration that plays this folder."""
    query = {key: value for key, value in msgspec.structs.asdict(options).items() if value != getattr(PlaybackOptions(), key)}
    return f"recording:{quote(str(folder))}" + (f"?{urlencode(query)}" if query else "")


def parse_playback_source(camera: CameraConfig) -> tuple[Path, PlaybackOptions]:
    """Parse the folder and the options of a camera's source. Raises UsageError."""
    folder, _, query = camera.source.partition(":")[2].partition("?")
    try:
        options = msgspec.convert(dict(parse_qsl(query, strict_parsing=bool(query))), PlaybackOptions, strict=False)
    except (msgspec.ValidationError, ValueError) as error:
        allowed = ", ".join(PlaybackOptions.__struct_fields__)
        raise UsageError(f"Camera {camera.name!r}: {camera.source!r}: {error}; allowed after the '?': {allowed}") from None
    if not MIN_PLAYBACK_SPEED <= options.speed <= MAX_PLAYBACK_SPEED or not options.start_s >= 0:
        allowed = f"speed from {MIN_PLAYBACK_SPEED:g} to {MAX_PLAYBACK_SPEED:g}, start_s from 0"
        raise UsageError(f"Camera {camera.name!r}: {query!r}; allowed: {allowed}")
    return Path(unquote(folder)), options


def check_playback_source(camera: CameraConfig) -> None:
    """Raise RemiError unless the camera's source can be played."""
    folder, options = parse_playback_source(camera)
    first_frame_index(open_take(folder).frames, options.start_s)


def make_playback_stage(spec: StageSpec) -> PlaybackStage:
    """Make the stage of a camera."""
    return PlaybackStage(spec.config.camera(spec.camera), spec.restarts)
