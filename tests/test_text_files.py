"""JSON files of strangers: whatever is in them ends in a ValueError that says why."""

from __future__ import annotations

import math
from pathlib import Path

import msgspec
import pytest

from remi_stream.errors import RemiError
from remi_stream.recordings.index import INDEX_FILE, read_recording_index
from remi_stream.recordings.results import RESULTS_INDEX_FILE, TAKE_FOLDER, read_results_index
from remi_stream.text_files import decode_json, read_json, read_limited


@pytest.mark.parametrize("content", [b"[" * 100_000, b'{"a":' * 100_000, b"1" + b"0" * 5000, b"\xff", b"", b'{"a": 1'])
@pytest.mark.parametrize("kind", [None, dict[str, float], list[msgspec.Raw]])
def test_bad_json_is_a_value_error(content: bytes, kind: type | None, tmp_path: Path) -> None:
    (tmp_path / "x.json").write_bytes(content)
    with pytest.raises(ValueError, match=r"."):
        read_json(tmp_path / "x.json") if kind is None else read_json(tmp_path / "x.json", kind)


def test_numbers_that_python_writes_are_read_and_files_have_a_limit(tmp_path: Path) -> None:
    assert math.isnan(decode_json(b"[NaN]")[0])
    (tmp_path / "x").write_bytes(bytes(3_000_000))
    assert len(read_limited(tmp_path / "x", 3_000_000)) == 3_000_000
    with pytest.raises(ValueError, match="more than 2 MB"):
        read_limited(tmp_path / "x", 2_000_000)


def test_index_that_is_nested_deeply_is_refused_in_one_line(tmp_path: Path) -> None:
    deep = b'{"a": ' + b"[" * 100_000
    (tmp_path / INDEX_FILE).write_bytes(deep)
    with pytest.raises(RemiError, match="not the index of a recording: it is nested too deeply"):
        read_recording_index(tmp_path)
    (tmp_path / TAKE_FOLDER).mkdir()
    (tmp_path / TAKE_FOLDER / RESULTS_INDEX_FILE).write_bytes(deep)
    with pytest.raises(RemiError, match="not an index of results"):
        read_results_index(tmp_path)
