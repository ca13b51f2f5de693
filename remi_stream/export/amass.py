"""Export SMPL motion as AMASS .npz files, one per person: `track-000001_poses.npz`."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from remi_stream.atomic_files import write_npz
from remi_stream.body.known_bodies import MEAN_SHAPE, SMPL_PELVIS_M, known_body, retargeter_to_known_body
from remi_stream.export.motion import person_motion, resample
from remi_stream.geometry import rotation_vectors_from_quaternions
from remi_stream.recordings import rows
from remi_stream.recordings.take import SmplTrack, Take, retarget_to_available_body, smpl_tracks


def write_amass(take: Take, folder: Path) -> list[Path]:
    """Write one .npz per track; return the paths. Raises OSError or RemiError."""
    written = []
    for track in smpl_tracks(take, "amass"):
        path = folder / f"{track.name}_poses.npz"
        write_npz(path, amass_track_arrays(track, take.fps))
        written.append(path)
    return written


def amass_track_arrays(track: SmplTrack, fps: float) -> dict[str, np.ndarray]:
    """Return AMASS' arrays plus seen (N,) bool and start_s. Poses of the open body are retargeted if SMPL was imported."""
    imported = known_body().name == "smpl"
    resampled, seen = resample(
        person_motion(track, retargeter_to_known_body(track.body) if imported else retarget_to_available_body(track.body)), fps
    )
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
    return {**rows.add_hands(converted), "seen": seen, "start_s": np.array(resampled.times_s[0])}
