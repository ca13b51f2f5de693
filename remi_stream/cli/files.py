"""`remi-stream video` and `images`: offline processing of videos and image folders; `video --realtime` plays a video live."""

from __future__ import annotations

import enum
import inspect
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from remi_stream.cli.lift import file_names
from remi_stream.cli.options import pipeline_options, with_options
from remi_stream.cli.pictures import picture_options, with_pictures
from remi_stream.cli.play import Focal, camera_name, start
from remi_stream.cli.progress import Bar
from remi_stream.errors import DONE, RemiError, UsageError
from remi_stream.log import start_log
from remi_stream.mounts import why_empty, why_unreadable

if TYPE_CHECKING:
    from remi_stream.offline.chain import Chain
    from remi_stream.offline.footage import Footage
    from remi_stream.offline.given import GivenBoxes
    from remi_stream.offline.job import Done, Settings, Smooth
    from remi_stream.offline.pictures import Pictures

OFFLINE_TOO = ("engine", "detector", "max_people", "threads", "frames")
"""Pipeline options that also apply offline."""
LIVE_ONLY = tuple(name for name in inspect.signature(pipeline_options).parameters if name not in OFFLINE_TOO)
"""Pipeline options that are rejected without --realtime."""
LIVE = "Live, with --realtime"
OFFLINE_PANELS = dict.fromkeys(("smooth", "smooth_weights", "window"), "Smoothing")
DRAWN = tuple(inspect.signature(picture_options).parameters)
BYTES_DEPEND_ON = ("engine", "detector", "threads", "batch", "detbatch", "native", "focal", "selection")
"""Options that change the results; a run is resumed only if all of them are the same."""
WEIGHTLESS = "synthetic"
"""Detector in the configuration when --detections replaces it; it has no weights to load."""


class Smoother(str, enum.Enum):
    """Smoothing of a finished take; none: gaps in tracks are interpolated, nothing is smoothed."""

    none = "none"
    one_euro = "one-euro"
    smoothnet = "smoothnet"


def offline_options(
    out: Annotated[Path | None, typer.Option(help="Folder for the results, with one folder per video.", metavar="DIR")] = None,
    format: Annotated[
        list[str] | None,
        typer.Option(help="Export format: bvh, gltf, csv, pare, alphapose-coco, ...; may be repeated.", metavar="NAME"),
    ] = None,
    native: Annotated[bool, typer.Option("--native", help="Also keep the engine's native outputs.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace existing results.")] = False,
    batch: Annotated[int, typer.Option(help="Batch size of the engine: people, from several frames.", min=1, max=256)] = 16,
    detbatch: Annotated[int, typer.Option(help="Batch size of the detector: frames.", min=1, max=64)] = 1,
    smooth: Annotated[Smoother | None, typer.Option(help="Smooth people over time.")] = None,
    smooth_weights: Annotated[Path | None, typer.Option(help="SmoothNet's weights.", metavar="FILE")] = None,
    window: Annotated[int | None, typer.Option(help="SmoothNet's window: 8, 16, 32 or 64 frames.")] = None,
    chunk: Annotated[int, typer.Option(hidden=True, min=1)] = 300,
    detections: Annotated[
        Path | None,
        typer.Option(
            "--detections", "--detfile", help="Bounding boxes to use instead of a detector: COCO results, JSON.", metavar="FILE"
        ),
    ] = None,
    focal: Focal = None,
) -> None:
    """Options of offline processing."""


