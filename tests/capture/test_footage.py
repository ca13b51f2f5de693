"""Videos and image folders of all kinds: which frames are selected, their times and sizes."""

from __future__ import annotations

from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from remi_stream.capture.footage import FrameSelection, ImageFootage
from remi_stream.errors import RemiError, UsageError
from remi_stream.recordings.results import open_results
from tests.offline.seer import opened, worked
from tests.offline.videos import film


@pytest.mark.parametrize(
    ("selection", "wanted"),
    [
        (FrameSelection(), list(range(20))),
        (FrameSelection(every=6), [0, 6, 12, 18]),
        (FrameSelection(start_s=0.3, end_s=0.5), [9, 10, 11, 12, 13, 14]),
        (FrameSelection(every=5, start_s=0.2, max_frames=2), [10, 15]),
    ],
)
def test_selected_frames_keep_their_number_in_the_video(selection: FrameSelection, wanted: list[int], tmp_path: Path) -> None:
    footage = opened(film(tmp_path / "a.mp4"), selection)
    frames = list(footage.frames(0))
    assert [frame.frame_id for frame in frames] == wanted
    assert np.allclose([frame.captured_at for frame in frames], np.array(wanted) / 30, atol=1e-3)
    assert footage.fps == pytest.approx(30 / selection.every)
    assert [frame.frame_id for frame in opened(tmp_path / "a.mp4", selection).frames(1)] == wanted[1:]


def test_variable_frame_rate_is_kept(tmp_path: Path) -> None:
    times = [0, 3000, 3600, 30000, 90000]
    frames = list(opened(film(tmp_path / "a.mkv", frames=5, times=times)).frames(0))
    assert np.allclose([frame.captured_at for frame in frames], np.array(times) / 90000, atol=2e-3)


@pytest.mark.parametrize("turned", [90, 180, 270])
def test_video_of_a_phone_is_upright(turned: int, tmp_path: Path) -> None:
    take = open_results(worked(opened(film(tmp_path / "a.mp4", frames=3, turned=turned)), tmp_path).folder)
    assert take.size == ((64, 48) if turned == 180 else (48, 64))


@pytest.mark.parametrize("size", [(63, 47), (3840, 2160)])
def test_odd_and_large_images_are_processed(size: tuple[int, int], tmp_path: Path) -> None:
    footage = opened(film(tmp_path / "a.mkv", frames=3, size=size, codec="ffv1" if size[0] % 2 else "libx264"))
    assert open_results(worked(footage, tmp_path).folder).size == size


def test_broken_frames_are_skipped_and_counted(tmp_path: Path) -> None:
    path = film(tmp_path / "a.avi", codec="mjpeg")
    with av.open(str(path)) as container:
        packets = [(packet.pos, packet.size) for packet in container.demux(video=0) if packet.size]
    data = bytearray(path.read_bytes())
    for number in (3, 4, 11):
        start, size = packets[number]
        data[data.index(b"\xff\xd8", start) : start + size] = bytes(start + size - data.index(b"\xff\xd8", start))
    path.write_bytes(data)
    done = worked(opened(path), tmp_path / "out")
    assert (done.frames, len(done.unreadable)) == (17, 3)


def test_video_without_people_is_processed(tmp_path: Path) -> None:
    take = open_results(worked(opened(film(tmp_path / "a.mp4", size=(48, 48))), tmp_path).folder)
    assert [len(bodies.people) for bodies in take.frames] == [0] * 20


def test_video_without_a_selected_frame_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no selected frame; its last one is at 0\.63 s"):
        worked(opened(film(tmp_path / "a.mp4"), FrameSelection(start_s=5)), tmp_path / "out")
    assert not (tmp_path / "out/a").exists()


def test_video_without_a_readable_frame_is_refused(tmp_path: Path) -> None:
    data = bytearray(film(tmp_path / "a.mp4", frames=3).read_bytes())
    start = data.index(b"mdat") + 4
    end = data.index(b"moov") - 4
    data[start:end] = bytes(end - start)
    (tmp_path / "a.mp4").write_bytes(data)
    with pytest.raises(RemiError, match="no frame that can be decoded"):
        worked(opened(tmp_path / "a.mp4"), tmp_path / "out")


def image_footage(folder: Path) -> ImageFootage:
    found = ImageFootage(folder, "album", None)
    found.open()
    return found


def save(path: Path, size: tuple[int, int]) -> None:
    path.parent.mkdir(exist_ok=True)
    assert cv2.imwrite(str(path), np.full((size[1], size[0], 3), 90, np.uint8))


def test_images_are_independent_in_natural_order_and_unreadable_ones_are_named(tmp_path: Path) -> None:
    sizes = {"10.jpg": (64, 48), "2.png": (100, 60), "9.jpg": (50, 50), "video.jpg": (40, 80)}
    for name, size in sizes.items():
        save(tmp_path / "in" / name, size)
    (tmp_path / "in/3.jpg").write_bytes(b"no image")
    (tmp_path / "in/4.jpg").write_bytes(b"")
    (tmp_path / "in/notes.txt").write_text("no image either")
    done = worked(image_footage(tmp_path / "in"), tmp_path / "out", chunk_frames=2)
    take = open_results(done.folder)
    assert list(take.images) == ["2.png", "9.jpg", "10.jpg", "video.jpg"]
    assert [bodies.size for bodies in take.frames] == [sizes[name] for name in take.images]
    assert [[person.track_id for person in bodies.people] for bodies in take.frames] == [[1], [], [1], [1]]
    assert done.unreadable == ["3.jpg", "4.jpg"]
    assert done.people == 3


def test_image_is_rotated_by_its_exif_orientation(tmp_path: Path) -> None:
    save(tmp_path / "in/a.jpg", (64, 48))
    exif = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"
    data = (tmp_path / "in/a.jpg").read_bytes()
    (tmp_path / "in/a.jpg").write_bytes(data[:2] + b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif + data[2:])
    assert open_results(worked(image_footage(tmp_path / "in"), tmp_path / "out").folder).size == (48, 64)


def test_folder_without_a_readable_image_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"no image")
    with pytest.raises(RemiError, match="None of the 1 images"):
        worked(image_footage(tmp_path), tmp_path / "out")
