"""The pipeline files that come with remi-stream are valid."""

from __future__ import annotations

from pathlib import Path

import pytest

from remi_stream import config
from remi_stream.paths import shipped_folder

FILES = sorted(shipped_folder("configs").glob("*.yaml"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_pipeline_file_that_we_ship_is_valid(file: Path) -> None:
    assert config.parse_config(config.read_config_file(file)).cameras


def test_pipeline_files_are_shipped() -> None:
    assert {"webcam.yaml", "cameras.yaml"} <= {file.name for file in FILES}
