"""A growing recording of one camera."""

from __future__ import annotations

import shutil
import time
from collections import Counter
from datetime import datetime
from pathlib import Path

from remi_stream import __version__
from remi_stream.ledger import LOST_IN_CRASH, CameraAccount
from remi_stream.messages import Bodies, CameraFacts, Frame, Person
from remi_stream.paths import check_path_part
from remi_stream.recordings.finish import JOURNAL_FOLDER, finish_recording
from remi_stream.recordings.journal import (
    CameraChanged,
    EpochStarted,
    Journal,
    RecordingEnded,
    RecordingGap,
    RecordingStarted,
    TrackStarted,
)
from remi_stream.recordings.rows import encode_frame_row, encode_person_row, encode_preview_row, person_dtype
from remi_stream.recordings.video import PreviewVideo

MISSED_REASON = "recorder/missed"
"""Drop reason of a gap that no stage reported: the bodies never reached the recorder, or a relay died before sending them."""


class CameraRecording:
    """Adds a camera's messages to a journal; `flush` writes them to the disk."""

    def __init__(self, parent: Path, camera: str) -> None:
        self.folder = _new_folder(parent, camera)
        self.bodies = 0
        try:
            self._journal = _new_journal(self.folder, camera)
        except OSError:
            shutil.rmtree(self.folder)
            raise
        self._account = CameraAccount()
        self._camera = CameraChanged()
        self._epochs: set[int] = set()
        self._tracks: dict[tuple[int, str, str, int, int], str] = {}
        self._video: PreviewVideo | None = None

    def add_camera_facts(self, facts: CameraFacts) -> None:
        """Record the camera's properties if they have changed."""
        camera = CameraChanged(source=facts.source, fps=facts.fps, camera_from_world=facts.camera_from_world)
        if camera != self._camera:
            self._camera = camera
            self._journal.add_event(camera)

    def add_bodies(self, bodies: Bodies) -> None:
        """Record a frame, its people, and the gap before it."""
        self._note_gap(bodies)
        if bodies.epoch not in self._epochs:
            self._epochs.add(bodies.epoch)
            self._journal.add_event(
                EpochStarted(epoch=bodies.epoch, engine=bodies.engine, size=bodies.size, intrinsics=bodies.intrinsics)
            )
        self._journal.add_row("frames", encode_frame_row(bodies))
        for person in bodies.people:
            layout = person_dtype(len(person.joints_m), len(person.keypoints_px))
            self._journal.add_row(self._track(person), encode_person_row(bodies, person, layout))
        self.bodies += 1

    def add_preview(self, frame: Frame) -> None:
        """Add a preview to the video. Raises OSError."""
        # opened late: without previews there is no video file
        if self._video is None:
            self._video = PreviewVideo(self._journal.folder)
        shown_at = self._video.add(frame)
        self._journal.add_row("preview", encode_preview_row(frame, shown_at))

    def add_trailing_gap(self, epoch: int, reasons: dict[str, int]) -> None:
        """Record a gap after the last frame."""
        first = self._account.open_epochs[epoch].next_frame_id if epoch in self._account.open_epochs else 0
        end = first + sum(reasons.values())
        self._journal.add_event(RecordingGap(epoch=epoch, frame_ids=(first, end - 1), reasons=reasons))

    def flush(self) -> int:
        """Write everything to the disk; return the number of bytes. Raises OSError."""
        return self._journal.flush()

    def end(self, reason: str = "") -> None:
        """Close the journal and write the final files; reason: why it is cut short. Raises OSError."""
        try:
            if self._video:
                self._video.close()
            self._journal.add_event(RecordingEnded(ended_at=_wall_clock(), reason=reason))
            self._journal.flush()
            finish_recording(self.folder)
        finally:
            self._journal.close()

    def _note_gap(self, bodies: Bodies) -> None:
        missing = self._account.record_published(bodies)
        if not missing:
            return
        # the account calls a gap without a drop reason a crash; here the recorder may have missed the messages itself
        unexplained = max(0, missing[LOST_IN_CRASH] - bodies.skipped.get(LOST_IN_CRASH, 0))
        reasons = +(missing - Counter({LOST_IN_CRASH: unexplained}) + Counter({MISSED_REASON: unexplained}))
        frame_ids = (bodies.frame_id - missing.total(), bodies.frame_id - 1)
        self._journal.add_event(RecordingGap(epoch=bodies.epoch, frame_ids=frame_ids, reasons=dict(reasons)))

    def _track(self, person: Person) -> str:
        """Name of the person's files; a person whose skeleton changes gets separate files for each."""
        key = (person.track_id, person.skeleton, person.joints_skeleton, len(person.joints_m), len(person.keypoints_px))
        if key not in self._tracks:
            earlier = sum(track_id == person.track_id for track_id, *_ in self._tracks)
            name = f"track-{person.track_id:06d}" + (f"-{earlier + 1}" if earlier else "")
            self._tracks[key] = name
            _, skeleton, joints_skeleton, joints, keypoints = key
            self._journal.add_event(
                TrackStarted(
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
    # the camera's name comes over the bus
    name = f"{check_path_part('camera', camera)}-{datetime.now():%Y-%m-%dT%H-%M-%S}"
    for number in range(1, 1000):
        folder = parent / (name if number == 1 else f"{name}-{number}")
        try:
            folder.mkdir()
        except FileExistsError:
            continue
        return folder
    raise FileExistsError(f"{parent / name} and 999 more")


def _new_journal(folder: Path, camera: str) -> Journal:
    journal = Journal(folder / JOURNAL_FOLDER)
    wall_minus_monotonic_s = time.time() - time.monotonic()
    journal.add_event(
        RecordingStarted(
            version=__version__, camera=camera, started_at=_wall_clock(), wall_minus_monotonic_s=wall_minus_monotonic_s
        )
    )
    journal.flush()  # at once: a disk that cannot be written fails here, and a killed recorder leaves a readable journal
    return journal


def _wall_clock() -> str:
    return datetime.now().astimezone().isoformat(timespec="milliseconds")
