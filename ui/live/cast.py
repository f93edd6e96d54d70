"""Who can stand on a page: the shipped models as everybody meets them, and whatever else lies in checkpoints/.

A model is found while the app runs, also one that was trained again under its old name. Imports no torch.
"""

from __future__ import annotations

import logging
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from ui.live import networks
from ui.shell.family import FAMILY, slug
from vae_core import contents
from vae_core.config import KINDS, Config
from vae_core.data import Dataset, known
from vae_core.storage import StorageError, is_there

_log = logging.getLogger(__name__)

SHIPPED_ON = "mnist"
SIGN = "◇"  # of a kind that the family has no sign for


class Standing(NamedTuple):
    """One model on a page."""

    key: str  # in links and messages: its kind, if it is a shipped one, else its slug
    slug: str
    kind: str
    name: str  # "VAE"; of another than the shipped one what tells it apart, too: "VAE beta4"
    sign: str
    full: str
    code: str  # what its code is, in words
    dataset: str
    latent_dim: int
    probabilistic: bool
    conditional: bool
    n_classes: int
    learned_prior: bool = False  # p(z) is not N(0, I)

    @property
    def title(self) -> str:
        """Sign and name, as on every card and in every control: "○ VAE"."""
        return f"{self.sign} {self.name}"

    @property
    def data(self) -> Dataset:
        """Names and colours of its classes, and what its images are called."""
        return known(self.dataset, self.n_classes)


@lru_cache(maxsize=256)
def _config(root: Path, name: str, _stamp: tuple[int, ...]) -> Config:
    """By card and shapes alone: the numbers are read of those that stand on a page, and megabytes of no others."""
    return Config.from_dict(contents.check(root / name)["config"])  # an older card lacks what is new since


def standing(name: str) -> Standing:
    """The model of this slug. Raises `StorageError` where card or shapes are broken; numbers are `bridge.whole`'s."""
    config = _config(networks.CHECKPOINTS, name, networks.stamp(name))
    model, dataset, kind = config.model, config.training.dataset, config.model.kind
    shipped = name == slug(kind, model.latent_dim) and kind in FAMILY
    about, member = KINDS[kind], FAMILY.get(kind)
    short = member.name if member else about.name or kind.upper()
    tag = name.removeprefix(f"{dataset.replace('_', '-')}-{kind}-{model.latent_dim}d").strip("-")
    apart = ["" if dataset == SHIPPED_ON else dataset, tag]
    return Standing(
        key=kind if shipped else name,
        slug=name,
        kind=kind,
        name=" ".join(filter(None, (short, *apart))),
        sign=member.sign if member else SIGN,
        full=member.full if member else about.words,
        code=member.code if member else ("a Gaussian" if about.probabilistic else "a point, no posterior"),
        dataset=dataset,
        latent_dim=model.latent_dim,
        probabilistic=about.probabilistic,
        conditional=about.conditional,
        n_classes=model.n_classes,
        learned_prior=about.learned_prior,
    )


def slug_of(key: str, size: int) -> str:
    """The reverse of `Standing.key`; of the shipped ones that with `size` numbers in its code."""
    return slug(key, size) if key in FAMILY else key


def everybody(*, numbers: bool = False) -> list[Standing]:
    """Every whole model in checkpoints/: MNIST's first, by size, the shipped ones before others. What is broken is
    logged: a page names it where it is asked for. numbers: every number is looked at, too, once for each file."""
    found, broken = survey(numbers=numbers)
    for name, reason in broken.items():
        _log.warning("Checkpoint %s: %s", name, reason)
    return found


def survey(*, numbers: bool = True) -> tuple[list[Standing], dict[str, str]]:
    """`everybody`, and of each model that is broken one sentence, in which no path of the server stands."""
    found, broken = [], {}
    if networks.CHECKPOINTS.is_dir():
        for folder in sorted(networks.CHECKPOINTS.iterdir()):
            if folder.name != "judge" and is_there(folder / "card.json"):
                try:
                    if numbers:
                        networks.network(folder.name)
                    found.append(standing(folder.name))
                except StorageError as error:
                    broken[folder.name] = str(error).replace(str(networks.CHECKPOINTS), "checkpoints")
    order = list(KINDS)

    def place(one: Standing) -> tuple:
        alone = one.key == one.kind
        return one.dataset != SHIPPED_ON, one.dataset, one.latent_dim, not alone, order.index(one.kind), one.slug

    return sorted(found, key=place), broken
