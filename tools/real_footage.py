"""Score the default engine on pictures and videos of your own: who is found, how well the bodies fit, how steady they are.

    python tools/real_footage.py pictures labels.json [PICTURES ...]
    python tools/real_footage.py video clip.mp4 [...]
    python tools/real_footage.py pose2sim FOLDER

pictures: of COCO key point files the people found, PCK, and the overlap of mesh and mask where there are masks; pictures without
labels, or folders of them, should have no people: every body is an extra one. video: live and offline. pose2sim: a folder with a
calibration (Calib*.toml), a video per camera, and a .trc per person as truth; errors per camera, live and offline.

Pictures and offline videos take the way of `remi-stream images` and `video`, live videos the stages of the live pipeline on a
simulated clock (tools/footage/live.py): the figures do not depend on the machine's speed. Ours: docs/reference/accuracy.md.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import extras_hint  # noqa: F401  # first: a missing package is one line
from footage.coco import LabelledPicture, read_pictures
from footage.live import LiveSimulation
from footage.motion import VideoScores, score_against_truth, score_video
from footage.pictures import PictureScores, read_picture, score_pictures, summarise
from footage.pose2sim import Session, View, read_session

from remi_stream.capture.files import IMAGE_SUFFIXES
from remi_stream.capture.footage import FrameSelection, VideoFootage
from remi_stream.config import Config, parse_config
from remi_stream.detect.detector import load_detector
from remi_stream.errors import EXIT_NOT_STARTED, RemiError, UsageError
from remi_stream.messages import Bodies, Frame
from remi_stream.offline.chain import OfflineChain
from remi_stream.pose.engine import load_engine
from remi_stream.render.camera import video_camera
from remi_stream.render.mesh import draw_meshes, posed_meshes

MIN_SIZE_PX = 64.0
"""People whose box has a smaller square root of its area are left out."""
MESH_OPACITY = 0.85
MODES = ("live", "offline")
TRUTH_HEADER = (
    f"{'':44}{'frames':>7}{'found':>7}{'first s':>9}{'ids':>5}{'PA mm':>8}{'mesh PA':>9}{'MPJPE':>8}{'acc':>7}{'true':>6}"
    f"{'jumps':>7}{'turn':>6}"
)


def main() -> None:
    """Score what the command line names, print the tables, and write the figures as JSON if asked to."""
    options = arguments()
    cv2.setNumThreads(1)
    score: dict[str, Callable[[argparse.Namespace], dict[str, Any]]] = {
        "pictures": pictures,
        "video": videos,
        "pose2sim": sessions,
    }
    try:
        if options.json and not options.json.absolute().parent.is_dir():
            raise UsageError(f"The folder of --json {options.json} does not exist. Make it first")
        report = score[options.kind](options)
    except RemiError as error:
        print(f"real_footage.py: {error}", file=sys.stderr)
        sys.exit(EXIT_NOT_STARTED)
    if options.json:
        options.json.write_text(json.dumps(report, indent=2))


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kind", choices=("pictures", "video", "pose2sim"), help="what PATH names")
    parser.add_argument("paths", type=Path, nargs="+", metavar="PATH")
    parser.add_argument("--mode", choices=(*MODES, "both"), default="both", help="of videos")
    parser.add_argument(
        "--min-size", type=float, default=MIN_SIZE_PX, metavar="PX", help="smallest labelled person (%(default)g)"
    )
    parser.add_argument("--config", action="append", default=[], metavar="KEY=VALUE", help="e.g. sensitivity=high")
    parser.add_argument("--draw", type=Path, metavar="FOLDER", help="also write pictures with the meshes, to look at")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write all figures")
    return parser.parse_args()


def configuration(options: argparse.Namespace) -> Config:
    """Make the configuration of one camera, with the values of --config."""
    values = dict(each.partition("=")[::2] for each in options.config)
    return parse_config({"cameras": [{"name": "video", "source": "synthetic"}], "threads": 1, **values})


def open_chain(config: Config) -> OfflineChain:
    """Load the offline chain, with one detector."""
    engine = load_engine(config.engine, config.threads, sensitivity=config.sensitivity)
    return OfflineChain(engine, [load_detector(config.detector)], 1, 1, config.posture)


def pictures(options: argparse.Namespace) -> dict[str, Any]:
    """Score COCO key point files, pictures, and folders of pictures."""
    sources = {path: labelled_pictures(path) for path in options.paths}
    chain = open_chain(configuration(options))
    print(f"{'':32}{'pictures':>9}{'people':>8}{'found':>7}{'PCK@0.1':>9}{'extra':>7}{'mask IoU':>10}{'masks':>7}")
    report: dict[str, Any] = {}
    for path, labelled in sources.items():
        scores = []
        for score in score_pictures(labelled, chain, options.min_size):
            scores.append(score)
            if options.draw:
                draw(options.draw, path, score)
        found = summarise(scores)
        print(
            f"{path.name:32}{found.pictures:9}{found.labelled:8}{found.found:7}{number(found.pck, 9, 3)}{found.extra:7}"
            f"{number(found.silhouette_iou, 10, 3)}{found.masks:7}",
            flush=True,
        )
        report[str(path)] = {**found._asdict(), "each": [picture_figures(score) for score in scores]}
    return report


def labelled_pictures(path: Path) -> list[LabelledPicture]:
    """Read a COCO key point file; pictures without labels have no people. Raises UsageError."""
    if path.suffix == ".json":
        return read_pictures(path)
    files = sorted(path.iterdir()) if path.is_dir() else [path]
    found = [LabelledPicture(file, []) for file in files if file.suffix.lower() in IMAGE_SUFFIXES and file.is_file()]
    if not found:
        raise UsageError(f"No pictures in {path}; allowed: a COCO key point file (.json), {', '.join(IMAGE_SUFFIXES)}")
    return found


def picture_figures(score: PictureScores) -> dict[str, Any]:
    """Return the figures of one picture."""
    found = [
        {"errors": each.errors.round(4).tolist(), "silhouette_iou": each.silhouette_iou, "score": each.person.score}
        for each in score.found
    ]
    extra = [each.box_xyxy.round(1).tolist() for each in score.extra]
    return {"picture": str(score.path), "labelled": score.labelled, "found": found, "extra": extra}


def draw(folder: Path, source: Path, score: PictureScores) -> None:
    """Write a picture with its meshes; boxes: green are labelled people, blue extra bodies."""
    image = read_picture(score.path)
    bodies = score.bodies
    draw_meshes(image, posed_meshes(bodies.people), video_camera(bodies.intrinsics, bodies.size, bodies.size), MESH_OPACITY)
    for box, colour in [(each.label.box_xyxy, (0, 200, 0)) for each in score.found] + [
        (each.box_xyxy, (255, 80, 0)) for each in score.extra
    ]:
        x0, y0, x1, y1 = box.round().astype(int).tolist()
        cv2.rectangle(image, (x0, y0), (x1, y1), colour, 2)
    path = folder / source.stem / f"{score.path.parent.name}-{score.path.stem}.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), image)


def runs(options: argparse.Namespace, video: Path, focal_px: float | None) -> Iterator[tuple[str, list[Bodies]]]:
    """Run a video live, with and without the filter, and offline: the name of each run, and the bodies of its frames."""
    config = configuration(options)
    if options.mode != "offline":
        live = list(LiveSimulation(config).run(frames_of(video, focal_px)))
        yield "live, unfiltered", [each.raw for each in live]
        yield f"live, {config.filter}", [each.smooth for each in live]
    if options.mode != "live":
        chain = open_chain(config)
        tracker = chain.make_tracker(None, independent=False)
        yield "offline", list(chain.run(frames_of(video, focal_px), tracker, independent=False))


def frames_of(video: Path, focal_px: float | None) -> Iterator[Frame]:
    """Read the frames of a video; with another focal length than the default one if it is known, px."""
    footage = VideoFootage(video, "video", FrameSelection(), focal_px)
    footage.open()
    try:
        yield from footage.frames(0)
    finally:
        footage.close()


def videos(options: argparse.Namespace) -> dict[str, Any]:
    """Score videos without truth."""
    print(f"{'':44}{'frames':>7}{'found':>7}{'bodies':>8}{'first s':>9}{'ids':>5}{'mm/f2':>8}{'px/f2':>8}{'jumps':>7}{'turn':>7}")
    report: dict[str, Any] = {}
    for path in options.paths:
        for name, bodies in runs(options, path, None):
            score = score_video(bodies)
            print(video_line(f"{path.name}: {name}", score), flush=True)
            report[f"{path}: {name}"] = score._asdict()
    return report


def video_line(name: str, score: VideoScores) -> str:
    """Format the scores of one run."""
    return (
        f"{name:44}{score.frames:7}{score.with_body:7}{score.bodies:8}{number(score.first_body_s, 9, 2)}{score.ids:5}"
        f"{number(score.acceleration_mm, 8, 1)}{number(score.pixel_acceleration, 8, 2)}{score.jumps:7}"
        f"{number(score.largest_turn_deg, 7, 0)}"
    )


def sessions(options: argparse.Namespace) -> dict[str, Any]:
    """Score folders of Pose2Sim against their truth."""
    print(TRUTH_HEADER)
    report: dict[str, Any] = {}
    for path in options.paths:
        session = read_session(path)
        for view in session.views:
            for name, bodies in runs(options, view.video, float(view.camera.matrix[0, 0])):
                for person, row in truth_rows(session, view, bodies).items():
                    print(truth_line(f"{view.video.stem}: {name}", row), flush=True)
                    report[f"{path}: {view.video.stem}: {person}: {name}"] = row
    print_means(report)
    return report


def truth_rows(session: Session, view: View, bodies: Sequence[Bodies]) -> dict[str, dict[str, Any]]:
    """Score one run of one view against each true person."""
    motion = score_video(bodies)
    return {
        name: {
            **score_against_truth(bodies, view.camera.to_camera(truth), view.camera.project(truth))._asdict(),
            "jumps": motion.jumps,
            "largest_turn_deg": motion.largest_turn_deg,
        }
        for name, truth in session.people.items()
    }


def truth_line(name: str, row: dict[str, Any]) -> str:
    """Format the scores of one person in one run."""
    return (
        f"{name:44}{row['frames']:7}{row['found']:7}{number(row['first_body_s'], 9, 2)}{row['ids']:5}"
        f"{number(row['pa_mpjpe_mm'], 8, 1)}"
        f"{number(row['mesh_pa_mpjpe_mm'], 9, 1)}{number(row['mpjpe_mm'], 8, 1)}{number(row['acceleration_mm'], 7, 1)}"
        f"{number(row['true_acceleration_mm'], 6, 1)}{row['jumps']:7}{number(row['largest_turn_deg'], 6, 0)}"
    )


def print_means(report: dict[str, dict[str, Any]]) -> None:
    """Print the mean of all rows of each kind of run; counts are added up."""
    for kind in dict.fromkeys(key.rpartition(": ")[2] for key in report):
        rows = [row for key, row in report.items() if key.endswith(f": {kind}")]
        added = {key: sum(row[key] for row in rows) for key in ("frames", "found", "ids", "jumps")}
        means = {key: mean(row[key] for row in rows) for key in rows[0] if key not in added}
        print(truth_line(f"all: {kind}", {**means, **added}))


def mean(values: Iterable[float]) -> float:
    """Mean of the finite values; NaN without any."""
    known = [value for value in values if math.isfinite(value)]
    return sum(known) / len(known) if known else math.nan


def number(value: float, width: int, decimals: int) -> str:
    """Format a number; "-" for NaN."""
    return f"{value:{width}.{decimals}f}" if math.isfinite(value) else f"{'-':>{width}}"


if __name__ == "__main__":
    main()
