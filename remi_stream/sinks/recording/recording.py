"""A growing recording of one camera."""

from __future__ import annotations

import shutil
import time
from collections import Counter
from datetime import datetime
from pathlib import Path

from remi_stream import __version__
from remi_stream.messages import Bodies, CameraFacts, Frame, Person
from remi_stream.relay.books import LOST, Account
from remi_stream.sinks.recording.events import Begun, CameraTold, Ended, EpochBegun, Gap, TrackBegun
from remi_stream.sinks.recording.finish import UNFINISHED, finish
from remi_stream.sinks.recording.journal import Journal
from remi_stream.sinks.recording.rows import frame_row, person_layout, person_row, preview_row
from remi_stream.sinks.recording.video import Video

MISSED = "recorder/missed"
"""Drop reason of a gap that no stage reported: the bodies never reached the recorder, or a relay died before sending them."""


class Recording:
    """Adds a camera's messages to a journal; `flush` writes them to the disk."""

    def __init__(self, parent: Path, camera: str) -> None:
        self.folder = _new_folder(parent, camera)
        self.bodies = 0
        try:
            self._journal = _new_journal(self.folder, camera)
        except OSError:
            shutil.rmtree(self.folder)
            raise
        self._account = Account()
        self._camera = CameraTold()
        self._epochs: set[int] = set()
        self._tracks: dict[tuple[int, str, str, int, int], str] = {}
        self._video: Video | None = None

    def take_facts(self, facts: CameraFacts) -> None:
        """Record the camera's properties if they have changed."""
        camera = CameraTold(source=facts.source, fps=facts.fps, camera_from_world=facts.camera_from_world)
        if camera != self._camera:
            self._camera = camera
            self._journal.note(camera)

    def take_bodies(self, bodies: Bodies) -> None:
        """Record a frame, its people, and the gap before it."""
        self._note_gap(bodies)
        if bodies.epoch not in self._epochs:
            self._epochs.add(bodies.epoch)
            self._journal.note(
                EpochBegun(epoch=bodies.epoch, engine=bodies.engine, size=bodies.size, intrinsics=bodies.intrinsics)
            )
        self._journal.add("frames", frame_row(bodies))
        for person in bodies.people:
            layout = person_layout(len(person.joints_m), len(person.keypoints_px))
            self._journal.add(self._track(person), person_row(bodies, person, layout))
        self.bodies += 1

    def take_preview(self, frame: Frame) -> None:
        """Add a preview to the video. Raises OSError."""
        if self._video is None:
            self._video = Video(self._journal.folder)
        shown_at = self._video.add(frame)
        self._journal.add("preview", preview_row(frame, shown_at))

    def note_tail(self, epoch: int, reasons: dict[str, int]) -> None:
        """Record a gap after the last frame."""
        first = self._account.open[epoch].next_frame_id if epoch in self._account.open else 0
        end = first + sum(reasons.values())
        self._journal.note(Gap(epoch=epoch, frame_ids=(first, end - 1), reasons=reasons))

    def flush(self) -> int:
        """Write everything to the disk; return the number of bytes. Raises OSError."""
        return self._journal.flush()

    def end(self, reason: str = "") -> None:
        """Close the journal and write the final files; reason: why it is cut short. Raises OSError."""
        try:
            if self._video:
                self._video.close()
            self._journal.note(Ended(ended_at=_wall_clock(), reason=reason))
            self._journal.flush()
            finish(self.folder)
        finally:
            self._journal.close()

    def _note_gap(self, bodies: Bodies) -> None:
        missing = self._account.publish(bodies)
        if not missing:
            return
        # the account calls a gap without a drop reason a crash; here the recorder may have missed the messages itself
        unexplained = max(0, missing[LOST] - bodies.skipped.get(LOST, 0))
        reasons = +(missing - Counter({LOST: unexplained}) + Counter({MISSED: unexplained}))
        frame_ids = (bodies.frame_id - missing.total(), bodies.frame_id - 1)
        self._journal.note(Gap(epoch=bodies.epoch, frame_ids=frame_ids, reasons=dict(reasons)))

    def _track(self, person: Person) -> str:
        """Name of the person's files; a person whose skeleton changes gets separate files for each."""
        key = (person.track_id, person.skeleton, person.joints_skeleton, len(person.joints_m), len(person.keypoints_px))
        if key not in self._tracks:
            earlier = sum(track_id == person.track_id for track_id, *_ in self._tracks)
            name = f"track-{person.track_id:06d}" + (f"-{earlier + 1}" if earlier else "")
            self._tracks[key] = name
            _, skeleton, joints_skeleton, joints, keypoints = key
            self._journal.note(
                TrackBegun(
                    name=name,
                    track_id=person.track_id,
                    skeleton=skeleton,
                    joints_skeleton=joints_skeleton,
                    joints=joints,
                    keypoints=keypoints,
                )
            )
        return self._tracks[key]


def _new_folder(parent: Path, camera: str) -> Path:
    """Create "<camera>-<start>", with a number appended if it exists."""
    name = f"{camera}-{datetime.now():%Y-%m-%dT%H-%M-%S}"
    for number in range(1, 1000):
        folder = parent / (name if number == 1 else f"{name}-{number}")
        try:
            folder.mkdir()
        except FileExistsError:
            continue
        return folder
    raise FileExistsError(f"{parent / name} and 999 more")


def _new_journal(folder: Path, camera: str) -> Journal:
    journal = Journal(folder / UNFINISHED)
    wall_minus_monotonic_s = time.time() - time.monotonic()
    journal.note(
        Begun(version=__version__, camera=camera, started_at=_wall_clock(), wall_minus_monotonic_s=wall_minus_monotonic_s)
    )
    journal.flush()
    return journal


def _wall_clock() -> str:
    return datetime.now().astimezone().isoformat(timespec="milliseconds")
