"""Processes all frames of videos and image folders for `remi-stream video` and `images`."""

from __future__ import annotations

import contextlib
import logging
import os
import shlex
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from remi_stream.cli.console import VideoProgress
from remi_stream.cli.export import add_drawings
from remi_stream.cli.options import SmoothMethod, check_overwrite
from remi_stream.errors import EXIT_CRASHED, EXIT_DONE, EXIT_GAVE_UP, EXIT_INTERRUPTED, EXIT_NOT_STARTED, RemiError, UsageError
from remi_stream.log import configure_logging
from remi_stream.paths import printable_path, text_of_path
from remi_stream.sinks.live_view import count_text

if TYPE_CHECKING:
    from remi_stream.capture.footage import Footage
    from remi_stream.detect.detection_file import DetectionFile
    from remi_stream.offline.chain import OfflineChain
    from remi_stream.offline.job import JobResult, JobSettings, TakeSmoother

RESULT_OPTIONS = ("engine", "detector", "posture", "sensitivity", "threads", "batch", "detbatch", "native", "focal", "selection")
"""Options that change the results; a run is resumed only if all of them are the same."""
PLACEHOLDER_DETECTOR = "synthetic"
"""Detector in the configuration when --detections replaces it; it has no weights to load."""

log = logging.getLogger("remi_stream")


def process_all(footage: Sequence[Footage], options: dict[str, Any], given: set[str], boxes: DetectionFile | None = None) -> int:
    """Process all footage in order; footage that cannot be read does not stop the rest."""
    out = options["out"]
    if out is None:
        raise UsageError("No output folder. Give --out DIR, or --realtime to play a video live")
    check_overwrite([out / each.name for each in footage], options["overwrite"], _export_hint(footage[0], options))
    from remi_stream.offline.watchdog import StallWatchdog

    settings = _settings(options, given, boxes)
    with VideoProgress() as bar, contextlib.ExitStack() as stack:
        configure_logging("remi", "text", bar.print)
        chain = _open_chain(options, footage[0], boxes)
        stack.callback(_close_chain, chain, bar)
        settings = settings._replace(watchdog=StallWatchdog(log.error, partial(_end_stalled_run, bar)))
        failed = [error for each in footage if (error := _try_to_process(each, out, chain, settings, bar))]
        if boxes and boxes.has_matches is False and not failed:
            bar.print(f"remi-stream: {options['detections']} has no box for any processed frame")
    if len(footage) == 1 and failed:
        raise failed[0]
    for error in failed:
        print(f"remi-stream: {error}", file=sys.stderr)
    if not failed:
        return EXIT_DONE
    print(f"remi-stream: {len(failed)} of {len(footage)} failed", file=sys.stderr)
    return EXIT_CRASHED if any(error.exit_code == EXIT_CRASHED for error in failed) else EXIT_NOT_STARTED


def _export_hint(footage: Footage, options: dict[str, Any]) -> str:
    """How to write another format from the results that exist."""
    formats = ",".join(options["format"] or ["FORMAT"])
    return f"To write another format from it: remi-stream export {shlex.quote(str(options['out'] / footage.name))} --to {formats}"


def _close_chain(chain: OfflineChain, bar: VideoProgress) -> None:
    """Close the chain; end the process if one of its threads hangs, after Ctrl-C."""
    if chain.close():
        return
    is_interrupted = isinstance(sys.exc_info()[1], KeyboardInterrupt)
    _end_process(bar, "a detector thread hangs; the process ends", EXIT_INTERRUPTED if is_interrupted else EXIT_CRASHED)


def _end_stalled_run(bar: VideoProgress, where: str) -> None:
    _end_process(bar, f"{where}. Finished chunks stay; the same command resumes", EXIT_GAVE_UP)


def _end_process(bar: VideoProgress, why: str, exit_code: int) -> None:
    """Print a line and end the process without waiting for its threads."""
    bar.stop()
    print(f"remi-stream: {why}", file=sys.stderr, flush=True)
    os._exit(exit_code)


def _try_to_process(
    footage: Footage, out: Path, chain: OfflineChain, settings: JobSettings, bar: VideoProgress
) -> RemiError | None:
    """Process footage and print a summary; return the error if that fails, also a bug of ours: the rest is still processed."""
    started_at = time.monotonic()
    try:
        done = _process(footage, out, chain, settings, bar.start_video)
    except RemiError as error:
        return error
    except Exception as error:
        log.exception("%s could not be processed", footage.name)
        failure = RemiError(f"{printable_path(footage.source)} failed ({type(error).__name__}: {error}); the log has more")
        failure.exit_code = EXIT_CRASHED
        return failure
    bar.print(_summary(footage, done, time.monotonic() - started_at), out=True)
    return None


