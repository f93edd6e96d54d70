"""Exact log p(x) of MNIST's test split: how long the integral takes, how near the matrix-product peak, and how exact.

    VAE_DATA=folder python -m benchmarks.likelihood [--images 10000] [--threads 2]

For the VAE and the CVAE with two latent dimensions: the whole pass (`likelihood.evidence` without modes), its share of
the float32 matrix-product peak of the same threads in the same run, what halving the step moves on the first 1,000 test
digits, and beside the exact value the importance-weighted bound with k = 500 draws from q, as papers report it.
"""

from __future__ import annotations

import argparse
import time

import torch

from vae_core import checkpoints, data, latent, likelihood
from vae_core.models import Autoencoder, Code

CHECKED = 1000
K = 500


def peak(seconds: float = 2.0) -> float:
    """The best float32 matrix product of these threads, in operations a second, over a few shapes."""
    best = 0.0
    for n in (1024, 2048):
        a, b = torch.randn(n, n), torch.randn(n, n)
        out = torch.empty(n, n)
        start, count = time.perf_counter(), 0
        while time.perf_counter() - start < seconds / 2:
            torch.mm(a, b, out=out)
            count += 1
        best = max(best, 2 * n**3 * count / (time.perf_counter() - start))
    return best


class Counted:
    """Counts the codes that a model decodes."""

    def __init__(self, model: Autoencoder) -> None:
        self.codes = 0
        model.decoder.register_forward_hook(lambda module, args, out: setattr(self, "codes", self.codes + len(out)))


def importance_weighted(model: Autoencoder, images: torch.Tensor, labels: torch.Tensor | None) -> float:
    """Mean of −log (1/k) Σ w over the images, nats."""
    code, generator = latent.embed(model, images, labels), torch.Generator().manual_seed(0)
    total = 0.0
    for i in range(len(images)):
        q = Code(code.mean[i : i + 1], code.logvar[i : i + 1])
        log_w = likelihood.draws(model, images[i], q, K, generator, None if labels is None else int(labels[i]))
        total -= float(likelihood.importance_bound(log_w[None]))
    return total / len(images)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    test = data.load("mnist", "test")
    images, labels = test.images[: args.images], test.labels[: args.images]
    print(f"{args.threads} threads, matrix-product peak before: {peak() / 1e9:.0f} GFLOP/s")
    for slug in ("mnist-vae-2d", "mnist-cvae-2d"):
        model, _ = checkpoints.load(slug)
        y = labels if model.conditional else None
        counted = Counted(model)
        start = time.perf_counter()
        found = likelihood.evidence(model, images, y, modes=False)
        seconds = time.perf_counter() - start
        top = peak()
        work = 2 * counted.codes * sum(p.numel() for p in model.decoder.parameters() if p.dim() == 2)
        what = "p(x)" if y is None else "p(x | y)"
        print(
            f"{slug}: mean −log {what} {-found.log_p.mean():.3f} nats on {len(images)} images "
            f"in {seconds:.1f} s; {counted.codes / 1e6:.2f} million codes decoded, {work / seconds / 1e9:.0f} GFLOP/s, "
            f"{work / seconds / top:.0%} of the peak; at most {float(found.lost.max()):.0e} of a posterior given up"
        )
        few = slice(min(CHECKED, len(images)))
        some = None if y is None else y[few]
        finer = likelihood.evidence(model, images[few], some, modes=False, halvings=1)
        moved = (finer.log_p - found.log_p[few]).abs()
        print(
            f"  half the step on {len(moved)} digits: {(moved < 0.01).double().mean():.2%} move by < 0.01 nats, "
            f"largest {moved.max():.4f}"
        )
        exact = -float(found.log_p[few].mean())
        bound = importance_weighted(model, images[few], some)
        print(f"  the same digits: exact {exact:.3f}, importance-weighted bound with k = {K} {bound:.3f} nats")


if __name__ == "__main__":
    main()
