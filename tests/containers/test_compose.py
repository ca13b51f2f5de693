"""docker-compose.yml: mounted files exist, published ports are local, and the services find each other."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
import sys
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from remi_stream import config
from remi_stream.config import METRICS_SERVICE, WEB_SERVICE, daemon_port
from remi_stream.pipeline import STAGES, pipeline_processes

ROOT = Path(__file__).parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
DAEMONS = ("remi-stream", "gpu")
DEFAULT = re.compile(r"\$\{\w+:-([^}]*)\}")


def filled(value: str) -> str:
    """A value with its defaults, as without an .env file."""
    return DEFAULT.sub(r"\1", value)


def mounts(service: str) -> list[tuple[str, PurePosixPath, bool]]:
    """Mounts of a service: source, target, whether read-only."""
    parts = [filled(volume).split(":") for volume in SERVICES[service].get("volumes", [])]
    return [(source, PurePosixPath(place), mode == ["ro"]) for source, place, *mode in parts]


def mounted_file(service: str, path: str) -> Path:
    """The file of the checkout that is mounted at a path of a service."""
    for source, place, _ in sorted(mounts(service), key=lambda mount: len(mount[1].parts), reverse=True):
        if source.startswith(".") and PurePosixPath(path).is_relative_to(place):
            return ROOT / source / PurePosixPath(path).relative_to(place)
    raise AssertionError(f"{path} is not mounted in {service}")


def published() -> dict[int, int]:
    """Published ports: the host's port of each container port."""
    pairs = [mapping.split(":") for service in SERVICES.values() for mapping in service.get("ports", [])]
    return {int(inside): int(outside) for _, outside, inside in pairs}


def pipeline() -> config.Config:
    """Configuration that the daemon runs."""
    command = [filled(word) for word in SERVICES["remi-stream"]["command"]]
    assert command[0] == "run"
    return config.parse_config(config.read_config_file(mounted_file("remi-stream", command[1])))


@pytest.mark.parametrize("service", SERVICES)
def test_everything_that_is_mounted_exists_and_ours_cannot_be_changed(service: str) -> None:
    for source, place, read_only in mounts(service):
        if source.startswith("."):
            assert (ROOT / source).exists(), source
            assert read_only, place
        else:
            assert source in COMPOSE["volumes"], source


def test_every_volume_is_used() -> None:
    assert set(COMPOSE["volumes"]) == {source for service in SERVICES for source, *_ in mounts(service) if source[0] != "."}


@pytest.mark.parametrize("service", SERVICES)
def test_services_that_are_named_exist(service: str) -> None:
    named = set(SERVICES[service].get("depends_on", [])) | {SERVICES[service].get("network_mode", "").partition(":")[2]}
    assert named - {""} <= set(SERVICES)
    assert not named or named - {""} == set(SERVICES[service].get("depends_on", []))


def test_ports_are_for_this_machine_only() -> None:
    ports = [mapping for service in SERVICES.values() for mapping in service.get("ports", [])]
    assert ports
    assert all(mapping.startswith("127.0.0.1:") for mapping in ports)
    assert all("ports" not in service for service in SERVICES.values() if "network_mode" in service)


def test_images_of_others_have_a_full_version_and_ours_are_built() -> None:
    for name, service in SERVICES.items():
        if "build" in service:
            assert (ROOT / service["build"]["dockerfile"]).is_file(), name
            assert (ROOT / service["build"]["context"]).resolve() == ROOT
        else:
            assert re.search(r":v?\d+\.\d+\.\d+$", service["image"]), name


def test_all_services_share_the_network_of_prometheus() -> None:
    assert {service.get("network_mode") for name, service in SERVICES.items() if name != "prometheus"} == {"service:prometheus"}


def test_viewer_can_be_reached_from_the_machine() -> None:
    assert pipeline().viewer == "web"
    assert pipeline().bind == "0.0.0.0"
    assert published()[pipeline().port(WEB_SERVICE)] == daemon_port("default", WEB_SERVICE)


