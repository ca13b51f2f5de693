"""The display stage, on SDL's dummy screen."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import msgspec
import numpy as np
import pytest

from remi_stream.capture.preprocess import render_view
from remi_stream.config import CameraConfig, Config
from remi_stream.errors import RemiError
from remi_stream.measure.remi_metrics import CONDITIONS
from remi_stream.messages import Bodies, Frame, FrameView
from remi_stream.sinks.display import stage as display_stage
from remi_stream.sinks.display.stage import DisplayStage
from remi_stream.sinks.live_view import tile_images
from remi_stream.transport.address import daemon_address
from tests.clip import frames, intrinsics, truth
from tests.recordings.test_recorder import true_bodies
from tests.sample import bodies, facts, health, person

pygame = pytest.importorskip("pygame", reason="needs pygame-ce: pip install -e '.[display]'")
K = 60
FOOT_PX = 56


@pytest.fixture(autouse=True)
def _no_screen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")


def shown(*cameras: str, **more: Any) -> DisplayStage:
    """An opened display."""
    config = Config(cameras=tuple(CameraConfig(name=name, source="synthetic:") for name in cameras), **more)
    made = DisplayStage(config, daemon_address("not-running"))
    made.open()
    return made


@pytest.fixture
def display() -> Iterator[DisplayStage]:
    made = shown("front")
    yield made
    made.close()


def preview(k: int = K, **more: Any) -> Frame:
    """The sample clip's frame as a preview."""
    image = frames()[k]
    height, width = image.shape[:2]
    values = {"camera": "front", "epoch": 1, "frame_id": k, "captured_at": time.monotonic(), **more}
    frame = Frame(**values, image=image, size=(width, height), rectangle=(0.0, 0.0, float(width), float(height)))
    return render_view(frame, FrameView(longest_side=640, encoding="jpeg"))


def truth_of(k: int = K, **more: Any) -> Bodies:
    """The true bodies of the frame."""
    height, width = frames()[k].shape[:2]
    return msgspec.structs.replace(true_bodies(k), size=(width, height), intrinsics=intrinsics(), **more)


def surface(display: DisplayStage) -> np.ndarray:
    """Content of the window, (h, w, 3) uint8 RGB."""
    return pygame.surfarray.array3d(display._window._surface).swapaxes(0, 1).copy()


def plain(k: int = K) -> np.ndarray:
    """The preview's own pixels, (h, w, 3) uint8 RGB."""
    return cv2.imdecode(preview(k).image, cv2.IMREAD_COLOR)[..., ::-1]


def changed(display: DisplayStage) -> np.ndarray:
    """Pixels that differ from the preview, above the line of text: (h, w) bool."""
    difference = np.abs(surface(display).astype(int) - plain()).max(2)
    return (difference > 24)[:-FOOT_PX]


def press(display: DisplayStage, key: int) -> None:
    pygame.event.post(pygame.event.Event(pygame.KEYDOWN, key=key))
    display.tick(time.monotonic())


def test_body_is_drawn_over_the_person_in_the_image(display: DisplayStage, tmp_path: Path) -> None:
    display.step(facts())
    display.step(preview())
    display.step(truth_of(captured_at=time.monotonic() - 0.02))
    display.tick(time.monotonic())
    display._window.save(str(tmp_path / "display.png"))
    drawn = changed(display)
    joints = truth()["joints_px"][K] / 2
    inside = [drawn[int(y), int(x)] for x, y in joints if y < len(drawn)]
    assert np.mean(inside) > 0.9
    rows, columns = np.nonzero(drawn)
    low, high = joints.min(0), joints.max(0)
    assert columns.min() > low[0] - 25
    assert columns.max() < high[0] + 25
    assert rows.min() > low[1] - 30
    person_px = (high - low).prod()
    assert 0.15 * person_px < drawn.sum() < 1.2 * person_px


def test_m_changes_between_mesh_and_skeleton(display: DisplayStage) -> None:
    covered = []
    for epoch in (1, 2, 3):
        display.step(preview(epoch=epoch))
        display.step(truth_of(epoch=epoch))
        display.tick(time.monotonic())
        covered.append(changed(display).sum())
        press(display, pygame.K_m)
    assert 0 < covered[1] < 0.7 * covered[0]
    assert covered[2] == pytest.approx(covered[0], rel=0.02)