@with_options(pipeline_options, into="options", panels=dict.fromkeys(LIVE_ONLY, LIVE))
@with_options(offline_options, into="offline", panels=OFFLINE_PANELS)
@with_options(picture_options, into="drawing", panels=dict.fromkeys(DRAWN, "Drawing"))
def video(
    context: typer.Context,
    files: Annotated[list[Path], typer.Argument(help="Video files, or folders of them.", metavar="FILE|DIR")],
    options: dict[str, Any],
    offline: dict[str, Any],
    drawing: dict[str, Any],
    every: Annotated[int, typer.Option(help="Process every n-th frame.", min=1, metavar="N")] = 1,
    start_s: Annotated[float, typer.Option("--start", help="Start at this second.", min=0)] = 0.0,
    end_s: Annotated[float | None, typer.Option("--end", help="Stop before this second.", min=0)] = None,
    realtime: Annotated[bool, typer.Option("--realtime", help="Play the file like a live camera.")] = False,
    loop: Annotated[bool, typer.Option("--loop", help="Start again at the end.", rich_help_panel=LIVE)] = False,
) -> int:
    """Process every frame of a video, or play it live with --realtime."""
    given = _given(context)
    if realtime:
        offline_only = [*offline, *drawing, "every", "start_s", "end_s"]
        _reject(given, offline_only, but=["focal"], reason="does not apply to live playback (--realtime)")
        return _play(files, options, loop, offline["focal"])
    _reject(given, [*LIVE_ONLY, "loop"], reason="applies only to live playback (--realtime)")
    if end_s is not None and end_s <= start_s:
        raise UsageError(f"--end {end_s:g} is not after --start {start_s:g}. Give a later end")
    from remi_stream.offline.film import Film
    from remi_stream.offline.footage import Selection

    selection = Selection(every, start_s, end_s, options["frames"])
    videos = found_films(files)
    named = zip(videos, file_names([path.name for path in videos]))
    footage: list[Footage] = [Film(path, name, selection, offline["focal"]) for path, name in named]
    boxes = _video_boxes(offline["detections"], videos, given)
    return work_through_all(footage, {**options, **offline, **drawing, "selection": selection}, given, boxes)


@with_options(pipeline_options, into="options", without=(*LIVE_ONLY, "frames"))
@with_options(offline_options, into="offline", without=("smooth", "smooth_weights", "window"))
@with_options(picture_options, into="drawing", panels=dict.fromkeys(DRAWN, "Drawing"))
def images(
    context: typer.Context,
    folder: Annotated[Path, typer.Argument(help="Folder of images.", metavar="DIR")],
    options: dict[str, Any],
    offline: dict[str, Any],
    drawing: dict[str, Any],
) -> int:
    """Process a folder of images, each independently of the others."""
    from remi_stream.offline.pictures import Pictures

    if not folder.is_dir():
        raise UsageError(f"No such image folder: {folder}. Give one that exists; for videos: remi-stream video")
    given = _given(context)
    image_folder = Pictures(folder, file_names([folder.resolve().name])[0], offline["focal"])
    boxes = _image_boxes(offline["detections"], image_folder, given)
    return work_through_all([image_folder], {**options, **offline, **drawing}, given, boxes)


def _video_boxes(path: Path | None, videos: Sequence[Path], given: set[str]) -> GivenBoxes | None:
    """Read the detection file of a video, if --detections is given."""
    from remi_stream.offline.given import boxes_of_film

    if path is None:
        return None
    _reject(given, ["detector"], reason="has no effect with --detections")
    if len(videos) != 1:
        raise UsageError(f"--detections is for one video, got {len(videos)}. Process them one by one, each with its own file")
    return boxes_of_film(path)


def _image_boxes(path: Path | None, image_folder: Pictures, given: set[str]) -> GivenBoxes | None:
    """Read the detection file of an image folder, if --detections is given; warn about images without boxes."""
    from remi_stream.offline.given import boxes_of_pictures

    if path is None:
        return None
    _reject(given, ["detector"], reason="has no effect with --detections")
    image_folder.open()
    boxes, warning = boxes_of_pictures(path, image_folder.files, image_folder.names)
    if warning:
        print(f"remi-stream: {warning}", file=sys.stderr)
    return boxes