def _process(footage: Footage, out: Path, chain: OfflineChain, settings: JobSettings, start: Callable[..., Any]) -> JobResult:
    from remi_stream.offline.job import run_job

    footage.open()
    try:
        return run_job(footage, out, chain, settings, start(footage))
    finally:
        footage.close()


def _settings(options: dict[str, Any], given: set[str], boxes: DetectionFile | None) -> JobSettings:
    """Settings of the job; sets options["native"] if an export needs the native outputs."""
    from remi_stream.export.registry import DEFAULT_FORMATS, find_export_formats
    from remi_stream.offline.job import JobSettings

    # The option's default is a limit for live pipelines, which must keep up; offline there is none unless it is given.
    max_people = options["max_people"] if "max_people" in given else None
    exports = add_drawings(find_export_formats(options["format"] or DEFAULT_FORMATS, options["engine"]), options)
    options["native"] = options["native"] or any(export.needs_native for export in exports.values())
    fingerprint = (
        " ".join(str(options.get(name)) for name in RESULT_OPTIONS) + f" {max_people}" + (f" {boxes.sha256}" if boxes else "")
    )
    detector = options["detections"].name if boxes else options["detector"]
    return JobSettings(fingerprint, detector, max_people, exports, _make_smoother(options), options["chunk"])


def _make_smoother(options: dict[str, Any]) -> TakeSmoother | None:
    """The smoothing function of --smooth, or None."""
    method: SmoothMethod | None = options.get("smooth")
    if method is None:
        if options.get("smooth_weights") or options.get("window"):
            raise UsageError("--smooth-weights and --window need --smooth smoothnet. Add it, or leave them out")
        return None
    from remi_stream.offline import smoothing

    own = {"window": options["window"], "weights": options["smooth_weights"]}
    values = {"method": method.value.replace("-", "_"), **{name: value for name, value in own.items() if value}}
    settings = smoothing.TakeSmoothing(**values)
    if settings.method == "smoothnet" and settings.weights is None:
        _convert_smoothnet(settings.window)
    smoothing.make_smoother(settings)  # a wrong window or weights file fails now, not after the video
    return lambda take: smoothing.smooth_take(take, settings)


def _convert_smoothnet(window: int) -> None:
    """Convert imported SmoothNet weights to ONNX, once. Raises RemiError if they are missing."""
    from remi_stream.convert.onnx_conversion import convert_missing
    from remi_stream.filters.smoothnet import smoothnet_weights
    from remi_stream.models.store import ensure_model_file

    weights = [file for file, _ in smoothnet_weights(window)]
    for file in weights:
        ensure_model_file(file)
    convert_missing(weights, on_message=lambda line: print(f"remi-stream: {line}", file=sys.stderr))


def _open_chain(options: dict[str, Any], footage: Footage, boxes: DetectionFile | None) -> OfflineChain:
    """Load the engine and the detectors, and pull missing weights where allowed. Each detector has its own thread."""
    import cv2

    from remi_stream import config as configuration
    from remi_stream.cli.ready import prepare_pipeline
    from remi_stream.detect.detector import load_detector
    from remi_stream.offline.chain import DETECTOR_THREADS, OfflineChain
    from remi_stream.pose.engine import load_engine, resolve_engine

    cv2.setNumThreads(1)  # OpenCV's threads would compete with those of the networks
    values = {"cameras": [{"name": "video", "source": text_of_path(footage.source)}]}
    chosen = {name: options[name] for name in ("engine", "detector", "threads")} | (
        {"detector": PLACEHOLDER_DETECTOR} if boxes else {}
    )
    rules = {name: options[name].value for name in ("posture", "sensitivity")}
    config = configuration.parse_config({**values, **chosen, **rules})
    prepare_pipeline(config)
    native = {"native": 1.0} if options["native"] and "native" in resolve_engine(config.engine)[0].options else {}
    engine = load_engine(config.engine, config.threads, native, config.sensitivity)
    detectors = [boxes or load_detector(config.detector) for _ in range(DETECTOR_THREADS)]
    return OfflineChain(engine, detectors, options["batch"], options["detbatch"], config.posture)


def _summary(footage: Footage, done: JobResult, took_s: float) -> str:
    made = done.frames - done.resumed
    frames = count_text(done.frames, "image" if footage.is_independent else "frame")
    text = (
        f"{footage.name}: {frames}, {count_text(done.people, 'person', 'people')}{' in them' if footage.is_independent else ''}"
    )
    text += f", in {took_s:.1f} s ({made / took_s:.1f} fps)" if made else ", already done"
    text += f" (the first {done.resumed} by an earlier run)" if done.resumed and made else ""
    if done.unreadable:
        named = ", ".join(done.unreadable[:3]) + (", ..." if len(done.unreadable) > 3 else "")
        text += f"; {len(done.unreadable)} skipped ({named})"
    return f"{text} -> {printable_path(done.folder)}"