def test_person_without_smpl_is_drawn_as_a_skeleton(display: DisplayStage) -> None:
    bare = msgspec.structs.replace(truth_of().people[0], smpl=None)
    display.step(preview())
    display.step(truth_of(people=[bare]))
    display.tick(time.monotonic())
    assert 0 < changed(display).sum() < 8000


def test_nearer_body_hides_the_farther_one(display: DisplayStage) -> None:
    first = truth_of().people[0]
    assert first.smpl
    behind = msgspec.structs.replace(first.smpl, transl=first.smpl.transl * np.float32(1.3))
    people = [first, msgspec.structs.replace(first, track_id=2, smpl=behind)]
    for order in (people, people[::-1]):
        display.step(preview(epoch=len(order[0].keypoints_px) + order[0].track_id))
        display.step(truth_of(epoch=len(order[0].keypoints_px) + order[0].track_id, people=order))
        display.tick(time.monotonic())
        x, y = (truth()["joints_px"][K, 6] / 2).astype(int)
        _, green, blue = surface(display)[y, x]
        assert blue > green, "track 3 is violet, track 2 orange"


def test_bodies_of_another_frame_are_not_drawn(display: DisplayStage) -> None:
    display.step(preview(captured_at=time.monotonic() - 1))
    display.step(truth_of(K + 1))
    display.tick(time.monotonic())
    assert display.counts["images"] == 1
    assert changed(display).sum() == 0


def test_person_behind_or_at_the_camera_is_drawn_without_an_error(display: DisplayStage) -> None:
    smpl = truth_of().people[0].smpl
    assert smpl
    near = [msgspec.structs.replace(smpl, transl=np.array([0, 0, z], np.float32)) for z in (0.3, 0.0, -2.0)]
    display.step(preview())
    display.step(truth_of(people=[person(k + 1, smpl=each) for k, each in enumerate(near)]))
    display.tick(time.monotonic())
    assert display.counts["images"] == 1


@pytest.mark.parametrize("event", [{"type": "QUIT"}, {"type": "KEYDOWN", "key": "K_q"}])
def test_q_or_closing_the_window_ends_the_pipeline(display: DisplayStage, event: dict[str, str]) -> None:
    assert not display.is_finished
    fields = {"key": pygame.K_q} if "key" in event else {}
    pygame.event.post(pygame.event.Event(getattr(pygame, event["type"]), **fields))
    display.tick(time.monotonic())
    assert display.is_finished


def test_v_switches_recording_off_and_on(monkeypatch: pytest.MonkeyPatch) -> None:
    requests: list[dict[str, Any]] = []
    monkeypatch.setattr(display_stage, "send_control_request", lambda daemon, request, timeout_s: requests.append(request))
    display = shown("front", record="somewhere")
    for state in ("on", "off", "failed", "waiting"):
        display.step(health("recorder", facts={"recording": state}))
        press(display, pygame.K_v)
    display.close()
    assert [request["on"] for request in requests] == [False, True, True, False]
    assert {request["ask"] for request in requests} == {"record"}


