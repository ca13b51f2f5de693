"""Darknet: a network that a cfg file describes, layer by layer, here as far as YOLOv3 goes.

Redmon and Farhadi, YOLOv3: An Incremental Improvement (2018). A cfg of your own (other classes, anchors, sizes, depth) works too:
`Darknet(read_cfg(path))`.
"""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

from remi_stream.errors import RemiError, unknown
from remi_stream.networks.network import Shapes

SLOPE = 0.1
LOWEST = -3e38


class Section(NamedTuple):
    """A part of a cfg file: "[kind]" and its settings. line: where it begins, for people."""

    kind: str
    settings: dict[str, str]
    line: int

    def text(self, key: str, default: str | None = None) -> str:
        """A setting; without a default it has to be there."""
        found = self.settings.get(key, default)
        if found is None:
            raise RemiError(f"[{self.kind}] in line {self.line} of the cfg has no '{key}'.")
        return found

    def numbers(self, key: str, default: str | None = None) -> list[int]:
        """A setting of numbers between commas."""
        text = self.text(key, default)
        try:
            return [int(float(number)) for number in text.split(",") if number.strip()]
        except ValueError:
            raise RemiError(f"[{self.kind}] in line {self.line} of the cfg: '{key}' is '{text}', not numbers.") from None

    def number(self, key: str, default: int | None = None) -> int:
        """A setting of one number."""
        found = self.numbers(key, None if default is None else str(default))
        if len(found) != 1:
            raise RemiError(f"[{self.kind}] in line {self.line} of the cfg: '{key}' has {len(found)} numbers instead of one.")
        return found[0]


def read_cfg(source: str | Path) -> list[Section]:
    """The sections of a cfg file; a name without a path ("yolov3") is one that comes with the package."""
    packaged = resources.files("remi_stream") / "data" / f"{source}.cfg"
    text = packaged.read_text() if isinstance(source, str) and packaged.is_file() else Path(source).read_text()
    return parse(text)


def parse(text: str) -> list[Section]:
    """The sections of a cfg; "#" and ";" begin remarks."""
    sections: list[Section] = []
    for number, line in enumerate(text.splitlines(), 1):
        line = line.split("#")[0].split(";")[0].strip()
        if line.startswith("["):
            sections.append(Section(line.strip("[] ").lower(), {}, number))
        elif line and sections:
            key, _, value = line.partition("=")
            sections[-1].settings[key.strip()] = value.strip()
    if not sections or sections[0].kind not in ("net", "network"):
        raise RemiError("This is no darknet cfg: it does not begin with [net].")
    return sections


Layers = dict[int, Tensor]
"""What layers gave that later ones ask for, by their numbers."""


class Route(nn.Module):
    """Stacks what earlier layers gave, or passes one of them on. layers: their absolute numbers."""

    def __init__(self, layers: list[int]) -> None:
        super().__init__()
        self.layers = layers

    def forward(self, xs: Layers) -> Tensor:
        """xs: what earlier layers gave."""
        return torch.cat([xs[layer] for layer in self.layers], 1) if len(self.layers) > 1 else xs[self.layers[0]]


class Shortcut(nn.Module):
    """Adds what an earlier layer gave to what the last one gave."""

    def __init__(self, last: int, layer: int) -> None:
        super().__init__()
        self.layers = [last, layer]

    def forward(self, xs: Layers) -> Tensor:
        """xs: what earlier layers gave."""
        return xs[self.layers[0]] + xs[self.layers[1]]


