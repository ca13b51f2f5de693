"""`remi-stream evaluate`: errors of a prediction against ground truth (MPJPE, PA-MPJPE, PVE, ...)."""

from __future__ import annotations

import enum
import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from rich.text import Text

from remi_stream.cli.console import count_progress, plain_table, table_console
from remi_stream.cli.options import check_chart_file
from remi_stream.errors import EXIT_DONE, UsageError

if TYPE_CHECKING:
    from remi_stream.evaluate.scores import Evaluation, Scores


class MatchBy(str, enum.Enum):
    """How predicted people are matched to true people."""

    box = "box"
    root = "root"


def evaluate(
    prediction: Annotated[
        Path,
        typer.Argument(help="Recording, results of `video`, or a person's .npz.", metavar="PREDICTION", show_default=False),
    ],
    truth: Annotated[
        str, typer.Argument(help="sample, a 3DPW or EMDB .pkl, or another prediction.", metavar="TRUTH", show_default=False)
    ],
    joint_set: Annotated[str, typer.Option(help="smpl24, lsp14 or limbs12 (default: the first that both have).")] = "",
    match: Annotated[
        MatchBy, typer.Option(help="How people are matched: by bounding boxes in the image, or by root joints in space.")
    ] = MatchBy.box,
    offset: Annotated[float, typer.Option(help="Start of the prediction's video within the truth, seconds.", metavar="S")] = 0.0,
    bodies: Annotated[
        Path | None,
        typer.Option(help="Folder with SMPL_MALE.pkl (or .npz) and SMPL_FEMALE.pkl, for 3DPW, EMDB.", metavar="DIR"),
    ] = None,
    joints: Annotated[bool, typer.Option("--joints", help="Also print a table per joint.")] = False,
    json: Annotated[Path | None, typer.Option(help="Also write all scores as JSON.", metavar="FILE")] = None,
    plot: Annotated[Path | None, typer.Option(help="Also draw a chart (extra plot).", metavar="FILE.png")] = None,
) -> int:
    """Evaluate a prediction: MPJPE, PA-MPJPE, PVE, acceleration, rotations, detection rate and identity switches."""
    check_chart_file("--plot", plot)
    if bodies and not bodies.is_dir():
        raise UsageError(f"No such folder: {bodies}. Give --bodies the folder with SMPL's pickles")
    from remi_stream.evaluate import chart, evaluation
    from remi_stream.evaluate.datasets import read_prediction, read_truth

    true = read_truth(truth, bodies)
    evaluation_options = evaluation.EvaluationOptions(joint_set, match.value, offset)
    with count_progress("people in frames") as progress:
        result = evaluation.evaluate(read_prediction(prediction), true, evaluation_options, progress)
    _print_result(result, joints)
    if json:
        evaluation.write_report(result, json)
        print(f"scores {json}")
    if plot:
        chart.draw_evaluation(result, plot)
        print(f"chart {plot}")
    return EXIT_DONE


def _print_result(result: Evaluation, joints: bool) -> None:
    """Print the tables and what could not be evaluated."""
    console = table_console()
    console.print(Text(result.title, style="bold cyan"))
    console.print(Text(f"{result.summary}\n", style="dim"))
    console.print(score_table(result))
    if joints and result.joints:
        console.print()
        console.print(joint_table(result))
    lines = [f"not evaluated: {score}: {reason}" for score, reason in result.left_out.items()] + list(result.notes)
    if result.extra:
        lines.append(f"false positives: {result.extra} people in frames")
    if lines:
        console.print(Text("\n" + "\n".join(lines), style="dim"))


def score_table(result: Evaluation) -> Table:
    """Table of the scores: all people together, then one row per person if there are several."""
    table = plain_table()
    table.add_column("")
    for name in ("found\n%", "id\nswitches", "MPJPE\nmm", "PA-MPJPE\nmm", "PVE\nmm", "acceleration\nmm/frame²", "\nm/s²"):
        table.add_column(name, justify="right")
    for name in ("rotation\ndeg", "root\nmm"):
        table.add_column(name, justify="right")
    table.add_row("all", *_cells(result.overall), style="bold")
    if len(result.people) > 1:
        for track, scores in result.people.items():
            table.add_row(f"person {track}", *_cells(scores))
    return table


def _cells(scores: Scores) -> list[str]:
    switches = "-" if scores.switches is None else str(scores.switches)
    lengths = (scores.mpjpe_mm, scores.pa_mpjpe_mm, scores.pve_mm)
    moves = (scores.acceleration_mm, scores.acceleration_m_per_s2, scores.rotation_deg, scores.root_mm)
    return [format_score(100 * scores.detection_rate), switches, *map(format_score, lengths), *map(format_score, moves)]


def joint_table(result: Evaluation) -> Table:
    """Table of the scores per joint."""
    table = plain_table()
    table.add_column("joint")
    for name in ("MPJPE\nmm", "PA-MPJPE\nmm", "rotation\ndeg"):
        table.add_column(name, justify="right")
    for name, scores in result.joints.items():
        table.add_row(name, *map(format_score, scores))
    return table


def format_score(value: float) -> str:
    """Format a score with one decimal; "-" for NaN."""
    return f"{value:.1f}" if math.isfinite(value) else "-"
