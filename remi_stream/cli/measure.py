"""`remi-stream measure` and `compare`: measure a running pipeline, and compare two files of measurements."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Table
from rich.text import Text

from remi_stream.cli.console import cell, plain_table, progress_bar, status_command, table_console
from remi_stream.cli.options import check_chart_file, with_daemon
from remi_stream.errors import RemiError, UsageError, unknown_name_error
from remi_stream.measure.chart import draw_comparison
from remi_stream.measure.comparison import ComparedCondition, Comparison, Measurements, compare_measurements, read_measurements
from remi_stream.measure.meters import CameraMeters, MeasurementRow, check_condition
from remi_stream.measure.table import REMI_POSE, REMI_RELAY, REMI_STREAM_MOTION, MeasurementKind, check_appendable
from remi_stream.messages import Bodies
from remi_stream.redaction import printable
from remi_stream.transport.address import DaemonAddress
from remi_stream.transport.link import LinkContext, Subscriber, send_control_request

FIRST_BODIES_TIMEOUT_S = 5.0
POLL_INTERVAL_S = 0.1


@with_daemon
def measure(
    daemon: DaemonAddress,
    condition: Annotated[str, typer.Option(help="Condition: Optimal, 'Low Light', or your own text.")] = "Optimal",
    seconds: Annotated[float, typer.Option(help="Duration of the measurement.", min=1, max=60)] = 5.0,
    camera: Annotated[str | None, typer.Option(help="Camera, if there are several.")] = None,
    csv: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Append a row with REMI's columns; our corrected ones go to NAME-honest.csv."),
    ] = None,
    filter_csv: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Append a row with the filter columns of REMI's relay.")
    ] = None,
) -> int:
    """Measure a running pipeline: REMI's quantities, and corrected ones of our own."""
    condition = check_condition(condition)
    files = csv_files(csv, filter_csv)
    for kind, path in files.items():
        check_appendable(path, kind.columns)
    ask = partial(send_control_request, daemon)
    status = ask({"ask": "status"})
    camera = choose_camera(camera, status)
    with closing(LinkContext()) as context:
        bus = Subscriber(context, daemon, [f"bodies/{camera}"])
        first = _wait_for_first(bus, camera, daemon.name)
        engine = status.get("engines", {}).get(camera, first.engine)
        meters = CameraMeters({camera: engine}, ask, seconds)
        frames = _feed_meters(bus, meters, first, seconds)
    rows = meters.measure(camera, condition, time.monotonic())
    print(printable(f"{camera}, {engine}: {frames} frames in {seconds:g} s, condition {condition}"))
    for row in rows:
        _print_row(row)
    for path in append_rows(rows, files):
        print(f"row added to {path}")
    return 0


def csv_files(csv: Path | None, filter_csv: Path | None) -> dict[MeasurementKind, Path]:
    """The CSV file of each kind of row."""
    files = {REMI_POSE: csv, REMI_STREAM_MOTION: csv.with_name(f"{csv.stem}-honest{csv.suffix}")} if csv else {}
    return {**files, **({REMI_RELAY: filter_csv} if filter_csv else {})}


def choose_camera(camera: str | None, status: dict[str, Any]) -> str:
    """The camera to measure. Raises UsageError if it is ambiguous or unknown."""
    cameras = status["cameras"]
    if not cameras:
        raise RemiError(f"The pipeline '{status['name']}' has no camera yet. See: remi-stream status --name {status['name']}")
    if camera is None and len(cameras) > 1:
        raise UsageError(f"There are several cameras; choose one with --camera: {', '.join(sorted(cameras))}")
    camera = camera or next(iter(cameras))
    if camera not in cameras:
        raise unknown_name_error("camera", camera, cameras)
    return camera


def append_rows(rows: list[MeasurementRow], files: dict[MeasurementKind, Path]) -> Iterator[Path]:
    """Append the requested rows; yield the paths."""
    recorded_at = datetime.now()
    by_kind = {row.kind: row for row in rows}
    for kind, path in files.items():
        if kind not in by_kind:
            raise RemiError(f"The relay has measured no filter, so no row is added to {path}.")
        yield by_kind[kind].append_to(path, recorded_at)


def _feed_meters(bus: Subscriber, meters: CameraMeters, first: Bodies, seconds: float) -> int:
    """Feed `first`, then the bodies of the given time to the meters; return their number without `first`."""
    now = time.monotonic()
    meters.add(first, now)
    frames, end = 0, now + seconds
    with _progress() as progress:
        task = progress.add_task(f"measuring {cell(first.camera)}", total=seconds)
        while now < end:
            bodies = _next_bodies(bus, first.camera, min(POLL_INTERVAL_S, end - now))
            now = time.monotonic()
            if bodies is not None:
                meters.add(bodies, now)
                frames += 1
            progress.update(task, completed=seconds - (end - now))
    return frames


