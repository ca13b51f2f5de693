"""Off-screen OpenGL renderer of the sample's room and actors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import moderngl
import numpy as np
from numpy.typing import NDArray
from open_body.mesh import unit

from sample.camera import SAMPLE_CAMERA, Camera
from sample.clothing import Actor
from sample.figure import Figure, compile_shaders, set_floats, set_matrix
from sample.furniture import Block, block_triangles

Array = NDArray[Any]

TO_LIGHT = unit(np.array([-0.45, 0.80, 0.62]))
SHADOW_PX = 2048
MOST_SPHERES = 96  # the array size in room.frag; ten per actor


class Quality(NamedTuple):
    """Render quality."""

    samples: int
    """MSAA samples per pixel."""
    taps: int
    """Shadow map samples per point."""
    still_room: bool
    """Whether the room is drawn only once, without shadows of the actors."""


FINE, QUICK = Quality(samples=4, taps=20, still_room=False), Quality(samples=0, taps=4, still_room=True)


class Studio:
    """Renders frames of all actors' motions, lit by an area light to the left of the camera."""

    def __init__(
        self,
        actors: Sequence[Actor],
        quality: Quality = FINE,
        camera: Camera = SAMPLE_CAMERA,
        furniture: Sequence[Block] = (),
    ) -> None:
        self.size = camera.size
        self.gl = moderngl.create_context(standalone=True, backend="egl")
        self.gl.enable(moderngl.DEPTH_TEST)
        self.figures = [Figure(self.gl, actor) for actor in actors]
        self.room = compile_shaders(self.gl, "room", "room")
        quads = self.gl.buffer(np.concatenate([room_triangles(), *map(block_triangles, furniture)]).astype("f4").tobytes())
        self.walls = self.gl.vertex_array(self.room, [(quads, "3f 3f", "position", "normal")])
        self.shadow = self.gl.depth_texture((SHADOW_PX, SHADOW_PX))
        self.shadow.compare_func, self.shadow.repeat_x, self.shadow.repeat_y = "<=", False, False
        self.shadow_target = self.gl.framebuffer(depth_attachment=self.shadow)
        self.target, self.resolved = self._target(quality.samples), self.gl.simple_framebuffer(self.size, components=3)
        for program in (self.room, *(figure.program for figure in self.figures)):
            set_matrix(program, "clip_from_world", camera.clip_from_world())
            set_matrix(program, "shadow_from_world", clip_from_light())
            program["camera"], program["to_light"] = tuple(camera.at), tuple(TO_LIGHT)
            program["taps"] = quality.taps
        self.empty = self._empty_room(quality.samples) if quality.still_room else None

    def draw(self, frame: int) -> Array:
        """Render a frame: (H, W, 3) uint8 RGB."""
        spheres = np.concatenate([figure.pose(frame) for figure in self.figures])
        self._cast_shadows()
        self.target.use()
        self.target.clear()
        if self.empty:
            # colour and depth of the room, drawn once; the floor's shadows are missing
            self.gl.copy_framebuffer(self.target, self.empty)
            self.gl.enable(moderngl.CULL_FACE)
        else:
            self._draw_room(spheres)
        for figure in self.figures:
            figure.skin.render()
        self.gl.disable(moderngl.CULL_FACE)
        self.gl.copy_framebuffer(self.resolved, self.target)
        return np.frombuffer(self.resolved.read(components=3), np.uint8).reshape(*self.size[::-1], 3)[::-1]

    def _cast_shadows(self) -> None:
        self.shadow_target.use()
        self.shadow_target.clear(depth=1.0)
        for figure in self.figures:
            figure.outline(clip_from_light())
        self.shadow.use(0)

    def _draw_room(self, spheres: Array) -> None:
        self.room["sphere_count"] = len(spheres)
        set_floats(self.room, "spheres", np.resize(spheres, (MOST_SPHERES, 4)))
        self.walls.render()

    def _empty_room(self, samples: int) -> moderngl.Framebuffer:
        """Render the empty room."""
        room = self._target(samples)
        self.shadow_target.clear(depth=1.0)
        self.shadow.use(0)
        room.use()
        room.clear()
        self._draw_room(np.zeros((0, 4)))
        return room

    def _target(self, samples: int) -> moderngl.Framebuffer:
        colour, depth = self.gl.renderbuffer(self.size, samples=samples), self.gl.depth_renderbuffer(self.size, samples=samples)
        return self.gl.framebuffer([colour], depth)


def clip_from_light(half_m: float = 2.6) -> Array:
    """Orthographic projection (4, 4) of the light for the shadow map, from world axes."""
    right = unit(np.cross([0, 1, 0], TO_LIGHT))
    clip = np.eye(4)
    clip[:3, :3] = np.stack([right, np.cross(TO_LIGHT, right), -TO_LIGHT]) / np.array([[half_m], [half_m], [6.0]])
    clip[:3, 3] = -clip[:3, :3] @ np.array([0, 0.8, -0.2])
    return clip


def room_triangles() -> Array:
    """Triangles of floor and back wall: (12, 6), position, m, and normal."""
    quads = [
        ([(-9, 0, -2), (9, 0, -2), (9, 0, 6), (-9, 0, 6)], (0, 1, 0)),
        ([(-9, 0, -2), (9, 0, -2), (9, 5, -2), (-9, 5, -2)], (0, 0, 1)),
    ]
    return np.array([[*corners[i], *normal] for corners, normal in quads for i in (0, 1, 2, 0, 2, 3)], float)
