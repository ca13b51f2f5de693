"""Configuration: allowed values, and the errors for others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from remi_stream import config
from remi_stream.errors import UsageError

CAMERA = {"name": "a", "source": "x.mp4"}


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (
            {"cameras": [CAMERA], "enigne": "poco"},
            "there is no key `enigne`. Did you mean `engine`\\? Keys: name, cameras, engine",
        ),
        (
            {"cameras": [{**CAMERA, "sorce": "y"}]},
            r"cameras\[0\]: there is no key `sorce`. Did you mean `source`\? Keys: name, source",
        ),
        ({"cameras": []}, "`cameras` is a list of 0 entries; allowed: a list of maps with at least one entry"),
        ({}, "`cameras` is missing; allowed: a list of maps with at least one entry"),
        ({"cameras": [CAMERA], "max_people": 0}, "`max_people` is 0; allowed: a whole number of 1 to 32"),
        ({"cameras": [CAMERA], "max_people": "two"}, "`max_people` is 'two'; allowed: a whole number of 1 to 32"),
        ({"cameras": [CAMERA, CAMERA]}, "two cameras are named 'a'"),
        (
            {"cameras": [CAMERA], "engine": "x", "engine_options": {"y": "z"}},
            "`engine_options` is a map of 1 entry; allowed: a map of names to numbers",
        ),
        (
            {"cameras": [{**CAMERA, "engine": "poco"}], "engine": "pare", "engine_options": {"y": 1}},
            "`engine_options` are for engine 'pare', but the cameras use poco",
        ),
        ({"cameras": [CAMERA, {**CAMERA, "name": "a/b"}]}, r"`cameras\[1\].name` is 'a/b'; allowed: 1 to 40 of A-Z"),
        ({"cameras": [{"source": "x.mp4"}]}, r"cameras\[0\]: `name` is missing; allowed: 1 to 40 of A-Z"),
        ({"cameras": "rtsp://u:secret@h/"}, "`cameras` is 'rtsp://[^s]*; allowed: a list of maps"),
        ({"cameras": {"a": "rtsp://u:secret@h/"}}, "`cameras` is a map of 1 entry; allowed: a list of maps"),
        ({"cameras": [{**CAMERA, "fps": -1}]}, r"`cameras\[0\].fps` is -1; allowed: a number above 0"),
        (
            {"cameras": [{**CAMERA, "fps": None, "size": [640, 0]}]},
            r"`cameras\[0\].size\[1\]` is 0; allowed: a whole number of 1 to",
        ),
        (
            {"cameras": [{**CAMERA, "masks": [[[1, 2], [3, 4]]]}]},
            r"`cameras\[0\].masks\[0\]` is a list of 2 entries; allowed: a list",
        ),
        ({"cameras": [CAMERA], "subject": "all"}, "`subject` is 'all'; allowed: largest or nearest"),
        ({"cameras": [CAMERA], "metrics": "maybe"}, "`metrics` is 'maybe'; allowed: true or false"),
        ({"cameras": [CAMERA], "bind": "a b"}, "`bind` is 'a b'; allowed: an address or host name"),
        ({"cameras": [CAMERA], "record": ""}, "`record` is ''; allowed: a text, not empty"),
        (
            {"cameras": [{**CAMERA, "focal_px": 9, "calibration": "c"}]},
            r"cameras\[0\]: `focal_px` and `calibration` both set the focal length",
        ),
        ({"cameras": [CAMERA], "name": ".."}, r"`name` is '..'; allowed: 1 to 40 of A-Z"),
    ],
)
def test_invalid_value_is_named_with_the_allowed_ones(values: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        config.parse_config(values)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("on: 1", r'a key is yes, on or true, which YAML reads as true, not as a text; quote it, e.g. "yes"'),
        ("cameras: [{no: 1}]", r"cameras\[0\]: a key is no, off or false, .*quote it"),
        ("engine_options: {3: 4}", r'engine_options: the key 3 is not a text; quote it: "3"'),
        ("null: 1", r"the key null is not a text"),
        ("? 2026-12-01\n: 1", r"the key 2026-12-01"),
    ],
)
def test_key_that_yaml_reads_as_no_text_is_named(text: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text(text)
    with pytest.raises(UsageError, match=words) as error:
        config.parse_config(config.read_config_file(tmp_path / "p.yaml"))
    assert "\n" not in str(error.value)


MERGE_BOMB = "a0: &a0 {b: 1}\n" + "".join(f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 10)}]}}\n" for n in range(1, 8))
"""Each level has ten times the keys of the one before."""


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("cameras: [", "is not YAML"),
        ("- a", "must hold a map"),
        (None, "Cannot read .*: No such file"),
        ("[" * 5000, "nested too deeply"),
        ("a: &a [*a]", "more than 100000 items"),
        ("".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10) if n else 1}]\n" for n in range(8)), "more than 100000 items"),
        (MERGE_BOMB, "more than 100000 items"),
        ("# " + "x" * 1_100_000, "more than 1 MB"),
        ("a: " + "1" * 5000, "is not YAML"),
        ("a: 2026-99-99", "is not YAML"),
        ("a: !!timestamp b", "is not YAML"),
        ("a: \udcff", "is not YAML"),
    ],
)
def test_file_that_is_no_pipeline_is_refused_in_one_line(text: str | None, words: str, tmp_path: Path) -> None:
    path = tmp_path / "p.yaml"
    if text is not None:
        path.write_text(text, errors="surrogateescape")
    with pytest.raises(UsageError, match=words) as error:
        config.read_config_file(path)
    assert "\n" not in str(error.value)


def test_camera_without_an_engine_has_the_pipelines() -> None:
    cameras = [CAMERA, {**CAMERA, "name": "b", "engine": "poco"}]
    made = config.parse_config({"cameras": cameras, "engine": "pare", "engine_options": {"y": 1}})
    assert made.engine_by_camera == {"a": "pare", "b": "poco"}
    assert (made.options_for_engine("pare"), made.options_for_engine("poco")) == ({"y": 1}, {})


def test_default_daemon_has_the_documented_ports() -> None:
    services = (config.BUS_SERVICE, config.WEB_SERVICE, config.METRICS_SERVICE)
    assert [config.daemon_port("default", service) for service in services] == [7700, 7710, 7720]


def test_named_daemon_has_other_ports_than_the_default_one() -> None:
    assert config.daemon_port("second", config.BUS_SERVICE) not in range(7700, 7800)
    assert config.daemon_port("second", config.METRICS_SERVICE) - config.daemon_port("second", config.BUS_SERVICE) == 20
