"""The page The bound, as a visitor drives it without a browser: what it says is what the integral says."""

import json
import math
import re
import shutil
import threading
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from streamlit.testing.v1 import AppTest

from ui.live import networks
from ui.shell.glossary import in_text
from ui.views.bound import account, parts
from vae_core import checkpoints, data, likelihood
from vae_core.config import Config, ModelConfig, TrainingConfig

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 180  # seconds, on a machine that is busy otherwise
pytestmark = pytest.mark.usefixtures("no_caches_of_others")


@pytest.fixture
def page(monkeypatch, tmp_path):
    """The page as a visitor without MNIST opens it, on a digit and a part."""
    monkeypatch.setenv("VAE_DATA", str(tmp_path))

    def open_page(link: dict[str, str] | None = None, **state) -> AppTest:
        app = AppTest.from_file(str(ROOT / "studio.py"), default_timeout=PATIENCE)
        app.switch_page("pages/6_The_bound.py")
        for name, value in (link or {}).items():
            app.query_params[name] = value
        for name, value in state.items():
            if name == "digit":
                app.query_params[name] = str(value)
            else:
                app.session_state[name] = value
        app.run()
        assert not app.exception
        return app

    return open_page


@pytest.fixture(scope="module")
def digits():
    return data.load("digits", "test")


def markup(app: AppTest) -> str:
    return "\n".join(element.proto.body for element in app.get("html"))


def table(app: AppTest) -> dict[str, str]:
    """First and second column of every table on the page."""
    cells = [re.findall(r"<td[^>]*>(.*?)</td>", line) for line in re.findall(r"<tr.*?</tr>", markup(app))]
    return {row[0]: row[1] for row in cells if row}


def nats(text: str) -> float:
    return float(text.replace("−", "-"))


def told(app: AppTest) -> dict:
    """What the live view is told."""
    for component in app.get("bidi_component"):
        content = json.loads(component.proto.json or "{}") if component.proto.json else {}
        if content.get("module") == "views/bound/posterior.mjs":
            return json.loads(content["options"])
    raise AssertionError("The live view is not on the page.")


def test_the_account_is_what_the_integral_says(page, digits):
    """A table that showed another digit's numbers, or another sign, would look just as good."""
    app = page(digit=5)
    model, _ = checkpoints.load("mnist-vae-2d")
    book = likelihood.ledger(model, digits.images[5])
    shown = table(app)
    assert nats(shown["ELBO"]) == pytest.approx(book.elbo, abs=0.01)
    assert nats(shown["log p(x), exact"]) == pytest.approx(book.log_p, abs=0.01)
    assert nats(shown["KL(q ‖ p(z | x)): the gap"]) == pytest.approx(book.posterior_kl, abs=0.01)
    lost = [nats(v) for k, v in shown.items() if k.endswith(("approximation gap", "amortisation gap"))]
    assert sum(lost) == pytest.approx(book.posterior_kl, abs=0.05)
    assert min(lost) >= 0


@pytest.mark.parametrize("kind", ["vae", "cvae"])
def test_the_ladder_is_of_the_digit_that_is_shown(page, digits, kind):
    """Its first rung is the account's own ELBO, the next are what the core finds; means are the card's."""
    slug = f"mnist-{kind}-2d"
    app = page(digit=14, inside_model=kind)
    view, model = told(app), checkpoints.load(slug)[0]
    y = digits.labels[14:15] if model.conditional else None
    found = likelihood.ladder(model, digits.images[14:15], y, 2 * likelihood.NODES)
    elbos = [rung["elbo"] for rung in view["rungs"]]
    assert elbos == pytest.approx(found.elbo[:, 0].tolist(), abs=0.01)
    assert elbos == sorted(elbos) and elbos[-1] <= view["log_p"] + 0.01
    assert nats(table(app)["ELBO"]) == pytest.approx(elbos[0], abs=0.01)
    kept = checkpoints.read_card(slug)["ladder"]
    assert [rung["mean_gap"] for rung in view["rungs"]] == [row["gap"] for row in kept["rows"].values()]
    assert [rung["name"] for rung in view["rungs"]] == list(kept["rows"]) and view["averaged"] == kept["images"]
    costs = [rung["cost"] for rung in view["rungs"]]
    assert (
        costs[0] == "1 encoding" and costs[2] == "5 encodings, 77 drawings"
    )  # five of means, 6² for each of two slopes


