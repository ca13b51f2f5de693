"""The figures of GPUs, with a driver that is not there."""

from __future__ import annotations

import inspect
import sys

import pytest

from remi_stream.sinks.metric_registry import GpuMetrics, MetricRegistry
from tests.sinks import nvml
from tests.sinks.scrape import Scrape


def told(gpus: GpuMetrics, figures: MetricRegistry) -> Scrape:
    gpus.update(figures)
    return Scrape(figures.render_text().decode())


def test_gpu_tells_its_work_in_base_units(monkeypatch: pytest.MonkeyPatch) -> None:
    driver = nvml.install(monkeypatch, nvml.Gpu(), nvml.Gpu(name="Other", at_work=100))
    gpus, figures = GpuMetrics(), MetricRegistry()
    gpus.open(figures)
    found = told(gpus, figures)
    assert found.value("remi_gpu_info", gpu="1", name="Other", driver="570.1") == 1
    assert found.value("remi_gpu_utilization_ratio", gpu="0") == 0.4
    assert found.value("remi_gpu_memory_used_bytes", gpu="0") == 3 * 2**30
    assert found.value("remi_gpu_memory_size_bytes", gpu="0") == 12 * 2**30
    assert found.value("remi_gpu_temperature_celsius", gpu="0") == 61
    assert found.value("remi_gpu_power_watts", gpu="0") == 87.5
    gpus.close()
    assert driver.users == 0


def test_what_a_gpu_does_not_tell_any_more_is_left_out_and_the_rest_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    driver = nvml.install(monkeypatch, nvml.Gpu(), nvml.Gpu())
    gpus, figures = GpuMetrics(), MetricRegistry()
    gpus.open(figures)
    assert len([sample for sample in told(gpus, figures).samples if sample.name == "remi_gpu_power_watts"]) == 2
    driver.gpus[0] = nvml.Gpu(milliwatts=None, at_work=55)
    found = told(gpus, figures)
    assert [sample.labels for sample in found.samples if sample.name == "remi_gpu_power_watts"] == [{"gpu": "1"}]
    assert found.value("remi_gpu_utilization_ratio", gpu="0") == 0.55


@pytest.mark.parametrize("why", ["no module", "no driver", "no GPU"])
def test_machine_without_a_gpu_has_no_figures_of_one(why: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if why == "no module":
        monkeypatch.setitem(sys.modules, "pynvml", None)
    else:
        nvml.install(monkeypatch, starts=why != "no driver")
    gpus, figures = GpuMetrics(), MetricRegistry()
    gpus.open(figures)
    assert told(gpus, figures).samples == []
    gpus.close()


def test_names_and_arguments_are_those_of_the_real_module() -> None:
    real = pytest.importorskip("pynvml", reason="needs nvidia-ml-py")
    functions = [(name, function) for name, function in vars(nvml.Driver).items() if name.startswith("nvml")]
    assert len(functions) == 10
    for name, function in functions:
        assert len(inspect.signature(function).parameters) - 1 <= len(inspect.signature(getattr(real, name)).parameters), name
    assert real.NVML_TEMPERATURE_GPU == nvml.Driver.NVML_TEMPERATURE_GPU
    assert issubclass(real.NVMLError, Exception)
