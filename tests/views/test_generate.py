"""Generate: what is told is what was measured, of whoever stands there and of what is drawn."""

import base64
import re
import shutil

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from benchmarks.hostile_messages import BITS, View, Visit
from ui.live import networks, store
from ui.live.cast import standing
from ui.parts import digit, readout
from ui.parts.tiles import bits
from ui.views.generate import page as generate
from ui.views.generate import posterior
from vae_core import checkpoints, data, generation, latent, measures
from vae_core.prior import Mixture

FAMILY = ("ae", "dae", "vae", "cvae")


def family(d: int):
    return [standing(f"mnist-{kind}-{d}d") for kind in FAMILY]


def rows(kind: str, d: int) -> dict:
    return checkpoints.read_card(f"mnist-{kind}-{d}d")["generation"]["rows"]


def opened(**query: str) -> Visit:
    return Visit(View("pages/7_Generate.py", query, once=True, module="views/generate/generate.mjs"))


def unpacked(packed: dict, d: int) -> Mixture:
    """As static/maths/mixture.mjs reads it; tests/node holds that to the same layout."""
    k, numbers = packed["components"], np.frombuffer(base64.b64decode(packed["numbers"]), "<f4")
    assert len(numbers) == k * (1 + d + d * (d + 1) // 2)
    factors = torch.zeros(k, d, d)
    lower = torch.tril_indices(d, d)
    factors[:, lower[0], lower[1]] = torch.tensor(numbers[k * (1 + d) :].copy()).view(k, -1)
    return Mixture(torch.tensor(numbers[:k].copy()), torch.tensor(numbers[k : k * (1 + d)].copy()).view(k, d), factors)


@pytest.mark.parametrize("d", [2, 20])
def test_the_first_sentence_says_what_the_cards_say(d):
    """An autoencoder with Gaussians of its own beside a VAE's prior: the page's one claim, in words, at both sizes."""
    told = generate.words(family(d), "prior", 10, d)
    found = {}
    for kind, row in (("ae", "mixture 10"), ("vae", "prior")):  # this training, and those of further seeds
        seeds = checkpoints.read_card(f"mnist-{kind}-{d}d")["seeds"]["runs"].values()
        found[kind] = [rows(kind, d)[row]["digit"], *(run["generation"]["rows"][row]["digit"] for run in seeds)]
    said = {kind: f"{v[0]:.0%}" for kind, v in found.items()}
    over = {kind: f" (over 3 trainings {min(v):.0%} to {max(v):.0%})" for kind, v in found.items()}
    assert told.startswith(
        f"**With {d} numbers the AE draws digits in {said['ae']} of the cases{over['ae']}, from ten Gaussians"
    )
    assert f"the VAE in {said['vae']}{over['vae']}, from its own prior" in told
    overlap = max(map(min, found.values())) <= min(map(max, found.values()))
    assert ("so the two are about equal" in told) == overlap == (d == 2)
    for kind, name in zip(FAMILY, ("AE", "DAE", "VAE", "CVAE"), strict=True):
        assert f"{name} {rows(kind, d)['prior']['digit']:.1%}" in told
    assert "Nothing in training placed the codes of AE and DAE there." in told
    assert "Nothing" not in generate.words(family(d)[2:], "prior", 10, d)
    others = [standing(f"mnist-{kind}-{d}d") for kind in ("pca", "vae")]
    assert "placed the codes of PCA there." in generate.words(others, "prior", 10, d)
    assert f"AE {rows('ae', d)['mixture 100']['digit']:.1%}" in generate.words(family(d), "mixture", 100, d)


def test_what_was_not_measured_is_told_as_what_is_nearest():
    """With 12 Gaussians the number of ten is given, and said to be; one Gaussian is the source of that name."""
    names = {k: generate.measured_as("mixture", k) for k in (1, 2, 10, 12, 20, 50, 60, 100)}
    assert names[1] == names[2] == "gaussian" and names[10] == names[12] == "mixture 10"
    assert names[20] == names[50] == "mixture 30" and names[60] == names[100] == "mixture 100"
    one = standing("mnist-ae-20d")
    assert generate.note(one, "mixture", 12).endswith("Measured with ten Gaussians.")
    for source, k in (("prior", 12), ("mixture", 10), ("mixture", 1)):
        assert "Measured" not in generate.note(one, source, k)
    row = rows("ae", 20)["mixture 10"]
    assert f"{row['digit']:.1%} are digits; {row['coverage']:.0%} of test images" in generate.note(one, "mixture", 10)


def test_a_model_that_the_judge_cannot_rate_stands_there_without_a_number():
    """The bundled digits' models have no row: a sentence, and no claim."""
    one = standing("digits-vae-2d")
    assert generate.note(one, "prior", 10).startswith("Not measured. ")
    assert generate.words([one], "prior", 10, 2).startswith("None of these models")


def test_what_ones_teach_is_the_judges_card():
    known = measures.references()
    assert known is not None
    told, one, real = (
        generate.ones(known["rows"]),
        *(known["rows"][name] for name in ("a generator of ones", "real training images")),
    )
    for name in ("entropy", "precision", "recall", "coverage"):
        assert f"{one[name]:.2f}" in told and f"{real[name]:.2f}" in told
    assert f"digits in {one['digit']:.0%}" in told


@pytest.mark.parametrize("source", generation.SOURCES)
def test_the_browser_is_sent_the_source_that_was_measured(source):
    """Rows and columns of a triangle exchanged, or another seed, and the drawings are not those of the number below."""
    one = standing("mnist-vae-2d")
    found = generation.SOURCES[source].find(store.model(one.slug)[0], store.codes(one.slug)["train_mean"], 3)
    sent = unpacked(generate.packed(one, source, 3), 2)
    assert all(torch.equal(a, b) for a, b in zip(sent, found, strict=True))


def test_a_learned_prior_is_drawn_from_and_its_nats_are_told():
    """N(0, I) in its place would draw garbage under a number that was measured elsewhere."""
    one, plain = standing("mnist-mixture-20d"), standing("mnist-vae-20d")
    sent = unpacked(generate.packed(one, "prior", 1), 20)
    own = checkpoints.load(one.slug)[0].prior.mixture()
    torch.testing.assert_close(sent.means, own.means)
    torch.testing.assert_close(sent.weights, own.weights)
    told = generate.words([plain, one], "prior", 10, 20)
    assert "from the prior that it has learned" in told
    told = generate.beside([plain, one], "prior")
    mine, its = (checkpoints.read_card(each.slug)["test"]["nelbo"] for each in (one, plain))
    assert f"{its - mine:.1f} nats less" in told and f"{mine:.1f} against {its:.1f}" in told
    kept = checkpoints.read_card(one.slug)["components"]
    assert f"{kept['purity']:.0%} of test digits" in told and f"{kept['together']:.0%} lie in the one Gaussian" in told
    assert f" {kept['used']} Gaussians are in use" in told
    assert "Gaussians are in use" not in generate.beside([plain, one], "gaussian"), "of one Gaussian of codes"


def test_nats_of_other_pixels_are_not_compared():
    """A Gaussian density of grey pixels and a probability of black and white ones are no two prices of one thing."""
    found = {standing(f"mnist-vae-2d{tag}"): rows("vae", 2) for tag in ("-gaussian", "", "-gaussian-learned", "-beta4")}
    told = list(generate.bought(found))
    assert [line.split(" pays ")[0] for line in told] == ["The VAE gaussian-learned", "The VAE beta4"]
    assert "than the VAE gaussian (" in told[0] and "than the VAE (" in told[1]


def test_every_control_answers():
    """Size, source, number of Gaussians, part, and the table that is asked for."""
    visit = opened(generate_dim="2")
    told = visit.told()
    assert told["part"] == "draws" and [m["kind"] for m in told["models"]] == list(FAMILY)
    assert {m["source"]["components"] for m in told["models"]} == {1}
    app = visit.app
    app.segmented_control(key="generate_source").set_value("mixture").run()
    app.slider(key="generate_components").set_value(4).run()
    visit.check()
    assert {m["source"]["components"] for m in visit.told()["models"]} == {4}
    assert visit.told()["models"][0]["note"].endswith("Measured with ten Gaussians.")
    app.segmented_control(key="generate_part").set_value("Near yours").run()
    assert not app.exception and not app.error
    assert visit.told()["part"] == "near" and visit.told()["models"][0]["source"] is None


def test_a_table_on_request_has_every_row_of_every_model():
    visit = opened(generate_dim="2")
    app = visit.app
    app.session_state["folded All numbers, and generators whose faults are known"] = True
    app.run()
    visit.check()
    table = next(t for t in re.findall(r"<table.*?</table>", visit.shown(), re.DOTALL) if "coverage" in t)
    shown = re.findall(r"<tr[^>]*>(.*?)</tr>", table, re.DOTALL)[1:]
    known = measures.references()["rows"]
    assert len(shown) == 4 * 6 + len(known)
    cells = [re.findall(r"<td[^>]*>([^<]*)<", row) for row in shown]
    assert [row[2] for row in cells[:6]] == [f"{row['digit']:.1%}" for row in rows("ae", 2).values()]
    assert [row[0] for row in cells[-3:]] == list(known)
    split = data.Split(torch.zeros(70_000, 1), torch.arange(70_000) % 10)
    most = [len(pictures) for pictures in generation.references(*split).values()]
    assert min(most) < max(most) == generation.DRAWS, "so not all rows are of as many"
    assert "10,000 drawings in each row of a model and of at most as many pictures in those below;" in visit.shown()


def test_near_yours_is_told_each_models_own_code_and_spread():
    """Around another digit's code, or in another model's σ, "near" would mean nothing."""
    visit = opened(generate_part="Near yours", digit="5")
    pixels, label = (part[5] for part in store.samples(store.sources()[0]))
    for told in visit.told()["models"]:
        model, _ = store.model(slug := f"mnist-{told['kind']}-20d")
        y = torch.tensor([int(label)]) if model.conditional else None
        mean = latent.embed(model, torch.tensor(pixels)[None], y).mean[0]
        assert told["near"]["mean"] == pytest.approx(mean.tolist())
        assert told["near"]["sigma"] == pytest.approx(readout.scale(store.codes(slug)).sigma.tolist())
        assert told["near"]["label"] == (int(label) if model.conditional else None)


@pytest.mark.parametrize("part", ["Random codes", "Near yours"])
def test_a_drawing_that_is_taken_is_the_digit_of_all_pages(part):
    visit = opened(generate_part=part)
    visit.say({"drawing": BITS, "kind": "vae"})
    visit.check()
    chosen = visit.app.session_state[f"{digit.KEY}_chosen"]
    assert chosen.name == "a drawing of the VAE" and np.array_equal(chosen.pixels, bits(BITS))


def densities(**query: str) -> Visit:
    query = {"generate_part": "Prior and posterior", **query}
    return Visit(View("pages/7_Generate.py", query, module="views/generate/densities.mjs"))


def account(kind: str) -> list[dict]:
    return list(checkpoints.read_card(f"mnist-{kind}-2d")["posterior"]["rows"].values())


def test_the_sentence_of_prior_and_posterior_names_n_with_every_number():
    """14 % of holes are a property of 10,000 images as much as of the model: with 60,000 they are 5 %."""
    few, some, _, most = account("vae")
    told = posterior.words({standing("mnist-vae-2d"): checkpoints.read_card("mnist-vae-2d")["posterior"]})
    assert told.startswith(f"**{some['holes']:.0%} of what the prior draws") and "10,000 test images" in told
    assert f"Most of that is the finite sample: with 60,000 training images it is {most['holes']:.1%}." in told
    assert f"{some['kl']:.2f} nats: {some['information']:.2f} tell" in told and few["holes"] > some["holes"]


def test_holes_of_other_models_are_told_with_their_number_of_images():
    """Of fewer images q(z) has more holes whatever the model: 20 % of 1,438 are no more than 5 % of 60,000."""
    kept = {
        name: checkpoints.read_card(name)["posterior"] for name in ("mnist-vae-2d", "mnist-cvae-2d", "digits-vae-2d")
    }
    vae, cvae, small = ((standing(name), its) for name, its in kept.items())
    alike = posterior.words(dict([vae, cvae]))
    share = posterior._share(account("cvae")[-1]["holes"])
    assert f"Holes of other models, with 60,000 training images: CVAE {share}." in alike
    told = posterior.words(dict([vae, cvae, small]))
    its = posterior._share(small[1]["rows"]["train 1438"]["holes"])
    assert f"CVAE {share} with 60,000 training images, VAE digits {its} with 1,438 training images." in told


def test_pictures_of_fewer_samples_than_the_card_has_are_one_sentence(tmp_path, monkeypatch):
    """An interrupted copy, a file of an older version: the page names the command, and shows the other model."""
    for slug in ("mnist-vae-2d", "mnist-cvae-2d"):
        shutil.copytree(networks.CHECKPOINTS / slug, tmp_path / slug)
    for module, name in ((networks, "CHECKPOINTS"), (checkpoints, "ROOT")):
        monkeypatch.setattr(module, name, tmp_path)
    path, tensors = measures.path_beside("posterior", "mnist-vae-2d"), measures.densities("mnist-vae-2d")
    save_file(tensors | {"q": tensors["q"][:2]}, path, {"weights": measures.weights_fingerprint("mnist-vae-2d")})
    store._densities.clear()
    visit = densities()
    visit.check()
    assert "`python -m vae_core measure mnist-vae-2d --what posterior`" in visit.shown()
    assert [one["name"] for one in visit.told()["models"]] == ["CVAE"]


def test_prior_and_posterior_of_whoever_has_a_density_in_the_plane():
    """The pictures are those beside the card, row 0 on top, and every row carries its own numbers."""
    told = densities().told()
    assert [one["name"] for one in told["models"]] == ["VAE", "CVAE"]
    pictures = measures.densities("mnist-vae-2d")
    one = told["models"][0]
    assert [row["images"] for row in one["rows"]] == [1000, 10_000, 60_000]
    for row, k, found in zip(one["rows"], (0, 1, 3), [account("vae")[k] for k in (0, 1, 3)], strict=True):
        seen = np.frombuffer(base64.b64decode(row["q"]["bytes"]), np.uint8).reshape(128, 128) / 255
        expected = pictures["q"][k].numpy().T[::-1]
        assert row["q"]["top"] == expected.max() > 2 * one["prior"]["top"], "a density is told as high as it is"
        assert np.abs(row["q"]["top"] * seen**2 - expected).max() < 0.005 * row["q"]["top"]
        assert row["note"].startswith(row["called"]) and f"KL(q(z) ‖ p) {found['divergence']:.2f}" in row["note"]


def test_prior_and_posterior_without_a_measure_says_the_command():
    """Somebody's own model has no row yet; of one with narrow posteriors none can be had."""
    visit = densities(posterior_cast="vae~mnist-vae-2d-beta0.1")
    visit.check()
    assert "`python -m vae_core measure mnist-vae-2d-beta0.1 --what posterior`" in visit.shown()
    assert [one["name"] for one in visit.told()["models"]] == ["VAE"]


def test_the_table_of_prior_and_posterior_has_both_ways_of_every_row():
    visit = densities()
    visit.app.session_state["folded All numbers, and what they mean"] = True
    visit.app.run()
    visit.check()
    table = next(t for t in re.findall(r"<table.*?</table>", visit.shown(), re.DOTALL) if "Monte Carlo" in t)
    shown = [re.findall(r"<td[^>]*>([^<]*)<", row) for row in re.findall(r"<tr[^>]*>(.*?)</tr>", table, re.DOTALL)[1:]]
    expected = account("vae") + account("cvae")
    assert [row[5] for row in shown] == [f"{each['divergence']:.3f}" for each in expected]
    drawn = [each["monte_carlo"]["divergence"] for each in expected]
    assert [row[6] for row in shown] == [f"{each['mean']:.3f} ± {each['error']:.3f}" for each in drawn]
