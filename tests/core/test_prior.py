"""A learned prior against torch.distributions, Monte Carlo and brute force."""

from __future__ import annotations

import math

import pytest
import torch
from torch.distributions import Categorical, Independent, MixtureSameFamily, Normal

from vae_core import chance, latent, likelihood, losses, prior
from vae_core.config import ModelConfig
from vae_core.models import Code, build


def learned(d: int, components: int = 20) -> prior.Learned:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(d)
        made = prior.Learned(components, d)
        with torch.no_grad():
            made.logits.copy_(torch.randn(components))
            made.log_sigma.copy_(0.3 * torch.randn(components, d) - 0.5)
    return made.requires_grad_(False)


def reference(made: prior.Learned) -> MixtureSameFamily:
    each = Independent(Normal(made.mean.double(), made.log_sigma.double().exp()), 1)
    return MixtureSameFamily(Categorical(logits=made.logits.double()), each)


def posteriors(d: int, n: int = 24) -> tuple[torch.Tensor, torch.Tensor]:
    stream = torch.Generator().manual_seed(1)
    return torch.randn(n, d, generator=stream), 0.5 * torch.randn(n, d, generator=stream) - 4


@pytest.mark.parametrize("d", [2, 20])
def test_the_density_is_a_mixtures(d):
    made, z = learned(d), 2 * torch.randn(50, 3, d, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(made.log_prob(z).double(), reference(made).log_prob(z.double()), atol=2e-4, rtol=1e-5)


def test_a_code_belongs_to_the_component_that_made_it_likeliest():
    made, z = learned(3), torch.randn(200, 3, generator=torch.Generator().manual_seed(0))
    mixture = reference(made)
    each = mixture.component_distribution.log_prob(z.double()[:, None]) + mixture.mixture_distribution.logits
    assert made.component(z).equal(each.argmax(1))


@pytest.mark.parametrize("d", [2, 20])
def test_the_kl_is_what_monte_carlo_finds(d):
    made, (mean, logvar) = learned(d), posteriors(d)
    eps = torch.randn(20_000, *mean.shape, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    z = mean + torch.exp(0.5 * logvar.double()) * eps
    log_q = prior.log_normal(eps) - 0.5 * logvar.double().sum(-1)
    ratio = log_q - reference(made).log_prob(z)  # (draws, n)
    error = ratio.std(0) / math.sqrt(len(ratio))
    away = (made.kl(mean, logvar)[:, 0] - ratio.mean(0)) / error
    assert away.abs().max() < 4 and away.abs().mean() < 1.2  # of 24 at once


@pytest.mark.parametrize(("times", "error"), [(1, 0.001), (2, 0.01), (3, 0.15), (5, 0.5)])
def test_the_kl_of_a_q_wider_than_the_components(times, error):
    """Where q covers many components the rule's nodes are few: off by no more than `kl` says."""
    made, mean = learned(2), posteriors(2, 6)[0]
    with torch.no_grad():
        made.log_sigma.fill_(-math.log(times))
    side = ((torch.arange(240, dtype=torch.float64) + 0.5) / 240 - 0.5) * 14
    eps = torch.cartesian_prod(side, side)
    log_q = prior.log_normal(eps)
    exact = torch.stack([(log_q.softmax(0) * (log_q - made.log_prob(one + eps))).sum() for one in mean.double()])
    found = made.kl(mean, torch.zeros_like(mean))[:, 0].double()
    torch.testing.assert_close(found, exact, atol=error, rtol=1e-4)


@pytest.mark.parametrize("d", [2, 20])
def test_a_rule_that_was_first_asked_for_without_gradients_has_them_later(d):
    """A page reads a KL off first, and climbs it then."""
    made, (mean, logvar) = learned(d), posteriors(d)
    prior.rule.cache_clear()
    with torch.inference_mode():
        before = made.kl(mean, logvar)
    mean = mean.clone().requires_grad_()
    after = made.kl(mean, logvar)
    (slope,) = torch.autograd.grad(after.sum(), mean)
    assert torch.equal(before, after.detach()) and slope.abs().max() > 0


@pytest.mark.parametrize("d", [2, 20])
def test_one_gaussian_has_the_closed_form(d):
    made, (mean, logvar) = prior.Learned(1, d), posteriors(d)
    with torch.no_grad():
        made.mean.zero_()
        torch.testing.assert_close(made.kl(mean, logvar)[:, 0], losses.gaussian_kl(mean, logvar).sum(-1))
    assert prior.Standard(d).kl(mean, logvar).shape == (len(mean), d)


def test_what_training_uses_has_the_kl_for_its_mean():
    made, (mean, logvar) = learned(2), posteriors(2)
    n = 4000
    eps = torch.randn(n, *mean.shape, generator=torch.Generator().manual_seed(3))
    z = (mean + torch.exp(0.5 * logvar) * eps).flatten(0, 1)
    drawn = made.kl_at(mean.repeat(n, 1), logvar.repeat(n, 1), z).view(n, -1)
    away = (drawn.mean(0) - made.kl(mean, logvar)[:, 0]) / (drawn.std(0) / math.sqrt(n)).clamp(min=1e-4)
    assert away.abs().max() < 4


def test_draws_are_the_priors():
    made = learned(2)
    z = made.mixture().sample(40_000, torch.Generator().manual_seed(0)).double()
    expected = reference(made)
    assert (z.mean(0) - expected.mean).abs().max() < 0.03
    assert (z.var(0) - expected.variance).abs().max() < 0.05


@pytest.mark.parametrize("d", [2, 5])
def test_draws_are_those_that_the_cards_rest_on(d):
    """One factor for each draw at once is the same sum, and at D = 1024 and 10,000 draws 42 GB."""
    mixture = (
        learned(d).mixture()._replace(factors=torch.randn(20, d, d, generator=torch.Generator().manual_seed(5)).tril())
    )
    stream = torch.Generator().manual_seed(0)
    which = torch.multinomial(mixture.weights, 300, replacement=True, generator=stream)
    eps = torch.randn(300, d, generator=stream)
    whole = mixture.means[which] + torch.einsum("nij,nj->ni", mixture.factors[which], eps)
    torch.testing.assert_close(mixture.sample(300, torch.Generator().manual_seed(0)), whole, atol=1e-6, rtol=1e-6)


def test_a_thousand_numbers_a_code_fit_into_memory(monkeypatch):
    """What grows with the draws is a table of draws and numbers, never one of draws, numbers and numbers."""
    most, d, k = 0, 64, 5
    empty = torch.overrides.TorchFunctionMode

    class Watch(empty):
        def __torch_function__(self, func, types, args=(), kwargs=None):
            nonlocal most
            out = func(*args, **(kwargs or {}))
            if isinstance(out, torch.Tensor):
                most = max(most, out.numel())
            return out

    made = learned(d, k)
    mixture = made.mixture()
    with Watch():
        mixture.sample(1000, torch.Generator().manual_seed(0))
    assert most <= max(1000 * d, k * d * d)
    monkeypatch.setattr(prior, "CHUNK", 1 << 15)
    most = 0
    with Watch(), torch.inference_mode():
        made.kl(*posteriors(d, 100))
    assert most <= 1 << 15


@pytest.mark.parametrize("step", [0.1, 1.0])
def test_a_cells_average_is_the_integral_over_it(step):
    """Against a fine midpoint rule, near and where Φ − Φ is nothing but rounding."""
    made = learned(2, 6)
    with torch.no_grad():
        made.log_sigma.copy_(math.log(0.02) + 0.3 * made.log_sigma)
        made.mean.mul_(0.3)
    z = torch.cat([made.mean + 0.3 * step, torch.tensor([[0.5, -0.4], [40.0, 40.0]])]).double()
    side = ((torch.arange(400, dtype=torch.float64) + 0.5) / 400 - 0.5) * step
    within = torch.cartesian_prod(side, side)
    brute = torch.stack([reference(made).log_prob(one + within).logsumexp(0) for one in z]) - 2 * math.log(400)
    found = made.log_average(z, step)
    assert found.isfinite().all()
    torch.testing.assert_close(found[:-1], brute[:-1], atol=5e-3, rtol=1e-3)
    wide = prior.Learned(3, 2).requires_grad_(False)  # σ = 1: nothing to average
    assert wide.log_average(z, 0.5).equal(wide.log_prob(z))


def test_a_draw_from_given_numbers_falls_on_each_component_by_its_weight():
    mixture = learned(2).mixture()
    shares = torch.tensor(chance.uniforms(0, 4000))
    nowhere = torch.zeros(2)
    at = torch.stack([mixture.place(float(share), nowhere) for share in shares])
    found = (at[:, None] == mixture.means).all(-1).double().mean(0)
    assert (found - mixture.weights).abs().max() < 0.03
    torch.testing.assert_close(
        mixture.place(0.999999, torch.ones(2)), mixture.means[-1] + mixture.factors[-1].diagonal()
    )


def test_exact_likelihoods_ask_the_models_own_prior():
    model = build(ModelConfig("mixture", 2, (16,), (16,), components=5)).eval()
    with torch.no_grad():
        model.prior.log_sigma.sub_(0.7)
    x = torch.rand(3, 784, generator=torch.Generator().manual_seed(0)).round()
    axis = torch.arange(-5, 5, 0.05)
    z = torch.cartesian_prod(axis, axis)
    with torch.inference_mode():
        nll = torch.stack([model.nll(one.expand(len(z), -1), model.decode(z)) for one in x])
        joint = reference(model.prior.requires_grad_(False)).log_prob(z.double()) - nll
    brute = joint.logsumexp(1) + 2 * math.log(0.05)
    torch.testing.assert_close(likelihood.evidence(model, x).log_p, brute, atol=2e-3, rtol=0)
    narrow = Code(torch.tensor([[0.3, -0.2]]), torch.full((1, 2), -3.0))  # no rule meets the cliffs of a wide one
    book = likelihood.ledger(model, x[0], code=narrow)
    assert len(book.kl) == 1
    assert book.log_p == pytest.approx(book.elbo + book.posterior_kl, abs=0.01)


def test_random_codes_come_from_it():
    model = build(ModelConfig("mixture", 2, (4,), (4,), components=5))
    codes = torch.zeros(10, 2)
    assert latent.own_source(model, codes).means.shape == (5, 2)
    assert latent.own_source(build(ModelConfig("vae", 2, (4,), (4,))), codes).factor.equal(torch.eye(2))
