"""`remi-stream compare`: two files of measurements, as a table and a picture."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from remi_stream.errors import UsageError
from remi_stream.measure.chart import draw
from remi_stream.measure.comparison import Chapter, Comparison
from remi_stream.measure.comparison import compare as compared
from remi_stream.measure.measurements import Measurements, read

NARROWEST = 110
LONGEST_NAME = 30
BETTER = "the better one, where one way is better: by more than 1 %, and more than rows differ by chance"


def compare(
    first: Annotated[Path, typer.Argument(metavar="A.csv", help="REMI's columns, REMI's relay's, or ours.", show_default=False)],
    second: Annotated[Path, typer.Argument(metavar="B.csv", help="Another file of the same kind.", show_default=False)],
    out: Annotated[Path | None, typer.Option(metavar="FILE.png", help="Draw a picture, too.")] = None,
    names: Annotated[
        tuple[str, str] | None, typer.Option(metavar="A B", help="What they are called (default: as the files are).")
    ] = None,
) -> int:
    """Compare two files of measurements, condition by condition: means of their rows, difference, ratio, the better one."""
    if out and out.suffix.lower() != ".png":
        raise UsageError(f"--out is a picture, FILE.png; got {out}")
    files = read(first), read(second)
    comparison = compared(*files, names_of(first, second, names))
    for file in files:
        _tell_torn(file)
    console = Console()
    console = console if console.is_terminal else Console(width=max(console.width, NARROWEST))
    for chapter in comparison.chapters:
        console.print(table_of(comparison, chapter))
    console.print(Text(f"\n* {BETTER}", style="dim"))
    if out:
        draw(comparison, out)
        print(f"picture {out}")
    return 0


def names_of(first: Path, second: Path, names: tuple[str, str] | None) -> tuple[str, str]:
    """What the files are called: as asked for, or by their names, or their folders if these are the same."""
    if names:
        for name in names:
            if not name.strip() or not name.isprintable() or len(name) > LONGEST_NAME:
                raise UsageError(f"--names: {name!r:.50} is not a line of 1 to {LONGEST_NAME} characters")
        return names
    told = (first.stem, second.stem)
    if first.stem == second.stem:
        told = (first.absolute().parent.name, second.absolute().parent.name)
    short = tuple(name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}…" for name in told)
    return (short[0], short[1]) if short[0] != short[1] else ("A", "B")


def table_of(comparison: Comparison, chapter: Chapter) -> Table:
    """One condition's table."""
    rows = " and ".join(f"{count} row{'' if count == 1 else 's'}" for count in chapter.rows)
    table = Table(box=None, pad_edge=False, header_style="bold", title_justify="left", title_style="bold cyan")
    table.title = f"\n{chapter.condition} ({rows})"
    table.add_column(comparison.kind.name, min_width=27)
    table.add_column("", min_width=3)
    for name in (*comparison.names, "difference", "ratio"):
        table.add_column(name, justify="right", min_width=10)
    for line in chapter.lines:
        values = [_value(value, line.better == number) for number, value in enumerate((line.first, line.second))]
        ratio = "-" if line.ratio != line.ratio else f"{line.ratio:.2f}"
        table.add_row(line.quantity.name, line.quantity.unit, *values, told(line.difference, "+"), ratio)
    return table


def _value(value: float, better: bool) -> Text:
    return Text(f"{told(value)} *", style="bold green") if better else Text(f"{told(value)}  ")


def told(value: float, sign: str = "") -> str:
    """A number as people read it: four digits that count, "-" for none."""
    if value != value:
        return "-"
    decimals = 1 if abs(value) >= 100 else 2 if abs(value) >= 1 else 4
    return f"{value:{sign}.{decimals}f}"


def _tell_torn(file: Measurements) -> None:
    for number in file.torn:
        print(f"{file.path}, line {number} is not a whole row: left out", file=sys.stderr)
