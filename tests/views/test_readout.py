"""The numbers beside a picture, against direct calculations."""

import math

import pytest
import torch

from ui.parts import readout
from vae_core import latent, losses


@pytest.fixture
def codes():
    g = torch.Generator().manual_seed(0)
    n, d = 200, 2
    return {
        "test_mean": torch.randn(n, d, generator=g),
        "test_logvar": torch.randn(n, d, generator=g) - 2,
        "test_label": torch.arange(n) % 10,
        "test_reconstruction_at_mean": 100 + 10 * torch.randn(n, generator=g),
        "test_reconstruction": 101 + 10 * torch.randn(n, generator=g),
        "test_kl": 5 + torch.rand(n, generator=g),
        "train_mean": torch.randn(500, d, generator=g) * torch.tensor([3.0, 0.5]) + torch.tensor([7.0, 0.0]),
    }


@pytest.fixture
def points(codes):
    """The same of a model without posterior."""
    return {k: v for k, v in codes.items() if k not in ("test_logvar", "test_kl", "test_reconstruction")}


def test_scores_add_up_and_rank(codes):
    """−ELBO is the reconstruction averaged over q plus the KL; a percentile counts the images with less."""
    for i in (0, 17, 199):
        rows = {name: cells for name, *cells in readout.scores(codes, i)}
        expected = codes["test_reconstruction"][i] + codes["test_kl"][i]
        assert rows["−ELBO"][0] == f"{expected:.2f}"
        for name, key in (("reconstruction at the mean", "test_reconstruction_at_mean"), ("KL(q ‖ prior)", "test_kl")):
            values = codes[key].tolist()
            below = sum(v < values[i] for v in values) / len(values)
            mean = sum(values) / len(values)
            assert rows[name] == [f"{values[i]:.2f}", f"{mean:.2f}", f"{below:.0%}"]


def test_label_costs_log_ten(codes):
    """log p(x | y) beside a VAE's log p(x) would flatter the CVAE by the 2.30 nats that the label is worth."""
    rows = {name: float(cells[0]) for name, *cells in readout.scores(codes, 5, conditional=True)}
    assert rows["−ELBO with the label, + log 10"] - rows["−ELBO"] == pytest.approx(math.log(10), abs=0.011)


def test_a_point_has_dashes(points):
    """A KL or an ELBO of a deterministic model would be a number without meaning."""
    rows = readout.scores(points, 3)
    assert rows[0][1] != "—" and all(cells == ("—",) * 3 for _, *cells in rows[1:] for cells in [tuple(cells)])
    assert [row[2:] for row in readout.posterior(points, 3)] == [("—", "—")] * 2


def test_a_point_is_no_mean(codes, points):
    """μ and "at the mean" above an autoencoder's code would say that it has a distribution."""
    assert readout.posterior_head(codes)[1] == "μ" and readout.posterior_head(points)[1] == "code"
    assert [readout.scores(c, 3)[0][0] for c in (codes, points)] == [
        "reconstruction at the mean",
        "reconstruction at the code",
    ]


def test_posterior_is_sigma_and_its_kl(codes):
    """σ, not σ² or log σ²; the KL against torch's own."""
    for j, (name, mean, sd, kl) in enumerate(readout.posterior(codes, 11)):
        m, s = codes["test_mean"][11, j], torch.exp(codes["test_logvar"][11, j] / 2)
        normal = torch.distributions.Normal
        assert name == ("z₁", "z₂")[j]
        assert mean == f"{m:+.2f}".replace("-", "−")
        assert sd == f"{s:.2f}"
        assert kl == f"{torch.distributions.kl_divergence(normal(m, s), normal(0.0, 1.0)):.2f}"
    total = losses.gaussian_kl(codes["test_mean"][11], codes["test_logvar"][11]).sum()
    assert sum(float(row[3]) for row in readout.posterior(codes, 11)) == pytest.approx(float(total), abs=0.011)


def test_nearest_is_brute_force_without_itself(codes):
    """The digit itself is always its own nearest; counting it would flatter every model."""
    z = codes["test_mean"].tolist()
    brute = sorted((math.dist(z[4], other), i) for i, other in enumerate(z) if i != 4)[:8]
    assert readout.nearest(codes, 4, 8) == [i for _, i in brute]


def test_nearest_among_equal_codes_leaves_itself_out(codes):
    """Half-precision codes can coincide; the image itself must not come back as its own neighbour then."""
    codes["test_mean"] = torch.zeros(50, 2)
    found = readout.nearest(codes, 30, 8)
    assert 30 not in found and len(found) == 8


def test_reach_is_the_priors_or_the_codes(codes, points):
    """A slider in the prior's σ on a model without prior would show a corner of its map only."""
    assert [part.tolist() for part in readout.scale(codes)] == [[0, 0], [1, 1]]
    middle, sigma = readout.scale(points)
    assert middle[0] == pytest.approx(7, abs=0.5) and sigma[0] == pytest.approx(3, abs=0.3)
    assert (readout.reach(points, readout.scale(points)) >= 4 * sigma - 1e-6).all()
    codes["train_mean"] *= 5  # so that four σ of the prior hold few of them
    for c in (codes, points):
        own = readout.scale(c)
        away = (c["train_mean"] - own.middle).abs()
        assert ((away <= readout.reach(c, own) + 1e-6).double().mean(0) >= 0.95).all()


def test_distance_is_in_the_models_own_robust_sigmas(points):
    """In raw units a model with a large map is always far; in its standard deviation one with tails never is."""
    x, z = points["train_mean"].clone(), torch.tensor([6.0, 5.0])
    points["train_mean"][:25] *= 100  # a twentieth of them, far out
    quartiles = torch.quantile(points["train_mean"].double(), torch.tensor([0.25, 0.5, 0.75]).double(), dim=0)
    expected = math.hypot(*((z - quartiles[1]) / ((quartiles[2] - quartiles[0]) / 1.349)).tolist())
    assert readout.scale(points).distance(z) == pytest.approx(expected, rel=1e-4)
    assert readout.half_within(points, readout.scale(points)) == pytest.approx(
        float(((x - x.mean(0)) / x.std(0)).norm(dim=1).median()), rel=0.1
    )


def test_a_learned_prior_has_the_scale_of_its_codes(codes):
    """Its Gaussians may lie anywhere: 0 and 1 are N(0, I)'s. A dimension has no KL of its own there."""
    assert readout.scale(codes).distance(torch.tensor([3.0, 4.0])) == pytest.approx(5)
    middle, sigma = own = readout.scale(codes, learned=True)
    assert sigma.tolist() == latent.robust_scale(codes["train_mean"]).sigma.tolist() != [1, 1]
    assert own.distance(middle + 3 * sigma) == pytest.approx(3 * math.sqrt(2), rel=1e-4)
    assert [row[3] for row in readout.posterior(codes, 3, learned=True)] == ["—"] * 2
