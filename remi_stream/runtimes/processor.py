"""What the processor can do."""

from __future__ import annotations

from functools import cache
from pathlib import Path

BF16 = {"amx_bf16", "avx512_bf16"}


@cache
def multiplies_bf16(cpuinfo: Path = Path("/proc/cpuinfo")) -> bool:
    """Whether the processor has instructions that multiply bf16 (AMX or AVX-512); without them bf16 is slower than f32."""
    try:
        lines = cpuinfo.read_text().splitlines()
    except OSError:
        return False
    flags = next((line for line in lines if line.startswith("flags")), "")
    return bool(BF16 & set(flags.split()))
