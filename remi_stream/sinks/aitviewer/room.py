"""People in aitviewer's scene, and what is written over it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import Any

import imgui
import numpy as np
from aitviewer.configuration import CONFIG
from aitviewer.renderables.meshes import Meshes
from aitviewer.scene.node import Node
from aitviewer.viewer import SHORTCUTS, Viewer

from remi_stream.sinks.aitviewer.figures import Mesh, faces_of
from remi_stream.sinks.aitviewer.normals import Normals
from remi_stream.sinks.aitviewer.stand import stand_on
from remi_stream.sinks.aitviewer.viewpoint import FOV, Viewpoint
from remi_stream.sinks.views.palette import Rgb, colour_of

SETTINGS = {
    "auto_set_floor": False,
    "auto_set_camera_target": False,
    "background_color": [0.93, 0.945, 0.965, 1.0],
    "export_dir": "aitviewer-export",
    "run_animations": False,
    "server_enabled": False,
}
AMBIENT = 1.1
FLOOR = ((0.80, 0.825, 0.86, 1.0), (0.87, 0.89, 0.92, 1.0))
SUN_M = np.array([0.0, 15.0, 10.0])
SHADOW_PX = 2048
"""The side of the shadow's map; aitviewer's own, 8192, costs a second a frame where there is no GPU."""
LABEL_M = 0.12
"""How far above somebody's head their number is."""
MARK_PX = (11, 11)
LABEL_PX = np.array([7.0, 3.0])
WHITE: Rgb = (255, 255, 255)
Line = tuple[str, Rgb | None]
"""A line of the panel, and the colour of the mark before it."""


KEYS = {
    "NUMBER_1": "1",
    "NUMBER_2": "2",
    "NUMBER_3": "3",
    "N": "n",
    "Q": "q",
    "SPACE": "space",
}
"""aitviewer's names of the keys that we listen to; all others are its own."""


class Stage(Viewer):  # type: ignore[misc]
    """aitviewer with a panel of ours over its scene; its own panels are there in a window only."""

    def __init__(self, title: str, size: tuple[int, int], kind: str, over: Callable[[], None]) -> None:
        self.window_type = kind
        self._over = over
        self.pressed: list[Any] = []
        super().__init__(title=title, size=size)
        imgui.get_io().ini_file_name = None
        del self.gui_controls["playback"]
        self.gui_controls["remi-stream"] = over

    def key_event(self, key: Any, action: Any, modifiers: Any) -> None:
        """Note a key, besides what aitviewer does with it."""
        super().key_event(key, action, modifiers)
        if action == self.wnd.keys.ACTION_PRESS and not self.imgui.io.want_capture_keyboard:
            self.pressed.append(key)

    def gui_scene(self) -> None:
        """Show aitviewer's editor folded, so that people are seen."""
        imgui.set_next_window_collapsed(True, imgui.FIRST_USE_EVER)
        super().gui_scene()

    def write_over(self) -> None:
        """Draw our panel alone."""
        self.window.use()
        imgui.new_frame()
        self._over()
        imgui.render()
        self.imgui.render(imgui.get_draw_data())


