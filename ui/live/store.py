"""Models, codes and samples, loaded once for all visitors and never changed."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import numpy as np
import streamlit as st
import torch

from ui.live import networks
from ui.shell.failure import give_up
from vae_core import checkpoints, contents, data, latent, measures, metrics, spread
from vae_core.config import KINDS
from vae_core.judge import Judge
from vae_core.models import Autoencoder, InputError
from vae_core.storage import StorageError

_log = logging.getLogger(__name__)


def model(slug: str) -> tuple[Autoencoder, dict[str, Any]]:
    """The network and its card. One that was trained again under its old name is another."""
    return _model(slug, _stamp(slug))


@st.cache_resource(max_entries=40, show_spinner="Loading the model …")
def _model(slug: str, when: tuple[int, ...] | None) -> tuple[Autoencoder, dict[str, Any]]:
    torch.set_num_threads(1)  # decoding one digit is too little work to share, and threads of visitors collide
    found, card = checkpoints.load(slug)
    y = torch.zeros(1, dtype=torch.long) if found.conditional else None
    try:  # finite weights may have answers that are not
        code = latent.embed(found, torch.zeros(1, 784), y)
        drawn = latent.decode(found, code.mean, y)
        sound = drawn.isfinite().all() and (code.logvar is None or code.logvar.exp().isfinite().all())
        sound = sound and all(part.isfinite().all() for part in found.prior.mixture())
    except InputError:
        sound = False
    if not sound:
        raise StorageError(f"The model {slug} has no finite answer to a blank image. Train it again.")
    return found, card


def codes(slug: str) -> dict[str, torch.Tensor]:
    """What its encoder made of its data set, as the network's files of this moment say."""
    return _codes(slug, _stamp(slug))


@st.cache_resource(max_entries=40, show_spinner=False)
def _codes(slug: str, when: tuple[int, ...] | None) -> dict[str, torch.Tensor]:
    found = checkpoints.load_codes(slug)
    contents.check_split(slug, len(found["test_mean"]))
    return found


def _stamp(slug: str) -> tuple[int, ...] | None:
    try:
        return networks.stamp(slug)
    except StorageError:  # whoever reads the files has the sentence
        return None


@st.cache_data(max_entries=4, show_spinner=False)
def slugs(latent_dim: int | None = None, dataset: str = "mnist") -> list[str]:
    """The shipped models of a data set in the family's order; every model where no dimension is named."""
    found = [s for s in checkpoints.available() if s.startswith(f"{dataset}-")]
    if latent_dim is not None:
        wanted = {f"{dataset}-{kind}-{latent_dim}d": i for i, kind in enumerate(KINDS)}
        found = sorted((s for s in found if s in wanted), key=wanted.__getitem__)
    return found


def samples(source: str) -> tuple[np.ndarray, np.ndarray]:
    """The test images (N, 784) in [0, 1] and labels (N,) of one of `sources`, as its files of this moment say."""
    return _samples(source, stamp(source))


def stamp(source: str) -> tuple[tuple[str, int, int], ...]:
    """Of a data set's test files; none where they are not there, and whoever reads them has the sentence."""
    try:
        return data.stamp(source, splits=["test"])
    except OSError:
        return ()


@st.cache_resource(max_entries=4, show_spinner="Loading the samples …")
def _samples(source: str, when: tuple[tuple[str, int, int], ...]) -> tuple[np.ndarray, np.ndarray]:
    split = data.load(source, "test")
    images, labels = split.images.numpy(), split.labels.numpy()
    images.flags.writeable = labels.flags.writeable = False  # shared by all sessions
    return images, labels


def sources() -> list[str]:
    """The data sets whose test files are on this machine, digits before others. Nothing is read: that is `whole`'s."""
    found = [name for name in data.DATASETS if data.is_available(name, splits=["test"])]
    return sorted(found, key=lambda name: data.DATASETS[name].classes != data.NUMERALS)


def whole(source: str) -> bool:
    """Whether samples can be taken from a data set: its test files are here and can be read, as they now are."""
    return data.is_available(source, splits=["test"]) and _whole(source, stamp(source))


@st.cache_data(max_entries=8, show_spinner=False)
def _whole(source: str, when: tuple[tuple[str, int, int], ...]) -> bool:
    """Of the files of this stamp: what is broken is read, and logged, once."""
    try:
        _samples(source, when)
    except data.DataError as error:
        _log.warning("%s", error)
        return False
    return True


