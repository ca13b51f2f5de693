"""GPU metrics, with a fake driver."""

from __future__ import annotations

import inspect

import pytest

from remi_stream.sinks.exporter import GpuMetrics
from remi_stream.sinks.metric_registry import MetricRegistry
from tests.sinks import nvml
from tests.sinks.scrape import Scrape


def scraped(gpus: GpuMetrics, registry: MetricRegistry) -> Scrape:
    gpus.update(registry)
    return Scrape(registry.render_text().decode())


def test_gpu_metrics_are_in_base_units(monkeypatch: pytest.MonkeyPatch) -> None:
    driver = nvml.install(monkeypatch, nvml.Gpu(), nvml.Gpu(name="Other", at_work=100))
    gpus, registry = GpuMetrics(), MetricRegistry()
    gpus.open(registry)
    found = scraped(gpus, registry)
    assert found.value("remi_gpu_info", gpu="1", name="Other", driver="570.1") == 1
    assert found.value("remi_gpu_utilization_ratio", gpu="0") == 0.4
    assert found.value("remi_gpu_memory_used_bytes", gpu="0") == 3 * 2**30
    assert found.value("remi_gpu_memory_size_bytes", gpu="0") == 12 * 2**30
    assert found.value("remi_gpu_temperature_celsius", gpu="0") == 61
    assert found.value("remi_gpu_power_watts", gpu="0") == 87.5
    gpus.close()
    assert driver.users == 0


def test_value_that_a_gpu_no_longer_supports_is_removed_and_the_rest_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    driver = nvml.install(monkeypatch, nvml.Gpu(), nvml.Gpu())
    gpus, registry = GpuMetrics(), MetricRegistry()
    gpus.open(registry)
    assert len([sample for sample in scraped(gpus, registry).samples if sample.name == "remi_gpu_power_watts"]) == 2
    driver.gpus[0] = nvml.Gpu(milliwatts=None, at_work=55)
    found = scraped(gpus, registry)
    assert [sample.labels for sample in found.samples if sample.name == "remi_gpu_power_watts"] == [{"gpu": "1"}]
    assert found.value("remi_gpu_utilization_ratio", gpu="0") == 0.55


@pytest.mark.parametrize("fault", ["NVML Shared Library Not Found", "Driver Not Loaded", ""])
def test_machine_without_a_gpu_has_no_gpu_metrics(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    nvml.install(monkeypatch, fault=fault)
    gpus, registry = GpuMetrics(), MetricRegistry()
    gpus.open(registry)
    assert scraped(gpus, registry).samples == []
    gpus.close()


def test_names_and_arguments_are_those_of_the_real_module() -> None:
    import pynvml as real

    functions = [(name, function) for name, function in vars(nvml.Driver).items() if name.startswith("nvml")]
    assert len(functions) == 15
    for name, function in functions:
        assert len(inspect.signature(function).parameters) - 1 <= len(inspect.signature(getattr(real, name)).parameters), name
    for name in ("NVML_TEMPERATURE_GPU", "NVML_CLOCK_SM", "NVML_ERROR_LIBRARY_NOT_FOUND"):
        assert getattr(real, name) == getattr(nvml.Driver, name)
    assert issubclass(real.NVMLError, Exception)
    assert real.NVMLError(real.NVML_ERROR_LIBRARY_NOT_FOUND).value == real.NVML_ERROR_LIBRARY_NOT_FOUND
