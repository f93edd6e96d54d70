"""The frame of every page: page configuration, look, sidebar, title, early end. Nothing heavy is imported here."""

from __future__ import annotations

import functools
import logging
import re
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn, ParamSpec, TypeVar
from urllib.parse import unquote, urlsplit

import streamlit as st

from ui.links import hold

P, R = ParamSpec("P"), TypeVar("R")
_log = logging.getLogger(__name__)

NAME = "Latent Space Explorer"
ICON = Path(__file__).parent.parent / "static" / "icon.svg"  # a Material icon would come from a foreign host

FRONT = "studio.py"  # the page at the empty address
# A page that is not listed here is not reachable; tests/test_pages.py compares the list with the folder.
GROUPS: dict[str, tuple[tuple[str, str, str], ...]] = {
    "Explore": (
        (FRONT, "Studio", "Draw a digit, four models answer."),
        ("pages/1_Map.py", "Map", "Where do ten thousand digits lie? Two models side by side."),
        ("pages/2_Sliders.py", "Sliders", "Change one number of the code and see what it means."),
        ("pages/3_Styles.py", "Styles", "One handwriting, all ten digits: the CVAE."),
        ("pages/4_Interpolate.py", "Interpolate", "Walk from one digit to another, in every model."),
        ("pages/5_Restore.py", "Restore", "Spoil a digit and see who brings it back."),
    ),
    "Understand": (
        (
            "pages/6_Inside_the_bound.py",
            "Inside the bound",
            "The exact likelihood of a digit, and what a VAE's bound loses.",
        ),
    ),
}

