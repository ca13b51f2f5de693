"""Darknet: networks described layer by layer in a cfg file; supports the layers of YOLOv3.

Redmon and Farhadi, YOLOv3: An Incremental Improvement (2018). A custom cfg (other classes, anchors, sizes, depth) works too:
`Darknet(read_cfg(path))`.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from remi_stream.errors import RemiError, unknown_name_error
from remi_stream.networks.network import TensorShapes

LEAKY_SLOPE = 0.1
"""Negative slope of Darknet's leaky ReLU."""
LOWEST_VALUE = -3e38
"""Stands for minus infinity in max pooling; within float32 (lowest: -3.4e38)."""
HEADER_BYTES = 20
"""Header of a `.weights` file: five int32, major, minor, revision, then the images seen in training (low, high)."""


class CfgSection(NamedTuple):
    """A section of a cfg file."""

    kind: str
    """Its name in brackets."""
    settings: dict[str, str]
    line: int
    """Line of its header, for error messages."""

    def text(self, key: str, default: str | None = None) -> str:
        """Return a setting. Raises RemiError if it is missing and has no default."""
        found = self.settings.get(key, default)
        if found is None:
            raise RemiError(f"[{self.kind}] in line {self.line} of the cfg has no '{key}'.")
        return found

    def integers(self, key: str, default: str | None = None) -> list[int]:
        """Return a setting as integers separated by commas."""
        text = self.text(key, default)
        try:
            return [int(float(number)) for number in text.split(",") if number.strip()]
        except ValueError:
            raise RemiError(f"[{self.kind}] in line {self.line} of the cfg: '{key}' is '{text}', not numbers.") from None

    def integer(self, key: str, default: int | None = None) -> int:
        """Return a setting as one integer."""
        numbers = self.integers(key, None if default is None else str(default))
        if len(numbers) != 1:
            raise RemiError(f"[{self.kind}] in line {self.line} of the cfg: '{key}' has {len(numbers)} numbers instead of one.")
        return numbers[0]


def read_cfg(source: str | Path) -> list[CfgSection]:
    """Read the sections of a cfg file; a name without a path ("yolov3") is a file of the package."""
    packaged = resources.files("remi_stream") / "data" / f"{source}.cfg"
    text = packaged.read_text() if isinstance(source, str) and packaged.is_file() else Path(source).read_text()
    return parse_cfg(text)


def parse_cfg(text: str) -> list[CfgSection]:
    """Parse the sections of a cfg; "#" and ";" begin comments."""
    sections: list[CfgSection] = []
    for number, line in enumerate(text.splitlines(), 1):
        line = line.split("#")[0].split(";")[0].strip()
        if line.startswith("["):
            sections.append(CfgSection(line.strip("[] ").lower(), {}, number))
        elif line and sections:
            key, _, value = line.partition("=")
            sections[-1].settings[key.strip()] = value.strip()
    if not sections or sections[0].kind not in ("net", "network"):
        raise RemiError("This is not a Darknet cfg: it does not begin with [net].")
    return sections


LayerOutputs = dict[int, Tensor]
"""Outputs of layers that later layers use, by layer index."""


class Route(nn.Module):
    """Concatenates the outputs of earlier layers, or passes one of them on. layers: their absolute indices."""

    def __init__(self, layers: list[int]) -> None:
        super().__init__()
        self.layers = layers

    def forward(self, xs: LayerOutputs) -> Tensor:
        """xs: outputs of earlier layers."""
        return torch.cat([xs[layer] for layer in self.layers], 1) if len(self.layers) > 1 else xs[self.layers[0]]


class Shortcut(nn.Module):
    """Residual connection: adds an earlier layer's output to the last one's."""

    def __init__(self, last: int, layer: int) -> None:
        super().__init__()
        self.layers = [last, layer]

    def forward(self, xs: LayerOutputs) -> Tensor:
        """xs: outputs of earlier layers."""
        return xs[self.layers[0]] + xs[self.layers[1]]


