"""The exact integral against closed forms, against finer steps, and against sampling that knows nothing of lattices."""

import math

import pytest
import torch
from torch.distributions import Independent, LowRankMultivariateNormal, Normal, kl_divergence

from vae_core import data, likelihood, losses
from vae_core.checkpoints import available, integrate, load, load_exact, load_or_train, read_card
from vae_core.config import Config, ModelConfig, TrainingConfig
from vae_core.latent import embed
from vae_core.likelihood import LikelihoodError
from vae_core.models import Code, build
from vae_core.storage import StorageError
from vae_core.training import augment

DIGITS = 24


@pytest.fixture(scope="module")
def digits():
    return data.load("digits", "test")


@pytest.mark.parametrize("apart", [30, 10**9], ids=["near", "far"])
def test_islands_are_two_modes_however_far_apart(apart):
    """A picture from one to the other would be the memory of the whole server; a saddle between makes them one."""
    i, j = (
        part.reshape(-1).double() for part in torch.meshgrid(torch.arange(-9, 10), torch.arange(-9, 10), indexing="ij")
    )
    bump = -0.1 * (i**2 + (j - 1) ** 2)
    z = torch.cat([torch.stack([i, j], 1), torch.stack([i + apart, j - apart], 1)]) / 1000
    modes, share = likelihood._modes(z - likelihood.REACH + 0.0005, torch.cat([bump, bump + math.log(3)]), 0.001)
    torch.testing.assert_close(share, torch.tensor([0.75, 0.25]).double(), atol=1e-9, rtol=0)
    at = torch.tensor([[apart, 1 - apart], [0, 1]]).double() / 1000
    torch.testing.assert_close(modes.double() + likelihood.REACH - 0.0005, at, atol=1e-3, rtol=1e-6)


@pytest.fixture(scope="module", params=["mnist-vae-2d", "mnist-cvae-2d"])
def shipped(request, digits):
    """A shipped model, bundled digits, and their labels where the model is told them."""
    model, _ = load(request.param)
    return model, digits.images[:DIGITS], digits.labels[:DIGITS] if model.conditional else None


def linear_gaussian(scale: float, sigma: float):
    """A VAE whose decoder is one linear map: log p(x) has a closed form."""
    model = build(ModelConfig(kind="vae", encoder=(8,), decoder=(), likelihood="gaussian", sigma=sigma), seed=3)
    with torch.no_grad():
        generator = torch.Generator().manual_seed(0)
        model.decoder[0].weight.copy_(scale * torch.randn(784, 2, generator=generator))
        model.decoder[0].bias.copy_(0.3 * torch.randn(784, generator=generator))
    return model.eval().requires_grad_(False)


def label_of(y, i):
    return None if y is None else int(y[i])


@pytest.mark.parametrize(("scale", "sigma"), [(0.01, 1.0), (0.05, 0.5), (0.4, 0.5), (0.5, 0.1), (0.0, 1.0)])
def test_log_p_of_a_linear_gaussian_model_is_the_closed_form(scale, sigma):
    """Posteriors from the prior's own width down to σ = 0.007: a lattice that lost mass would differ."""
    model = linear_gaussian(scale, sigma)
    z = torch.tensor([[0.0, 0.0], [1.7, -0.4], [-3.9, 2.2], [0.123, 3.3]])
    x = model.decode(z) + sigma * torch.randn(4, 784, generator=torch.Generator().manual_seed(1))
    weight, bias = model.decoder[0].weight.double(), model.decoder[0].bias.double()
    exact = LowRankMultivariateNormal(bias, weight, torch.full((784,), sigma**2).double()).log_prob(x.double())
    found = likelihood.evidence(model, x)
    # Thousands of nats are summed in single precision.
    torch.testing.assert_close(found.log_p, exact, atol=5e-3, rtol=3e-6)
    assert (found.modes == 1).all()
    precision = torch.eye(2).double() + weight.T @ weight / sigma**2
    mean = torch.linalg.solve(precision, weight.T @ (x[1].double() - bias) / sigma**2)
    p = likelihood.posterior(model, x[1])
    mass = p.log_density.exp() * p.cell
    spread = (mass[:, None, None] * (p.z - mean)[:, :, None] * (p.z - mean)[:, None, :]).sum(0)
    covariance = torch.linalg.inv(precision)
    sigma = float(covariance.max().sqrt())
    torch.testing.assert_close((mass[:, None] * p.z).sum(0), mean, atol=2e-3 * sigma, rtol=0)
    torch.testing.assert_close(spread, covariance, rtol=0.01, atol=2e-3 * float(covariance.max()))


