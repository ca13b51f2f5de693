"""`remi-stream compare`: compares two measurement files in a table and a chart."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from remi_stream.errors import UsageError
from remi_stream.measure.chart import draw_comparison
from remi_stream.measure.comparison import ComparedCondition, Comparison
from remi_stream.measure.comparison import compare_measurements as compared
from remi_stream.measure.measurements import Measurements, read_measurements

COMPARISON_MIN_WIDTH = 110
"""Columns of the table where output goes to a file; Rich would wrap at 80."""
MAX_NAME_LENGTH = 30
BETTER_NOTE = "better, for quantities with a direction: by more than 1 % and more than the rows vary by chance"


def compare(
    first: Annotated[
        Path, typer.Argument(metavar="A.csv", help="Columns of REMI, of REMI's relay, or ours.", show_default=False)
    ],
    second: Annotated[Path, typer.Argument(metavar="B.csv", help="A second file of the same kind.", show_default=False)],
    out: Annotated[Path | None, typer.Option(metavar="FILE.png", help="Also draw a chart.")] = None,
    names: Annotated[
        tuple[str, str] | None, typer.Option(metavar="A B", help="Labels of the two files (default: the file names).")
    ] = None,
) -> int:
    """Compare two measurement files per condition: means of their rows, difference, ratio, and which is better."""
    if out and out.suffix.lower() != ".png":
        raise UsageError(f"--out must be an image, FILE.png; got {out}")
    files = read_measurements(first), read_measurements(second)
    comparison = compared(*files, file_labels(first, second, names))
    for file in files:
        _warn_incomplete_rows(file)
    console = Console()
    console = console if console.is_terminal else Console(width=max(console.width, COMPARISON_MIN_WIDTH))
    for chapter in comparison.conditions:
        console.print(comparison_table(comparison, chapter))
    console.print(Text(f"\n* {BETTER_NOTE}", style="dim"))
    if out:
        draw_comparison(comparison, out)
        print(f"chart {out}")
    return 0


def file_labels(first: Path, second: Path, names: tuple[str, str] | None) -> tuple[str, str]:
    """Labels of the two files: --names, else the file names, else the folders if the file names are equal."""
    if names:
        for name in names:
            if not name.strip() or not name.isprintable() or len(name) > MAX_NAME_LENGTH:
                raise UsageError(f"--names: {name!r:.50} is not a line of 1 to {MAX_NAME_LENGTH} characters")
        return names
    labels = (first.stem, second.stem)
    if first.stem == second.stem:
        labels = (first.absolute().parent.name, second.absolute().parent.name)
    short = tuple(name if len(name) <= MAX_NAME_LENGTH else f"{name[: MAX_NAME_LENGTH - 1]}…" for name in labels)
    return (short[0], short[1]) if short[0] != short[1] else ("A", "B")


def comparison_table(comparison: Comparison, chapter: ComparedCondition) -> Table:
    """Table of one condition."""
    rows = " and ".join(f"{count} row{'' if count == 1 else 's'}" for count in chapter.rows)
    table = Table(box=None, pad_edge=False, header_style="bold", title_justify="left", title_style="bold cyan")
    table.title = f"\n{chapter.condition} ({rows})"
    table.add_column(comparison.kind.name, min_width=27)
    table.add_column("", min_width=3)
    for name in (*comparison.names, "difference", "ratio"):
        table.add_column(name, justify="right", min_width=10)
    for line in chapter.quantities:
        values = [_value(value, line.better == number) for number, value in enumerate((line.first, line.second))]
        ratio = "-" if line.ratio != line.ratio else f"{line.ratio:.2f}"
        table.add_row(line.quantity.name, line.quantity.unit, *values, format_number(line.difference, "+"), ratio)
    return table


def _value(value: float, better: bool) -> Text:
    return Text(f"{format_number(value)} *", style="bold green") if better else Text(f"{format_number(value)}  ")


def format_number(value: float, sign: str = "") -> str:
    """Format a number with about four significant digits; "-" for NaN."""
    if value != value:
        return "-"
    decimals = 1 if abs(value) >= 100 else 2 if abs(value) >= 1 else 4
    return f"{value:{sign}.{decimals}f}"


def _warn_incomplete_rows(file: Measurements) -> None:
    for number in file.incomplete_lines:
        print(f"{file.path}, line {number} is an incomplete row: skipped", file=sys.stderr)
