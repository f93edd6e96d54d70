"""The part "β": maps are turned and never stretched, and every number is the card's or the model's own."""

import base64
import itertools
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from streamlit.testing.v1 import AppTest
from torch.distributions import Normal, kl_divergence

from ui.live import networks
from ui.parts import scatter
from ui.parts.digit import Chosen
from ui.views.bound import betas
from vae_core import checkpoints, data, latent, likelihood
from vae_core.models import Code
from vae_core.storage import read_json, write_json

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 180  # seconds, on a machine that is busy otherwise
HERE = [b for b in betas.BETAS if (checkpoints.ROOT / betas.name_of(b) / "card.json").is_file()]
pytestmark = pytest.mark.usefixtures("no_caches_of_others")


@pytest.fixture(scope="module")
def digit() -> np.ndarray:
    return data.load("digits", "test").images[3].numpy()


def turned(angle: float, mirrored: bool) -> np.ndarray:
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, s], [-s, c]]) @ (np.diag([1.0, -1.0]) if mirrored else np.eye(2))


def bytes_of(text: str, kind) -> np.ndarray:
    return np.frombuffer(base64.b64decode(text), kind)


# Alignment ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("angle", [0.0, 0.7, 2.5, -1.9])
def test_alignment_undoes_a_turn_exactly(angle, mirrored):
    """A turn by the wrong side, or without the mirror, would leave two equal maps looking different."""
    z = np.random.default_rng(0).normal(size=(300, 2)) @ np.diag([1.5, 0.6]) + [0.4, -0.2]
    moved = z @ turned(angle, mirrored)
    assert np.allclose(moved @ latent.alignment(moved, z), z, atol=1e-12)


def test_alignment_never_stretches_or_shifts():
    """A map that shrinks with β is what is to be seen: Procrustes with a scale would hide just that."""
    z = np.random.default_rng(1).normal(size=(300, 2)) @ np.diag([1.5, 0.6])
    moved = 7 * z @ turned(1.1, True) + [3.0, -2.0]
    rotation = latent.alignment(moved, z)
    assert np.allclose(rotation @ rotation.T, np.eye(2), atol=1e-12)
    assert np.allclose(np.linalg.norm(moved @ rotation, axis=1), np.linalg.norm(moved, axis=1))
    assert np.allclose(rotation, turned(1.1, True).T, atol=1e-12)  # the shift must not bend the turn


@pytest.mark.parametrize("anchor", [0, 2, 4])
def test_every_map_is_turned_onto_its_neighbour_from_the_anchor_outward(anchor):
    """Each map turned onto the raw neighbour, not the turned one, would agree with nothing from the second on."""
    z = np.random.default_rng(2).normal(size=(200, 2)) @ np.diag([1.3, 0.5])
    maps = [z @ turned(a, bool(a > 1)) for a in (0.3, 1.4, 2.2, -0.8, 0.1)]
    rotations = latent.aligned(maps, anchor)
    assert np.array_equal(rotations[anchor], np.eye(2))
    for moved, rotation in zip(maps, rotations, strict=True):
        assert np.allclose(moved @ rotation, maps[anchor], atol=1e-12)


# Stops --------------------------------------------------------------------------------------------------------------


def test_stops_are_in_order_and_say_what_the_cards_say():
    """The page's numbers are those of the files, in the order of the slider."""
    there, missing, others = betas.here()
    assert there == HERE and not others and sorted([*there, *missing]) == list(betas.BETAS)
    stops, labels = betas.series(tuple(there))
    assert [s.beta for s in stops] == there and len(labels) == betas.POINTS
    for stop in stops:
        card, codes = checkpoints.read_card(stop.slug), checkpoints.load_codes(stop.slug)
        assert card["config"]["model"]["beta"] == stop.beta
        assert (stop.reconstruction, stop.kl) == (card["test"]["reconstruction"], card["test"]["kl"])
        assert stop.loss == pytest.approx(card["test"]["reconstruction"] + stop.beta * card["test"]["kl"])
        assert np.array_equal(labels, codes["test_label"][: betas.POINTS])
        mean = codes["test_mean"][: betas.POINTS].numpy()
        assert np.allclose(np.linalg.norm(stop.z, axis=1), np.linalg.norm(mean, axis=1), rtol=1e-4, atol=1e-5)
        q = Normal(codes["test_mean"].double(), (0.5 * codes["test_logvar"].double()).exp())
        used = kl_divergence(q, Normal(torch.zeros(2).double(), torch.ones(2).double())).mean(0)
        assert stop.active == sum(float(nats) > betas.IDLE for nats in used)
        assert stop.sigma == pytest.approx(float(q.stddev.mean()))