def test_half_the_step_changes_nothing(shipped):
    """The rule for the step would be wrong if more cells gave another integral."""
    model, x, y = shipped
    plain = likelihood.evidence(model, x, y, modes=False)
    finer = likelihood.evidence(model, x, y, modes=False, halvings=1)
    assert torch.equal(finer.step, plain.step / 2)
    assert float((finer.log_p - plain.log_p).abs().max()) < 0.01
    assert float(plain.lost.max()) < 1e-6


@pytest.mark.parametrize(("edge", "width"), [(1.0, 0.01), (-0.7, 0.05), (2.03, 0.3)])
def test_a_cliff_in_the_posterior_is_no_mass(edge, width):
    """A polynomial swings where log p(x, z) falls by thousands of nats: half a Gaussian has a closed form."""
    model = build(ModelConfig(kind="vae", encoder=(8,), decoder=(2,)), seed=0)
    with torch.no_grad():
        first, last = model.decoder[0], model.decoder[-1]
        first.weight.copy_(torch.tensor([[20 / width, 0.0], [20 / width, 0.0]]))
        first.bias.copy_(torch.tensor([-20 * edge / width, -20 * edge / width - 20]))  # a ramp from the edge on
        last.weight.zero_()
        last.bias.zero_()
        last.weight[:100, 0], last.weight[:100, 1], last.bias[:100] = -2.0, 2.0, 20.0
    x = torch.cat([torch.ones(100), torch.zeros(684)])
    model.eval().requires_grad_(False)
    log_p = float(likelihood.evidence(model, x[None], modes=False).log_p)
    # Along the ramp the logits fall from 20 to −20: the wall stands where 100 pixels of them cost the first nats.
    z = torch.linspace(-8, 8, 40_001, dtype=torch.float64)
    logits = model.double().decode(torch.stack([z, torch.zeros_like(z)], 1))[:, 0]
    along = 100 * torch.nn.functional.logsigmoid(logits) + torch.distributions.Normal(0, 1).log_prob(z)
    exact = torch.logsumexp(along, 0) + math.log(4e-4) - 684 * math.log(2)
    assert log_p == pytest.approx(float(exact), abs=0.01)


def test_log_p_against_importance_sampling(shipped):
    """Half Gaussians at the modes, half N(0, I) cover everything; the mean weight is unbiased for p(x)."""
    model, x, y = shipped
    generator = torch.Generator().manual_seed(0)
    n = 20_000
    for i in range(4):
        p = likelihood.posterior(model, x[i], label_of(y, i))
        mass = p.log_density.exp() * p.cell
        mean = (mass[:, None] * p.z).sum(0)
        spread = (mass[:, None] * (p.z - mean).square()).sum(0).sqrt().float().clamp(min=0.01)
        # Wider than each mode, so that weights stay bounded.
        parts = [Independent(Normal(mode, 1.5 * spread), 1) for mode in p.modes]
        prior = Independent(Normal(torch.zeros(2), torch.ones(2)), 1)
        which = torch.randint(len(parts), (n,), generator=generator)
        at_modes = p.modes[which] + 1.5 * spread * torch.randn(n, 2, generator=generator)
        from_prior = torch.randn(n, 2, generator=generator)
        z = torch.where(torch.rand(n, 1, generator=generator) < 0.5, at_modes, from_prior)
        q = torch.stack([part.log_prob(z) for part in parts]).logsumexp(0) - math.log(len(parts))
        log_q = torch.logaddexp(q, prior.log_prob(z)) - math.log(2)
        weight = (likelihood.log_joint(model, x[i][None], z, label_of(y, i))[0] - log_q - p.log_p).double().exp()
        assert float((weight.mean() - 1).abs()) < 4 * float(weight.std() / math.sqrt(n)), f"digit {i}"