def test_v_without_record_does_nothing(display: DisplayStage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(display_stage, "send_control_request", lambda *_: pytest.fail("no request may be sent"))
    press(display, pygame.K_v)


def test_r_without_bodies_or_relay_reports_why_nothing_is_written(tmp_path: Path) -> None:
    display = shown("left", "right", measurements=str(tmp_path / "new"))
    press(display, pygame.K_r)
    display._measuring.close()
    status = display._measuring.status_text(time.monotonic())
    display.tick(time.monotonic())
    display.close()
    assert status == (
        "No bodies of camera 'left' in the last 5 s: there is nothing to measure. "
        "No bodies of camera 'right' in the last 5 s: there is nothing to measure."
    )
    assert not (tmp_path / "new").exists()


def test_status_is_shown_at_the_top_for_some_seconds(display: DisplayStage) -> None:
    press(display, pygame.K_r)
    display._measuring.close()
    written = []
    for later_s in (1, 7):
        display.tick(time.monotonic() + later_s)
        written.append((surface(display)[:30] > 200).sum())
    assert written[0] > 100
    assert written[1] == 0
    assert display._measuring.status_text(time.monotonic() + 7) == ""


def test_digits_choose_the_condition(display: DisplayStage) -> None:
    chosen = []
    for key in (pygame.K_1, pygame.K_2, pygame.K_3, pygame.K_4, pygame.K_5, pygame.K_6, pygame.K_7, pygame.K_0):
        press(display, key)
        chosen.append(display._measuring.condition)
        assert f"1-6: {chosen[-1]}" in display._text(time.monotonic())
    assert chosen == [*CONDITIONS, "Custom", "Custom"]


def test_text_breaks_into_lines_that_fit_the_window(display: DisplayStage) -> None:
    display.tick(time.monotonic())
    parts = ["front 30 bodies/s 24 ms", "R: measure", "1-6: Static+Moving Occlusion", "V: recording on", "M: skeleton", "Q: quit"]
    lines = display._window._lines(parts, "     ")
    assert len(lines) == 2
    assert "     ".join(lines) == "     ".join(parts)
    assert max(display._window._font.size(each)[0] for each in lines) <= 640


def test_two_cameras_stand_side_by_side() -> None:
    display = shown("left", "right")
    for camera in ("left", "right"):
        display.step(preview(camera=camera))
        display.step(truth_of(camera=camera))
    display.tick(time.monotonic())
    assert surface(display).shape == (360, 1280, 3)
    display.close()


def test_images_of_different_sizes_keep_their_tiles() -> None:
    images = [
        np.full((height, width, 3), grey, np.uint8) for height, width, grey in ((36, 64, 200), (48, 27, 150), (36, 64, 100))
    ]
    wall = tile_images(images)
    assert wall.shape == (96, 128, 3)
    assert [int(wall[24, 32, 0]), int(wall[24, 96, 0]), int(wall[72, 32, 0])] == [200, 150, 100]


def test_camera_that_goes_away_is_greyed_and_says_since_when(display: DisplayStage, tmp_path: Path) -> None:
    display.step(facts())
    display.step(preview())
    display.step(truth_of())
    display.tick(time.monotonic())
    bright = surface(display)[:-FOOT_PX].copy()
    display.step(facts(state="reconnecting", state_s=6.9))
    display.tick(time.monotonic() + 1)
    display._window.save(str(tmp_path / "away.png"))
    grey = surface(display)[:-FOOT_PX]
    assert np.ptp(grey[:100].astype(int), axis=2).max() == 0, "no colours"
    assert grey[:100].mean() < 0.6 * bright[:100].mean()
    assert "front: reconnecting since 8 s" in display._text(time.monotonic() + 1)
    assert display._presence["front"].away_text(time.monotonic() + 1) == "away since 8 s"
    display.step(facts())
    display.tick(time.monotonic() + 2)
    assert np.abs(surface(display)[:-FOOT_PX].astype(int) - bright).max() == 0


def test_camera_that_never_came_and_one_whose_process_is_dead_say_so() -> None:
    display = shown("left", "right-" + "x" * 34)
    display.step(facts(0, camera="left", state="reconnecting", state_s=125.0))
    display.step(facts(9, camera="right-" + "x" * 34))
    now = time.monotonic()
    display.tick(now + 1)
    assert display._text(now + 1)[0] == "left: never came, trying since 2 min"
    display.tick(now + 4)
    text = display._text(now + 4)
    assert text[1] == f"right-{'x' * 34}: its process is silent since 4 s"
    assert display._presence[f"right-{'x' * 34}"].away_text(now + 4) == "away since 4 s"
    assert max(display._window._font.size(line)[0] for line in display._window._lines(text, "     ")) <= 1280
    display.close()


def test_window_opens_before_the_first_image(display: DisplayStage) -> None:
    display.tick(time.monotonic())
    assert surface(display).shape == (360, 640, 3)


def test_drawing_a_body_takes_less_than_a_tenth_of_a_second(display: DisplayStage) -> None:
    costs = []
    for epoch in range(11):
        display.step(preview(epoch=epoch))
        display.step(truth_of(epoch=epoch))
        before = time.thread_time()
        display.tick(time.monotonic())
        costs.append(time.thread_time() - before)
    assert display.counts["images"] == 11
    assert np.median(costs) < 0.1, costs


def test_missing_pygame_is_one_line_that_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pygame", None)
    with pytest.raises(RemiError, match=r"^--display needs pygame\. Install it: .*pip install .*\[display\]'$") as caught:
        shown("front")
    assert caught.value.exit_code == 3


def test_machine_without_a_screen_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SDL_VIDEODRIVER", "DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(RemiError, match=r"^Cannot open a window: .*Leave out --display, or use --viewer web$") as caught:
        shown("front")
    assert caught.value.exit_code == 3


def test_bodies_alone_draw_nothing(display: DisplayStage) -> None:
    display.step(bodies())
    display.tick(time.monotonic())
    assert display.counts["images"] == 0
