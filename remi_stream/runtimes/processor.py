"""CPU features: bf16 instructions."""

from __future__ import annotations

from functools import cache
from pathlib import Path

BF16_FLAGS = {"amx_bf16", "avx512_bf16"}  # flags of Linux's /proc/cpuinfo


@cache
def has_bf16(cpuinfo: Path = Path("/proc/cpuinfo")) -> bool:
    """Return whether the processor has bf16 instructions (AMX or AVX-512); without them bf16 is slower than f32."""
    try:
        lines = cpuinfo.read_text().splitlines()
    except OSError:
        return False
    flags = next((line for line in lines if line.startswith("flags")), "")
    return bool(BF16_FLAGS & set(flags.split()))