def test_the_ledger_closes(shipped):
    """Both sides are computed on their own: a slip in a quadrature, a KL or Gauss–Hermite opens the identity."""
    model, x, y = shipped
    for i in range(8):
        found = likelihood.ledger(model, x[i], label_of(y, i))
        assert abs(found.log_p - found.elbo - found.posterior_kl) < 0.05
        assert found.posterior_kl > 0
        assert found.elbo == pytest.approx(-found.reconstruction - sum(found.kl), abs=1e-4)


def test_the_ledger_of_another_q_closes_too(shipped):
    """The visitor pulls q about: the identity holds for every q, and none has a smaller KL than the best climbed."""
    model, x, y = shipped
    code = embed(model, x[:1], None if y is None else y[:1])
    other = Code(code.mean + 0.02, code.logvar + 0.7)
    found = likelihood.ledger(model, x[0], label_of(y, 0), other)
    assert abs(found.log_p - found.elbo - found.posterior_kl) < 0.05
    best = likelihood.climb(model, x[0], code, label_of(y, 0)).end
    assert likelihood.ledger(model, x[0], label_of(y, 0), best).posterior_kl < found.posterior_kl


def test_the_elbo_of_the_prior_against_sampling(shipped):
    """In a q as wide as the prior the likelihood has cliffs that a few nodes miss by tens of nats."""
    model, x, y = shipped
    code = Code(torch.zeros(1, 2), torch.zeros(1, 2))
    for i in range(3):
        sampled = likelihood.terms(model, x[i], code, 20_000, torch.Generator().manual_seed(i), label_of(y, i))
        settled = likelihood.settled_elbo(model, x[i], code, label_of(y, i))
        assert settled == pytest.approx(float(sampled.mean()), rel=0.03)


def test_elbo_against_sampling(shipped):
    """Gauss–Hermite would be biased where the decoder bends within q."""
    model, x, y = shipped
    code = embed(model, x[:3], None if y is None else y[:3])
    exact = likelihood.elbo(model, x[:3], code, None if y is None else y[:3])
    for i in range(3):
        one = Code(code.mean[i : i + 1], code.logvar[i : i + 1])
        draws = likelihood.draws(model, x[i], one, 4000, torch.Generator().manual_seed(i), label_of(y, i)).double()
        assert abs(float(draws.mean()) - float(exact[i])) < 4 * float(draws.std()) / math.sqrt(4000)
        terms = likelihood.terms(model, x[i], one, 4000, torch.Generator().manual_seed(i), label_of(y, i)).double()
        kl = float(losses.gaussian_kl(*one).sum())
        assert abs(float(terms.mean()) - kl - float(exact[i])) < 4 * float(terms.std()) / math.sqrt(4000)


def test_closed_form_kl_against_sampling():
    """KL(N(μ, σ²) ‖ N(0, 1)) by its formula, by torch.distributions and by the mean of log q − log p."""
    code = Code(torch.tensor([[1.3, -0.2]]), torch.tensor([[-3.0, 0.4]]))
    q = Normal(code.mean, torch.exp(0.5 * code.logvar))
    z = code.mean + torch.exp(0.5 * code.logvar) * torch.randn(100_000, 2, generator=torch.Generator().manual_seed(0))
    log_ratio = (q.log_prob(z) - Normal(0.0, 1.0).log_prob(z)).double()
    expected = losses.gaussian_kl(*code)[0].double()
    torch.testing.assert_close(kl_divergence(q, Normal(0.0, 1.0))[0].double(), expected, rtol=1e-5, atol=1e-6)
    assert ((log_ratio.mean(0) - expected).abs() < 4 * log_ratio.std(0) / math.sqrt(len(z))).all()


