#version 330
uniform mat4 clip_from_world;
in vec3 at, colour;
out vec3 shaded;

void main() {
  gl_Position = clip_from_world * vec4(at, 1.0);
  shaded = colour;
}
