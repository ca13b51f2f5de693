"""Read predictions and ground truths of any kind: takes, a person's file, the sample, 3DPW and EMDB (safely unpickled)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from remi_stream.body.known_bodies import SMPL_PELVIS_M, known_body
from remi_stream.body.smpl import Body, rotate_body
from remi_stream.errors import UsageError
from remi_stream.evaluate import truth
from remi_stream.evaluate.truth import GroundTruth, intrinsics_from_matrix, make_smpl, make_true_frame, make_true_person
from remi_stream.geometry import Intrinsics
from remi_stream.messages import Person
from remi_stream.models.pickled_objects import NUMPY_CONSTRUCTORS
from remi_stream.models.safe_pickle import damage_errors, read_pickle
from remi_stream.models.smpl_pickle import SMPL_ARRAYS, read_smpl
from remi_stream.permission_hints import empty_mount_hint
from remi_stream.recordings.reader import open_take
from remi_stream.recordings.take import Take
from remi_stream.skeletons import SMPL_PARENTS

GENDERS = {"m": "male", "f": "female", "n": "neutral"}
"""By first letter: the data sets write letters or words."""


def read_dataset_pickle(path: Path) -> Any:
    """Read arrays and plain containers from a pickle, also of Python 2, without running its code. Raises UsageError."""
    with damage_errors(str(path), "a pickle", UsageError, advice="Get it again."), path.open("rb") as file:
        return read_pickle(file, path.stat().st_size, NUMPY_CONSTRUCTORS)


def number_field(content: Mapping[str, Any], name: str, *shape: int | None) -> np.ndarray:
    """Return a field as float64 of this shape (None: any length). Raises ValueError with the actual shape."""
    if name not in content:
        raise ValueError(f"it has no {name}")
    array = to_numbers(content[name], name)
    if len(array.shape) != len(shape) or any(expected not in (None, got) for expected, got in zip(shape, array.shape)):
        sizes = " x ".join("any" if size is None else str(size) for size in shape)
        raise ValueError(f"{name} is {' x '.join(map(str, array.shape)) or 'one number'}, expected {sizes}")
    return array


def to_numbers(value: Any, name: str) -> np.ndarray:
    """Convert a numeric array, list or number to float64. Raises ValueError."""
    array = np.array(value) if isinstance(value, list | tuple | int | float) else value
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "biuf":
        raise ValueError(f"{name} holds no numbers")
    return array.astype(np.float64)


def parse_gender(text: Any) -> str:
    """Parse a gender: male, female or neutral. Raises ValueError."""
    name = GENDERS.get(str(text)[:1].lower())
    if name is None:
        raise ValueError(f"gender is {text!r:.40}")
    return name


def smpl_body_for_gender(gender: str, folder: Path | None) -> Body | None:
    """Return SMPL's body of a gender, from a folder of SMPL's pickles or the imported neutral one; None if not available.

    Raises RemiError for a file that is not a SMPL body.
    """
    # SMPL_MALE.pkl, or as published: basicmodel_m_lbs_10_207_0_v1.0.0.pkl
    pattern = re.compile(rf"(^|[_-])({gender}|{gender[0]})([_-]|$)")
    found = [*sorted(folder.glob("*.pkl")), *sorted(folder.glob("*.npz"))] if folder else []
    files = [path for path in found if pattern.search(path.stem.lower())]
    if files:
        arrays = read_smpl(files[0])
        floats: dict[str, Any] = {ours: arrays[theirs].astype(np.float32) for theirs, ours in SMPL_ARRAYS.items()}
        return Body(name="smpl", faces=arrays["f"].astype(np.int32), parents=np.array(SMPL_PARENTS, np.int32), **floats)
    imported = known_body()
    return imported if gender == "neutral" and imported.name == "smpl" else None


def missing_body_notes(genders: set[str]) -> tuple[str, ...]:
    """Return the note about bodies that are not available."""
    names = " and ".join(f"SMPL_{gender.upper()}.pkl" for gender in sorted(genders))
    text = f"the truth's bodies are missing: for PVE, and for EMDB's joints, give --bodies DIR with {names} (or .npz)"
    return (text,) if names else ()


# EMDB: Kaufmann et al., "EMDB: The Electromagnetic Database of Global 3D Human Pose and Shape in the Wild" (2023).
#
# One person: smpl {poses_root (F, 3), poses_body (F, 69), trans (F, 3), betas (10,)} in the world; camera {intrinsics (3, 3),
# extrinsics (F, 4, 4) from the world, width, height}; bboxes {bboxes (F, 4) px, x0 y0 x1 y1, invalid_idxs};
# good_frames_mask (F,). The files have no joints: they are computed from SMPL's body of the gender.

EMDB_FPS = 30.0
"""EMDB's frame rate, which its files do not contain."""
EMDB_KEYS = {"smpl", "camera", "bboxes", "good_frames_mask", "gender"}


