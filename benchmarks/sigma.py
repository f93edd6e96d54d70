"""Why a learned σ of Gaussian pixels is smaller than the root of the test error: what it was learned on is smoother.

    python -m benchmarks.sigma

Prints σ and the root mean squared error of the decoder's mean, z ~ q, on training images moved as in training, on the
same ones unmoved, and on the test images. MNIST is needed.
"""

from __future__ import annotations

import torch

from vae_core import checkpoints, data
from vae_core.models import Autoencoder
from vae_core.training import augment

SLUG, IMAGES = "mnist-vae-2d-gaussian-learned", 10_000


@torch.inference_mode()
def root_error(model: Autoencoder, x: torch.Tensor, generator: torch.Generator) -> float:
    z = model.sample(model.encode(model.observe(x)), generator)
    return float((model.pixels(z) - x).square().mean().sqrt())


def main() -> None:
    model, card = checkpoints.load(SLUG)
    strength = card["config"]["training"]["augmentation"]
    generator = torch.Generator().manual_seed(0)
    train, test = (data.load("mnist", split).images[:IMAGES] for split in ("train", "test"))
    print(f"learned σ {float(model.log_sigma.exp()):.3f}; root of the test MSE at μ {card['test']['mse'] ** 0.5:.3f}")
    for name, x in (
        (f"training images, moved ({strength:g})", augment(train, strength, generator)),
        ("training images", train),
        ("test images", test),
    ):
        print(f"{name:30} {root_error(model, x, generator):.3f}")


if __name__ == "__main__":
    main()
