"""The aggregated posterior beside the prior: closed forms on toys, Monte Carlo, and what the cards say."""

import math

import pytest
import torch

from vae_core import aggregate, checkpoints, likelihood, losses, measures
from vae_core.models import Code
from vae_core.prior import Learned, log_normal

MODELS = [
    slug
    for slug in checkpoints.available()
    if "posterior" in checkpoints.read_card(slug) and checkpoints.read_card(slug)["latent_dim"] == 2
]


def posteriors(n: int, seed: int = 0) -> Code:
    generator = torch.Generator().manual_seed(seed)
    return Code(torch.randn(n, 2, generator=generator), 0.6 * torch.randn(n, 2, generator=generator) - 3)


def apart(n: int, sigma: float) -> Code:
    """n posteriors on a ring, so far from each other that they do not touch."""
    turn = torch.arange(n) * 2 * math.pi / n
    return Code(1.5 * torch.stack([turn.cos(), turn.sin()], -1), torch.full((n, 2), 2 * math.log(sigma)))


@pytest.mark.parametrize("n", [1, 2, 16])
def test_posteriors_that_do_not_touch_tell_which_image_it_was(n):
    """The closed form: the mutual information is log N, and KL(q(z) ‖ p) what is left of the mean KL."""
    code = apart(n, 0.05)
    found = aggregate.account(code)
    kl = losses.gaussian_kl(*code).sum(-1).mean().item()
    assert found.kl == pytest.approx(kl, abs=1e-3)  # z² averaged over a cell is h² / 12 more
    assert math.log(n) < found.information < math.log(n) + 0.1  # a cell's average blurs, and here h is every σ
    fine = aggregate.account(code, h=0.01)
    assert fine.information == pytest.approx(math.log(n), abs=4e-3)
    assert fine.divergence == pytest.approx(kl - math.log(n), abs=4e-3)
    assert fine.kl == pytest.approx(fine.information + fine.divergence)


def test_one_wide_posterior_has_the_holes_and_leaks_of_two_gaussians():
    """q = N(0, s² I) beside N(0, I): where one is below a tenth of the other begins at a radius, on both sides of s."""
    s = 0.5
    beyond = math.sqrt(math.log(1 / (s * s) / 0.1) / (0.5 / s**2 - 0.5))  # q < p / 10 outside of it
    crossing = math.sqrt(math.log(1 / (s * s)) / (0.5 / s**2 - 0.5))
    found = aggregate.account(Code(torch.zeros(1, 2), torch.full((1, 2), 2 * math.log(s))), h=0.01)
    assert found.holes == pytest.approx(math.exp(-0.5 * beyond**2), abs=2e-3) and found.leaks == 0
    assert found.apart == pytest.approx(math.exp(-0.5 * crossing**2) - math.exp(-0.5 * crossing**2 / s**2), abs=1e-3)
    wide = aggregate.account(Code(torch.zeros(1, 2), torch.full((1, 2), 2 * math.log(2.0))), h=0.02)
    edge = math.sqrt(math.log(4 / 0.1) / (0.5 - 0.125))  # p < q / 10 outside of it
    assert wide.leaks == pytest.approx(math.exp(-0.5 * edge**2 / 4), abs=2e-3) and wide.holes == 0


def learned(mean: torch.Tensor, sigma: torch.Tensor, weight: list[float] | None = None) -> Learned:
    """A prior of Gaussians (K, 2), of equal weight where none is named."""
    prior = Learned(len(mean), 2)
    with torch.no_grad():
        prior.mean.copy_(mean)
        prior.log_sigma.copy_(sigma.log())
        if weight:
            prior.logits.copy_(torch.tensor(weight).log())
    return prior.requires_grad_(False)


def one(sigma: float) -> Code:
    """N(0, σ² I)."""
    return Code(torch.zeros(1, 2), torch.full((1, 2), 2 * math.log(sigma)))


