"""Numbers in sentences: README, docs/measured.md and pages say what the cards and the files beside them say."""

import re
from pathlib import Path

import pytest

from benchmarks import quality
from ui.live.cast import standing
from ui.parts import readout
from ui.shell.family import FAMILY, slug
from ui.views import sliders, styles
from vae_core import checkpoints, latent, metrics
from vae_core.corruption import CORRUPTIONS

ROOT = Path(__file__).resolve().parents[2]
PAGE = {path.stem.split("_", 1)[1]: path.read_text(encoding="utf-8") for path in (ROOT / "pages").glob("*.py")}
MAP = (ROOT / "ui/views/map/page.py").read_text(encoding="utf-8")
DOCS = [(ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "docs/measured.md")]
README = "\n".join(DOCS)
JUDGE = checkpoints.read_json(checkpoints.ROOT / "judge" / "card.json")["test"]


def flat(text: str) -> str:
    """Prose without its line breaks."""
    return re.sub(r"\s+", " ", text)


@pytest.mark.parametrize(
    "part",
    [
        *(quality.scores, quality.denoising, quality.every_amount),
        *(
            quality.relatives,
            quality.generation,
            quality.posterior,
            quality.ladder,
            quality.few_labels,
            quality.code_size,
            quality.over_seeds,
            quality.arrows,
        ),
    ],
    ids=lambda f: f.__name__,
)
def test_the_readmes_tables_are_what_the_command_prints(part):
    """A table that was typed goes stale with the next training."""
    assert "\n".join(part()) in README


def both(group: str, kind: str, decimals: int) -> list[str]:
    """A rate of the judge's card for grey pictures and for binarised ones, as a sentence gives it."""
    return [f"{100 * JUDGE[group][form][kind]:.{decimals}f} %" for form in ("grey", "binarised")]


def test_the_judges_rates_are_its_cards():
    """README and Map once gave the rate of an intersection for that of two digits drawn over each other."""
    trained = max(v for form in ("grey", "binarised") for v in JUDGE["garbage_accepted"][form].values())
    assert trained < 0.012
    later, unseen = "later_garbage_accepted", "unseen_garbage_accepted"
    over, scribbled = both(later, "superpositions", 1), both(unseen, "scribbles", 1)
    turned, shared = both(later, "turned", 0), both(unseen, "intersections", 0)
    told = flat(README)
    assert f"Two digits drawn over each other pass in {over[0]} (grey) and {over[1]} (binarised)." in told
    assert f"scribbles in {scribbled[0]} and {scribbled[1]}, digits turned by 90°" in told
    assert f"(but 0, 1 and 8) in {turned[0]} and {turned[1]}." in told
    assert f"often a readable digit itself, passes in {shared[0]} and {shared[1]}." in told
    told = flat(MAP)
    assert f"less than 1.2 % passes, and of two digits drawn over each other {over[0]}." in told
    assert f"scribbles {scribbled[0]}, digits turned by 90° {turned[0]}." in told
    assert f"often a readable digit itself, passes in {shared[0]}." in told


def test_the_gaps_over_the_first_thousand_are_their_parts():
    """4.95 is the mean over 10,000; its parts were measured on 1,000, where the gap is another."""
    exact = {kind: checkpoints.read_card(f"mnist-{kind}-2d")["exact"] for kind in ("vae", "cvae")}
    first = {kind: e["approximation"] + e["amortisation"] for kind, e in exact.items()}
    assert f"it misses {first['vae']:.2f} and {first['cvae']:.2f}, of which" in flat(README)
    parts = [f"{e['approximation']:.2f}" for e in exact.values()]
    assert f"of which {parts[0]} and {parts[1]} are the Gaussian family's" in flat(README)
    for kind, e in exact.items():
        assert f"{first[kind]:.2f} = {e['approximation']:.2f} the Gaussian" in "\n".join(quality.gaps())


def test_standard_deviations_beside_robust_sigmas():
    """Map and Sliders say four to seven times at 2-D, and about once at 20-D."""
    for d, low, high in ((2, 4, 7), (20, 0.85, 1.15)):
        for kind in ("ae", "dae"):
            codes = checkpoints.load_codes(f"mnist-{kind}-{d}d")["train_mean"]
            ratio = codes.std(0) / latent.robust_scale(codes).sigma
            assert low <= ratio.min() and ratio.max() <= high
    for told in (MAP, PAGE["Sliders"]):
        assert "four to seven times as large" in flat(told)


