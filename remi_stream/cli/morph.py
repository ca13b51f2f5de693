"""`remi-stream morph`: interpolates between two meshes, draws the frames and writes statistics of the differences."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

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
    out: Annotated[Path, typer.Option(help="Output folder; each pair gets a folder A_to_B in it.", metavar="DIR")] = Path(
        "morph"
    ),
    frames: Annotated[int, typer.Option(help="Number of frames, including both ends.", min=2, max=100_000)] = 41,
    size: Annotated[str, typer.Option(help="Frame size, px.", metavar="WxH")] = "720x720",
    up: Annotated[str, typer.Option(help="Up axis of the meshes: y or z.")] = "y",
    minimal: Annotated[bool, typer.Option("--minimal", help="Write frames only: no video, meshes, tables.")] = False,
    gpu: Annotated[bool, typer.Option("--gpu/--cpu", help="Draw on the GPU or the CPU.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace existing files.")] = False,
    log_level: Annotated[str, typer.Option(help="Level of session.log: debug, info, warning or error.")] = "info",
) -> int:
    """Morph one mesh into another: frames, video, meshes, heat maps of the displacement, tables."""
    from remi_stream.morph.drawing import UP_AXES, MorphOptions
    from remi_stream.morph.files import find_meshes, mesh_pairs

    look = MorphOptions(frames, parse_size(size), up)
    if up not in UP_AXES:
        raise unknown_name_error("axis for --up", up, UP_AXES)
    if log_level not in LOG_LEVELS:
        raise unknown_name_error("--log-level", log_level, LOG_LEVELS)
    ends = [text for text in (a, b) if text is not None]
    if len(ends) != (0 if batch else 2):
        raise UsageError("Give two meshes, A and B, or a folder of meshes: --batch DIR")
    wanted = mesh_pairs(find_meshes(batch)) if batch else []
    check_overwrite([out / pair.folder for pair in wanted], overwrite)
    with session_log(out, LOG_LEVELS[log_level]):
        log.info("started: %s", " ".join(sys.argv[1:]))
        look = look._replace(gpu=open_gpu_context() if gpu else None)
        return morph_batch(wanted, out, look, minimal) if batch else morph_pair(ends[0], ends[1], out, look, minimal, overwrite)


def morph_pair(a: str, b: str, out: Path, look: MorphOptions, minimal: bool, overwrite: bool) -> int:
    """Morph one pair. Raises RemiError."""
    from remi_stream.morph.files import pair_folder_name
    from remi_stream.morph.path import end_name, read_morph_end

    ends = read_morph_end(a), read_morph_end(b)
    folder = out / pair_folder_name(end_name(ends[0]), end_name(ends[1]))
    check_overwrite([folder], overwrite)
    with progress_bar(look.frames) as advance:
        morph_into_folder(*ends, folder, look, minimal, advance)
    return EXIT_DONE


def morph_batch(pairs_to_morph: Sequence[MeshPairFiles], out: Path, look: MorphOptions, minimal: bool) -> int:
    """Morph all pairs; report those that fail at the end."""
    from remi_stream.morph.files import read_mesh
    from remi_stream.morph.pair import encode_csv

    broken = unreadable_meshes(sorted({path for pair in pairs_to_morph for path in (pair.a, pair.b)}))
    readable = [pair for pair in pairs_to_morph if pair.a not in broken and pair.b not in broken]
    failed, rows = list(broken.values()), list[dict[str, "CsvCell"]]()
    with progress_bar(look.frames * len(readable)) as advance:
        for pair in readable:
            try:
                rows.append(morph_into_folder(read_mesh(pair.a), read_mesh(pair.b), out / pair.folder, look, minimal, advance))
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
    a: MorphEnd, b: MorphEnd, folder: Path, look: MorphOptions, minimal: bool, advance: Advance
) -> dict[str, CsvCell]:
    """Morph a pair into a folder, print a summary and return the statistics. Raises RemiError."""
    from remi_stream.morph.job import write_morph
    from remi_stream.morph.pair import make_morph_pair

    started_at = time.monotonic()
    pair = make_morph_pair(a, b)
    row = write_morph(pair, folder, look, minimal, advance)
    displacement = f"moves by {pair.distances.mean():.4g} on average, {pair.distances.max():.4g} at most"
    took_s = time.monotonic() - started_at
    summary = f"{pair.a.name} to {pair.b.name}: {look.frames} frames in {took_s:.1f} s, {displacement} -> {folder}"
    log.info("%s", summary)
    print(summary, flush=True)
    return row


def open_gpu_context() -> object | None:
    """OpenGL context on a GPU; None, with a warning, if there is none."""
    from remi_stream.morph import gpu_painter

    try:
        context = gpu_painter.open_gpu()
    except RemiError as error:
        log.warning("%s. Drawing on the CPU", error)
        return None
    log.info("drawn by %s", context.info["GL_RENDERER"])
    return context


def parse_size(text: str) -> tuple[int, int]:
    """Parse "720x720" into width and height, px. Raises UsageError."""
    parts = text.lower().split("x")
    if len(parts) != 2 or not all(
        part.isascii() and part.isdigit() and MIN_IMAGE_PX <= int(part) <= MAX_IMAGE_PX for part in parts
    ):
        raise UsageError(f"--size is '{text}'; it must be WIDTHxHEIGHT, {MIN_IMAGE_PX} to {MAX_IMAGE_PX} px, like 720x720")
    return int(parts[0]), int(parts[1])


def check_overwrite(folders: Sequence[Path], overwrite: bool) -> None:
    """Raise UsageError if an output folder exists and --overwrite is not given."""
    existing = [folder for folder in folders if folder.exists()]
    if existing and not overwrite:
        raise UsageError(f"{existing[0]} already exists. Give --overwrite to replace it, or another --out")


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
def progress_bar(frames: int) -> Iterator[Advance]:
    """Progress bar on a terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = TextColumn("morph"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    redirect = sys.stdout.isatty()
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal, redirect_stdout=redirect
    ) as progress:
        task = progress.add_task("morph", total=frames)
        yield lambda: progress.advance(task)
