"""Reader of video files: every frame that can be decoded, with a time that can be believed, upright and in its true shape."""

from __future__ import annotations

import heapq
import logging
import statistics
import threading
from collections import deque
from collections.abc import Iterator
from itertools import chain, pairwise, takewhile
from pathlib import Path
from typing import Literal

import av
import cv2
import numpy as np

from remi_stream.capture.container_crop import read_crop
from remi_stream.capture.frame_image import MAX_PIXELS, bgr_from_frame, configure_decoder, oversized_reason, pixel_limit
from remi_stream.errors import RemiError, UsageError
from remi_stream.paths import ffmpeg_url, printable_path

DEFAULT_FPS = 30.0
"""Frame rate of a video that does not say its own."""
MAX_FPS = 1000.0
"""Higher rates in a file are a time base, not a frame rate."""
CLOSE_TIMEOUT_S = 2.0
"""Wait for a thread that is decoding, s."""
EXAMINED_PACKETS = 32
"""Packets that decide which times of a file are believed: more than the frames that a codec reorders, 16."""
SEEKABLE_FORMATS = {"mov", "mp4", "matroska", "webm"}
"""FFmpeg's names of formats with one time line, in which a time is found by seeking."""
MAX_GAP_S, MAX_GAP_FRAMES = 10.0, 10
"""A jump forward by more than both is a fault of the file: a slow source (0.1 fps) has long gaps throughout."""
DISORDER_FRAMES = 4
"""Frames that go back by no more are in disorder; by more: the file's times start again."""

TimeSource = Literal["pts", "sorted", "count"]
"""Where the frames' times come from: their pts; the packets' times, sorted, since decoders put out frames in the order in which
they are shown; or the frames' number and the frame rate."""

log = logging.getLogger("remi_stream")