def test_the_importance_weighted_bound_rises_and_stays_below(shipped):
    """In expectation L draws bound log p(x) from below, more of them closer; one that passes it is no bound."""
    model, x, y = shipped
    for i in range(3):
        code = embed(model, x[i : i + 1], None if y is None else y[i : i + 1])
        exact = likelihood.posterior(model, x[i], label_of(y, i)).log_p
        draws = likelihood.draws(model, x[i], code, 200 * 64, torch.Generator().manual_seed(i), label_of(y, i))
        means = []
        for many in (1, 8, 64):
            bound = likelihood.importance_bound(draws.view(-1, many))
            error = float(bound.std()) / math.sqrt(len(bound))
            assert float(bound.mean()) <= exact + 3 * error
            means.append(float(bound.mean()))
        assert means[0] < means[1] < means[2]


def test_both_gradient_estimators_agree_in_mean(shipped):
    """They estimate the same slope, and the score function's spread is the larger by far."""
    model, x, y = shipped
    code = embed(model, x[:1], None if y is None else y[:1])
    one, two = likelihood.gradients(model, x[0], code, 20_000, torch.Generator().manual_seed(0), label_of(y, 0))
    difference = (one - two).double()
    assert (difference.mean(0).abs() < 4.5 * difference.std(0) / math.sqrt(len(one))).all()
    assert (two.var(0) > 10 * one.var(0)).all()
    mean, log_sigma = code.mean.clone().requires_grad_(), (0.5 * code.logvar).clone().requires_grad_()
    bound = likelihood.elbo(model, x[:1], Code(mean, 2 * log_sigma), None if y is None else y[:1])
    expected = (bound + losses.gaussian_kl(mean, 2 * log_sigma).sum()).sum()
    slope = torch.cat(torch.autograd.grad(expected, (mean, log_sigma)), 1)[0]
    assert ((one.mean(0) - slope).abs() < 4.5 * one.std(0) / math.sqrt(len(one)) + 0.01 * slope.abs()).all()


def test_no_climb_ends_below_its_start(shipped):
    """An E-step that loses is none; from the encoder's q it stays below log p(x)."""
    model, x, y = shipped
    for i in range(3):
        p = likelihood.posterior(model, x[i], label_of(y, i))
        code = embed(model, x[i : i + 1], None if y is None else y[i : i + 1])
        start = Code(torch.cat([code.mean, torch.zeros(1, 2), p.modes]), code.logvar.repeat(2 + len(p.modes), 1))
        start.logvar[1] = 0.0  # the prior
        path = likelihood.climb(model, x[i], start, label_of(y, i), steps=25)
        assert (path.elbo.diff(dim=0) >= 0).all()
        label = None if y is None else y[i].repeat(len(start.mean))
        end = likelihood.elbo(model, x[i].expand(len(start.mean), -1), path.end, label)
        assert (end[[0, *range(2, len(end))]] <= p.log_p + 0.02).all()
        assert path.elbo[-1, 0] > path.elbo[0, 0]


def test_the_ladder_never_falls(shipped):
    """A rung that lost on one digit would still look like progress in the mean; none may cross log p(x) either."""
    model, x, y = shipped
    found = likelihood.ladder(model, x, y)
    assert found.elbo.shape == (len(likelihood.LADDER), len(x))
    assert (found.elbo.diff(dim=0) >= 0).all()
    assert (found.elbo <= likelihood.evidence(model, x, y, modes=False).log_p + 0.02).all()
    for mean, logvar, told in zip(*found, strict=True):  # each is the ELBO of the q beside it, of the image as it is
        torch.testing.assert_close(likelihood.elbo(model, x, Code(mean, logvar), y), told, atol=1e-3, rtol=0)
    own = embed(model, x, y)
    torch.testing.assert_close(found.mean[0], own.mean, atol=1e-4, rtol=0)
    # An image climbs by itself: who stands beside it changes nothing.
    alone = likelihood.ladder(model, x[5:6], None if y is None else y[5:6])
    torch.testing.assert_close(alone.elbo[:, 0], found.elbo[:, 5], atol=0.01, rtol=0)


