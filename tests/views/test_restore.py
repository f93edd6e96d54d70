"""Restore: what Python adds when the hand lets go is of the very pixels that the browser shows."""

import base64
import json
import re

import numpy as np
import pytest
import torch

from benchmarks.hostile_messages import View, Visit
from ui.live import networks, store
from ui.live.cast import standing
from ui.parts import links, spoils
from ui.views.restore import live
from ui.views.restore.rivals import Line, Member, Told, best_cells, leaders, measured, side, spoil
from vae_core import checkpoints, data, measures, metrics
from vae_core.corruption import CORRUPTIONS
from vae_core.spread import Spread
from vae_core.storage import StorageError


def opened(says: dict | None = None, **query: str) -> Visit:
    """Restore in a session of its own; `says` is what the view's hand has left there."""
    visit = Visit(View("pages/5_Restore.py", query))
    if says:
        visit.say({"kind": "masking", "amount": 0.5, "seed": 0, "told": {}, **says})
        visit.check()
    return visit


def sample(index: int) -> tuple[torch.Tensor, int]:
    images, labels = store.samples(store.sources()[0])
    return (torch.tensor(images[index])[None] >= 0.5).float(), int(labels[index])


def opening() -> int:
    return data.DATASETS[store.sources()[0]].opens


def tables(visit: Visit) -> list[list[list[str]]]:
    return [
        [re.findall(r"<t[hd][^>]*>([^<]*)<", tr) for tr in table.split("<tr")[2:]]
        for table in re.findall(r"<table.*?</table>", visit.shown(), re.DOTALL)
    ]


def assert_row(cells: list[str], r: metrics.Restoration) -> None:
    shown = [float(c.rstrip("%")) for c in cells[1:]]
    expected = [float(r.nats), float(r.mse), float(r.psnr), 100 * float(r.wrong)]
    assert shown == pytest.approx(expected, abs=0.051) and shown[1] == pytest.approx(expected[1], abs=1e-4)


@pytest.mark.parametrize("kind", CORRUPTIONS)
@pytest.mark.parametrize("dim", [2, 20])
def test_it_scores_this_digit_and_quotes_the_cards(kind, dim):
    """Otherwise the page's numbers are of another spoiling, of binarised input, or of another model's card."""
    amount = CORRUPTIONS[kind].amounts[-2]
    visit = opened({"kind": kind, "amount": amount, "seed": 1}, digit="5", spoil_dim=str(dim))
    clean, label = sample(5)
    spoilt, y = spoil(clean, kind, amount, 1), torch.tensor([label])
    ours, means = tables(visit)
    assert [row[0] for row in ours] == [row[0] for row in means] and len(ours) == 7
    assert_row(ours[0], metrics.restoration(spoilt, clean))
    assert_row(ours[1], metrics.restoration(metrics.median_filter(spoilt, int(ours[1][0][-1])), clean))
    baselines = checkpoints.load_baselines()
    for line, name in zip(means[:3], ("corrupted", "median", "ridge"), strict=True):
        scores = baselines[name][kind][f"{amount:g}"]
        assert_row(line, metrics.Restoration(*(scores[field] for field in metrics.Restoration._fields)))
    assert ours[2] == ["Ridge regression", *"————"]  # only at the headline amounts there is one to draw with
    for line, mean, name in zip(ours[3:], means[3:], ("ae", "dae", "vae", "cvae"), strict=True):
        model, card = checkpoints.load(f"mnist-{name}-{dim}d")
        assert_row(line, metrics.restoration(model.pixels(model.encode(spoilt, y).mean, y), clean))
        assert_row(mean, metrics.Restoration(**card["denoising"][kind][f"{amount:g}"]))


