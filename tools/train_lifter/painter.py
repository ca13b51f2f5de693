"""Draws dressed people by GPU skinning, cut out against furniture, see `tools/sample` for the clothes."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple, cast

import moderngl
import numpy as np
from numpy.typing import NDArray
from sample.clothing import Actor, Clothing, make_clothing
from sample.motion import Motion

from remi_stream.body.smpl import Body
from train_lifter.view import MAX_SIDE_PX, View

Array = NDArray[Any]

SHADERS = Path(__file__).parent / "shaders"
HEAD_CELL_M, BODY_CELL_M = 0.010, 0.016
"""Vertices within a cell become one: enough at 150 to 400 px of height, and a quarter of the triangles."""
HAIRS = np.array([(25, 20, 18), (52, 38, 30), (110, 75, 45), (190, 160, 100), (140, 140, 140)], float)
SKIN = np.array([214.0, 164.0, 136.0])
HEAD = 15


class Model(NamedTuple):
    """A dressed body of fewer vertices."""

    betas: Array
    rest_joints: Array
    """(24, 3) m."""
    sole_m: float
    """y of the soles in the rest pose."""
    clothing: Clothing
    """Of the merged vertices."""
    colours: moderngl.Buffer
    mesh: moderngl.VertexArray


class Painter:
    """An OpenGL context of its own, for pictures of at most MAX_SIDE_PX a side."""

    def __init__(self, body: Body) -> None:
        self.body = body
        gl = moderngl.create_context(standalone=True, backend="egl")
        gl.enable(moderngl.DEPTH_TEST)
        self.gl = gl
        fragment = (SHADERS / "opaque.frag").read_text()
        self.person, self.furniture = (
            gl.program(vertex_shader=(SHADERS / f"{name}.vert").read_text(), fragment_shader=fragment)
            for name in ("person", "furniture")
        )
        size = MAX_SIDE_PX, MAX_SIDE_PX
        self.target, self.room = (
            gl.framebuffer([gl.renderbuffer(size, components=4)], gl.depth_renderbuffer(size)) for _ in range(2)
        )
        self.has_room = False
        order = np.argsort(-body.skin_weights, axis=1)[:, :4]
        self.skin_joint, self.skin_weight = order, np.take_along_axis(body.skin_weights, order, 1)

    def dress(self, rng: np.random.Generator, betas: Array) -> Model:
        """Make a dressed body of shape betas (10,) with random skin and hair."""
        skin = np.clip(SKIN * rng.uniform(0.28, 1.12) + rng.normal(0, 6, 3), 20, 250)
        hair = HAIRS[rng.integers(len(HAIRS))] * rng.uniform(0.7, 1.2)
        outfit = {"skin": tuple(skin), "hair": tuple(hair)}
        actor = Actor(self.body, Motion(np.zeros((1, 72)), betas, np.zeros((1, 3))), cast(Any, outfit))
        worn = make_clothing(actor)
        merged, first, faces = self._merge(worn)
        colours = self.gl.buffer(reserve=len(first) * 12, dynamic=True)
        static = np.c_[merged.rest, merged.normals, self.skin_joint[first], self.skin_weight[first]].astype("f4")
        layout = (self.gl.buffer(static.tobytes()), "3f 3f 4f 4f", "rest", "normal", "skin_joint", "skin_weight")
        index = self.gl.buffer(faces.astype("i4").tobytes())
        mesh = self.gl.vertex_array(self.person, [layout, (colours, "3f", "colour")], index)
        return Model(betas, self.body.rest_joints(betas), float(worn.rest[:, 1].min()), merged, colours, mesh)

    def _merge(self, worn: Clothing) -> tuple[Clothing, Array, Array]:
        """Merge the vertices of a cell that follow the same joint: the clothing, a vertex of each, and the faces."""
        joint = self.skin_joint[:, 0]
        cell = np.where(joint == HEAD, HEAD_CELL_M, BODY_CELL_M)[:, None]
        key = np.c_[np.floor(worn.rest / cell).astype(int), joint]
        _, first, inverse = np.unique(key, axis=0, return_index=True, return_inverse=True)
        inverse = inverse.ravel()
        count = np.bincount(inverse)[:, None]

        def mean(values: Array) -> Array:
            return np.stack([np.bincount(inverse, column) for column in values.T], 1) / count

        faces = inverse[self.body.faces]
        a, b, c = faces.T
        faces = faces[(a != b) & (b != c) & (a != c)]
        faces = faces[np.unique(np.sort(faces, 1), axis=0, return_index=True)[1]]
        normals = mean(worn.normals)
        normals /= np.linalg.norm(normals, axis=1, keepdims=True) + 1e-9
        hair = mean(worn.hair[:, None])[:, 0]
        return Clothing(mean(worn.rest), normals, mean(worn.rgb), mean(worn.fields), hair), first, faces

    def paint(self, rng: np.random.Generator, model: Model) -> None:
        """Give the person other clothes, and the scene another light."""
        model.colours.write(clothes_rgb(rng, model.clothing).astype("f4").tobytes())
        toward = np.array([rng.normal(), abs(rng.normal()) + 0.3, rng.normal()])
        self.person["to_light"].value = tuple(toward / np.linalg.norm(toward))
        self.person["ambient"].value, self.person["shine"].value = rng.uniform(0.25, 0.8), rng.uniform(0, 0.2)

    def furnish(self, view: View, triangles: Array | None, picture: Array) -> None:
        """Draw furniture (T, 6) into a picture (H, W, 3) uint8 BGR, in place; it hides the people drawn later."""
        self.has_room = triangles is not None
        if triangles is None:
            return
        width, height = view.size
        self._use(self.room, view)
        self.furniture["clip_from_world"].write(view.clip_from_world().T.astype("f4").tobytes())
        buffer = self.gl.buffer(np.ascontiguousarray(triangles, np.float32).tobytes())
        mesh = self.gl.vertex_array(self.furniture, [(buffer, "3f 3f", "at", "colour")])
        mesh.render()
        drawn = self._read(self.room, (0, 0, width, height))
        picture[:] = np.where(drawn[..., 3:] > 127, drawn[..., :3], picture)
        self._use(self.room, view)  # again, depth only: the people's picture starts from it
        self.room.color_mask = False, False, False, False
        mesh.render()
        self.room.color_mask = True, True, True, True
        mesh.release()
        buffer.release()

    def draw(self, model: Model, view: View, motions: Array, box: tuple[int, int, int, int]) -> Array:
        """Draw a person: the part box (x0, y0, x1, y1) px of the picture, (h, w, 4) uint8 BGRA, alpha 0 where hidden.

        motions: (24, 4, 4), rest to world of each joint.
        """
        self._use(self.target, view)
        if self.has_room:
            self.gl.copy_framebuffer(self.target, self.room)
            self.target.use()
        eye = -view.camera_from_world[:3, :3].T @ view.camera_from_world[:3, 3]
        self.person["clip_from_world"].write(view.clip_from_world().T.astype("f4").tobytes())
        self.person["eye"].value = tuple(eye)
        self.person["motions"].write(motions.swapaxes(1, 2).astype("f4").tobytes())
        model.mesh.render()
        x0, y0, x1, y1 = box
        return self._read(self.target, (x0, y0, x1 - x0, y1 - y0))

    def _use(self, target: moderngl.Framebuffer, view: View) -> None:
        """Draw into an empty target from now on."""
        target.use()
        target.viewport = (0, 0, *view.size)
        target.clear(0, 0, 0, 0, depth=1.0)

    def _read(self, target: moderngl.Framebuffer, viewport: tuple[int, int, int, int]) -> Array:
        """Read a part (x, y, width, height) px of a target: (height, width, 4) uint8."""
        width, height = viewport[2:]
        return np.frombuffer(target.read(viewport=viewport, components=4), np.uint8).reshape(height, width, 4)


def clothes_rgb(rng: np.random.Generator, worn: Clothing) -> Array:
    """Return colours (V, 3) 0..1 of a person in random clothes: hems moved, plain, striped, checked or waved."""
    fields, colours = worn.fields.copy(), worn.rgb.copy()
    # shorts and sleeves of other lengths
    fields[:, 2] += rng.choice([0, 0, 0, -0.3])
    fields[:, 3] += rng.choice([0, 0, -0.06, 0.05])
    for garment, inside in enumerate(fields.T > 0):
        cloth = np.tile(garment_rgb(rng), (len(colours), 1))
        if garment >= 2:
            pattern = pattern_share(rng, worn.rest)[:, None]
            cloth = cloth * (1 - pattern) + garment_rgb(rng) * pattern
        cloth *= rng.uniform(0.88, 1.12, (len(cloth), 1))
        colours = np.where(inside[:, None], cloth, colours)
    return np.clip(colours, 0, 1)


def garment_rgb(rng: np.random.Generator) -> Array:
    """Return a colour (3,), dark as often as bright."""
    return np.clip(rng.random(3) * rng.choice([0.3, 0.7, 1.0]), 0.02, 1)


def pattern_share(rng: np.random.Generator, rest: Array) -> Array:
    """Return the share (V,) of a second colour: plain in three of seven cases."""
    scale = rng.uniform(6, 30)
    x, y = rest[:, 0] * scale, rest[:, 1] * scale
    kind = rng.integers(7)
    if kind < 3:
        return np.zeros(len(rest))
    patterns = {3: y % 1 > 0.5, 4: x % 1 > 0.5, 5: (np.floor(x) + np.floor(y)) % 2 > 0, 6: np.sin(2 * x + 3 * np.sin(y)) > 0}
    return patterns[int(kind)].astype(float)
