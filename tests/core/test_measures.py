"""What is measured of a finished model: it lands on its card, changes nothing else there, and counts for no others."""

import json
import shutil

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from vae_core import checkpoints, data, likelihood, measures, metrics
from vae_core.__main__ import main
from vae_core.config import ConfigError
from vae_core.corruption import CORRUPTIONS
from vae_core.storage import StorageError, read_json, write_json


@pytest.fixture
def copied(root, tmp_path):
    """The shipped CVAE and the judge, to be measured again."""
    for name in ("mnist-cvae-2d", "judge"):
        shutil.copytree(root / "checkpoints" / name, tmp_path / name)
    return tmp_path


def test_what_is_shipped_was_measured_on_the_weights_beside_it():
    """A number of other weights would be told to every visitor, since the pages read it off the card."""
    for slug in (f"mnist-{kind}-{d}d" for d in (2, 20) for kind in ("ae", "dae", "vae", "cvae")):
        found = measures.measured("draws", slug)
        assert found is not None and found["judge"] == measures.weights_fingerprint("judge")
        assert found["command"] == f"python -m vae_core measure {slug} --what draws"
    for d in (2, 20):
        found = measures.measured("leak", f"mnist-cvae-{d}d")
        assert found is not None and found["chance"] < found["draw"]["accuracy"] < found["mean"]["accuracy"]


def test_every_conditional_model_tells_content_from_style():
    """A page that finds nothing says nothing; the judge's numbers stand where the judge knows the images."""
    slugs = [card.parent.name for card in checkpoints.ROOT.glob("*/card.json")]
    told = [slug for slug in slugs if slug != "judge" and checkpoints.read_card(slug)["kind"] in ("cvae", "scrubbed")]
    assert len(told) >= 4
    for slug in told:
        found = measures.measured("content", slug)
        assert found is not None, slug
        assert found["command"] == f"python -m vae_core measure {slug} --what content"
        assert found["wrong"]["nearest"] < found["wrong"]["mean"]
        mnist = checkpoints.read_card(slug)["dataset"]["name"] == "mnist"
        assert mnist == ("swap" in found) == ("fidelity" in found) == ("judge" in found)
        if mnist:
            test, read = checkpoints.read_card(slug)["test"], measures.measured("leak", slug)
            assert np.mean(found["fidelity"]) == pytest.approx(test["label_agreement"], abs=2e-3)
            assert read and found["linear"]["draw"]["nats"] < read["draw"]["nats"], "a network sees more"


def test_content_is_measured_by_the_command_where_no_judge_can_see(root, tmp_path, capsys):
    """End to end, on the bundled digits; and once it is there it is not asked again."""
    slug = "digits-cvae-2d"
    shutil.copytree(root / "checkpoints" / slug, tmp_path / slug)
    words = ["measure", slug, "--what", "content", "--root", str(tmp_path), "--json", "--threads", "1"]
    assert main([*words, "--again"]) == 0
    found = json.loads(capsys.readouterr().out)["content"]
    assert found == checkpoints.read_card(slug, tmp_path)["content"] and "swap" not in found
    assert measures.agrees("content", found, checkpoints.read_card(slug)["content"])
    assert measures.measure(measures.Subject(slug, tmp_path), "content") is None


def test_draws_are_counted_again_and_nothing_else_on_the_card_moves(copied):
    """The same seed, the same share; `command`, `history` and every other measure stay as they were."""
    slug = "mnist-cvae-2d"
    before = checkpoints.read_card(slug, copied)
    found = measures.measure(measures.Subject(slug, copied), "draws", again=True)
    assert found["accepted"] == pytest.approx(before["draws"]["accepted"], abs=2e-4)
    after = checkpoints.read_card(slug, copied)
    assert {k: v for k, v in after.items() if k != "draws"} == {k: v for k, v in before.items() if k != "draws"}