def test_between_two_measured_amounts_the_nearest_is_named():
    """Means that are interpolated, or quoted as this amount's, are measured by nobody."""
    visit = opened({"amount": 0.37})
    card = checkpoints.read_card("mnist-dae-20d")["denoising"]["masking"]["0.4"]
    assert_row(tables(visit)[1][4], metrics.Restoration(**card))
    assert "0.37 was not measured: these are of 0.4, the nearest that was (of two the lesser)." in visit.shown()
    assert "was not measured" not in opened({"amount": 0.4}).shown()
    for kind, row in CORRUPTIONS.items():
        for low, high in zip(row.amounts, row.amounts[1:], strict=False):
            assert measured(kind, low) == measured(kind, (low + high) / 2) == low != measured(kind, high - 1e-4)
    assert measured("blur", 0) == 0.5


def test_spoilt_as_the_browser_does_it_has_pythons_shares():
    """The noise is of another stream than the training's, and must be of the same distribution."""
    x = torch.full((1, 784), 0.4)
    for kind, row in CORRUPTIONS.items():
        many = torch.cat([spoil(x, kind, row.start, seed) for seed in range(40)])
        assert many.min() >= 0 and many.max() <= 1
        assert torch.equal(many[3:4], spoil(x, kind, row.start, 3)) and (many[0] != many[1]).any() == bool(row.noise)
        assert torch.allclose(spoil(x, kind, 0, 1), x, atol=1e-6)
    assert float((torch.cat([spoil(x, "masking", 0.3, s) for s in range(40)]) == 0).float().mean()) == pytest.approx(
        0.3, abs=0.01
    )


def test_only_what_compares_is_marked():
    """Otherwise a model of another data set wins by the easier digits of its own test split, or a card without means
    ends the page."""
    visit = opened(spoil_cast="dae~digits-cvae-2d~mnist-vae-2d-gaussian~gone", spoil_dim="2")
    assert not visit.app.error and not visit.app.warning
    ours, means = tables(visit)
    assert [line[0] for line in ours[3:]] == ["◌ DAE", "○ VAE gaussian", "◉ CVAE digits"]
    assert means[4][1:] == ["—"] * 4
    assert_row(means[5], metrics.Restoration(**checkpoints.read_card("digits-cvae-2d")["denoising"]["masking"]["0.5"]))
    base = checkpoints.load_baselines()["ridge"]["masking"]["0.5"]
    assert f'best">{base["nats"]:.2f}<' in visit.shown().split("<table")[2]
    (said,) = (c.value for c in visit.app.caption if "Such numbers are never marked as best" in c.value)
    assert "its own data set, scikit-learn's digits" in said and "models of black and white pixels" in said
    clean, label = sample(opening())
    spoilt, y = spoil(clean, "masking", 0.5, 0), torch.tensor([label])
    model = checkpoints.load("digits-cvae-2d")[0]
    assert_row(ours[5], metrics.restoration(model.pixels(model.encode(spoilt, y).mean, y), clean))


@pytest.mark.parametrize(("kind", "amount"), metrics.HEADLINE.items())
def test_the_regression_draws_where_it_is_kept(kind, amount):
    """The fair rival must be seen, not only counted; its picture is what its weights make of these very pixels."""
    visit = opened({"kind": kind, "amount": amount, "seed": 4})
    clean, _ = sample(opening())
    restored = measures.load_ridges()[kind](spoil(clean, kind, amount, 4))
    told = visit.told()
    grey = np.frombuffer(base64.b64decode(told["ridge"]["pixels"]), np.uint8)
    assert np.array_equal(grey, np.rint(restored[0].numpy() * 255)) and told["kept"] == metrics.HEADLINE
    scores = metrics.restoration(restored, clean)
    assert told["ridge"]["psnr"] == pytest.approx(float(scores.psnr), abs=1e-4)
    assert_row(tables(visit)[0][2], scores)
    assert opened({"kind": kind, "amount": amount - 0.01}).told()["ridge"] is None