@pytest.mark.parametrize("kind", list(account.LISTS))
def test_a_list_leads_to_its_digit(page, kind):
    """The three lists are ordered by what they say, and a press takes that very digit."""
    app = page(digit=5, inside_list=kind)
    exact = checkpoints.load_exact("mnist-vae-2d")
    log_p, bound, modes = (exact[f"bundled_{name}"] for name in ("log_p", "elbo", "modes"))
    first = {
        "Largest gap": int((log_p - bound).argmax()),
        "Several modes": None,  # several digits have as many
        "Lowest log p(x)": int(log_p.argmin()),
    }[kind]
    buttons = [b for b in app.button if b.key and b.key.startswith("bound_take_")]
    assert len(buttons) == account.LISTED
    buttons[0].click().run()
    assert not app.exception
    taken = app.session_state["digit_chosen"].index
    assert first is None or taken == first
    assert modes[taken] == modes.max() or kind != "Several modes"
    assert nats(table(app)["log p(x), exact"]) == pytest.approx(float(log_p[taken]), abs=0.02)


def test_the_cvae_answers_given_a_label_and_without(page, digits):
    """log p(x | y) must not be passed off as log p(x): the page sums over the labels when it is asked to."""
    app = page(digit=3, inside_model="cvae", inside_labels=True)
    model, _ = checkpoints.load("mnist-cvae-2d")
    given, y = likelihood.label_evidence(model, digits.images[3]), int(digits.labels[3])
    shown = table(app)
    assert nats(shown[f"log p(x | y = {y})"]) == pytest.approx(float(given[y]), abs=0.01)
    assert nats(shown["log p(x) = log Σ p(x | y) / 10"]) == pytest.approx(
        float(given.logsumexp(0)) - math.log(10), abs=0.01
    )
    joint = shown[f"log p(x, y = {y}) = log p(x | y) − log 10"]
    assert nats(joint) == pytest.approx(float(given[y]) - math.log(10), abs=0.01)


def test_a_learned_prior_has_its_account_and_its_climb(page):
    """Its KL is of the whole code, and a climb differentiates through a rule that was made without gradients."""
    app = page(digit=5)
    app.session_state["inside_model"] = "mnist-mixture-2d"
    app.run()
    assert not app.exception and not app.error
    body = "".join(element.proto.body for element in app.get("html"))
    assert "KL to the learned prior" in body and "approximation gap" in body


@pytest.mark.parametrize(
    ("part", "says"),
    [
        ("Sampling", "Every click throws new ε."),
        ("Observation model", "A decoder answers with a distribution of images"),
        ("β", "Each stop is a model of its own"),
    ],
)
def test_every_part_opens_for_both_models(page, part, says):
    """A part is imported when it is chosen: what is broken there shows nowhere else."""
    app = page(part=part, digit=2)
    assert any(says in text.value for text in (*app.markdown, *app.caption))
    app.session_state["inside_model"] = "cvae"
    app.run()
    assert not app.exception
    assert any(says in text.value for text in (*app.markdown, *app.caption))


def test_a_link_holds_the_number_of_draws(page):
    """A teacher sends L = 500; what opens with L = 10 shows another lesson."""
    app = page({"part": "Sampling", "sampling_length": "500"})
    assert app.select_slider(key="sampling_length").value == 500


def test_a_picture_without_ink_gets_numbers_and_a_sentence(page):
    """A visitor brings an empty sheet, or clears it: nothing may break."""
    found = account.find("mnist-vae-2d", np.zeros(784, np.float32).tobytes(), None)
    assert math.isfinite(found.ledger.log_p)
    assert found.best <= found.ledger.log_p + 0.05
    book = found.ledger
    assert abs(book.log_p - book.elbo - book.posterior_kl) < 0.02 * book.posterior_kl


def test_a_picture_without_ink_claims_no_hundredths(page):
    """Averages over a q as wide as the prior are known to nats only: two decimals would be made up."""

    def script():
        import numpy as np

        from ui.live import cast
        from ui.views.bound import account

        found = account.find("mnist-vae-2d", np.zeros(784, np.float32).tobytes(), None)
        one = cast.standing("mnist-vae-2d")
        account.account(one, found, None, None)
        account.gap(one, found, None, None)

    app = AppTest.from_function(script, default_timeout=PATIENCE).run()
    assert not app.exception
    shown = table(app)
    rough = [
        shown["ELBO"],
        shown["KL(q ‖ p(z | x)): the gap"],
        *(v for k, v in shown.items() if "averaged over q" in k),
    ]
    rough += [v for k, v in shown.items() if k.endswith(("approximation gap", "amortisation gap"))]
    assert len(rough) == 5 and all(re.fullmatch("≈ −?[0-9]+", value) for value in rough), rough
    assert re.fullmatch(r"−[0-9]+\.[0-9]{2}", shown["log p(x), exact"])  # the integral itself is exact