def test_a_number_of_other_weights_is_not_told(copied):
    slug = "mnist-cvae-2d"
    assert measures.measured("leak", slug, copied) is not None
    weights = copied / slug / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\1")
    assert measures.measured("leak", slug, copied) is None
    weights.unlink()
    with pytest.raises(StorageError, match="cannot be read"):
        measures.measured("leak", slug, copied)


def test_a_number_of_another_judge_or_without_its_rows_is_not_told(copied):
    """A page would print how many drawings a judge accepts that is gone, or ask a row that there is not."""
    slug = "mnist-cvae-2d"
    assert measures.measured("generation", slug, copied) is not None
    card = checkpoints.read_card(slug, copied)
    few = card["generation"] | {"rows": {"prior": card["generation"]["rows"]["prior"]}}
    write_json(copied / slug / "card.json", card | {"generation": few})
    assert measures.measured("generation", slug, copied) is None
    write_json(copied / slug / "card.json", card)
    weights = copied / "judge" / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\1")
    assert measures.measured("generation", slug, copied) is None and measures.measured("draws", slug, copied) is None
    assert measures.measured("leak", slug, copied) is not None, "nobody judged it"


def test_a_leak_needs_a_model_that_is_told_the_label():
    with pytest.raises(ConfigError, match="told the label"):
        measures.measure(measures.Subject("mnist-vae-2d"), "leak")


def test_draws_are_judged_where_the_judge_knows_the_digits():
    with pytest.raises(ConfigError, match="MNIST"):
        measures.measure(measures.Subject("digits-vae-2d"), "draws")


def test_a_leak_is_written_by_the_command(root, tmp_path, capsys):
    """End to end, on the bundled digits: the command, the card, and that a second run finds the same."""
    slug = "digits-cvae-2d"
    shutil.copytree(root / "checkpoints" / slug, tmp_path / slug)
    seen = []
    for _ in range(2):
        words = ["measure", slug, "--what", "leak", "--again", "--root", str(tmp_path), "--json", "--threads", "1"]
        assert main(words) == 0
        seen.append(json.loads(capsys.readouterr().out)["leak"])
    assert seen[0] == seen[1] == checkpoints.read_card(slug, tmp_path)["leak"]
    assert seen[0]["train_images"] == 1438 and 0.1 < seen[0]["draw"]["accuracy"] < 1


@pytest.fixture
def digits_card(root, tmp_path):
    """A model of the bundled digits, its folder, and how to read its card."""
    slug = "digits-vae-2d"
    shutil.copytree(root / "checkpoints" / slug, tmp_path / slug)
    return slug, tmp_path, lambda: read_json(tmp_path / slug / "card.json")


