"""The CSV of measurements: header once, whole rows."""

from __future__ import annotations

import csv
import fcntl
import math
import os
import resource
import signal
import threading
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest

from remi_stream.errors import RemiError
from remi_stream.measure.table import append_row, check_appendable, format_csv_line, format_number, format_row

COLUMNS = ("Timestamp", "Condition", "A (mm)")
ROW = ["2025-01-01 00:00:00", "Fast Motion", "1.5000"]


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (1.5, "1.5000"),
        (np.float64(2 / 3), "0.6667"),
        (np.float32(2.7595723), "2.7595723"),
        (math.nan, "NaN"),
        (np.float32("nan"), "NaN"),
    ],
)
def test_numbers_are_written_as_remi_does(value: float, told: str) -> None:
    assert format_number(value) == told


def test_row_has_the_local_time_then_names_then_numbers() -> None:
    assert format_row(datetime(2025, 3, 4, 5, 6, 7, 890), ["Optimal"], [1.0, np.float32(0.1)]) == [
        "2025-03-04 05:06:07",
        "Optimal",
        "1.0000",
        "0.1",
    ]


def test_header_comes_once(tmp_path: Path) -> None:
    path = tmp_path / "metrics.csv"
    for _ in range(3):
        append_row(path, COLUMNS, ROW)
    assert path.read_text() == "Timestamp,Condition,A (mm)\n" + 3 * "2025-01-01 00:00:00,Fast Motion,1.5000\n"


def test_condition_may_hold_anything(tmp_path: Path) -> None:
    path, condition = tmp_path / "metrics.csv", 'dark, "very"\nand wet: é'
    append_row(path, COLUMNS, ["now", condition, "1"])
    with path.open(newline="", encoding="utf-8") as file:
        assert list(csv.reader(file))[1] == ["now", condition, "1"]


def test_empty_file_gets_its_header(tmp_path: Path) -> None:
    path = tmp_path / "metrics.csv"
    path.touch()
    append_row(path, COLUMNS, ROW)
    assert len(path.read_text().splitlines()) == 2


def test_torn_last_row_is_ended_first(tmp_path: Path) -> None:
    path = tmp_path / "metrics.csv"
    append_row(path, COLUMNS, ROW)
    with path.open("a") as file:
        file.write("2025-01-01 00:00:01,Fa")
    append_row(path, COLUMNS, ROW)
    assert path.read_text().splitlines()[-2:] == ["2025-01-01 00:00:01,Fa", format_csv_line(ROW)]


@pytest.mark.parametrize("header", ["Timestamp,Condition", "Timestamp,Condition,A (mm),B", "x"])
def test_file_with_other_columns_is_left_as_it_is(header: str, tmp_path: Path) -> None:
    path = tmp_path / "metrics.csv"
    path.write_text(f"{header}\n1,2,3\n")
    with pytest.raises(RemiError, match=r"metrics\.csv has other columns"):
        append_row(path, COLUMNS, ROW)
    with pytest.raises(RemiError, match=r"metrics\.csv has other columns"):
        check_appendable(path, COLUMNS)
    assert path.read_text() == f"{header}\n1,2,3\n"


def test_file_of_another_system_can_be_continued(tmp_path: Path) -> None:
    path = tmp_path / "metrics.csv"
    path.write_bytes(b"Timestamp,Condition,A (mm)\r\n1,2,3\r\n")
    append_row(path, COLUMNS, ROW)
    assert path.read_bytes().endswith(b"1,2,3\r\n" + format_csv_line(ROW).encode() + b"\n")


def test_missing_folder_is_reported(tmp_path: Path) -> None:
    with pytest.raises(RemiError, match=r"metrics\.csv cannot be written: No such file or directory"):
        append_row(tmp_path / "none" / "metrics.csv", COLUMNS, ROW)


def test_rows_of_several_writers_are_all_there(tmp_path: Path) -> None:
    path = tmp_path / "metrics.csv"
    writers = [threading.Thread(target=lambda: [append_row(path, COLUMNS, ROW) for _ in range(20)]) for _ in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert path.read_text().splitlines() == [format_csv_line(COLUMNS), *[format_csv_line(ROW)] * 80]


def test_writer_waits_for_another_one(tmp_path: Path) -> None:
    path = tmp_path / "metrics.csv"
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        writer = threading.Thread(target=append_row, args=(path, COLUMNS, ROW))
        writer.start()
        writer.join(0.1)
        file.write(f"{format_csv_line(COLUMNS)}\n")
        file.flush()
        fcntl.flock(file, fcntl.LOCK_UN)
        writer.join()
    assert path.read_text().splitlines() == [format_csv_line(COLUMNS), format_csv_line(ROW)]


def test_row_that_does_not_fit_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "metrics.csv"
    append_row(path, COLUMNS, ROW)
    before = path.read_bytes()
    child = os.fork()
    if not child:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 10, len(before) + 10))
        try:
            append_row(path, COLUMNS, ROW)
        except RemiError:
            os._exit(7)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
    assert path.read_bytes() == before


def test_check_finds_beforehand_what_would_fail_and_writes_nothing(tmp_path: Path) -> None:
    good = tmp_path / "metrics.csv"
    check_appendable(good, COLUMNS)
    assert not good.exists()
    append_row(good, COLUMNS, ROW)
    before = good.read_bytes()
    check_appendable(good, COLUMNS)
    assert good.read_bytes() == before
    with pytest.raises(RemiError, match=r"folder .*none does not exist\.$"):
        check_appendable(tmp_path / "none" / "metrics.csv", COLUMNS)
    with pytest.raises(RemiError, match="Is a directory"):
        check_appendable(tmp_path, COLUMNS)


def test_full_device_is_reported_as_such() -> None:
    with pytest.raises(RemiError, match=r"^/dev/full cannot be written: No space left on device\.$"):
        append_row(Path("/dev/full"), COLUMNS, ROW)
