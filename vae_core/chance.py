"""Random numbers that a seed repeats in the browser, too: static/engine/random.mjs in Python."""

from __future__ import annotations

import math


def uniforms(seed: int, n: int) -> list[float]:
    """n numbers, uniform in [0, 1): sfc32 of Chris Doty-Humphrey's PractRand, the first 15 thrown away."""
    a, b, c, mask = 0x9E3779B9, 0x243F6A88, seed & 0xFFFFFFFF, 0xFFFFFFFF
    draws = []
    for counter in range(1, 16 + n):
        bits = (a + b + counter) & mask
        a, b, c = b ^ b >> 9, (c + (c << 3)) & mask, ((c << 21 | c >> 11) + bits) & mask
        draws.append(bits / 2**32)
    return draws[15:]


def normals(seed: int, n: int) -> list[float]:
    """n draws from N(0, 1), each of two uniforms (Box and Muller)."""
    u = uniforms(seed, 2 * n)
    return [math.sqrt(-2 * math.log(1 - v)) * math.cos(2 * math.pi * w) for v, w in zip(u[::2], u[1::2], strict=True)]
