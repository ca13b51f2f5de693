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

from remi_stream.errors import DONE, NOT_STARTED, RemiError, UsageError, unknown

if TYPE_CHECKING:
    from remi_stream.morph.batch import Names
    from remi_stream.morph.drawing import Look
    from remi_stream.morph.passage import End
    from remi_stream.morph.table import Cell

LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
SMALLEST_PX, LARGEST_PX = 64, 4096
log = logging.getLogger("remi_stream.morph")

Tell = Callable[[], object]


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
    from remi_stream.morph.batch import meshes_of, pairs
    from remi_stream.morph.drawing import Look
    from remi_stream.morph.view import AXES

    look = Look(frames, parse_size(size), up)
    if up not in AXES:
        raise unknown("axis for --up", up, AXES)
    if log_level not in LEVELS:
        raise unknown("--log-level", log_level, LEVELS)
    ends = [text for text in (a, b) if text is not None]
    if len(ends) != (0 if batch else 2):
        raise UsageError("Give two meshes, A and B, or a folder of meshes: --batch DIR")
    wanted = pairs(meshes_of(batch)) if batch else []
    refuse_loss([out / pair.folder for pair in wanted], overwrite)
    with session(out, LEVELS[log_level]):
        log.info("started: %s", " ".join(sys.argv[1:]))
        look = look._replace(gpu=open_gpu() if gpu else None)
        return many(wanted, out, look, minimal) if batch else one(ends[0], ends[1], out, look, minimal, overwrite)


def one(a: str, b: str, out: Path, look: Look, minimal: bool, overwrite: bool) -> int:
    """Morph one pair. Raises RemiError."""
    from remi_stream.morph.batch import folder_name
    from remi_stream.morph.passage import called, read_end

    ends = read_end(a), read_end(b)
    folder = out / folder_name(called(ends[0]), called(ends[1]))
    refuse_loss([folder], overwrite)
    with bar(look.frames) as advance:
        work(*ends, folder, look, minimal, advance)
    return DONE


def many(wanted: Sequence[Names], out: Path, look: Look, minimal: bool) -> int:
    """Morph all pairs; report those that fail at the end."""
    from remi_stream.morph.files import read_mesh
    from remi_stream.morph.table import cells

    broken = unreadable(sorted({path for pair in wanted for path in (pair.a, pair.b)}))
    readable = [pair for pair in wanted if pair.a not in broken and pair.b not in broken]
    failed, rows = list(broken.values()), list[dict[str, "Cell"]]()
    with bar(look.frames * len(readable)) as advance:
        for pair in readable:
            try:
                rows.append(work(read_mesh(pair.a), read_mesh(pair.b), out / pair.folder, look, minimal, advance))
            except RemiError as error:
                failed.append(error)
    if rows and not minimal:
        write(out / "statistics.csv", cells(rows))
    print(f"{len(rows)} of {len(wanted)} pairs -> {out}")
    for error in failed:
        log.error("skipped: %s", error)
    return NOT_STARTED if failed else DONE


def write(path: Path, data: bytes) -> None:
    """Write a file. Raises RemiError."""
    try:
        path.write_bytes(data)
    except OSError as error:
        raise RemiError(f"{path} cannot be written: {error.strerror}. Give another --out, or free some space") from None


def unreadable(paths: Sequence[Path]) -> dict[Path, RemiError]:
    """Errors of the meshes that cannot be read, by path."""
    from remi_stream.morph.files import read_mesh

    errors = {}
    for path in paths:
        try:
            read_mesh(path)
        except RemiError as error:
            errors[path] = error
    return errors


def work(a: End, b: End, folder: Path, look: Look, minimal: bool, tell: Tell) -> dict[str, Cell]:
    """Morph a pair into a folder, print a summary and return the statistics. Raises RemiError."""
    from remi_stream.morph.pair import pair_of
    from remi_stream.morph.work import write_whole

    started_at = time.monotonic()
    pair = pair_of(a, b)
    row = write_whole(pair, folder, look, minimal, tell)
    displacement = f"moves by {pair.lengths.mean():.4g} on average, {pair.lengths.max():.4g} at most"
    took_s = time.monotonic() - started_at
    summary = f"{pair.a.name} to {pair.b.name}: {look.frames} frames in {took_s:.1f} s, {displacement} -> {folder}"
    log.info("%s", summary)
    print(summary, flush=True)
    return row


def open_gpu() -> object | None:
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
    if len(parts) != 2 or not all(part.isascii() and part.isdigit() and SMALLEST_PX <= int(part) <= LARGEST_PX for part in parts):
        raise UsageError(f"--size is '{text}'; it must be WIDTHxHEIGHT, {SMALLEST_PX} to {LARGEST_PX} px, like 720x720")
    return int(parts[0]), int(parts[1])


def refuse_loss(folders: Sequence[Path], overwrite: bool) -> None:
    """Raise UsageError if an output folder exists and --overwrite is not given."""
    existing = [folder for folder in folders if folder.exists()]
    if existing and not overwrite:
        raise UsageError(f"{existing[0]} already exists. Give --overwrite to replace it, or another --out")


@contextmanager
def session(out: Path, level: int) -> Iterator[None]:
    """Append the log to session.log; warnings also go to stderr."""
    from remi_stream.log import Line, Through

    try:
        out.mkdir(parents=True, exist_ok=True)
        log_file = logging.FileHandler(out / "session.log", encoding="utf-8")
    except OSError as error:
        from remi_stream.mounts import why_unwritable

        reason = why_unwritable(out, error, "Give another --out")
        raise UsageError(f"--out {out} cannot be a folder: {reason}") from None
    handlers: list[logging.Handler] = [log_file, Through(say)]
    for handler, minimum in zip(handlers, (level, max(level, logging.WARNING))):
        handler.setLevel(minimum)
        handler.setFormatter(Line("morph", "text"))
        handler.addFilter(Once())
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


def say(line: str) -> None:
    """Print a line to stderr; Rich keeps it above a progress bar."""
    print(line, file=sys.stderr)


class Once(logging.Filter):
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
def bar(frames: int) -> Iterator[Tell]:
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
