"""Frames of a take as panels side by side: overlays on the source image, and meshes or stick figures in a virtual room."""

from __future__ import annotations

import contextlib
import logging
import math
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import cv2
import numpy as np

from remi_stream.capture.footage import Footage, FrameSelection, ImageFootage, VideoFootage
from remi_stream.geometry import project
from remi_stream.messages import Bodies, Frame, Person
from remi_stream.prefetch import ordered_map, prefetch
from remi_stream.recordings.take import Take
from remi_stream.render import mesh, skeleton
from remi_stream.render.camera import PanelLayout, RenderCamera, RenderOptions, Size, video_camera
from remi_stream.render.colours import visible_bones
from remi_stream.render.mesh import PosedMesh, posed_meshes
from remi_stream.render.room import (
    NEAR_PLANE_M,
    SceneRoom,
    draw_empty_room,
    draw_shadow,
    empty_shadow_mask,
    fit_room,
    shadow_mask,
    shadow_points,
)
from remi_stream.render.skeleton import FRACTION_BITS, Bgr, detail_joints, draw_disc, fixed_point, track_colours
from remi_stream.skeletons import JOINT_NAMES

DECODED_AHEAD = 4
"""Source images that are decoded ahead in a thread."""

log = logging.getLogger("remi_stream")


class SourceFrame(NamedTuple):
    """A frame of a take with its source image."""

    image: np.ndarray | None
    """(H, W, 3) uint8 BGR, upright; None if the source is missing."""
    bodies: Bodies


def source_frames(take: Take) -> Iterator[SourceFrame]:
    """Iterate over the frames of a take with their images, in order. Raises RemiError if the video exists but is unreadable."""
    footage = source_footage(take)
    if footage is None:
        # the video was deleted or moved: rendered on a plain background
        yield from (SourceFrame(None, bodies) for bodies in take.frames)
        return
    footage.open()
    try:
        with contextlib.closing(prefetch(footage.frames(0), DECODED_AHEAD)) as frames:
            yield from _pair_by_number(frames, take)
    finally:
        footage.close()


def source_footage(take: Take) -> Footage | None:
    """Open the source of a take with the reader that the offline run used, so that frame numbers agree; None if missing."""
    if take.source is None or not take.source.exists():
        return None
    if take.source.is_dir():
        return ImageFootage(take.source, take.name, None) if take.images else None
    return VideoFootage(take.source, take.name, FrameSelection(fps=take.source_fps), None)


def _pair_by_number(frames: Iterator[Frame], take: Take) -> Iterator[SourceFrame]:
    """Pair each Bodies with the image of the same frame number."""
    newest: Frame | None = None
    warned = False
    for bodies in take.frames:
        # images of frames that the run left out (--every, broken ones) are skipped
        while newest is None or newest.frame_id < bodies.frame_id:
            following = next(frames, None)
            if following is None:
                break
            newest = following
        exists = newest is not None and newest.frame_id == bodies.frame_id
        if not exists and not warned:
            log.warning("%s no longer has frame %d; missing frames are drawn without an image", take.source, bodies.frame_id)
            warned = True
        yield SourceFrame(newest.image if exists and newest else None, bodies)


BODY_BONE_M, DETAIL_BONE_M = 0.035, 0.012
"""Width of the bones of the body, and of face and hands."""
HALO_BGR: Bgr = (246, 244, 242)
"""BGR of the border around each stick, which separates overlapping ones."""
SHADOW_SHARE = 1 / 60
"""Width of a stick's shadow, relative to the height of the image."""
SIDE_BRIGHTNESS, CENTRE_BRIGHTNESS = {"left_": 1.0, "right_": 0.55}, 0.78
"""Brightness of the track's colour by body side, from the prefixes of joint names; CENTRE_BRIGHTNESS for all others."""


class Stick(NamedTuple):
    """A projected bone."""

    depth: float
    """Mean depth of its ends, m."""
    ends: np.ndarray
    """(2, 2), fixed-point px."""
    thickness_px: int
    colour: Bgr