class MaxPool(nn.Module):
    """Max pooling that keeps the size at stride 1. zeros: pad with zeros, as AlphaPose's YOLO does, not with minus infinity.

    The zeros are not a padding operator: ONNX Runtime would fuse it into the pool, which then ignores the padding.
    """

    def __init__(self, size: int, stride: int, zeros: bool) -> None:
        super().__init__()
        padding = size - 1 if stride == 1 else 0
        self.before, self.after = padding // 2, padding - padding // 2
        self.zeros = zeros and stride == 1
        asymmetric = self.before != self.after
        self.pad = nn.ConstantPad2d((0, 1, 0, 1), LOWEST_VALUE) if asymmetric else nn.Identity()
        self.pool = nn.MaxPool2d(size, stride, self.before)

    def forward(self, x: Tensor) -> Tensor:
        """x: (B, C, H, W)."""
        pooled = self.pool(self.pad(x))
        return torch.maximum(pooled, self._padding_floor(pooled)) if self.zeros else pooled

    def _padding_floor(self, x: Tensor) -> Tensor:
        """Return 0 where the window exceeds the border and a very small number elsewhere, (H, W)."""
        height, width = x.shape[2:]
        rows, columns = torch.arange(height, device=x.device)[:, None], torch.arange(width, device=x.device)
        inside = (rows >= self.before) & (rows < height - self.after) & (columns >= self.before) & (columns < width - self.after)
        return torch.where(inside, LOWEST_VALUE, 0.0)


RowOrder = Literal["anchor first", "cell first"]
"""Order of a scale's rows: all cells of the first anchor, row by row, then of the next; or all anchors of the first cell."""


class YoloLayer(nn.Module):
    """YOLO layer: decodes the bounding boxes of one scale. anchors_px: width and height of each, px of the network's input."""

    anchors_px: Tensor

    def __init__(self, anchors_px: list[tuple[int, int]], classes: int, order: RowOrder) -> None:
        super().__init__()
        self.columns, self.order = 5 + classes, order
        # on the CPU also under torch.device("meta"), and not persistent: published checkpoints have no anchors
        anchors = torch.tensor(anchors_px, dtype=torch.float32, device="cpu")
        self.register_buffer("anchors_px", anchors[:, None, None], persistent=False)  # (A, 1, 1, 2)

    def forward(self, x: Tensor, height: int) -> Tensor:
        """Decode x (B, C, H, W) to rows (B, A * H * W, 5 + classes): cx, cy, w, h, px of the input, objectness, class scores.

        height: of the input, px.
        """
        rows, columns = x.shape[2:]
        x = x.reshape(-1, len(self.anchors_px), self.columns, rows, columns).permute(0, 1, 3, 4, 2)
        centre = (torch.sigmoid(x[..., :2]) + cell_offsets(rows, columns, x.device)) * (height / rows)
        boxes = torch.cat([centre, torch.exp(x[..., 2:4]) * self.anchors_px, torch.sigmoid(x[..., 4:])], -1)
        return boxes.flatten(1, 3) if self.order == "anchor first" else boxes.permute(0, 2, 3, 1, 4).flatten(1, 3)


def cell_offsets(rows: int, columns: int, device: torch.device) -> Tensor:
    """Return x, y of each grid cell, (rows, columns, 2)."""
    x = torch.arange(columns, device=device, dtype=torch.float32).expand(rows, columns)
    y = torch.arange(rows, device=device, dtype=torch.float32)[:, None].expand(rows, columns)
    return torch.stack([x, y], -1)


