"""`compare`: tables and chart of two measurement files."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from remi_stream.cli.app import app
from remi_stream.cli.measure import format_number
from remi_stream.errors import RemiError, UsageError
from remi_stream.measure.table import MEASUREMENT_KINDS, REMI_POSE, REMI_RELAY, REMI_STREAM_MOTION, MeasurementKind, append_row


def write(path: Path, kind: MeasurementKind, *rows: tuple[str, float]) -> str:
    """Write a file with one number in all columns of each row; return its path."""
    path.parent.mkdir(exist_ok=True)
    for condition, value in rows:
        texts = ["2026-01-01 00:00:00", condition, *["x"] * (kind.text_columns - 2)]
        append_row(path, kind.columns, [*texts, *["NaN" if value != value else f"{value:.4f}"] * len(kind.quantities)])
    return str(path)


def compare(*arguments: str) -> str:
    """Run the command; return stdout."""
    result = CliRunner().invoke(app, ["compare", *arguments], env={"COLUMNS": "160"})
    if result.exception:
        raise result.exception
    assert result.exit_code == 0
    return result.stdout


def line(text: str, name: str) -> list[str]:
    """The cells of the first line of this name."""
    found = re.search(rf"^{re.escape(name)} {{2,}}(.*)$", text, re.M)
    assert found, text
    return re.split(r" {2,}", found[1].strip())


@pytest.mark.parametrize("kind", MEASUREMENT_KINDS, ids=lambda kind: kind.name)
def test_each_kind_is_known_by_its_header(kind: MeasurementKind, tmp_path: Path) -> None:
    a, b = (write(tmp_path / f"{name}.csv", kind, ("Optimal", value), ("Optimal", value)) for name, value in (("a", 2), ("b", 3)))
    text = compare(a, b)
    assert re.search(rf"^{re.escape(kind.name)} +a +b +difference +ratio", text, re.M)
    for quantity in kind.quantities:
        cells = line(text, quantity.name)[1 if quantity.unit else 0 :]
        marked = [cell.endswith(" *") for cell in cells[:2]]
        assert marked == {"higher": [False, True], "lower": [True, False], "": [False, False]}[quantity.better]
        assert [cell.rstrip(" *") for cell in cells] == ["2.00", "3.00", "+1.00", "1.50"]


def test_means_over_the_rows_of_a_condition_are_compared(tmp_path: Path) -> None:
    a = write(tmp_path / "a.csv", REMI_POSE, ("Low Light", 1), ("Optimal", 5), ("Low Light", 3), ("Low Light", float("nan")))
    b = write(tmp_path / "b.csv", REMI_POSE, ("Low Light", 1), ("Custom, too", 4))
    text = compare(a, b)
    titles = re.findall(r"^(.*) \((\d) rows? and (\d) rows?(?:; n=1, not tested)?\) *$", text, re.M)
    assert titles == [("Low Light", "3", "1"), ("Optimal", "1", "0"), ("Custom, too", "0", "1")]
    rates = re.findall(r"^Processing rate +1/s +(.*?) *$", text, re.M)
    assert [re.split(r" {2,}", each) for each in rates] == [
        ["2.00", "1.00", "-1.00", "0.50"],
        ["5.00", "-", "-", "-"],
        ["-", "4.00", "-", "-"],
    ]


@pytest.mark.parametrize(("a", "b", "marks"), [(2, 2, 0), (0, 1, 7), (float("nan"), 1, 0)])
def test_only_a_known_difference_is_better(a: float, b: float, marks: int, tmp_path: Path) -> None:
    first, second = (
        write(tmp_path / "a.csv", REMI_STREAM_MOTION, ("Optimal", a), ("Optimal", a)),
        write(tmp_path / "b.csv", REMI_STREAM_MOTION, ("Optimal", b), ("Optimal", b)),
    )
    text = compare(first, second)
    assert len(re.findall(r"\d \*", text)) == (8 if marks else 0)
    assert line(text, "People")[-1] == ("1.00" if a == b else "-")


@pytest.mark.parametrize(
    ("a", "b", "better"),
    [
        ([100], [101], None),
        ([100], [200], None),
        ([100, 100.2], [101, 101.2], None),
        ([100, 100.2], [102, 102.2], 1),
        ([2, 3, 4], [1, 1.5, 2], None),
        ([2, 3, 4] * 4, [1, 1.5, 2] * 4, 0),
        ([2, 3, 4] * 10, [1.4, 2.4, 3.4] * 10, 0),
        ([2, 3, 4] * 4, [2.5], None),
        ([2, 3, 4] * 4, [0.5], 0),
        ([1, float("nan")], [2], None),
    ],
)
def test_difference_that_may_be_chance_is_not_better(a: list[float], b: list[float], better: int | None, tmp_path: Path) -> None:
    files = [
        write(tmp_path / name, REMI_POSE, *(("Optimal", value) for value in values)) for name, values in (("a", a), ("b", b))
    ]
    text = compare(*files)
    assert ("n=1, not tested" in text) == (max(len(a), len(b)) == 1)
    cells = line(text, "Processing rate")[1:3]
    assert [cell.endswith(" *") for cell in cells] == [better == number for number in range(2)]


def test_files_are_named_by_their_stem_their_folder_or_as_requested(tmp_path: Path) -> None:
    a, b = (write(tmp_path / name / "m.csv", REMI_POSE, ("Optimal", 1)) for name in ("trt", "plain"))
    assert re.search(r"REMI's pose program +trt +plain ", compare(a, b))
    assert re.search(r"REMI's pose program +A +B ", compare(a, a))
    assert re.search(r"REMI's pose program +poco-trt +poco ", compare(a, b, "--names", "poco-trt", "poco"))


def test_image_shows_a_longer_bar_for_more(tmp_path: Path) -> None:
    from PIL import Image

    a, b = write(tmp_path / "a.csv", REMI_POSE, ("Optimal", 1)), write(tmp_path / "b.csv", REMI_POSE, ("Optimal", 2))
    out = tmp_path / "compare.png"
    assert compare(a, b, "--out", str(out)).endswith(f"chart {out}\n")
    pixels = np.asarray(Image.open(out).convert("RGB")).astype(int)[100:]
    blue, orange = (np.abs(pixels - colour).sum(2) < 40 for colour in ((72, 130, 201), (235, 137, 84)))
    assert orange.sum() == pytest.approx(2 * blue.sum(), rel=0.05)
    assert out.stat().st_size < 150_000
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["a.csv", "b.csv", "compare.png"]


@pytest.mark.parametrize("conditions", [1, 20, 21])
def test_image_of_up_to_twenty_conditions_is_drawn(conditions: int, tmp_path: Path) -> None:
    rows = [(f"{'a very long condition ' * 2}{k}", float(k)) for k in range(conditions)]
    a = write(tmp_path / "a.csv", REMI_RELAY, *rows)
    b = write(tmp_path / "b.csv", REMI_RELAY, *((condition, float("nan")) for condition, _ in rows))
    if conditions > 20:
        with pytest.raises(UsageError, match="room for 20 conditions, the files have 21"):
            compare(a, b, "--out", str(tmp_path / "c.png"))
        return
    compare(a, b, "--out", str(tmp_path / "c.png"))
    assert (tmp_path / "c.png").stat().st_size > 5000


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "Cannot read .*b.csv: No such file or directory"),
        ("", "does not have the columns of measurements .it has 0.. Known: REMI's pose program .9 columns., REMI's relay"),
        ("Timestamp,Condition\n1,2\n", "does not have the columns of measurements .it has 2."),
        (",".join(REMI_POSE.columns) + "\n", "has no rows"),
        (",".join(REMI_POSE.columns) + "\nnow,Optimal" + ",many" * 7 + "\n", "line 2: 'many' is not a number"),
        ("\0\xff\xfe", "CSV file|does not have the columns"),
        (",".join(REMI_RELAY.columns) + "\nnow,x,y" + ",1" * 10 + "\n", "Compare files of the same kind"),
    ],
)
def test_file_that_cannot_be_compared_is_reported(content: str | None, words: str, tmp_path: Path) -> None:
    a, b = write(tmp_path / "a.csv", REMI_POSE, ("Optimal", 1)), tmp_path / "b.csv"
    if content is not None:
        b.write_bytes(content.encode("latin-1"))
    with pytest.raises(UsageError, match=words) as caught:
        compare(a, str(b))
    assert "\n" not in str(caught.value)


def test_torn_row_is_left_out_and_reported(tmp_path: Path) -> None:
    a = write(tmp_path / "a.csv", REMI_POSE, ("Optimal", 1))
    with Path(a).open("a") as file:
        file.write("2026-01-01 00:00:01,Opt\n")
    write(Path(a), REMI_POSE, ("Optimal", 3))
    result = CliRunner().invoke(app, ["compare", a, a], env={"COLUMNS": "160"})
    assert result.stderr == f"{a}, line 3 is an incomplete row: skipped\n" * 2
    assert line(result.stdout, "Detection rate")[1] == "2.00"


def test_file_of_a_spreadsheet_is_read(tmp_path: Path) -> None:
    a = write(tmp_path / "a.csv", REMI_POSE, ("Optimal", 1))
    b = tmp_path / "b.csv"
    b.write_bytes(b"\xef\xbb\xbf" + Path(a).read_bytes().replace(b"\n", b"\r\n"))
    assert line(compare(a, str(b)), "Detection rate") == ["%", "1.00", "1.00", "+0.0000", "1.00"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--out", "c.jpg"], "--out must be an image, FILE.png; got c.jpg"),
        (["--names", "", "b"], "--names: '' is not a line of 1 to 30 characters"),
        (["--names", "a", "x" * 31], "is not a line of 1 to 30 characters"),
        (["--out", "none/c.png"], "none/c.png cannot be written: No such file or directory"),
    ],
)
def test_wrong_option_is_one_line(arguments: list[str], words: str, tmp_path: Path) -> None:
    a = write(tmp_path / "a.csv", REMI_POSE, ("Optimal", 1))
    with pytest.raises(RemiError, match=re.escape(words)):
        compare(a, a, *arguments)


@pytest.mark.parametrize(
    ("value", "text"), [(float("nan"), "-"), (0, "0.0000"), (0.12345, "0.1235"), (1.234, "1.23"), (1234.56, "1234.6")]
)
def test_numbers_have_about_four_significant_digits(value: float, text: str) -> None:
    assert format_number(value) == text
