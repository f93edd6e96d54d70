"""Interpolate and the digit that a visitor brings: what is shown is what `vae_core` says."""

import base64
import io
import json
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch
from apps import opens_with, page, run, sample, shown, source, ten_in_the_hand_of
from PIL import Image, ImageDraw
from sklearn.neighbors import NearestNeighbors
from streamlit.testing.v1 import AppTest

from ui.live import store
from ui.live.cast import standing
from ui.parts import tiles
from ui.parts.digit import BROUGHT, Chosen, called, describe, drawing
from ui.parts.picture import label_for, next_index
from ui.parts.tiles import bits
from ui.views.interpolate.ways import START, Walker, Ways, animation
from ui.views.studio import FIRST
from vae_core import checkpoints, latent
from vae_core.data import DATASETS
from vae_core.digitize import digitize

CVAE, _ = checkpoints.load("mnist-cvae-2d")


def chosen_digit(at: AppTest) -> str:
    """The line below the controls that says what is being looked at."""
    return next(c.value for c in at.main.caption if re.match(r"Your picture|\S+( test)? digit \d", c.value))


def box_of(at: AppTest, key: str):
    """The component of this name as it is sent to the browser."""
    return next(c.proto for c in at.get("bidi_component") if c.key == key)


def bring(at: AppTest, name: str, content: bytes, key: str = "digit_file") -> AppTest:
    """A file as static/parts/chooser.mjs and the Studio send it: AppTest's `run`, with what it has no element for."""
    message = {"picture": base64.b64encode(content).decode(), "name": name, "id": 17}
    states, component = at._tree.get_widget_states(), box_of(at, key).id
    if key == "studio":
        states.widgets.add(id=component, json_value=json.dumps({"message": message}))
    else:
        events = json.dumps([{"event": "message", "value": message}])
        states.widgets.add(id=f"$$STREAMLIT_INTERNAL_KEY_{component}__events", json_trigger_value=events)
    at._run(states)
    assert not at.exception and not at.error
    return at


def refusal(at: AppTest, key: str = "digit_file") -> str | None:
    """What is wrong with the file that came last, as the box is told; None where nothing is."""
    refused = json.loads(json.loads(box_of(at, key).json)["options"])["refused"]
    return refused and refused["sentence"]


def picture(digit: int = 1, suffix: str = "PNG") -> bytes:
    """A 1 or a 0 as a thick dark pen on light paper, 300×300."""
    image = Image.new("L", (300, 300), 235)
    draw = ImageDraw.Draw(image)
    if digit == 1:
        draw.line((150, 50, 150, 250), fill=20, width=24)
    else:
        draw.ellipse((90, 50, 210, 250), outline=20, width=24)
    buffer = io.BytesIO()
    image.save(buffer, suffix)
    return buffer.getvalue()


# Interpolate ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("dim", "way", "steps"), [(2, "linear", 9), (20, "spherical", 5), (2, "spherical", 15)])
def test_interpolate_shows_every_row_of_every_model(root, dim, way, steps):
    """Otherwise a row may show another model's way, another path or other steps than the controls say."""
    at = page(root, "4_Interpolate")
    at.segmented_control(key="walk_dim").set_value(dim)
    at.segmented_control(key="walk_way").set_value(way)
    at.select_slider(key="walk_steps").set_value(steps)
    at.number_input(key="digit_number").set_value(2)
    at.number_input(key="to_number").set_value(3)
    body = shown(run(at))
    (x0, a), (x1, b) = sample(2), sample(3)
    assert a != b
    t = torch.linspace(0, 1, steps)
    rows = [(1 - t[:, None]) * x0 + t[:, None] * x1]
    for kind in ("ae", "dae", "vae", "cvae"):
        model, _ = checkpoints.load(f"mnist-{kind}-{dim}d")
        ends = latent.embed(model, torch.cat([x0, x1]), torch.tensor([a, b]) if kind == "cvae" else None).mean
        z = latent.interpolate(ends[0], ends[1], t, spherical=way == "spherical")
        if kind != "cvae":
            rows.append(latent.decode(model, z))
            continue
        rows.append(latent.decode(model, z, torch.full((steps,), a)))
        rows.append(latent.decode(model, z, torch.where(t < 0.5, a, b)))
        rows.append(latent.decode_between_labels(model, z[:1].expand(steps, -1), a, b, t))
    assert body.count('class="lse-strip"') == len(rows)
    missing = sum(tiles.data_uri(p) not in body for r in rows for p in r.numpy())
    # A grey level that lies on the edge of a rounding step may fall either way between two orders of addition.
    assert missing <= 0.1 * steps * len(rows)


