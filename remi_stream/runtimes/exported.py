"""Runtime of torch-tensorrt plans: an ExportedProgram with TensorRT engines, run by PyTorch."""

from __future__ import annotations

import importlib
from pathlib import Path

import numpy as np

from remi_stream.convert.plan import PLAN_FILE, PlanManifest
from remi_stream.runtimes.cuda import TorchCuda, cuda_time_ms
from remi_stream.runtimes.runtime import RuntimeTensors


class TorchTensorRtRuntime:
    """A torch-tensorrt plan on the GPU; larger batches than the plan's are split."""

    def __init__(self, folder: Path, manifest: PlanManifest, device: str = "cuda") -> None:
        TorchCuda()  # raises RemiError if PyTorch sees no GPU
        from remi_stream.runtimes.gpu_picture import Cropper

        importlib.import_module("torch_tensorrt")  # registers the operators of such programs with PyTorch
        key = manifest.key
        self.name = f"torch-tensorrt {key.version} {key.precision}, batches of 1 to {key.max_batch}"
        self._torch, self._max_batch = importlib.import_module("torch"), key.max_batch
        self._device = self._torch.device(device)
        self.crop, self.time_ms = Cropper(self._device).crop, cuda_time_ms
        self._inputs = [port.name for port in manifest.inputs]
        self._outputs = [port.name for port in manifest.outputs]
        self._module = self._torch.export.load(str(folder / PLAN_FILE)).module()

    def run(self, tensors: RuntimeTensors) -> dict[str, np.ndarray]:
        """Run the network and return its outputs, (B, ...) float32."""
        from remi_stream.runtimes.torch import to_device

        inputs = [to_device(tensors[name], self._device) for name in self._inputs]
        with self._torch.inference_mode():
            parts = [self._module(*rows) for rows in zip(*(self._torch.split(values, self._max_batch) for values in inputs))]
        outputs = zip(self._outputs, zip(*parts))
        return {name: self._torch.cat(values).float().cpu().numpy() for name, values in outputs}
