"""A stock aitviewer server without a screen: python stock_server.py PORT FOLDER [SMPL models].

Only its window is ours. It writes FOLDER/seen-<number of nodes>-<kind>.png when people have been drawn and moved.
"""

from __future__ import annotations

import sys
from pathlib import Path

import moderngl_window.context.headless.window as headless
from aitviewer import viewer
from aitviewer.configuration import CONFIG


class Offscreen(headless.Window):
    def __init__(self, **options: object) -> None:
        super().__init__(**{**options, "backend": "egl"})


def main(port: int, folder: Path, models: str = "") -> None:
    viewer.get_local_window_cls = lambda _: Offscreen
    CONFIG.update_conf({"server_enabled": True, "server_port": port, "device": "cpu", "smplx_models": models})
    CONFIG.update_conf({"auto_set_floor": False, "auto_set_camera_target": False, "shadows_enabled": False})
    from aitviewer.headless import HeadlessRenderer

    renderer = HeadlessRenderer(size=(480, 320))
    renderer.scene.floor.enabled = renderer.scene.origin.enabled = False
    furniture = len(renderer.scene.nodes)
    renderer.scene.camera.position, renderer.scene.camera.target = (0.0, 1.0, 0.5), (0.0, 0.9, -3.7)
    sys.stdout.write("open\n")
    sys.stdout.flush()
    while True:
        renderer.server.process_messages()
        people = renderer.scene.nodes[furniture:]
        name = f"seen-{len(people)}-{type(people[0]).__name__ if people else 'nobody'}"
        renderer.get_frame().save(folder / "new.png")
        (folder / "new.png").rename(folder / f"{name}.png")


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]), *sys.argv[3:])