def read_emdb(content: Mapping[str, Any], name: str, bodies: Path | None) -> GroundTruth:
    """Read the truth of a sequence. Raises ValueError with the invalid field."""
    smpl, camera, boxes = (mapping_field(content, key) for key in ("smpl", "camera", "bboxes"))
    extrinsics = number_field(camera, "extrinsics", None, 4, 4)
    count = len(extrinsics)
    intrinsics = intrinsics_from_matrix(number_field(camera, "intrinsics", 3, 3))
    size = int(camera["width"]), int(camera["height"])
    poses = np.concatenate([number_field(smpl, "poses_root", count, 3), number_field(smpl, "poses_body", count, 69)], 1)
    trans, betas = number_field(smpl, "trans", count, 3), to_numbers(smpl.get("betas"), "betas").ravel()[:10]
    is_good, has_box = number_field(content, "good_frames_mask", count) > 0, valid_box_mask(boxes, count)
    boxes_xyxy = number_field(boxes, "bboxes", count, 4)
    gender = parse_gender(content["gender"])
    body = smpl_body_for_gender(gender, bodies)
    pelvis = body.rest_joints(betas)[0] if body else SMPL_PELVIS_M
    frames = []
    for number, matrix in enumerate(extrinsics):
        orient, transl = rotate_body(matrix[:3, :3], pelvis, poses[number, :3], trans[number])
        pose = make_smpl(np.concatenate([orient, poses[number, 3:]]), betas, transl + matrix[:3, 3])
        joints = body.joints(pose.global_orient, pose.body_pose, betas, pose.transl) if body else None
        box = boxes_xyxy[number] if has_box[number] else None
        # without box and joints a person cannot be matched
        visible = is_good[number] and (box is not None or joints is not None)
        people = [make_true_person(1, joints, pose, intrinsics, box)] if visible else []
        frames.append(make_true_frame(number, EMDB_FPS, size, intrinsics, people))
    notes = missing_body_notes(set() if body else {gender})
    return GroundTruth(Take(str(content.get("name", name)), size, EMDB_FPS, frames), {1: body}, notes)