def test_neighbours_lie_closer_after_the_turn():
    """The turn is there so that the same image moves little from stop to stop."""
    stops, _ = betas.series(tuple(HERE))
    for a, b in itertools.pairwise(stops):
        raw = [s.z @ s.rotation.T for s in (a, b)]
        away = [x - x.mean(0) for x in raw], [s.z - s.z.mean(0) for s in (a, b)]
        before, after = (float(np.square(x - y).sum()) for x, y in away)
        assert after <= before * (1 + 1e-6)


def test_a_digit_costs_what_the_ledger_says(digit):
    """Reconstruction and KL of the digit against the page's other account of it."""
    for beta, one in zip(HERE, betas.ask(tuple(HERE), digit.tobytes()), strict=True):
        model, _ = checkpoints.load(betas.name_of(beta))
        with torch.inference_mode():
            code = Code(*model.encode(model.observe(torch.tensor(digit))[None]))
        q = Normal(code.mean[0], (0.5 * code.logvar[0]).exp())
        assert one.kl == pytest.approx(float(kl_divergence(q, Normal(0, 1)).sum()), abs=0.01)
        generator = torch.Generator().manual_seed(0)
        terms = likelihood.terms(model, torch.tensor(digit), code, 4000, generator)
        error = float(terms.std()) / 4000**0.5
        assert one.reconstruction == pytest.approx(-float(terms.mean()), abs=4 * error + 0.01)
        assert one.pictures.shape == (1 + betas.DRAWN, 784) and 0 <= one.pictures.min() <= one.pictures.max() <= 1
        with torch.inference_mode():
            assert np.allclose(one.pictures[0], model.pixels(code.mean)[0], atol=1e-5)


def test_what_the_view_is_told(digit):
    """The ellipse is turned as the points are, scales are shared where the code has a price, and arrays survive."""
    stops, labels = betas.series(tuple(HERE))
    seen = betas.ask(tuple(HERE), digit.tobytes())
    told = json.loads(json.dumps(betas.options(stops, seen, labels, Chosen(digit, 3, "sample 3", "digits", 3))))
    assert np.array_equal(bytes_of(told["labels"], np.uint8), labels)
    assert [s["name"] for s in told["stops"]] == [f"{beta:g}" for beta in HERE]
    for stop, one, said in zip(stops, seen, told["stops"], strict=True):
        assert np.array_equal(bytes_of(said["z"], "<f4").reshape(-1, 2), stop.z)
        assert np.allclose(
            bytes_of(said["digit"]["pictures"], np.uint8).reshape(-1, 784) / 255, one.pictures, atol=0.002
        )
        xx, xy, yy = said["digit"]["covariance"]
        own = stop.rotation @ np.array([[xx, xy], [xy, yy]]) @ stop.rotation.T
        assert np.allclose(own, np.diag(one.sigma**2), rtol=1e-6, atol=1e-14)
        assert np.allclose(stop.rotation @ said["digit"]["mean"], one.mean)
        assert said["digit"]["loss"] == pytest.approx(one.reconstruction + stop.beta * one.kl)
        assert said["reading"] == betas.reading(betas.shown(stop), [betas.shown(s) for s in stops])
    assert len({s["half"] for s in told["stops"] if s["beta"] > 0}) == 1
    shared = max(s["half"] for s in told["stops"] if s["beta"] > 0)
    assert all(scatter.extent(s.z)[1] <= shared for s in stops if s.beta > 0)
    assert len(json.dumps(told)) < 400_000  # it travels with every digit


