"""States of the recorder."""

from __future__ import annotations

RECORDER_STATES = ("waiting", "on", "off", "failed")
"""No bodies received yet; recording; switched off; failed because of the disk."""
