"""The list of what each page's link holds: complete, and what is cut or hostile opens the page as it opens."""

import re
from pathlib import Path
from urllib.parse import parse_qs, parse_qsl, urlsplit

import numpy as np
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from ui.live.moved import now_at
from ui.parts import digit, links, page
from ui.shell.pages import GROUPS, MOVED, address
from ui.views.bound import account, parts
from vae_core import generation

ROOT = Path(__file__).resolve().parents[2]
PAGES = {label: path for pages in GROUPS.values() for path, label, _ in pages}
VIEWS = {  # the modules that read and write a page's address
    "Studio": ("views/studio/studio",),
    "Map": ("views/map/map",),
    "Sliders": ("views/sliders",),
    "Styles": ("views/styles",),
    "Interpolate": ("views/interpolate/interpolate",),
    "Generate": ("views/generate/generate", "views/generate/densities"),
    "The bound": ("views/bound/posterior", "views/bound/betas"),
}
HOSTILE = (
    *("", "inf", "nan", "1e999", "-1", "9" * 400, "½", "null", "../..", "<b>x</b>", "a" * 5000),
    *(",,,", "mnist:", ":1", "\x00", "😀", "true", "3;3"),
)


def test_every_list_has_its_page():
    """One without would be read by nobody; a page without one holds its digit alone."""
    assert set(links.LINKS) <= set(PAGES)


@pytest.mark.parametrize("page", VIEWS)
def test_what_a_view_reads_of_the_address_is_in_the_list(page):
    """A parameter that stands in no list is tried by nobody."""
    source = "".join((ROOT / "static" / f"{name}.mjs").read_text(encoding="utf-8") for name in VIEWS[page])
    asked = set(re.findall(r"(?:link\.get|linked)\(\"(\w+)\"\)", source))
    if held := re.search(r"const HELD = \{(.*?)\n\};", source, re.DOTALL):
        asked |= set(re.findall(r"^  (\w+): \{", held[1], re.MULTILINE))
    of_digits = {name for key in links.DIGITS[page] for name in digit.parameters(key)}
    kept = {name for name, param in links.LINKS[page].items() if param is links.VIEW}
    assert kept == asked - of_digits


def test_the_parts_and_lists_of_the_bound_are_those_of_its_links():
    """A part that the list lacks could be chosen, and its link would open another."""
    assert tuple(parts.PARTS) == links.PARTS and tuple(account.LISTS) == links.LISTS


def test_where_generates_codes_come_from_is_what_the_core_can_draw_from():
    """Links know no torch, so the register of sources cannot stand there itself."""
    assert tuple(generation.SOURCES) == links.DRAWN_FROM


@pytest.mark.parametrize("old", MOVED)
def test_an_old_address_leads_to_a_page_with_all_that_it_held(old):
    """A parameter that is lost on the way, or that the new page does not read, opens another digit or another part."""
    was, new = urlsplit(old), urlsplit(MOVED[old])
    places = {address(path): label for label, path in PAGES.items()}
    assert was.path not in places and new.path in places
    assert set(parse_qs(new.query)) <= set(links.LINKS[places[new.path]])
    held = "d=a-b_c%3D&is=&part=%CE%B2&x=1+2"
    led = urlsplit(now_at(was.path, f"{was.query}&{held}"))
    assert led.path == new.path
    expected = parse_qsl(new.query) + parse_qsl(held, keep_blank_values=True)
    assert parse_qsl(led.query, keep_blank_values=True) == expected


def test_a_part_that_has_moved_counts_before_its_page(monkeypatch):
    monkeypatch.setattr("ui.live.moved.MOVED", {"Old": "New", "Old?part=Seven": "Other?layer=7"})
    assert now_at("Old", "") == "New"
    assert now_at("Old", "part=Six&digit=5") == "New?part=Six&digit=5"
    assert now_at("Old", "digit=5&part=Seven") == "Other?layer=7&digit=5"


def test_a_start_is_one_of_the_choices():
    """A control that opens with a value that it does not offer ends in an exception."""
    for kept in links.LINKS.values():
        for name, param in kept.items():
            if param is not links.VIEW and param.start is not None:
                assert param.read(param.write(param.start)) == param.start, name


@pytest.mark.parametrize("page", PAGES)
def test_a_hostile_link_opens_the_page_as_it_opens(page, monkeypatch, tmp_path):
    """Whoever mistypes an address, or is sent a cut one, must not meet an exception; all parameters are tried at once,
    since each is read on its own."""
    monkeypatch.setenv("VAE_DATA", str(tmp_path))
    names = [*links.LINKS[page], *(name for key in links.DIGITS[page] for name in digit.parameters(key))]
    for text in HOSTILE:
        app = AppTest.from_file(str(ROOT / "studio.py"), default_timeout=60)
        if page != "Studio":
            app.switch_page(PAGES[page])
        for name in names:
            app.query_params[name] = text
        app.run()
        assert not app.exception, (text, app.exception[0].value)
        for name, param in links.LINKS[page].items():
            if param is not links.VIEW:
                value = app.session_state[name]
                assert value == param.start or param.read(param.write(value)) == value, (name, text)


def test_a_drawing_goes_through_a_link_and_back():
    """Bits that are packed in another order would be another digit."""
    pixels = (np.random.default_rng(0).random(784) < 0.3).astype(np.float32)
    chosen = digit.Chosen(pixels, 4, "your drawing", how=digit.DRAWN)
    np.testing.assert_array_equal(digit.drawing(digit.as_text(chosen)).pixels, pixels)
    for text in ("cut", "A" * 130, "é" * 131, "=" * 131):
        with pytest.raises(ValueError):
            digit.drawing(text)


@pytest.mark.parametrize(
    ("asked", "named"),
    [("Latent_maps", True), ("Old page-2", True), ("Größe", True)]
    + [(text, False) for text in ("[win](http://a.invalid)", "![](http://a.invalid/b.png)", "www.a.invalid", "$x$")]
    + [(text, False) for text in ("a@b.invalid", ":material/home:", "`a`", "<b>a</b>", "a\n\nb", "**a**")],
)
def test_an_address_that_is_no_pages_is_not_markdown(asked, named):
    """Otherwise whoever writes a link puts a link of their own, or a picture that tells on its visitor, on our page."""
    said = page.no_such_page(asked)
    assert (f"“{asked}”" in said) is named and (asked in said) is named
    assert said.endswith("; this is the Studio. The sidebar names all pages.")


def test_a_pad_makes_no_drawing_of_what_came_from_elsewhere():
    """Otherwise the Studio, which shows a picture or a link's digit on its pad, calls it "your drawing"."""
    pixels = np.linspace(0, 1, 784, dtype=np.float32)
    for name, how in (("your picture (four.jpg)", digit.BROUGHT), ("the digit of this link", digit.DRAWN)):
        st.session_state.clear()
        came = digit.Chosen(pixels, 4, name, how=how)
        digit.share(came)
        digit.draw(digit.as_text(came), 7)
        assert digit.shared().name == name and digit.shared().label == 7
        assert np.array_equal(digit.shared().pixels, pixels)
        digit.draw(digit.as_text(came._replace(pixels=pixels[::-1])), None)
        assert digit.shared().name == "your drawing" and digit.shared().label is None
    st.session_state.clear()
