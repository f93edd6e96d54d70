"""Arrows: attributes against drawings whose stroke is known, and steps that move what they are asked to move."""

import math

import numpy as np
import pytest
import torch

from vae_core import arrows, checkpoints, data, latent, measures
from vae_core.arrows import ATTRIBUTES
from vae_core.storage import StorageError

SIDE = 28
ROW, COLUMN = np.mgrid[:SIDE, :SIDE] + 0.5


def bar(width: float = 4, degrees: float = 0, length: float = 20, shift: tuple[float, float] = (0, 0)) -> torch.Tensor:
    """An upright bar, sheared to the right by so many degrees: (784,), its edge as wide as a pixel."""
    y, x = ROW - SIDE / 2 - shift[0], COLUMN - SIDE / 2 - shift[1]
    x = x + math.tan(math.radians(degrees)) * y
    ink = np.clip(width / 2 - np.abs(x) + 0.5, 0, 1) * np.clip(length / 2 - np.abs(y) + 0.5, 0, 1)
    return torch.from_numpy(ink.astype(np.float32)).flatten()


@pytest.mark.parametrize("degrees", [-30, -12, 0, 5, 25])
@pytest.mark.parametrize("shift", [(0, 0), (2, -3)])
def test_a_sheared_bar_has_the_slant_that_it_was_sheared_by(degrees, shift):
    """To the right is positive, wherever the bar stands and however faint it is."""
    found = arrows.slant(torch.stack([bar(3, degrees, shift=shift), 0.3 * bar(3, degrees, shift=shift)]))
    np.testing.assert_allclose(found, degrees, atol=0.5)


@pytest.mark.parametrize("width", [2, 3, 4, 6])
def test_a_bar_is_as_thick_as_it_is_wide(width):
    """In pixels. A sheared bar is thinner across by the cosine, and its skeleton runs into its corners."""
    upright, leaning = arrows.thickness(torch.stack([bar(width), bar(width, 25)]))
    assert abs(upright - width) <= 0.5
    assert abs(leaning - width * math.cos(math.radians(25))) <= 0.2 + 0.1 * width


def test_strokes_are_in_order_and_an_empty_picture_has_none():
    """Otherwise a regression is fitted on nonsense, or ends in an exception at a blank drawing."""
    found = arrows.attributes(torch.stack([bar(w) for w in (2, 4, 6, 8)] + [torch.zeros(784)]))
    assert (np.diff(found[:4, 0]) > 0.5).all()
    assert np.isnan(found[4]).all()


# Fitted ---------------------------------------------------------------------------------------------------------------


class Bars:
    """A decoder whose code is known: its first number is a bar's width, its second the slant, and the fourth is looked
    at by nobody. The third is which of two classes it is: a bar, or a short one."""

    conditional = False

    def pixels(self, z: torch.Tensor, labels: torch.Tensor | None) -> torch.Tensor:
        return torch.stack([bar(float(3 + w), float(5 * s), 20 if c < 0 else 12) for w, s, c, _ in z])


class LongOrShort:
    """Its judge: 0 is long, 1 is short, and all that has ink is a digit."""

    def label(self, x: torch.Tensor) -> torch.Tensor:
        return ((x.view(-1, SIDE, SIDE).amax(2) > 0.3).sum(1) < 16).long()

    def is_digit(self, x: torch.Tensor) -> torch.Tensor:
        return x.sum(1) > 0


@pytest.fixture(scope="module")
def toy():
    """Codes, labels and attributes, where a dead number, of tiny variance, tells the width better than the live one."""
    generator = torch.Generator().manual_seed(0)
    z = torch.randn(600, 4, generator=generator) * torch.tensor([0.6, 1.0, 0.05, 0.0])
    labels = (torch.arange(600) % 2).long()
    z[:, 2] += 2 * labels - 1
    z[:, 0] += 0.3 * labels  # short ones are thicker, so that an arrow through both would make long ones short
    found = arrows.attributes(Bars().pixels(z, None))
    z[:, 3] = 1e-3 * torch.from_numpy(found[:, 0] - found[:, 0].mean()).float()
    z[:, 0] += 0.3 * torch.randn(600, generator=generator)
    return z, labels, found


def test_the_weights_of_a_regression_can_be_dead_and_the_arrow_is_not(toy):
    """The regression's own weights lie along the number that nobody looks at: asked for 2 sd they draw the same bar."""
    z, labels, found = toy
    step = arrows.fit(z, labels, found, 2)
    sd, start = found.std(0), torch.tensor([[0.0, 0.0, -1.0, 0.0]])
    target = (found[:, 0] - found[:, 0].mean()) / sd[0]
    w = torch.linalg.lstsq((z - z.mean(0)).double(), torch.from_numpy(target)[:, None]).solution[:, 0]
    before = arrows.attributes(Bars().pixels(start, None))
    dead = arrows.attributes(Bars().pixels(start + 2 * (w / w.square().sum()).float(), None)) - before
    moved = arrows.attributes(Bars().pixels(start + 2 * step[0, 0], None)) - before
    assert abs(dead[0, 0] / sd[0]) < 0.1
    assert moved[0, 0] / sd[0] > 1.2
    assert abs(moved[0, 1] / sd[1]) < 0.25