def found_films(paths: Sequence[Path]) -> list[Path]:
    """Video files, with folders expanded in natural order (2 before 10). Raises UsageError if there are none."""
    from remi_stream.capture.images import natural
    from remi_stream.offline.film import ENDINGS

    videos: list[Path] = []
    for path in paths:
        inside = sorted((file for file in _files_in(path) if file.suffix.lower() in ENDINGS), key=natural)
        if path.is_dir() and not inside:
            hint = f"supported: {', '.join(ENDINGS)}. For images: remi-stream images"
            raise UsageError(f"No video in folder {path}; {hint}{why_empty(path)}")
        if not path.exists():
            raise UsageError(f"No such video file: {path}. Give one that exists (mp4, mkv, mov, avi, webm, ...){why_empty(path)}")
        videos += inside or [path]
    return videos


def _files_in(path: Path) -> list[Path]:
    """Content of a folder; empty for a file. Raises UsageError."""
    try:
        return list(path.iterdir()) if path.is_dir() else []
    except OSError:
        raise UsageError(f"Cannot read {path}: {why_unreadable(path)}") from None


def work_through_all(
    footage: Sequence[Footage], options: dict[str, Any], given: set[str], boxes: GivenBoxes | None = None
) -> int:
    """Process all footage in order; footage that cannot be read does not stop the rest."""
    out = options["out"]
    if out is None:
        raise UsageError("No output folder. Give --out DIR, or --realtime to play a video live")
    if existing := [out / each.name for each in footage if (out / each.name).exists() and not options["overwrite"]]:
        raise UsageError(f"{existing[0]} already exists. Give --overwrite to replace it, or another --out")
    settings = _settings(options, given, boxes)
    with Bar() as bar:
        start_log("remi", "text", bar.print)
        chain = _open_chain(options, footage[0], boxes)
        try:
            failed = [error for each in footage if (error := _attempt(each, out, chain, settings, bar))]
            if boxes and boxes.fits is False and not failed:
                bar.print(f"remi-stream: {options['detections']} has no box for any processed frame")
        finally:
            chain.close()
    if len(footage) == 1 and failed:
        raise failed[0]
    for error in failed:
        print(f"remi-stream: {error}", file=sys.stderr)
    return failed[-1].exit_code if failed else DONE


def _attempt(footage: Footage, out: Path, chain: Chain, settings: Settings, bar: Bar) -> RemiError | None:
    """Process footage and print a summary; return the error if that fails."""
    started_at = time.monotonic()
    try:
        done = _process(footage, out, chain, settings, bar.begin)
    except RemiError as error:
        return error
    bar.print(_summary(footage, done, time.monotonic() - started_at), out=True)
    return None


def _process(footage: Footage, out: Path, chain: Chain, settings: Settings, begin: Callable[..., Any]) -> Done:
    from remi_stream.offline.job import work_through

    footage.open()
    try:
        return work_through(footage, out, chain, settings, begin(footage))
    finally:
        footage.close()


def _settings(options: dict[str, Any], given: set[str], boxes: GivenBoxes | None) -> Settings:
    """Settings of the job; `words` identifies everything that its results depend on."""
    from remi_stream.formats.exports import find_exports
    from remi_stream.offline.job import Settings

    max_people = options["max_people"] if "max_people" in given else None
    exports = with_pictures(find_exports(options["format"] or [], options["engine"]), options)
    options["native"] = options["native"] or any(export.native for export in exports.values())
    words = " ".join(str(options.get(name)) for name in BYTES_DEPEND_ON) + f" {max_people}" + (f" {boxes.words}" if boxes else "")
    detector = options["detections"].name if boxes else options["detector"]
    return Settings(words, detector, max_people, exports, _smooth(options), options["chunk"])