def test_what_is_printed_adds_up(digit):
    """Three numbers rounded by themselves make sums such as 115.77 + 7.61 = 123.39."""
    stops, labels = betas.series(tuple(HERE))
    seen = betas.ask(tuple(HERE), digit.tobytes())
    told = betas.options(stops, seen, labels, Chosen(digit, 3, "sample 3", "digits", 3))["stops"]
    rng = np.random.default_rng(3)
    made = [stop(1, *rng.uniform(0, [200, 10 ** rng.uniform(-4, 2)]).tolist()) for _ in range(1000)]
    pairs = [(s, t) for s, t in zip(stops, told, strict=True)]
    pairs += [(s, t["digit"]) for s, t in zip(seen, told, strict=True)]
    pairs += [(s, betas.shown(s)._asdict()) for s in made]
    for exact, said in pairs:
        reconstruction, kl = (f"{said[part]:.2f}" for part in ("reconstruction", "kl"))
        hundredths = [int(text.replace(".", "")) for text in (reconstruction, kl)]
        total = f"{exact.reconstruction + exact.kl:.2f}"
        assert sum(hundredths) == int(total.replace(".", ""))
        assert f"{said['reconstruction'] + said['kl']:.2f}" == total  # as static/views/bound/betas.mjs adds them
        assert reconstruction == f"{exact.reconstruction:.2f}" and said["kl"] >= 0
        assert abs(said["kl"] - exact.kl) < 0.0101


@pytest.mark.parametrize("ink", [0.0, 1.0])
def test_pictures_without_sense_give_finite_numbers(ink):
    """A blank or an all-white picture lies far outside: JSON has no word for NaN, and a map has an edge."""
    x = np.full(784, ink, np.float32)
    stops, labels = betas.series(tuple(HERE))
    told = betas.options(stops, betas.ask(tuple(HERE), x.tobytes()), labels, Chosen(x, None, "yours"))
    json.dumps(told, allow_nan=False)
    for stop, said in zip(stops, told["stops"], strict=True):
        assert said["half"] <= 2 * max(np.abs(s.z).max() for s in stops if (s.beta > 0) == (stop.beta > 0)) + 8


def stop(beta: float, reconstruction: float, kl: float, sigma: float = 0.02, active: int = 2) -> betas.Stop:
    return betas.Stop(beta, betas.name_of(beta), np.zeros((1, 2)), np.eye(2), reconstruction, kl, sigma, active)


def test_sentences_follow_the_numbers():
    """A sentence that is written beside the numbers goes stale with the next training."""
    free, one, two, dear = stop(0, 110, 90, 3e-6), stop(1, 115, 8), stop(2, 118, 6), stop(16, 170, 1.5, 0.6, 1)
    series = [free, one, two, dear]
    assert "3.0\u00a0×\u00a010⁻⁶" in betas.reading(free, series) and "all the same" not in betas.reading(free, series)
    assert "no better here" in betas.reading(stop(0, 115.5, 90), [stop(0, 115.5, 90), stop(0.1, 114.2, 9), one])
    assert "115.00 nats, 112.00 at β = 0.1" in betas.reading(
        stop(0, 115, 90), [stop(0, 115, 90), stop(0.1, 112, 9), one]
    )
    assert "123.00 nats on the test split; the lowest" in betas.reading(one, [free, one, dear])
    assert "β = 0.5 has a −ELBO of 121.00, lower still" in betas.reading(one, [stop(0.5, 112, 9), one])
    near = [stop(0.5, 113.5, 9), one, stop(2, 117.9, 6)]
    assert betas.reading(one, near).endswith("with one run each, about equal to β = 0.5 and 2.")
    assert "drawn about equally well" in betas.reading(stop(0.5, 113.5, 9), near)
    assert "only here" not in betas.reading(one, series)  # own losses at larger β are upper bounds, too
    assert "2.00 nats less" in betas.reading(two, series) and "3.00 nats worse" in betas.reading(two, series)
    assert "too high" in betas.reading(dear, series) and "One dimension is still" in betas.reading(dear, series)
    assert "Neither dimension" in betas.reading(stop(64, 200, 0.0, 1, 0), series)
    assert betas.reading(two, [two, dear]).endswith("reconstruction 118.00.")  # nothing to compare with


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (4.46e-10, "4.5 × 10⁻¹⁰"),
        (9.96e-5, "1.0 × 10⁻⁴"),
        (0.00123, "0.0012"),
        (0.0267, "0.027"),
        (0.62, "0.62"),
        (1.04, "1.0"),
        (27.3, "27"),
        (0.0, "0"),
    ],
)
def test_small_numbers_keep_two_digits_that_count(value, text):
    """0.00 for every σ of an autoencoder would hide what is to be seen; nine zeros nobody counts."""
    assert betas.small(value) == text.replace(" ", "\u00a0")


