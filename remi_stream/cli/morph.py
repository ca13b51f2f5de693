"""`remi-stream morph`: interpolates between two meshes, draws the frames and writes statistics of the differences."""

from __future__ import annotations

import itertools
import logging
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from remi_stream.cli.console import count_progress
from remi_stream.cli.options import OverwriteOption, check_overwrite, parse_size
from remi_stream.errors import EXIT_DONE, EXIT_NOT_STARTED, RemiError, UsageError, unknown_name_error

if TYPE_CHECKING:
    from remi_stream.morph.drawing import MorphOptions
    from remi_stream.morph.files import MeshPairFiles
    from remi_stream.morph.pair import CsvCell
    from remi_stream.morph.path import MorphEnd

LOG_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
MIN_IMAGE_PX, MAX_IMAGE_PX = 64, 4096
log = logging.getLogger("remi_stream.morph")

Advance = Callable[[], object]


def morph(
    a: Annotated[
        str | None, typer.Argument(help="Mesh file, or a recorded person: RECORDING[:TRACK[:FRAME]].", metavar="A")
    ] = None,
    b: Annotated[str | None, typer.Argument(help="Second mesh, of the same topology.", metavar="B")] = None,
    batch: Annotated[
        Path | None, typer.Option(help="Instead of A and B: every pair of meshes of a folder.", metavar="DIR")
    ] = None,
    out: Annotated[Path, typer.Option(help="Output folder, with a folder A_to_B per pair.", metavar="DIR")] = Path("morph"),
    frames: Annotated[int, typer.Option(help="Number of frames, including both ends.", min=2, max=100_000)] = 41,
    size: Annotated[str, typer.Option(help="Frame size, px.", metavar="WxH")] = "720x720",
    up: Annotated[str, typer.Option(help="Up axis of the meshes: y or z.")] = "y",
    minimal: Annotated[
        bool, typer.Option("--minimal", help="Write the frames and displacement.png only: no video, meshes, tables.")
    ] = False,
    gpu: Annotated[bool, typer.Option("--gpu/--cpu", help="Draw on the GPU or the CPU.")] = False,
    overwrite: OverwriteOption = False,
    log_level: Annotated[str, typer.Option(help="Level of session.log: debug, info, warning or error.")] = "info",
) -> int:
    """Morph one mesh into another: frames, video, meshes, heat maps of the displacement, tables."""
    from remi_stream.morph.drawing import UP_AXES, MorphOptions
    from remi_stream.morph.files import find_meshes, mesh_pairs

    options = MorphOptions(frames, parse_size(size, MIN_IMAGE_PX, MAX_IMAGE_PX), up)
    if up not in UP_AXES:
        raise unknown_name_error("axis for --up", up, UP_AXES)
    if log_level not in LOG_LEVELS:
        raise unknown_name_error("--log-level", log_level, LOG_LEVELS)
    ends = [text for text in (a, b) if text is not None]
    if len(ends) != (0 if batch else 2):
        raise UsageError("Give two meshes, A and B, or a folder of meshes: --batch DIR")
    pairs = mesh_pairs(find_meshes(batch)) if batch else []
    check_overwrite([out / pair.folder for pair in pairs], overwrite)
    with session_log(out, LOG_LEVELS[log_level]):
        log.info("started: %s", " ".join(sys.argv[1:]))
        options = options._replace(gpu=open_gpu_context() if gpu else None)
        if batch:
            return morph_batch(pairs, out, options, minimal)
        return morph_pair(ends[0], ends[1], out, options, minimal, overwrite)


def morph_pair(a: str, b: str, out: Path, options: MorphOptions, minimal: bool, overwrite: bool) -> int:
    """Morph one pair. Raises RemiError."""
    from remi_stream.morph.files import pair_folder_name
    from remi_stream.morph.path import end_name, read_morph_end

    ends = read_morph_end(a), read_morph_end(b)
    folder = out / pair_folder_name(end_name(ends[0]), end_name(ends[1]))
    check_overwrite([folder], overwrite)
    with frame_progress(options.frames) as advance:
        morph_into_folder(*ends, folder, options, minimal, advance)
    return EXIT_DONE


