"""The README's table of model quality, from the cards of the shipped checkpoints.

    python -m benchmarks.quality

Every number was measured once on MNIST's test split by `python -m vae_core train`, and the baselines by
`python -m vae_core baselines`; `python -m vae_core evaluate` measures the models again and compares. The exact values
are `python -m vae_core integrate`'s.
"""

from __future__ import annotations

from vae_core.checkpoints import available, load_baselines, read_card
from vae_core.metrics import HEADLINE


def main() -> None:
    cards = {slug: read_card(slug) for slug in available()}
    base = load_baselines()

    def test(slug: str, key: str, form: str = "{:.2f}") -> str:
        card = cards.get(slug, {})
        value = card.get("test", {}).get(key, card.get("exact", {}).get(key))
        return "—" if value is None else form.format(value)

    print("| test split, binarised at 0.5 | 2-D | 20-D |")
    print("| --- | ---: | ---: |")
    rows = [
        ("VAE, −ELBO, nats per image", "vae", "nelbo", "{:.2f}"),
        ("VAE, −log p(x) exactly, nats per image", "vae", "nll", "{:.2f}"),
        ("CVAE, −ELBO given the label, nats per image", "cvae", "nelbo", "{:.2f}"),
        ("CVAE, −log p(x given y) exactly, nats per image", "cvae", "nll", "{:.2f}"),
        ("AE, cross-entropy, nats per image", "ae", "reconstruction_at_mean", "{:.2f}"),
        ("VAE at its mean, cross-entropy, nats per image", "vae", "reconstruction_at_mean", "{:.2f}"),
        ("AE, mean squared error", "ae", "mse", "{:.4f}"),
        ("VAE at its mean, mean squared error", "vae", "mse", "{:.4f}"),
        ("CVAE, judged digit is its label, z from N(0, I)", "cvae", "label_agreement", "{:.2%}"),
    ]
    for label, kind, key, form in rows:
        print(f"| {label} | {test(f'mnist-{kind}-2d', key, form)} | {test(f'mnist-{kind}-20d', key, form)} |")
    pca = base["pca_mse"]
    print(f"| PCA, mean squared error | {pca['2']:.4f} | {pca['20']:.4f} |")
    print()
    print(
        "| PSNR in dB (wrong pixels), first 2,000 test images | "
        + " | ".join(f"{k.replace('_', ' and ')} {a:g}" for k, a in HEADLINE.items())
        + " |"
    )
    print("| --- |" + " ---: |" * len(HEADLINE))
    for label, table in [
        ("spoilt image", base["corrupted"]),
        ("median filter", base["median"]),
        *(
            (f"{k.upper()} 20-D", cards[f"mnist-{k}-20d"]["denoising"])
            for k in ("ae", "dae", "vae", "cvae")
            if f"mnist-{k}-20d" in cards
        ),
    ]:
        cells = [table[k][f"{a:g}"] for k, a in HEADLINE.items()]
        print(f"| {label} | " + " | ".join(f"{c['psnr']:.2f} ({c['wrong']:.2%})" for c in cells) + " |")


if __name__ == "__main__":
    main()
