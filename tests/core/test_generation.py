"""Drawing codes and rating what they draw: against counting by hand, closed forms and SciPy."""

import itertools
import math

import pytest
import torch
from scipy.stats import multivariate_normal

from vae_core import checkpoints, generation, judge, latent, measures, models
from vae_core.config import ModelConfig
from vae_core.prior import Mixture


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def counted(real, drawn, k):
    """The four numbers, pair by pair, as their papers write them."""

    def ball(cloud, i):
        return sorted(math.dist(cloud[i], other) for j, other in enumerate(cloud) if j != i)[k - 1]

    radius, reach = ([ball(c, i) for i in range(len(c))] for c in (real, drawn))
    pairs = {(i, j): math.dist(real[i], drawn[j]) for i, j in itertools.product(range(len(real)), range(len(drawn)))}
    n, m = len(real), len(drawn)
    return (
        sum(any(pairs[i, j] <= radius[i] for i in range(n)) for j in range(m)) / m,
        sum(any(pairs[i, j] <= reach[j] for j in range(m)) for i in range(n)) / n,
        sum(pairs[i, j] <= radius[i] for i, j in pairs) / (k * m),
        sum(any(pairs[i, j] <= radius[i] for j in range(m)) for i in range(n)) / n,
    )


@pytest.mark.parametrize("k", [1, 3])
def test_the_four_numbers_are_what_counting_finds(k):
    """Clouds that overlap in part and are of different sizes: rows taken for columns would give other numbers."""
    real, drawn = torch.randn(40, 3, generator=seeded()), 0.7 * torch.randn(25, 3, generator=seeded(1)) + 0.5
    found = generation.shape(real, drawn, k)
    assert found == pytest.approx(counted(real.double().tolist(), drawn.double().tolist(), k))
    assert 0 < found.precision < 1 and 0 < found.recall < 1 and 0 < found.coverage < 1


def test_where_the_numbers_are_known_beforehand():
    """Real images again: everything is inside, and each ball holds its k neighbours and its middle. Far away: nothing.
    One real image over and over: precise, and it covers what is beside it alone."""
    real = torch.randn(200, 5, generator=seeded())
    assert generation.shape(real, real, 3) == (1, 1, pytest.approx(4 / 3), 1)
    assert generation.shape(real, real + 100, 3) == (0, 0, 0, 0)
    same = generation.shape(real, real[:1].repeat(50, 1), 3)
    assert same.precision == 1 and same.recall == 1 / 200 and same.coverage < 0.1


def test_the_entropy_of_classes():
    assert generation.entropy(torch.arange(10).repeat(7)) == pytest.approx(math.log(10))
    assert generation.entropy(torch.ones(9, dtype=torch.long)) == 0
    assert generation.entropy(torch.tensor([], dtype=torch.long)) == 0
    assert generation.entropy(torch.tensor([0, 0, 0, 4])) == pytest.approx(0.75 * math.log(4 / 3) + 0.25 * math.log(4))


def test_a_fitted_mixture_finds_what_it_was_drawn_from():
    """Weights, means and covariances, whatever order they come in; and the draws are of that density."""
    factors = torch.tensor([[[1.0, 0.0], [0.8, 0.3]], [[0.2, 0.0], [0.0, 0.2]]])
    true = Mixture(torch.tensor([0.7, 0.3]), torch.tensor([[0.0, 0.0], [4.0, -3.0]]), factors)
    codes = true.sample(20_000, seeded())
    assert float((codes[:, 0] > 3).float().mean()) == pytest.approx(0.3, abs=0.02)
    fit = generation.fit_mixture(codes, 2)
    order = fit.weights.argsort(descending=True)
    torch.testing.assert_close(fit.weights[order], true.weights, atol=0.01, rtol=0)
    torch.testing.assert_close(fit.means[order], true.means, atol=0.03, rtol=0)
    covariance = (fit.factors @ fit.factors.mT)[order]
    torch.testing.assert_close(covariance, factors @ factors.mT, atol=0.03, rtol=0)
    assert torch.equal(fit.factors, fit.factors.tril())
    again = generation.fit_mixture(codes, 2)
    assert all(torch.equal(a, b) for a, b in zip(fit, again, strict=True))


