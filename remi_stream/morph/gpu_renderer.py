"""Mesh renderer on the GPU, OpenGL over EGL; the only module that imports moderngl."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.sparse import csr_matrix

from remi_stream.errors import RemiError
from remi_stream.install_hint import install_command
from remi_stream.morph.cpu_renderer import background_image
from remi_stream.render.camera import RenderCamera
from remi_stream.render.colours import shade_colours
from remi_stream.render.surface import vertex_normals

SOFTWARE_RENDERERS = ("llvmpipe", "softpipe", "swiftshader", "software")
"""Parts of the renderer names of software OpenGL."""
MSAA_SAMPLES = 4
"""Of multisample anti-aliasing (MSAA)."""
VERTEX_SHADER = """
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
FRAGMENT_SHADER = """
#version 330
in vec3 colour_outside;
in vec3 colour_inside;
out vec4 colour;
void main() {
    colour = vec4((gl_FrontFacing ? colour_outside : colour_inside) / 255.0, 1.0);
}
"""


def open_gpu() -> Any:
    """Open a headless OpenGL context on a GPU. Raises RemiError, one line, without one."""
    context = open_opengl()
    name = str(context.info["GL_RENDERER"])
    if any(word in name.lower() for word in SOFTWARE_RENDERERS):
        context.release()
        raise RemiError(f"OpenGL finds no GPU, only {name}")
    return context


def open_opengl() -> Any:
    """Open a headless OpenGL context, on a GPU or in software. Raises RemiError."""
    try:
        import moderngl

        context = moderngl.create_context(standalone=True, backend="egl")
    except ImportError as error:
        raise RemiError(f"moderngl is missing ({error}): {install_command('mesh')}") from None
    except Exception as error:  # noqa: BLE001  glcontext raises plain ones
        raise RemiError(f"OpenGL cannot be opened ({error})") from None
    context.gc_mode = "auto"  # buffers are freed with their Python objects; moderngl's default keeps them
    return context


class GpuMeshRenderer:
    """Renders one mesh in any of its shapes, like the CPU renderer, but only in the thread that opened the context.

    camera: of images of the final size.
    """

    own_thread = True

    def __init__(self, context: Any, faces: np.ndarray, vertex_faces: csr_matrix, camera: RenderCamera) -> None:
        self._context, self._faces, self._around, self._camera = context, faces, vertex_faces, camera
        program = context.program(vertex_shader=VERTEX_SHADER, fragment_shader=FRAGMENT_SHADER)
        self._matrix = program["clip_from_mesh"]
        self._buffer = context.buffer(reserve=int(vertex_faces.shape[0]) * 36)  # nine float32 per vertex
        corners = context.buffer(np.ascontiguousarray(faces, "i4").tobytes())
        layout = [(self._buffer, "3f 3f 3f", "position", "outside", "inside")]
        self._surface = context.vertex_array(program, layout, corners)
        width, height = camera.size
        samples = min(MSAA_SAMPLES, context.max_samples)
        colour = context.renderbuffer((width, height), 4, samples=samples)
        self._target = context.framebuffer([colour], context.depth_renderbuffer((width, height), samples=samples))
        self._resolved = context.simple_framebuffer((width, height), 4)
        self._empty = background_image(camera.size)

    def render(self, vertices: np.ndarray, colours: np.ndarray, flat_shading: bool = False) -> np.ndarray:
        """Render vertices (V, 3) with colours (V, 3), RGB 0 to 255: (h, w, 3) uint8 RGB."""
        outwards = vertex_normals(vertices, self._faces, self._around) @ self._camera.rotation.T
        sides = [shade_colours(colours, side, flat_shading) for side in (outwards, -outwards)]
        # float32 would lose precision for meshes far from their origin, so positions are relative to the centroid.
        centroid = vertices.mean(0)
        self._buffer.write(np.concatenate([vertices - centroid, *sides], 1).astype("f4").tobytes())
        self._matrix.write(np.ascontiguousarray(clip_from_mesh(self._camera, vertices, centroid).T, "f4").tobytes())
        self._context.enable(self._context.DEPTH_TEST)
        self._target.use()
        self._target.clear(0, 0, 0, 0, depth=1.0)
        self._surface.render()
        # a multisampled framebuffer cannot be read; copying it averages its samples
        self._context.copy_framebuffer(self._resolved, self._target)
        height, width = self._empty.shape[:2]
        # OpenGL's first row is the lowest
        rgba = np.frombuffer(self._resolved.read(components=4), np.uint8).reshape(height, width, 4)[::-1]
        alpha = rgba[..., 3:] / np.float32(255)
        return (rgba[..., :3] + self._empty * (1 - alpha)).round().clip(0, 255).astype(np.uint8)


def clip_from_mesh(camera: RenderCamera, vertices: np.ndarray, centroid: np.ndarray) -> np.ndarray:
    """Projection matrix (4, 4) to OpenGL clip space, for vertices relative to `centroid`; near and far planes enclose them."""
    fx, fy, cx, cy = camera.intrinsics
    width, height = camera.size
    depths = camera.to_camera(vertices)[:, 2]
    near, far = max(float(depths.min()) * 0.99, 1e-12), float(depths.max()) * 1.01
    clip = np.zeros((4, 4))
    # + 1: integers are pixel centres here, and pixel edges in OpenGL
    clip[0, 0], clip[0, 2] = 2 * fx / width, (2 * cx + 1) / width - 1
    clip[1, 1], clip[1, 2] = -2 * fy / height, 1 - (2 * cy + 1) / height
    clip[2, 2], clip[2, 3], clip[3, 2] = (far + near) / (far - near), -2 * far * near / (far - near), 1
    camera_from_mesh = np.eye(4)
    camera_from_mesh[:3, :3], camera_from_mesh[:3, 3] = camera.rotation, camera.to_camera(centroid)
    return clip @ camera_from_mesh
