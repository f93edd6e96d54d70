"""Fetch MNIST: one download for all visitors, which no click ends, from a real server on this machine."""

import time

import pytest
import streamlit as st
from mirror import FILES
from streamlit.testing.v1 import AppTest

from ui.parts import fetch
from vae_core import data

PAGE = """
import streamlit as st
from ui.parts import fetch
from ui.live import store
st.button("Elsewhere", key="elsewhere")
fetch.mnist_notice()
st.text("mnist" if store.whole("mnist") else "digits")
"""
TEST_FILES = [f"{name}.gz" for name in FILES if name.startswith("t10k")]


@pytest.fixture
def visitor(monkeypatch, tmp_path):
    """A visitor of a page that asks for nothing but the samples; the data folder is empty."""
    monkeypatch.setenv("VAE_DATA", str(tmp_path / "data"))
    yield lambda: AppTest.from_string(PAGE, default_timeout=60).run()
    fetch.download(str(data.data_dir())).wait()
    st.cache_data.clear()
    st.cache_resource.clear()


def job() -> fetch.Download:
    return fetch.download(str(data.data_dir()))


def source(app: AppTest) -> str:
    assert not app.exception, app.exception
    return app.text[0].value


def buttons(app: AppTest) -> list[str]:
    return [button.label for button in app.button if button.key != "elsewhere"]


def test_one_click_brings_the_test_files_and_the_next_run_shows_them(visitor, mirror):
    """Pages read the test split alone: the other ten megabytes would be fetched for nothing."""
    (server,) = mirror("well")
    app = visitor()
    assert source(app) == "digits" and buttons(app) == [f"Fetch MNIST ({fetch.SIZE})"]
    app.button("fetch_mnist").click().run()
    job().wait()
    assert source(app.run()) == "mnist"
    assert server.asked == TEST_FILES
    assert buttons(app) == [] and not app.get("progress") and not app.warning


def test_visitors_share_one_download_that_no_click_ends(visitor, mirror):
    """Two that click at once fetched the same file twice, any click ended both, and a dead Cancel stayed."""
    (server,) = mirror("waits")
    one, two = visitor(), visitor()
    one.button("fetch_mnist").click().run()
    two.button("fetch_mnist").click().run()
    deadline = time.monotonic() + 30
    while job().now is None:
        assert time.monotonic() < deadline, "no byte has come"
        time.sleep(0.01)
    one.button("elsewhere").click().run()
    for app in (one, two.run(), visitor()):  # a third one, who never clicked, sees it, too
        assert source(app) == "digits" and buttons(app) == []
        (bar,) = app.get("progress")
        size = len(server.files[TEST_FILES[0]]) / 1e6
        assert bar.proto.text == f"Fetching MNIST: file 1 of 2, 0.00 of {size:.2f} MB"
        assert 0 <= bar.proto.value <= 50
    assert job().running
    server.let_go.set()
    job().wait()
    assert source(one.run()) == source(two.run()) == "mnist"
    assert server.asked == TEST_FILES  # each once


def test_a_failure_is_one_sentence_and_can_be_tried_again(visitor, mirror):
    (server,) = mirror("absent")
    app = visitor()
    app.button("fetch_mnist").click().run()
    job().wait()
    assert source(app.run()) == "digits"
    (said,) = app.warning
    assert "could not be downloaded" in said.value and said.value.endswith(".") and "Traceback" not in said.value
    assert buttons(app) == [f"Try again ({fetch.SIZE})"] and not app.get("progress")
    other = visitor()  # who did not ask hears nothing of it
    assert not other.warning and buttons(other) == [f"Fetch MNIST ({fetch.SIZE})"]
    server.manner = "well"
    app.button("fetch_mnist").click().run()
    job().wait()
    assert source(app.run()) == "mnist" and not app.warning


def test_the_hosts_folder_is_not_shown(visitor, mirror, tmp_path):
    """Where a server keeps its files is no visitor's business; the log has it."""
    mirror("well")
    (tmp_path / "data").write_text("a file where a folder should be")
    app = visitor()
    app.button("fetch_mnist").click().run()
    job().wait()
    (said,) = app.run().warning
    assert "the data folder" in said.value and str(tmp_path) not in said.value
