"""The aitviewer window: scene with people and floor, labels, status panel and keys; the only module that imports aitviewer."""

from __future__ import annotations

import contextlib
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any

import imgui
import numpy as np
from aitviewer import viewer
from aitviewer.configuration import CONFIG
from aitviewer.renderables.meshes import Meshes
from aitviewer.scene.node import Node
from aitviewer.utils import pyqt6_window
from aitviewer.viewer import SHORTCUTS, Viewer
from moderngl_window.context.headless.window import Window as HeadlessWindow
from PyQt6.QtWidgets import QApplication

from remi_stream.errors import RemiError
from remi_stream.render.colours import Rgb, track_colour
from remi_stream.sinks.aitviewer.meshes import PersonMesh, VertexNormals, mesh_faces
from remi_stream.sinks.aitviewer.viewpoint import FOV_DEG, Viewpoint

EVENT_ROUNDS = 5
"""Rounds of Qt events until a shown window has its OpenGL context."""
OPENGL_HINT = (
    "It needs a driver with OpenGL 4.5; Mesa's draws without a GPU (Debian: apt-get install libegl1 libegl-mesa0 libgl1-mesa-dri)"
)


class DesktopWindow(pyqt6_window.PyQt6Window):  # type: ignore[misc]
    """A Qt window. Its OpenGL context exists once it is shown: without a window manager a few events later."""

    def init_mgl_context(self) -> None:
        """Process events until Qt has shown the window, then use its context."""
        for _ in range(EVENT_ROUNDS):
            QApplication.processEvents()
        self._widget.makeCurrent()
        with _opengl_errors():
            super().init_mgl_context()


class OffscreenWindow(HeadlessWindow):  # type: ignore[misc]
    """An offscreen framebuffer; needs no X server."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{**options, "backend": "egl"})

    def init_mgl_context(self) -> None:
        """Create the OpenGL context through EGL."""
        with _opengl_errors():
            super().init_mgl_context()


def select_window_class(kind: str) -> None:
    """Make aitviewer use our window classes: patched in, as it looks them up by name and takes none as an argument."""
    if kind == "pyqt6":
        pyqt6_window.PyQt6Window = DesktopWindow
    else:
        viewer.get_local_window_cls = lambda _: OffscreenWindow


@contextlib.contextmanager
def _opengl_errors() -> Iterator[None]:
    """Raise RemiError where OpenGL does not work."""
    try:
        yield
    except Exception as error:  # noqa: BLE001  # moderngl raises no other kind
        raise RemiError(f"OpenGL does not work here: {' '.join(str(error).split())}. {OPENGL_HINT}") from None


AITVIEWER_SETTINGS = {
    "auto_set_floor": False,
    "auto_set_camera_target": False,
    "background_color": [0.93, 0.945, 0.965, 1.0],
    "export_dir": "aitviewer-export",
    "run_animations": False,
    "server_enabled": False,
}
"""Overrides of aitviewer's configuration."""
AMBIENT_STRENGTH = 1.1
FLOOR_COLOURS = ((0.80, 0.825, 0.86, 1.0), (0.87, 0.89, 0.92, 1.0))
SUN_POSITION_M = np.array([0.0, 15.0, 10.0])
"""Position of the light that casts shadows, m, relative to the point looked at."""
SHADOW_MAP_PX = 2048
"""Size of the shadow map. aitviewer's default, 8192, costs a second per frame without a GPU."""
LABEL_HEIGHT_M = 0.12
"""Height of a person's number above the head, m."""
MARK_PX = (11, 11)
LABEL_MARGIN_PX = np.array([7.0, 3.0])
WHITE: Rgb = (255, 255, 255)

KEY_NAMES = {
    "NUMBER_1": "1",
    "NUMBER_2": "2",
    "NUMBER_3": "3",
    "N": "n",
    "Q": "q",
    "SPACE": "space",
}
"""aitviewer's names of the keys that we handle; it handles all others."""


