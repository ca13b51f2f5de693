"""Measure the default engine on rendered scenes with truth: found share, errors, jumps, lag, re-entry, silhouettes.

    python tools/measure_scenes.py --scenes lying bent desk --seeds 0 1      # live, without a filter
    python tools/measure_scenes.py --held-out --way offline                  # seeds that nothing was tuned on

Scenes are rendered once into --folder. A table is printed, one row per scene and the mean; errors in mm, turns in degrees.
Without --calibrated the engine gets no intrinsics, as from a camera that nobody calibrated.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import cv2
import extras_hint  # noqa: F401  # first: a missing package is one line
import msgspec
from footage.live import live_bodies
from sample.frames import clip_frames
from sample.measures import PersonScores, SceneScores, SceneTruth, mean_scores, score_scene

from remi_stream.detect.detector import load_detector
from remi_stream.filters.registry import open_filter_spec, resolve_filter
from remi_stream.messages import Bodies
from remi_stream.offline.chain import OfflineChain
from remi_stream.pose.engine import load_engine

POSTURES = ("lying", "bent", "desk", "profile", "back", "table", "sizes", "fast", "turned")
HELD_OUT = (*POSTURES, "turning", "portrait", "distant", "vanishing", "crossing")
HELD_OUT_SEEDS = (100, 101)
FOLDER = Path.home() / ".cache/remi-stream-scenes/measured"


def main() -> None:
    """Render what is missing, measure, and print the table."""
    options = arguments()
    cv2.setNumThreads(1)
    rows: dict[str, SceneScores] = {}
    print(heading())
    for name in options.scenes:
        for seed in options.seeds:
            clip = rendered(name, seed, options.folder)
            truth = SceneTruth.load(clip.with_name(f"{clip.stem}_truth.npz"))
            intrinsics = truth.intrinsics if options.calibrated else None
            started = time.process_time()
            frames = list(smoothed(bodies_of(options.way, clip, truth, intrinsics, options.engine), options.filter))
            rows[clip.stem] = score_scene(frames, truth)
            per_frame_ms = 1000 * (time.process_time() - started) / len(frames)
            print(row(clip.stem, mean_scores(rows[clip.stem].people), rows[clip.stem].false, f"{per_frame_ms:.0f}"), flush=True)
    people = [person for scene in rows.values() for person in scene.people]
    print(heading())
    print(row("mean", mean_scores(people), sum(scene.false for scene in rows.values()), ""))
    if options.json:
        options.json.write_text(json.dumps({name: scores_document(scene) for name, scene in rows.items()}, indent=1))


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scenes", nargs="+", default=POSTURES, metavar="NAME", help="of render_sample.py (default: postures)")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1], metavar="N", help="variants of each scene")
    parser.add_argument("--held-out", action="store_true", help="the scenes and seeds of the final measurement")
    parser.add_argument("--way", choices=("live", "offline"), default="live", help="live stages, or the offline chain")
    parser.add_argument("--filter", default="none", help="filter after a live pipeline (default: none)")
    parser.add_argument("--engine", default="blazepose")
    parser.add_argument("--calibrated", action="store_true", help="give the engine the true intrinsics")
    parser.add_argument("--folder", type=Path, default=FOLDER, help=f"rendered scenes (default: {FOLDER})")
    parser.add_argument("--json", type=Path, help="write the scores to this file")
    options = parser.parse_args()
    if options.held_out:
        options.scenes, options.seeds = HELD_OUT, HELD_OUT_SEEDS
    return options


def rendered(name: str, seed: int, folder: Path) -> Path:
    """Return a scene's clip; render it if it is missing."""
    clip = folder / f"{name}-{seed}.mp4"
    if not clip.with_name(f"{clip.stem}_truth.npz").exists():
        renderer = Path(__file__).with_name("render_sample.py")
        command = [sys.executable, str(renderer), "--scene", name, "--seed", str(seed), str(folder)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return clip


def bodies_of(
    way: str, clip: Path, truth: SceneTruth, intrinsics: tuple[float, float, float, float] | None, engine: str
) -> Iterator[Bodies]:
    """Estimate the bodies of a clip."""
    if way == "live":
        yield from live_bodies(clip_frames(clip, intrinsics, truth.fps), engine=engine)
        return
    chain = OfflineChain(load_engine(engine, 1), [load_detector("blazepose")], 1, 1)
    try:
        yield from chain.run(
            clip_frames(clip, intrinsics, truth.fps),
            chain.make_tracker(None, independent=False),
            independent=False,
        )
    finally:
        chain.close()


def smoothed(frames: Iterable[Bodies], name: str) -> Iterator[Bodies]:
    """Filter the people of each message."""
    filter_ = open_filter_spec(resolve_filter(name))
    for bodies in frames:
        people = [filter_.filter(person, bodies.captured_at) for person in bodies.people]
        yield msgspec.structs.replace(bodies, people=people)


def heading() -> str:
    """Return the table's head."""
    return f"{'scene':<14} found first reent ids false   PA  MPJPE accel jump excess  lag  IoU  ms"


def row(name: str, scores: PersonScores, false: int, per_frame_ms: str) -> str:
    """Return a row of the table."""
    found, first, reentry, ids, pa, mpjpe, acceleration, jump, excess, lag, iou = scores
    return (
        f"{name:<14} {found:5.3f} {first:5.0f} {reentry:5.0f} {ids:3.0f} {false:5} {pa:6.1f} {mpjpe:6.1f} {acceleration:5.1f} "
        f"{jump:4.0f} {excess:6.0f} {lag:5.2f} {iou:.3f} {per_frame_ms:>3}"
    )


def scores_document(scene: SceneScores) -> dict[str, object]:
    """Return a scene's scores as JSON values."""
    people: Sequence[dict[str, float]] = [person._asdict() for person in scene.people]
    return {"false": scene.false, "people": people}


if __name__ == "__main__":
    main()
