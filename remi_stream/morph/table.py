"""CSV encoding."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

CsvCell = str | int | float | None


def encode_csv_array(columns: Sequence[str], row_format: str, values: np.ndarray) -> bytes:
    """Encode many rows (N, C) with one %-format, which includes the line end; fast."""
    return (",".join(columns) + "\n" + row_format * len(values) % tuple(values.ravel().tolist())).encode()


def encode_csv(rows: Sequence[Mapping[str, CsvCell]]) -> bytes:
    """Encode rows with the columns of the first one; None becomes an empty cell."""
    lines = [",".join(rows[0]), *(",".join(_cell(value) for value in row.values()) for row in rows)]
    return ("\n".join(lines) + "\n").encode()


def _cell(value: CsvCell) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return f'"{value.replace(chr(34), chr(34) * 2)}"' if set(value) & set(',"\n\r') else value
    return f"{value:d}" if isinstance(value, int) else f"{value:.9g}"