class Pool(nn.Module):
    """Max pooling that keeps the size at stride 1. zeros: what is outside counts as 0, as in AlphaPose's YOLO, not as nothing.

    Zeros are no padding in the graph: ONNX Runtime fuses such a padding into the pool, and then it counts as nothing.
    """

    def __init__(self, size: int, stride: int, zeros: bool) -> None:
        super().__init__()
        around = size - 1 if stride == 1 else 0
        self.before, self.after = around // 2, around - around // 2
        self.zeros = zeros and stride == 1
        even = self.before != self.after
        self.pad = nn.ConstantPad2d((0, 1, 0, 1), LOWEST) if even else nn.Identity()
        self.pool = nn.MaxPool2d(size, stride, self.before)

    def forward(self, x: Tensor) -> Tensor:
        """x: (B, C, H, W)."""
        pooled = self.pool(self.pad(x))
        return torch.maximum(pooled, self._least(pooled)) if self.zeros else pooled

    def _least(self, x: Tensor) -> Tensor:
        """0 where the window reaches over the edge, (H, W)."""
        height, width = x.shape[2:]
        rows, columns = torch.arange(height, device=x.device)[:, None], torch.arange(width, device=x.device)
        inside = (rows >= self.before) & (rows < height - self.after) & (columns >= self.before) & (columns < width - self.after)
        return torch.where(inside, LOWEST, 0.0)


RowOrder = Literal["anchor first", "cell first"]
"""Of the rows of one scale: all cells (row by row) of the first anchor, then of the next; or all anchors of the first cell."""


class Detection(nn.Module):
    """Boxes of one scale. anchors_px: width and height of each, at the network's input."""

    anchors_px: Tensor

    def __init__(self, anchors_px: list[tuple[int, int]], classes: int, order: RowOrder) -> None:
        super().__init__()
        self.columns, self.order = 5 + classes, order
        anchors = torch.tensor(anchors_px, dtype=torch.float32, device="cpu")
        self.register_buffer("anchors_px", anchors[:, None, None], persistent=False)  # (A, 1, 1, 2)

    def forward(self, x: Tensor, height: int) -> Tensor:
        """Rows (B, A * H * W, 5 + classes): cx, cy, w, h, px of the input, objectness, class scores, of x (B, C, H, W).

        height: of the input, px.
        """
        rows, columns = x.shape[2:]
        x = x.reshape(-1, len(self.anchors_px), self.columns, rows, columns).permute(0, 1, 3, 4, 2)
        centre = (torch.sigmoid(x[..., :2]) + cells(rows, columns, x.device)) * (height / rows)
        boxes = torch.cat([centre, torch.exp(x[..., 2:4]) * self.anchors_px, torch.sigmoid(x[..., 4:])], -1)
        return boxes.flatten(1, 3) if self.order == "anchor first" else boxes.permute(0, 2, 3, 1, 4).flatten(1, 3)


def cells(rows: int, columns: int, device: torch.device) -> Tensor:
    """x, y of each cell: (rows, columns, 2)."""
    x = torch.arange(columns, device=device, dtype=torch.float32).expand(rows, columns)
    y = torch.arange(rows, device=device, dtype=torch.float32)[:, None].expand(rows, columns)
    return torch.stack([x, y], -1)


class Darknet(nn.Module):
    """The network of a cfg.

    classes: instead of the cfg's. order: of the rows. zeros: see Pool. size_px: width and height that the cfg names.
    """

    def __init__(
        self, cfg: list[Section], classes: int | None = None, order: RowOrder = "anchor first", zeros: bool = False
    ) -> None:
        super().__init__()
        net, *sections = cfg
        self.size_px = net.number("width", 416), net.number("height", 416)
        self.module_list = nn.ModuleList()
        channels: list[int] = [net.number("channels", 3)]
        for index, section in enumerate(sections):
            after = sections[index + 1] if index + 1 < len(sections) else None
            layer, outputs = _layer(index, section, after, channels, classes, order, zeros)
            self.module_list.append(layer)
            channels.append(outputs)
        self.asked_for = {index for layer in self.module_list for index in getattr(layer, "layers", ())}

    def forward(self, image: Tensor) -> tuple[Tensor]:
        """Rows of every scale, in the cfg's order, of image (B, 3, H, W) with RGB in 0..1; H = W, a multiple of 32."""
        x, rows = image, []
        xs: Layers = {}
        for index, layer in enumerate(self.module_list):
            if isinstance(layer, Detection):
                rows.append(layer(x, image.shape[2]))
            else:
                x = layer(xs if isinstance(layer, Route | Shortcut) else x)
            if index in self.asked_for:
                xs[index] = x
        return (torch.cat(rows, 1),)