class VideoReader:
    """Decodes a video file with PyAV. fps: frame rate to use instead of the file's times. max_pixels: of a frame.

    `decoded` counts frames, `broken` packets that cannot be decoded; each costs one frame.
    """

    def __init__(self, path: Path, fps: float | None = None, max_pixels: int = MAX_PIXELS) -> None:
        self.path = path
        self.fps = 0.0
        self.broken = self.decoded = 0
        self._name = printable_path(path.name)
        self._forced_fps, self._max_pixels = fps, max_pixels
        self._decoding = threading.Lock()
        self._first_raw_s: float | None = None
        self._has_warned = False
        self._packets: Iterator[av.Packet] = iter(())
        self._pending: list[int] = []
        self._decoding_ticks: set[int] = set()
        self._counted = 0

    def open(self) -> None:
        """Open the file. Raises UsageError if it does not exist, RemiError if it is not a video."""
        if not self.path.is_file():
            shown = printable_path(self.path)
            raise UsageError(f"No such video file: {shown}. Give one that exists (mp4, mkv, mov, avi, webm, ...)")
        self._open()
        rate = self._stream.average_rate
        if self._time_source == "count":  # raw streams: FFmpeg's average is a guess, the codec may say more
            rate = self._stream.codec_context.framerate or self._stream.guessed_rate or rate
        self.fps = self._forced_fps or (float(rate) if rate and 0 < rate <= MAX_FPS else 0.0)
        self._clock = VideoClock(self.fps)
        if self._time_source == "count" and not self._forced_fps:
            self._warn(f"has no times; {self.fps or DEFAULT_FPS:g} frames per second are assumed. Another rate: --fps")

    @property
    def duration_s(self) -> float:
        """Duration from the file's metadata, s; 0 if unknown."""
        stream, container = self._stream, self._container
        if self._forced_fps and stream.frames:
            return stream.frames / self._forced_fps
        if stream.duration and stream.time_base:
            return float(stream.duration * stream.time_base)
        return (container.duration or 0) / av.time_base

    def frames(self) -> Iterator[tuple[float, av.VideoFrame]]:
        """Decode the frames from here on, each with its time from the first frame of the file, s, ever later."""
        while True:
            try:
                with self._decoding:
                    frames = self._decode(next(self._packets))
            except (StopIteration, av.EOFError):
                return
            except av.ArgumentError:
                self._skip_broken(oversized_reason(self._max_pixels))
                continue
            except (av.FFmpegError, ValueError, MemoryError) as error:
                self._skip_broken(_error_text(error))
                continue
            for frame in frames:
                self.decoded += 1
                yield self._time_s(frame), frame

    def image(self, frame: av.VideoFrame) -> np.ndarray | None:
        """Convert a decoded frame to (H, W, 3) uint8 BGR, upright and in its true shape; None if it cannot be converted."""
        try:
            return bgr_from_frame(frame, self._stream.sample_aspect_ratio, self._crop)
        except (av.FFmpegError, ValueError, MemoryError, cv2.error) as error:
            self._skip_broken(_error_text(error))
            return None

    def seek(self, time_s: float) -> None:
        """Continue at or before a time from the first frame, s: at a key frame, or at the start if the format has no index."""
        if self._first_raw_s is None and time_s > 0:
            next(self.frames(), None)
        can_seek = self._time_source == "pts" and SEEKABLE_FORMATS & set(self._container.format.name.split(","))
        if time_s <= 0 or self._first_raw_s is None or not can_seek:
            self.rewind()
            return
        self._seek_raw(self._first_raw_s + time_s)
        if self._clock.is_shifted or self._jumps_before(self._first_raw_s + time_s):
            self.rewind()  # the file's own times lead elsewhere
            return
        self._packets = self._container.demux(self._stream)
        self._clock = VideoClock(self.fps, first_raw_s=self._first_raw_s)

    def _seek_raw(self, raw_s: float) -> None:
        self._container.seek(int(raw_s * av.time_base))  # without a stream: units of 1 / av.time_base s

    def _jumps_before(self, raw_s: float) -> bool:
        """Whether the file's times jump forward before the time in the file at which it is now, by its index; that may
        have key frames only, so that a gap of it may be a long group of pictures.
        """
        base = float(self._stream.time_base or 0)
        entries = (entry.timestamp * base for entry in getattr(self._stream, "index_entries", ()))  # PyAV 14 has none
        gaps = [gap for gap in pairwise(takewhile(lambda at: at <= raw_s + MAX_GAP_S, entries)) if gap[1] - gap[0] > MAX_GAP_S]
        try:
            found = any(self._has_jump(start, end, base) for start, end in gaps)
        except av.FFmpegError:
            return True
        if gaps:
            self._seek_raw(raw_s)
        return found

    def _has_jump(self, start_s: float, end_s: float, base: float) -> bool:
        """Whether the packets between two times in the file leave out more than `MAX_GAP_S`."""
        self._seek_raw(start_s)
        last_s = start_s
        for packet in self._container.demux(self._stream):
            at_s = end_s if packet.dts is None else packet.dts * base
            if at_s - last_s > MAX_GAP_S:
                return True
            if at_s >= end_s:
                return False
            last_s = max(last_s, at_s)
        return False

    def rewind(self) -> None:
        """Continue at the first frame."""
        self._container.close()
        self._open()
        self._clock = VideoClock(self.fps)

    def no_frame_error(self) -> RemiError:
        """Build the error for a video of which no frame can be decoded."""
        return RemiError(
            f"{printable_path(self.path)} has no frame that can be decoded ({self.broken} broken). Give another file"
        )

    def close(self) -> None:
        """Close the file, unless another thread hangs in it: FFmpeg would crash."""
        if self._decoding.acquire(timeout=CLOSE_TIMEOUT_S):
            self._container.close()
            self._decoding.release()

    def _open(self) -> None:
        shown = printable_path(self.path)
        try:
            self._container = av.open(ffmpeg_url(self.path), metadata_errors="replace", options=pixel_limit(self._max_pixels))
        except (av.FFmpegError, ValueError, MemoryError) as error:
            raise RemiError(f"{shown} cannot be read as a video: {_error_text(error)}. Give a complete video file") from None
        if not self._container.streams.video:
            self._container.close()
            raise RemiError(f"{shown} has no video stream. Give a file with a video stream")
        self._stream = self._container.streams.video[0]
        configure_decoder(self._stream.codec_context, self._max_pixels)
        size = (self._stream.codec_context.width, self._stream.codec_context.height)
        self._crop = read_crop(self.path, self._container.format.name, size)
        packets = self._container.demux(self._stream)
        examined: list[av.Packet] = []
        try:
            for packet in packets:
                examined.append(packet)
                if len(examined) == EXAMINED_PACKETS:
                    break
        except av.FFmpegError as error:
            self._skip_broken(_error_text(error))
        self._pending, self._decoding_ticks, self._counted = [], set(), 0
        self._packets = chain(examined, packets)
        self._time_source: TimeSource = "count" if self._forced_fps else believed_times(examined, self._stream)

    def _decode(self, packet: av.Packet) -> list[av.VideoFrame]:
        """Decode one packet; container.decode() would end at the first corrupt one."""
        ticks = packet.dts if packet.pts is None else packet.pts
        if self._time_source != "sorted" or not packet.size or ticks is None:
            return packet.decode()
        heapq.heappush(self._pending, ticks)
        self._decoding_ticks.add(ticks)
        packet.pts = ticks  # the decoder hands it on to the packet's frame
        try:
            return packet.decode()
        except av.FFmpegError:
            self._decoding_ticks.discard(ticks)
            self._pending.remove(ticks)
            heapq.heapify(self._pending)
            raise

    def _time_s(self, frame: av.VideoFrame) -> float:
        raw_s = self._raw_time_s(frame)
        if self._first_raw_s is None:
            self._first_raw_s = raw_s
        time_s, fault = self._clock.next_time_s(raw_s)
        if fault:
            self._warn(f"has times that {fault} at {time_s:.2f} s; its frame rate is used there. Another rate: --fps")
        return time_s

    def _raw_time_s(self, frame: av.VideoFrame) -> float | None:
        """The frame's time as the file has it, s; None if it has none."""
        if self._time_source == "count":
            self._counted += 1
            return (self._counted - 1) / (self.fps or DEFAULT_FPS)
        ticks = frame.pts
        if self._time_source == "sorted":
            self._drop_ticks_of_lost_frames(frame)
            ticks = heapq.heappop(self._pending) if self._pending else None
        base = frame.time_base or self._stream.time_base
        return float(ticks * base) if ticks is not None and base else None

    def _drop_ticks_of_lost_frames(self, frame: av.VideoFrame) -> None:
        """At a key frame, forget the ticks of packets before it of which the decoder has silently made no frame."""
        own = frame.pts
        if own is None:
            return
        self._decoding_ticks.discard(own)
        if frame.key_frame:  # all frames that were decoded before it are shown before it
            lost = {ticks for ticks in self._decoding_ticks if ticks < own}
            self._decoding_ticks -= lost
            for _ in range(min(len(lost), len(self._pending))):
                heapq.heappop(self._pending)

    def _skip_broken(self, why: str) -> None:
        self.broken += 1
        if self.broken == 1:
            log.warning("%s: broken data: %s; such frames are skipped", self._name, why)

    def _warn(self, text: str) -> None:
        if not self._has_warned:  # one line for a file, whatever else is wrong with its times
            self._has_warned = True
            log.warning("%s %s", self._name, text)


