"""Compare the default engine with MediaPipe's pose solution: CPU time per frame, and accuracy on the sample clip.

    python tools/bench_peers.py [--runs 5] [--venv FOLDER] [--json]

Both get the same decoded frames in memory; each run is a separate process, and the runs alternate. MediaPipe has its own virtual
environment (made at the first run): complexity 1, no segmentation, video mode. Ours is the engine as in the pipeline: with
region tracking and SMPL fitting. Measured is the CPU time of all threads, without start, decoding and warm-up.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import extras_hint  # noqa: F401  # first: a missing package is one line
import numpy as np

PEER = "mediapipe==0.10.21"
WARM_UP = 10
CPU_GOAL, ERROR_GOAL = 0.75, 1.1
FPS = 30.0
Estimate = Callable[[np.ndarray, int], tuple[np.ndarray, np.ndarray] | None]
"""Takes a frame and its number; returns key points (33, 2) px and joints (33, 3) m, or None without a person."""


def main() -> None:
    """Run the comparison, print it, and exit with 1 if a goal is missed."""
    options = arguments()
    if options.measure:
        measure(options.measure, options.frames, options.out)
        return
    with tempfile.TemporaryDirectory(prefix="bench-peers-") as folder:
        report = compare(interpreters(options.venv), Path(folder), options.runs)
    print(json.dumps(report, indent=2) if options.json else text(report))
    sys.exit(0 if report["cpu_ratio"] <= CPU_GOAL and report["pixel_ratio"] <= ERROR_GOAL >= report["joint_ratio"] else 1)


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5, help="runs per program")
    parser.add_argument("--venv", type=Path, default=Path.home() / ".cache/remi-stream/peers", help=f"environment of {PEER}")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--measure", choices=("ours", "peer"), help=argparse.SUPPRESS)
    parser.add_argument("--frames", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


def interpreters(venv: Path) -> dict[str, Path]:
    """Return both Python interpreters; create MediaPipe's environment if missing."""
    python = venv / "bin/python"
    if subprocess.run([python, "-c", "import mediapipe"], capture_output=True).returncode if python.exists() else True:
        print(f"Making {venv} with {PEER} ...", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", "--clear", venv], check=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", PEER], check=True)
    return {"ours": Path(sys.executable), "peer": python}


def compare(pythons: dict[str, Path], folder: Path, runs: int) -> dict[str, Any]:
    """Run both alternately, and summarise."""
    frames = folder / "frames.npy"
    np.save(frames, clip())
    results: dict[str, list[dict[str, Any]]] = {name: [] for name in pythons}
    for _ in range(runs):
        for name, python in pythons.items():
            out = folder / f"{name}.npz"
            command = [str(python), __file__, "--measure", name, "--frames", str(frames), "--out", str(out)]
            # one BLAS thread, as in the pipeline: others only spin
            subprocess.run(command, check=True, stderr=subprocess.DEVNULL, env=os.environ | {"OPENBLAS_NUM_THREADS": "1"})
            with np.load(out) as stored:
                results[name].append({key: stored[key] for key in stored.files})
    sides = {name: summary(result) for name, result in results.items()}
    ratios = {
        f"{key.split('_')[0]}_ratio": round(sides["ours"][key] / sides["peer"][key], 3)
        for key in ("cpu_ms", "pixel_error", "joint_mm")
    }
    return {"peer_is": PEER, "runs": runs, **sides, **ratios}


def summary(results: list[dict[str, Any]]) -> dict[str, float]:
    """Medians of the times per frame, ms, and mean errors over the frames of the last run."""
    last = results[-1]
    pixel_error, joint_mm = errors(last["seen"], last["pixels"], last["joints"])
    return {
        "cpu_ms": round(1000 * statistics.median(float(result["cpu_s"]) for result in results), 2),
        "wall_ms": round(1000 * statistics.median(float(result["wall_s"]) for result in results), 2),
        "pixel_error": round(pixel_error, 2),
        "joint_mm": round(joint_mm, 1),
        "seen": round(float(last["seen"].mean()), 4),
    }


def errors(seen: np.ndarray, pixels: np.ndarray, joints: np.ndarray) -> tuple[float, float]:
    """Mean error of the limbs' key points, px, and PA-MPJPE of the limbs' joints, mm."""
    from remi_stream.paths import data_file
    from remi_stream.skeletons import LIMB_JOINTS, joint_indices

    ours, true = joint_indices("blazepose33", LIMB_JOINTS), joint_indices("smpl24", LIMB_JOINTS)
    with np.load(data_file("sample_truth.npz")) as stored:
        true_pixels, true_joints = stored["joints_px"][seen][:, true], stored["joints_m"][seen][:, true]
    pixel_errors = np.linalg.norm(pixels[seen][:, ours] - true_pixels, axis=2)
    return float(pixel_errors.mean()), float(
        np.mean([procrustes_mm(a, b) for a, b in zip(joints[seen][:, ours], true_joints, strict=True)])
    )


