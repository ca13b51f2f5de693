"""How a recorder can be doing."""

from __future__ import annotations

RECORDER_STATES = ("waiting", "on", "off", "failed")
"""No bodies have come yet; recording; switched off; given up, since the disk is full or broken."""
