"""The pictures on Home, made once from the shipped checkpoints: `python -m ui.home_pictures`.

Home must paint before torch is loaded, so it cannot ask the models itself.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

FOLDER = Path(__file__).resolve().parent.parent / "static" / "home"
DIGIT = 318  # of the digits' test split; scikit-learn's, so that no MNIST image is shipped
LATENT_DIM = 20
SPOILT = ("masking", 0.5, 1)  # kind, amount, seed


def pictures() -> dict[str, np.ndarray]:
    """Name → uint8 (28, 28): the digit clean and spoilt, and each model's answer to both at the code's mean."""
    import torch

    from ui.family import FAMILY, slug
    from vae_core import checkpoints, data, latent
    from vae_core.corruption import corrupt

    split = data.load("digits", "test")
    x = (split.images[DIGIT : DIGIT + 1] >= 0.5).float()  # what the models see
    kind, amount, seed = SPOILT
    inputs = torch.cat([x, corrupt(x, kind, amount, torch.Generator().manual_seed(seed))])
    label = split.labels[DIGIT].expand(2)
    out = {"digit": inputs}
    for member in FAMILY:
        model, _ = checkpoints.load(slug(member, LATENT_DIM))
        y = label if model.conditional else None
        out[member] = latent.decode(model, latent.encode_as_is(model, inputs, y).mean, y)
    return {
        f"{name}-{state}": np.rint(pixels.numpy().reshape(28, 28) * 255).astype(np.uint8)
        for name, both in out.items()
        for state, pixels in zip(("clean", "spoilt"), both, strict=True)
    }


def main() -> None:
    from PIL import Image

    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, picture in pictures().items():
        Image.fromarray(picture).save(FOLDER / f"{name}.png", optimize=True)
        print(FOLDER / f"{name}.png")


if __name__ == "__main__":
    main()