def read_linearly(off: tuple[float, float]):
    """A linear Gaussian VAE whose posterior has axes along the plane's, and whose encoder knows it, but for how far
    (in the posterior's σ) its means are `off`."""
    model = build(ModelConfig(kind="vae", encoder=(), decoder=(), likelihood="gaussian", sigma=0.5), seed=3)
    with torch.no_grad():
        weight, _ = torch.linalg.qr(torch.randn(784, 2, generator=torch.Generator().manual_seed(0)))
        model.decoder[0].weight.copy_(weight * torch.tensor([2.0, 5.0]))
        model.decoder[0].bias.zero_()
        variance = 1 / (1 + torch.tensor([4.0, 25.0]) / 0.25)
        by = variance[:, None] * model.decoder[0].weight.T / 0.25
        model.encoder[0].weight.copy_(torch.cat([by, torch.zeros(2, 784)]))
        model.encoder[0].bias.copy_(torch.cat([torch.tensor(off) * variance.sqrt(), variance.log()]))
    return model.eval().requires_grad_(False)


def test_each_rung_of_the_ladder_leaves_what_algebra_says():
    """A blank picture looks the same however it is moved. A mean that is off by e σ costs ½ e² nats; the first step is
    of length ½ and halves e, the next of length ¾ quarters it."""
    found = likelihood.ladder(read_linearly((1.0, -0.8)), torch.zeros(1, 784))
    lost = found.elbo.double()[:, 0] - likelihood.evidence(read_linearly((0.0, 0.0)), torch.zeros(1, 784)).log_p
    e = 0.5 * (1 + 0.64)
    assert lost.tolist() == pytest.approx([-e, -e, -e / 4, -e / 64, -e / 64], abs=2e-3)


def test_an_encoding_of_the_moved_image_is_chosen_for_the_image_as_it_is(digits):
    """An encoder that is right about one moved copy alone: without the copies the climb would start in the dark, and
    an encoding that is good for the *copy* is no answer."""
    model, x = read_linearly((0.0, 0.0)), digits.images[:1]
    right = embed(model, x)
    copies = max(way.encodings for way in likelihood.LADDER.values()) - 1
    moved = augment(x[0].expand(copies, -1), likelihood.MOVED, torch.Generator().manual_seed(0))
    away = moved[2] - x[0]
    wrong = right.mean[0] + 6 * torch.exp(0.5 * right.logvar[0])
    with torch.no_grad():
        model.encoder[0].weight[:2] = (right.mean[0] - wrong)[:, None] * away / away.square().sum()
        model.encoder[0].bias[:2] = wrong - model.encoder[0].weight[:2] @ x[0]
    found = likelihood.ladder(model, x)
    assert float(found.elbo[1, 0] - found.elbo[0, 0]) == pytest.approx(36, abs=0.1)
    torch.testing.assert_close(found.mean[1], right.mean, atol=1e-3, rtol=0)


def test_two_mirrored_modes_share_the_mass():
    """A decoder that sees only |z₁| makes each posterior symmetric: two modes, half of the mass each."""
    model = build(ModelConfig(kind="vae", encoder=(8,), decoder=(3,), activation="relu", likelihood="gaussian"), seed=0)
    with torch.no_grad():
        model.decoder[0].weight.copy_(torch.tensor([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0]]))
        model.decoder[0].bias.copy_(torch.tensor([0.0, 0.0, 5.0]))
        pattern = torch.randn(784, generator=torch.Generator().manual_seed(0))
        model.decoder[2].weight.copy_(torch.stack([pattern, pattern, pattern.flip(0)], 1))
        model.decoder[2].bias.zero_()
    model.eval().requires_grad_(False)
    x = model.decode(torch.tensor([[1.1, 0.4]]))[0]
    p = likelihood.posterior(model, x)
    assert len(p.modes) == 2
    torch.testing.assert_close(p.mass, torch.full((2,), 0.5).double(), atol=1e-4, rtol=0)
    torch.testing.assert_close(p.modes[:, 0].abs(), torch.full((2,), 1.1), atol=0.03, rtol=0)
    torch.testing.assert_close(p.modes[:, 0].sum(), torch.tensor(0.0), atol=1e-5, rtol=0)
    found = likelihood.evidence(model, x[None])
    assert found.modes.tolist() == [2]


