"""Export a take as tables: one CSV or JSON for all people, or .npz files like a recording's or AMASS'.

`people.csv` has one row per person and frame, in camera axes; unknown values are empty cells. `people.json` has the same and the
key points, by frame, in the fields of the protocol. Like a recording: `frames.npz` and one `track-*.npz` per person and skeleton.
AMASS: one `track-*_poses.npz` per person, z up.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
import numpy as np

from remi_stream.atomic_files import atomic_file, write_npz
from remi_stream.body.known_bodies import MEAN_SHAPE, SMPL_PELVIS_M, known_body, retargeter_to_known_body
from remi_stream.export.motion import person_motion, resample, sample_times
from remi_stream.geometry import rotation_vectors_from_quaternions
from remi_stream.messages import Person, Smpl
from remi_stream.recordings import rows
from remi_stream.recordings.rows import FRAME_DTYPE, encode_frame_row, encode_person_row, frame_arrays, person_dtype, track_arrays
from remi_stream.recordings.take import SmplTrack, Take, numbered_frames, retarget_to_available_body, smpl_tracks
from remi_stream.skeletons import JOINT_NAMES

CSV_FILE, JSON_FILE = "people.csv", "people.json"
JSON_FIELDS = tuple(field for field in Person.__struct_fields__ if field != "native")
PERSON_COLUMNS = ("frame", "time_s", "track_id", "score", "skeleton", "body")
POSE_COLUMNS = tuple(f"pose_{joint}_{axis}_rad" for joint in JOINT_NAMES["smpl24"] for axis in "xyz")
SHAPE_COLUMNS = tuple(f"beta_{index}" for index in range(10))
TRANSL_COLUMNS = tuple(f"transl_{axis}_m" for axis in "xyz")
EMPTY_SMPL_CELLS = "," * (len(POSE_COLUMNS + SHAPE_COLUMNS + TRANSL_COLUMNS) - 1)

TrackFileKey = tuple[int, str, str, int, int]
"""track_id, skeleton, joints_skeleton, number of joints, number of key points: constant within one file."""


def write_csv(take: Take, folder: Path) -> list[Path]:
    """Write `people.csv`. Raises OSError."""
    joints = joint_names(take)
    with atomic_file(folder / CSV_FILE) as file:
        file.write((",".join(csv_header(joints)) + "\n").encode())
        for row in csv_rows(take, joints):
            file.write(f"{row}\n".encode())
    return [folder / CSV_FILE]


def csv_header(joints: Sequence[str]) -> list[str]:
    """Return the column names, with their units."""
    return [
        *PERSON_COLUMNS,
        *POSE_COLUMNS,
        *SHAPE_COLUMNS,
        *TRANSL_COLUMNS,
        *(f"joint_{joint}_{axis}_m" for joint in joints for axis in "xyz"),
    ]


def joint_names(take: Take) -> list[str]:
    """Return the joint names of all skeletons in a take, without duplicates."""
    skeletons = dict.fromkeys(person.effective_joints_skeleton for bodies in take.frames for person in bodies.people)
    return list(dict.fromkeys(joint for skeleton in skeletons for joint in JOINT_NAMES.get(skeleton, ())))


def csv_rows(take: Take, joints: Sequence[str]) -> Iterator[str]:
    """Yield the rows as text; time_s counts from the take's first frame."""
    start_s: float | None = None
    for number, bodies in numbered_frames(take):
        start_s = bodies.captured_at if start_s is None else start_s
        for person in bodies.people:
            yield _row(number, bodies.captured_at - start_s, person, joints)


def _row(number: int, time_s: float, person: Person, joints: Sequence[str]) -> str:
    body = person.smpl.body if person.smpl else ""
    identity = f"{number},{time_s:.6f},{person.track_id},{person.score:.4f},{person.effective_joints_skeleton},{body}"
    return ",".join([identity, _pose(person.smpl), *_joints(person, joints)])


def _pose(smpl: Smpl | None) -> str:
    if smpl is None:
        return EMPTY_SMPL_CELLS
    return _numbers(np.concatenate([smpl.global_orient, smpl.body_pose, smpl.betas, smpl.transl]))


def _joints(person: Person, joints: Sequence[str]) -> Iterator[str]:
    known = dict(zip(JOINT_NAMES.get(person.effective_joints_skeleton, ()), person.joints_m))
    for joint in joints:
        yield _numbers(known[joint]) if joint in known else ",,"


def _numbers(values: np.ndarray) -> str:
    return ",".join(f"{value:.6f}" if np.isfinite(value) else "" for value in values.tolist())