def draw_sticks(image: np.ndarray, people: Sequence[Person], room: SceneRoom, camera: RenderCamera) -> None:
    """Draw the joints_m of all people into image (h, w, 3) uint8 BGR, the image of a camera in that room, far ones first."""
    _draw_shadows(image, people, room, camera)
    sticks = [stick for person in people for stick in _sticks(person, camera)]
    # painter's algorithm over the sticks of all people
    for stick in sorted(sticks, key=lambda stick: -stick.depth):
        a, b = stick.ends
        cv2.line(image, a.tolist(), b.tolist(), HALO_BGR, stick.thickness_px + 2, cv2.LINE_AA, FRACTION_BITS)
        cv2.line(image, a.tolist(), b.tolist(), stick.colour, stick.thickness_px, cv2.LINE_AA, FRACTION_BITS)
        for end in stick.ends:
            draw_disc(image, end, stick.thickness_px * 0.62, stick.colour)


def _sticks(person: Person, camera: RenderCamera) -> list[Stick]:
    joints = camera.to_camera(person.joints_m.astype(float))
    visible = np.isfinite(joints).all(1) & (joints[:, 2] > NEAR_PLANE_M)
    at = fixed_point(project(np.where(visible[:, None], joints, 1.0), camera.intrinsics))
    is_detail = detail_joints(person.effective_joints_skeleton, len(joints))
    names = JOINT_NAMES.get(person.effective_joints_skeleton, ())
    sticks = []
    for a, b in visible_bones(person.effective_joints_skeleton, visible):
        depth = float(joints[[a, b], 2].mean())
        metres = DETAIL_BONE_M if is_detail[a] or is_detail[b] else BODY_BONE_M
        thickness = max(1, round(metres * camera.intrinsics[0] / depth))
        sticks.append(Stick(depth, at[[a, b]], thickness, _colour(person.track_id, (names[a], names[b]))))
    return sticks


def _colour(track_id: int, ends: tuple[str, str]) -> Bgr:
    """Colour of a bone: the track's colour on the left side, darker in the middle, darkest on the right."""
    sides = [side for side in SIDE_BRIGHTNESS if any(name.startswith(side) for name in ends)]
    blue, green, red = (
        round(channel * (SIDE_BRIGHTNESS[sides[0]] if sides else CENTRE_BRIGHTNESS)) for channel in track_colours(track_id)[0]
    )
    return blue, green, red


def _draw_shadows(image: np.ndarray, people: Sequence[Person], room: SceneRoom, camera: RenderCamera) -> None:
    mask = empty_shadow_mask(camera)
    thickness = max(1, round(mask.shape[0] * SHADOW_SHARE))
    for person in people:
        at = fixed_point(shadow_points(person.joints_m.astype(float), room, camera))
        # points that cannot be projected are at OUTSIDE_PX, which is negative
        for a, b in visible_bones(person.effective_joints_skeleton, np.all(at >= 0, axis=1)):
            cv2.line(mask, at[a].tolist(), at[b].tolist(), 255, thickness, cv2.LINE_AA, FRACTION_BITS)
    draw_shadow(image, mask)


BACKGROUND_BGR = (36, 31, 28)
"""BGR, beside the panels, and of panels without an image."""
MESH_OPACITY = 0.9
"""Of meshes over the image."""
ROOM_VIEWS = {"side": (math.radians(90), math.radians(7)), "3d": (math.radians(35), math.radians(14))}
"""Yaw (to the right of the video camera) and pitch (downwards) of the virtual camera of each room panel, rad."""


class RoomView(NamedTuple):
    """A virtual camera of a room panel."""

    camera: RenderCamera
    background: np.ndarray
    """Image of the empty room, (h, w, 3) uint8 BGR."""


