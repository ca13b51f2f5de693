"""`mp4` and `png`: real files, read back."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from remi_stream.capture.footage import FrameSelection, ImageFootage
from remi_stream.errors import RemiError, UsageError
from remi_stream.export.registry import EXPORT_FORMATS
from remi_stream.recordings.results import open_results
from remi_stream.recordings.take import Take
from remi_stream.render import video
from remi_stream.render.camera import RenderOptions
from tests.offline import videos
from tests.offline.seer import opened, worked
from tests.render.people import frame, take


def read(path: Path) -> list[av.VideoFrame]:
    with av.open(str(path)) as container:
        return list(container.decode(video=0))


def size_of(picture: Path) -> tuple[int, int]:
    image = cv2.imread(str(picture))
    assert image is not None
    return image.shape[1], image.shape[0]


def levels(path: Path) -> np.ndarray:
    """Brightness of each frame's upper left corner, where there are no people, from its luma: 0 to 255."""
    luma = [frame.to_ndarray()[:4, :4].mean() for frame in read(path)]
    return (np.array(luma) - 16) * 255 / 219


def filmed(source: Path) -> np.ndarray:
    """Brightness of each frame of a video, as the chain reads it; each is 4 brighter than the one before."""
    return np.array([frame.image.mean() for frame in opened(source).frames(0)])


def test_same_take_gives_the_same_bytes(tmp_path: Path) -> None:
    source = videos.film(tmp_path / "a.mp4", frames=6, size=(320, 240))
    seen = take([frame(number, number / 30) for number in range(6)], source)
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        video.write_video(seen, tmp_path / name, RenderOptions("side"))
    one, two = ((tmp_path / name / "walk.mp4").read_bytes() for name in ("one", "two"))
    assert one == two
    assert one.index(b"moov") < one.index(b"mdat"), "it begins to play before it is there as a whole"


def test_bytes_do_not_depend_on_what_was_in_memory(tmp_path: Path) -> None:
    paths = [tmp_path / f"{soil}.mp4" for soil in (1, 85, 200)]
    for path in paths:
        soiled = {**os.environ, "MALLOC_PERTURB_": path.stem}
        subprocess.run([sys.executable, "-m", "tests.render.write_video", path], env=soiled, check=True)
    assert len({path.read_bytes() for path in paths}) == 1


def test_each_frame_is_shown_at_its_capture_time(tmp_path: Path) -> None:
    times = [0.5, 0.52, 0.9, 0.9, 2.0]
    [path] = video.write_video(take([frame(number, at, []) for number, at in enumerate(times)]), tmp_path)
    shown = [frame.time for frame in read(path)]
    assert np.allclose(shown, [0, 0.02, 0.4, 0.4, 1.5], atol=1e-4)
    assert len(set(shown)) == 5, "two frames of one time are both kept"


@pytest.mark.parametrize("size", [(321, 241), (320, 241), (64, 48)])
def test_video_of_odd_size_gets_another_row_or_column(size: tuple[int, int], tmp_path: Path) -> None:
    [path] = video.write_video(take([frame(0, 0.0, size=size), frame(1, 0.1, size=size)]), tmp_path)
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert (stream.width, stream.height) == (size[0] + size[0] % 2, size[1] + size[1] % 2)
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")