def test_the_encoders_climb_is_not_credited_with_what_a_mode_won(page):
    """Of the bundled digit with the largest gap a climb from q wins less than one from the mode: two numbers."""
    exact = checkpoints.load_exact("mnist-vae-2d")
    worst = int((exact["bundled_log_p"] - exact["bundled_elbo"]).argmax())
    split = data.load("digits", "test")
    found = account.find("mnist-vae-2d", split.images[worst].numpy().tobytes(), None)
    assert found.reached[0] < found.best - 1
    words = next(text.value for text in page(digit=worst).markdown if "Climbing the ELBO" in text.value)
    assert f"wins back {found.reached[0] - found.ledger.elbo:.2f} of them" in words
    assert f"wins back {found.best - found.ledger.elbo:.2f};" in words


def test_percentiles_count_what_is_lower():
    """A share of the wrong side would praise the worst digit."""
    among = torch.arange(10.0)
    assert account.percentile(2.5, among) == "30.0%"
    assert account.percentile(-1, among) == "0.0%"
    assert account.percentile(1, None) == "—"


def test_without_the_integrated_numbers_the_page_still_answers(page, monkeypatch):
    """A model that somebody trained anew has no exact.safetensors yet: dashes in place of percentiles, no list."""
    monkeypatch.setattr("ui.live.store.exact", lambda slug: None)
    app = page(digit=5)
    assert "—" in markup(app)
    assert not [b for b in app.button if b.key and b.key.startswith("bound_take_")]


def test_one_integral_runs_at_a_time(monkeypatch):
    """Thirty visitors who ask of thirty digits would otherwise take all of the machine at once."""
    held = []

    def watched(name):
        function = getattr(likelihood, name)

        def computed(*of, **more):
            held.append((name, account._ONE_AT_A_TIME.locked()))
            return function(*of, **more)

        monkeypatch.setattr(likelihood, name, computed)

    for name in ("posterior", "climb", "evidence"):
        watched(name)
    pixels = data.load("digits", "test").images[3].numpy().tobytes()
    account.find("mnist-cvae-2d", pixels, 3)
    account.every_label("mnist-cvae-2d", networks.stamp("mnist-cvae-2d"), pixels)
    assert dict(held) == dict.fromkeys(("posterior", "climb", "evidence"), True)
    assert not account._ONE_AT_A_TIME.locked()
    held.clear()
    account.integrated("mnist-cvae-2d", pixels, 3)  # another part asks of the same digit
    assert not held


def test_one_who_waits_comes_between_two_labels(monkeypatch):
    """The 47 labels of letters in one go would keep the others of a class waiting for all of them."""
    order, waits = [], threading.Event()

    def slow(model, x, y, **_):
        order.append(int(y))
        if int(y) == 0:  # somebody asks while the first label is integrated
            other.start()
            waits.wait(PATIENCE)
            while not account._NEXT.locked():
                pass
        return SimpleNamespace(log_p=torch.zeros(1, dtype=torch.float64))

    def ask():
        waits.set()
        with account._turn():
            order.append("other")

    other = threading.Thread(target=ask)
    monkeypatch.setattr(likelihood, "evidence", slow)
    account.every_label.clear()
    account.every_label("mnist-cvae-2d", networks.stamp("mnist-cvae-2d"), bytes(4 * 784))
    other.join(PATIENCE)
    account.every_label.clear()
    assert order == [0, "other", *range(1, 10)]


@pytest.mark.parametrize("part", parts.PARTS.values(), ids=lambda part: part.words[3])
def test_a_parts_lead_is_one_question_in_plain_words(part):
    """Whoever has to know what q is to understand the question does not read on."""
    assert part.lead.count("?") == 1 and not in_text(part.lead)


def test_nats_of_a_density_are_called_so(page):
    """A bar that ends at 600 nats above zero looks like a fault where nobody says that they are of a density."""
    said = "density of a grey image"
    assert not any(said in caption.value for caption in page(digit=5).caption)
    app = page({"inside_model": "mnist-vae-2d-gaussian-learned"}, digit=5)
    assert any(said in caption.value for caption in app.caption)
    assert nats(table(app)["log p(x), exact"]) > 0


# Other models ---------------------------------------------------------------------------------------------------------

