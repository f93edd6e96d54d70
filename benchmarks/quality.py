"""The tables of model quality in docs/measured.md, from the cards of the shipped checkpoints and the files beside them.

    python -m benchmarks.quality

Every number was measured once on MNIST's test split by `python -m vae_core train`; `python -m vae_core evaluate`
measures the models again and compares. The exact values are `integrate`'s, the leak `leak`'s, the draws `draws`' and
`generation`'s, the judge's rates `judge`'s; what needs no network is `baselines`'. ± is the standard error of the mean
over the test images (over the draws for a share of draws): what another test set would move, not what another training
run would.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator

from torch import Tensor

from vae_core import checkpoints, latent, likelihood, measures, metrics, spread
from vae_core.corruption import CORRUPTIONS
from vae_core.few_labels import WAYS
from vae_core.storage import StorageError

NO = "—"
FAMILY = ("ae", "dae", "vae", "cvae")


def table(head: list[str], rows: list[list[str]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield f"| --- |{' ---: |' * (len(head) - 1)}"
    for row in rows:
        yield f"| {' | '.join(row)} |"


def mean(values: Tensor | None, form: str = ".2f", *, more: float = 0.0) -> str:
    """Mean of one value an image, with its standard error."""
    if values is None:
        return NO
    values = values.double()
    return f"{float(values.mean()) + more:{form}} ± {float(values.std()) / math.sqrt(len(values)):{form}}"


def share(p: float | None, n: int) -> str:
    return NO if p is None else f"{p:.2%} ± {math.sqrt(p * (1 - p) / n):.2%}"


def scores() -> Iterator[str]:
    """Likelihoods and errors, the same rows at 2-D and 20-D."""

    def codes(kind: str, d: int) -> dict[str, Tensor]:
        found = checkpoints.load_codes(f"mnist-{kind}-{d}d")
        return found | {"nelbo": found["test_reconstruction"] + found["test_kl"]} if "test_kl" in found else found

    def exact(kind: str, d: int) -> Tensor | None:
        try:
            return -checkpoints.load_exact(f"mnist-{kind}-{d}d")["log_p"]
        except StorageError:
            return None

    def both(name: str, cell) -> list[str]:
        return [name, cell(2), cell(20)]

    pca = checkpoints.load_baselines()["pca_mse"]
    cards = {d: checkpoints.read_card(f"mnist-cvae-{d}d") for d in (2, 20)}
    rows = [
        both("VAE, −ELBO, nats per image", lambda d: mean(codes("vae", d)["nelbo"])),
        both("VAE, −log p(x) exactly, nats per image", lambda d: mean(exact("vae", d))),
        both("CVAE, −ELBO given the label y: bounds −log p(x given y)", lambda d: mean(codes("cvae", d)["nelbo"])),
        both(
            "… + log 10: bounds −log p(x, y), to stand beside the VAE's",
            lambda d: mean(codes("cvae", d)["nelbo"], more=math.log(10)),
        ),
        both("CVAE, −log p(x given y) exactly, nats per image", lambda d: mean(exact("cvae", d))),
        both("AE, cross-entropy, nats per image", lambda d: mean(codes("ae", d)["test_reconstruction_at_mean"])),
        both(
            "VAE at its mean, cross-entropy, nats per image",
            lambda d: mean(codes("vae", d)["test_reconstruction_at_mean"]),
        ),
        both("AE, mean squared error", lambda d: mean(codes("ae", d)["test_mse"], ".4f")),
        both("VAE at its mean, mean squared error", lambda d: mean(codes("vae", d)["test_mse"], ".4f")),
        both("PCA, clipped to [0, 1], mean squared error", lambda d: f"{pca[str(d)]:.4f}"),
        both(
            "CVAE, judged digit is its label, z from N(0, I)",
            lambda d: share(cards[d]["test"]["label_agreement"], 10_000),
        ),
        both("CVAE, label read from a draw of q by a small network", lambda d: share(leak(d, "draw"), 10_000)),
        both("… from the mean of q", lambda d: share(leak(d, "mean"), 10_000)),
        *(both(f"{kind.upper()}, random codes that draw a digit", lambda d, k=kind: drawn(k, d)) for kind in FAMILY),
    ]
    yield from table(["test split, binarised at 0.5", "2-D", "20-D"], rows)


def leak(d: int, name: str) -> float | None:
    found = checkpoints.read_card(f"mnist-cvae-{d}d").get("leak")
    return found and found[name]["accuracy"]


def drawn(kind: str, d: int) -> str:
    found = checkpoints.read_card(f"mnist-{kind}-{d}d").get("draws")
    return share(found["accepted"], found["draws"]) if found else NO


def denoisers() -> dict[str, dict]:
    base = checkpoints.load_baselines()
    models = {f"{k.upper()} 20-D": checkpoints.read_card(f"mnist-{k}-20d")["denoising"] for k in FAMILY}
    plain = {"spoilt image": "corrupted", "median filter": "median", "ridge regression": "ridge"}
    return {name: base[key] for name, key in plain.items()} | models


def cell(scores: dict[str, float]) -> str:
    return f"{scores['psnr']:.2f} ({scores['wrong']:.2%})"


def named(kind: str, amount: float) -> str:
    return f"{kind.replace('_', ' and ')} {amount:g}"


def denoising() -> Iterator[str]:
    """Every rival at the three headline amounts."""
    head = ["PSNR in dB (wrong pixels), first 2,000 test images", *(named(*one) for one in metrics.HEADLINE.items())]
    rows = [
        [name, *(cell(found[kind][f"{amount:g}"]) for kind, amount in metrics.HEADLINE.items())]
        for name, found in denoisers().items()
    ]
    yield from table(head, rows)


def every_amount() -> Iterator[str]:
    """The rivals that are made for it, at every amount."""
    rivals = ("spoilt image", "median filter", "ridge regression", "DAE 20-D")
    found = denoisers()
    rows = [
        [named(kind, amount), *(cell(found[name][kind][f"{amount:g}"]) for name in rivals)]
        for kind, way in CORRUPTIONS.items()
        for amount in way.amounts
    ]
    yield from table(["PSNR in dB (wrong pixels)", *rivals], rows)


def few_labels() -> Iterator[str]:
    """Right names of test codes after 600 and 1,200 labels: a row a model and a number of labels, its best way bold."""

    def rows(name: str, found: dict | None) -> Iterator[list[str]]:
        for count, row in (found or {"rows": {}})["rows"].items():
            best = max(row, key=lambda way: row[way]["mean"])
            told = {way: f"{100 * of['mean']:.1f} ± {100 * of['half']:.1f}" for way, of in row.items()}
            yield [name, count, *(f"**{told[way]}**" if way == best else told[way] for way in WAYS)]

    known = {slug: checkpoints.read_card(slug).get("few_labels") for slug in checkpoints.available()}
    named = {slug.removeprefix("mnist-"): found for slug, found in known.items() if found}
    named["raw pixels, binarised"] = checkpoints.load_baselines().get("few_labels")
    head = ["test codes named right, %", "labels", *(way.name for way in WAYS.values())]
    yield from table(head, [row for name, found in named.items() for row in rows(name, found)])


def code_size() -> Iterator[str]:
    """Models that differ in the size of their codes alone, and codes whose numbers are rounded."""
    known = {slug: checkpoints.read_card(slug) for slug in checkpoints.available()}
    mine = {slug: card for slug, card in known.items() if slug.endswith("-ladder") or card["kind"] == "pca"}
    rows = []
    for slug, card in sorted(mine.items(), key=lambda each: (each[1]["kind"], each[1]["latent_dim"])):
        test, probe, draws = card["test"], card["probe"], card["draws"]
        nats = [f"{test[key]:.2f}" if key in test else NO for key in ("nelbo", "reconstruction", "kl")]
        shares = [f"{probe['accuracy']:.2%}", f"{draws['accepted']:.1%}"]
        name = slug.removeprefix("mnist-").removesuffix("-ladder")
        rows.append([name, *nats, str(probe.get("active", NO)), f"{test['mse']:.4f}", *shares])
    head = ["ladder", "−ELBO", "reconstruction", "KL", "dimensions in use", "MSE", "codes beside their own class"]
    yield from table([*head, "random codes that draw a digit"], rows)
    yield ""
    names = ("mnist-vae-2d", "mnist-vae-20d", "mnist-ae-2d", "mnist-ae-20d", "mnist-cvae-20d", "mnist-pca-20d")
    rows = [
        [slug.removeprefix("mnist-"), *(f"{row['digit']:.1%}" for row in known[slug]["bits"]["rows"].values())]
        for slug in names
    ]
    yield from table(["drawings of the right class, by bits a number", *known[names[0]]["bits"]["rows"]], rows)


def relatives() -> Iterator[str]:
    """The four and whoever stands beside them in the list, but for VAEs of another β or pixel: they have a page."""
    rows = []
    for slug in checkpoints.available():
        card = checkpoints.read_card(slug)
        kind = card["kind"]
        other = card["config"]["model"]["beta"] != 1 or card["likelihood"] == "gaussian"
        if card["dataset"]["name"] != "mnist" or (kind == "vae" and other) or slug.endswith("-ladder"):
            continue  # those have a table of their own
        test, moved, draws = card["test"], card["contraction"], card["draws"]
        nats = NO if card["likelihood"] == "gaussian" else f"{test['reconstruction_at_mean']:.2f}"
        spoilt = [card["denoising"][kind][f"{amount:g}"] for kind, amount in metrics.HEADLINE.items()]
        rows.append(
            [
                *(slug.removeprefix("mnist-"), nats, f"{test['mse']:.4f}", *map(cell, spoilt)),
                *(f"{draws['accepted']:.1%}", f"{moved['mean']:.2f} ({moved['median']:.2f})", f"{moved['shift']:.3f}"),
            ]
        )
    named_amounts = [named(*one) for one in metrics.HEADLINE.items()]
    yield from table(
        ["checkpoint", "nats at the mean", "squared error", *named_amounts, "digits", "squared Jacobian", "shift"], rows
    )


def generation() -> Iterator[str]:
    """Drawings of random codes from each source, and generators whose faults are known."""
    names = ("digit", "entropy", "precision", "recall", "density", "coverage")

    def cells(row: dict[str, float]) -> list[str]:
        return [f"{row['digit']:.1%}", *(f"{row[name]:.2f}" for name in names[1:])]

    known = checkpoints.read_json(checkpoints.ROOT / "judge" / "card.json").get("generation") or {"rows": {}}
    rows = [[name, *cells(row)] for name, row in known["rows"].items()]
    for d in (2, 20):
        for kind in FAMILY:
            found = checkpoints.read_card(f"mnist-{kind}-{d}d").get("generation") or {"rows": {}}
            rows += [[f"{kind.upper()} {d}-D, {name}", *cells(row)] for name, row in found["rows"].items()]
    yield from table(["drawings of", "digits", *names[1:]], rows)


def posterior() -> Iterator[str]:
    """All codes together beside the prior, of the shipped models with two numbers and a posterior."""
    rows = []
    for slug in checkpoints.available():
        found = checkpoints.read_card(slug).get("posterior") or {"rows": {}}
        for row in found["rows"].values():
            drawn = row["monte_carlo"]["divergence"]
            name, images = slug.removeprefix("mnist-"), f"{row['images']:,} {row['split']}"
            nats = [f"{row[key]:.3f}" for key in ("kl", "information", "divergence")]
            shares = [f"{row[key]:.1%}" for key in ("holes", "leaks", "apart")]
            rows.append([name, images, *nats, f"{drawn['mean']:.3f} ± {drawn['error']:.3f}", *shares])
    head = ["checkpoint", "images", "E KL", "mutual information", "KL(q(z) ‖ p)", "by Monte Carlo"]
    yield from table([*head, "holes", "leaks", "apart"], rows)


def ladder() -> Iterator[str]:
    """What better and better q leave of the gap, of the models that were integrated."""
    kept = {slug: found for slug in checkpoints.available() if (found := checkpoints.read_card(slug).get("ladder"))}
    rows = [
        [
            *(name, str(way.encodings), str(way.drawings)),
            *(
                f"{row[key]:.2f}"
                for found in kept.values()
                for key in ("gap", "median")
                for row in [found["rows"][name]]
            ),
        ]
        for name, way in likelihood.LADDER.items()
    ]
    models = [f"{slug.removeprefix('mnist-')}, {key}" for slug in kept for key in ("mean gap", "median")]
    yield from table(["q of", "encodings", "drawings", *models], rows)


def arrows() -> Iterator[str]:
    """What a step along each arrow does, at its two ends: a row a model and an attribute."""
    known = {slug: checkpoints.read_card(slug).get("arrows") for slug in checkpoints.available()}
    rows = []
    for slug, found in known.items():
        for name, row in (found or {"rows": {}})["rows"].items():
            ends = [row["less"], row["more"]]
            moved = [" / ".join(f"{end[key]:+.2f}" for end in ends) for key in ("reached", "other")]
            shares = [" / ".join(f"{100 * end[key]:.1f}" for end in ends) for key in ("right", "kept", "digit")]
            rows.append([slug.removeprefix("mnist-"), name, *moved, *shares])
    head = ["±2 sd asked", "of", "reached, sd", "the other, sd", "right way, %", "same digit, %", "a digit, %"]
    yield from table(head, rows)


def gaps() -> Iterator[str]:
    """What the bound misses over all images, and over those whose best ELBO was looked for."""
    for kind in ("vae", "cvae"):
        exact = checkpoints.read_card(f"mnist-{kind}-2d")["exact"]
        first = exact["approximation"] + exact["amortisation"]
        yield (
            f"{kind.upper()} 2-D: gap {exact['gap']:.2f} (median {exact['gap_median']:.2f}) over the test split; over "
            f"the first {checkpoints.CLIMBED:,} digits {first:.2f} = {exact['approximation']:.2f} the Gaussian "
            f"family's + {exact['amortisation']:.2f} the encoder's"
        )


def over_seeds() -> Iterator[str]:
    """The least and the largest of trainings that differ in their seed alone, for whoever was trained several times."""
    columns: list[tuple[str, tuple[str, ...], str]] = [
        ("−ELBO, nats", ("test", "nelbo"), ".2f"),
        ("cross-entropy at the mean, nats", ("test", "reconstruction_at_mean"), ".2f"),
        ("random codes that draw a digit", ("draws", "accepted"), ".1%"),
        ("… of N(0, I)", ("generation", "rows", "prior", "digit"), ".1%"),
        ("… of ten Gaussians fitted to the codes", ("generation", "rows", "mixture 10", "digit"), ".1%"),
        ("own class nearest", ("probe", "accuracy"), ".1%"),
        ("PSNR at masking 0.5, dB", ("denoising", "masking", "0.5", "psnr"), ".2f"),
    ]

    def cell(found: spread.Spread | None, form: str) -> str:
        return NO if found is None else f"{found.low:{form}} to {found.high:{form}}"

    rows = []
    for slug in checkpoints.available():
        card, weights = checkpoints.read_card(slug), measures.weights_fingerprint(slug)
        if many := len((card.get("seeds") or {}).get("runs", {})):
            cells = [cell(spread.several(card, weights, path), form) for _, path, form in columns]
            rows.append([f"{slug}, {1 + many} trainings", *cells])
    yield from table(["", *(head for head, _, _ in columns)], rows)


def spreads() -> Iterator[str]:
    """Standard deviation and robust σ of deterministic models' training codes."""
    for d in (2, 20):
        for kind in ("ae", "dae"):
            codes = checkpoints.load_codes(f"mnist-{kind}-{d}d")["train_mean"]
            ratio = codes.std(0) / latent.robust_scale(codes).sigma
            yield f"{kind.upper()} {d}-D: an axis' standard deviation / robust σ {ratio.min():.2f} to {ratio.max():.2f}"


def runs() -> Iterator[str]:
    """How far single networks part, in the mean over the test split and on one digit."""
    betas = ("-beta0.1", "-beta0.25", "-beta0.5", "", "-beta2")
    pairs = [(f"mnist-vae-2d{a}", f"mnist-vae-2d{b}") for a, b in itertools.pairwise(betas)]
    for left, right in [*pairs, ("mnist-ae-2d", "mnist-vae-2d")]:
        one, other = (checkpoints.load_codes(name)["test_reconstruction_at_mean"].double() for name in (left, right))
        by = one - other
        yield (
            f"{left} against {right}, drawn at the mean: {by.mean():+.2f} nats; one digit {by.abs().median():.1f} in "
            f"the median, {(by < -1).double().mean():.0%} better and {(by > 1).double().mean():.0%} worse by a nat"
        )


def main() -> None:
    parts = (scores, denoising, every_amount, relatives, generation, posterior, ladder, few_labels, code_size)
    parts += (arrows, over_seeds, gaps, spreads, runs)
    for part in parts:
        print("\n".join(part()), end="\n\n")


if __name__ == "__main__":
    main()
