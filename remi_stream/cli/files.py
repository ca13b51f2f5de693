"""`video` and `images`: films and pictures worked through frame by frame; `video --realtime` plays a film live."""

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
from remi_stream.cli.play import Focal, start
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
"""Options of a pipeline that mean something for films and pictures, too."""
LIVE_ONLY = tuple(name for name in inspect.signature(pipeline_options).parameters if name not in OFFLINE_TOO)
LIVE = "Live, with --realtime"
OFFLINE_PANELS = dict.fromkeys(("smooth", "smooth_weights", "window"), "Smoothing, at the end")
DRAWN = tuple(inspect.signature(picture_options).parameters)
BYTES_DEPEND_ON = ("engine", "detector", "threads", "batch", "detbatch", "native", "focal", "selection")
WEIGHTLESS = "synthetic"
"""The detector that is named where none runs, so that no weights are asked for."""


class Smoother(str, enum.Enum):
    """What smooths a take at its end; none: lost people are filled in, and that is all."""

    none = "none"
    one_euro = "one-euro"
    smoothnet = "smoothnet"


def offline_options(
    out: Annotated[Path | None, typer.Option(help="Folder for the results; a folder for each film in it.", metavar="DIR")] = None,
    format: Annotated[
        list[str] | None,
        typer.Option(help="Also write this: bvh, gltf, csv, pare, alphapose-coco, ...; may be repeated.", metavar="NAME"),
    ] = None,
    native: Annotated[bool, typer.Option("--native", help="Keep the engine's own outputs.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace results that are there.")] = False,
    batch: Annotated[int, typer.Option(help="People that the engine gets at once, of several frames.", min=1, max=256)] = 16,
    detbatch: Annotated[int, typer.Option(help="Frames that the detector gets at once.", min=1, max=64)] = 1,
    smooth: Annotated[Smoother | None, typer.Option(help="Smooth people over time.")] = None,
    smooth_weights: Annotated[Path | None, typer.Option(help="SmoothNet's weights.", metavar="FILE")] = None,
    window: Annotated[int | None, typer.Option(help="Frames that SmoothNet sees: 8, 16, 32 or 64.")] = None,
    chunk: Annotated[int, typer.Option(hidden=True, min=1)] = 300,
    detections: Annotated[
        Path | None,
        typer.Option(
            "--detections", "--detfile", help="People's boxes, instead of a detector's: COCO results, JSON.", metavar="FILE"
        ),
    ] = None,
    focal: Focal = None,
) -> None:
    """What is asked of films and of pictures."""


@with_options(pipeline_options, into="options", panels=dict.fromkeys(LIVE_ONLY, LIVE))
@with_options(offline_options, into="offline", panels=OFFLINE_PANELS)
@with_options(picture_options, into="pictures", panels=dict.fromkeys(DRAWN, "Films and pictures of the people"))
def video(
    context: typer.Context,
    files: Annotated[list[Path], typer.Argument(help="Video files, or folders of them.", metavar="FILE|DIR")],
    options: dict[str, Any],
    offline: dict[str, Any],
    pictures: dict[str, Any],
    every: Annotated[int, typer.Option(help="Take every n-th frame.", min=1, metavar="N")] = 1,
    start_s: Annotated[float, typer.Option("--start", help="Begin at this second.", min=0)] = 0.0,
    end_s: Annotated[float | None, typer.Option("--end", help="End before this second.", min=0)] = None,
    realtime: Annotated[bool, typer.Option("--realtime", help="Play the file as a live camera would.")] = False,
    loop: Annotated[bool, typer.Option("--loop", help="Start again at the end.", rich_help_panel=LIVE)] = False,
) -> int:
    """Work through every frame of a film, or play it live with --realtime."""
    given = _given(context)
    if realtime:
        offline_only = [*offline, *pictures, "every", "start_s", "end_s"]
        _refuse(given, offline_only, but=["focal"], why="is for films that are worked through")
        return _play(files, options, loop, offline["focal"])
    _refuse(given, [*LIVE_ONLY, "loop"], why="is for films that are played live (--realtime)")
    if end_s is not None and end_s <= start_s:
        raise UsageError(f"--end {end_s:g} is not after --start {start_s:g}. Give a later one")
    from remi_stream.offline.film import Film
    from remi_stream.offline.footage import Selection

    selection = Selection(every, start_s, end_s, options["frames"])
    films = found_films(files)
    named = zip(films, file_names([film.name for film in films]))
    footage: list[Footage] = [Film(film, name, selection, offline["focal"]) for film, name in named]
    boxes = _boxes_of_films(offline["detections"], films, given)
    return work_through_all(footage, {**options, **offline, **pictures, "selection": selection}, given, boxes)