def _layer(
    index: int,
    section: Section,
    after: Section | None,
    channels: list[int],
    classes: int | None,
    order: RowOrder,
    zeros: bool,
) -> tuple[nn.Module, int]:
    """The layer of a section, and how many channels it gives; channels: of the input and of each layer before it."""
    kind, last = section.kind, channels[-1]
    if kind == "convolutional":
        outputs = section.number("filters")
        if after and after.kind == "yolo":
            outputs = len(anchors_of(after)) * (5 + (classes or after.number("classes")))
        return convolutional(index, section, last, outputs), outputs
    if kind == "shortcut":
        return Shortcut(index - 1, absolute(index, section.number("from"), section)), last
    if kind == "route":
        layers = [absolute(index, layer, section) for layer in section.numbers("layers")]
        return Route(layers), sum(channels[layer + 1] for layer in layers)
    if kind == "upsample":
        return nn.Upsample(scale_factor=float(section.number("stride")), mode="nearest"), last
    if kind == "maxpool":
        return Pool(section.number("size"), section.number("stride"), zeros), last
    if kind == "yolo":
        return Detection(anchors_of(section), classes or section.number("classes"), order), last
    raise unknown(f"layer in line {section.line} of the cfg:", kind, LAYERS)


LAYERS = ("convolutional", "shortcut", "route", "upsample", "maxpool", "yolo")


def convolutional(index: int, section: Section, inputs: int, outputs: int) -> nn.Sequential:
    """A convolution with what follows it, under its published names."""
    size, normalised = section.number("size"), section.number("batch_normalize", 0) == 1
    pad = size // 2 if section.number("pad", 0) else section.number("padding", 0)
    layer = nn.Sequential()
    convolution = nn.Conv2d(inputs, outputs, size, section.number("stride", 1), pad, bias=not normalised)
    layer.add_module(f"conv_{index}", convolution)
    if normalised:
        layer.add_module(f"batch_norm_{index}", nn.BatchNorm2d(outputs))
    activation = section.text("activation", "linear")
    if activation == "leaky":
        layer.add_module(f"leaky_{index}", nn.LeakyReLU(SLOPE))
    elif activation != "linear":
        raise unknown(f"activation in line {section.line} of the cfg:", activation, ("leaky", "linear"))
    return layer


def absolute(index: int, layer: int, section: Section) -> int:
    """The number of an earlier layer that is counted from the start, or (negative) backwards from here."""
    found = index + layer if layer < 0 else layer
    if not 0 <= found < index:
        raise RemiError(f"[{section.kind}] in line {section.line} of the cfg asks for layer {layer}, which is not before it.")
    return found


def anchors_of(section: Section) -> list[tuple[int, int]]:
    """The anchors of a [yolo] section, px: those of all its anchors that its mask names."""
    numbers = section.numbers("anchors")
    pairs = list(zip(numbers[::2], numbers[1::2]))
    mask = section.numbers("mask", ",".join(str(index) for index in range(len(pairs))))
    if any(not 0 <= index < len(pairs) for index in mask):
        raise RemiError(f"[yolo] in line {section.line} of the cfg: mask {mask} asks for more than {len(pairs)} anchors.")
    return [pairs[index] for index in mask]


def yolov3(shapes: Shapes | None = None) -> Darknet:
    """YOLOv3 as POCO's and PARE's tracker has it."""
    cfg = read_cfg("yolov3")
    return Darknet(cfg, classes_of(cfg, shapes))


def yolov3_spp(shapes: Shapes | None = None) -> Darknet:
    """YOLOv3-SPP as AlphaPose has it: pools padded with zeros, rows by cell."""
    cfg = read_cfg("yolov3-spp")
    return Darknet(cfg, classes_of(cfg, shapes), "cell first", zeros=True)


def classes_of(cfg: list[Section], shapes: Shapes | None) -> int | None:
    """How many classes a checkpoint knows, if it says so: what is before a [yolo] section gives 5 + classes for each anchor."""
    index = next(index for index, section in enumerate(cfg[1:]) if section.kind == "yolo")
    shape = (shapes or {}).get(f"module_list.{index - 1}.conv_{index - 1}.weight")
    return max(1, shape[0] // len(anchors_of(cfg[index + 1])) - 5) if shape else None
