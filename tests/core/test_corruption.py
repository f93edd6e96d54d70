"""Corruptions do what their names say, in the amounts they state, and again the same for the same seed."""

import pytest
import torch
from scipy.ndimage import gaussian_filter

from vae_core import corruption, data


def gen(seed=0):
    return torch.Generator().manual_seed(seed)


GREY = torch.full((40, 784), 0.5)


@pytest.mark.parametrize("amount", [0.0, 0.25, 0.7])
def test_masking_sets_the_stated_share_to_zero_and_touches_nothing_else(amount):
    """The share decides every denoising number; 4.5 standard errors of a binomial are allowed."""
    out = corruption.corrupt(GREY, "masking", amount, gen())
    share = (out == 0).double().mean().item()
    assert abs(share - amount) <= 4.5 * (amount * (1 - amount) / out.numel()) ** 0.5
    assert set(out.unique().tolist()) <= {0.0, 0.5}


@pytest.mark.parametrize("amount", [0.0, 0.1, 0.4])
def test_salt_and_pepper_hit_equally_often(amount):
    """With a lopsided draw a median filter would be judged on another noise than the models."""
    out = corruption.corrupt(GREY, "salt_pepper", amount, gen())
    slack = 4.5 * (0.25 / out.numel()) ** 0.5
    assert abs((out == 1).double().mean().item() - amount / 2) <= slack
    assert abs((out == 0).double().mean().item() - amount / 2) <= slack


def test_gaussian_noise_has_the_stated_sigma_before_clipping():
    """Grey 0.5 with σ = 0.1 is hardly ever clipped, so σ can be read off."""
    out = corruption.corrupt(GREY, "gaussian", 0.1, gen())
    assert out.sub(0.5).std().item() == pytest.approx(0.1, rel=0.02)
    strong = corruption.corrupt(GREY, "gaussian", 0.7, gen())
    assert strong.min() == 0
    assert strong.max() == 1


@pytest.mark.parametrize("sigma", [0.5, 1.0, 2.0])
def test_blur_is_scipys_gaussian_filter(sigma):
    """Another implementation of the same convolution, zeros outside."""
    x = torch.zeros(1, 28, 28)
    x[0, 8:20, 12:16] = 1
    want = gaussian_filter(x[0].numpy(), sigma, mode="constant", truncate=10)
    got = corruption.corrupt(x.view(1, -1), "blur", sigma, gen()).view(28, 28)
    torch.testing.assert_close(got, torch.from_numpy(want), atol=2e-5, rtol=0)


@pytest.mark.parametrize("kind", corruption.CORRUPTIONS)
def test_same_seed_same_picture_in_range_and_nothing_at_zero(kind):
    """Pictures that jitter at every rerun could not be compared."""
    x = torch.rand(5, 784, generator=gen(1))
    a, b = (corruption.corrupt(x, kind, 0.3, gen(4)) for _ in range(2))
    assert torch.equal(a, b)
    assert a.min() >= 0
    assert a.max() <= 1
    torch.testing.assert_close(corruption.corrupt(x, kind, 0.0, gen()), x)


@pytest.mark.parametrize("kind", corruption.CORRUPTIONS)
def test_each_row_says_the_truth_of_itself(kind):
    """Pages ask the row: a slider that starts nowhere, an amount that does nothing, chance where there is none."""
    row = corruption.CORRUPTIONS[kind]
    assert list(row.amounts) == sorted(set(row.amounts)) and 0 < row.amounts[0] and row.start in row.amounts
    x = data.load("digits", "test").images[:20]
    moved = [(corruption.corrupt(x, kind, amount, gen()) - x).square().sum().item() for amount in row.amounts]
    assert moved == sorted(moved) and moved[0] > 0
    one, other = (corruption.corrupt(x, kind, row.start, gen(seed)) for seed in (0, 1))
    assert torch.equal(one, other) == (row.noise is None)


def test_a_row_is_all_that_a_newcomer_adds(monkeypatch):
    """Whatever is trained on joins the mixture, in equal shares; whatever is not leaves it as it was to the bit."""
    x = torch.full((4000, 784), 0.5)
    before = corruption.corrupt_mixed(x, gen())
    upside = corruption.Corruption(
        "Inverted", "share", (0.5, 1.0), 0.5, False, None, lambda x, a, _: x + a * (1 - 2 * x)
    )
    monkeypatch.setitem(corruption.CORRUPTIONS, "inverted", upside)
    assert corruption.corrupt(torch.ones(2, 784), "inverted", 1.0, gen()).max() == 0
    assert torch.equal(corruption.corrupt_mixed(x, gen()), before)
    dark = upside._replace(trained_on=True, spoil=lambda x, a, _: x * 0 + 0.25)
    monkeypatch.setitem(corruption.CORRUPTIONS, "inverted", dark)
    mixed = corruption.corrupt_mixed(x, gen())
    assert (mixed == 0.25).all(1).float().mean() == pytest.approx(0.9 / 4, abs=0.03)


def test_each_image_can_have_its_own_amount():
    """The training mixture relies on it."""
    out = corruption.corrupt(torch.ones(2, 784), "masking", torch.tensor([0.0, 1.0]), gen())
    assert out.mean(1).tolist() == [1.0, 0.0]


def test_the_training_mixture_holds_clean_images_and_every_kind():
    """A DAE that never sees a clean image damages clean images; one that misses a kind cannot restore it."""
    x = torch.full((6000, 784), 0.5)
    out = corruption.corrupt_mixed(x, gen())
    clean = (out == x).all(1)
    noisy = ((out != 0) & (out != 1) & (out != 0.5)).any(1)
    white = (out == 1).any(1) & ~noisy
    masked = ~clean & ~noisy & ~white
    shares = [v.double().mean().item() for v in (clean, masked, white, noisy)]
    assert shares == pytest.approx([0.1, 0.3, 0.3, 0.3], abs=0.03)
    assert sum(shares) == pytest.approx(1)


def test_flip_inverts_the_stated_share():
    """Flips are the only noise a VAE's encoder may be trained with; the card states the share."""
    out = corruption.flip(torch.zeros(50, 784), 0.03, gen())
    assert out.mean().item() == pytest.approx(0.03, abs=0.003)


def test_bad_kind_and_amount_are_sentences():
    with pytest.raises(ValueError, match="must be one of masking"):
        corruption.corrupt(GREY, "fog", 0.1, gen())
    with pytest.raises(ValueError, match="cannot be negative"):
        corruption.corrupt(GREY, "masking", -0.1, gen())
