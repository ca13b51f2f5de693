"""A surface as a picture, by OpenGL on EGL; the only file that imports moderngl."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.sparse import csr_matrix

from remi_stream.errors import RemiError
from remi_stream.morph.shading import background, shaded
from remi_stream.morph.surface import normals
from remi_stream.render.camera import Camera

SOFTWARE = ("llvmpipe", "softpipe", "swiftshader", "software")
"""What OpenGL on the CPU calls itself."""
SAMPLES = 4
VERTEX = """
#version 330
uniform mat4 clip_from_mesh;
in vec3 position;
in vec3 outside;
in vec3 inside;
out vec3 colour_outside;
out vec3 colour_inside;
void main() {
    gl_Position = clip_from_mesh * vec4(position, 1.0);
    colour_outside = outside;
    colour_inside = inside;
}
"""
FRAGMENT = """
#version 330
in vec3 colour_outside;
in vec3 colour_inside;
out vec4 colour;
void main() {
    colour = vec4((gl_FrontFacing ? colour_outside : colour_inside) / 255.0, 1.0);
}
"""


def open_gpu() -> Any:
    """OpenGL on a GPU. Raises RemiError, one line, where there is none."""
    context = open_opengl()
    name = str(context.info["GL_RENDERER"])
    if any(word in name.lower() for word in SOFTWARE):
        context.release()
        raise RemiError(f"OpenGL finds no GPU here, only {name}")
    return context


def open_opengl() -> Any:
    """OpenGL without a screen, on a GPU or on the CPU. Raises RemiError."""
    try:
        import moderngl

        context = moderngl.create_context(standalone=True, backend="egl")
    except ImportError as error:
        raise RemiError(f"moderngl is missing ({error}): pip install 'remi-stream[mesh]'") from None
    except Exception as error:  # noqa: BLE001  glcontext raises plain ones
        raise RemiError(f"OpenGL cannot be opened here ({error})") from None
    context.gc_mode = "auto"
    return context


class GpuPainter:
    """As `painter.Painter`, but only in the thread that opened the context. camera: of pictures of the size that is wanted."""

    own_thread = True

    def __init__(self, context: Any, faces: np.ndarray, around: csr_matrix, camera: Camera) -> None:
        self._context, self._faces, self._around, self._camera = context, faces, around, camera
        program = context.program(vertex_shader=VERTEX, fragment_shader=FRAGMENT)
        self._matrix = program["clip_from_mesh"]
        self._buffer = context.buffer(reserve=int(around.shape[0]) * 36)
        corners = context.buffer(np.ascontiguousarray(faces, "i4").tobytes())
        layout = [(self._buffer, "3f 3f 3f", "position", "outside", "inside")]
        self._surface = context.vertex_array(program, layout, corners)
        width, height = camera.size
        samples = min(SAMPLES, context.max_samples)
        colour = context.renderbuffer((width, height), 4, samples=samples)
        self._target = context.framebuffer([colour], context.depth_renderbuffer((width, height), samples=samples))
        self._picture = context.simple_framebuffer((width, height), 4)
        self._empty = background(camera.size)

    def draw(self, vertices: np.ndarray, colours: np.ndarray, legible: bool = False) -> np.ndarray:
        """A picture (h, w, 3) uint8 RGB of vertices (V, 3) in colours (V, 3), RGB 0 to 255."""
        outwards = normals(vertices, self._faces, self._around) @ self._camera.rotation.T
        sides = [shaded(colours, side, legible) for side in (outwards, -outwards)]
        middle = vertices.mean(0)
        self._buffer.write(np.concatenate([vertices - middle, *sides], 1).astype("f4").tobytes())
        self._matrix.write(np.ascontiguousarray(clip_from_mesh(self._camera, vertices, middle).T, "f4").tobytes())
        self._context.enable(self._context.DEPTH_TEST)
        self._target.use()
        self._target.clear(0, 0, 0, 0, depth=1.0)
        self._surface.render()
        self._context.copy_framebuffer(self._picture, self._target)
        height, width = self._empty.shape[:2]
        drawn = np.frombuffer(self._picture.read(components=4), np.uint8).reshape(height, width, 4)[::-1]
        alpha = drawn[..., 3:] / np.float32(255)
        return (drawn[..., :3] + self._empty * (1 - alpha)).round().clip(0, 255).astype(np.uint8)


def clip_from_mesh(camera: Camera, vertices: np.ndarray, middle: np.ndarray) -> np.ndarray:
    """OpenGL's projection (4, 4) of vertices (V, 3) that are told from their middle."""
    fx, fy, cx, cy = camera.intrinsics
    width, height = camera.size
    depths = camera.seen(vertices)[:, 2]
    near, far = max(float(depths.min()) * 0.99, 1e-12), float(depths.max()) * 1.01
    clip = np.zeros((4, 4))
    clip[0, 0], clip[0, 2] = 2 * fx / width, (2 * cx + 1) / width - 1
    clip[1, 1], clip[1, 2] = -2 * fy / height, 1 - (2 * cy + 1) / height
    clip[2, 2], clip[2, 3], clip[3, 2] = (far + near) / (far - near), -2 * far * near / (far - near), 1
    placed = np.eye(4)
    placed[:3, :3], placed[:3, 3] = camera.rotation, camera.seen(middle)
    return clip @ placed
