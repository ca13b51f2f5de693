"""The daemon as docker-compose.yml runs it, in its image, and a real Prometheus in the same network namespace."""

from __future__ import annotations

import json
import shlex
import subprocess
from pathlib import Path

import pytest

from tests.containers.image import Image, Storage
from tests.containers.test_compose import ROOT, SERVICES, filled, mounted_file, mounts

pytestmark = [pytest.mark.containers, pytest.mark.prometheus, pytest.mark.timeout(900)]

NAME = "remi-stream:cpu"
ASK = """from urllib.request import HTTPCookieProcessor, build_opener
print(build_opener(HTTPCookieProcessor()).open({address!r}, timeout=5).read().decode(errors="replace"))"""
UP = "http://127.0.0.1:9090/api/v1/query?query=up"
LINK = r"viewer http://127.0.0.1:7710/"


@pytest.fixture(scope="module")
def image(storage: Storage) -> Image:
    there = storage.podman("image", "exists", NAME).returncode == 0
    return Image(storage, NAME) if there else storage.build("Dockerfile.cpu", NAME)


def options(service: str) -> list[str]:
    """podman options of a service in docker-compose.yml."""
    daemon = SERVICES[service]
    volumes = [f"{ROOT / source}:{place}:ro" for source, place, _ in mounts(service) if source.startswith(".")]
    given = {
        "--volume": volumes,
        "--cap-drop": daemon["cap_drop"],
        "--security-opt": ["no-new-privileges"],
        "--tmpfs": daemon["tmpfs"],
    }
    return [word for option, values in given.items() for value in values for word in (option, value)] + ["--read-only"]


def asking(address: str) -> tuple[str, ...]:
    """Command that prints the answer of an address inside the container's network."""
    return ("python", "-c", ASK.format(address=address))


def test_daemon_is_seen_by_the_viewer_and_by_prometheus(image: Image, storage: Storage, tmp_path: Path) -> None:
    command = [filled(word) for word in SERVICES["remi-stream"]["command"]]
    with image.running(*command, options=options("remi-stream")) as container:
        container.wait_for_line(LINK)
        link = container.do("remi-stream", "view").stdout.strip()
        container.wait_for_line("bodies on ipc://")
        container.wait_until(lambda text: "<html" in text.lower(), *asking(link))
        assert container.do(*SERVICES["remi-stream"]["healthcheck"]["test"][1:]).returncode == 0
        pid = storage.podman("inspect", "--format", "{{.State.Pid}}", container.name).stdout.strip()
        folder = mounted_file("prometheus", "/etc/prometheus")
        server = f"prometheus --config.file={folder}/prometheus.yml --storage.tsdb.path={tmp_path}/tsdb"
        with open(tmp_path / "log", "w") as log:
            prometheus = subprocess.Popen(["nsenter", "--target", pid, "--net", *shlex.split(server)], stderr=log)
        try:
            container.wait_until(lambda text: text and values(text) == ["1"], *asking(UP))
        finally:
            prometheus.terminate()
            prometheus.wait(10)
        assert container.stop()[0] == 0


def values(answer: str) -> list[str]:
    """Values in an answer of Prometheus."""
    return [series["value"][1] for series in json.loads(answer)["data"]["result"]]