def test_half_of_a_prior_far_from_every_posterior_is_a_hole():
    """A lattice that ends where N(0, I) does would count only the half that it covers."""
    prior = learned(torch.tensor([[0.0, 0.0], [20.0, 0.0]]), torch.ones(2, 2))
    found = aggregate.account(one(1.0), prior)
    assert found.holes == pytest.approx(0.5, abs=1e-3) and found.apart == pytest.approx(0.5, abs=1e-3)
    assert found.divergence == pytest.approx(math.log(2), abs=1e-3)


def test_a_prior_narrower_than_every_posterior_is_resolved():
    """Closed forms of N(0, 0.1² I) beside N(0, 0.01² I); cells of 0.05 are five times as wide as all of the prior."""
    found = aggregate.account(one(0.1), learned(torch.zeros(1, 2), torch.full((1, 2), 0.01)))
    assert found.divergence == pytest.approx(2 * (math.log(0.01 / 0.1) + 0.5 * 100 - 0.5), abs=0.05)
    crossing = 0.01 * math.sqrt(2 * math.log(100) / 0.99)
    apart = math.exp(-0.5 * (crossing / 0.1) ** 2) - math.exp(-0.5 * (crossing / 0.01) ** 2)
    assert apart > 0.9 and found.apart == pytest.approx(apart, abs=5e-3)


def test_a_speck_of_the_prior_is_averaged_where_no_step_is_made_for_it():
    """A component of next to no weight, far narrower than a cell: its density at a cell's middle would be of 4 % more
    than all of the prior."""
    prior = learned(torch.tensor([[0.0, 0.0], [1.025, 1.025]]), torch.tensor([[1.0, 1.0], [2e-4, 2e-4]]), [1, 5e-5])
    found = aggregate.account(one(1.0), prior)
    assert abs(found.divergence) < 1e-3 and found.apart < 1e-3


def test_a_prior_that_no_lattice_holds_is_refused():
    """Otherwise: a table of a million cells a side, or numbers of the part that happens to lie on it."""
    prior = learned(torch.tensor([[0.0, 0.0], [300.0, 0.0]]), torch.ones(2, 2))
    with pytest.raises(likelihood.LikelihoodError, match="more than 5,120 of them a side"):
        aggregate.account(one(1.0), prior, h=0.05)
    specks = torch.cat([torch.zeros(1, 2), torch.full((400, 2), 50.0)])
    prior = learned(specks, torch.ones(401, 2), [1.0] + 400 * [9e-5])
    with pytest.raises(likelihood.LikelihoodError, match="of the prior's mass"):
        aggregate.account(one(1.0), prior)


def test_a_prior_that_is_the_posteriors_own_mixture_has_nothing_left():
    """The prior is whatever is handed in: a learned one is compared with itself, not with N(0, I)."""
    code = posteriors(12)
    own = learned(code.mean, torch.exp(0.5 * code.logvar))
    found = aggregate.account(code, own, h=0.02)
    assert abs(found.divergence) < 2e-3 and found.apart < 0.01 and max(found.holes, found.leaks) < 1e-9
    drawn = aggregate.estimate(code, own, draws=2000)
    assert abs(drawn.divergence[0]) < 1e-5 and found.information == pytest.approx(drawn.information[0], abs=0.05)


def test_a_posterior_much_narrower_than_a_cell_is_not_missed():
    """A density at the cells' middles would be of nothing or of far too much."""
    code = Code(torch.tensor([[0.013, -0.021], [1.0, 2.0]]), torch.full((2, 2), 2 * math.log(1e-4)))
    edges, _ = aggregate.lattice(7, 140)
    mass = aggregate.masses(code, edges)
    assert mass.sum().item() == pytest.approx(1) and mass.max().item() == pytest.approx(0.5)
    assert mass[70, 69].item() == pytest.approx(0.5)  # a row a z₁, a column a z₂