def procrustes_mm(joints: np.ndarray, true: np.ndarray) -> float:
    """Mean error, mm, of joints (N, 3) m after Procrustes alignment to the truth."""
    a, b = joints - joints.mean(0), true - true.mean(0)
    u, s, vt = np.linalg.svd(b.T @ a)
    signs = np.array([1, 1, np.sign(np.linalg.det(u @ vt))])
    scale = (s * signs).sum() / (a**2).sum()
    return float(np.linalg.norm(scale * a @ (u * signs @ vt).T - b, axis=1).mean() * 1000)


def clip() -> np.ndarray:
    """The sample clip's frames (N, H, W, 3) uint8 BGR."""
    import av

    from remi_stream.paths import data_file

    with av.open(str(data_file("sample.mp4"))) as container:
        return np.stack([frame.to_ndarray(format="bgr24") for frame in container.decode(video=0)])


def measure(name: str, frames: Path, out: Path) -> None:
    """Run one program on all frames in this process, and write results and times."""
    images = np.load(frames)
    prepare, estimate = peer() if name == "peer" else ours(images[0])
    seen, pixels, joints = np.zeros(len(images), bool), np.zeros((len(images), 33, 2)), np.zeros((len(images), 33, 3))
    cpu_s = wall_s = 0.0
    for k, image in enumerate(prepare(images)):
        cpu, wall = time.process_time(), time.perf_counter()
        answer = estimate(image, k)
        if k >= WARM_UP:
            cpu_s, wall_s = cpu_s + time.process_time() - cpu, wall_s + time.perf_counter() - wall
        if answer is not None:
            seen[k], pixels[k], joints[k] = True, *answer
    timed = len(images) - WARM_UP
    np.savez(out, seen=seen, pixels=pixels, joints=joints, cpu_s=cpu_s / timed, wall_s=wall_s / timed)


Prepare = Callable[[np.ndarray], Iterator[np.ndarray]]


def ours(first: np.ndarray) -> tuple[Prepare, Estimate]:
    """Prepare the default engine; the first box comes from the detector."""
    from remi_stream.detect.detector import load_detector
    from remi_stream.geometry import default_intrinsics
    from remi_stream.pose.engine import load_engine
    from remi_stream.tracking.crop import Crop

    engine = load_engine("blazepose")
    camera = default_intrinsics(first.shape[1], first.shape[0])
    tracked: list[Any] = [load_detector("blazepose").detect(first).boxes_xyxy[0], None]

    def estimate(image: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray] | None:
        pose = engine.infer([Crop(image, tracked[0], 1, k / FPS, camera, tracked[1])])[0]
        tracked[:] = pose.next_box_xyxy, pose.state
        return (pose.person.keypoints_px, pose.person.joints_m) if pose.person else None

    return iter, estimate


def peer() -> tuple[Prepare, Estimate]:
    """Prepare MediaPipe's pose solution; the conversion to RGB is not timed."""
    import mediapipe  # type: ignore[import-not-found]  # only in its own environment

    pose = mediapipe.solutions.pose.Pose(static_image_mode=False, model_complexity=1, enable_segmentation=False)

    def estimate(image: np.ndarray, _k: int) -> tuple[np.ndarray, np.ndarray] | None:
        result = pose.process(image)
        if not result.pose_landmarks:
            return None
        size = image.shape[1::-1]
        pixels = [(point.x * size[0], point.y * size[1]) for point in result.pose_landmarks.landmark]
        return np.array(pixels), np.array([(point.x, point.y, point.z) for point in result.pose_world_landmarks.landmark])

    return lambda images: (np.ascontiguousarray(image[:, :, ::-1]) for image in images), estimate


def text(report: dict[str, Any]) -> str:
    """Format the report as a table."""
    rows = [f"{'':10}{'CPU ms':>8}{'wall ms':>9}{'px':>7}{'mm':>7}{'found':>8}"]
    for name in ("ours", "peer"):
        side = report[name]
        rows.append(
            f"{name:10}{side['cpu_ms']:8.2f}{side['wall_ms']:9.2f}{side['pixel_error']:7.2f}{side['joint_mm']:7.1f}{side['seen']:8.1%}"
        )
    rows.append(f"{'ratio':10}{report['cpu_ratio']:8.2f}{'':9}{report['pixel_ratio']:7.2f}{report['joint_ratio']:7.2f}")
    rows.append(f"goals: CPU <= {CPU_GOAL}, errors <= {ERROR_GOAL} of {report['peer_is']}; {report['runs']} runs each, medians")
    return "\n".join(rows)


if __name__ == "__main__":
    main()
