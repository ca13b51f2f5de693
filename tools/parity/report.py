"""Formats comparison rows and the verdict as text."""

from __future__ import annotations

from parity.rows import Row


def format_row(row: Row) -> str:
    """Format a row: name, largest error, tolerance, verdict, rule of the tolerance."""
    verdict = "pass" if row.passed else "MISSING" if row.rule.startswith("missing") else "FAIL"
    return f"{row.name:62} {row.error:10.3g} {row.tolerance:10.3g}  {verdict:7} {row.rule}"


def format_verdict(rows: list[Row]) -> str:
    """Format the last line: numbers of passed, failed and missing rows."""
    absent = sum(row.rule.startswith("missing") for row in rows)
    failed = sum(not row.passed for row in rows) - absent
    return f"{len(rows)} rows: {len(rows) - failed - absent} pass, {failed} fail, {absent} missing"