class SceneRenderer:
    """Renders the frames of one video, or one image of a folder; in any order, thread-safe."""

    def __init__(self, options: RenderOptions, layout: PanelLayout, room: SceneRoom) -> None:
        self._panels, self._layout, self._room = options.panels, layout, room
        cameras = {
            name: room.virtual_camera(*ROOM_VIEWS[name], layout.panel_size) for name in options.panels if name in ROOM_VIEWS
        }
        self._room_views = {name: RoomView(camera, draw_empty_room(room, camera)) for name, camera in cameras.items()}
        self._draws_meshes = "mesh" in options.panels or "side" in options.panels

    def render(self, image: np.ndarray | None, bodies: Bodies) -> np.ndarray:
        """Render a frame: (h, w, 3) uint8 BGR of the layout's size. image: its source image (H, W, 3) uint8 BGR, if any."""
        (width, height), panel, left, top = self._layout
        canvas = blank_image((width, height))
        posed = posed_meshes(bodies.people) if self._draws_meshes else []
        for number, name in enumerate(self._panels):
            x = left + number * panel[0]
            canvas[top : top + panel[1], x : x + panel[0]] = self._panel(name, image, bodies, posed)
        return canvas

    def _panel(self, name: str, source: np.ndarray | None, bodies: Bodies, posed: Sequence[PosedMesh]) -> np.ndarray:
        if name in self._room_views:
            return self._room_panel(name, bodies, posed)
        image = resize_to_panel(source, self._layout.panel_size)
        meshes = posed if name == "mesh" else []
        mesh.draw_meshes(image, meshes, video_camera(bodies.intrinsics, bodies.size, self._layout.panel_size), MESH_OPACITY)
        # People without a mesh are drawn as skeletons in the mesh view, too.
        drawn = {figure.track_id for figure in meshes}
        skeleton.draw_skeletons(image, bodies, [person for person in bodies.people if person.track_id not in drawn])
        return image

    def _room_panel(self, name: str, bodies: Bodies, posed: Sequence[PosedMesh]) -> np.ndarray:
        camera, empty = self._room_views[name]
        image = empty.copy()  # drawn once: the camera of a room stands still
        if name == "3d":
            draw_sticks(image, bodies.people, self._room, camera)
            return image
        draw_shadow(image, shadow_mask([figure.vertices for figure in posed], self._room, camera))
        mesh.draw_meshes(image, posed, camera, opacity=1.0)
        return image


def resize_to_panel(image: np.ndarray | None, size: Size) -> np.ndarray:
    """Resize an image to its panel, as a copy; without one, a plain background."""
    if image is None:
        return blank_image(size)
    width, height = image.shape[1], image.shape[0]
    if (width, height) == size:
        return image.copy()
    # INTER_AREA averages: no aliasing when an image shrinks
    shrinks = size[0] * size[1] < width * height
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)


def blank_image(size: Size) -> np.ndarray:
    """Make an image in the background colour."""
    image = np.empty((size[1], size[0], 3), np.uint8)
    image[:] = BACKGROUND_BGR
    return image


RENDER_THREADS = 2
RENDER_AHEAD = 4
"""Frames that are rendered ahead, in order: the result does not depend on the threads' timing."""

LayoutOf = Callable[[Bodies], PanelLayout]
"""Returns the panel layout of a frame."""


class RenderedFrame(NamedTuple):
    """A rendered frame."""

    bodies: Bodies
    image: np.ndarray
    """(h, w, 3) uint8 BGR."""


def render_frames(take: Take, options: RenderOptions, layout_of: LayoutOf) -> Generator[RenderedFrame, None, None]:
    """Render every frame of a take, in order. The images of a folder are unrelated: each gets its own room and layout."""
    is_video = len(take.frames) > 0 and not take.images
    shared = SceneRenderer(options, layout_of(take.frames[0]), fit_room(take.frames)) if is_video else None

    def render(frame: SourceFrame) -> RenderedFrame:
        bodies = frame.bodies
        scene = shared or SceneRenderer(options, layout_of(bodies), fit_room([bodies]))
        return RenderedFrame(bodies, scene.render(frame.image, bodies))

    with ThreadPoolExecutor(RENDER_THREADS, thread_name_prefix="draw") as pool:
        yield from ordered_map(pool, render, source_frames(take), RENDER_AHEAD)
