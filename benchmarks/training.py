"""Images a second: our training beside the usual loops, and the core's matrix-product peak, in one run.

    VAE_DATA=folder python -m benchmarks.training [--images 12800] [--rounds 5]

The same network (784-512-512-2 and its mirror), loss, optimiser step size and batch of 128, one thread.
(a) is PyTorch's textbook loop: torchvision's MNIST with ToTensor in a DataLoader without workers, Adam;
(b) the same with a TensorDataset, so without decoding pictures; ours is `vae_core.training.fit` with its
weight average, once in float32 and once with bfloat16 products as the shipped models were trained.
The rounds interleave, medians are printed, so a noisy machine disturbs all alike.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch
from torch.utils.data import DataLoader, Subset, TensorDataset

from vae_core import data
from vae_core.config import ModelConfig, TrainingConfig
from vae_core.models import build
from vae_core.training import fit

BATCH = 128
MODEL = ModelConfig(kind="vae", latent_dim=2)


def textbook(dataset: torch.utils.data.Dataset) -> float:
    """Seconds of one epoch of the loop that PyTorch's own VAE example uses."""
    model = build(MODEL)
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-3)
    generator = torch.Generator().manual_seed(0)
    loader = DataLoader(dataset, batch_size=BATCH, shuffle=True, drop_last=True)
    start = time.perf_counter()
    for x, y in loader:
        optimiser.zero_grad()
        model.objective(model.loss(x.view(len(x), -1), y, generator)).backward()
        optimiser.step()
    return time.perf_counter() - start


def ours(images: torch.Tensor, labels: torch.Tensor, precision: str) -> float:
    model = build(MODEL)
    start = time.perf_counter()
    config = TrainingConfig(epochs=1, batch_size=BATCH, precision=precision)
    fit(model, images, labels, config, device=torch.device("cpu"))
    return time.perf_counter() - start


def peak(seconds: float = 1.0) -> float:
    """The best float32 matrix product of this core, in operations a second, over a few shapes."""
    best = 0.0
    for n in (512, 1024, 2048):
        a, b = torch.randn(n, n), torch.randn(n, n)
        out = torch.empty(n, n)
        start, count = time.perf_counter(), 0
        while time.perf_counter() - start < seconds / 3:
            torch.mm(a, b, out=out)
            count += 1
        best = max(best, 2 * n**3 * count / (time.perf_counter() - start))
    return best


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=12_800)
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    torch.set_num_threads(1)
    from torchvision import datasets, transforms

    split = data.load("mnist", "train")
    images, labels = split.images[: args.images], split.labels[: args.images]
    folder = data.data_dir()
    pictures = Subset(datasets.MNIST(folder, train=True, transform=transforms.ToTensor()), range(args.images))
    tensors = TensorDataset(images, labels)
    weights = sum(p.numel() for p in build(MODEL).parameters() if p.dim() == 2)
    runs = {
        "(a) torchvision MNIST, DataLoader": lambda: textbook(pictures),
        "(b) TensorDataset, DataLoader": lambda: textbook(tensors),
        "ours, float32": lambda: ours(images, labels, "float32"),
        "ours, bfloat16 products": lambda: ours(images, labels, "bfloat16"),
    }
    rates: dict[str, list[float]] = {name: [] for name in runs}
    peaks = []
    for _ in range(args.rounds):
        peaks.append(peak())
        for name, run in runs.items():
            rates[name].append(args.images / run())
    top = statistics.median(peaks)
    textbook_rate = statistics.median(rates["(a) torchvision MNIST, DataLoader"])
    print(f"matrix-product peak of one core: {top / 1e9:.1f} GFLOP/s")
    for name, values in rates.items():
        rate = statistics.median(values)
        share = 6 * weights * rate / top  # two operations a weight forward, four backward
        print(f"{name:36} {rate:8.0f} images/s  {share:6.1%} of the float32 peak  {rate / textbook_rate:.2f} × (a)")


if __name__ == "__main__":
    main()