# What Streamlit's theme cannot say: tiles keep their pixels, numbers keep their columns.
STYLE = """<style>
/* One left edge and one height of the title for all pages, whatever width a page takes. */
.block-container { align-self: flex-start; max-width: var(--lse-width, 1280px); padding: 2.2rem 2.2rem 3rem; }
h1 { letter-spacing: -0.01em; padding: 0 0 0.1rem !important; }
/* Streamlit's captions are grey at 4.3 to 4.5:1. */
[data-testid="stCaptionContainer"] { opacity: 0.76 !important; }
/* The current page has a bar and weight, the focus a ring: Streamlit gives both the same grey. */
[data-testid="stSidebar"] [data-testid="stPageLink"] a { border-left: 3px solid transparent; border-radius: 0.3rem; }
[data-testid="stSidebar"] [data-testid="stPageLink"] a[aria-current] { border-left-color: #d6336c;
  font-weight: 650; }
[data-testid="stSidebar"] [data-testid="stPageLink"] a:not([aria-current]):focus { background: transparent; }
[data-testid="stSidebar"] [data-testid="stPageLink"] a:focus-visible { outline: 2px solid currentColor;
  outline-offset: 1px; box-shadow: none; }
.lse-lead { font-size: 1.06rem; opacity: 0.8; margin: 0 0 0.6rem 0; max-width: 62rem; }
.lse-row { display: flex; flex-wrap: wrap; gap: 0.9rem; align-items: flex-start; margin: 0.2rem 0 0.6rem 0; }
.lse-tile { margin: 0; width: var(--size, 112px); }
.lse-tile img, .lse-sheet img { image-rendering: pixelated; display: block; width: 100%; aspect-ratio: 1;
  background: #08090b; border-radius: 6px; border: 2px solid var(--edge, #08090b); box-sizing: border-box; }
.lse-sheet img { aspect-ratio: auto; }
.lse-tile figcaption { font-size: 0.86rem; line-height: 1.3; margin-top: 0.3rem; font-variant-numeric: tabular-nums; }
.lse-tile figcaption b { font-weight: 650; }
.lse-tile figcaption small, .lse-small { font-size: 0.8rem; opacity: 0.72; }
.lse-sheet { margin: 0; max-width: var(--size, 560px); }
.lse-sheet figcaption { font-size: 0.86rem; opacity: 0.8; margin-top: 0.3rem; }
.lse-strip { display: flex; gap: 3px; align-items: center; margin: 0 0 0.45rem 0; }
.lse-strip .lse-name { flex: 0 0 6.4rem; font-weight: 600; font-size: 0.92rem; line-height: 1.15; }
.lse-strip .lse-name small { display: block; font-weight: 400; opacity: 0.72; font-size: 0.76rem; }
.lse-strip img { flex: 1 1 0; min-width: 0; max-width: 92px; image-rendering: pixelated; aspect-ratio: 1;
  background: #08090b; border-radius: 4px; border: 2px solid var(--edge, transparent); box-sizing: border-box; }
.lse-grid { display: grid; grid-template-columns: repeat(var(--columns), 1fr); gap: 0.7rem; }
.lse-grid .lse-tile { width: 100%; }
.lse-step { margin: 0; width: 9rem; }
.lse-step img { display: block; max-width: 100%; object-fit: contain; border-radius: 6px; }
.lse-step figcaption { font-size: 0.86rem; line-height: 1.3; margin-top: 0.3rem; }
.lse-step figcaption small { font-size: 0.8rem; opacity: 0.72; }
.lse-bars { display: flex; gap: 6px; font-variant-numeric: tabular-nums; max-width: 36rem; }
.lse-bars > div { flex: 1 1 0; min-width: 0; text-align: center; font-size: 0.8rem; line-height: 1.3; }
.lse-bars .lse-bar { height: 84px; display: flex; align-items: flex-end;
  border-bottom: 1px solid rgba(128,128,128,0.35); }
.lse-bars .lse-bar span { width: 100%; background: var(--colour); border-radius: 3px 3px 0 0; }
.lse-bars b { font-weight: 650; display: block; }
.lse-numbers { width: 100%; border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: 0.9rem; }
.lse-numbers th { text-align: left; font-weight: 600; padding: 0.25rem 0.7rem 0.25rem 0;
  border-bottom: 1px solid rgba(128,128,128,0.35); }
.lse-numbers td { padding: 0.22rem 0.7rem 0.22rem 0; border-bottom: 1px solid rgba(128,128,128,0.16); }
.lse-numbers th.n, .lse-numbers td.n { text-align: right; white-space: nowrap; }
.lse-numbers tr.best td, .lse-numbers td.best { font-weight: 650; }
[class*="st-key-lse_take_"] { position: relative; padding-bottom: 1.9rem; }
[class*="st-key-lse_take_"] .lse-row { margin: 0; }
[class*="st-key-lse_take_"] [data-testid="stElementContainer"]:has(button) { position: absolute; inset: 0; }
[class*="st-key-lse_take_"] .stButton, [class*="st-key-lse_take_"] .stButton :has(button) { height: 100%; }
[class*="st-key-lse_take_"] button { height: 100%; width: 100%; align-items: flex-end; padding: 0 0 0.2rem;
  background: transparent; }
[class*="st-key-card"] [data-testid="stPageLink"] a { padding: 0; }
html[data-moved] .st-key-settled * { visibility: hidden !important; }  /* of a place that the hand, or Play, has left */
.lse-numbers abbr { text-decoration: underline dotted; text-underline-offset: 3px; cursor: help; }
.lse-words dl { margin: 0.3rem 0 0.9rem 0; padding: 0; display: grid; gap: 0.3rem 1rem;
  grid-template-columns: minmax(6rem, max-content) minmax(0, 62rem); font-size: 0.92rem; }
.lse-words dt { font-weight: 600; } .lse-words dd { margin: 0; }
[class*="st-key-link-"] { position: absolute; width: 1px !important; overflow: hidden; }  /* it has nothing to show */
.lse-scroll { overflow-x: auto; }
@media (max-width: 1000px) {  /* beside the sidebar a column would be cut */
  [data-testid="stHorizontalBlock"] { flex-wrap: wrap; }
  [data-testid="stHorizontalBlock"] > [data-testid="stColumn"] { min-width: min(100%, 9.5rem); }
  [data-testid="stHorizontalBlock"] > [data-testid="stColumn"]:has(.lse-scroll) { min-width: min(100%, 21rem); }
  [data-testid="stHorizontalBlock"] > [data-testid="stColumn"]:has(.st-key-digit_by, .st-key-to_by) {
    min-width: min(100%, 14rem); }
}
@media (max-width: 900px) {
  .lse-grid { grid-template-columns: repeat(calc(var(--columns) / 2), 1fr); gap: 0.5rem; }
}
@media (max-width: 800px) {
  .block-container { padding: 3.9rem 1rem 3rem; }
  h1 { font-size: 1.45rem !important; }
  .lse-lead { font-size: 0.95rem; }
}
@media (max-width: 640px) {
  .lse-strip { flex-wrap: wrap; }
  .lse-strip .lse-name { flex-basis: 100%; }
  .lse-strip .lse-name small { display: inline; padding-left: 0.4rem; }
  .lse-row { gap: 0.6rem; }
  .lse-tile, .lse-step { max-width: calc((100% - 1.2rem) / 3); }
  .lse-grid .lse-tile { max-width: none; }
  .lse-numbers { font-size: 0.84rem; }
  .lse-numbers th.n { white-space: normal; vertical-align: bottom; }
  .lse-numbers th, .lse-numbers td { padding-right: 0.4rem; }
}
</style>"""


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