@with_options(pipeline_options, into="options", without=(*LIVE_ONLY, "frames"))
@with_options(offline_options, into="offline", without=("smooth", "smooth_weights", "window"))
@with_options(picture_options, into="drawing", panels=dict.fromkeys(DRAWN, "Films and pictures of the people"))
def images(
    context: typer.Context,
    folder: Annotated[Path, typer.Argument(help="Folder of pictures.", metavar="DIR")],
    options: dict[str, Any],
    offline: dict[str, Any],
    drawing: dict[str, Any],
) -> int:
    """Find everybody in a folder of pictures, each by itself."""
    from remi_stream.offline.pictures import Pictures

    if not folder.is_dir():
        raise UsageError(f"No such folder of pictures: {folder}. Give one that exists; films are for: remi-stream video")
    given = _given(context)
    pictures = Pictures(folder, file_names([folder.resolve().name])[0], offline["focal"])
    boxes = _boxes_of_pictures(offline["detections"], pictures, given)
    return work_through_all([pictures], {**options, **offline, **drawing}, given, boxes)


def _boxes_of_films(path: Path | None, films: Sequence[Path], given: set[str]) -> GivenBoxes | None:
    """The boxes of a file, if one was given."""
    from remi_stream.offline.given import boxes_of_film

    if path is None:
        return None
    _refuse(given, ["detector"], why="looks for people, and --detections has found them")
    if len(films) != 1:
        raise UsageError(f"--detections is of one film, got {len(films)}. Give them one by one, each with its own file")
    return boxes_of_film(path)


def _boxes_of_pictures(path: Path | None, pictures: Pictures, given: set[str]) -> GivenBoxes | None:
    """The boxes of a file, if one was given; pictures without boxes are told."""
    from remi_stream.offline.given import boxes_of_pictures

    if path is None:
        return None
    _refuse(given, ["detector"], why="looks for people, and --detections has found them")
    pictures.open()
    boxes, told = boxes_of_pictures(path, pictures.files, pictures.names)
    if told:
        print(f"remi-stream: {told}", file=sys.stderr)
    return boxes


def found_films(paths: Sequence[Path]) -> list[Path]:
    """The files, and those of the folders in the order in which people count. Raises UsageError when there are none."""
    from remi_stream.capture.images import natural
    from remi_stream.offline.film import ENDINGS

    found: list[Path] = []
    for path in paths:
        inside = sorted((file for file in _files_in(path) if file.suffix.lower() in ENDINGS), key=natural)
        if path.is_dir() and not inside:
            sought = f"looked for {', '.join(ENDINGS)}. Pictures are for: remi-stream images"
            raise UsageError(f"No video in folder {path}; {sought}{why_empty(path)}")
        if not path.exists():
            raise UsageError(f"No such video file: {path}. Give one that exists (mp4, mkv, mov, avi, webm, ...){why_empty(path)}")
        found += inside or [path]
    return found


def _files_in(path: Path) -> list[Path]:
    """What is in a folder; nothing in a file. Raises UsageError."""
    try:
        return list(path.iterdir()) if path.is_dir() else []
    except OSError:
        raise UsageError(f"Cannot read {path}: {why_unreadable(path)}") from None


def work_through_all(
    footage: Sequence[Footage], options: dict[str, Any], given: set[str], boxes: GivenBoxes | None = None
) -> int:
    """Work through films one after the other; one that cannot be read does not keep the others from it."""
    out = options["out"]
    if out is None:
        raise UsageError("Where shall the results go? Give --out DIR, or --realtime to play a film live")
    if there := [out / film.name for film in footage if (out / film.name).exists() and not options["overwrite"]]:
        raise UsageError(f"{there[0]} is there already. Give --overwrite to replace it, or another --out")
    settings = _settings(options, given, boxes)
    with Bar() as bar:
        start_log("remi", "text", bar.print)
        chain = _open_chain(options, footage[0], boxes)
        try:
            failed = [error for film in footage if (error := _attempt(film, out, chain, settings, bar))]
            if boxes and boxes.fits is False and not failed:
                bar.print(f"remi-stream: {options['detections']} has no box for any frame that was looked at")
        finally:
            chain.close()
    if len(footage) == 1 and failed:
        raise failed[0]
    for error in failed:
        print(f"remi-stream: {error}", file=sys.stderr)
    return failed[-1].exit_code if failed else DONE


def _attempt(film: Footage, out: Path, chain: Chain, settings: Settings, bar: Bar) -> RemiError | None:
    """Work through a film and tell of it; or why it could not be done."""
    begun_at = time.monotonic()
    try:
        done = _work_through(film, out, chain, settings, bar.begin)
    except RemiError as error:
        return error
    bar.print(_summary(film, done, time.monotonic() - begun_at), out=True)
    return None


def _work_through(film: Footage, out: Path, chain: Chain, settings: Settings, begin: Callable[..., Any]) -> Done:
    from remi_stream.offline.job import work_through

    film.open()
    try:
        return work_through(film, out, chain, settings, begin(film))
    finally:
        film.close()