def measured_by_command(slug, folder, capsys, *words):
    code = main(["measure", slug, *words, "--root", str(folder), "--json", "--threads", "1"])
    return code, [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_what_is_on_a_card_is_not_measured_again(digits_card, capsys):
    """Whoever types it twice waits once; the shipped numbers are never told anew unasked."""
    slug, folder, _ = digits_card
    before = (folder / slug / "card.json").read_bytes()
    code, rows = measured_by_command(slug, folder, capsys)
    assert code == 0 and {row["event"] for row in rows} == {"there"}
    assert (folder / slug / "card.json").read_bytes() == before


@pytest.mark.parametrize("damage", ["missing", "truncated", "few", "other weights"])
def test_pictures_that_cannot_be_used_are_measured_again(digits_card, capsys, damage):
    """The page names this command where it has none to show; it must not answer that everything is there."""
    slug, folder, card = digits_card
    path, before = measures.path_beside("posterior", slug, folder), card()
    tensors = measures.densities(slug, folder)
    if damage == "missing":
        path.unlink()
    elif damage == "truncated":
        path.write_bytes(path.read_bytes()[:1000])
    else:
        weights = measures.weights_fingerprint(slug, folder) if damage == "few" else "0" * 64
        kept = tensors | {"q": tensors["q"][:1]} if damage == "few" else tensors
        save_file(kept, path, {"weights": weights})
    with pytest.raises(StorageError):
        measures.densities(slug, folder)
    code, rows = measured_by_command(slug, folder, capsys, "--what", "posterior")
    assert code == 0 and rows[-1]["event"] == "done"
    again = measures.densities(slug, folder)
    assert all(torch.allclose(again[name], each, atol=1e-3) for name, each in tensors.items())
    assert measures.agrees("posterior", before["posterior"], card()["posterior"])


def test_a_new_corruption_is_measured_of_cards_that_were_there_before(digits_card, capsys, monkeypatch):
    """It used to need each model's training again: no command wrote the cells."""
    slug, folder, card = digits_card
    before = card()
    row = CORRUPTIONS["masking"]._replace(amounts=(0.15, 0.35), start=0.15, trained_on=False)
    monkeypatch.setitem(CORRUPTIONS, "holes", row)
    code, rows = measured_by_command(slug, folder, capsys, "--what", "denoising")
    assert code == 0 and rows[-1]["event"] == "done"
    after = card()
    assert set(after["denoising"].pop("holes")) == {"0.15", "0.35"}
    assert after == before


def test_a_new_measure_is_a_row_and_lands_on_every_card(digits_card, capsys, monkeypatch):
    """With the fingerprint of its weights, by which a page knows whether it may tell it."""
    slug, folder, card = digits_card
    before = card()
    ink = measures.Measure(
        "ink of the test images",
        "share",
        "",
        lambda subject: {"mean": float(subject.splits[1].images.mean())},
        lambda found: f"ink {found['mean']:.3f}",
    )
    monkeypatch.setitem(measures.MEASURES, "ink", ink)
    assert measured_by_command(slug, folder, capsys)[0] == 0
    after = card()
    found = after.pop("ink")
    assert after == before
    assert found["mean"] == pytest.approx(data.load("digits", "test").images.mean().item())
    assert found["command"] == f"python -m vae_core measure {slug} --what ink"
    assert measures.measured("ink", slug, folder) == found
    assert main(["evaluate", slug, "--what", "ink", "--root", str(folder), "--threads", "1"]) == 0
    capsys.readouterr()
    weights = folder / slug / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-2] + b"\1\1")
    assert measures.measured("ink", slug, folder) is None
    assert measured_by_command(slug, folder, capsys, "--what", "ink")[1][-1]["event"] == "done"  # of the new weights


def test_an_evaluation_writes_nothing_and_names_what_differs(digits_card, capsys):
    slug, folder, card = digits_card
    path = folder / slug / "card.json"
    assert main(["evaluate", slug, "--what", "test", "denoising", "--root", str(folder), "--threads", "1"]) == 0
    wrong = card()
    wrong["denoising"]["blur"]["1"]["psnr"] += 1
    write_json(path, wrong)
    before = path.read_bytes()
    capsys.readouterr()
    assert main(["evaluate", slug, "--what", "denoising", "--root", str(folder), "--threads", "1"]) == 1
    assert "the card says" in capsys.readouterr().out and path.read_bytes() == before


def test_a_measure_that_there_is_not_is_one_sentence(digits_card, capsys):
    slug, folder, _ = digits_card
    assert main(["measure", slug, "--what", "taste", "--root", str(folder)]) == 1
    assert "There is no measure 'taste'. There are: test, denoising, " in capsys.readouterr().err


@pytest.mark.parametrize("name", measures.MEASURES)
def test_each_measure_says_what_it_is(name):
    row = measures.MEASURES[name]
    assert row.words and row.unit and row.good in ("low", "high", "")