def test_first_video_is_mounted_and_another_folder_can_be() -> None:
    (camera,) = pipeline().cameras
    assert mounted_file("remi-stream", camera.source).is_file()
    assert "${REMI_IN:-./remi_stream/data}:/in:ro" in SERVICES["remi-stream"]["volumes"]


def test_prometheus_finds_its_rules_and_the_daemon(tmp_path: Path) -> None:
    folder = mounted_file("prometheus", "/etc/prometheus")
    scraped = yaml.safe_load((folder / "prometheus.yml").read_text())["scrape_configs"][0]["static_configs"][0]["targets"]
    assert scraped == [f"127.0.0.1:{pipeline().port(METRICS_SERVICE)}"]
    assert pipeline().metrics
    if shutil.which("promtool"):
        shutil.copytree(folder, tmp_path / "prometheus")
        subprocess.run(["promtool", "check", "config", tmp_path / "prometheus/prometheus.yml"], check=True, capture_output=True)


def test_grafana_finds_prometheus_the_dashboard_and_its_first_page() -> None:
    provisioning = "/etc/grafana/provisioning"
    source = yaml.safe_load(mounted_file("grafana", f"{provisioning}/datasources/remi-stream.yml").read_text())["datasources"][0]
    address = urlsplit(source["url"])
    assert SERVICES["grafana"]["network_mode"] == "service:prometheus"
    assert address.hostname == "127.0.0.1"
    assert address.port in published()
    provider = yaml.safe_load(mounted_file("grafana", f"{provisioning}/dashboards/remi-stream.yml").read_text())["providers"][0]
    first = SERVICES["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert str(PurePosixPath(first).parent) == provider["options"]["path"]
    assert mounted_file("grafana", first).is_file()


@pytest.mark.parametrize("service", DAEMONS)
def test_daemon_has_no_rights_that_it_does_not_need(service: str) -> None:
    daemon = SERVICES[service]
    assert daemon["cap_drop"] == ["ALL"]
    assert daemon["read_only"] is True
    assert daemon["security_opt"] == ["no-new-privileges:true"]
    assert "privileged" not in daemon
    assert "user" not in daemon


@pytest.mark.parametrize("service", DAEMONS)
def test_health_check_is_that_of_the_image(service: str) -> None:
    dockerfile = (ROOT / SERVICES[service]["build"]["dockerfile"]).read_text()
    (command,) = re.findall(r"^HEALTHCHECK.* CMD (\[.*\])$", dockerfile, re.MULTILINE)
    assert ["CMD", *yaml.safe_load(command)] == SERVICES[service]["healthcheck"]["test"]


def test_daemon_gets_the_time_that_it_needs_to_stop() -> None:
    assert all(SERVICES[service]["stop_grace_period"] == "2m" for service in DAEMONS)
    assert sum(row.stop_s for row in STAGES) < 120


def test_only_one_daemon_starts_unless_the_other_is_named() -> None:
    assert "profiles" not in SERVICES["remi-stream"]
    assert SERVICES["gpu"]["profiles"] == ["gpu"]
    (device,) = SERVICES["gpu"]["deploy"]["resources"]["reservations"]["devices"]
    assert device == {"driver": "nvidia", "count": 1, "capabilities": ["gpu"]}


def test_pipeline_has_viewer_exporter_and_processing_stages() -> None:
    assert {"web", "exporter", "detect", "pose", "relay"} <= {row.name for row, _ in pipeline_processes(pipeline())}


@pytest.mark.skipif(not importlib.util.find_spec("podman_compose"), reason="needs podman-compose (pip install podman-compose)")
@pytest.mark.skipif(not shutil.which("podman"), reason="needs podman (Debian: apt-get install podman)")
def test_podman_compose_reads_the_file_as_we_do() -> None:
    command = [sys.executable, "-m", "podman_compose", "--file", str(ROOT / "docker-compose.yml"), "config"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    read = yaml.safe_load(done.stdout)["services"]
    assert set(read) == set(SERVICES) - {"gpu"}
    assert read["remi-stream"]["command"] == [filled(word) for word in SERVICES["remi-stream"]["command"]]