def _settings(options: dict[str, Any], given: set[str], boxes: GivenBoxes | None) -> Settings:
    """What is asked of the job; all that its bytes depend on is in its words."""
    from remi_stream.formats.exports import find_exports
    from remi_stream.offline.job import Settings

    max_people = options["max_people"] if "max_people" in given else None
    exports = with_pictures(find_exports(options["format"] or [], options["engine"]), options)
    options["native"] = options["native"] or any(export.native for export in exports.values())
    words = " ".join(str(options.get(name)) for name in BYTES_DEPEND_ON) + f" {max_people}" + (f" {boxes.words}" if boxes else "")
    detector = options["detections"].name if boxes else options["detector"]
    return Settings(words, detector, max_people, exports, _smooth(options), options["chunk"])


def _smooth(options: dict[str, Any]) -> Smooth | None:
    """What smooths a take, if that is asked for."""
    method: Smoother | None = options.get("smooth")
    if method is None:
        if options.get("smooth_weights") or options.get("window"):
            raise UsageError("--smooth-weights and --window are for --smooth smoothnet. Give that too, or leave them out")
        return None
    from remi_stream.offline import smoothing

    own = {"window": options["window"], "weights": options["smooth_weights"]}
    values = {"method": method.value.replace("-", "_"), **{name: value for name, value in own.items() if value}}
    asked = smoothing.Smoothing(**values)
    if asked.method == "smoothnet" and asked.weights is None:
        _convert_smoothnet(asked.window)
    smoothing.smoother_of(asked)
    return lambda take: smoothing.smooth(take, asked)


def _convert_smoothnet(window: int) -> None:
    """Make the ONNX of the SmoothNet that was imported, once. Raises RemiError if it was not."""
    from remi_stream.convert.artefact import make_artefacts
    from remi_stream.filters.smoothnet import files
    from remi_stream.models.store import model_file

    known = [file for file, _ in files(window)]
    for file in known:
        model_file(file)
    make_artefacts(known, tell=lambda line: print(f"remi-stream: {line}", file=sys.stderr))


def _open_chain(options: dict[str, Any], film: Footage, boxes: GivenBoxes | None) -> Chain:
    """The engine and the detectors, whose weights are fetched where they may be. Each of two detectors has a thread."""
    import cv2

    from remi_stream import config as configuration
    from remi_stream.cli.ready import make_ready
    from remi_stream.detect.detector import load_detector
    from remi_stream.offline.chain import DETECTORS, Chain
    from remi_stream.pose.engine import choose, load_engine

    cv2.setNumThreads(1)
    values = {"cameras": [{"name": "film", "source": str(film.source)}]}
    chosen = {name: options[name] for name in ("engine", "detector", "threads")} | ({"detector": WEIGHTLESS} if boxes else {})
    config = configuration.check({**values, **chosen})
    make_ready(config)
    native = {"native": 1.0} if options["native"] and "native" in choose(config.engine)[0].options else {}
    engine = load_engine(config.engine, config.threads, native)
    detectors = [boxes or load_detector(config.detector) for _ in range(DETECTORS)]
    return Chain(engine, detectors, options["batch"], options["detbatch"])


def _summary(film: Footage, done: Done, took_s: float) -> str:
    made = done.frames - done.resumed
    kind, people = ("pictures", "people in them") if film.apart else ("frames", "people")
    text = f"{film.name}: {done.frames} {kind}, {done.people} {'person' if done.people == 1 else people}"
    text += f", in {took_s:.1f} s ({made / took_s:.1f} fps)" if made else ", done already"
    text += f" (the first {done.resumed} by an earlier run)" if done.resumed and made else ""
    if done.left_out:
        named = ", ".join(done.left_out[:3]) + (", ..." if len(done.left_out) > 3 else "")
        text += f"; {len(done.left_out)} left out ({named})"
    return f"{text} -> {done.folder}"


def _given(context: typer.Context) -> set[str]:
    """The names of the parameters that were typed."""
    sources = {name: context.get_parameter_source(name) for name in context.params}
    return {name for name, source in sources.items() if source is not None and source.name == "COMMANDLINE"}


def _refuse(given: set[str], names: Sequence[str], why: str, but: Sequence[str] = ()) -> None:
    for name in names:
        if name in given and name not in but:
            option = name.removesuffix("_s").replace("_", "-")
            raise UsageError(f"--{option} {why}. Leave it out")


def _play(files: Sequence[Path], options: dict[str, Any], loop: bool, focal: float | None) -> int:
    """Play one file as a camera."""
    if len(files) != 1:
        raise UsageError(f"--realtime plays one file, got {len(files)}. Several are cameras of a pipeline: remi-stream run")
    file = files[0]
    if not file.is_file():
        raise UsageError(f"No such video file: {file}. Give a file that exists (mp4, mkv, mov, avi, webm, ...){why_empty(file)}")
    return start(options, {"name": camera_name(file), "source": str(file), "loop": loop, "focal_px": focal})


def camera_name(file: Path) -> str:
    """What a camera that plays a file is called."""
    kept = "".join(letter if letter.isascii() and (letter.isalnum() or letter in "_.-") else "-" for letter in file.stem)
    return kept[:40] or "video"
