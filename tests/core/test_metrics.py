"""What judges: against scikit-learn, SciPy and counting by hand."""

import numpy as np
import pytest
import torch

from vae_core import data, latent, metrics, models
from vae_core.config import ModelConfig
from vae_core.corruption import CORRUPTIONS


@pytest.fixture(scope="module")
def digits():
    return data.load("digits", "test")


@pytest.mark.parametrize("kind", ["ae", "vae", "cvae"])
def test_per_image_terms_are_the_models_own_and_repeat(kind, digits):
    """The same seed gives the same numbers, whatever the batch; the mean's terms need no seed at all."""
    model = models.build(ModelConfig(kind=kind, encoder=(16,), decoder=(16,)))
    a = metrics.per_image(model, *digits, samples=3)
    b = metrics.per_image(model, *digits, samples=3)
    x = model.observe(digits.images)
    with torch.inference_mode():
        code = model.encode(x, digits.labels)
        torch.testing.assert_close(a.reconstruction_at_mean, model.nll(x, model.decode(code.mean, digits.labels)))
    for one, two in zip(a, b, strict=True):
        assert (one is None) == (two is None)
        assert one is None or torch.equal(one, two)
    scores = metrics.summary(a)
    assert ("nelbo" in scores) == (kind != "ae")
    if kind != "ae":
        assert scores["nelbo"] == pytest.approx(scores["reconstruction"] + scores["kl"])


def test_more_samples_estimate_the_same_expectation(digits):
    """An ELBO whose mean depends on the number of draws would be an importance-weighted bound in disguise."""
    model = models.build(ModelConfig(encoder=(16,), decoder=(16,)))
    one = metrics.per_image(model, *digits, samples=1, seed=1).reconstruction
    many = metrics.per_image(model, *digits, samples=40, seed=2).reconstruction
    difference = (one - many).double()
    assert abs(difference.mean()) < 4.5 * difference.std() / len(difference) ** 0.5


def test_restoration_counts():
    clean = torch.zeros(1, 784)
    clean[0, :100] = 1
    spoilt = clean.clone()
    spoilt[0, :7] = 0.2
    r = metrics.restoration(spoilt, clean)
    assert r.wrong.item() == pytest.approx(7 / 784)
    assert r.mse.item() == pytest.approx(7 * 0.64 / 784)
    assert r.psnr.item() == pytest.approx(10 * np.log10(784 / (7 * 0.64)), abs=1e-3)
    assert r.nats.item() == pytest.approx(-7 * np.log(0.2) - 777 * np.log(1 - 1e-4), rel=1e-4)
    assert torch.isfinite(metrics.restoration(1 - clean, clean).nats).all()


def test_the_median_filter_removes_lone_dots_and_keeps_a_block():
    x = torch.zeros(1, 28, 28)
    x[0, 10:18, 10:18] = 1
    x[0, 3, 3] = 1
    out = metrics.median_filter(x.view(1, -1), 3).view(28, 28)
    assert out[3, 3] == 0
    assert out[11:17, 11:17].min() == 1


def test_pca_is_the_best_linear_code_of_its_training_images(digits):
    """More components must not hurt; with all of them nothing is lost but clipping."""
    train = data.load("digits", "train")
    errors = [metrics.pca_mse(train.images, train.images, d) for d in (2, 20, 784)]
    assert errors[0] > errors[1] > errors[2]
    assert errors[2] < 1e-8
    assert metrics.pca_mse(train.images, digits.images, 20) == pytest.approx(errors[1], rel=0.2)


def test_the_spoilt_test_images_are_the_same_for_everybody(digits):
    """A model and a baseline judged on different noise could not be compared."""
    a, b = (metrics.corrupted_test(digits.images, "gaussian", 0.5)[1] for _ in range(2))
    assert torch.equal(a, b)


def test_label_agreement_counts_what_the_judge_sees():
    """With a judge that always says 3, exactly a tenth of the ten labels agree."""

    class Three:
        def label(self, x):
            return torch.full((len(x),), 3)

    model = models.build(ModelConfig(kind="cvae", encoder=(8,), decoder=(8,)))
    assert metrics.label_agreement(model, Three(), per_class=5) == 0.1