def test_cells_hold_all_the_mass_and_lie_where_the_raster_says(shipped):
    """The heat map and the integral must be of the same density, right way up."""
    model, x, y = shipped
    p = likelihood.posterior(model, x[5], label_of(y, 5))
    assert float(p.log_density.exp().sum() * p.cell) == pytest.approx(1, abs=1e-9)
    top = p.z[p.log_density.argmax()]
    half = 3 * p.step
    bounds = (float(top[0]) - half, float(top[1]) - half, float(top[0]) + half, float(top[1]) + half + 2 * p.step)
    picture = likelihood.raster(model, x[5], bounds, 16, label_of(y, 5))
    row, column = divmod(int(picture.argmax()), 16)
    z = torch.tensor([bounds[0] + (column + 0.5) * 6 * p.step / 16, bounds[3] - (row + 0.5) * 8 * p.step / 16])
    assert float((z - top).abs().max()) < 1.5 * p.step
    assert float(picture.max()) - p.log_p == pytest.approx(float(p.log_density.max()), abs=0.05)


def test_every_label_of_a_conditional_model(digits):
    """log p(x | y) is what the label's posterior integrates to, and a digit's own label mostly explains it best."""
    model, _ = load("mnist-cvae-2d")
    found = torch.stack([likelihood.label_evidence(model, x) for x in digits.images[:10]])
    for y in (0, 7):
        expected = likelihood.posterior(model, digits.images[3], y).log_p
        assert float(found[3, y]) == pytest.approx(expected, abs=1e-4)
    assert int((found.argmax(1) == digits.labels[:10]).sum()) >= 7


@pytest.mark.parametrize("kind", ["blank", "white", "noise", "frame"])
def test_pictures_that_are_no_digits_give_finite_numbers(shipped, kind):
    """A visitor clears the pad or paints it full: mass beyond the lattice must be found, not lost."""
    model, _, y = shipped
    x = {
        "blank": torch.zeros(784),
        "white": torch.ones(784),
        "noise": (torch.rand(784, generator=torch.Generator().manual_seed(0)) < 0.5).float(),
        "frame": torch.nn.functional.pad(torch.zeros(20, 20), (4, 4, 4, 4), value=1.0).flatten(),
    }[kind]
    found = likelihood.ledger(model, x, label_of(y, 0))
    assert all(math.isfinite(v) for v in (*found[:2], *found.kl, *found[3:]))
    # Where q is almost as wide as the prior, its averages are known to a hundredth of the gap, else exactly.
    wide = math.exp(0.5 * float(embed(model, x[None], None if y is None else y[:1]).logvar.max())) > 0.2
    assert abs(found.log_p - found.elbo - found.posterior_kl) < (0.02 * found.posterior_kl if wide else 0.05)
    p = likelihood.posterior(model, x, label_of(y, 0))
    finer = likelihood.posterior(model, x, label_of(y, 0), halvings=1)
    assert p.log_p == pytest.approx(finer.log_p, abs=0.02)


def test_mass_beyond_the_lattice_is_found():
    """Codes beyond ±7 must make the lattice grow: here log p(x) has a closed form and its mass lies near z₁ = 11."""
    model = linear_gaussian(0.5, 0.5)
    x = model.decode(torch.tensor([[11.0, -1.0]]))
    weight, bias = model.decoder[0].weight.double(), model.decoder[0].bias.double()
    exact = LowRankMultivariateNormal(bias, weight, torch.full((784,), 0.25).double()).log_prob(x.double())
    torch.testing.assert_close(likelihood.evidence(model, x).log_p, exact, atol=0.01, rtol=1e-5)


