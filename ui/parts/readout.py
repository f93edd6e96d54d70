"""What is known of one test image in one model, as rows of a table. Pure: stored codes in, text out.

`codes` is what `checkpoints.load_codes` gives; i is the test image's number, j a latent dimension's.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from vae_core import latent, losses
from vae_core.spread import Spread

Codes = dict[str, Tensor]
SCORES_HEAD = ("nats per image", "this one", "test mean", "percentile")
_SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")


def dimension(j: int) -> str:
    """A latent dimension's name: 0 → "z₁"."""
    return f"z{j + 1}".translate(_SUBSCRIPTS)


def listed(words: Sequence[str]) -> str:
    """ "AE", "AE and DAE", "AE, DAE and PCA"."""
    return " and ".join(filter(None, (", ".join(words[:-1]), words[-1])))


def over_seeds(found: Spread | None, form: str = "{:.0%}") -> str:
    """What stands behind a number in a sentence: its range over trainings from several seeds, if there are several."""
    if found is None:
        return ""
    return f" (over {found.trainings} trainings {form.format(found.low)} to {form.format(found.high)})"


def signed(value: float | Tensor, digits: int = 2) -> str:
    """A coordinate with its sign and so many decimals: −1.50."""
    return f"{value:+.{digits}f}".replace("-", "−")


def scores(codes: Codes, i: int, *, conditional: bool = False) -> list[tuple[str, str, str, str]]:
    """Terms of image i beside their test mean and the share of test images that have less; "—" without posterior.

    A conditional model is given the label, so its −ELBO bounds −log p(x | y). What may stand beside a VAE's is the
    bound of −log p(x, y) = −log p(x | y) + log 10, all ten labels being equally probable.
    """
    expected, kl = codes.get("test_reconstruction"), codes.get("test_kl")
    nelbo = None if expected is None or kl is None else expected + kl
    where = "the mean" if "test_logvar" in codes else "the code"  # a point is not the mean of anything
    terms = {
        f"reconstruction at {where}": codes["test_reconstruction_at_mean"],
        "reconstruction, averaged over q": expected,
        "KL(q ‖ prior)": kl,
        "−ELBO": nelbo,
    }
    if conditional and nelbo is not None:
        terms["−ELBO with the label, + log 10"] = nelbo + math.log(10)
    return [
        (name, "—", "—", "—")
        if v is None
        else (name, f"{v[i]:.2f}", f"{v.double().mean():.2f}", f"{(v < v[i]).double().mean():.0%}")
        for name, v in terms.items()
    ]


def posterior_head(codes: Codes) -> tuple[str, str, str, str]:
    """What stands above `posterior`: μ and σ of q(z | x), or the code itself where it is a point."""
    return "", "μ" if "test_logvar" in codes else "code", "σ", "KL, nats"


def posterior(codes: Codes, i: int, learned: bool = False) -> list[tuple[str, str, str, str]]:
    """Mean, standard deviation and KL of each dimension; "—" for the last two where the code is a point, and for the KL
    under a learned prior, which does not fall apart into dimensions."""
    rows, logvar = [], codes.get("test_logvar")
    for j, mean in enumerate(codes["test_mean"][i]):
        rest = ("—", "—")
        if logvar is not None:
            kl = "—" if learned else f"{losses.gaussian_kl(mean, logvar[i, j]):.2f}"
            rest = (f"{logvar[i, j].mul(0.5).exp():.2f}", kl)
        rows.append((dimension(j), signed(float(mean)), *rest))
    return rows


def nearest(codes: Codes, i: int, k: int) -> list[int]:
    """The k test images whose codes lie nearest to that of image i, without i itself."""
    index, _ = latent.neighbours(codes["test_mean"], codes["test_mean"][i], k + 1)
    return index[index != i][:k].tolist()


def scale(codes: Codes, learned: bool = False) -> latent.Scale:
    """A model's own middle and σ: 0 and 1 where N(0, I) is its prior, else the robust ones of its training codes.
    `learned`: whether it has a prior of its own making."""
    return latent.own_scale(codes["train_mean"], prior="test_logvar" in codes and not learned)


def reach(codes: Codes, own: latent.Scale) -> Tensor:
    """How far from the middle each dimension's slider goes, (D,): four σ, and 95 % of the training codes.

    Not all of them: a deterministic model's farthest would shrink the rest to a spot. A slider stretches for its code.
    """
    return torch.maximum(4 * own.sigma, (codes["train_mean"] - own.middle).abs().quantile(0.95, dim=0))


def half_within(codes: Codes, own: latent.Scale) -> float:
    """The distance from the middle, in σ, within which half of the model's training codes lie."""
    return float(own.distance(codes["train_mean"]).median())
