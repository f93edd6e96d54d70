"""Few labels: each control does what it says, and what is told is what was measured or is counted here."""

import numpy as np
import pytest
from apps import visit

from benchmarks.hostile_messages import View, Visit
from ui.live import store
from ui.live.cast import everybody, standing
from ui.parts import cast as control
from ui.parts.links import FEW_BY, LINKS
from ui.views import few_labels as view
from vae_core import checkpoints, few_labels
from vae_core.few_labels import WAYS

PAGE = "9_Few_labels"


def shown(app) -> str:
    return " ".join(part.value for kind in (app.markdown, app.caption) for part in kind)


def accuracy(app) -> str:
    (metric,) = app.metric
    return metric.value


def expected(slug: str, way: str, at: np.ndarray, labels: np.ndarray | None = None) -> str:
    """What the core counts, without the page."""
    kept = checkpoints.load_codes(slug)
    codes = few_labels.Codes(kept["train_mean"].numpy(), kept["test_mean"].numpy())
    labels = kept["train_label"].numpy()[at] if labels is None else labels
    found = few_labels.learn(way, codes, at, labels)("test")
    return f"{(found == kept['test_label'].numpy()).mean():.1%}"


def sound(app):
    assert not app.exception and not app.error, (app.exception, app.error)
    return app


@pytest.fixture(scope="module")
def opened():
    return sound(visit(PAGE))


def test_the_first_sentence_is_the_cards_and_says_what_does_not_work():
    for slug in ("mnist-vae-20d", "mnist-ae-2d"):
        row = checkpoints.read_card(slug)["few_labels"]["rows"]["600"]
        told = view.words(standing(slug))
        best = max(row, key=lambda way: row[way]["mean"])
        assert told.startswith("**Where 600 of 10,000 training digits have a name") and told.endswith(".**")
        assert f"{row[best]['mean']:.0%} of 10,000 new ones" in told
        assert f"naming the groups gets only {row['k-means']['mean']:.0%} right" in told


def test_it_opens_with_what_was_measured_beside_what_is_counted_here(opened):
    """Live and measured must be of the same codes, labels and way, or the interval is of something else."""
    row = checkpoints.read_card("mnist-vae-20d")["few_labels"]["rows"]["600"]["spreading"]
    assert f"Over 10 draws of this many labels: {100 * row['mean']:.1f} ± {100 * row['half']:.1f}%" in shown(opened)
    assert accuracy(opened) == expected("mnist-vae-20d", "spreading", few_labels.drawn(10_000, 600, 0))
    table = "".join(part.proto.body for part in opened.get("html"))
    raw = checkpoints.load_baselines()["few_labels"]["rows"]["1200"]["svm"]
    for name in WAYS.values():
        assert f'<td class="">{name.name}</td>' in table
    assert f"{100 * raw['mean']:.1f} ± {100 * raw['half']:.1f}%" in table


@pytest.mark.parametrize(
    ("touch", "slug", "way", "count", "seed"),
    [
        (lambda app: app.select_slider("few_count").set_value(50), "mnist-vae-20d", "spreading", 50, 0),
        (lambda app: app.number_input("few_seed").set_value(7), "mnist-vae-20d", "spreading", 600, 7),
        (lambda app: app.button("few_again").click(), "mnist-vae-20d", "spreading", 600, 1),
        (lambda app: app.selectbox("few_way").set_value("k-means"), "mnist-vae-20d", "k-means", 600, 0),
        (lambda app: app.segmented_control("few_dim").set_value(2), "mnist-vae-2d", "spreading", 600, 0),
        (lambda app: app.radio("few_model").set_value("ae"), "mnist-ae-20d", "spreading", 600, 0),
    ],
    ids=["labels", "draw", "draw other labels", "way", "numbers", "model"],
)
def test_each_control_changes_what_is_counted(touch, slug, way, count, seed):
    app = sound(visit(PAGE))
    sound(touch(app).run())
    assert accuracy(app) == expected(slug, way, few_labels.drawn(10_000, count, seed))


def test_what_is_right_or_wrong_is_shown_of_the_training_codes():
    app = sound(visit(PAGE))
    sound(app.segmented_control("few_shown").set_value("Right or wrong").run())
    kept = store.codes("mnist-vae-20d")
    known, at = kept["train_label"].numpy(), few_labels.drawn(10_000, 600, 0)
    calls = view.called(standing("mnist-vae-20d"), "spreading", at, known[at])
    assert f"red where its name is wrong, {(calls.train != known).mean():.1%}" in shown(app)


