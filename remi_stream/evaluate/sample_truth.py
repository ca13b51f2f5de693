"""Ground truth of the sample clip, which is rendered."""

from __future__ import annotations

import numpy as np

from remi_stream.evaluate.truth import GroundTruth, intrinsics_from_matrix, make_smpl, make_true_frame, make_true_person
from remi_stream.formats.take import Take
from remi_stream.resources import data_file
from remi_stream.sample import sample_boxes, sample_clip


def read_sample_truth() -> GroundTruth:
    """Read the sample clip's truth: one person in all frames."""
    with np.load(data_file("sample_truth.npz")) as file:
        truth = {name: file[name] for name in file}
    fps, intrinsics = float(truth["fps"]), intrinsics_from_matrix(truth["K"])
    size = (round(2 * intrinsics[2]), round(2 * intrinsics[3]))
    frames = []
    for number, (pose, transl, joints, box) in enumerate(zip(truth["poses"], truth["transl"], truth["joints_m"], sample_boxes())):
        smpl = make_smpl(pose, truth["betas"], transl, "open")
        frames.append(make_true_frame(number, fps, size, intrinsics, [make_true_person(1, joints, smpl, intrinsics, box)]))
    return GroundTruth(Take("sample", size, fps, frames, source=sample_clip()))
