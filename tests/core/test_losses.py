"""The terms of the objectives against references that were not written here."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from torch.distributions import Bernoulli, Independent, Normal, kl_divergence

from vae_core import losses

G = torch.Generator().manual_seed(3)


def test_bernoulli_nll_is_the_log_probability_of_torch():
    """A lost or doubled minus in the cross-entropy, or a mean for a sum, would show here."""
    logits = 5 * torch.randn(6, 784, generator=G, dtype=torch.float64)
    x = (torch.rand(6, 784, generator=G) < 0.3).double()
    want = -Independent(Bernoulli(logits=logits), 1).log_prob(x)
    torch.testing.assert_close(losses.bernoulli_nll(logits, x), want)


def test_gaussian_nll_keeps_the_constants():
    """Without log σ and ½ log 2π likelihoods of different σ could not be compared."""
    mean = torch.randn(5, 784, generator=G, dtype=torch.float64)
    x = torch.rand(5, 784, generator=G, dtype=torch.float64)
    for sigma in (0.01, 0.3, 1.0, 2.0):
        log_sigma = torch.tensor(sigma, dtype=torch.float64).log()
        want = -Independent(Normal(mean, sigma), 1).log_prob(x)
        torch.testing.assert_close(losses.gaussian_nll(mean, x, log_sigma), want)


def test_closed_form_kl_is_that_of_torch():
    """The slips of the sources (arguments swapped, μ for μ², sign reversed) all change this number."""
    mean = 2 * torch.randn(7, 4, generator=G, dtype=torch.float64)
    logvar = torch.randn(7, 4, generator=G, dtype=torch.float64)
    want = kl_divergence(Normal(mean, torch.exp(0.5 * logvar)), Normal(torch.zeros(()).double(), 1.0))
    torch.testing.assert_close(losses.gaussian_kl(mean, logvar), want)


@pytest.mark.parametrize(("mean", "sigma"), [(0.0, 1.0), (1.3, 0.2), (-2.0, 1.7), (0.4, 0.03)])
def test_closed_form_kl_is_the_integral(mean, sigma):
    """∫ q log(q / p) dz by SciPy's adaptive quadrature, which knows nothing of the closed form."""

    def integrand(z):
        log_q = -0.5 * ((z - mean) / sigma) ** 2 - math.log(sigma)
        return math.exp(log_q) / math.sqrt(2 * math.pi) * (log_q + 0.5 * z * z)

    want, _ = quad(integrand, mean - 12 * sigma, mean + 12 * sigma, points=[mean], limit=200)
    got = losses.gaussian_kl(*torch.tensor([[mean], [2 * math.log(sigma)]], dtype=torch.float64))
    assert got.item() == pytest.approx(want, abs=1e-8)


@settings(deadline=None)
@given(st.floats(-20, 20), st.floats(-20, 5))
def test_kl_is_never_negative_and_zero_only_at_the_prior(mean, logvar):
    """A negative KL would let −ELBO fall below −log p(x)."""
    kl = losses.gaussian_kl(torch.tensor(mean).double(), torch.tensor(logvar).double()).item()
    assert kl >= 0
    assert (kl < 1e-12) == (abs(mean) < 1.5e-6 and abs(logvar) < 2.1e-6)


def test_mse_and_psnr():
    """PSNR of peak 1: a picture that is wrong by 0.1 everywhere has 20 dB."""
    mse = losses.mean_squared_error(torch.full((2, 784), 0.6), torch.full((2, 784), 0.5))
    torch.testing.assert_close(losses.psnr(mse), torch.full((2,), 20.0), atol=1e-3, rtol=0)