class OverlayViewer(Viewer):  # type: ignore[misc]
    """aitviewer's viewer with our panel over its scene; its own panels are shown in a window only."""

    def __init__(self, title: str, size: tuple[int, int], kind: str, draw_panel: Callable[[], None]) -> None:
        self.window_type = kind
        self._draw_panel = draw_panel
        self.pressed_keys: list[Any] = []
        super().__init__(title=title, size=size)
        imgui.get_io().ini_file_name = None  # else ImGui writes imgui.ini to the working directory
        del self.gui_controls["playback"]
        self.gui_controls["remi-stream"] = draw_panel

    def key_event(self, key: Any, action: Any, modifiers: Any) -> None:
        """Record a pressed key, after aitviewer's own handling."""
        super().key_event(key, action, modifiers)
        if action == self.wnd.keys.ACTION_PRESS and not self.imgui.io.want_capture_keyboard:
            self.pressed_keys.append(key)

    def gui_scene(self) -> None:
        """Show aitviewer's scene editor collapsed, as it covers the scene."""
        imgui.set_next_window_collapsed(True, imgui.FIRST_USE_EVER)
        super().gui_scene()

    def draw_overlay(self) -> None:
        """Draw our panel without aitviewer's."""
        self.window.use()
        imgui.new_frame()
        self._draw_panel()
        imgui.render()
        self.imgui.render(imgui.get_draw_data())


class AitviewerWindow:
    """The scene with floor and people. window: on the desktop, else offscreen. keys: help texts for aitviewer's shortcut list."""

    def __init__(self, title: str, size: tuple[int, int], *, window: bool, keys: dict[str, str]) -> None:
        CONFIG.update_conf(AITVIEWER_SETTINGS)
        SHORTCUTS.update(keys)
        kind = "pyqt6" if window else "headless"
        select_window_class(kind)
        self._viewer: Any = OverlayViewer(title, size, kind, self._draw_overlay)
        self._has_window, self._keys = window, {getattr(self._viewer.wnd.keys, name): key for name, key in KEY_NAMES.items()}
        self._nodes: dict[int, tuple[str, Any]] = {}
        self._free: dict[str, list[Any]] = defaultdict(list)
        self._normals: dict[str, VertexNormals] = {}
        self._labels: list[tuple[int, np.ndarray]] = []
        self._lines: list[tuple[str, Rgb | None]] = []
        self._set_up_scene()
        self._viewer.timer.start()

    @property
    def is_closed(self) -> bool:
        """Whether the window was closed."""
        return bool(self._viewer.window.is_closing)

    @property
    def aspect(self) -> float:
        """Width of the window over its height."""
        width, height = self._viewer.window.size
        return width / max(height, 1)

    def pressed_keys(self) -> list[str]:
        """Our keys that were pressed since the last call."""
        keys, self._viewer.pressed_keys = self._viewer.pressed_keys, []
        return [self._keys[key] for key in keys if key in self._keys]

    def look_from(self, viewpoint: Viewpoint) -> None:
        """Set the camera, and move the light along."""
        camera = self._viewer.scene.camera
        camera.fov, camera.position, camera.target = FOV_DEG, viewpoint.eye, viewpoint.target
        Node.position.fset(self._sun, SUN_POSITION_M + viewpoint.target * (1, 0, 1))  # the light's own setter draws its box

    def show_meshes(self, meshes: list[PersonMesh]) -> None:
        """Show exactly these people."""
        for track_id in set(self._nodes) - {mesh.track_id for mesh in meshes}:
            self._remove(track_id)
        for mesh in meshes:
            if mesh.track_id in self._nodes and self._nodes[mesh.track_id][0] != mesh.kind:
                self._remove(mesh.track_id)
            node = self._nodes[mesh.track_id][1] if mesh.track_id in self._nodes else self._add(mesh)
            node.vertices = mesh.vertices
            node._vertex_normals = self._normals[mesh.kind].compute(mesh.vertices)[None]  # else aitviewer computes them, slowly
        self._labels = [(mesh.track_id, _label_point(mesh.vertices)) for mesh in meshes]

    def draw(self, title: str, lines: list[tuple[str, Rgb | None]]) -> None:
        """Draw a frame. lines: of the panel."""
        self._lines = lines
        now, elapsed = self._viewer.timer.next_frame()
        if not self._has_window:
            self._viewer.on_render(now, elapsed, export=True)  # export: without aitviewer's panels
            self._viewer.draw_overlay()
            return
        if self._viewer.window.title != title:
            self._viewer.window.title = title
        self._viewer.window.clear()
        self._viewer.window.render(now, elapsed)
        self._viewer.window.swap_buffers()

    def image(self) -> np.ndarray:
        """The frame that was drawn offscreen: (h, w, 3) uint8 RGB."""
        return np.asarray(self._viewer.get_current_frame_as_image())

    def close(self) -> None:
        """Close the window."""
        self._viewer.on_close()
        imgui.destroy_context(self._viewer.imgui_ctx)
        self._viewer.window.close()
        self._viewer.window.destroy()

    def _set_up_scene(self) -> None:
        scene, context = self._viewer.scene, self._viewer.ctx
        scene.origin.enabled = False
        scene.ambient_strength = AMBIENT_STRENGTH
        scene.floor.c1, scene.floor.c2 = np.array(FLOOR_COLOURS[0]), np.array(FLOOR_COLOURS[1])
        scene.floor.material.diffuse, scene.floor.material.ambient = 0.25, 0.7
        self._sun = next(light for light in scene.lights if light.shadow_enabled)
        self._sun.shadow_map = context.depth_texture((SHADOW_MAP_PX, SHADOW_MAP_PX))
        self._sun.shadow_map.compare_func = ">"
        self._sun.shadow_map.repeat_x = self._sun.shadow_map.repeat_y = False
        self._sun.shadow_map_framebuffer = context.framebuffer(depth_attachment=self._sun.shadow_map)
        scene.make_renderable(context)
        if not self._has_window:
            self._viewer.renderer.render_fragmap = lambda *_: None  # only needed for mouse picking

    def _add(self, mesh: PersonMesh) -> Any:
        free = self._free[mesh.kind]
        if mesh.kind not in self._normals:
            self._normals[mesh.kind] = VertexNormals(mesh_faces(mesh.kind), len(mesh.vertices))
        node = free.pop() if free else Meshes(mesh.vertices[None], mesh_faces(mesh.kind))
        if node.parent is None:
            self._viewer.scene.add(node)
        node.name, node.enabled = f"person {mesh.track_id}", True
        node.color = (*(part / 255 for part in track_colour(mesh.track_id)), 1.0)
        self._nodes[mesh.track_id] = (mesh.kind, node)
        return node

    def _remove(self, track_id: int) -> None:
        kind, node = self._nodes.pop(track_id)
        node.enabled = False
        self._free[kind].append(node)

    def _draw_overlay(self) -> None:
        """Draw the panel and the number of each person."""
        size = imgui.get_io().display_size
        _draw_labels(self._viewer.scene.camera, size, self._labels)
        top = 34 if self._has_window else 12  # in a window, below aitviewer's menu bar
        imgui.set_next_window_position(size[0] - 12, top, imgui.ALWAYS, 1.0, 0.0)
        imgui.set_next_window_bg_alpha(0.75)
        flags = imgui.WINDOW_NO_DECORATION | imgui.WINDOW_ALWAYS_AUTO_RESIZE | imgui.WINDOW_NO_NAV | imgui.WINDOW_NO_INPUTS
        imgui.begin("remi-stream", False, flags)
        for text, colour in self._lines:
            if colour is not None:
                imgui.color_button(f"##{text}", *(part / 255 for part in colour), 1.0, imgui.COLOR_EDIT_NO_TOOLTIP, *MARK_PX)
                imgui.same_line()
            imgui.text(text)
        imgui.end()