def test_another_model_walks_by_its_own_label_and_name(root):
    """Otherwise a link shows the shipped CVAE under another's name, or a name that is gone ends the page."""
    at = AppTest.from_file(str(root / "studio.py"), default_timeout=60).switch_page("pages/4_Interpolate.py")
    at.query_params["walk_cast"] = "vae~digits-cvae-2d~gone-vae-2d~mnist-vae-20d"
    body = shown(run(at))
    assert at.session_state["walk_cast"] == ["vae", "digits-cvae-2d"] and not at.error and not at.warning
    names = re.findall(r'class="lse-name">([^<]*)<', body)
    assert names == ["Pixels", "○ VAE", *(f"◉ CVAE digits {word}" for word in ("style", "label", "both"))]
    (x0, a), (x1, b) = (sample(i) for i in START[source()])
    model, _ = checkpoints.load("digits-cvae-2d")
    ends = latent.embed(model, torch.cat([x0, x1]), torch.tensor([a, b])).mean
    way = latent.decode(model, latent.interpolate(ends[0], ends[1], torch.linspace(0, 1, 9)), torch.full((9,), a))
    assert sum(tiles.data_uri(p) in body for p in way.numpy()) >= 8  # a grey level may lie on a rounding step
    for name, lines in (("CVAE digits", 1), ("CVAE of my own hand", 2)):  # of a long name the film shows two lines
        walker = Walker(standing("digits-cvae-2d")._replace(name=name), model, (a, b))
        film = Image.open(io.BytesIO(animation(Ways([walker], torch.cat([x0, x1]), spherical=False))))
        assert film.n_frames == 48 and film.size == (4 * 112, 112 + 6 + 14 * lines)


def test_a_label_is_no_digit_to_a_model_of_other_classes(root):
    """Otherwise a CVAE of clothes is told that a 3 is a dress because its picture shows a three."""
    chosen = Chosen(sample(2)[0][0].numpy(), 9, "a digit")
    assert label_for(chosen, CVAE, "digits") == (9, "its label")
    guess = int(latent.label_elbos(CVAE, sample(2)[0][0], torch.Generator().manual_seed(0)).argmax())
    assert label_for(chosen, CVAE, "fashion_mnist") == (guess, "guessed: highest ELBO") and guess != 9


def test_interpolate_with_one_label_has_one_row_of_the_cvae(root):
    """Otherwise a label that does not change would be said to blend and to switch."""
    at = page(root, "4_Interpolate")
    at.number_input(key="to_number").set_value(at.number_input(key="digit_number").value)
    body = shown(run(at))
    assert "CVAE style" in body and "CVAE both" not in body and "never trained" not in body


def test_pace_of_the_pixel_blend_is_even_and_straight(root):
    """Otherwise the table measures something else than steps: a plain blend has equal ones and no detour."""
    body = shown(page(root, "4_Interpolate"))
    (x0, _), (x1, _) = map(sample, START[source()])
    step = float((x1 - x0).abs().sum()) / 8
    line = re.search(r"<td[^>]*>Pixels</td>(.*?)</tr>", body)[1]
    assert re.findall(r">([^<]+)</td>", line)[:3] == [f"{step:.1f}", "1.00", "1.00"]


