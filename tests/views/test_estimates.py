"""Expectations by drawing: estimators against exact values, and the parts of the page that show them."""

import html
import re
from pathlib import Path

import numpy as np
import pytest
import streamlit as st
import torch
from streamlit.testing.v1 import AppTest
from torch.distributions import Bernoulli, Normal

from ui.parts import figures
from ui.parts.links import TRAINED_ON
from ui.views.bound import observation
from vae_core import checkpoints, data, estimators, likelihood
from vae_core.config import Config, ModelConfig
from vae_core.losses import gaussian_kl
from vae_core.models import Code, build

PATIENCE = 120  # seconds, on a machine that is busy otherwise
pytestmark = pytest.mark.usefixtures("no_caches_of_others")


@pytest.fixture(scope="module")
def digit() -> torch.Tensor:
    return data.load("digits", "test").images[3]


@pytest.fixture(scope="module")
def vae():
    return checkpoints.load("mnist-vae-2d")[0]


def stream(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def gaussian(sigma: float | None, seed: int = 0):
    model = build(ModelConfig(likelihood="gaussian", sigma=sigma, encoder=(16,), decoder=(16,)), seed)
    return model.eval().requires_grad_(False)


# Repeated estimates -------------------------------------------------------------------------------------------------


def test_a_mean_of_more_draws_has_the_same_mean_and_a_smaller_spread():
    """Groups that overlap or a biased spread would show another law than 1/√L."""
    values = torch.randn(40_000, generator=stream())
    lengths = (1, 4, 16, 100)
    mean, sd = estimators.repeated(values, lengths, estimators.average)
    assert mean == pytest.approx([float(values.mean())] * 4, abs=1e-6)
    for n, spread in zip(lengths, sd, strict=True):
        assert spread == pytest.approx(1 / n**0.5, rel=4 / (2 * 40_000 / n) ** 0.5)  # four errors of an sd
    with pytest.raises(ValueError, match="two groups of 30000"):
        estimators.repeated(values, (1, 30_000), estimators.average)


def test_the_importance_weighted_bound_rises_from_the_elbo_to_the_truth():
    """Log-normal weights have a known mean: with L = 1 the bound is E log w, with many it nears log E w, from below."""
    sd = 0.8
    log_w = sd * torch.randn(40_000, generator=stream())
    mean, _ = estimators.repeated(log_w, (1, 4, 16, 64, 400), likelihood.importance_bound)
    assert mean[0] == pytest.approx(float(log_w.double().mean()), abs=1e-6)
    assert (np.diff(mean) > 0).all()
    assert mean[-1] == pytest.approx(sd**2 / 2, abs=0.02)


# The gradient -------------------------------------------------------------------------------------------------------


def test_the_exact_gradient_is_the_slope_of_the_expected_log_likelihood(vae, digit):
    """A forgotten factor of 2 between log σ and log σ², or a KL left in, would show here."""
    code = Code(torch.tensor([[0.3, -0.5]]), torch.tensor([[-4.0, -5.0]]))

    def value(mean, log_sigma):
        moved = Code(mean, 2 * log_sigma)
        return float(likelihood.elbo(vae, digit[None], moved) + gaussian_kl(*moved).sum(-1))

    slopes, step = estimators.exact_slopes(vae, digit, code), 1e-2
    for j in range(4):
        delta = torch.zeros(2, 1, 2)
        delta[j // 2, 0, j % 2] = step
        up = value(code.mean + delta[0], 0.5 * code.logvar + delta[1])
        down = value(code.mean - delta[0], 0.5 * code.logvar - delta[1])
        assert float(slopes[j]) == pytest.approx((up - down) / (2 * step), rel=0.03, abs=0.05)


def test_three_estimators_have_one_mean_and_very_different_variances(vae, digit):
    """An estimator with another mean estimates something else; a baseline that saves nothing is none."""
    code = vae.encode(vae.observe(digit)[None])
    found = estimators.slopes(vae, digit, code, 2000, stream(), None)
    assert found.mean.shape == found.variance.shape == (len(estimators.ESTIMATORS), len(estimators.PARAMETERS))
    assert found.off < 4.5
    reparameterised, score, baseline = found.variance
    assert (score > 50 * reparameterised).all()
    assert (score > 20 * baseline).all()


# Corruptions --------------------------------------------------------------------------------------------------------


def test_a_denoising_loss_is_scored_against_the_clean_image(digit):
    """Scored against what it was shown, a DAE that copies its noise would be the best one."""
    model = checkpoints.load("mnist-dae-2d")[0]
    spoilt, drawn, loss = estimators.spoil_and_score(model, digit, "masking", 0.5, 40, stream())
    clean = (digit >= 0.5).float()
    expected = -Bernoulli(drawn.double().clamp(1e-12, 1 - 1e-12)).log_prob(clean.double()).sum(-1)
    torch.testing.assert_close(loss.double(), expected, rtol=1e-3, atol=1e-3)
    assert (spoilt <= clean).all() and 0.4 < float(spoilt.sum() / clean.sum() / 40) < 0.6
    assert spoilt.unique(dim=0).shape == spoilt.shape  # each corruption is a draw of its own
    at_rest = estimators.spoil_and_score(model, digit, "masking", 0.0, 1, stream())[2]
    assert float(at_rest) == pytest.approx(float(model.nll(clean[None], model.decode(model.encode(clean[None]).mean))))


# Observation models -------------------------------------------------------------------------------------------------


def test_sigma_is_what_the_likelihood_uses():
    """A learned σ below its floor is not the one that the nats are made of."""
    assert observation.sigma(gaussian(1.0)) == pytest.approx(1, abs=1e-4)
    assert observation.sigma(gaussian(0.2)) == pytest.approx(0.2, rel=1e-3)
    learned = gaussian(None)
    learned.log_sigma.fill_(-9.0)
    assert observation.sigma(learned) == pytest.approx(0.01, rel=1e-3)
    assert observation.sigma(build(ModelConfig(encoder=(4,), decoder=(4,)))) is None


@pytest.mark.parametrize(
    "model", [build(ModelConfig(encoder=(16,), decoder=(16,))), gaussian(0.3)], ids=lambda m: m.config.likelihood
)
def test_draws_have_the_mean_and_the_variance_of_p_x_given_z(model):
    """Noise on the logits, or means that were cut off first, look alike and are other distributions."""
    with torch.no_grad():
        z, n = torch.tensor([[0.7, -1.2]]), 4000
        decoded = model.decode(z)[0]
        x = observation.draw(model, z, n, stream())
    bernoulli = model.config.likelihood == "bernoulli"
    expected = Bernoulli(logits=decoded) if bernoulli else Normal(decoded, torch.full_like(decoded, 0.3))
    assert float(((x.mean(0) - expected.mean) / (expected.variance / n).sqrt()).square().mean()) == pytest.approx(
        1, abs=0.25
    )
    assert float((x.var(0) / expected.variance).mean()) == pytest.approx(1, abs=0.02)
    assert bernoulli == bool(((x == 0) | (x == 1)).all())


def test_twice_sigma_squared_weighs_the_kl_against_the_squared_error():
    """−ELBO = ‖x − μ‖²/(2σ²) + KL + a constant of σ: times 2σ² it is the squared error + 2σ² KL, so β = 2σ²."""
    a, b, mean = torch.rand(3, 1, 784, generator=stream())
    for sd in (1.0, 0.16):
        model = gaussian(sd)
        difference = float(model.nll(a, mean) - model.nll(b, mean))
        squares = float((a - mean).square().sum() - (b - mean).square().sum())
        assert 2 * sd**2 * difference == pytest.approx(squares, abs=2e-3)
        row = observation.summary("x", model, {"nelbo": -1.5, "reconstruction": 2, "kl": 3, "mse": 0.25})
        assert row == ("x", "−1.50", "2.00", "3.00", "0.2500", f"{sd:.3f}", f"{2 * sd**2:.3f}")


def test_the_trap_is_a_density_without_an_upper_bound():
    """The table is what a Gaussian's density is at its mean, and half-way to white."""
    for sd in observation.TRAP:
        pixel = Normal(torch.zeros((), dtype=torch.float64), sd)
        black, ink = -float(pixel.log_prob(torch.tensor(0.0))), -float(pixel.log_prob(torch.tensor(observation.INK)))
        assert observation.perfect_pixel(sd) == pytest.approx(black)
        shown = [float(cell.replace("−", "-").replace(",", "")) for cell in observation.trap_row(sd)]
        assert shown == pytest.approx([sd, black, observation.ALWAYS_BLACK * black, ink], abs=0.51, rel=1e-3)
    assert observation.perfect_pixel(1e-30) < -60


def test_another_unit_of_intensity_moves_a_density_by_a_constant():
    """784 log 255 is said on the page: the same model, its pixels counted from 0 to 255."""
    x, mean = torch.rand(2, 784, generator=stream(), dtype=torch.float64)
    moved = Normal(mean, 0.2).log_prob(x).sum() - Normal(255 * mean, 255 * 0.2).log_prob(255 * x).sum()
    assert float(moved) == pytest.approx(784 * np.log(255))


def test_the_always_black_pixels_are_counted_right(mnist_dir):
    images = data.load("mnist", "train", mnist_dir).images
    assert int((images == 0).all(0).sum()) == observation.ALWAYS_BLACK


# Figures ------------------------------------------------------------------------------------------------------------


def test_the_ellipses_are_true_to_scale():
    """A lens that is stretched to fill its frame says that σ₁ = σ₂."""
    mean, sigma = np.array([1.0, -2.0]), np.array([0.1, 0.03])
    figure = figures.draws_from_q(mean, sigma, np.array([[1.05, -2.0]]))
    for k, line in enumerate(figure.data[:2], 1):
        assert max(line.x) - mean[0] == pytest.approx(0.1 * k) and max(line.y) - mean[1] == pytest.approx(
            0.03 * k, rel=1e-3
        )
    assert figure.layout.yaxis.scaleanchor == "x"
    assert list(figure.data[3].text) == ["1"]


def test_the_band_is_one_standard_deviation_and_the_levels_are_named():
    mean, sd = np.array([-3.0, -3.0]), np.array([1.0, 0.5])
    figure = figures.bound_estimates((1, 4), {"a": (mean, sd), "b": (mean, sd)}, {"low": -4.25, "high": -3.0}, 4)
    assert list(figure.data[0].y) == [-2.0, -2.5, -3.5, -4.0]
    assert {a.text for a in figure.layout.annotations} == {"low −4.25", "high −3.00"}
    assert "nats" in figure.layout.yaxis.title.text and figure.layout.xaxis.type == "log"


def test_a_variance_of_nothing_still_has_its_bar():
    """A log axis has no zero: a bar of an estimator that never varies would vanish with a warning."""
    figure = figures.gradient_variances(("a", "b"), {"one": np.array([0.0, 2.0]), "two": np.array([3.0, 4.0])})
    assert [list(bar.y) for bar in figure.data] == [[1e-9, 2.0], [3.0, 4.0]]
    assert figure.layout.yaxis.type == "log"


@pytest.mark.parametrize("n", [1, 2, 30])
def test_the_running_mean_is_a_mean_with_its_standard_error(n):
    values = 100 + np.random.default_rng(0).normal(size=n)
    dots, band, line, level = figures.running_mean(values, 99.5, "all:").data
    assert list(dots.y) == pytest.approx(list(values))
    assert list(line.y) == pytest.approx([values[: k + 1].mean() for k in range(n)])
    upper = [values[:k].mean() + values[:k].std(ddof=1) / k**0.5 for k in range(2, n + 1)]
    assert list(band.y)[: n - 1] == pytest.approx(upper) and len(band.y) == 2 * (n - 1)
    assert list(level.y) == [99.5, 99.5] and "99.50" in level.name


# The parts ----------------------------------------------------------------------------------------------------------


SCRIPT = """
import numpy as np
import torch
from ui.views.restore.denoising import denoising
from ui.views.bound import sampling
from ui.parts import links
from ui.views.bound import observation
from ui.live import cast
from ui.parts.digit import Chosen
from vae_core import data

links.hold({page!r})
what = {what!r}
if what == "digit":
    pixels = data.load("digits", "test").images[3].numpy()
elif what == "noise":
    pixels = torch.rand(784, generator=torch.Generator().manual_seed(0)).numpy()
else:
    pixels = np.full(784, float(what), np.float32)
chosen = Chosen(pixels, None, "a picture", None, (), ())
if {part!r} == "denoising":
    denoising(chosen)
else:
    part = {{"sampling": sampling.sampling, "observation": observation.observation}}
    part[{part!r}](cast.standing({model!r}), chosen, {label!r})
"""


def show(part: str, what: str = "digit", model: str = "mnist-vae-2d", label: int | None = None) -> AppTest:
    page = "Restore" if part == "denoising" else "The bound"
    source = SCRIPT.format(part=part, what=what, model=model, label=label, page=page)
    return AppTest.from_string(source, default_timeout=PATIENCE).run()


def texts(app: AppTest) -> str:
    parts = [*(e.proto.body for e in app.get("html")), *(e.value for e in (*app.markdown, *app.caption, *app.info))]
    return html.unescape(re.sub(r"src=\"[^\"]*\"", "", "\n".join(parts)))


def sound(app: AppTest) -> str:
    """Nothing broke, and every number is one."""
    assert not app.exception and not app.error and not app.warning
    words = texts(app)
    assert not re.search(r"\b(nan|inf)\b", words), re.findall(r".*\b(?:nan|inf)\b.*", words)
    return words


def test_new_draws_are_new_and_leave_what_is_exact():
    """A button that draws again must change the draws only: the repeats and the exact values belong to the digit."""
    app = show("sampling")
    before = sound(app)
    again = sound(app.button(key="sampling_again").click().run())
    rows = [re.findall(r'<td class="n">([^<]*)</td>', words)[:8] for words in (before, again)]
    assert rows[0][0] != rows[1][0] and rows[0][4] != rows[1][4]  # this throw
    assert [rows[0][i] for i in (1, 2, 3, 5, 6, 7)] == [rows[1][i] for i in (1, 2, 3, 5, 6, 7)]
    assert re.findall("ε [+−][^<]*", before) != re.findall("ε [+−][^<]*", again)
    longer = sound(app.select_slider(key="sampling_length").set_value(500).run())
    spread = [float(re.findall(r'<td class="n">([^<]*)</td>', words)[2]) for words in (again, longer)]
    assert spread[1] < spread[0] / 3


def test_a_conditional_model_is_asked_about_its_label():
    words = sound(show("sampling", model="mnist-cvae-2d", label=3))
    assert "log p(x | y)" in words and "p(x | z, y)" in words


@pytest.mark.parametrize("what", ["0", "1", "noise"])
@pytest.mark.parametrize("part", ["sampling", "denoising", "observation"])
def test_what_is_no_digit_has_numbers_and_a_sentence(part, what):
    """Empty, white and noisy pictures are what visitors bring first."""
    words = sound(show(part, what))
    if (part, what) == ("sampling", "1"):
        assert "q hardly ever draws" in words
    if (part, what) == ("denoising", "0"):
        assert "nothing to average" in words
    if (part, what) == ("observation", "1"):
        assert "does not draw this picture" in words


def test_every_corruption_has_its_mean_and_its_error():
    """One corruption has a loss and no standard error; more have both."""
    app = show("denoising")
    for kind in TRAINED_ON:
        assert "± " in sound(app.selectbox(key="denoising_kind").set_value(kind).run())
    one = sound(app.select_slider(key="denoising_length").set_value(1).run())
    assert "no error can be stated" in one
    losses = [
        re.findall(r"([\d.]+) nats</small>", sound(app.button(key="denoising_again").click().run())) for _ in "ab"
    ]
    assert losses[0][0] == losses[1][0] and losses[0][1:] != losses[1][1:]  # the unspoilt one stays


def checkpoint(root: Path, slug: str, sigma: float | None, kl: float) -> None:
    config = Config(
        ModelConfig(likelihood="gaussian", sigma=sigma, encoder=(8,), decoder=(8,)),
        tag="learned" if sigma is None else "",
    )
    assert config.slug == slug
    card = checkpoints.read_card("mnist-vae-2d") | {"slug": slug, "config": config.to_dict()}
    test = {"nelbo": 5.0, "reconstruction": 5.0 - kl, "reconstruction_at_mean": 4.0, "kl": kl, "mse": 0.04}
    checkpoints.save(build(config.model), card | {"test": test}, root)


def test_observation_models_that_are_not_here_are_named_with_their_command(tmp_path, monkeypatch):
    """A fresh copy may lack the Gaussian models: the Bernoulli one stands alone, and one sentence says how to train."""
    (tmp_path / "mnist-vae-2d").symlink_to(checkpoints.ROOT / "mnist-vae-2d")
    monkeypatch.setattr(checkpoints, "ROOT", tmp_path)
    words = sound(show("observation"))
    assert words.count("python -m vae_core train vae") == 2 and "--sigma learned --tag learned" in words
    assert "--epochs 60" in words  # the shipped one's own recipe
    checkpoint(tmp_path, "mnist-vae-2d-gaussian", 1.0, 4.5)
    checkpoint(tmp_path, "mnist-vae-2d-gaussian-learned", None, 9.25)
    st.cache_resource.clear()
    words = sound(show("observation"))
    assert "vae_core train" not in words and words.count("<b>Mean at μ</b>") == 3
    assert "σ = 1 (2σ² = 2) spends" in words and "9.25" in words
    assert "(β = " not in words  # the β of the part β is another number