def test_an_island_of_a_learned_prior_is_found():
    """The prior's other component lies far from the lattice, and at the lattice's edge nothing tells of it."""
    model = build(
        ModelConfig(kind="mixture", encoder=(), decoder=(), likelihood="gaussian", sigma=0.5, components=2), seed=3
    )
    place = torch.tensor([[0.5, 0.3], [16.0, -21.0]])  # the second tile is past eight more rings
    with torch.no_grad():
        model.decoder[0].weight.copy_(0.01 * torch.randn(784, 2, generator=torch.Generator().manual_seed(0)))
        model.decoder[0].bias.fill_(0.5)
        model.prior.mean.copy_(place)
        model.prior.log_sigma.fill_(-2.0)
        x = model.decode(place).clamp(0, 1)
        # An encoder that knows: the least squares' code, with q as narrow as the prior's components.
        inverse = torch.linalg.pinv(model.decoder[0].weight)
        model.encoder[0].weight.copy_(torch.cat([inverse, torch.zeros_like(inverse)]))
        model.encoder[0].bias.copy_(torch.cat([-inverse.sum(1) * 0.5, torch.full((2,), -6.0)]))
    weight, bias = model.decoder[0].weight.double(), model.decoder[0].bias.double()
    sigma = torch.exp(model.prior.log_sigma.double())
    parts = [
        model.prior.logits.log_softmax(0)[k].double()
        + LowRankMultivariateNormal(
            bias + weight @ model.prior.mean[k].double(), weight * sigma[k], torch.full((784,), 0.25).double()
        ).log_prob(x.double())
        for k in range(2)
    ]
    exact = torch.stack(parts).logsumexp(0)
    torch.testing.assert_close(likelihood.evidence(model, x).log_p, exact, atol=0.01, rtol=1e-5)


def blind_mixture(sigma: list[list[float]], mean: list[list[float]]):
    """A decoder that knows nothing of its code, under a prior of so many equal Gaussians: log p(x) is log p(x | z)."""
    config = ModelConfig(kind="mixture", encoder=(2,), decoder=(2,), components=len(mean))
    model = build(config, seed=0)
    with torch.no_grad():
        for part in (*model.encoder.parameters(), *model.decoder.parameters()):
            part.zero_()  # every pixel is a fair coin, every code 0
        model.prior.mean.copy_(torch.tensor(mean))
        model.prior.log_sigma.copy_(torch.tensor(sigma).log())
    return model.eval().requires_grad_(False)


@pytest.mark.parametrize(
    ("sigma", "mean"),
    [
        ([[1.0, 1.0], [0.02, 0.02]], [[0.0, 0.0], [0.0, 0.0]]),
        ([[1.0, 1.0], [0.05, 0.05]], [[0.0, 0.0], [0.0, 0.0]]),
        ([[6.0, 6.0], [0.1, 0.1]], [[0.0, 0.0], [0.0, 0.0]]),  # so wide that the step is never halved
        ([[1.0, 1.0], [0.01, 0.01]], [[0.0, 0.0], [20.3, 0.4]]),  # far from where the encoder points
        ([[1.0, 1.0], [5.0, 0.01]], [[0.0, 0.0], [-1.0, -1.06]]),  # a ridge
        ([[0.004, 0.004], [0.004, 0.004]], [[0.3, 0.1], [0.31, 0.1]]),  # nothing that is as wide as a cell
    ],
)
def test_no_gaussian_of_a_learned_prior_falls_between_the_cells(sigma, mean):
    """A narrow component that a lattice steps over takes its weight with it: half of all mass is log 2."""
    model = blind_mixture(sigma, mean)
    found = likelihood.evidence(model, torch.zeros(1, 784), modes=False)
    assert float(found.log_p) == pytest.approx(-784 * math.log(2), abs=1e-3)
    assert float(found.lost) < 1e-6