def test_colours_stay_what_they_are(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    colours = [(30, 60, 200), (200, 120, 30), (60, 200, 60)]
    for number, colour in enumerate(colours):
        cv2.imwrite(str(tmp_path / f"in/{number}.png"), np.full((48, 64, 3), colour, np.uint8))
    seen = take([frame(number, number / 30, [], (64, 48)) for number in range(3)], tmp_path / "in", ("0.png", "1.png", "2.png"))
    [path] = video.write_video(seen, tmp_path)
    for colour, shown in zip(colours, read(path), strict=True):
        assert np.abs(shown.to_ndarray(format="bgr24").mean((0, 1)) - colour).max() < 5


@pytest.mark.parametrize("selection", [FrameSelection(), FrameSelection(every=6), FrameSelection(start_s=0.3, end_s=0.5)])
def test_people_are_drawn_on_their_own_frame(selection: FrameSelection, tmp_path: Path) -> None:
    source = videos.film(tmp_path / "a.mp4")
    seen = open_results(worked(opened(source, selection), tmp_path / "out").folder)
    [path] = video.write_video(seen, tmp_path / "out")
    wanted = filmed(source)[[frame.frame_id for frame in seen.frames]]
    assert np.abs(levels(path) - wanted).max() < 2


def test_broken_frames_are_left_out_as_the_chain_does(tmp_path: Path) -> None:
    source = videos.film(tmp_path / "a.avi", codec="mjpeg")
    with av.open(str(source)) as container:
        packets = [(packet.pos or 0, packet.size) for packet in container.demux(video=0) if packet.size]
    data = bytearray(source.read_bytes())
    for start, size in (packets[number] for number in (3, 4, 11)):
        picture = data.index(b"\xff\xd8", start)
        data[picture : start + size] = bytes(start + size - picture)
    source.write_bytes(data)
    done = worked(opened(source), tmp_path / "out")
    [path] = video.write_video(open_results(done.folder), done.folder)
    assert len(filmed(source)) == 17
    assert np.abs(levels(path) - filmed(source)).max() < 2


@pytest.mark.parametrize("turned", [90, 180])
def test_rotated_video_of_a_phone_is_upright(turned: int, tmp_path: Path) -> None:
    source = videos.film(tmp_path / "a.mp4", frames=2, turned=turned)
    done = worked(opened(source), tmp_path / "out")
    [path] = video.write_video(open_results(done.folder), done.folder)
    shown = read(path)[0]
    assert (shown.width, shown.height) == ((48, 64) if turned == 90 else (64, 48))


def test_frames_missing_from_the_video_are_drawn_on_one_colour(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    source = videos.film(tmp_path / "a.mp4", frames=2)
    seen = take([frame(number, number / 30, [], (64, 48)) for number in range(4)], source)
    [path] = video.write_video(seen, tmp_path)
    assert len(read(path)) == 4
    assert [record.getMessage() for record in caplog.records if "no longer has frame 2" in record.getMessage()]


def test_source_that_is_no_video_any_more_is_reported(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"something else")
    with pytest.raises(RemiError, match="cannot be read as a video"):
        video.write_video(take([frame()], tmp_path / "a.mp4"), tmp_path)


def test_source_video_is_not_overwritten(tmp_path: Path) -> None:
    source = videos.film(tmp_path / "walk.mp4", frames=2)
    kept = source.read_bytes()
    with pytest.raises(UsageError, match="is the source video and would be overwritten"):
        video.write_video(take([frame()], source), tmp_path)
    assert source.read_bytes() == kept


def test_take_without_frames_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RemiError, match="walk has no frames to draw"):
        video.write_video(Take("walk", (64, 48), 30.0, []), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_relative_folder_with_a_colon_is_written_into(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    folder = Path("2024-01-01T12:30")
    folder.mkdir()
    seen = take([frame(number, number / 30) for number in range(3)], videos.film(tmp_path / "a.mp4", frames=3))
    [path] = video.write_video(seen, folder, RenderOptions("side"))
    assert len(read(path.absolute())) == 3


def test_folder_that_is_not_there_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        video.write_video(take([frame()]), tmp_path / "nowhere")


def test_images_of_a_video_are_named_by_frame_number(tmp_path: Path) -> None:
    source = videos.film(tmp_path / "a.mp4")
    seen = open_results(worked(opened(source, FrameSelection(every=8)), tmp_path / "out").folder)
    paths = video.write_images(seen, tmp_path)
    assert [path.name for path in paths] == ["000000.png", "000008.png", "000016.png"]
    assert [size_of(path) for path in paths] == [(64, 48)] * 3


def test_images_of_a_folder_keep_their_names_and_sizes(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for name, size in (("a.jpg", (64, 48)), ("a.png", (48, 64)), ("b.png", (63, 47))):
        cv2.imwrite(str(tmp_path / "in" / name), np.full((size[1], size[0], 3), 90, np.uint8))
    footage = ImageFootage(tmp_path / "in", "in", None)
    footage.open()
    seen = open_results(worked(footage, tmp_path / "out").folder)
    sizes = {path.name: size_of(path) for path in video.write_images(seen, tmp_path)}
    assert sizes == {"a.jpg.png": (64, 48), "a.png.png": (48, 64), "b.png": (63, 47)}
    [path] = video.write_video(seen, tmp_path)
    shown = read(path)
    assert [(each.width, each.height) for each in shown] == [(64, 48)] * 3
    assert levels(path)[1] < 50, "a picture of another shape stands in the middle"


def test_exports_write_mp4_and_png(tmp_path: Path) -> None:
    source = videos.film(tmp_path / "a.mp4", frames=2)
    done = worked(opened(source), tmp_path / "out", exports={name: EXPORT_FORMATS[name] for name in ("mp4", "png")})
    assert [str(path.relative_to(done.folder)) for path in done.files] == ["a.mp4", "png/000000.png", "png/000001.png"]