def test_digits_between_is_the_judge_s_word(root):
    """Otherwise the last column counts something else than pictures that the one acceptance rule accepts, or counts the
    two ends, which no model has found."""
    body = shown(page(root, "4_Interpolate"))
    (x0, _), (x1, _) = map(sample, START[source()])
    line = re.search(r"<td[^>]*>Pixels</td>(.*?)</tr>", body)[1]
    blend = torch.lerp(x0, x1, torch.linspace(0, 1, 9)[:, None])
    judge = store.judge()
    expected = "—" if judge is None else f"{int(judge.is_digit(blend[1:-1]).sum())} of 7"
    assert re.findall(r">([^<]+)</td>", line)[-1] == expected


def test_interpolate_walks_between_what_was_drawn(root):
    """Otherwise a link shows the sample in place of the drawing, or a cut link or an empty pad ends in a traceback."""
    for text in (FIRST, "cut", ""):
        at = AppTest.from_file(str(root / "studio.py"), default_timeout=60).switch_page("pages/4_Interpolate.py")
        at.query_params["digit_by"], at.query_params["d"] = "Draw", text
        drawn = tiles.data_uri(bits(FIRST)) in shown(run(at))
        assert drawn == (text == FIRST) and len(at.info) == 0, text
        if drawn:
            assert any("guessed: highest ELBO" in c.value for c in at.caption)
            at.selectbox(key="digit_said").set_value(5)
            assert "label 5 throughout" in shown(run(at))
    at = AppTest.from_file(str(root / "studio.py"), default_timeout=60).switch_page("pages/4_Interpolate.py")
    at.session_state["digit_by"], at.session_state["digit_chosen"] = "Draw", drawing("")  # the pad was cleared
    assert len(run(at).info) == 1 and "Draw the digit to walk from" in at.info[0].value
    assert 'class="lse-strip"' not in shown(at)


def test_interpolate_walks_from_a_brought_picture_and_back_to_the_samples(root):
    """Otherwise the third source does nothing, or a picture that was tried once hides the samples for good."""
    at = page(root, "4_Interpolate")
    before = shown(at)
    at.segmented_control(key="digit_by").set_value("Picture")
    assert shown(run(at)) == before  # until there is a picture, the sample stays
    bring(at, "mine.png", picture(1))
    mine = tiles.data_uri(digitize(picture(1)).pixels.reshape(784))
    assert mine in shown(run(at)) and any("Your picture (mine.png)" in c.value for c in at.caption)
    at.selectbox(key="digit_said").set_value(1)
    assert "label 1 throughout" in shown(run(at))
    at.segmented_control(key="digit_by").set_value("Sample")
    assert shown(run(at)) == before
    at.segmented_control(key="digit_by").set_value("Picture")
    assert mine in shown(run(at))


def test_the_ends_change_places(root):
    """With all that is known of them: a picture is still a picture there, and named as it was."""
    at = page(root, "4_Interpolate")
    at.number_input(key="to_number").set_value(3)
    at.segmented_control(key="digit_by").set_value("Picture")
    bring(run(at), "mine.png", picture(1))
    at.selectbox(key="digit_said").set_value(1)
    run(at)
    next(button for button in at.button if button.label == "Swap").click()
    run(at)
    assert (at.segmented_control(key="digit_by").value, at.segmented_control(key="to_by").value) == (
        "Sample",
        "Picture",
    )
    assert at.number_input(key="digit_number").value == 3
    assert at.selectbox(key="to_said").value == 1
    told = [c.value for c in at.caption[:2]]
    assert "test digit 3" in told[0] and "Your picture (mine.png)" in told[1], told
    next(button for button in at.button if button.label == "Swap").click()
    assert "label 1 throughout" in shown(run(at))


# A digit of one's own -------------------------------------------------------------------------------------------------


