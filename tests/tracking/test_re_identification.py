"""Re-identification by appearance and motion."""

from __future__ import annotations

import numpy as np
import pytest

from remi_stream.tracking.re_identification import Identity, TrackObservation, appearance_histogram

IMAGE = np.full((1000, 1000, 3), 90, np.uint8)
BOX = np.array([100, 100, 200, 400], np.float32)
LOOKS = appearance_histogram(IMAGE, BOX)


def sight(captured_at: float, x: float = 0.0, looks: np.ndarray = LOOKS) -> TrackObservation:
    return TrackObservation(captured_at, BOX + np.float32([x, 0, x, 0]), looks, 3.0)


def walker(frames: int = 15, step: float = 4.0) -> Identity:
    """A person who walks to the right, step px a frame."""
    someone = Identity(1, sight(0.0))
    for index in range(1, frames):
        someone.update(sight(index / 30, index * step), is_unoccluded=True)
    return someone


def test_appearance_distinguishes_shirts() -> None:
    image = IMAGE.copy()
    image[:, :500], image[:, 500:] = (200, 40, 40), (40, 40, 200)
    left = appearance_histogram(image, np.array([100, 100, 300, 900]))
    right = appearance_histogram(image, np.array([600, 100, 800, 900]))
    assert np.minimum(left, left).sum() == pytest.approx(1)
    assert np.minimum(left, right).sum() < 0.01


def test_moving_person_is_expected_further_on() -> None:
    someone = walker()
    assert np.allclose(someone.predict_center(14 / 30 + 0.5), [150 + 4 * (14 + 15), 250], atol=1)
    assert np.allclose(someone.predict_box(14 / 30 + 0.5), BOX + np.float32([116, 0, 116, 0]), atol=1)


def test_person_is_not_expected_to_walk_on_for_ever() -> None:
    someone = walker()
    assert np.allclose(someone.predict_center(5.0), someone.predict_center(100.0))


def test_colours_are_not_learned_from_an_occluded_person() -> None:
    someone = walker()
    other = np.roll(LOOKS, 1)
    someone.update(sight(0.5, looks=other), is_unoccluded=False)
    assert someone.appearance_distance(sight(0.5)) == pytest.approx(0)
    someone.update(sight(0.6, looks=other), is_unoccluded=True)
    assert someone.appearance_distance(sight(0.6)) > 0.05


def test_nothing_is_learned_while_the_identity_is_ambiguous() -> None:
    someone = walker()
    someone.is_ambiguous = True
    someone.update(sight(0.6, 500.0), is_unoccluded=True)
    assert someone.seen_at == pytest.approx(14 / 30)


def test_person_is_plausible_at_the_last_and_at_the_predicted_position() -> None:
    someone = walker(step=10.0)
    assert someone.is_plausible(sight(1.0, 140.0))
    assert someone.is_plausible(sight(1.0, 300.0))
    assert not someone.is_plausible(sight(1.0, 800.0))