class Room:
    """The scene with a floor and people. window: on the desktop, else in memory. keys: what may be pressed, as written in it."""

    def __init__(self, title: str, size: tuple[int, int], *, window: bool, keys: dict[str, str]) -> None:
        CONFIG.update_conf(SETTINGS)
        SHORTCUTS.update(keys)
        kind = "pyqt6" if window else "headless"
        stand_on(kind)
        self._stage: Any = Stage(title, size, kind, self._write)
        self._windowed, self._keys = window, {getattr(self._stage.wnd.keys, name): key for name, key in KEYS.items()}
        self._people: dict[int, tuple[str, Any]] = {}
        self._free: dict[str, list[Any]] = defaultdict(list)
        self._normals: dict[str, Normals] = {}
        self._labels: list[tuple[int, np.ndarray]] = []
        self._lines: list[Line] = []
        self._furnish()
        self._stage.timer.start()

    @property
    def closed(self) -> bool:
        """Whether the window was closed."""
        return bool(self._stage.window.is_closing)

    @property
    def aspect(self) -> float:
        """Width of the window over its height."""
        width, height = self._stage.window.size
        return width / max(height, 1)

    def pressed(self) -> list[str]:
        """The keys that were pressed since the last call."""
        keys, self._stage.pressed = self._stage.pressed, []
        return [self._keys[key] for key in keys if key in self._keys]

    def look(self, viewpoint: Viewpoint) -> None:
        """Look from somewhere."""
        camera = self._stage.scene.camera
        camera.fov, camera.position, camera.target = FOV, viewpoint.eye, viewpoint.target
        Node.position.fset(self._sun, SUN_M + viewpoint.target * (1, 0, 1))  # the light's own setter draws its box

    def show(self, meshes: list[Mesh]) -> None:
        """Have these people in the room, and nobody else."""
        for track_id in set(self._people) - {mesh.track_id for mesh in meshes}:
            self._leave(track_id)
        for mesh in meshes:
            if mesh.track_id in self._people and self._people[mesh.track_id][0] != mesh.kind:
                self._leave(mesh.track_id)
            node = self._people[mesh.track_id][1] if mesh.track_id in self._people else self._enter(mesh)
            node.vertices = mesh.vertices
            node._vertex_normals = self._normals[mesh.kind].of(mesh.vertices)[None]  # else it would find them, slowly
        self._labels = [(mesh.track_id, _above(mesh.vertices)) for mesh in meshes]

    def draw(self, title: str, lines: list[Line]) -> None:
        """Draw everything. lines: what the panel says."""
        self._lines = lines
        now, elapsed = self._stage.timer.next_frame()
        if not self._windowed:
            self._stage.on_render(now, elapsed, export=True)
            self._stage.write_over()
            return
        if self._stage.window.title != title:
            self._stage.window.title = title
        self._stage.window.clear()
        self._stage.window.render(now, elapsed)
        self._stage.window.swap_buffers()

    def image(self) -> np.ndarray:
        """What was drawn without a window: (h, w, 3) uint8 RGB."""
        return np.asarray(self._stage.get_current_frame_as_image())

    def close(self) -> None:
        """Close the window."""
        self._stage.on_close()
        imgui.destroy_context(self._stage.imgui_ctx)
        self._stage.window.close()
        self._stage.window.destroy()

    def _furnish(self) -> None:
        scene, context = self._stage.scene, self._stage.ctx
        scene.origin.enabled = False
        scene.ambient_strength = AMBIENT
        scene.floor.c1, scene.floor.c2 = np.array(FLOOR[0]), np.array(FLOOR[1])
        scene.floor.material.diffuse, scene.floor.material.ambient = 0.25, 0.7
        self._sun = next(light for light in scene.lights if light.shadow_enabled)
        self._sun.shadow_map = context.depth_texture((SHADOW_PX, SHADOW_PX))
        self._sun.shadow_map.compare_func = ">"
        self._sun.shadow_map.repeat_x = self._sun.shadow_map.repeat_y = False
        self._sun.shadow_map_framebuffer = context.framebuffer(depth_attachment=self._sun.shadow_map)
        scene.make_renderable(context)
        if not self._windowed:
            self._stage.renderer.render_fragmap = lambda *_: None  # says what the mouse is over

    def _enter(self, mesh: Mesh) -> Any:
        free = self._free[mesh.kind]
        if mesh.kind not in self._normals:
            self._normals[mesh.kind] = Normals(faces_of(mesh.kind), len(mesh.vertices))
        node = free.pop() if free else Meshes(mesh.vertices[None], faces_of(mesh.kind))
        if node.parent is None:
            self._stage.scene.add(node)
        node.name, node.enabled = f"person {mesh.track_id}", True
        node.color = (*(part / 255 for part in colour_of(mesh.track_id)), 1.0)
        self._people[mesh.track_id] = (mesh.kind, node)
        return node

    def _leave(self, track_id: int) -> None:
        kind, node = self._people.pop(track_id)
        node.enabled = False
        self._free[kind].append(node)

    def _write(self) -> None:
        """The panel, and everybody's number."""
        size = imgui.get_io().display_size
        _label(self._stage.scene.camera, size, self._labels)
        top = 34 if self._windowed else 12
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


def _above(vertices: np.ndarray) -> np.ndarray:
    """A point (3,), m, above somebody's head."""
    low, high = vertices.min(0), vertices.max(0)
    return np.array([(low[0] + high[0]) / 2, high[1] + LABEL_M, (low[2] + high[2]) / 2])


def _label(camera: Any, size: tuple[float, float], labels: list[tuple[int, np.ndarray]]) -> None:
    """Write numbers where points (3,), m, are seen."""
    draw = imgui.get_background_draw_list()
    for track_id, point in labels:
        x, y, _, w = camera.get_view_projection_matrix() @ np.append(point, 1.0)
        if w <= 0:
            continue
        text = str(track_id)
        half = np.array(imgui.calc_text_size(text)) / 2
        middle = np.array(size) * (1 + x / w, 1 - y / w) / 2
        draw.add_rect_filled(*(middle - half - LABEL_PX), *(middle + half + LABEL_PX), _ink(colour_of(track_id)), 6.0)
        draw.add_text(*(middle - half), _ink(WHITE), text)


def _ink(colour: Rgb) -> int:
    return int(imgui.get_color_u32_rgba(*(part / 255 for part in colour), 1.0))
