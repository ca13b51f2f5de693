"""Filters by name: ours, and REMI's presets as ours."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from remi_stream.errors import UsageError
from remi_stream.filters.registry import FILTERS, OPTION_HELP, PRESETS, FilterSpec, resolve_filter

DOCUMENT = (Path(__file__).parents[2] / "docs" / "use" / "filters.md").read_text()
FPS = 30.0
MODERATE = {"min_cutoff": 1.0, "beta_turn": 0.5, "beta_move": 0.7, "d_cutoff": 1.0, "shape_cutoff": 0.5, "lead": 0.0}


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("one_euro", "one_euro"),
        ("one-euro", "one_euro"),
        ("One Euro", "one_euro"),
        ("OneEuro Moderate", "OneEuro Moderate"),
        ("oneeuro-moderate", "OneEuro Moderate"),
        ("single exp (alpha 0.3 smooth)", "Single Exp (Alpha 0.3 Smooth)"),
        ("single-exp-alpha-0.3-smooth", "Single Exp (Alpha 0.3 Smooth)"),
        ("moving_avg win_10 smooth", "Moving Avg (Win 10 Smooth)"),
    ],
)
def test_case_spaces_and_hyphens_do_not_count(given: str, name: str) -> None:
    assert resolve_filter(given).name == name


def test_normalised_names_are_unique() -> None:
    assert {resolve_filter(name).name for name in (*FILTERS, *PRESETS)} == {*FILTERS, *PRESETS}


@pytest.mark.parametrize("name", [*FILTERS, *PRESETS])
def test_resolved_filter_has_every_option_of_its_kind_and_each_has_a_help_text(name: str) -> None:
    choice = resolve_filter(name)
    assert list(choice.options) == list(FILTERS[choice.kind].options)
    assert set(choice.options) <= set(OPTION_HELP)
    if name in PRESETS:
        assert choice.kind == PRESETS[name].kind


def test_options_replace_defaults() -> None:
    assert resolve_filter("one-euro", {"min-cutoff": 1.5}).options == {**FILTERS["one_euro"].options, "min_cutoff": 1.5}


def test_filter_that_smooths_nothing_is_called_none() -> None:
    assert [resolve_filter(name).label for name in ("none", "No Filter Active", "OneEuro Smooth")] == [
        "none",
        "none",
        "OneEuro Smooth",
    ]


@pytest.mark.parametrize(
    ("name", "options", "text"),
    [
        ("one_eurp", {}, "Unknown filter 'one_eurp'. Did you mean 'one_euro'"),
        ("OneEuro Modarate", {}, "Did you mean 'OneEuro Moderate'?"),
        ("", {}, "Unknown filter ''."),
        ("OneEuro Smooth", {"lead": 0.5}, "'OneEuro Smooth' is a preset of REMI's and has no options"),
        ("moving-avg", {"min_cutoff": 1.0}, "Unknown option of filter 'moving_avg': 'min_cutoff'. Known: window_s."),
    ],
)
def test_unknown_names_and_options_are_refused_in_one_line(name: str, options: dict[str, float], text: str) -> None:
    with pytest.raises(UsageError) as caught:
        resolve_filter(name, options)
    assert text in str(caught.value)
    assert "\n" not in str(caught.value)


def test_one_euro_preset_has_remis_numbers_and_no_lead() -> None:
    assert resolve_filter("OneEuro Moderate") == FilterSpec("OneEuro Moderate", "one_euro", MODERATE)


@pytest.mark.parametrize("name", FILTERS)
def test_docs_list_every_filter_with_its_options_and_defaults(name: str) -> None:
    [row] = [line for line in DOCUMENT.splitlines() if line.startswith(f"| `{name}` |")]
    assert all(f"`{option}` {value:g}" in row for option, value in FILTERS[name].options.items())


@pytest.mark.parametrize("name", PRESETS)
def test_docs_list_every_preset_with_its_numbers(name: str) -> None:
    choice = resolve_filter(name)
    [row] = [
        line
        for line in DOCUMENT.splitlines()
        if line.startswith("|") and f"`{choice.kind}`" in line and name.split(" (")[0] in line
    ]
    assert name.partition(" (")[2] in row
    for option, value in choice.options.items():
        assert re.search(rf"`{option}` ([\d.]+, )*{value:g}\b", row), option