class Darknet(nn.Module):
    """The network of a cfg.

    classes: overrides the cfg's. order: of the rows. zeros: see MaxPool. size_px: input width and height of the cfg.
    """

    def __init__(
        self, cfg: list[CfgSection], classes: int | None = None, order: RowOrder = "anchor first", zeros: bool = False
    ) -> None:
        super().__init__()
        net, *sections = cfg
        self.size_px = net.integer("width", 416), net.integer("height", 416)
        self.module_list = nn.ModuleList()
        channels: list[int] = [net.integer("channels", 3)]
        for index, section in enumerate(sections):
            after = sections[index + 1] if index + 1 < len(sections) else None
            layer, outputs = _layer(index, section, after, channels, classes, order, zeros)
            self.module_list.append(layer)
            channels.append(outputs)
        # the outputs of all other layers are freed at once
        self.reused_layers = {index for layer in self.module_list for index in getattr(layer, "layers", ())}

    def forward(self, image: Tensor) -> tuple[Tensor]:
        """Return rows of all scales, in the cfg's order, for image (B, 3, H, W), RGB in 0..1; H = W, a multiple of 32."""
        x, rows = image, []
        xs: LayerOutputs = {}
        for index, layer in enumerate(self.module_list):
            if isinstance(layer, YoloLayer):
                rows.append(layer(x, image.shape[2]))
            else:
                x = layer(xs if isinstance(layer, Route | Shortcut) else x)
            if index in self.reused_layers:
                xs[index] = x
        return (torch.cat(rows, 1),)


def _layer(
    index: int,
    section: CfgSection,
    after: CfgSection | None,
    channels: list[int],
    classes: int | None,
    order: RowOrder,
    zeros: bool,
) -> tuple[nn.Module, int]:
    """Return a section's layer and its output channels; channels: of the input and of each layer before it."""
    kind, last = section.kind, channels[-1]
    if kind == "convolutional":
        outputs = section.integer("filters")
        if after and after.kind == "yolo":
            outputs = len(section_anchors(after)) * (5 + (classes or after.integer("classes")))
        return convolutional_layer(index, section, last, outputs), outputs
    if kind == "shortcut":
        return Shortcut(index - 1, absolute_index(index, section.integer("from"), section)), last
    if kind == "route":
        layers = [absolute_index(index, layer, section) for layer in section.integers("layers")]
        return Route(layers), sum(channels[layer + 1] for layer in layers)
    if kind == "upsample":
        return nn.Upsample(scale_factor=float(section.integer("stride")), mode="nearest"), last
    if kind == "maxpool":
        return MaxPool(section.integer("size"), section.integer("stride"), zeros), last
    if kind == "yolo":
        return YoloLayer(section_anchors(section), classes or section.integer("classes"), order), last
    raise unknown_name_error(f"layer in line {section.line} of the cfg:", kind, LAYER_KINDS)


LAYER_KINDS = ("convolutional", "shortcut", "route", "upsample", "maxpool", "yolo")


def convolutional_layer(index: int, section: CfgSection, inputs: int, outputs: int) -> nn.Sequential:
    """Convolution, batch norm and activation, under their published names."""
    size, normalised = section.integer("size"), section.integer("batch_normalize", 0) == 1
    pad = size // 2 if section.integer("pad", 0) else section.integer("padding", 0)
    layer = nn.Sequential()
    convolution = nn.Conv2d(inputs, outputs, size, section.integer("stride", 1), pad, bias=not normalised)
    layer.add_module(f"conv_{index}", convolution)
    if normalised:
        layer.add_module(f"batch_norm_{index}", nn.BatchNorm2d(outputs))
    activation = section.text("activation", "linear")
    if activation == "leaky":
        layer.add_module(f"leaky_{index}", nn.LeakyReLU(LEAKY_SLOPE))
    elif activation != "linear":
        raise unknown_name_error(f"activation in line {section.line} of the cfg:", activation, ("leaky", "linear"))
    return layer


def absolute_index(index: int, layer: int, section: CfgSection) -> int:
    """Return the absolute index of an earlier layer; a negative one is relative to this layer."""
    found = index + layer if layer < 0 else layer
    if not 0 <= found < index:
        raise RemiError(f"[{section.kind}] in line {section.line} of the cfg refers to layer {layer}, which is not before it.")
    return found