def originals(source: str = "mnist") -> np.ndarray | None:
    """A data set's test images (N, 784), to which the codes of its models belong, or None where they are not here."""
    return samples(source)[0] if whole(source) else None


def guard(slug: str) -> tuple[Autoencoder, dict[str, Any]]:
    """The model, or one sentence and the end of the page where its files are broken or missing."""
    try:
        return model(slug)
    except StorageError as error:
        give_up(slug, error)


def guard_codes(slug: str) -> dict[str, torch.Tensor]:
    """The stored codes, or one sentence and the end of the page."""
    try:
        return codes(slug)
    except StorageError as error:
        give_up(slug, error)


@st.cache_resource(max_entries=8, show_spinner=False)
def _exact(slug: str, when: tuple[int, ...] | None) -> dict[str, torch.Tensor]:
    found = checkpoints.load_exact(slug)
    contents.check_split(slug, len(found["log_p"]))
    return found


def exact(slug: str) -> dict[str, torch.Tensor] | None:
    """Exact log p(x) of the test split, or None where nobody has integrated this model."""
    try:
        return _exact(slug, _stamp(slug))  # an absence is not kept: what is integrated meanwhile is found
    except StorageError:
        return None


@st.cache_data(max_entries=1, show_spinner=False)
def baselines() -> dict[str, Any]:
    """Test means of what needs no network; empty where they are not there, so that a page shows "—"."""
    try:
        return checkpoints.load_baselines()
    except StorageError:
        return {}


@st.cache_data(max_entries=80, show_spinner=False)
def _measured(name: str, slug: str, when: tuple[int, ...] | None) -> dict[str, Any]:
    found = measures.measured(name, slug)
    if found is None:
        raise StorageError(f"{slug} has no {name}.")
    return found


def measured(name: str, slug: str) -> dict[str, Any] | None:
    """What a command found of this model later and put on its card, or None where nobody ran it for these weights."""
    try:
        return _measured(name, slug, _stamp(slug))  # an absence is not kept: what is measured meanwhile is found
    except StorageError:
        return None


def over_seeds(slug: str, path: Sequence[str]) -> spread.Spread | None:
    """The range of a card's number over trainings from several seeds; None where there was one, or no such number."""
    try:
        return spread.several(model(slug)[1], networks.network(slug)["weights"].split("/")[2], path)
    except StorageError:
        return None


@st.cache_resource(max_entries=16, show_spinner=False)
def _densities(slug: str, when: tuple[int, ...] | None) -> dict[str, torch.Tensor]:
    return measures.densities(slug)


def densities(slug: str) -> dict[str, torch.Tensor] | None:
    """Pictures of q(z) and the prior, or None where nobody has measured them for these weights."""
    try:
        return _densities(slug, _stamp(slug))  # an absence is not kept
    except StorageError as error:
        _log.warning("%s", error)
        return None


@st.cache_resource(max_entries=32, show_spinner=False)
def _arrows(slug: str, when: tuple[int, ...] | None) -> torch.Tensor:
    return measures.steps(slug)


def arrows(slug: str) -> torch.Tensor | None:
    """Of each class a step for one sd more of thickness and of slant, (K, 2, D), or None where nobody has fitted them
    to these weights."""
    try:
        return _arrows(slug, _stamp(slug))  # an absence is not kept
    except StorageError as error:
        _log.info("%s", error)
        return None


def references() -> dict[str, Any] | None:
    """What the judge's card says of generators whose faults are known; None where it says nothing of this judge."""
    try:
        return measures.references()
    except StorageError as error:
        _log.warning("%s", error)
        return None


@st.cache_resource(max_entries=1, show_spinner=False)
def ridges() -> dict[str, metrics.Ridge]:
    """The regressions behind Restore's three headline cells, by kind; empty where their file is not there."""
    try:
        return measures.load_ridges()
    except StorageError as error:
        _log.warning("%s", error)
        return {}


@st.cache_resource(max_entries=1, show_spinner=False)
def _judge() -> Judge:
    return checkpoints.load_judge()


def judge() -> Judge | None:
    """The classifier behind "is a digit", or None while it is not there."""
    try:
        return _judge()  # an absence is not kept: a judge that is trained meanwhile is found
    except StorageError as error:
        _log.warning("%s", error)
        return None
