"""Code size: rounding as NumPy does it, other compressors as they are, and cards that say what is found again."""

import io
import itertools
import math
import zlib

import numpy as np
import pytest
import torch
from PIL import Image

from ui.parts.links import SIZE_BITS
from vae_core import checkpoints, code_size, data, latent, losses, measures
from vae_core.code_size import BITS
from vae_core.config import Config, TrainingConfig
from vae_core.models import Code


@pytest.mark.parametrize("bits", BITS)
def test_a_number_comes_into_the_middle_of_its_step(bits):
    """Against NumPy's bins: never further than half a step inside the bounds, and no more values than the bits tell."""
    rng = np.random.default_rng(0)
    z = torch.from_numpy(rng.normal(size=(3000, 4)).astype(np.float32) * [1, 5, 0.01, 100]).float()
    within = code_size.spanned(z)
    found = code_size.rounded(z, within, bits).numpy()
    for j in range(z.shape[1]):
        low, high = float(within.low[j]), float(within.high[j])
        edges = np.linspace(low, high, 2**bits + 1)
        middles = (edges[:-1] + edges[1:]) / 2
        inside = (z[:, j].numpy() > low) & (z[:, j].numpy() < high)
        assert 0.995 < inside.mean() < 1
        expected = middles[np.clip(np.digitize(z[:, j].numpy(), edges) - 1, 0, 2**bits - 1)]
        off = np.abs(found[:, j] - expected)
        assert (off < 1e-4 * (high - low)).mean() > 0.998  # a number upon an edge may fall to either side
        assert np.abs(found[inside, j] - z[inside, j].numpy()).max() <= (high - low) / 2**bits / 2 * 1.001
        assert len(np.unique(found[:, j])) <= 2**bits


def test_a_number_that_never_varies_is_kept():
    """A dead unit has no range, and a division by it would make the whole code no number."""
    z = torch.full((50, 2), 3.0)
    assert torch.allclose(code_size.rounded(z, code_size.spanned(z), 1), z, atol=1e-5)


def test_more_bits_never_draw_worse_on_the_whole():
    """Of a real model on the bundled digits: the loss falls to that of the code itself."""
    model, _ = checkpoints.load("digits-vae-2d")
    images, labels = data.load("digits", "test")
    z = latent.embed(model, images, labels).mean
    within = code_size.spanned(checkpoints.load_codes("digits-vae-2d")["train_mean"])
    nats = [float(code_size.drawn(model, images, code_size.rounded(z, within, b)).nats.mean()) for b in BITS]
    exact = code_size.drawn(model, images, z)
    assert all(a > b for a, b in itertools.pairwise(nats[:5]))
    assert abs(nats[-1] - float(exact.nats.mean())) < 0.1
    torch.testing.assert_close(exact.nats, losses.bernoulli_nll(model.decode(z), model.observe(images)))


def test_other_compressors_lose_nothing_and_are_counted_whole():
    """The bits that are told are those of files from which the very digit comes back."""
    images = (data.load("digits", "test").images[:20] >= 0.5).numpy()
    for image in images:
        packed = zlib.compress(np.packbits(image).tobytes(), 9)
        assert code_size.as_zlib(image) == 8 * len(packed)
        buffer = io.BytesIO()
        Image.fromarray(image.reshape(28, 28)).save(buffer, "PNG", optimize=True)
        assert code_size.as_png(image) == 8 * len(buffer.getvalue())
        np.testing.assert_array_equal(np.asarray(Image.open(buffer)).ravel(), image)
    assert math.isclose(code_size.BITS_OF_A_NAT, math.log2(math.e))


def test_codes_that_lie_in_heaps_are_read_and_those_that_do_not_are_guessed():
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(4).repeat(200)
    heaps = 20 * torch.eye(4)[labels] + torch.randn(800, 4, generator=generator)
    assert code_size.probe(heaps[:400], labels[:400], heaps[400:], labels[400:]) == 1
    mere = torch.randn(800, 4, generator=generator)
    assert 0.15 < code_size.probe(mere[:400], labels[:400], mere[400:], labels[400:]) < 0.35


def test_a_dimension_is_in_use_where_the_prior_does_not_say_as_much():
    n = 500
    mean = torch.zeros(n, 3)
    mean[:, 0] = torch.randn(n, generator=torch.Generator().manual_seed(0))
    logvar = torch.tensor([-3.0, 0.0, 0.01]).expand(n, 3)
    assert code_size.active(Code(mean, logvar)) == 1
    assert code_size.active(Code(mean, None)) is None


def test_the_pages_bits_are_the_cores():
    assert SIZE_BITS == BITS


def test_few_codes_are_kept_where_that_is_asked(tmp_path):
    """A ladder of models has no room for ten thousand training codes each; nothing else of it changes."""
    train, test = (data.load("digits", split) for split in ("train", "test"))
    model, _ = checkpoints.load("digits-vae-2d")
    whole, scores, _ = checkpoints.assess(model, "digits", train, test)
    few, same, _ = checkpoints.assess(model, "digits", train, test, kept=30)
    assert scores == same and len(few["train_mean"]) == len(few["train_label"]) == 30
    assert all(torch.equal(few[name], whole[name]) for name in whole if name.startswith("test_"))
    assert torch.equal(few["train_mean"], whole["train_mean"][:30])
    assert Config(training=TrainingConfig(kept=30)).slug == Config().slug


@pytest.mark.parametrize("slug", ["mnist-vae-20d", "mnist-ae-3d-ladder", "mnist-pca-10d-ladder", "mnist-cvae-20d"])
def test_the_cards_say_what_is_found_again(slug, mnist_dir):
    subject = measures.Subject(slug, data_folder=mnist_dir)
    names = ["bits"] if subject.model.conditional else ["bits", "probe"]
    for name in names:
        assert measures.agrees(name, measures.MEASURES[name].find(subject), subject.kept(name)), name


def test_every_shipped_model_of_mnist_was_measured():
    for slug in filter(lambda slug: slug.startswith("mnist-"), checkpoints.available()):
        model, _ = checkpoints.load(slug)
        assert measures.measured("bits", slug), slug
        assert model.conditional or measures.measured("probe", slug), slug
