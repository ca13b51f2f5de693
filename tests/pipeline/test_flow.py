"""What a healthy pipeline promises: order, bounded age, exact books, a clean end."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from remi_stream.transport.link import LinkContext, Subscriber
from tests.pipeline.daemon import SYNTHETIC, check_books, running


def test_slow_engine_makes_fewer_bodies_and_never_later_ones(tmp_path: Path) -> None:
    camera = {"name": "front", "source": "synthetic:?fps=30"}
    with running(tmp_path, cameras=[camera], **SYNTHETIC, engine_options={"delay_s": 0.2}) as daemon:
        bodies = [body for body in daemon.more_bodies(35) if body.people]
        ages = np.array([body.stamps["pose_in"] - body.captured_at for body in bodies])
        assert np.quantile(ages, 0.95) < 0.1
        assert ages[-10:].mean() < ages[:10].mean() + 0.03
        dropped = check_books(daemon.bodies)
        assert set(dropped) == {"capture/superseded"}


def test_finite_lossless_source_gives_every_frame_in_order_and_ends_the_daemon(tmp_path: Path) -> None:
    camera = {"name": "film", "source": "synthetic:?fps=500", "frames": 120, "lossless": True}
    with running(tmp_path, cameras=[camera], **SYNTHETIC, engine_options={"delay_s": 0.01}) as daemon:
        daemon.listen(lambda: daemon.bodies and daemon.bodies[-1].frame_id == 119)
        first = daemon.bodies[0].frame_id
        assert [body.frame_id for body in daemon.bodies] == list(range(first, 120))
        assert daemon.process.wait(15) == 0


def test_books_say_captured_is_published_plus_dropped_when_a_camera_has_ended(tmp_path: Path) -> None:
    camera = {"name": "film", "source": "synthetic:?fps=60", "frames": 120}
    with running(tmp_path, cameras=[camera], **SYNTHETIC, engine_options={"delay_s": 0.03}) as daemon:
        daemon.listen(lambda: daemon.bodies and daemon.bodies[-1].frame_id == 119)
        assert daemon.process.wait(15) == 0
        daemon.take(0.2)
        facts = daemon.cameras["film"]
        assert facts.state == "ended"
        assert facts.captured == 120
        check_books(daemon.bodies)


def test_hops_are_stamped_in_order(tmp_path: Path) -> None:
    camera = {"name": "front", "source": "synthetic:?fps=30"}
    with running(tmp_path, cameras=[camera], **SYNTHETIC) as daemon:
        for body in daemon.more_bodies(10):
            assert list(body.stamps) == ["capture", "pose_in", "pose", "relay_in", "relay"]
            assert [body.captured_at, *body.stamps.values()] == sorted([body.captured_at, *body.stamps.values()])


def test_camera_that_is_away_for_a_while_comes_back_by_itself(tmp_path: Path) -> None:
    camera = {"name": "front", "source": "synthetic:?fps=30&away_at=30&away_s=1.5"}
    with running(tmp_path, cameras=[camera], **SYNTHETIC) as daemon:
        daemon.listen(lambda: daemon.bodies and daemon.bodies[-1].frame_id > 40)
        assert daemon.stages["capture/front"].restarts == 0
        check_books(daemon.bodies)


def test_preview_pictures_come_only_while_somebody_listens_and_ten_a_second_at_most(tmp_path: Path) -> None:
    camera = {"name": "front", "source": "synthetic:?fps=30&width=1280&height=720"}
    with running(tmp_path, cameras=[camera], **SYNTHETIC) as daemon:
        daemon.more_bodies(20)
        context = LinkContext()
        bus = Subscriber(context, daemon.address, ["preview/front"])
        frames = [item[1] for _ in range(20) if (item := bus.receive(5.0))]
        context.close()
        assert len(frames) == 20
        assert (frames[-1].stamps["relay"] - frames[0].stamps["relay"]) / 19 >= 0.095
        assert cv2.imdecode(frames[0].image, cv2.IMREAD_COLOR).shape == (360, 640, 3)
        assert {frame.epoch for frame in frames} == {daemon.bodies[0].epoch}
        assert not check_books(daemon.more_bodies(20))


def test_every_preview_of_a_slow_engine_shows_a_frame_that_has_bodies(tmp_path: Path) -> None:
    camera = {"name": "front", "source": "synthetic:?fps=30"}
    with running(tmp_path, cameras=[camera], **SYNTHETIC, engine_options={"delay_s": 0.08}) as daemon:
        daemon.more_bodies(5)
        context = LinkContext()
        bus = Subscriber(context, daemon.address, ["preview/front"])
        shown = [item[1].frame_id for _ in range(15) if (item := bus.receive(5.0))]
        context.close()
        published = {body.frame_id for body in daemon.more_bodies(25)} | {body.frame_id for body in daemon.bodies}
        assert len(shown) == 15
        assert set(shown[2:]) <= published
