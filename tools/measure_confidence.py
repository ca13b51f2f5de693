"""Reliability of joint_confidence on rendered scenes: how often a joint is within 20 degrees of the truth, by what was said.

    python tools/measure_confidence.py --scenes profile back desk --seeds 100 --folder SCENES

Scenes are rendered as by tools/measure_scenes.py, whose options these are. Prints a Markdown table.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import extras_hint  # noqa: F401  # first: a missing package is one line
import numpy as np
from measure_scenes import arguments, bodies_of, rendered
from numpy.typing import NDArray
from sample.measures import SceneTruth, match_people, smpl_rotations, true_rotations

from remi_stream.body.fit.landmark_model import FREE_JOINTS
from remi_stream.measure.kinematics import angles_deg

RIGHT_DEG = 20.0
"""Largest error of a rotation that counts as right."""
BINS = 10


def main() -> None:
    """Measure the scenes and print the table."""
    options = arguments()
    cv2.setNumThreads(1)
    pairs = [
        confidence_and_error(rendered(name, seed, options.folder), options.engine)
        for name in options.scenes
        for seed in options.seeds
    ]
    print(reliability_table(*(np.concatenate(column) for column in zip(*pairs, strict=True))))


def confidence_and_error(clip: Path, engine: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return confidences and rotation errors, degrees, of all fitted joints of a live run."""
    truth = SceneTruth.load(clip.with_name(f"{clip.stem}_truth.npz"))
    said, errors = [np.zeros(0)], [np.zeros(0)]
    for frame, bodies in enumerate(bodies_of("live", clip, truth, None, engine)):
        pairs = match_people(bodies.people, truth.joints_px[:, frame], truth.visible[:, frame], bodies.size)
        for who, index in pairs.items():
            person = bodies.people[index]
            if person.smpl is None:
                continue
            turned = angles_deg(smpl_rotations([(frame, person)])[0], true_rotations(truth.poses[who][[frame]])[0])
            said.append(person.smpl.joint_confidence[FREE_JOINTS].astype(float))
            errors.append(turned[FREE_JOINTS])
    return np.concatenate(said), np.concatenate(errors)


def reliability_table(said: NDArray[np.float64], errors_deg: NDArray[np.float64]) -> str:
    """Return the table: joints by confidence, mean confidence, share that is right."""
    rows = ["| said | joints | mean | within 20 degrees |", "|---|---|---|---|"]
    bins = np.minimum((said * BINS).astype(int), BINS - 1)
    for number in range(BINS):
        here = bins == number
        if here.any():
            right = (errors_deg[here] < RIGHT_DEG).mean()
            rows.append(
                f"| {number / BINS:.1f} to {(number + 1) / BINS:.1f} | {here.sum()} | {said[here].mean():.2f} | {right:.2f} |"
            )
    return "\n".join(rows)


if __name__ == "__main__":
    main()
