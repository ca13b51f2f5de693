"""The frames of a rendered clip."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import av
import msgspec

from remi_stream.capture.footage import make_frame
from remi_stream.geometry import Intrinsics
from remi_stream.messages import Frame


def clip_frames(clip: Path, intrinsics: Intrinsics | None, fps: float) -> Iterator[Frame]:
    """Decode a clip into frames of the camera "clip". intrinsics: None for the default ones."""
    with av.open(str(clip)) as container:
        for frame_id, picture in enumerate(container.decode(video=0)):
            frame = make_frame("clip", frame_id, frame_id / fps, picture.to_ndarray(format="bgr24"), None)
            yield msgspec.structs.replace(frame, intrinsics=intrinsics or frame.intrinsics)