def test_a_brought_picture_is_used_can_be_named_and_follows_to_the_next_page(root):
    """Otherwise visitors bring their digit to each page anew, or see the sample's numbers under their own picture."""
    at = page(root, "3_Styles")
    at.session_state["digit_bring"] = True
    bring(run(at), "mine.png", picture(1))
    assert not at.session_state["digit_bring"]  # what was asked for is no longer hidden behind the box
    pixels = torch.tensor(digitize(picture(1)).pixels.reshape(1, 784))
    assert chosen_digit(at).startswith("Your picture (mine.png).")
    assert tiles.data_uri(CVAE.observe(pixels)[0].numpy()) in shown(at)
    assert shown(at).count('class="lse-step"') == len(digitize(picture(1)).steps)
    at.selectbox(key="digit_said").set_value(7)
    assert "as you say" in shown(run(at))
    assert all(tiles.data_uri(p) in opens_with(at) for p in ten_in_the_hand_of(CVAE, pixels, 7).numpy())
    run(at.switch_page("pages/5_Restore.py"))
    grey = np.rint(pixels.numpy() * 255).astype(np.uint8).tobytes()
    told = next(json.loads(c.proto.json) for c in at.get("bidi_component") if "views/restore.mjs" in c.proto.json)
    assert base64.b64decode(json.loads(told["options"])["digit"]["pixels"]) == grey


def test_a_new_picture_forgets_what_the_last_one_was_called(root):
    """Otherwise the 0 that is brought after a 1 is encoded as a 1."""
    at = page(root, "3_Styles")
    bring(at, "one.png", picture(1)).selectbox(key="digit_said").set_value(1)
    bring(run(at), "zero.png", picture(0))
    assert run(at).selectbox(key="digit_said").value is None
    assert "guessed" in shown(at)


def test_the_last_gesture_counts(root):
    """Otherwise a visitor who turns to a sample again keeps looking at their picture."""
    at = page(root, "5_Restore")
    assert chosen_digit(bring(at, "one.png", picture(1))).startswith("Your picture")
    at.button(key="digit_another").click()
    after = DATASETS[source()].opens + 1
    assert re.match(rf"\S+ .*digit {after}, an? \d\.", chosen_digit(run(at)))
    assert chosen_digit(bring(at, "one.png", picture(1))).startswith("Your picture")
    assert at.number_input(key="digit_no_number").value is None  # no number, where none is shown
    at.number_input(key="digit_no_number").set_value(7)
    assert re.match(r"\S+ .*digit 7, an? \d\.", chosen_digit(run(at)))


BAD = {
    "a text": b"I am no picture.",
    "an empty file": b"",
    "a truncated file": picture(1)[:200],
    "a blank page": Image.new("L", (200, 200), 255),
    "a single pixel": Image.new("L", (1, 1), 0),
    "a HEIC picture": b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(500),
    "a bomb": b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\1\0\0\0\1\0\0\x08\0\0\0\0\x6e\xf1\xd6\x32",  # 65,536 pixels square
}


@pytest.mark.parametrize("what", BAD)
@pytest.mark.parametrize("name", ["3_Styles", "4_Interpolate", "5_Restore"])
def test_bad_input_gives_one_sentence_and_the_digit_stays(root, what, name):
    """Otherwise a file that is no picture ends the page, or silently shows something that was not brought."""
    content = BAD[what]
    if isinstance(content, Image.Image):
        buffer = io.BytesIO()
        content.save(buffer, "PNG")
        content = buffer.getvalue()
    at = page(root, name)
    if name == "4_Interpolate":
        at.segmented_control(key="digit_by").set_value("Picture")
    before = shown(run(at))
    at.session_state["digit_bring"] = True
    bring(run(at), "bad.png", content)
    assert re.fullmatch(r"[A-Z0-9].{15,160}\.", refusal(at)) and ("JPEG" in refusal(at) or "HEIC" not in what)
    assert shown(at) == before and at.session_state["digit_bring"]  # the sentence stands in the box: it stays open
    if name == "4_Interpolate":
        at.segmented_control(key="digit_by").set_value("Sample")
        run(at).segmented_control(key="digit_by").set_value("Picture")
    else:
        at.button(key="digit_another").click()
    assert refusal(run(at)) is None


