"""`remi-stream morph`: pictures on the way from one mesh to another, and what differs between them."""

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
    a: Annotated[str | None, typer.Argument(help="A mesh, or somebody recorded: RECORDING[:TRACK[:FRAME]].", metavar="A")] = None,
    b: Annotated[str | None, typer.Argument(help="Another one of the same topology.", metavar="B")] = None,
    batch: Annotated[
        Path | None, typer.Option(help="Instead of A and B: every pair of a folder's meshes.", metavar="DIR")
    ] = None,
    out: Annotated[Path, typer.Option(help="A folder A_to_B for each pair is made in it.", metavar="DIR")] = Path("morph"),
    frames: Annotated[int, typer.Option(help="Pictures on the way, with both ends.", min=2, max=100_000)] = 41,
    size: Annotated[str, typer.Option(help="Of a picture, px.", metavar="WxH")] = "720x720",
    up: Annotated[str, typer.Option(help="Which axis of the meshes is up: y or z.")] = "y",
    minimal: Annotated[bool, typer.Option("--minimal", help="Pictures only: no film, meshes, tables.")] = False,
    gpu: Annotated[bool, typer.Option("--gpu/--cpu", help="What draws.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace what is there.")] = False,
    log_level: Annotated[str, typer.Option(help="Of session.log: debug, info, warning or error.")] = "info",
) -> int:
    """Morph a mesh into another one: frames, film, meshes, heat maps of what moves, tables."""
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
        raise UsageError("A morph needs two meshes, A and B, or a folder of them: --batch DIR")
    wanted = pairs(meshes_of(batch)) if batch else []
    refuse_loss([out / pair.folder for pair in wanted], overwrite)
    with session(out, LEVELS[log_level]):
        log.info("began: %s", " ".join(sys.argv[1:]))
        look = look._replace(gpu=open_gpu() if gpu else None)
        return many(wanted, out, look, minimal) if batch else one(ends[0], ends[1], out, look, minimal, overwrite)


def one(a: str, b: str, out: Path, look: Look, minimal: bool, overwrite: bool) -> int:
    """Morph one pair. Raises RemiError."""
    from remi_stream.morph.batch import folder_name
    from remi_stream.morph.passage import called, read_end

    ends = read_end(a), read_end(b)
    folder = out / folder_name(called(ends[0]), called(ends[1]))
    refuse_loss([folder], overwrite)
    with bar(look.frames) as tell:
        work(*ends, folder, look, minimal, tell)
    return DONE


def many(wanted: Sequence[Names], out: Path, look: Look, minimal: bool) -> int:
    """Morph every pair that can be; tell of the others at the end."""
    from remi_stream.morph.files import read_mesh
    from remi_stream.morph.table import cells

    bad = unreadable(sorted({path for pair in wanted for path in (pair.a, pair.b)}))
    good = [pair for pair in wanted if pair.a not in bad and pair.b not in bad]
    failed, rows = list(bad.values()), list[dict[str, "Cell"]]()
    with bar(look.frames * len(good)) as tell:
        for pair in good:
            try:
                rows.append(work(read_mesh(pair.a), read_mesh(pair.b), out / pair.folder, look, minimal, tell))
            except RemiError as why:
                failed.append(why)
    if rows and not minimal:
        write(out / "statistics.csv", cells(rows))
    print(f"{len(rows)} of {len(wanted)} pairs -> {out}")
    for error in failed:
        log.error("left out: %s", error)
    return NOT_STARTED if failed else DONE


def write(path: Path, data: bytes) -> None:
    """Write a file. Raises RemiError."""
    try:
        path.write_bytes(data)
    except OSError as error:
        raise RemiError(f"{path} cannot be written: {error.strerror}. Give another --out, or make room") from None


def unreadable(paths: Sequence[Path]) -> dict[Path, RemiError]:
    """Which meshes cannot be read, and why."""
    from remi_stream.morph.files import read_mesh

    bad = {}
    for path in paths:
        try:
            read_mesh(path)
        except RemiError as error:
            bad[path] = error
    return bad


def work(a: End, b: End, folder: Path, look: Look, minimal: bool, tell: Tell) -> dict[str, Cell]:
    """Morph a pair into a folder, and say so; give its statistics. Raises RemiError."""
    from remi_stream.morph.pair import pair_of
    from remi_stream.morph.work import write_whole

    begun_at = time.monotonic()
    pair = pair_of(a, b)
    row = write_whole(pair, folder, look, minimal, tell)
    words = f"moves by {pair.lengths.mean():.4g} on average, {pair.lengths.max():.4g} at most"
    told = f"{pair.a.name} to {pair.b.name}: {look.frames} frames in {time.monotonic() - begun_at:.1f} s, {words} -> {folder}"
    log.info("%s", told)
    print(told, flush=True)
    return row


def open_gpu() -> object | None:
    """OpenGL on a GPU; None, told in a line, where there is none."""
    from remi_stream.morph import gpu_painter

    try:
        context = gpu_painter.open_gpu()
    except RemiError as error:
        log.warning("%s. The CPU draws", error)
        return None
    log.info("drawn by %s", context.info["GL_RENDERER"])
    return context


def parse_size(text: str) -> tuple[int, int]:
    """Width and height, px. Raises UsageError."""
    parts = text.lower().split("x")
    if len(parts) != 2 or not all(part.isascii() and part.isdigit() and SMALLEST_PX <= int(part) <= LARGEST_PX for part in parts):
        raise UsageError(f"--size is '{text}'; it must be WIDTHxHEIGHT, {SMALLEST_PX} to {LARGEST_PX} px, like 720x720")
    return int(parts[0]), int(parts[1])


def refuse_loss(folders: Sequence[Path], overwrite: bool) -> None:
    """Raise UsageError if something is there that would be written over."""
    there = [folder for folder in folders if folder.exists()]
    if there and not overwrite:
        raise UsageError(f"{there[0]} is there already. Give --overwrite to replace it, or another --out")


@contextmanager
def session(out: Path, level: int) -> Iterator[None]:
    """Write what happens into session.log, after what happened earlier; warnings also to stderr."""
    from remi_stream.log import Line, Through

    try:
        out.mkdir(parents=True, exist_ok=True)
        log_file = logging.FileHandler(out / "session.log", encoding="utf-8")
    except OSError as error:
        from remi_stream.mounts import why_unwritable

        why = why_unwritable(out, error, "Give another --out")
        raise UsageError(f"--out {out} cannot be a folder: {why}") from None
    handlers: list[logging.Handler] = [log_file, Through(say)]
    for handler, least in zip(handlers, (level, max(level, logging.WARNING))):
        handler.setLevel(least)
        handler.setFormatter(Line("morph", "text"))
        handler.addFilter(Once())
        log.addHandler(handler)
    log.propagate = False
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
    """Say a line on stderr, above a bar if there is one."""
    print(line, file=sys.stderr)


class Once(logging.Filter):
    """Lets a warning through once: a mesh of a batch is read for each of its pairs."""

    def __init__(self) -> None:
        super().__init__()
        self._told: set[str] = set()

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether to tell."""
        told = record.levelno == logging.WARNING and record.getMessage() in self._told
        self._told.add(record.getMessage())
        return not told


@contextmanager
def bar(frames: int) -> Iterator[Tell]:
    """A bar on a terminal, nothing elsewhere."""
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
