"""Fetch MNIST's test digits: one download for all visitors, in a thread of its own; no click and no page ends it."""

from __future__ import annotations

import logging
import threading
from functools import partial
from pathlib import Path

import streamlit as st

from ui.live import store
from ui.parts import digit
from ui.shell.failure import callback, fragment
from vae_core import data

SIZE = "1.7 MB"  # 1,648,877 + 4,542 bytes, packed: no page shows a training image
_SPLITS = ("test",)
_WATCHED = "mnist_watched"  # in the session's state: whoever waits for MNIST hears when it fails, and nobody else
_log = logging.getLogger(__name__)


class Download:
    """Begun by whoever clicks first, watched by all. Nothing of Streamlit is called from its thread."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.now: data.Progress | None = None  # None until the first byte has come
        self.failure = ""  # one sentence for the visitor
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    @property
    def running(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def start(self) -> None:
        """Begin, unless it has begun."""
        with self._lock:
            if not self.running:
                self.now, self.failure = None, ""
                self._thread = threading.Thread(target=self._run, name="fetch-mnist", daemon=True)
                self._thread.start()

    def wait(self) -> None:
        if self._thread:
            self._thread.join()

    def _run(self) -> None:
        try:
            data.download("mnist", self.folder, splits=_SPLITS, progress=self._hear)
        except data.DataError as error:
            _log.warning("%s", error)
            self.failure = str(error).replace(str(self.folder), "the data folder")  # paths are the host's business

    def _hear(self, now: data.Progress) -> None:
        self.now = now


@st.cache_resource(max_entries=4, show_spinner=False)
def download(folder: str) -> Download:
    """The one download into this folder."""
    return Download(Path(folder))


def mnist_notice() -> None:
    """One line where scikit-learn's digits stand in for MNIST, and one button that fetches it."""
    if digit.data_set() not in ("mnist", "digits"):
        return
    there = data.is_available("mnist", splits=_SPLITS)  # asked first: it may arrive while the page runs
    if store.whole("mnist"):
        if digit.data_set() != "mnist":
            st.caption(
                "These samples are scikit-learn's digits, enlarged. MNIST is on this machine: "
                "you choose it beside the digit's number."
            )
        return
    if there:
        st.caption(
            "These samples are scikit-learn's digits, enlarged. MNIST is on this machine, but one of its files is "
            "broken: whoever runs this app finds its name in the server's log, and mends it with "
            "`python -m vae_core download mnist`."
        )
        return
    job = download(str(data.data_dir()))
    text, action = st.columns([5, 1.4], vertical_alignment="center")
    text.caption(
        "These samples are scikit-learn's digits, enlarged. MNIST, which the models learned from, is not on this "
        "machine; where one of its images belongs, the model's own drawing stands and says so."
    )
    if job.running:
        st.session_state[_WATCHED] = True
        _watch(job)
        return
    failed = job.failure if st.session_state.get(_WATCHED) else ""
    if failed:
        st.warning(failed)
    label = f"{'Try again' if failed else 'Fetch MNIST'} ({SIZE})"
    action.button(label, key="fetch_mnist", width="stretch", on_click=_ask, args=(job,))


@callback
def _ask(job: Download) -> None:
    st.session_state[_WATCHED] = True
    job.start()


@partial(fragment, run_every=0.5)
def _watch(job: Download) -> None:
    """How far the download is, until it is through: then the page runs again and shows what came of it."""
    if not job.running:
        st.rerun()
    now = job.now
    if now is None:
        st.progress(0.0, "Fetching MNIST: connecting …")
        return
    of = f" of {now.total / 1e6:.2f}" if now.total else ""
    share = now.done / now.total if now.total else 0.0
    st.progress(
        min(1.0, (now.number - 1 + share) / now.files),
        f"Fetching MNIST: file {now.number} of {now.files}, {now.done / 1e6:.2f}{of} MB",
    )
