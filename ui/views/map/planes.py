"""Where a model of more than two numbers lies on the map: a plane through its codes, as flat.mjs has it, too."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ui.live import networks
from ui.live.cast import Standing
from vae_core import contents
from vae_core.storage import StorageError

if TYPE_CHECKING:
    import torch


class Plane(NamedTuple):
    """The plane of the first two principal components of a model's training codes (D numbers each)."""

    centre: np.ndarray  # (D,)
    axes: np.ndarray  # (2, D), orthonormal
    share: float  # of the codes' variance

    def project(self, codes: np.ndarray) -> np.ndarray:
        """(N, D) → (N, 2)"""
        return (codes - self.centre) @ self.axes.T

    def lift(self, places: np.ndarray) -> np.ndarray:
        """(N, 2) → (N, D)"""
        return self.centre + places @ self.axes


def plane(one: Standing) -> Plane | None:
    """Where a model with more than two numbers is seen; None for one with two. Raises `StorageError`."""
    return None if one.latent_dim == 2 else _plane(one.slug, networks.stamp(one.slug))


@lru_cache(maxsize=64)
def _plane(name: str, _when: tuple[int, ...]) -> Plane:
    codes = contents.read_codes(networks.CHECKPOINTS / name)["train_mean"].astype(np.float64)
    if len(codes) < 2 or not codes.std(0).any():
        raise StorageError(f"The codes of {name} do not differ: no plane goes through them.")
    spread, directions = np.linalg.eigh(np.cov(codes.T))  # ascending
    axes = directions[:, :-3:-1].T
    axes *= np.sign(axes[range(2), np.abs(axes).argmax(1)])[:, None]  # of two directions one
    return Plane(codes.mean(0), axes, float(spread[-2:].sum() / spread.sum()))


def has_plane(one: Standing) -> bool:
    try:
        return plane(one) is not None
    except StorageError:
        return False


def lifted(one: Standing, places: Any) -> torch.Tensor:
    """Codes (N, D) of places on the map (N, 2)."""
    import torch

    seen = plane(one)
    return torch.tensor(places if seen is None else seen.lift(np.asarray(places)), dtype=torch.float32)


def flat(one: Standing, codes: dict[str, Any]) -> dict[str, Any]:
    """The codes as the map shows them: `test_mean` (N, 2)."""
    import torch

    found = plane(one)
    if found is None:
        return codes
    return codes | {"test_mean": torch.from_numpy(found.project(codes["test_mean"].numpy())).float()}