def section_anchors(section: CfgSection) -> list[tuple[int, int]]:
    """Return the anchors of a [yolo] section that its mask selects, px."""
    numbers = section.integers("anchors")
    pairs = list(zip(numbers[::2], numbers[1::2]))
    mask = section.integers("mask", ",".join(str(index) for index in range(len(pairs))))
    if any(not 0 <= index < len(pairs) for index in mask):
        raise RemiError(f"[yolo] in line {section.line} of the cfg: mask {mask} refers to more than {len(pairs)} anchors.")
    return [pairs[index] for index in mask]


def yolov3(shapes: TensorShapes | None = None) -> Darknet:
    """Build YOLOv3 as in the tracker of POCO and PARE."""
    cfg = read_cfg("yolov3")
    return Darknet(cfg, count_classes(cfg, shapes))


def yolov3_spp(shapes: TensorShapes | None = None) -> Darknet:
    """Build YOLOv3-SPP as in AlphaPose: zero-padded pools, rows by cell."""
    cfg = read_cfg("yolov3-spp")
    return Darknet(cfg, count_classes(cfg, shapes), "cell first", zeros=True)


def count_classes(cfg: list[CfgSection], shapes: TensorShapes | None) -> int | None:
    """Return a checkpoint's class count: the layer before a [yolo] section has 5 + classes channels for each anchor."""
    index = next(index for index, section in enumerate(cfg[1:]) if section.kind == "yolo")
    shape = (shapes or {}).get(f"module_list.{index - 1}.conv_{index - 1}.weight")
    return max(1, shape[0] // len(section_anchors(cfg[index + 1])) - 5) if shape else None


def read_darknet_weights(path: Path, network: Darknet) -> dict[str, Tensor]:
    """Read a network's state dict from its `.weights` file; the network may be on the meta device."""
    data = path.read_bytes()
    expected = HEADER_BYTES + 4 * count_weights(network)
    if len(data) != expected:
        raise RemiError(f"{path.name} has {len(data)} bytes, but this network's weights take {expected}.")
    return state_dict_from_numbers(np.frombuffer(data, "<f4", offset=HEADER_BYTES), network)


def state_dict_from_numbers(numbers: np.ndarray, network: Darknet) -> dict[str, Tensor]:
    """Build a state dict from numbers (N,) float32, without the header."""
    if len(numbers) != count_weights(network):
        raise RemiError(f"Got {len(numbers)} weights, but this network has {count_weights(network)}.")
    state, start = {}, 0
    for key, shape in weight_layout(network):
        end = start + shape.numel()
        state[key] = torch.from_numpy(numbers[start:end].astype(np.float32)).reshape(shape)
        start = end
    return state | {key: torch.zeros((), dtype=torch.int64) for key in network.state_dict() if key not in state}


def numbers_from_state_dict(state: dict[str, Tensor], network: Darknet) -> np.ndarray:
    """Return the numbers (N,) float32 of a state dict in `.weights` order, without the header."""
    return np.concatenate([state[key].float().cpu().numpy().ravel() for key, _ in weight_layout(network)])


def count_weights(network: Darknet) -> int:
    """Return how many numbers a network's `.weights` file has, without the header."""
    return sum(shape.numel() for _, shape in weight_layout(network))


def weight_layout(network: Darknet) -> Iterator[tuple[str, torch.Size]]:
    """Iterate over keys and shapes in file order: per convolution, bias, scale, mean, variance, weight; or bias, weight."""
    for index, layer in enumerate(network.module_list):
        names = {type(child): f"module_list.{index}.{name}" for name, child in layer.named_children()}
        if nn.Conv2d not in names:
            continue
        convolution, norm = names[nn.Conv2d], names.get(nn.BatchNorm2d)
        before = (
            [f"{norm}.{part}" for part in ("bias", "weight", "running_mean", "running_var")] if norm else [f"{convolution}.bias"]
        )
        for key in (*before, f"{convolution}.weight"):
            owner, _, leaf = key.rpartition(".")
            yield key, getattr(network.get_submodule(owner), leaf).shape