# The page -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def visit(monkeypatch, tmp_path):
    """Open the part; with only these checkpoints where some are named."""

    def open_part(only: list[str] | None = None, **query: str) -> AppTest:
        monkeypatch.setenv("VAE_DATA", str(tmp_path))
        if only is not None:
            root = tmp_path / "checkpoints"
            root.mkdir()
            for slug in only:
                (root / slug).symlink_to(ROOT / "checkpoints" / slug, target_is_directory=True)
            monkeypatch.setattr(checkpoints, "ROOT", root)
            monkeypatch.setattr(networks, "CHECKPOINTS", root)
        app = AppTest.from_file(str(ROOT / "studio.py"), default_timeout=PATIENCE)
        app.query_params["part"] = "β"
        for name, value in query.items():
            app.query_params[name] = value
        return app.switch_page("pages/6_The_bound.py").run()

    return open_part


def words(app: AppTest) -> str:
    return "\n".join(e.value for e in (*app.caption, *app.info, *app.markdown))


def view(app: AppTest) -> dict:
    (told,) = [json.loads(e.proto.json) for e in app.get("bidi_component") if "views/bound/betas.mjs" in e.proto.json]
    return told


def test_the_part_shows_every_model_that_is_here(visit):
    """The first picture is the stop that the link names; what is missing is named with its command."""
    app = visit(beta="4")
    assert not app.exception
    told = view(app)
    assert [s["beta"] for s in json.loads(told["options"])["stops"]] == HERE
    assert "β = 4<" in told["first"] and 'alt="Drawn at μ"' in told["first"]
    for beta in set(betas.BETAS) - set(HERE):
        assert f"{beta:g}" in words(app) and "python -m vae_core train vae" in words(app)


def test_a_beta_of_ones_own_is_a_stop(visit, tmp_path, monkeypatch):
    """Who trains β = 8 as the page says looks for it on the slider; another kind of variant is none, and what was
    trained for two epochs would pass its poor drawing off as β's doing."""
    app = visit(["mnist-vae-2d", "mnist-vae-2d-beta4"])
    for beta, tag, more in ((8.0, "", {"seed": 3}), (4.0, "-mine", {}), (3.0, "", {"epochs": 2})):
        folder = tmp_path / "checkpoints" / f"mnist-vae-2d-beta{beta:g}{tag}"
        shutil.copytree(ROOT / "checkpoints/mnist-vae-2d-beta4", folder)
        card = read_json(folder / "card.json")
        card["slug"], card["config"]["tag"], card["config"]["model"]["beta"] = folder.name, tag.strip("-"), beta
        card["config"]["training"] |= more
        write_json(folder / "card.json", card)
    app.run()
    assert not app.exception
    assert [s["beta"] for s in json.loads(view(app)["options"])["stops"]] == [1, 4, 8]
    assert "Not among the stops: β = 3, trained with other settings" in words(app)


def test_one_model_is_no_slider(visit):
    """With a single model there is nothing to compare: a sentence, and the command that trains the next."""
    app = visit(["mnist-vae-2d"])
    assert not app.exception and not [e for e in app.get("bidi_component") if "views/bound/betas.mjs" in e.proto.json]
    (said,) = [e.value for e in app.info if "β" in e.value]
    command = checkpoints.read_card("mnist-vae-2d", ROOT / "checkpoints")["command"]
    assert "at least two" in said and "only β = 1 is" in said and f"`{command} --beta 0`" in said


def test_a_missing_model_is_a_missing_stop(visit):
    """A slider over two models is still a slider."""
    app = visit(["mnist-vae-2d", "mnist-vae-2d-beta4"])
    assert not app.exception
    assert [s["beta"] for s in json.loads(view(app)["options"])["stops"]] == [1, 4]
    assert "Not on this machine: β = 0, 0.1, 0.25, 0.5, 2, 16." in words(app)
