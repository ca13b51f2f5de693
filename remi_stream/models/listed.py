"""Custom skeletons of users' manifests, for processes that draw what an engine in another process publishes."""

from __future__ import annotations

from remi_stream.errors import UsageError
from remi_stream.models.description import register_skeleton
from remi_stream.models.manifest import manifest_files, read_manifest


def register_custom_skeletons() -> None:
    """Register all custom skeletons in this process; invalid manifests are skipped, their own engine reports the error."""
    for path in manifest_files().values():
        try:
            manifest = read_manifest(path)
            register_skeleton(manifest.skeleton, manifest.network)
        except (UsageError, ValueError):
            continue