def test_whoever_labels_sees_it_rise_takes_back_and_starts_over():
    """Three answers, one that nobody could tell: what is counted is what was said, not what the data set knows. Each
    message holds the whole hand, so that the last one alone gives what all of them gave."""
    visit = Visit(View(f"pages/{PAGE}.py", {"few_by": FEW_BY[1]}))
    app, asked = visit.app, view.offers(standing("mnist-vae-20d")).tolist()
    told = visit.told()
    assert [each["i"] for each in told["asked"]] == asked and told["hand"] == ""
    assert not app.metric and "No code has a name yet" in shown(app)

    def said(hand: str) -> None:
        visit.say({"hand": hand})
        sound(app)

    said(f"{asked[0]}:4~{asked[1]}:x")
    said(f"{asked[0]}:4~{asked[1]}:x~{asked[2]}:9")
    assert app.session_state["few_hand"] == {asked[0]: 4, asked[1]: None, asked[2]: 9}
    assert "2 labels by your hand; 9,998 training codes" in shown(app)
    assert "Nobody has named a 0, 1, 2, 3, 5, 6, 7 or 8 yet" in shown(app)
    assert accuracy(app) == expected("mnist-vae-20d", "spreading", np.array(asked)[[0, 2]], np.array([4, 9]))
    assert app.metric[0].delta.endswith("points")
    said(f"{asked[0]}:4~{asked[1]}:x")
    assert list(app.session_state["few_hand"].values()) == [4, None] and "1 label by your hand" in shown(app)
    said("")
    assert app.session_state["few_hand"] == {} and not app.metric


def test_labels_by_hand_go_along_to_another_model_and_not_to_another_data_set():
    """All models of MNIST hold codes of the same images; number 5 of another data set is another image."""
    app = sound(visit(PAGE, few_by=FEW_BY[1], few_hand="5:4~77:1"))
    sound(app.radio("few_model").set_value("dae").run())
    assert app.session_state["few_hand"] == {5: 4, 77: 1} and "2 labels by your hand" in shown(app)
    sound(app.segmented_control("few_dim").set_value(2).run())
    assert app.session_state["few_hand"] == {5: 4, 77: 1}
    app = sound(visit(PAGE, few_by=FEW_BY[1], few_hand="5:4~7700:1", few_dim="40"))
    assert "1 label by your hand" in shown(app)  # of 2,000 codes that this model has kept
    sound(app.segmented_control("few_dim").set_value(20).run())
    assert "2 labels by your hand" in shown(app)
    sound(app.segmented_control("few_dim").set_value(2).run())
    sound(app.radio("few_model").set_value("digits-vae-2d").run())
    assert app.session_state["few_hand"] == {} and "No code has a name yet" in shown(app)


@pytest.mark.parametrize("text", ["99999:1", "5:77", "5:4~5:3", "5", "5:", ":4", "5:4~", "1:1~" * 80, "5:4x", "5:-1"])
def test_a_hand_in_a_link_that_cannot_be_is_left_out(text):
    """A number of a code or a label that there is not must not reach an array."""
    app = sound(visit(PAGE, few_by=FEW_BY[1], few_hand=text))
    assert not app.metric or "1 label by your hand" in shown(app)


def test_a_conditional_model_is_not_here_and_the_page_says_why():
    """Codes that were encoded with the label would make every row a fraud."""
    lacking = {one.slug for one in everybody() if control.lacks("few", one)}
    assert lacking == {one.slug for one in everybody() if one.conditional}
    app = sound(visit(PAGE, few_model="cvae"))
    assert "◉ CVAE (mnist, 20 numbers) cannot stand here: its codes were encoded with the label" in shown(app)
    assert LINKS["Few labels"]["few_model"].read("cvae") == "cvae"


def test_where_the_images_are_not_the_mistakes_are_the_models_drawings(monkeypatch, tmp_path):
    monkeypatch.setenv("VAE_DATA", str(tmp_path))
    assert "as the VAE draws them: the images themselves are not on this machine" in shown(sound(visit(PAGE)))


def test_a_model_that_was_not_measured_is_shown_without_a_number_of_another():
    app = sound(visit(PAGE, few_model="digits-vae-2d", few_dim="2"))
    assert "Over several draws it was not measured: that takes 10,000 training codes" in shown(app)
    assert " ± " not in shown(app) and "naming the groups" not in shown(app)


def test_what_is_mixed_up_is_counted_by_label_and_call():
    truth, calls = np.array([0, 0, 1, 2, 2, 2]), np.array([0, 1, 1, 0, 0, 2])
    counts = view.confusion(truth, calls, 3)
    np.testing.assert_array_equal(counts, [[1, 1, 0], [0, 1, 0], [2, 0, 1]])
    assert view.mixed_up(counts) == [(2, 0), (0, 1)]


def test_a_card_that_knows_other_ways_alone_is_not_measured(monkeypatch):
    """One hand-edited card took the whole page away."""
    rows = {str(count): {"<b>tea leaves": {"mean": 0.5, "half": 0.1}} for count in few_labels.COUNTS}
    monkeypatch.setattr(view.store, "measured", lambda name, slug: {"rows": rows, "codes": 1, "tested": 1, "draws": 1})
    assert view.words(standing("mnist-vae-20d")).startswith("Somebody names a few training codes")
