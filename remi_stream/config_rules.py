"""Plain words for what a key of a configuration, manifest or request allows, and for a value that it does not."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import inspect

from remi_stream.redaction import redact

MSGSPEC_WORDS = re.compile(r"(Expected|Invalid|Object|Key) ")
"""Beginnings of msgspec's own errors; others are of a struct's `__post_init__`."""
KEY_IS_NO_TEXT = re.compile(r"Expected `str`.* - at `key` in `\$(.*)`$")
"""msgspec's error of a key that YAML reads as a number or a truth value."""
MAX_SHOWN = 60
"""Longest value that a message repeats, characters."""


def describe_error(error: msgspec.ValidationError, values: Any, struct: type[msgspec.Struct]) -> str:
    """Describe an error of `msgspec.convert(values, struct)`: the key, the value got, the values allowed."""
    if in_map := KEY_IS_NO_TEXT.match(str(error)):
        path = in_map[1].lstrip(".")
        return _place(path.replace("[...]", "")) + _key_that_is_no_text(_find(path, values, inspect.type_info(struct))[1])
    text, has_path, path = str(error).rpartition(" - at `$")
    text, path = (text, path.rstrip("`").lstrip(".")) if has_path else (str(error), "")
    kind, value = _find(path, values, inspect.type_info(struct))
    if unknown := re.search(r"unknown field `(.*)`", text):
        return _unknown_key(path, unknown[1], kind)
    if missing := re.search(r"missing required field `(.*)`", text):
        return f"{_place(path)}`{missing[1]}` is missing; allowed: {_field_words(kind, missing[1])}"
    if not MSGSPEC_WORDS.match(text):
        return f"{_place(path)}{text}"
    return f"`{path.replace('[...]', '')}` is {_shown(value)}; allowed: {allowed_words(kind)}"


def allowed_words(kind: inspect.Type) -> str:
    """Describe the values that a type allows: "true or false", "a whole number of 1 to 32", "largest or nearest"."""
    if isinstance(kind, inspect.Metadata):
        return str((kind.extra_json_schema or {}).get("description") or allowed_words(kind.type))
    if isinstance(kind, inspect.UnionType):
        return " or ".join(allowed_words(each) for each in kind.types if not isinstance(each, inspect.NoneType))
    if isinstance(kind, inspect.LiteralType):
        names = [str(value) for value in kind.values]
        return " or ".join([", ".join(names[:-1]), names[-1]] if names[:-1] else names)
    if isinstance(kind, inspect.VarTupleType | inspect.ListType):
        return f"a list{' of maps' if isinstance(kind.item_type, inspect.StructType) else ''}{_at_least(kind.min_length)}"
    if isinstance(kind, inspect.TupleType):
        word = "text" if isinstance(kind.item_types[0], inspect.StrType) else "number"
        return f"[{', '.join([word] * len(kind.item_types))}], each {allowed_words(kind.item_types[0])}"
    if isinstance(kind, inspect.IntType | inspect.FloatType):
        return f"a {'whole ' if isinstance(kind, inspect.IntType) else ''}number{_range(kind)}"
    if isinstance(kind, inspect.StrType):
        return "a text, not empty" if kind.min_length else "a text"
    if isinstance(kind, inspect.DictType):
        return f"a map of names to {'numbers' if isinstance(kind.value_type, inspect.FloatType) else 'maps'}"
    return "true or false" if isinstance(kind, inspect.BoolType) else "a map"


def _range(kind: inspect.IntType | inspect.FloatType) -> str:
    if kind.ge is not None and kind.le is not None:
        return f" of {kind.ge:g} to {kind.le:g}"
    if kind.ge is not None:
        return f" of at least {kind.ge:g}"
    return f" above {kind.gt:g}" if kind.gt is not None else ""


def _at_least(length: int | None) -> str:
    return f" with at least {'one entry' if length == 1 else f'{length} entries'}" if length else ""


def _find(path: str, value: Any, kind: inspect.Type) -> tuple[inspect.Type, Any]:
    """Find the type and the value at a path, such as "cameras[0].name"; "[...]" stays at its map."""
    for name, index in re.findall(r"(\w+)|\[(\d+)\]", path):
        kind = _without_none(kind)
        if name:
            fields = {field.name: field.type for field in kind.fields} if isinstance(kind, inspect.StructType) else {}
            kind = fields.get(name, kind)
            value = value[name]
        else:
            kind = kind.item_type if isinstance(kind, inspect.VarTupleType | inspect.ListType) else _item(kind, int(index))
            value = value[int(index)]
    return _without_none(kind), value


def _item(kind: inspect.Type, index: int) -> inspect.Type:
    return kind.item_types[index] if isinstance(kind, inspect.TupleType) else kind


def _without_none(kind: inspect.Type) -> inspect.Type:
    """The type without None, and without what describes it unless that is its description."""
    if isinstance(kind, inspect.UnionType):
        return _without_none(next(each for each in kind.types if not isinstance(each, inspect.NoneType)))
    if isinstance(kind, inspect.Metadata) and not (kind.extra_json_schema or {}).get("description"):
        return _without_none(kind.type)
    return kind


def _unknown_key(path: str, key: str, kind: inspect.Type) -> str:
    keys = [field.name for field in kind.fields] if isinstance(kind, inspect.StructType) else []
    near = difflib.get_close_matches(key, keys, 1)
    guess = f" Did you mean `{near[0]}`?" if near else ""
    return f"{_place(path)}there is no key `{key}`.{guess} Keys: {', '.join(keys)}"


def _key_that_is_no_text(value: Any) -> str:
    """What is wrong with the first such key in a map, or in the maps in it."""
    key = next(_keys_that_are_no_text(value), None)
    if isinstance(key, bool):
        words = "yes, on or true" if key else "no, off or false"
        return f'a key is {words}, which YAML reads as {str(key).lower()}, not as a text; quote it, e.g. "{words.split(",")[0]}"'
    text = "null" if key is None else redact(str(key))[:MAX_SHOWN]
    return f'the key {text} is not a text; quote it: "{text}"'


def _keys_that_are_no_text(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        yield from (key for key in value if not isinstance(key, str))
        for each in value.values():
            yield from _keys_that_are_no_text(each)


def _place(path: str) -> str:
    return f"{path}: " if path else ""


def _field_words(kind: inspect.Type, name: str) -> str:
    fields = kind.fields if isinstance(kind, inspect.StructType) else ()
    return next((allowed_words(field.type) for field in fields if field.name == name), "a value")


def _shown(value: Any) -> str:
    """A value in a message; the content of a list or map is not shown, as it may have a password in it."""
    if isinstance(value, dict | list | tuple):
        count = len(value)
        return f"a {'map' if isinstance(value, dict) else 'list'} of {count} {'entry' if count == 1 else 'entries'}"
    text = "empty" if value is None else redact(repr(value))
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}..."
