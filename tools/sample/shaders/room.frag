uniform vec4 spheres[96];  // the actors, roughly: centre and radius
uniform int sphere_count;
in vec3 at, up;

const float BOARD = 0.16;

vec3 boards(vec2 p) {
  float row = floor(p.y / BOARD), board = floor(p.x / 1.4 + 0.37 * mod(row * 7.0, 5.0));
  float shade = hash(vec3(row, board, 3.0)), grain = noise(vec3(p.x * 5.0, p.y * 90.0, shade * 9.0));
  float joint = smoothstep(0.488 - fwidth(p.y / BOARD), 0.5, abs(fract(p.y / BOARD) - 0.5));
  vec3 wood = mix(vec3(0.60, 0.46, 0.34), vec3(0.70, 0.56, 0.42), shade) * (0.95 + 0.10 * grain);
  return linear(wood) * (1.0 - 0.45 * joint);
}

// A framed landscape in the middle of p, over the wall.
vec3 picture(vec3 wall, vec2 p, vec2 half_size, float seed) {
  float inside = min(half_size.x - abs(p.x), half_size.y - abs(p.y)), soft = fwidth(p.y), y = p.y / half_size.y;
  float ridge = 0.10 * sin(p.x * 9.0 + seed) + 0.05 * sin(p.x * 23.0 + 2.0 * seed);
  vec3 sky = mix(vec3(0.86, 0.74, 0.60), vec3(0.48, 0.62, 0.70), clamp(y + 0.4, 0.0, 1.0));
  vec3 hills = mix(vec3(0.30, 0.38, 0.36), vec3(0.42, 0.50, 0.46), smoothstep(-0.01, 0.01, y - ridge + 0.25));
  vec3 shown = wall * mix(1.0, 0.80, smoothstep(-0.05, 0.0, inside));
  shown = mix(shown, linear(vec3(0.26, 0.20, 0.16)), smoothstep(0.0, soft, inside));
  shown = mix(shown, linear(vec3(0.90, 0.89, 0.86)), smoothstep(0.025, 0.025 + soft, inside));
  vec3 painting = linear(mix(hills, sky, smoothstep(-0.01, 0.01, y - ridge)));
  return mix(shown, painting, smoothstep(0.085, 0.085 + soft, inside));
}

vec3 wall(vec2 p) {
  vec3 plaster = linear(vec3(0.80, 0.79, 0.76)), board = linear(vec3(0.90, 0.89, 0.87));
  vec3 base = p.y < 0.11 ? board * smoothstep(0.11, 0.105, p.y) : plaster;
  base = picture(base, p - vec2(1.25, 1.62), vec2(0.36, 0.46), 1.0);
  return picture(base, p - vec2(-1.45, 1.66), vec2(0.30, 0.30), 4.0);
}

void main() {
  bool is_floor = up.y > 0.5;
  float unhidden = 1.0;
  for (int i = 0; i < sphere_count; ++i) {
    vec3 away = spheres[i].xyz - at;
    float distance = length(away), share = spheres[i].w / distance;
    unhidden *= 1.0 - clamp(max(0.0, dot(up, away / distance)) * share * share, 0.0, 0.85);
  }
  float corner = 1.0 - 0.30 * exp(-(is_floor ? at.z + 2.0 : at.y) / 0.35);
  vec3 off = at - vec3(-0.2, 0.0, -0.3);
  float pool = 1.0 / (1.0 + 0.055 * dot(off, off)), seen = lamp_seen(at + 0.004 * up, 0.006);
  vec3 lamp = vec3(1.10, 1.03, 0.92) * max(0.0, dot(up, to_light)) * mix(0.15, 1.0, seen);
  vec3 light = (lamp + vec3(0.40, 0.42, 0.46) * unhidden) * corner * pool;
  vec3 view = normalize(camera - at);
  float shine = pow(max(0.0, dot(reflect(-to_light, up), view)), 12.0) * seen + pow(1.0 - view.y, 4.0) * unhidden;
  pixel = vec4(film((is_floor ? boards(at.xz) : wall(at.xy)) * light + (is_floor ? 0.05 * shine : 0.0)), 1.0);
}