def test_what_a_step_does_is_counted_on_the_drawings(toy):
    """Of the toy it is known: each attribute moves the right way, near what is asked; the other and the class stay."""
    z, labels, found = toy
    step = arrows.fit(z, labels, found, 2)
    effects = arrows.effects(Bars(), step, found.std(0), z[:80], labels[:80], LongOrShort())
    for name in ATTRIBUTES:
        for way, sign in (("less", -1), ("more", 1)):
            one = effects[name][way]
            assert 1.2 < sign * one.reached < 2.6
            assert abs(one.other) < 0.4  # a leaning bar is thinner across
            assert one.right > 0.95
            assert one.kept > 0.95
            assert one.digit == 1


def test_arrows_that_turn_round_are_found_out(toy):
    """Otherwise a sign that was lost would say that everything went well."""
    z, labels, found = toy
    wrong = -arrows.fit(z, labels, found, 2)
    effects = arrows.effects(Bars(), wrong, found.std(0), z[:20], labels[:20], LongOrShort())
    assert effects["slant"]["more"].reached < -1
    assert effects["slant"]["more"].right < 0.05


def test_a_class_without_codes_is_refused():
    """Otherwise it ends in a mean of nothing."""
    with pytest.raises(ValueError, match="class 1 at least, got 0"):
        arrows.fit(torch.randn(10, 2), torch.zeros(10).long(), np.random.default_rng(0).normal(size=(10, 2)), 2)


# Shipped --------------------------------------------------------------------------------------------------------------

MEASURED = [slug for slug in checkpoints.available() if measures.measured("arrows", slug)]


def test_of_the_cvae_the_arrows_hold():
    """S23: at ± 2 sd asked it reaches 1.2 at least, the other attribute stays, and so does the digit."""
    found = measures.measured("arrows", "mnist-cvae-20d")
    for row in found["rows"].values():
        for way, sign in (("less", -1), ("more", 1)):
            one = row[way]
            assert sign * one["reached"] >= 1.2
            assert abs(one["other"]) < 0.25
            assert one["kept"] >= 0.97
            assert one["right"] >= 0.97


@pytest.mark.parametrize("slug", MEASURED)
def test_a_card_and_its_arrows_belong_together(slug):
    """A page moves the code along the file and quotes the card."""
    card, steps = checkpoints.read_card(slug), measures.steps(slug)
    assert steps.shape == (card["config"]["model"].get("n_classes", 10), 2, card["latent_dim"])


def test_steps_of_other_weights_are_refused(tmp_path, root):
    """Otherwise a model that was trained again is pushed along the arrows of the one before."""
    import shutil

    slug = "mnist-cvae-20d"
    shutil.copytree(root / "checkpoints" / slug, tmp_path / slug)
    other = tmp_path / slug / "weights.safetensors"
    other.write_bytes(other.read_bytes() + b" ")
    with pytest.raises(StorageError, match="other weights"):
        measures.steps(slug, tmp_path)


def test_a_shipped_cvae_moves_where_the_weights_of_a_regression_do_not(mnist_dir):
    """On its own drawings of MNIST, by arrows fitted here and now: C w moves the attribute, w next to nothing."""
    slug = "mnist-cvae-20d"
    model, _ = checkpoints.load(slug)
    kept, n = checkpoints.load_codes(slug), 2000
    found = arrows.attributes(data.load("mnist", "train", mnist_dir).images[:n])
    z, labels, sd = kept["train_mean"][:n], kept["train_label"][:n], found.std(0)
    step = arrows.fit(z, labels, found, 10)
    torch.testing.assert_close(step, measures.steps(slug), atol=0.5, rtol=0.2)  # which were fitted on 10,000
    few = slice(0, 100)
    before = arrows.attributes(latent.decode(model, z[few], labels[few]))
    centred = (z - z.mean(0)).double()
    for k in range(2):
        target = torch.from_numpy((found[:, k] - found[:, k].mean()) / sd[k])
        w = torch.linalg.lstsq(centred, target[:, None]).solution[:, 0]
        by_weights = z[few] + 2 * (w / w.square().sum()).float()
        along = z[few] + 2 * step[labels[few], k]
        moved = [
            np.nanmean(arrows.attributes(latent.decode(model, there, labels[few])) - before, axis=0)[k] / sd[k]
            for there in (by_weights, along)
        ]
        assert abs(moved[0]) < 0.2
        assert moved[1] > 1.2