def frame(title: str, lead: str, *, width: int = 1280) -> None:
    """Call first on every page: a page opened by its own address must look like one reached from home.

    `width` is the widest that the page makes use of, in pixels.
    """
    st.set_page_config(
        page_title=f"{title} · {NAME}", page_icon=ICON, layout="wide", initial_sidebar_state=SIDEBAR_WIDTH
    )
    st.html(f"{STYLE}<style>:root {{ --lse-width: {width}px; }}</style>")
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
    _say_what_failed()
    if here == FRONT and (asked := st.session_state.setdefault("asked", _unknown())):
        st.warning(no_such_page(asked))
    elif here != FRONT:
        st.session_state.pop("asked", None)


def address(page: str) -> str:
    """Where a page's file is served: Streamlit drops the number, and the front page has the empty address."""
    return "" if page == FRONT else Path(page).stem.split("_", 1)[1]


def _unknown() -> str:
    """The address that a visitor asked for and that is no page's: for such a one Streamlit runs the front page."""
    path = urlsplit(st.context.url or "").path.strip("/")
    base = str(st.get_option("server.baseUrlPath")).strip("/")
    return unquote(path.removeprefix(base).strip("/"))[:60]


def no_such_page(asked: str) -> str:
    """Whoever wrote the link wrote the name: words are repeated, and nothing of which Markdown makes a link."""
    named = f" “{asked}”" if re.fullmatch(r"[\w -]+", asked) else " of that address"
    return f"There is no page{named}; this is the Studio. The sidebar names all pages."


def leave_out(slug: str, error: Exception, *, alone: bool) -> None:
    """Name a broken model on a page that goes on without it; where it is not alone: an end has its own sentence."""
    logging.getLogger(f"{__name__}.left_out").warning("Checkpoint %s: %s", slug, error)
    if not alone:
        st.warning(
            f"The model {slug} is left out: its files are broken. Whoever runs this app finds the reason in the "
            "server's log."
        )


def give_up(slug: str, error: Exception) -> NoReturn:
    """End the page with one sentence where a checkpoint is broken or missing.

    The error itself goes to the server's log: its paths are the host's business and help no visitor.
    """
    _log.warning("Checkpoint %s: %s", slug, error, exc_info=error)
    st.error(
        f"The model {slug} cannot be loaded. Whoever runs this app finds the reason in the server's log; restore the "
        f"folder checkpoints/{slug}, or train the model again with `python -m vae_core train`."
    )
    st.stop()


# What nobody expected -------------------------------------------------------------------------------------------------

FAILED = (
    "Something went wrong on the server, and what you did last has no answer here. Everything else goes on working. "
    "Whoever runs this app finds the reason in the server's log."
)


def callback(function: Callable[P, R]) -> Callable[P, R | None]:
    """For what a control or a view calls: an error becomes a sentence in the run that follows, with every control."""

    @functools.wraps(function)
    def careful(*args: P.args, **kwargs: P.kwargs) -> R | None:
        try:
            return function(*args, **kwargs)
        except Exception:  # Streamlit ends and restarts runs by what is no Exception
            _log.exception("In a callback: %s", function.__qualname__)
            st.session_state["failed"] = True  # a callback has no place of its own on the page
            return None

    return careful


def fragment(function: Callable[P, None], *, run_every: float | None = None) -> Callable[P, None]:
    """`st.fragment`, of which an error takes only this part of the page, and says so in its place."""

    @functools.wraps(function)
    def careful(*args: P.args, **kwargs: P.kwargs) -> None:
        _say_what_failed()
        try:
            function(*args, **kwargs)
        except Exception:
            _log.exception("In a part of a page: %s", function.__qualname__)
            st.error(FAILED)

    return st.fragment(careful, run_every=run_every)


def _say_what_failed() -> None:
    if st.session_state.pop("failed", False):
        st.error(FAILED)