def _wait_for_first(bus: Subscriber, camera: str, daemon: str) -> Bodies:
    """The first bodies of a camera. Raises RemiError after a timeout."""
    give_up_at = time.monotonic() + FIRST_BODIES_TIMEOUT_S
    while (bodies := _next_bodies(bus, camera, POLL_INTERVAL_S)) is None:
        if time.monotonic() > give_up_at:
            raise RemiError(f"No bodies of camera '{camera}' within {FIRST_BODIES_TIMEOUT_S:g} s. See: {status_command(daemon)}")
    return bodies


def _next_bodies(bus: Subscriber, camera: str, timeout_s: float) -> Bodies | None:
    """The next bodies of this camera; None if none arrive in time, or those of another camera."""
    item = bus.receive(max(0.0, timeout_s))
    # ZeroMQ matches topics by prefix: a subscription of "front" also receives "front-door".
    return item[1] if item is not None and item[1].camera == camera else None


def _progress() -> Progress:
    return progress_bar(TextColumn("{task.description}"), BarColumn(30), TextColumn("{task.completed:.0f} of {task.total:.0f} s"))


def _print_row(row: MeasurementRow) -> None:
    """Print a row as a table: name, value, unit and meaning of each quantity."""
    table = plain_table()
    table.title = f"\n{row.kind.name}" + (f": {row.names[-1]}" if row.kind is REMI_RELAY else "")
    table.add_column("", min_width=27)
    table.add_column("", justify="right", min_width=10)
    table.add_column("", min_width=4)
    table.add_column("", style="dim")
    table.show_header = False
    for quantity, value in zip(row.kind.quantities, row.numbers):
        table.add_row(quantity.name, format_number(float(value)), quantity.unit, quantity.description)
    table_console().print(table)


def format_number(value: float, sign: str = "") -> str:
    """Format a number with about four significant digits; "-" for NaN."""
    if value != value:
        return "-"
    decimals = 1 if abs(value) >= 100 else 2 if abs(value) >= 1 else 4
    return f"{value:{sign}.{decimals}f}"


# `remi-stream compare`

MAX_NAME_LENGTH = 30
"""Characters of a label; two such columns fit beside the others into `TABLE_WIDTH`."""
BETTER_NOTE = "better, for quantities with a direction: by more than 1 % and more than the rows vary by chance"


def compare(
    first: Annotated[
        Path,
        typer.Argument(
            metavar="A.csv", help="Measurements with REMI's columns, those of REMI's relay, or ours.", show_default=False
        ),
    ],
    second: Annotated[Path, typer.Argument(metavar="B.csv", help="A second file of the same kind.", show_default=False)],
    out: Annotated[Path | None, typer.Option(metavar="FILE.png", help="Also draw a chart (extra plot).")] = None,
    names: Annotated[
        tuple[str, str] | None, typer.Option(metavar="A B", help="Labels of the two files (default: the file names).")
    ] = None,
) -> int:
    """Compare two measurement files per condition: means of their rows, difference, ratio, and which is better."""
    check_chart_file("--out", out)
    files = read_measurements(first), read_measurements(second)
    comparison = compare_measurements(*files, file_labels(first, second, names))
    for file in files:
        _warn_incomplete_rows(file)
    console = table_console()
    for condition in comparison.conditions:
        console.print(comparison_table(comparison, condition))
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


def comparison_table(comparison: Comparison, condition: ComparedCondition) -> Table:
    """Table of one condition."""
    rows = " and ".join(f"{count} row{'' if count == 1 else 's'}" for count in condition.rows)
    table = plain_table()
    table.title = f"\n{condition.condition} ({rows}{'' if condition.is_tested else '; n=1, not tested'})"
    table.add_column(comparison.kind.name, min_width=27)
    table.add_column("", min_width=3)
    for name in (*comparison.names, "difference", "ratio"):
        table.add_column(name, justify="right", min_width=10)
    for line in condition.quantities:
        values = [_value_text(value, line.better == number) for number, value in enumerate((line.first, line.second))]
        ratio = "-" if line.ratio != line.ratio else f"{line.ratio:.2f}"
        table.add_row(line.quantity.name, line.quantity.unit, *values, format_number(line.difference, "+"), ratio)
    return table


def _value_text(value: float, better: bool) -> Text:
    return Text(f"{format_number(value)} *", style="bold green") if better else Text(f"{format_number(value)}  ")


def _warn_incomplete_rows(file: Measurements) -> None:
    for number in file.incomplete_lines:
        print(f"{file.path}, line {number} is an incomplete row: skipped", file=sys.stderr)