def test_weights_that_change_while_they_are_measured_get_no_number(digits_card, monkeypatch):
    """A training of the same name may end meanwhile: its card would tell numbers of the model before it."""
    slug, folder, card = digits_card
    before, weights = card(), folder / slug / "weights.safetensors"

    def find(subject):
        weights.write_bytes(weights.read_bytes() + b"\0")
        return {"value": 1.0}

    monkeypatch.setitem(measures.MEASURES, "slow", measures.Measure("slow", "1", "", find, str))
    with pytest.raises(StorageError, match="has changed while it was measured"):
        measures.measure(measures.Subject(slug, folder), "slow")
    assert card() == before


def test_the_shipped_leak_is_found_again(copied, mnist_dir):
    """Half a point's leeway: another machine's arithmetic takes another way through 3,225 steps."""
    before = checkpoints.read_card("mnist-cvae-2d", copied)["leak"]
    found = measures.measure(measures.Subject("mnist-cvae-2d", copied, mnist_dir), "leak", again=True)
    for name in ("mean", "draw"):
        assert found[name]["accuracy"] == pytest.approx(before[name]["accuracy"], abs=0.005)


@pytest.mark.parametrize("slug", ["mnist-vae-2d", "mnist-cvae-2d"])
def test_the_shipped_ladder_is_found_again(slug, mnist_dir):
    """What the page calls the mean over 1,000 digits; here over those of them that a test has time for."""
    subject, told = measures.Subject(slug, data_folder=mnist_dir), measures.measured("ladder", slug)
    assert told is not None and told["images"] == checkpoints.CLIMBED
    images, labels = (part[: measures.LADDER_FIRST] for part in subject.splits[1])
    found = likelihood.ladder(subject.model, images, labels if subject.model.conditional else None)
    gap = (checkpoints.load_exact(slug)["log_p"][: len(images)] - found.elbo).mean(1)
    assert gap.tolist() == pytest.approx([row["first"] for row in told["rows"].values()], rel=0.03, abs=0.01)
    gaps = [row["gap"] for row in told["rows"].values()]
    assert gaps == sorted(gaps, reverse=True)


def test_a_ladder_needs_the_integral(digits_card):
    slug, folder, _ = digits_card
    with pytest.raises(ConfigError, match="has no prior"):
        measures.measure(measures.Subject("mnist-ae-2d"), "ladder")
    with pytest.raises(ConfigError, match=f"integrate {slug}` does"):
        measures.measure(measures.Subject(slug, folder), "ladder")


def test_the_shipped_regressions_score_as_the_baselines_say(mnist_dir):
    """What is drawn on Restore must be what was scored: half precision included."""
    test, scores = data.load("mnist", "test", mnist_dir).images, checkpoints.load_baselines()["ridge"]
    for kind, ridge in measures.load_ridges().items():
        amount = metrics.HEADLINE[kind]
        clean, spoilt = metrics.corrupted_test(test, kind, amount)
        found = metrics.restoration(ridge(spoilt), clean)
        told = scores[kind][f"{amount:g}"]
        for field, values in found._asdict().items():
            assert float(values.double().mean()) == pytest.approx(told[field], rel=1e-4)


@pytest.mark.parametrize("spoil", ["missing", "shape", "nan"])
def test_a_broken_file_of_regressions_is_one_sentence(tmp_path, spoil):
    tensors = {}
    for kind in metrics.HEADLINE:
        tensors |= {f"{kind}.weight": torch.zeros(784, 784).half(), f"{kind}.bias": torch.zeros(784).half()}
    if spoil == "missing":
        del tensors["masking.bias"]
    elif spoil == "shape":
        tensors["masking.weight"] = torch.zeros(3, 784).half()
    else:
        tensors["masking.bias"][5] = torch.nan
    save_file(tensors, tmp_path / measures.RIDGE)  # ours refuses to write what is not finite
    with pytest.raises(StorageError, match="baselines"):
        measures.load_ridges(tmp_path)


def test_the_regressions_are_small(root):
    """They travel with the repository."""
    assert (root / "checkpoints" / measures.RIDGE).stat().st_size <= 4_000_000