def test_cells_are_those_of_one_gaussian_after_the_other():
    """One product of matrices over batches, against each posterior's own density on a fine lattice."""
    code = posteriors(2 * 3)
    edges, middles = aggregate.lattice(8, 400)
    z = torch.cartesian_prod(middles, middles)
    each = torch.distributions.Normal(code.mean.double()[:, None], torch.exp(0.5 * code.logvar.double())[:, None])
    dense = each.log_prob(z).sum(-1).exp().mean(0).view(400, 400) * (16 / 400) ** 2
    assert (aggregate.masses(code, edges) - dense).abs().sum().item() < 0.02


@pytest.mark.parametrize("n", [3, 200])
def test_quadrature_and_draws_agree(n):
    code = posteriors(n, seed=n)
    found, drawn = aggregate.account(code, h=0.01), aggregate.estimate(code, draws=4000)
    for name, (mean, error) in drawn._asdict().items():
        assert abs(getattr(found, name) - mean) < 3 * error + 2e-3, name


def test_posteriors_that_no_lattice_resolves_are_refused():
    with pytest.raises(likelihood.LikelihoodError, match="more than 4,096 of them a side"):
        aggregate.step(Code(torch.zeros(100, 2), torch.full((100, 2), 2 * math.log(1e-4))))


@pytest.mark.parametrize("slug", MODELS)
def test_what_the_cards_say_holds_together(slug):
    """On every card: both ways within three standard errors, the sum, the cap of log N, and the card's own mean KL."""
    card = checkpoints.read_card(slug)
    found = measures.measured("posterior", slug)
    assert found is not None and found["command"] == f"python -m vae_core measure {slug} --what posterior"
    narrow = torch.exp(0.5 * checkpoints.load_codes(slug)["test_logvar"]).flatten().quantile(0.01).item()
    assert found["step"] <= 1.05 * narrow
    for name, row in found["rows"].items():
        assert row["kl"] == pytest.approx(row["information"] + row["divergence"], abs=2e-4), name
        assert 0 <= row["information"] <= math.log(row["images"]) + 1e-3 and row["divergence"] >= 0
        for key, drawn in row["monte_carlo"].items():
            assert abs(row[key] - drawn["mean"]) <= 3 * drawn["error"], (name, key)
    whole = list(found["rows"].values())[1 if card["dataset"]["name"] == "mnist" else 0]
    assert whole["split"] == "test" and whole["kl"] == pytest.approx(card["test"]["kl"], abs=2e-3)


def test_more_images_leave_smaller_holes():
    """What the page says of the finite sample."""
    rows = [list(measures.measured("posterior", f"mnist-{kind}-2d")["rows"].values()) for kind in ("vae", "cvae")]
    for few, some, same, most in rows:
        assert few["holes"] > some["holes"] >= most["holes"] and same["holes"] >= most["holes"]
        assert few["divergence"] > some["divergence"] > most["divergence"]


def test_the_pictures_beside_the_card_are_of_the_rows():
    """In the same order, and of densities: the one of 1,000 stored test codes is found again."""
    slug = "mnist-vae-2d"
    pictures, found = measures.densities(slug), measures.measured("posterior", slug)
    assert len(pictures["q"]) == len(found["rows"])
    edges, middles = aggregate.lattice(found["reach"], measures.PICTURED)
    area = (2 * found["reach"] / measures.PICTURED) ** 2
    codes = checkpoints.load_codes(slug)
    mine = aggregate.masses(Code(codes["test_mean"][:1000], codes["test_logvar"][:1000]), edges)
    assert (mine - pictures["q"][0] * area).abs().sum().item() < 0.05
    assert ((pictures["q"].double() * area).sum((1, 2)) - 1).abs().max().item() < 5e-3
    prior = log_normal(torch.cartesian_prod(middles, middles)).exp().view_as(pictures["prior"])
    assert torch.allclose(pictures["prior"].double(), prior, atol=1e-4)
