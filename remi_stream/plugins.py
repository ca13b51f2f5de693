"""Plug-ins: import an object from a string, and list what other packages add by entry point."""

from __future__ import annotations

import importlib
import importlib.metadata
from collections.abc import Mapping
from typing import Any

from remi_stream.errors import RemiError, unknown_name_error


def import_from_string(target: str) -> Any:
    """Import "module:attribute"; only this module and what it imports are loaded.

    Raises RemiError if the module or the attribute does not exist. An error inside the module's own import is a bug there,
    a missing dependency among them: it is raised unchanged, with its traceback.
    """
    module_name, _, attribute = target.partition(":")
    if not module_name or not attribute:
        raise RemiError(f"{target!r} is not of the form module:attribute.")
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        # a parent package is missing too: "a" of "a.b:c"
        if error.name is None or not f"{module_name}.".startswith(f"{error.name}."):
            raise
        raise RemiError(f"{target!r} cannot be imported: there is no module {error.name!r}. Install its package.") from None
    try:
        return getattr(module, attribute)
    except AttributeError:
        raise RemiError(f"{target!r} cannot be imported: module {module_name!r} has no {attribute!r}.") from None


def entry_points(group: str) -> dict[str, str]:
    """Map the names of an entry-point group to "module:attribute"; imports none of them."""
    return {entry.name: entry.value for entry in importlib.metadata.entry_points(group=group)}


def find_plugin(kind: str, name: str, built_in: Mapping[str, str], group: str) -> Any:
    """Import a plug-in by its name: a built-in one, or one of an entry-point group.

    Args:
        kind: What it is, for the error message ("adapter").
        name: Its name; built-in names take precedence.
        built_in: Names to "module:attribute".
        group: Entry-point group of other packages, such as `remi_stream.engines`.

    Raises UsageError for an unknown name, RemiError if it cannot be imported.
    """
    known = {**entry_points(group), **built_in}
    if name not in known:
        raise unknown_name_error(kind, name, known)
    return import_from_string(known[name])
