"""The four models as people meet them: one order, one name, one sign. Imports nothing heavy."""

from __future__ import annotations

from typing import NamedTuple

from vae_core.colours import TEN


class Member(NamedTuple):
    kind: str
    name: str
    sign: str
    full: str
    code: str  # what its code is


FAMILY = {
    m.kind: m
    for m in (
        Member("ae", "AE", "●", "autoencoder", "a point, no posterior"),
        Member("dae", "DAE", "◌", "denoising autoencoder", "a point, no posterior"),
        Member("vae", "VAE", "○", "variational autoencoder", "a Gaussian q(z | x)"),
        Member("cvae", "CVAE", "◉", "conditional variational autoencoder", "a Gaussian q(z | x, y), label beside it"),
    )
}

# Petroff's ten-colour cycle (arXiv 2107.02270), told apart by colour-blind people; a digit's colour everywhere.
DIGIT_COLOURS = TEN


def slug(kind: str, latent_dim: int, dataset: str = "mnist") -> str:
    """The shipped checkpoint of a member: ("vae", 2) → "mnist-vae-2d"."""
    return f"{dataset}-{kind}-{latent_dim}d"


def title(kind: str) -> str:
    """Sign and short name, as on every card and in every control: "○ VAE"."""
    return f"{FAMILY[kind].sign} {FAMILY[kind].name}"
