"""Questions to a model: geometry of grids, paths and draws."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from vae_core import latent, models
from vae_core.config import ModelConfig

MODEL = models.build(ModelConfig(kind="vae", encoder=(16,), decoder=(16,)))
FINITE = st.floats(-4, 4, width=32)


def test_the_grid_reads_like_a_map():
    """Row by row from the top: z₁ grows to the right, z₂ grows upwards, so a tile lies where its z lies."""
    z = latent.grid(3, 2.0, centre=(1.0, 0.0))
    assert z[0].tolist() == [-1, 2]
    assert z[2].tolist() == [3, 2]
    assert z[6].tolist() == [-1, -2]
    assert z[4].tolist() == [1, 0]


@settings(deadline=None)
@given(st.lists(FINITE, min_size=3, max_size=3), st.lists(FINITE, min_size=3, max_size=3), st.booleans())
def test_every_way_starts_at_a_and_ends_at_b(a, b, spherical):
    """Also at the origin, for equal and for opposite codes, where the arc is not defined."""
    a, b = torch.tensor(a), torch.tensor(b)
    way = latent.interpolate(a, b, torch.linspace(0, 1, 5), spherical=spherical)
    assert torch.isfinite(way).all()
    torch.testing.assert_close(way[0], a, atol=2e-3, rtol=1e-3)
    torch.testing.assert_close(way[-1], b, atol=2e-3, rtol=1e-3)


def test_the_spherical_way_keeps_the_distance_from_the_origin():
    """In 20 dimensions the straight way passes through lengths that N(0, I) hardly ever has."""
    a, b = torch.tensor([3.0, 0, 0]), torch.tensor([0, 3.0, 0])
    t = torch.linspace(0, 1, 9)
    torch.testing.assert_close(latent.interpolate(a, b, t, spherical=True).norm(dim=1), torch.full((9,), 3.0))
    assert latent.interpolate(a, b, t)[4].norm().item() == pytest.approx(3 / 2**0.5)


def test_the_fitted_gaussian_has_the_codes_mean_and_covariance():
    """Draws for deterministic models come from here; a wrong factor would make them unfair."""
    g = torch.Generator().manual_seed(0)
    codes = torch.randn(5000, 3, generator=g) @ torch.tensor([[2.0, 0, 0], [1, 0.5, 0], [0, 3, 0.1]]) + 4
    fitted = latent.fit_gaussian(codes)
    torch.testing.assert_close(fitted.mean, codes.mean(0))
    torch.testing.assert_close(fitted.factor @ fitted.factor.T, torch.cov(codes.T), rtol=1e-3, atol=1e-3)
    drawn = fitted.sample(20000, g)
    torch.testing.assert_close(torch.cov(drawn.T), torch.cov(codes.T), rtol=0.1, atol=0.1)


def test_a_dead_dimension_does_not_break_the_fit():
    codes = torch.stack([torch.arange(10.0), torch.zeros(10)], 1)
    assert torch.isfinite(latent.fit_gaussian(codes).factor).all()


def test_the_robust_scale_is_a_gaussians_own_and_forgets_a_few_far_codes():
    """A twentieth of the codes far out must not decide what a σ is; for a Gaussian it is the one everybody knows."""
    g = torch.Generator().manual_seed(0)
    codes = torch.randn(40_000, 2, generator=g) * torch.tensor([3.0, 0.5]) + torch.tensor([7.0, -1.0])
    clean = latent.robust_scale(codes)
    torch.testing.assert_close(clean.middle, codes.mean(0), atol=0.05, rtol=0)
    torch.testing.assert_close(clean.sigma, codes.std(0), atol=0, rtol=0.02)
    codes[:2000] *= 50
    torch.testing.assert_close(latent.robust_scale(codes).sigma, clean.sigma, atol=0, rtol=0.1)
    assert (codes.std(0) > 5 * clean.sigma).all()
    where = latent.Scale(torch.tensor([1.0, 2.0]), torch.tensor([2.0, 0.5]))
    assert where.distance(torch.tensor([[7.0, 4.0], [1.0, 2.0]])).tolist() == [5.0, 0.0]
    assert float(where.distance(torch.zeros(2), torch.tensor([6.0, 2.0]))) == 5.0


def test_the_robust_scale_is_scipys_and_survives_a_dead_dimension():
    from scipy import stats

    codes = torch.randn(999, 3, generator=torch.Generator().manual_seed(0)).exp()
    expected = stats.iqr(codes.numpy(), axis=0) / 1.349
    torch.testing.assert_close(latent.robust_scale(codes).sigma, torch.tensor(expected).float(), rtol=1e-5, atol=0)
    assert (latent.robust_scale(torch.zeros(10, 2)).sigma > 0).all()


def test_a_unit_that_mostly_sleeps_has_the_spread_of_its_work():
    """The quartiles of a sparse unit are 0 and 0: in such a σ every image that uses it would lie a million σ away."""
    g = torch.Generator().manual_seed(0)
    codes = torch.randn(20_000, 3, generator=g).abs() * torch.tensor([2.0, 1.0, 3.0])
    used = torch.tensor([0.1, 0.3, 1.0])
    codes *= torch.rand(20_000, 3, generator=g) < used
    sigma = latent.robust_scale(codes).sigma
    torch.testing.assert_close(sigma[:2], codes.std(0, correction=0)[:2])
    low, high = torch.quantile(codes[:, 2], torch.tensor([0.25, 0.75]))
    torch.testing.assert_close(sigma[2], (high - low) / 1.349)
    assert latent.order_dimensions(codes, None)[0].tolist() == codes.std(0).argsort(descending=True).tolist()


def test_dimensions_are_ordered_by_kl_or_by_spread():
    """An idle dimension of a VAE has a large spread of nothing: the KL must decide there."""
    mean = torch.tensor([[0.0, 3.0, 0.1], [0.0, -3.0, -0.1]])
    logvar = torch.tensor([[0.0, -1.0, -8.0]]).expand(2, 3)
    order, worth = latent.order_dimensions(mean, logvar)
    assert order.tolist() == [1, 2, 0]
    assert worth[-1] == 0
    order, worth = latent.order_dimensions(mean, None)
    assert order.tolist() == [1, 2, 0]
    assert worth[0].item() == pytest.approx((3 / 1.349) ** 2)  # quartiles of −3 and 3: −1.5 and 1.5


def test_neighbours_are_those_of_scikit_learn():
    from sklearn.neighbors import NearestNeighbors

    codes = torch.randn(200, 5, generator=torch.Generator().manual_seed(0))
    index, distance = latent.neighbours(codes, codes[7], 6)
    want_distance, want_index = NearestNeighbors(n_neighbors=6).fit(codes).kneighbors(codes[7:8])
    assert index.tolist() == want_index[0].tolist()
    torch.testing.assert_close(distance, torch.from_numpy(want_distance[0]).float(), atol=1e-3, rtol=1e-3)


def test_embed_and_decode_agree_with_the_model_in_batches():
    x = torch.rand(45, 784, generator=torch.Generator().manual_seed(1))
    code = latent.embed(MODEL, x, batch=7)
    with torch.inference_mode():
        torch.testing.assert_close(code.mean, MODEL.encode(MODEL.observe(x)).mean)
        torch.testing.assert_close(latent.decode(MODEL, code.mean, batch=7), MODEL.pixels(code.mean))