def _label_point(vertices: np.ndarray) -> np.ndarray:
    """The point (3,), m, above a person's head for the label."""
    low, high = vertices.min(0), vertices.max(0)
    return np.array([(low[0] + high[0]) / 2, high[1] + LABEL_HEIGHT_M, (low[2] + high[2]) / 2])


def _draw_labels(camera: Any, size: tuple[float, float], labels: list[tuple[int, np.ndarray]]) -> None:
    """Draw track ids at the projections of points (3,), m."""
    draw = imgui.get_background_draw_list()
    for track_id, point in labels:
        x, y, _, w = camera.get_view_projection_matrix() @ np.append(point, 1.0)
        if w <= 0:
            continue
        text = str(track_id)
        half = np.array(imgui.calc_text_size(text)) / 2
        middle = np.array(size) * (1 + x / w, 1 - y / w) / 2
        draw.add_rect_filled(
            *(middle - half - LABEL_MARGIN_PX), *(middle + half + LABEL_MARGIN_PX), _packed_colour(track_colour(track_id)), 6.0
        )
        draw.add_text(*(middle - half), _packed_colour(WHITE), text)


def _packed_colour(colour: Rgb) -> int:
    return int(imgui.get_color_u32_rgba(*(part / 255 for part in colour), 1.0))
