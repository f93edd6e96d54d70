"""The frame of every page: page configuration, look, sidebar, title, and what its address holds. Nothing heavy here."""

from __future__ import annotations

import re
from functools import cache
from urllib.parse import unquote, urlsplit

import streamlit as st

from ui.live.networks import base_path
from ui.parts.links import hold
from ui.shell.failure import say_what_failed
from ui.shell.pages import FRONT, GROUPS, ICON, LOOK, NAME, address

# What a sidebar drawn by hand lacks: a reader's ear hears which page is open, and on a phone, where the sidebar lies
# over the page, a tap on a page closes it. The address stands in it so that it runs again on every page.
SIDEBAR = """<script>
(() => {
  const links = () => document.querySelectorAll('[data-testid="stSidebar"] [data-testid="stPageLink"] a');
  const mark = () => {
    if (!links().length) requestAnimationFrame(mark);  // not drawn yet
    for (const a of links()) {
      if (a.getAttribute("href") === "HERE") a.setAttribute("aria-current", "page");
      else a.removeAttribute("aria-current");
    }
  };
  mark();
  if (window.lseSidebar) return;
  window.lseSidebar = true;
  document.addEventListener("click", (event) => {
    if (![...links()].some((a) => a.contains(event.target))) return;
    const { width } = document.querySelector('[data-testid="stSidebar"]').getBoundingClientRect();
    const beside = document.querySelector('[data-testid="stMain"]').getBoundingClientRect().left >= width - 1;
    if (!beside) document.querySelector('[data-testid="stSidebarCollapseButton"] button')?.click();
  });
})();
</script>"""
SIDEBAR_WIDTH = 210  # pixels: the longest name, and the rest for the page


def frame(title: str, lead: str | None, *, width: int = 1280) -> None:
    """Call first on every page: a page opened by its own address must look like one reached from home.

    `width` is the widest that the page makes use of, in pixels.
    """
    st.set_page_config(
        page_title=f"{title} · {NAME}", page_icon=ICON, layout="wide", initial_sidebar_state=SIDEBAR_WIDTH
    )
    st.html(f"<style>{_look()}</style><style>:root {{ --lse-width: {width}px; }}</style>")
    known = {label: path for pages in GROUPS.values() for path, label, _ in pages}
    name = title if title in known else "Studio"
    here = known[name]
    with st.sidebar:
        st.markdown(f"**{NAME}**")
        for group, pages in GROUPS.items():
            st.caption(group)
            for path, label, _ in pages:
                st.page_link(path, label=label)
        st.html(SIDEBAR.replace("HERE", address(here)), unsafe_allow_javascript=True)
    st.title(title)
    st.html(f'<p class="lse-lead">{lead}</p>')
    hold(name)
    say_what_failed()
    if here == FRONT and (asked := st.session_state.setdefault("asked", _unknown())):
        st.warning(no_such_page(asked))
    elif here != FRONT:
        st.session_state.pop("asked", None)


@cache
def _look() -> str:
    return LOOK.read_text(encoding="utf-8")


def _unknown() -> str:
    """The address that a visitor asked for and that is no page's: for such a one Streamlit runs the front page."""
    path = urlsplit(st.context.url or "").path.strip("/")
    return unquote(path.removeprefix(base_path().strip("/")).strip("/"))[:60]


def no_such_page(asked: str) -> str:
    """Whoever wrote the link wrote the name: words are repeated, and nothing of which Markdown makes a link."""
    named = f" “{asked}”" if re.fullmatch(r"[\w -]+", asked) else " of that address"
    return f"There is no page{named}; this is the Studio. The sidebar names all pages."
