"""The messages that a browser may send to the web viewer: a viewpoint, or a new value of a widget that the page has.

viser trusts its clients: it sets any attribute of a widget that a message names. So each message is checked before viser sees it.
"""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal

import msgspec
import viser

MAX_MESSAGE_BYTES = 65536
"""Larger messages end the connection."""
MAX_TEXT_LENGTH = 200
"""Of a text in a message, characters."""
MAX_COORDINATE = 1e9
"""Largest size of any number of a viewpoint."""

Id = Annotated[str, msgspec.Meta(max_length=64)]
Text = Annotated[str, msgspec.Meta(max_length=MAX_TEXT_LENGTH)]
Coordinate = Annotated[float, msgspec.Meta(ge=-MAX_COORDINATE, le=MAX_COORDINATE)]
Pixels = Annotated[int, msgspec.Meta(ge=0, le=100_000)]
Vector = tuple[Coordinate, Coordinate, Coordinate]


class ViewpointMessage(msgspec.Struct, frozen=True, tag_field="type", tag="ViewerCameraMessage", forbid_unknown_fields=True):
    """A client's viewpoint, as viser's page sends it."""

    wxyz: tuple[Coordinate, Coordinate, Coordinate, Coordinate]
    position: Vector
    fov: Coordinate
    near: Coordinate
    far: Coordinate
    image_height: Pixels
    image_width: Pixels
    look_at: Vector
    up_direction: Vector

    @property
    def is_finite(self) -> bool:
        """Whether it has no NaN: a comparison with a limit lets it pass."""
        return all(
            map(math.isfinite, (*self.wxyz, *self.position, self.fov, self.near, self.far, *self.look_at, *self.up_direction))
        )


class InputMessage(msgspec.Struct, frozen=True, tag_field="type", tag="GuiUpdateMessage", forbid_unknown_fields=True):
    """A widget's new value."""

    uuid: Id
    updates: dict[Literal["value"], bool | int | float | Text]


_decoder: msgspec.msgpack.Decoder[ViewpointMessage | InputMessage] = msgspec.msgpack.Decoder(ViewpointMessage | InputMessage)


def is_allowed(raw: object, gui: viser.GuiApi) -> bool:
    """Whether a browser of the page with these widgets may send a message."""
    if not isinstance(raw, bytes):
        return False
    try:
        message = _decoder.decode(raw)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        return False
    if isinstance(message, ViewpointMessage):
        return message.is_finite
    widget = gui._gui_input_handle_from_uuid.get(message.uuid)
    return widget is not None and "value" in message.updates and allows_value(widget, message.updates["value"])


def allows_value(widget: Any, value: bool | int | float | str) -> bool:
    """Whether a widget may get a value: of its type, and within its range or among its options."""
    if isinstance(widget, (viser.GuiCheckboxHandle, viser.GuiButtonHandle)):
        return isinstance(value, bool)
    if isinstance(widget, viser.GuiSliderHandle):
        return isinstance(value, (int, float)) and not isinstance(value, bool) and widget.min <= value <= widget.max
    if isinstance(widget, (viser.GuiDropdownHandle, viser.GuiButtonGroupHandle)):
        return isinstance(value, str) and value in widget.options
    return isinstance(widget, viser.GuiTextHandle) and isinstance(value, str)
