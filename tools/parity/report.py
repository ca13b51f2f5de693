"""How rows are told to people."""

from __future__ import annotations

from parity.rows import Row


def told(row: Row) -> str:
    """One line: name, largest error, tolerance, what the tolerance is, verdict."""
    verdict = "pass" if row.passed else "MISSING" if row.rule.startswith("missing") else "FAIL"
    return f"{row.name:62} {row.error:10.3g} {row.tolerance:10.3g}  {verdict:7} {row.rule}"


def verdict_of(rows: list[Row]) -> str:
    """The last line: how many passed, failed, are missing."""
    absent = sum(row.rule.startswith("missing") for row in rows)
    failed = sum(not row.passed for row in rows) - absent
    return f"{len(rows)} rows: {len(rows) - failed - absent} pass, {failed} fail, {absent} missing"