def mapping_field(content: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """Return a field that is a dict. Raises ValueError."""
    value = content.get(key)
    if not isinstance(value, dict):
        raise ValueError(f"{key} is a {type(value).__name__}, expected named arrays")
    return value


def valid_box_mask(boxes: Mapping[str, Any], count: int) -> np.ndarray:
    """Return where the box is valid, (F,) bool; elsewhere a box is put around the joints."""
    valid = np.ones(count, bool)
    invalid = to_numbers(boxes.get("invalid_idxs", []), "invalid_idxs").astype(int).ravel()
    valid[invalid[(invalid >= 0) & (invalid < count)]] = False
    return valid


# 3DPW: von Marcard et al., "Recovering Accurate 3D Human Pose in The Wild Using IMUs and a Moving Camera" (2018).
#
# A Python 2 pickle: a dict of lists with one array per person. Poses and joints are in world coordinates; cam_poses (F, 4, 4) is
# camera_from_world. A frame counts if campose_valid is set and poses2d is not all zero. Frame n is image_{n:05d}.jpg.

THREEDPW_FPS = 30.0
"""3DPW's frame rate, which its files do not contain."""
THREEDPW_KEYS = {"poses", "trans", "betas", "jointPositions", "cam_poses", "cam_intrinsics"}


def read_threedpw(content: Mapping[str, Any], name: str, bodies: Path | None) -> GroundTruth:
    """Read the truth of a sequence. Raises ValueError with the invalid field."""
    cameras = number_field(content, "cam_poses", None, 4, 4)
    intrinsics = intrinsics_from_matrix(number_field(content, "cam_intrinsics", 3, 3))
    # The files have no image size: it is estimated from the principal point.
    size = (round(2 * intrinsics[2]), round(2 * intrinsics[3]))
    actors = [ThreeDpwPerson(content, index, len(cameras)) for index in range(len(content["poses"]))]
    frames = []
    for number, camera in enumerate(cameras):
        people = [person for actor in actors if (person := actor.person_at(number, camera, intrinsics))]
        frames.append(make_true_frame(number, THREEDPW_FPS, size, intrinsics, people))
    own = {actor.track_id: smpl_body_for_gender(actor.gender, bodies) for actor in actors}
    missing = {actor.gender for actor in actors if own[actor.track_id] is None}
    return GroundTruth(Take(str(content.get("sequence", name)), size, THREEDPW_FPS, frames), own, missing_body_notes(missing))


class ThreeDpwPerson:
    """One person of a sequence; track_id is the index in it, from 1."""

    def __init__(self, content: Mapping[str, Any], index: int, count: int) -> None:
        def of_person(key: str, *shape: int | None) -> np.ndarray:
            rows = content[key]
            if len(rows) <= index:
                raise ValueError(f"{key} has {len(rows)} people, poses has {index + 1} or more")
            return number_field({key: rows[index]}, key, *shape)

        self.track_id = index + 1
        self._poses, self._trans = of_person("poses", None, 72), of_person("trans", None, 3)
        self._joints = of_person("jointPositions", None, 72).reshape(-1, 24, 3)
        self._betas = to_numbers(content["betas"][index], "betas").ravel()[:10]
        genders = content.get("genders", content.get("gender"))
        self.gender = parse_gender("n" if genders is None else genders[index])
        self._valid = self._valid_frames(content, index, count)
        shortest = min(map(len, (self._poses, self._trans, self._joints, self._valid)))
        if shortest < count or len(self._betas) != 10:
            raise ValueError(
                f"person {self.track_id} has {shortest} frames and {len(self._betas)} betas, expected {count} and 10"
            )

    @staticmethod
    def _valid_frames(content: Mapping[str, Any], index: int, count: int) -> np.ndarray:
        """Return the frames (F,) bool that 3DPW's own evaluation uses: valid camera pose, and the person visible in the image."""
        valid, points = content.get("campose_valid"), content.get("poses2d")
        mask = np.ones(count, bool) if valid is None else to_numbers(valid[index], "campose_valid").ravel() > 0
        if points is not None and len(points[index]) == len(mask):
            mask = mask & (to_numbers(points[index], "poses2d") != 0).reshape(len(mask), -1).any(1)
        return mask

    def person_at(self, number: int, camera: np.ndarray, intrinsics: Intrinsics) -> Person | None:
        """Return the person in a frame, in camera axes; None if unknown."""
        pose, trans, joints = self._poses[number], self._trans[number], self._joints[number]
        if not (self._valid[number] and np.isfinite(camera).all() and np.isfinite(joints).all()):
            return None
        rotation, translation = camera[:3, :3], camera[:3, 3]
        # trans is relative to the rest pelvis, so that lies at joints[0] - trans: no body model is needed
        orient, transl = rotate_body(rotation, joints[0] - trans, pose[:3], trans)
        smpl = make_smpl(np.concatenate([orient, pose[3:]]), self._betas, transl + translation)
        return make_true_person(self.track_id, joints @ rotation.T + translation, smpl, intrinsics, None)


SAMPLE_NAME = "sample"
DATASETS: tuple[tuple[str, set[str], Callable[[Mapping[str, Any], str, Path | None], GroundTruth]], ...] = (
    ("3DPW", THREEDPW_KEYS, read_threedpw),
    ("EMDB", EMDB_KEYS, read_emdb),
)
"""Name, keys that identify the file, and reader of each data set."""


def read_prediction(path: Path) -> Take:
    """Read a recording, results of `video` or a person's .npz. Raises UsageError, or RemiError if it is damaged."""
    if path.is_dir():
        return open_take(path)
    if not path.exists():
        hint = f"Give a recording, a folder that `remi-stream video` made, or a person's .npz{empty_mount_hint(path)}"
        raise UsageError(f"No such prediction: {path}. {hint}")
    if path.suffix != ".npz":
        raise UsageError(f"{path} is no prediction. Give a recording, a folder that `remi-stream video` made, or a person's .npz")
    return truth.read_track_file(path)


def read_truth(source: str, bodies: Path | None) -> GroundTruth:
    """Read the sample clip's truth, a data set's pickle, or another prediction. Raises UsageError, or RemiError if damaged."""
    if source == SAMPLE_NAME:
        return truth.read_sample_truth()
    path = Path(source)
    if not path.exists():
        raise UsageError(
            f"No such truth: {source}. Give `{SAMPLE_NAME}`, a 3DPW or EMDB .pkl, or another prediction{empty_mount_hint(path)}"
        )
    if path.suffix == ".pkl":
        return read_dataset(path, bodies)
    return GroundTruth(read_prediction(path))


def read_dataset(path: Path, bodies: Path | None) -> GroundTruth:
    """Read the truth from a pickle of 3DPW or EMDB; bodies: folder of SMPL's pickles. Raises UsageError."""
    content = read_dataset_pickle(path)
    found = {str(key) for key in content} if isinstance(content, dict) else set()
    for name, keys, read in DATASETS:
        if keys <= found:
            try:
                return read(content, path.stem, bodies)
            except (ValueError, TypeError, KeyError, IndexError, OverflowError, AttributeError) as error:
                raise UsageError(f"{path} has the keys of {name}, but cannot be read as that: {error}.") from None
    expected = ", or ".join(f"{name}'s {', '.join(sorted(keys))}" for name, keys, _ in DATASETS)
    has = ", ".join(sorted(found)[:12]) or f"a {type(content).__name__}"
    raise UsageError(f"{path} is no sequence of 3DPW or EMDB: it holds {has}; expected {expected}.")
