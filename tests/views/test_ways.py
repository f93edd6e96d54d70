"""The ways between two digits: what the page Interpolate says of them holds for the shipped models."""

import pytest
import torch

from benchmarks.ways import measure
from ui.live.cast import standing
from ui.shell.family import FAMILY, slug
from ui.views.interpolate.ways import START, Walker, Ways, steps
from vae_core import checkpoints, data

MODELS = [(standing(slug(kind, 2)), checkpoints.load(slug(kind, 2))[0]) for kind in FAMILY]


def test_steps_of_ways_that_can_be_counted_by_hand():
    """Otherwise evenness and detour are other quantities than the page explains."""
    walk = torch.zeros(4, 784)
    walk[1, :3], walk[2, :4], walk[3, :2] = 1, 1, 1  # 3 px come, then 1, then 2 go: 6 in all, 2 in a straight line
    longest, even, detour = steps(torch.stack([walk, walk[[1, 1, 1, 1]]]))
    assert (longest[0], even[0], detour[0]) == (3, 3 / 2, 3)
    assert longest[1] == 0 and even[1].isnan() and detour[1].isnan()


@pytest.mark.parametrize("source", list(START))
def test_the_first_pair_shows_what_the_text_says(source):
    """Otherwise a visitor reads that the VAE walks more evenly and farther, and sees the contrary."""
    if not data.is_available(source):
        pytest.skip(f"needs {source}: set VAE_DATA to a folder that holds it")
    images, labels = data.load(source, "test")
    pair = torch.tensor(START[source])
    a, b = labels[pair].tolist()
    assert a != b
    walkers = [Walker(one, model, (a, b) if one.conditional else None) for one, model in MODELS]
    rows = Ways(walkers, images[pair], spherical=False)(torch.linspace(0, 1, 9))
    pace = {row.name.split()[-1]: steps(torch.tensor(row.pictures)) for row in rows[:4]}
    (_, even_ae, far_ae), (_, even_vae, far_vae) = pace["AE"], pace["VAE"]
    assert even_vae < even_ae and far_vae > far_ae
    judge = checkpoints.load_judge()
    for row in rows[1:4]:  # and the walk begins and ends where it says
        assert judge.label(torch.tensor(row.pictures)[[0, -1]]).tolist() == [a, b], row.name


def test_what_the_page_says_of_all_pairs_holds_for_the_bundled_digits_too():
    """The page's shares are measured on MNIST's test digits; they would be no property of the models if another data
    set turned the order round. 200 pairs: the shares are off by up to 0.1."""
    found = measure("digits", 2, 200, 9, spherical=False)
    ae, vae, blend = found["ae"], found["vae"], found["pixels"]
    assert (vae[:, 1] < ae[:, 1]).float().mean() > 0.65
    assert (vae[:, 2] > ae[:, 2]).float().mean() > 0.5
    assert blend[:, 3].mean() + 0.2 < min(ae[:, 3].mean(), vae[:, 3].mean())
