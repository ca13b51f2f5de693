from __future__ import annotations

import pytest

from remi_stream.models.manifest import find_model_file, is_non_commercial, licence_notice


@pytest.mark.parametrize(
    ("licence", "bound"),
    [
        ("Apache-2.0", False),
        ("public domain (darknet)", False),
        ("MIT", False),
        ("CC BY-NC 4.0", True),
        ("non-commercial research (MPI)", True),
        ("Noncommercial", True),
    ],
)
def test_licences_that_forbid_commerce_are_known(licence: str, bound: bool) -> None:
    assert is_non_commercial(licence) == bound


def test_notice_is_one_line_that_names_models_and_licences() -> None:
    files = [find_model_file(name) for name in ("poco_cliff", "pose_detection", "videopose3d", "pare")]
    assert licence_notice(files) == (
        "for non-commercial use only: poco_cliff, pare (non-commercial research (MPI)); "
        "for non-commercial use only: videopose3d (CC BY-NC 4.0)"
    )
    assert licence_notice([find_model_file("pose_detection")]) == ""