def _smooth(options: dict[str, Any]) -> Smooth | None:
    """The smoothing function of --smooth, or None."""
    method: Smoother | None = options.get("smooth")
    if method is None:
        if options.get("smooth_weights") or options.get("window"):
            raise UsageError("--smooth-weights and --window need --smooth smoothnet. Add it, or leave them out")
        return None
    from remi_stream.offline import smoothing

    own = {"window": options["window"], "weights": options["smooth_weights"]}
    values = {"method": method.value.replace("-", "_"), **{name: value for name, value in own.items() if value}}
    settings = smoothing.Smoothing(**values)
    if settings.method == "smoothnet" and settings.weights is None:
        _convert_smoothnet(settings.window)
    smoothing.smoother_of(settings)  # a wrong window or weights file fails now, not after the video
    return lambda take: smoothing.smooth(take, settings)


def _convert_smoothnet(window: int) -> None:
    """Convert imported SmoothNet weights to ONNX, once. Raises RemiError if they are missing."""
    from remi_stream.convert.artefact import make_artefacts
    from remi_stream.filters.smoothnet import files
    from remi_stream.models.store import model_file

    weights = [file for file, _ in files(window)]
    for file in weights:
        model_file(file)
    make_artefacts(weights, tell=lambda line: print(f"remi-stream: {line}", file=sys.stderr))


def _open_chain(options: dict[str, Any], footage: Footage, boxes: GivenBoxes | None) -> Chain:
    """Load the engine and the detectors, and pull missing weights where allowed. Each detector has its own thread."""
    import cv2

    from remi_stream import config as configuration
    from remi_stream.cli.ready import make_ready
    from remi_stream.detect.detector import load_detector
    from remi_stream.offline.chain import DETECTORS, Chain
    from remi_stream.pose.engine import choose, load_engine

    cv2.setNumThreads(1)  # OpenCV's threads would compete with those of the networks
    values = {"cameras": [{"name": "video", "source": str(footage.source)}]}
    chosen = {name: options[name] for name in ("engine", "detector", "threads")} | ({"detector": WEIGHTLESS} if boxes else {})
    config = configuration.check({**values, **chosen})
    make_ready(config)
    native = {"native": 1.0} if options["native"] and "native" in choose(config.engine)[0].options else {}
    engine = load_engine(config.engine, config.threads, native)
    detectors = [boxes or load_detector(config.detector) for _ in range(DETECTORS)]
    return Chain(engine, detectors, options["batch"], options["detbatch"])


def _summary(footage: Footage, done: Done, took_s: float) -> str:
    made = done.frames - done.resumed
    kind, people = ("images", "people in them") if footage.apart else ("frames", "people")
    text = f"{footage.name}: {done.frames} {kind}, {done.people} {'person' if done.people == 1 else people}"
    text += f", in {took_s:.1f} s ({made / took_s:.1f} fps)" if made else ", already done"
    text += f" (the first {done.resumed} by an earlier run)" if done.resumed and made else ""
    if done.left_out:
        named = ", ".join(done.left_out[:3]) + (", ..." if len(done.left_out) > 3 else "")
        text += f"; {len(done.left_out)} skipped ({named})"
    return f"{text} -> {done.folder}"


def _given(context: typer.Context) -> set[str]:
    """Names of the parameters given on the command line."""
    sources = {name: context.get_parameter_source(name) for name in context.params}
    return {name for name, source in sources.items() if source is not None and source.name == "COMMANDLINE"}


def _reject(given: set[str], names: Sequence[str], reason: str, but: Sequence[str] = ()) -> None:
    for name in names:
        if name in given and name not in but:
            option = name.removesuffix("_s").replace("_", "-")
            raise UsageError(f"--{option} {reason}. Leave it out")


def _play(files: Sequence[Path], options: dict[str, Any], loop: bool, focal: float | None) -> int:
    """Play one video file as a live camera."""
    if len(files) != 1:
        raise UsageError(f"--realtime plays one file, got {len(files)}. For several cameras use a pipeline file: remi-stream run")
    file = files[0]
    if not file.is_file():
        raise UsageError(f"No such video file: {file}. Give a file that exists (mp4, mkv, mov, avi, webm, ...){why_empty(file)}")
    return start(options, {"name": camera_name(file), "source": str(file), "loop": loop, "focal_px": focal})