LETTERS = tuple("abcdefghijklmnopqrstuvwxyz")


@pytest.fixture
def mine(monkeypatch, tmp_path):
    """A CVAE that somebody trained on a data set of 26 classes, beside the two shipped ones; its slug."""

    def letters(split):
        images = (data.load("digits", split).images[:520].view(-1, 28, 28) * 255).byte().numpy()
        return images, np.arange(len(images), dtype=np.uint8) % 26

    monkeypatch.setitem(data.DATASETS, "letters", data.Dataset("Letters", LETTERS, bundled=letters))
    root = tmp_path / "checkpoints"
    for slug in ("mnist-vae-2d", "mnist-cvae-2d"):
        shutil.copytree(checkpoints.ROOT / slug, root / slug)
    monkeypatch.setattr(checkpoints, "ROOT", root)
    monkeypatch.setattr(networks, "CHECKPOINTS", root)
    config = Config(
        ModelConfig(kind="cvae", n_classes=26, encoder=(32,), decoder=(32,)),
        TrainingConfig(dataset="letters", epochs=2, batch_size=32),
        tag="mine",
    )
    checkpoints.load_or_train(config)
    return config.slug


def test_a_model_of_ones_own_is_told_its_own_labels(page, mine):
    """Ten labels in place of 26 would sum to another log p(x), and a label's number is not its name."""
    app = page({"inside_model": mine}, digit=3, inside_labels=True)
    options = told(app)
    assert options["slug"] == mine and len(options["colours"]) == 26
    y = LETTERS.index(options["given"].removeprefix("x | y = "))
    model, _ = checkpoints.load(mine)
    given = likelihood.label_evidence(model, data.load("digits", "test").images[3])
    shown = table(app)
    assert nats(shown[f"log p(x | y = {LETTERS[y]})"]) == pytest.approx(float(given[y]), abs=0.01)
    assert nats(shown["log p(x) = log Σ p(x | y) / 26"]) == pytest.approx(
        float(given.logsumexp(0)) - math.log(26), abs=0.01
    )
    assert any("26" in toggle.label for toggle in app.toggle)


def test_what_nobody_has_integrated_is_left_out_with_its_command_and_found_without_a_restart(page, mine):
    """A dash without a reason looks like a fault; whoever runs the command must not have to start the app again."""
    app = page({"inside_model": mine}, digit=3)
    command = f"python -m vae_core integrate {mine}"
    assert any(command in caption.value for caption in app.caption)
    assert not [w for w in app.get("button_group") if "worth a look" in w.label]
    checkpoints.integrate(mine)
    app.run()
    captions = [caption.value for caption in app.caption]
    assert not app.exception and not any(command in caption for caption in captions)
    assert "of Letters" in "".join(captions)
    # A CVAE of letters is told no digit's label: 3 is "d" to it.
    assert any("known among Letters alone" in caption for caption in captions)
    assert "bundled_log_p" not in checkpoints.load_exact(mine)
    app = page({"inside_model": mine}, digit="letters:3")
    assert app.segmented_control(key="inside_list").label == "Images worth a look"
    app.segmented_control(key="inside_list").set_value("Lowest log p(x)").run()
    assert len([b for b in app.button if (b.key or "").startswith("bound_take_")]) == account.LISTED


def test_what_cannot_be_integrated_under_another_label_is_one_sentence(page, monkeypatch):
    """Otherwise the toggle ends the page: the account's own label may be well."""

    def narrow(*_):
        raise likelihood.LikelihoodError("The posterior is too narrow.")

    monkeypatch.setattr(likelihood, "label_evidence", narrow)
    account.every_label.clear()
    app = page({"inside_model": "cvae"}, digit=3, inside_labels=True)
    assert [warning.value for warning in app.warning] == ["The posterior is too narrow."]


@pytest.mark.parametrize("part", ["Sampling", "Observation model", "β"])
def test_every_part_opens_for_a_model_of_ones_own(page, mine, part):
    app = page({"inside_model": mine}, part=part, digit=2)
    words = markup(app) + "".join(caption.value for caption in app.caption)
    assert ("CVAE letters mine" in words) is (part != "β")


def test_what_cannot_stand_there_is_said_with_its_reason(page):
    """A link with an AE would otherwise show the VAE as if that had been asked for."""
    app = page({"inside_model": "digits-ae-2d"}, digit=2)
    said = [caption.value for caption in app.caption]
    assert any(text.startswith("● AE digits") and "its code is a point" in text for text in said)
    assert told(app)["slug"] == "mnist-vae-2d"
