#version 330
uniform vec3 camera, to_light;
uniform mat4 shadow_from_world;
uniform sampler2DShadow shadow;
uniform int taps;
out vec4 pixel;

vec3 linear(vec3 srgb) { return pow(srgb, vec3(2.2)); }

// Light to sRGB, the brightest parts rolled off.
vec3 film(vec3 light) {
  vec3 x = 1.06 * light;
  return pow(x * (1.0 + 0.12 * x) / (1.0 + 0.42 * x), vec3(1.0 / 2.2));
}

float hash(vec3 p) {
  p = 17.0 * fract(0.3183099 * p + 0.1);
  return fract(p.x * p.y * p.z * (p.x + p.y + p.z));
}

// Smooth noise of 0 to 1, one lump per unit of p.
float noise(vec3 p) {
  vec3 i = floor(p), f = fract(p);
  f = f * f * (3.0 - 2.0 * f);
  vec4 near = vec4(hash(i), hash(i + vec3(1, 0, 0)), hash(i + vec3(0, 1, 0)), hash(i + vec3(1, 1, 0)));
  vec4 far = vec4(hash(i + vec3(0, 0, 1)), hash(i + vec3(1, 0, 1)), hash(i + vec3(0, 1, 1)), hash(i + vec3(1, 1, 1)));
  vec4 slab = mix(near, far, f.z);
  return mix(mix(slab.x, slab.y, f.x), mix(slab.z, slab.w, f.x), f.y);
}

// How much of the lamp is seen from p, 0 to 1: the shadow map read on a spiral as wide as its blur.
float lamp_seen(vec3 p, float blur) {
  vec3 s = 0.5 + 0.5 * (shadow_from_world * vec4(p, 1.0)).xyz;
  float sum = 0.0;
  for (int i = 0; i < taps; ++i) {
    float radius = blur * sqrt((float(i) + 0.5) / float(taps)), angle = 2.399963 * float(i);
    sum += texture(shadow, vec3(s.xy + radius * vec2(cos(angle), sin(angle)), s.z));
  }
  return sum / float(taps);
}