def test_the_best_of_each_column_is_bold_and_named():
    """Otherwise bold marks the largest error as the best, or the sentence above praises another than the table."""
    visit = opened()
    for table in re.findall(r"<table.*?</table>", visit.shown(), re.DOTALL):
        rows = [re.findall(r"<t[hd][^>]*>([^<]*)<", tr) for tr in table.split("<tr")[2:]]
        values = [[float(v.rstrip("%")) for v in line[1:]] for line in rows]
        bold = [[" best" in cell for cell in re.findall(r'<td class="n([^"]*)"', tr)] for tr in table.split("<tr")[2:]]
        for column, better in enumerate((min, min, max, min)):
            best = better(line[column] for line in values)
            marked = [line[column] for line, flags in zip(values, bold, strict=True) if flags[column]]
            assert best in marked
    lines = [Line("A", "the A", (2, 0.1, 9, 0.2)), Line("B", "the B", (1, 0.2, 9, 0.3)), Line("C", "the C", None)]
    assert leaders(lines) == "the B in nats; the A in MSE and wrong pixels; the A and the B in PSNR"
    assert leaders(lines[:1]) == "the A in all four measures" and leaders(lines[2:]) == ""
    near = [Line("A", "the A", (0.101, 1, 1, 1)), Line("B", "the B", (0.099, 1, 1, 1))]
    assert best_cells(near) == {(r, c) for r in (0, 1) for c in range(4)}  # both show 0.10
    wide, other = [Spread(0.9, 1.2, 3)] * 4, [Spread(1.1, 1.4, 3)] * 4  # trainings from several seeds that overlap
    apart = [Line("A", "the A", (1, 1, 1, 1), spreads=wide), Line("B", "the B", (1.3, 1.3, 1.3, 1.3), spreads=other)]
    assert leaders(apart) == "the A and the B in all four measures"
    once = [apart[0], apart[1]._replace(spreads=())]
    assert leaders(once) == "the A in nats, MSE and wrong pixels; the B in PSNR"
    shown = opened({"amount": 0}).shown()
    assert "can only lose" in shown and "∞" in shown and "90.00" not in shown  # a clean digit is at no distance in dB


def test_without_baselines_a_dash(no_caches_of_others, monkeypatch):
    """Otherwise a checkout without the file of baselines ends in a traceback."""

    def missing(root=None):
        raise StorageError("baselines.json cannot be read.")

    monkeypatch.setattr(checkpoints, "load_baselines", missing)
    store.baselines.clear()
    means = tables(opened())[1]
    assert means[0] == ["Spoilt", "—", "—", "—", "—"] and "—" not in means[3]
    assert side("gaussian", 0.7) == 3


# What the view is told and says ---------------------------------------------------------------------------------------


def test_a_label_that_is_chosen_is_told_and_stays():
    """Otherwise the CVAE's numbers are of its own label, while the picture is of the one that was chosen."""
    visit = opened({"told": {"cvae": 3}}, digit="5")
    assert visit.told()["hand"]["told"] == {"cvae": 3} and "label, 3 (as you chose)" in visit.shown()
    clean, _ = sample(5)
    model, y = checkpoints.load("mnist-cvae-20d")[0], torch.tensor([3])
    restored = model.pixels(model.encode(spoil(clean, "masking", 0.5, 0), y).mean, y)
    assert_row(tables(visit)[0][6], metrics.restoration(restored, clean))
    visit.say({"kind": "masking", "amount": 0.5, "seed": 0, "told": {}})
    assert "as you chose" not in visit.shown()
    visit.app.session_state["spoil_told"] = {f"gone-{i}": 1 for i in range(4)}  # of models that stood here before
    visit.say({"kind": "masking", "amount": 0.5, "seed": 0, "told": {"cvae": 3}})
    assert visit.app.session_state["spoil_told"] == {"cvae": 3}  # five would be no link