def morph_batch(pairs_to_morph: Sequence[MeshPairFiles], out: Path, options: MorphOptions, minimal: bool) -> int:
    """Morph all pairs; report those that fail at the end."""
    from remi_stream.morph.files import read_mesh
    from remi_stream.morph.pair import encode_csv

    broken = unreadable_meshes(sorted({path for pair in pairs_to_morph for path in (pair.a, pair.b)}))
    readable = [pair for pair in pairs_to_morph if pair.a not in broken and pair.b not in broken]
    failed, rows = list(broken.values()), list[dict[str, "CsvCell"]]()
    with frame_progress(options.frames * len(readable)) as advance:
        for pair in readable:
            try:
                rows.append(morph_into_folder(read_mesh(pair.a), read_mesh(pair.b), out / pair.folder, options, minimal, advance))
            except RemiError as error:
                failed.append(error)
    if rows and not minimal:
        write_file(out / "statistics.csv", encode_csv(rows))
    print(f"{len(rows)} of {len(pairs_to_morph)} pairs -> {out}")
    for reason in failed:
        log.error("skipped: %s", reason)
    return EXIT_NOT_STARTED if failed else EXIT_DONE


def write_file(path: Path, data: bytes) -> None:
    """Write a file. Raises RemiError."""
    try:
        path.write_bytes(data)
    except OSError as error:
        raise RemiError(f"{path} cannot be written: {error.strerror}. Give another --out, or free some space") from None


def unreadable_meshes(paths: Sequence[Path]) -> dict[Path, RemiError]:
    """Errors of the meshes that cannot be read, by path."""
    from remi_stream.morph.files import read_mesh

    errors = {}
    for path in paths:
        try:
            read_mesh(path)
        except RemiError as error:
            errors[path] = error
    return errors


def morph_into_folder(
    a: MorphEnd, b: MorphEnd, folder: Path, options: MorphOptions, minimal: bool, advance: Advance
) -> dict[str, CsvCell]:
    """Morph a pair into a folder, print a summary and return the statistics. Raises RemiError."""
    from remi_stream.morph.job import write_morph
    from remi_stream.morph.pair import make_morph_pair

    started_at = time.monotonic()
    pair = make_morph_pair(a, b)
    row = write_morph(pair, folder, options, minimal, advance)
    displacement = f"moves by {pair.distances.mean():.4g} on average, {pair.distances.max():.4g} at most"
    took_s = time.monotonic() - started_at
    summary = f"{pair.a.name} to {pair.b.name}: {options.frames} frames in {took_s:.1f} s, {displacement} -> {folder}"
    log.info("%s", summary)
    print(summary, flush=True)
    return row


def open_gpu_context() -> object | None:
    """OpenGL context on a GPU; None, with a warning, if there is none."""
    from remi_stream.morph import gpu_renderer

    try:
        context = gpu_renderer.open_gpu()
    except RemiError as error:
        log.warning("%s. Drawing on the CPU", error)
        return None
    log.info("drawn by %s", context.info["GL_RENDERER"])
    return context


@contextmanager
def session_log(out: Path, level: int) -> Iterator[None]:
    """Append the log to session.log; warnings also go to stderr."""
    from remi_stream.log import CallbackHandler, LogFormatter

    try:
        out.mkdir(parents=True, exist_ok=True)
        log_file = logging.FileHandler(out / "session.log", encoding="utf-8")
    except OSError as error:
        from remi_stream.permission_hints import write_error_hint

        reason = write_error_hint(out, error, "Give another --out")
        raise UsageError(f"--out {out} cannot be a folder: {reason}") from None
    handlers: list[logging.Handler] = [log_file, CallbackHandler(print_to_stderr)]
    for handler, minimum in zip(handlers, (level, max(level, logging.WARNING))):
        handler.setLevel(minimum)
        handler.setFormatter(LogFormatter("morph", "text"))
        handler.addFilter(RepeatFilter())
        log.addHandler(handler)
    log.propagate = False  # the root handler would print every line again
    log.setLevel(level)
    try:
        yield
    except RemiError as error:
        log_file.handle(log.makeRecord(log.name, logging.ERROR, __file__, 0, str(error), (), None))
        raise
    finally:
        log.propagate = True
        log.setLevel(logging.NOTSET)
        for handler in handlers:
            log.removeHandler(handler)
            handler.close()


def print_to_stderr(line: str) -> None:
    """Print a line to stderr; Rich keeps it above a progress bar."""
    print(line, file=sys.stderr)


class RepeatFilter(logging.Filter):
    """Log filter that drops repeated warnings: in a batch, a mesh is read again for each of its pairs."""

    def __init__(self) -> None:
        super().__init__()
        self._logged: set[str] = set()

    def filter(self, record: logging.LogRecord) -> bool:
        """False for a warning that was logged before."""
        repeated = record.levelno == logging.WARNING and record.getMessage() in self._logged
        self._logged.add(record.getMessage())
        return not repeated


@contextmanager
def frame_progress(frames: int) -> Iterator[Advance]:
    """Progress bar of drawn frames; yields the function to call after each."""
    with count_progress("morph", frames) as update:
        done = itertools.count(1)
        yield lambda: update(next(done))