@pytest.mark.parametrize("name", ["studio", "3_Styles"])
def test_a_file_above_the_limit_is_refused_whoever_sends_it(root, name):
    """Otherwise only the browser's own script keeps the limit, and many megabytes are decoded and opened."""
    at = page(root, name) if name != "studio" else run(AppTest.from_file(str(root / "studio.py"), default_timeout=60))
    before = shown(at)
    content = picture(1) + bytes(5_500_000)
    if name == "studio":
        bring(at, "large.png", content, key="studio")
        told = json.loads(json.loads(box_of(at, "studio").json)["options"])["brought"]
        assert told["error"] == "This file is too large: bring a picture of at most 5 MB." and "pixels" not in told
    else:
        bring(at, "large.png", content)
        assert refusal(at) == "This file is too large: bring a picture of at most 5 MB."
    assert shown(at) == before


def test_only_one_digit_and_the_next_of_it(root):
    """Otherwise "only 8" shows other digits, or "Another" stands still."""
    labels = store.samples(source())[1]
    at = page(root, "3_Styles")
    at.selectbox(key="digit_only").set_value(8)
    seen = [run(at).number_input(key="digit_number").value]
    for _ in range(3):
        at.button(key="digit_another").click()
        seen.append(run(at).number_input(key="digit_number").value)
    eights = np.flatnonzero(labels == 8)
    assert seen == eights[eights >= DATASETS[source()].opens][:4].tolist()


def test_next_index_goes_round_and_stays_where_there_is_none():
    """Otherwise the last digit of its class is a dead end or an error."""
    labels = np.array([3, 1, 3, 5])
    assert [next_index(labels, i, 3, 1) for i in range(4)] == [2, 2, 0, 0]
    assert [next_index(labels, i, None, 1) for i in range(4)] == [1, 2, 3, 0]
    assert next_index(labels, 2, 3, 0) == 2 and next_index(labels, 1, 9, 1) == 1


def test_a_sample_number_in_the_address_is_taken_and_a_wrong_one_is_not(root):
    """Otherwise a link to a digit opens another one, or a mistyped link a traceback."""
    opens = DATASETS[source()].opens
    wrong = ("seven", "inf", "1e999", "9" * 400, "-1", "", "mnist:", ":7", "other:7")
    for value, expected in (("42", 42), ("digits:42", 42), *((text, opens) for text in wrong)):
        at = AppTest.from_file(str(root / "studio.py"), default_timeout=60).switch_page("pages/3_Styles.py")
        at.query_params["digit"] = value
        assert run(at).number_input(key="digit_number").value == expected, value


def test_a_link_to_a_digit_that_is_not_here_says_so(root, monkeypatch, tmp_path):
    """Otherwise another digit stands in its place without a word."""
    monkeypatch.setenv("VAE_DATA", str(tmp_path))  # no MNIST
    for value, words in (("mnist:200", "not on this machine"), ("digits:5000", "the numbers 0 to 358")):
        at = AppTest.from_file(str(root / "studio.py"), default_timeout=60).switch_page("pages/3_Styles.py")
        at.query_params["digit"] = value
        assert run(at).number_input(key="digit_number").value == DATASETS["digits"].opens
        assert words in chosen_digit(at) and value.split(":")[1] in chosen_digit(at)