def test_land_of_a_learned_prior_that_the_encoder_does_not_point_to_is_found():
    """All of the image's mass lies in a wide component's flank, 16 units out; the lattice ends at 7, falling."""
    model = blind_mixture([[1.0, 1.0], [7.0, 7.0]], [[0.0, 0.0], [0.0, 0.0]])
    edge, width = 16.0, 0.3
    with torch.no_grad():
        first, last = model.decoder[0], model.decoder[-1]
        first.weight[0, 0], first.bias[0] = 1 / width, -edge / width  # beyond the edge z₁ says what 60 pixels are
        last.weight[:60, 0] = 4.0
    x = torch.cat([torch.ones(60), torch.zeros(724)])
    axis = torch.linspace(-60, 60, 24_001, dtype=torch.float64)
    codes = torch.stack([axis, torch.zeros_like(axis)], 1)
    along = torch.nn.functional.logsigmoid(model.double().decode(codes)[:, 0]) * 60
    density = torch.logaddexp(Normal(0, 1.0).log_prob(axis), Normal(0, 7.0).log_prob(axis)) - math.log(2)
    exact = torch.logsumexp(along + density, 0) + math.log(120 / 24_000) - 724 * math.log(2)
    found = likelihood.evidence(model.float(), x[None], modes=False)
    assert float(found.log_p) == pytest.approx(float(exact), abs=0.01)


def test_questions_that_cannot_be_answered(digits):
    """The message must say what is missing rather than give a wrong number."""
    x = digits.images[:1]
    with pytest.raises(LikelihoodError, match="no prior"):
        likelihood.evidence(load("mnist-ae-2d")[0], x)
    with pytest.raises(LikelihoodError, match="this model has 20"):
        likelihood.evidence(load("mnist-vae-20d")[0], x)
    with pytest.raises(LikelihoodError, match="name y"):
        likelihood.evidence(load("mnist-cvae-2d")[0], x)


def test_integrating_remembers_what_it_found(tmp_path):
    """Pages read percentiles from the file and means from the card: both must be of the same images."""
    config = Config(
        ModelConfig(kind="vae", encoder=(32,), decoder=(32,)), TrainingConfig(dataset="digits", epochs=3, batch_size=32)
    )
    model, _ = load_or_train(config, root=tmp_path)
    found = integrate(config.slug, root=tmp_path)
    stored, card = load_exact(config.slug, tmp_path), read_card(config.slug, tmp_path)
    test = data.load("digits", "test")
    direct = likelihood.evidence(model, test.images, modes=False).log_p
    torch.testing.assert_close(stored["log_p"].double(), direct, atol=1e-4, rtol=0)
    assert card["exact"] == found
    assert found["nll"] == pytest.approx(-float(direct.mean()), abs=1e-4)
    assert found["nelbo"] == pytest.approx(card["test"]["nelbo"], abs=0.5)
    best = stored["best_elbo"]
    assert (best >= stored["elbo"][: len(best)] - 1e-4).all()
    assert (best <= stored["log_p"][: len(best)] + 0.05).all()
    assert found["approximation"] + found["amortisation"] == pytest.approx(found["gap"], abs=1e-3)
    load_or_train(config, root=tmp_path, retrain=True)
    with pytest.raises(StorageError, match="exact"):  # the old numbers are not the new model's
        load_exact(config.slug, tmp_path)


@pytest.mark.parametrize("slug", [s for s in available() if "exact" in read_card(s)])
def test_shipped_exact_numbers_belong_to_their_model(slug, digits):
    """A model that was trained again would leave old numbers behind."""
    model, _ = load(slug)
    stored = load_exact(slug)
    few = slice(0, 12)
    found = likelihood.evidence(model, digits.images[few], digits.labels[few] if model.conditional else None)
    name = "bundled_" if "bundled_log_p" in stored else ""
    torch.testing.assert_close(stored[f"{name}log_p"][few].double(), found.log_p, atol=2e-3, rtol=0)
    assert stored[f"{name}modes"][few].tolist() == found.modes.tolist()
    assert (stored["elbo"] <= stored["log_p"] + 0.02).all()