def believed_times(packets: list[av.Packet], stream: av.VideoStream) -> TimeSource:
    """Decide by its first packets which times of a video are believed."""
    packets = [packet for packet in packets if packet.size]
    pts, dts = [packet.pts for packet in packets], [packet.dts for packet in packets]
    if len(packets) > 1 and len(set(pts)) == len(set(dts)) == 1:
        return "count"
    if None in pts[1:]:
        return "sorted"
    # AVI has no pts: FFmpeg derives some from dts, in the wrong order if there are B-frames. True ones of reordered frames do not
    # rise from packet to packet; if no frame is reordered, sorted ones are the same
    known = [ticks for ticks in pts if ticks is not None]
    rises = all(before < after for before, after in pairwise(known))
    return "sorted" if rises and stream.codec_context.has_b_frames else "pts"


class VideoClock:
    """Times of a video's frames, from the first one and ever later, from times that may be missing, in disorder or jump.

    fps: nominal frame rate; 0 if unknown. first_raw_s: the first frame's time in the file, if the next one is not the first.
    """

    def __init__(self, fps: float, first_raw_s: float | None = None) -> None:
        self._nominal_step_s = 1 / (fps or DEFAULT_FPS)
        self._has_fps = fps > 0
        self._steps_s: deque[float] = deque(maxlen=9)
        self._offset_s = None if first_raw_s is None else -first_raw_s
        self._last_s: float | None = None
        self._in_disorder = 0
        self.is_shifted = False
        """Whether a fault of the file's times has moved those after it."""

    def next_time_s(self, raw_s: float | None) -> tuple[float, str]:
        """Time of the next frame, s, and what was wrong with its time in the file; "" if nothing was."""
        if self._last_s is None:
            self._offset_s = -(raw_s or 0.0) if self._offset_s is None else self._offset_s
            self._last_s = max(0.0, raw_s + self._offset_s) if raw_s is not None else 0.0
            return self._last_s, ""
        assert self._offset_s is not None
        step_s = self._step_s()
        if raw_s is None:
            self._last_s += step_s
            return self._last_s, ""
        jump_s = raw_s + self._offset_s - self._last_s
        if jump_s <= 0:
            return self._after_backward(raw_s, jump_s, step_s)
        self._in_disorder = 0
        if jump_s > MAX_GAP_S and jump_s > MAX_GAP_FRAMES * step_s:
            return self._continue_from(raw_s, step_s), f"jump forward by {jump_s:.1f} s"
        self._steps_s.append(jump_s)
        self._last_s = raw_s + self._offset_s
        return self._last_s, ""

    def _after_backward(self, raw_s: float, jump_s: float, step_s: float) -> tuple[float, str]:
        self._in_disorder += 1
        if -jump_s > DISORDER_FRAMES * step_s or self._in_disorder > DISORDER_FRAMES:
            return self._continue_from(raw_s, step_s), f"go back by {-jump_s:.2f} s" if jump_s else "stand still"
        assert self._last_s is not None
        self._last_s += step_s / (2 * DISORDER_FRAMES)  # little, so that the next frame's own time is later
        return self._last_s, "are in disorder"

    def _continue_from(self, raw_s: float, step_s: float) -> float:
        """Take this frame's time in the file as one step after the last one."""
        assert self._last_s is not None
        self._last_s += step_s
        self._offset_s, self.is_shifted = self._last_s - raw_s, True
        return self._last_s

    def _step_s(self) -> float:
        """The usual time between two frames, s."""
        if len(self._steps_s) < 3 and self._has_fps:
            return self._nominal_step_s
        return statistics.median(self._steps_s) if self._steps_s else self._nominal_step_s


def _error_text(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error or type(error).__name__).lower()
