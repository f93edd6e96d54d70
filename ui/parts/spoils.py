"""Ways to spoil a digit, as a live view reads them (static/parts/spoiling.mjs)."""

from __future__ import annotations

from vae_core.corruption import CORRUPTIONS

SPOILS = [
    {
        "kind": kind,
        "name": row.name,
        "unit": row.unit,
        "amounts": row.amounts,
        "limit": row.limit,
        "start": row.start,
        "chance": row.noise is not None,
        "trained": row.trained_on,
    }
    for kind, row in CORRUPTIONS.items()
]
