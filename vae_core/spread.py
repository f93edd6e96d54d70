"""How far a number moves between trainings that differ in their seed alone, read off a card. Pure.

Two models are called about equal in a number where their trainings' ranges overlap. Were both the same, the ranges of
three trainings each would lie apart in 1 of 10 cases (2 · 3! 3! / 6!).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

# Nats between two means over the test split that single trainings do not tell apart: β = 0.25 reconstructs 1.6 nats
# worse than β = 0.1 and 1.2 worse than β = 0.5, by nothing but chance (`python -m benchmarks.quality`).
ALIKE = 1.6


class Spread(NamedTuple):
    """The least and the largest of what was measured of so many trainings; one is no spread."""

    low: float
    high: float
    trainings: int

    def meets(self, other: Spread) -> bool:
        """Whether the two cannot be told apart: both are of several trainings, and their ranges overlap."""
        return min(self.trainings, other.trainings) > 1 and self.low <= other.high and other.low <= self.high


def of(card: Mapping[str, Any], weights: str, path: Sequence[str]) -> Spread | None:
    """The number at `path` of the card's own training and of its further seeds; None where the card has no such number.

    `weights` is the fingerprint of the card's own, or its beginning: seeds that were trained beside others count for
    nothing.
    """
    own = _at(card, path)
    if own is None:
        return None
    seeds = card.get("seeds") or {}
    runs = seeds.get("runs", {}).values() if str(seeds.get("weights", "")).startswith(weights) and weights else ()
    found = [own, *(value for run in runs if (value := _at(run, path)) is not None)]
    return Spread(min(found), max(found), len(found))


def several(card: Mapping[str, Any], weights: str, path: Sequence[str]) -> Spread | None:
    """The same where there were several trainings: None of a single one, whose range says nothing."""
    found = of(card, weights, path)
    return found if found and found.trainings > 1 else None


def _at(value: Any, path: Sequence[str]) -> float | None:
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    return float(value) if type(value) in (int, float) else None