def test_who_restores_best_and_where():
    """What Restore says of the means, held to every cell of the baselines and of the DAE's card."""
    dae = checkpoints.read_card("mnist-dae-20d")["denoising"]
    rivals = [checkpoints.read_card(f"mnist-{kind}-20d")["denoising"] for kind in ("ae", "vae", "cvae")]
    base = checkpoints.load_baselines()
    told = flat((ROOT / "ui/views/restore/live.py").read_text(encoding="utf-8"))
    assert "At masking 0.5, salt and pepper 0.25 and noise of σ = 0.5 the DAE leads in nats, MSE and dB." in told
    for kind, amount in metrics.HEADLINE.items():
        key = f"{amount:g}"
        mine, plain = dae[kind][key], (base["corrupted"], base["median"], base["ridge"])
        others = [table[kind][key] for table in (*rivals, *plain)]
        assert all(mine["psnr"] > o["psnr"] and mine["mse"] < o["mse"] and mine["nats"] < o["nats"] for o in others)
        fewest = min(o["wrong"] for o in others)
        assert (mine["wrong"] < fewest) == (kind == "masking")
        assert kind == "masking" or fewest == base["ridge"][kind][key]["wrong"]
    assert "at masking up to 0.2, salt and pepper up to 0.1 and noise up to 0.3." in told
    for kind, last in (("masking", 0.2), ("salt_pepper", 0.1), ("gaussian", 0.3)):
        for amount in CORRUPTIONS[kind].amounts:
            key = f"{amount:g}"
            assert (base["ridge"][kind][key]["psnr"] > dae[kind][key]["psnr"]) == (amount <= last), (kind, amount)
    for key, scores in base["median"]["masking"].items():
        assert scores["psnr"] < base["corrupted"]["masking"][key]["psnr"]  # worse than doing nothing, at every amount
    for key, scores in dae["blur"].items():
        assert scores["psnr"] < base["corrupted"]["blur"][key]["psnr"] < base["ridge"]["blur"][key]["psnr"]


def test_every_cell_has_a_ridge():
    ridge = checkpoints.load_baselines()["ridge"]
    assert {kind: list(cells) for kind, cells in ridge.items()} == {
        kind: [f"{amount:g}" for amount in found.amounts] for kind, found in CORRUPTIONS.items()
    }


@pytest.mark.parametrize("size", [2, 20])
def test_styles_and_sliders_tell_the_cards_of_the_size_that_is_shown(size):
    """A page that says 18 % beside the twenty-number model would be wrong by half."""
    leak = checkpoints.read_card(f"mnist-cvae-{size}d")["leak"]
    told = styles.leaked(leak, size)
    for value in (leak["draw"]["accuracy"], leak["mean"]["accuracy"], leak["chance"]):
        assert f"{value:.0%}" in told
    assert ("hand alone" in told) == (size == 20)
    told = sliders.accepted_draws([standing(slug(kind, size)) for kind in FAMILY], size)
    for kind, name in (("ae", "AE"), ("dae", "DAE"), ("vae", "VAE"), ("cvae", "CVAE")):
        assert f" {name} {checkpoints.read_card(f'mnist-{kind}-{size}d')['draws']['accepted']:.0%}" in told
    assert told.endswith("Hardly one draws anything else." if size == 2 else "The others draw no digit.")
    codes = checkpoints.load_codes(f"mnist-ae-{size}d")
    near = readout.half_within(codes, readout.scale(codes))
    assert f"half of the AE's within {near:.2f} of its" in sliders.middles(
        [standing(slug(kind, size)) for kind in ("ae", "vae")], size
    )


def test_the_cvae_stands_beside_the_vae_with_log_10():
    """−ELBO given the label bounds another quantity: beside the VAE's it flatters, at 20-D by all of its lead."""
    nelbo = {kind: checkpoints.read_card(f"mnist-{kind}-20d")["test"]["nelbo"] for kind in ("vae", "cvae")}
    assert nelbo["cvae"] < nelbo["vae"] < nelbo["cvae"] + 2.302585
    assert "72.98 ± " in README and "bounds −log p(x, y)" in README


@pytest.mark.parametrize("name", ["README.md", "pages/11_Claims.py", "ui/views/claims.py"])
def test_a_number_with_a_unit_names_its_source(name):
    """A typed number goes stale with the next training: it names its source, or a reason says why it need not."""
    excused = {
        ("README.md", "8 bits"): "where Code size's slider ends",
        ("ui/views/claims.py", "95 %"): "the level of an interval, chosen",
    }
    text = (ROOT / name).read_text(encoding="utf-8")
    keyed = re.findall(r"\d[\d.,]*\s*(?:%|nats|dB|bits)(?!\w)(?! <!-- \w+\.\w+ -->)", text)
    assert {(name, found) for found in keyed} == {each for each in excused if each[0] == name}


def test_the_door_says_what_is_measured():
    """README's short table is a second copy of a few cells: it must be of the same numbers."""
    door, measured = DOCS
    door = re.sub(r" <!--.*?-->", "", door)  # the source of a number, which `claims --check` compares
    cells = re.findall(r"^\| ([^|]+?) \| ([\d.]+)%? \| ([\d.]+|—)%? \|$", door.split("## Measured")[1], re.MULTILINE)
    assert len(cells) >= 6
    for name, two, twenty in cells:
        rows = [row for row in measured.splitlines() if row.startswith("|") and f"| {two}" in row]
        assert any(twenty == "—" or f"| {twenty}" in row for row in rows), name