def test_one_gaussian_as_a_mixture_draws_the_same_distribution():
    """The sources of one component go through the same door: mean and covariance must survive it."""
    source = latent.Gaussian(torch.tensor([1.0, -2.0]), torch.tensor([[2.0, 0.0], [1.0, 0.5]]))
    z = latent.as_mixture(source).sample(40_000, seeded()).double()
    torch.testing.assert_close(z.mean(0), source.mean.double(), atol=0.05, rtol=0)
    torch.testing.assert_close(z.T.cov(), (source.factor @ source.factor.T).double(), atol=0.1, rtol=0)


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
def test_codes_in_any_unit_can_be_fitted(scale):
    """A deterministic code has the unit that training gave it, a VAE's idle dimension next to no spread at all; and a
    small data set has fewer codes than a visitor may ask components for."""
    codes = scale * torch.randn(300, 3, generator=seeded()) * torch.tensor([1.0, 1.0, 1e-3])
    fit = generation.fit_mixture(codes, 5)
    density = sum(
        weight * multivariate_normal(mean, factor @ factor.T).pdf(codes.double().numpy() / scale)
        for weight, mean, factor in zip(
            fit.weights.double().numpy(),
            fit.means.double().numpy() / scale,
            fit.factors.double().numpy() / scale,
            strict=True,
        )
    )
    assert (density > 0).all()
    assert len(generation.fit_mixture(codes[:4], 100).weights) == 4


def test_a_conditional_model_draws_each_label_equally_often():
    model = models.build(ModelConfig(kind="cvae", encoder=(8,), decoder=(8,)))
    source = latent.as_mixture(latent.Gaussian(torch.zeros(2), torch.zeros(2, 2)))  # all in one place
    drawn = generation.draw(model, source, 20)
    assert len(drawn.unique(dim=0)) == 10 and torch.equal(drawn[:10], drawn[10:])


# What ships


def test_every_shipped_model_was_rated_with_its_weights_and_the_shipped_judge():
    """The page prints these and computes none: each source at each K, and the reconstructions."""
    print_of = measures.weights_fingerprint("judge")
    for slug in (f"mnist-{kind}-{d}d" for d in (2, 20) for kind in ("ae", "dae", "vae", "cvae")):
        found = measures.measured("generation", slug)
        assert found is not None and found["judge"] == print_of
        assert set(found["rows"]) == {"prior", "gaussian", "mixture 10", "mixture 30", "mixture 100", "reconstructions"}
        draws = measures.measured("draws", slug)
        own = found["rows"]["prior" if slug.split("-")[1].endswith("vae") else "gaussian"]
        assert own["digit"] == pytest.approx(draws["accepted"], abs=0.02)  # the same source, other draws


def test_ten_gaussians_make_an_autoencoder_a_generator():
    """The AE draws with them; and that a VAE's prior has no holes, as is taught, does not hold at twenty numbers."""
    ae, vae = (measures.measured("generation", f"mnist-{kind}-20d")["rows"] for kind in ("ae", "vae"))
    assert ae["mixture 10"]["digit"] >= 0.90 > 0.75 > vae["prior"]["digit"]
    assert ae["mixture 100"]["digit"] >= 0.96 and ae["mixture 100"]["coverage"] >= 0.55
    assert ae["prior"]["digit"] < 0.2


def test_generators_with_known_faults_fail_where_they_must_and_pass_where_they_may():
    """Ones alone pass as digits and as precise: only entropy, recall and coverage see them, so the page shows those."""
    card = judge.read_card(checkpoints.ROOT / "judge")["generation"]
    assert card["judge"] == measures.weights_fingerprint("judge")
    real, ones, ten = card["rows"].values()
    assert list(card["rows"]) == list(generation.references(torch.zeros(10, 784), torch.arange(10)))
    assert ones["digit"] > real["digit"] and ones["precision"] > real["precision"]
    assert ones["entropy"] < 0.1 and ones["recall"] < real["recall"] / 2 and ones["coverage"] < real["coverage"] / 2
    assert ten["digit"] == 1 and ten["coverage"] < 0.05 and ten["recall"] < 0.01