def test_every_amount_that_is_offered_is_measured(digits):
    """The Restore page shows a test mean beside each choice, those of a row that is added later included."""
    model = models.build(ModelConfig(kind="ae", encoder=(8,), decoder=(8,))).eval()
    found = metrics.denoising(model, digits.images[:20], digits.labels[:20])
    wanted = {kind: [f"{amount:g}" for amount in row.amounts] for kind, row in CORRUPTIONS.items()}
    assert {kind: list(scores) for kind, scores in found.items()} == wanted


def test_the_ridge_is_scikit_learns():
    """An intercept that is shrunk, or a λ of another scale, would make a weaker rival than the name promises."""
    from sklearn.linear_model import Ridge

    g = torch.Generator().manual_seed(0)
    x, y = torch.rand(900, 30, generator=g), torch.rand(900, 4, generator=g) + 3
    parts = [metrics._moments(x[rows], y[rows]) for rows in (slice(500), slice(500, None))]
    moments = [a + b for a, b in zip(*parts, strict=True)]
    for strength, found in metrics._ridges(moments, (0.01, 10.0)):
        known = Ridge(alpha=strength).fit(x.double(), y.double())
        torch.testing.assert_close(found.weight.T, torch.tensor(known.coef_).float(), atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(found.bias, torch.tensor(known.intercept_).float(), atol=1e-4, rtol=1e-4)


def test_a_fitted_ridge_restores_better_than_nothing_and_knows_no_test_image(digits):
    """λ is chosen on training images that the regression has not seen; what comes is a picture."""
    train = data.load("digits", "train").images
    ridge, strength = metrics.fit_ridge(train, "gaussian", 0.5)
    assert strength in metrics.RIDGE_LAMBDAS and strength > min(metrics.RIDGE_LAMBDAS)  # few images want a ridge
    clean, spoilt = metrics.corrupted_test(digits.images, "gaussian", 0.5)
    restored = ridge(spoilt)
    assert 0 <= restored.min() and restored.max() <= 1
    assert metrics.restoration(restored, clean).psnr.mean() > metrics.restoration(spoilt, clean).psnr.mean() + 2
    again, _ = metrics.fit_ridge(train, "gaussian", 0.5)
    assert torch.equal(ridge.weight, again.weight)


def test_a_leak_is_found_where_there_is_one_and_nowhere_else():
    """A reader that is too weak, or that is asked about codes it has learned by heart, would call any style free."""
    g = torch.Generator().manual_seed(0)
    y = torch.randint(4, (6000,), generator=g)
    wide, narrow = torch.full((6000, 3), 0.0), torch.full((6000, 3), -9.0)
    ring = torch.stack([(y == 0) | (y == 3), (y == 1) | (y == 3), y > 9], 1).float() * 4 - 2
    split = slice(5000), slice(5000, None)

    def found(mean, logvar, *, sample):
        train, test = (models.Code(mean[rows], logvar[rows]) for rows in split)
        return metrics.leak(train, y[split[0]], test, y[split[1]], sample=sample)

    told = found(ring, narrow, sample=True)
    assert told.accuracy > 0.99 and told.nats == pytest.approx(np.log(4), abs=0.05)
    nothing = found(torch.randn(6000, 3, generator=g), wide, sample=True)
    assert nothing.accuracy < 0.35 and nothing.nats < 0.02
    # The means tell what draws of a wide q hide: what was measured must be the one that its name says.
    hidden = [found(ring, wide + 3, sample=sample).accuracy for sample in (False, True)]
    assert hidden[0] > 0.99 and hidden[1] < 0.75
    assert found(ring, wide + 3, sample=True) == found(ring, wide + 3, sample=True)


def test_a_linear_reader_does_not_see_what_a_network_sees():
    """Labels in the corners of a square, crosswise: no line parts them, and who asks a linear reader finds no leak."""
    g = torch.Generator().manual_seed(0)
    corner = torch.randint(4, (6000,), generator=g)
    y = (corner == 1) | (corner == 2)
    mean = torch.stack([corner % 2, corner // 2], 1).float() * 4 - 2
    codes = [models.Code(mean[rows], torch.full_like(mean[rows], -2)) for rows in (slice(5000), slice(5000, None))]

    def found(hidden):
        return metrics.leak(codes[0], y[:5000].long(), codes[1], y[5000:].long(), sample=True, hidden=hidden)

    assert found(metrics.HIDDEN).accuracy > 0.99 and found(metrics.HIDDEN).nats > 0.6
    assert found(()).accuracy < 0.8 and found(()).nats < 0.02


class Striped:
    """A judge that sees in a picture which of its ten rows of pixels is brightest, and a digit where one is bright."""

    def label(self, x):
        return x[:, :280].view(-1, 10, 28).mean(-1).argmax(-1)

    def is_digit(self, x):
        return x[:, :280].view(-1, 10, 28).mean(-1).amax(-1) > 0.5


def striped(leaks: float) -> models.Autoencoder:
    """A CVAE of ten numbers whose decoder draws a stripe for the label it is told, and another, `leaks` times as
    bright, for the label that the encoder was told: it stands in the code whole."""
    model = models.build(ModelConfig(kind="cvae", encoder=(), decoder=(), latent_dim=10)).eval()
    with torch.no_grad():
        for layer in (model.encoder[-1], model.decoder[-1]):
            layer.weight.zero_()
            layer.bias.zero_()
        model.encoder[-1].weight[:10, 784:] = torch.eye(10)
        model.encoder[-1].bias[10:] = -9
        model.decoder[-1].bias.fill_(-4)
        stripes = torch.eye(10).repeat_interleave(28, 0)
        model.decoder[-1].weight[:280, 10:] = 8 * stripes
        model.decoder[-1].weight[:280, :10] = 8 * leaks * stripes
    return model


@pytest.mark.parametrize(("leaks", "asked", "old"), [(0.0, 1.0, 0.0), (0.9, 1.0, 0.0), (1.2, 0.0, 1.0)])
def test_a_swap_shows_the_label_that_the_code_holds_where_it_outshines_the_other(leaks, asked, old):
    """Otherwise a model that draws what the encoder was told counts as one whose codes hold the hand alone."""
    y = torch.arange(10).repeat(5)
    found = metrics.swap(striped(leaks), Striped(), torch.rand(50, 784), y, batch=7)
    assert found == (asked, old, 1.0)


def test_wrong_hypotheses_are_compared_with_the_true_label():
    """By hand: three images, three labels; what falls, to the nearest wrong one, and how often the true one wins."""
    elbos = torch.tensor([[-10.0, -14, -30], [-20, -18, -50], [-5, -9, -6]])
    found = metrics.hypotheses(elbos, torch.tensor([0, 1, 2]))
    fall = torch.tensor([4.0, 20, 2, 32, -1, 3])
    assert found.mean == pytest.approx(fall.mean().item()) and found.median == fall.median().item()
    assert found.nearest == pytest.approx((4 + 2 - 1) / 3) and found.nearest_median == 2
    assert found.true == pytest.approx(2 / 3)


def test_the_elbo_under_each_label_is_that_of_one_image_under_all_of_them(digits):
    """It falls where the label is wrong, in a model that draws by label; and batches change nothing."""
    model = striped(0.0)
    x = torch.zeros(3, 784)
    for i, y in enumerate((2, 5, 7)):
        x[i, 28 * y : 28 * y + 28] = 1
    elbos = metrics.label_elbos(model, x, samples=2, batch=2)
    assert elbos.argmax(1).tolist() == [2, 5, 7]
    one = latent.label_elbos(model, x[0], torch.Generator().manual_seed(3), samples=5)
    torch.testing.assert_close(elbos[0], one, atol=0.02, rtol=0)
    # A row that is wrongly bright and one that is wrongly dark, 28 pixels of 8 nats each.
    assert metrics.hypotheses(elbos, torch.tensor([2, 5, 7])).mean == pytest.approx(2 * 28 * 4, rel=0.01)


def test_accepted_draws_are_counted_over_labels_and_codes():
    """A judge that accepts what is bright, and a decoder that is bright for one label in ten: a tenth."""

    class Bright:
        def is_digit(self, x):
            return x.mean(1) > 0.9

    model = models.build(ModelConfig(kind="cvae", encoder=(8,), decoder=()))
    with torch.no_grad():
        model.decoder[-1].weight.zero_()
        model.decoder[-1].bias.fill_(-9)
        model.decoder[-1].weight[:, 2 + 7] = 20  # of the one-hot label beside z
    share = metrics.accepted_draws(model.eval(), Bright(), latent.standard_normal(2), n=4000)
    assert share == pytest.approx(0.1)