def write_json(take: Take, folder: Path) -> list[Path]:
    """Write `people.json`: the take's facts, and each frame with its people, in the fields of `Person`. Raises OSError."""
    skeletons = dict.fromkeys(
        skeleton
        for bodies in take.frames
        for person in bodies.people
        for skeleton in (person.skeleton, person.effective_joints_skeleton)
    )
    head = {
        "name": take.name,
        "size": take.size,
        "fps": take.fps,
        "axes": rows.AXES_NOTE,
        "joint_names": {skeleton: JOINT_NAMES.get(skeleton, ()) for skeleton in skeletons},
    }
    with atomic_file(folder / JSON_FILE) as file:
        file.write(msgspec.json.encode(head)[:-1] + b',"frames":[')
        for index, frame in enumerate(_json_frames(take)):
            file.write((b",\n" if index else b"\n") + msgspec.json.encode(frame, enc_hook=_plain_numbers))
        file.write(b"\n]}\n")
    return [folder / JSON_FILE]


def _json_frames(take: Take) -> Iterator[dict[str, object]]:
    start_s: float | None = None
    for number, bodies in numbered_frames(take):
        start_s = bodies.captured_at if start_s is None else start_s
        image = {"image": take.images[number]} if take.images else {}
        people = [{field: getattr(person, field) for field in JSON_FIELDS} for person in bodies.people]
        yield {"frame": number, "time_s": round(bodies.captured_at - start_s, 6), **image, "people": people}


def _plain_numbers(array: object) -> object:
    """Convert an array to lists; six digits are a micrometre. NaN becomes null."""
    if isinstance(array, np.ndarray):
        return np.round(array.astype(np.float64), 6).tolist()
    raise NotImplementedError(type(array).__name__)


def write_track_files(take: Take, folder: Path) -> list[Path]:
    """Write the files, one per person and skeleton; return their paths. Raises OSError."""
    # packed rows, as in a journal: far smaller than a Person each
    frames, packed = bytearray(), dict[TrackFileKey, bytearray]()
    for bodies in take.frames:
        frames += encode_frame_row(bodies)
        for person in bodies.people:
            kind = track_file_key(person)
            packed.setdefault(kind, bytearray()).extend(encode_person_row(bodies, person, person_dtype(*kind[3:])))
    paths = [folder / "frames.npz"]
    write_npz(paths[0], frame_arrays(np.frombuffer(bytes(frames), FRAME_DTYPE)))
    for (kind, data), name in zip(packed.items(), _names(list(packed))):
        path = folder / f"{name}.npz"
        track = np.frombuffer(bytes(data), person_dtype(*kind[3:]))
        write_npz(path, track_arrays(track, kind[0], kind[1], kind[2]))
        paths.append(path)
    return paths


def track_file_key(person: Person) -> TrackFileKey:
    """Return the key of the file that a person is written to."""
    return person.track_id, person.skeleton, person.joints_skeleton, len(person.joints_m), len(person.keypoints_px)


def _names(kinds: list[TrackFileKey]) -> list[str]:
    earlier = [sum(other[0] == kind[0] for other in kinds[:index]) for index, kind in enumerate(kinds)]
    return [f"track-{kind[0]:06d}" + (f"-{count + 1}" if count else "") for kind, count in zip(kinds, earlier)]


def write_amass(take: Take, folder: Path) -> list[Path]:
    """Write AMASS' `track-000001_poses.npz`, one per track; return the paths. Raises OSError or RemiError."""
    written = []
    for track in smpl_tracks(take, "amass"):
        path = folder / f"{track.name}_poses.npz"
        write_npz(path, amass_track_arrays(track, take.fps))
        written.append(path)
    return written


def amass_track_arrays(track: SmplTrack, fps: float) -> dict[str, np.ndarray]:
    """Return AMASS' arrays plus seen (N,) bool and start_s. Poses of the open body are retargeted if SMPL was imported."""
    imported = known_body().name == "smpl"
    retarget = retargeter_to_known_body(track.body) if imported else retarget_to_available_body(track.body)
    motion = person_motion(track, retarget)
    resampled, seen = resample(motion, sample_times(motion.times_s[0], motion.times_s[-1], fps))
    # betas of the open body mean nothing to SMPL: its mean shape instead
    betas = np.median([smpl.betas for smpl in track.poses], 0) if track.body == "smpl" else MEAN_SHAPE
    rest_pelvis = known_body().rest_joints(betas)[0] if imported else SMPL_PELVIS_M
    count = len(resampled.times_s)
    vectors = rotation_vectors_from_quaternions(resampled.rotations.reshape(-1, 4)).reshape(count, 72)
    converted = rows.amass_arrays(
        vectors[:, :3],
        vectors[:, 3:],
        resampled.pelvis_m - rest_pelvis,
        np.tile(betas, (count, 1)),
        np.tile(rest_pelvis, (count, 1)),
        fps,
    )
    return {**rows.to_smplh(converted), "seen": seen, "start_s": np.array(resampled.times_s[0])}
