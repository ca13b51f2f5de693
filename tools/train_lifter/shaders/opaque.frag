#version 330
in vec3 shaded;
out vec4 pixel;

void main() { pixel = vec4(shaded.bgr, 1.0); }