def test_labels_are_the_classes_of_the_models_own_data_set(monkeypatch):
    """Otherwise a CVAE of letters is offered ten digits."""
    letters = tuple("abcdefghijklmnopqrstuvwxyz")
    monkeypatch.setitem(data.DATASETS, "letters", data.DATASETS["digits"]._replace(classes=letters))
    about = standing("mnist-cvae-2d")._replace(key="letters-cvae-2d", dataset="letters", n_classes=26)
    members = [Member(about, Told(25, "guessed: highest ELBO"))]
    told = live.options(networks.network, members, {}, {})["models"][0]["told"]
    assert tuple(told["classes"]) == letters and told["label"] == 25
    read = live.reader(members)
    message = {"kind": "blur", "amount": 3, "seed": 0, "told": {"letters-cvae-2d": 25}}
    assert read(message)["told"] == {"letters-cvae-2d": 25}


def test_links_hold_any_amount_up_to_the_limit():
    """Older links name measured amounts; newer ones whatever lies between. What is cut or hostile is the default."""
    for kind, row in CORRUPTIONS.items():
        param = links.LINKS["Restore"][f"spoil_{kind}"]
        for amount in (0, *row.amounts, 0.123):
            assert param.read(param.write(amount)) == amount
        for text in ("", "-0.1", "nan", "1e-1", "0x1", ".5", "٣", f"{row.limit + 0.01}", "9" * 400):
            with pytest.raises(ValueError):
                param.read(text)
    told = links.LINKS["Restore"]["spoil_told"]
    assert told.read("cvae:3~digits-cvae-2d-mine.1:25") == {"cvae": 3, "digits-cvae-2d-mine.1": 25}
    assert told.write({"cvae": 3, "a": 0}) == "cvae:3~a:0"
    for text in ("cvae", "cvae:", ":3", "cvae:-1", "cvae:1~cvae:2", "cvae:1000", "a:1~b:1~c:1~d:1~e:1"):
        with pytest.raises(ValueError):
            told.read(text)
    visit = opened(spoil_kind="gaussian", spoil_gaussian="0.35", spoil_seed="7", spoil_told="cvae:4~gone:1~ae:2")
    hand = visit.told()["hand"]
    assert (hand["kind"], hand["amounts"]["gaussian"], hand["seed"], hand["told"]) == ("gaussian", 0.35, 7, {"cvae": 4})


def test_every_way_to_spoil_is_told_as_its_row_is():
    told = opened().told()["spoils"]
    assert [one["kind"] for one in told] == list(CORRUPTIONS)
    for one, row in zip(told, CORRUPTIONS.values(), strict=True):
        assert tuple(one["amounts"]) == row.amounts and one["limit"] == row.limit and one["start"] == row.start
        assert one["sizes"] == [side(one["kind"], amount) for amount in row.amounts]
        assert one["chance"] == bool(row.noise) and one["trained"] == row.trained_on
    assert json.loads(json.dumps(spoils.SPOILS)) == [{k: v for k, v in one.items() if k != "sizes"} for one in told]


def test_what_is_beyond_a_kinds_limit_is_not_heard():
    before = opened()
    wide = opened({"kind": "salt_pepper", "amount": 0.5})  # 0.4 is its limit, 3 that of the blur
    assert before.told()["hand"] == wide.told()["hand"]


# What the noise teaches -----------------------------------------------------------------------------------------------


def test_the_other_half_of_the_page_is_in_the_link():
    """A teacher sends the lesson about the loss, in its state; a half that is broken shows nowhere else."""
    app = Visit(
        View(
            "pages/5_Restore.py",
            {"spoil_part": links.HALVES[1], "denoising_kind": "salt_pepper", "denoising_salt_pepper": "0.1"},
        )
    ).app
    assert any("One draw is unbiased." in text.value for text in app.markdown)
    assert app.selectbox(key="denoising_kind").value == "salt_pepper"
    assert app.select_slider(key="denoising_salt_pepper").value == 0.1
