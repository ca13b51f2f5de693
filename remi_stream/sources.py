"""Table of sources: the kinds of `CameraConfig.source`, what each delivers, and which stage serves it.

The table holds strings: nothing of a source is imported before it is checked or opened. Other packages add a kind of their own by
entry point (docs/extend/sources.md).
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

from remi_stream.paths import path_from_text
from remi_stream.plugins import entry_points

PLUGIN_GROUP = "remi_stream.sources"
"""Entry-point group of other packages: the name is the scheme, the value is a `factory` of a source of images."""


class SourceKind(NamedTuple):
    """One kind of source."""

    name: str
    """Name in messages, and origin of its bodies."""
    schemes: tuple[str, ...] = ()
    """What may stand before the first ":"; none for a path."""
    stage: str = "capture"
    """Row of the stage table that serves its cameras."""
    factory: str = ""
    """"module:function" for `capture`: (CameraConfig, restarted: bool = False) -> capture.source.Source, not opened yet."""
    check: str = ""
    """"module:function" of (CameraConfig) that raises RemiError if the source is invalid; "": `factory` checks it."""
    settings: tuple[str, ...] | None = None
    """Camera settings that apply to it; None: all."""
    gives_bodies: bool = False
    """Whether it delivers bodies; else images, for detector and pose engine."""
    has_playback: bool = False
    """Whether it handles playback commands."""
    is_file: bool = False
    """Whether the source is the path of a file or a folder."""


RTSP = SourceKind("rtsp", ("rtsp", "rtsps"), factory="remi_stream.capture.rtsp:make_rtsp_source")
HTTP = SourceKind("http", ("http", "https"), factory="remi_stream.capture.http_camera:make_http_source")
WEBCAM = SourceKind("webcam", factory="remi_stream.capture.webcam:make_webcam_source")
VIDEO_FILE = SourceKind("file", factory="remi_stream.capture.files:make_video_source", is_file=True)
IMAGE_FOLDER = SourceKind("images", factory="remi_stream.capture.files:make_image_source", is_file=True)

SOURCES: tuple[SourceKind, ...] = (
    RTSP,
    HTTP,
    WEBCAM,
    VIDEO_FILE,
    IMAGE_FOLDER,
    SourceKind("synthetic", ("synthetic",), factory="remi_stream.capture.synthetic:make_synthetic_source"),
    SourceKind(
        "remi",
        ("remi",),
        stage="remi_source",
        check="remi_stream.remi.source:check_remi_source",
        settings=("name", "source", "size", "focal_px", "frames"),
        gives_bodies=True,
    ),
    SourceKind(
        "recording",
        ("recording",),
        stage="replay",
        check="remi_stream.recordings.playback:check_playback_source",
        settings=("name", "source", "loop", "frames"),
        gives_bodies=True,
        has_playback=True,
    ),
)

_BY_SCHEME = {scheme: kind for kind in SOURCES for scheme in kind.schemes}


def normal_source(source: str) -> str:
    """A source with its scheme in lower case and no blanks around it; a path stays as it is."""
    scheme, colon, rest = source.strip().partition(":")
    known = scheme.lower() in _BY_SCHEME or rest.startswith("//")
    return f"{scheme.lower()}:{rest}" if colon and known else source


def find_source(source: str) -> SourceKind:
    """Kind of a camera's source: by its scheme, built in or of another package, else by the kind of its path or file URI."""
    scheme, colon, _ = source.partition(":")
    kind = (_BY_SCHEME.get(scheme) or _plugin(scheme)) if colon else None
    if kind:
        return kind
    if source.startswith("/dev/"):
        return WEBCAM
    if "://" in source and not source.startswith("file:///"):
        return RTSP  # whose check names the schemes that are allowed
    return IMAGE_FOLDER if path_from_text(source).is_dir() else VIDEO_FILE


@cache
def _plugin(scheme: str) -> SourceKind | None:
    """Kind of source that another package adds for a scheme. Cached: reading all packages' entry points takes milliseconds."""
    factory = entry_points(PLUGIN_GROUP).get(scheme)
    return SourceKind(scheme, (scheme,), factory=factory) if factory else None