def test_label_for_takes_the_word_of_the_one_who_knows():
    """Otherwise the ELBO's guess overrules the data set's label or the visitor."""
    chosen = Chosen(digitize(picture(0)).pixels.reshape(784), 6, "your picture", how=BROUGHT)
    assert label_for(chosen, CVAE) == (6, "as you say")
    assert label_for(chosen._replace(how=None, source="mnist", index=5), CVAE) == (6, "its label")
    label, how = label_for(chosen._replace(label=None), CVAE)
    assert label == 0 and "highest ELBO" in how
    assert describe(chosen._replace(label=8)) == "Your picture, said to be an 8."
    told = describe(chosen._replace(label=None, name="your picture (a\n\n# b\r\n- c.png)"))
    assert told == r"Your picture (a \# b - c.png)."
    assert describe(chosen._replace(how=None, source="mnist", index=5)).endswith(", a 6.")


def test_a_class_has_its_article_and_the_browser_gives_it_the_same_one():
    """Otherwise a caption says "a 8", and the map above it "an 8"."""
    names = ("7", "8", "a", "b", "F", "U", "Ankle boot")
    said = [called(name) for name in names]
    assert said == ["a 7", "an 8", "an a", "a b", "an F", "a U", "“Ankle boot”"]
    node = shutil.which("node")
    if node is None:
        pytest.skip("needs node")
    module = (Path(__file__).resolve().parents[2] / "static/parts/controls.mjs").as_uri()
    program = f"const {{ called }} = await import({module!r}); console.log(JSON.stringify({list(names)}.map(called)))"
    done = subprocess.run([node, "--input-type=module", "-e", program], capture_output=True, check=True)
    assert json.loads(done.stdout) == said


# What these pages ask of vae_core -------------------------------------------------------------------------------------


def test_label_elbos_agree_with_torch_distributions():
    """Otherwise the bars compare something else than ten ELBOs under the same ε."""
    x, samples = sample(0)[0][0], 50
    got = latent.label_elbos(CVAE, x, torch.Generator().manual_seed(3), samples)
    eps = torch.randn(samples, 1, 2, generator=torch.Generator().manual_seed(3))[:, 0]
    for y in (0, 4, 7):
        label = torch.tensor([y])
        binary = (x[None] >= 0.5).float()
        code = CVAE.encode(binary, label)
        q = torch.distributions.Normal(code.mean, (0.5 * code.logvar).exp())
        z = q.loc + q.scale * eps
        logits = CVAE.decode(z, label.expand(samples))
        log_p = torch.distributions.Bernoulli(logits=logits).log_prob(binary).sum(-1).mean()
        kl = torch.distributions.kl_divergence(q, torch.distributions.Normal(0.0, 1.0)).sum()
        assert float(got[y]) == pytest.approx(float(log_p - kl), abs=1e-3)


def test_a_blend_of_labels_ends_at_the_labels():
    """Otherwise the row "label" starts or ends at something that is neither of its digits."""
    z, t = torch.tensor([[0.3, -0.8]]).expand(3, -1), torch.tensor([0.0, 0.5, 1.0])
    blend = latent.decode_between_labels(CVAE, z, 7, 2, t)
    ends = latent.decode(CVAE, z[:2], torch.tensor([7, 2]))
    torch.testing.assert_close(blend[[0, 2]], ends)
    assert (blend[1] - ends).abs().amax(1).min() > 0.05


def test_same_label_share_agrees_with_scikit_learn():
    """Otherwise "the classes mix" is a number of something else, such as each code being its own neighbour."""
    codes = store.codes("mnist-vae-2d")
    z, labels = codes["test_mean"][:500], codes["test_label"][:500]
    index = NearestNeighbors(n_neighbors=2).fit(z.numpy()).kneighbors(z.numpy(), return_distance=False)[:, 1]
    assert latent.same_label_share(z, labels) == pytest.approx(
        float((labels[index] == labels).float().mean()), abs=0.01
    )
    assert latent.same_label_share(torch.tensor([[0.0], [0.1], [5.0], [5.1]]), torch.tensor([1, 1, 2, 3])) == 0.5
