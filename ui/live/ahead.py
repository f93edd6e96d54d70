"""What a live page will import is named with its document, so that it comes while Streamlit itself still loads.

Otherwise the browser hears of a view's first module when Streamlit has drawn the page, and of each further one when it
has read the one before: three ways to the server in a row. Asked for again, a module is there. The same holds of the
code of Streamlit's own elements, which come when the first of their kind is drawn. The document also holds the sheet,
so that a title is drawn where it stays.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from urllib.parse import quote

import streamlit as st
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Route

from ui.live import networks
from ui.live.networks import base_path
from ui.shell.family import FAMILY, slug
from ui.shell.pages import GROUPS, LOOK, STATIC, address
from vae_core.storage import StorageError

STREAMLIT = Path(st.__file__).parent / "static"
ELEMENTS = ("BidiComponent", "Html", "PageLink")  # Streamlit's code of what stands on each page with a view
SHARED = ("host.mjs", "parts/coming.mjs")  # imported by the loader, whatever the view
_IMPORT = re.compile(r'^\s*(?:import|export)\b[^;"]*?"(\.[^"]+\.mjs)"', re.MULTILINE)
_THEIRS = re.compile(r'(?:from|import)"\./([^"]+\.js)"')
_STYLE = re.compile(r'fetch\(new URL\("([^"]+\.css)", import\.meta\.url\)\)')


def room(page: str) -> list[Path]:
    """The modules in which a page's view begins: the file or the folder of its name in static/views, if it has one."""
    name = (address(page) or "studio").rpartition("_")[2].lower()
    views = STATIC / "views"
    return [each for each in (views / f"{name}.mjs", *sorted((views / name).glob("*.mjs"))) if each.is_file()]


def needed(page: str) -> tuple[list[Path], list[Path]]:
    """All modules that a page's view imports, and the style sheets that they fetch; none for a page without a view."""
    waiting, modules, styles = room(page), [], []
    if waiting:
        waiting += [STATIC / name for name in SHARED]
    while waiting:
        module = waiting.pop().resolve()
        if module in modules or not module.is_file():
            continue
        modules.append(module)
        text = module.read_text(encoding="utf-8")
        waiting += [module.parent / name for name in _IMPORT.findall(text)]
        styles += [module.parent / name for name in _STYLE.findall(text)]
    return sorted(modules), sorted(set(styles))


@cache
def theirs() -> list[str]:
    """The modules of ELEMENTS and all that they import, but for what Streamlit's own document names, by their names in
    its static/js; none where another version of Streamlit calls them otherwise: they then come as late as before."""
    named, folder = _index(), STREAMLIT / "static/js"
    waiting = [path.name for name in ELEMENTS for path in folder.glob(f"{name}.*.js")]
    found: list[str] = []
    while waiting:
        name = waiting.pop()
        if name not in found and f"/{name}" not in named and (folder / name).is_file():
            found.append(name)
            waiting += _THEIRS.findall((folder / name).read_text(encoding="utf-8"))
    return sorted(found)


def _index() -> str:
    return (STREAMLIT / "index.html").read_text(encoding="utf-8")


@cache
def _links() -> dict[str, str]:
    """The `Link` header of each page's document by its address."""

    def links(page: str) -> str:
        modules, styles = needed(page)
        rows = [(each, "modulepreload") for each in modules]
        rows += [(each, "preload; as=fetch; crossorigin") for each in styles]
        named = [(_served(each), how) for each, how in rows]
        if modules:
            named += [(f"{base_path()}/static/js/{name}", "modulepreload") for name in theirs()]
        return ", ".join(f"<{each}>; rel={how}; fetchpriority=low" for each, how in named)

    return {address(page): links(page) for rows in GROUPS.values() for page, *_ in rows}


def _served(file: Path) -> str:
    return f"{base_path()}/app/static/{quote(file.relative_to(STATIC).as_posix())}"


def _first_network() -> str:
    """The Studio's first model answers as soon as its weights are there, so they come with the document, too; of the
    print that they have now."""
    try:
        weights = networks.network(slug(next(iter(FAMILY)), 2))["weights"]
    except StorageError:  # the page says so
        return ""
    return f", <{base_path()}/{weights}>; rel=preload; as=fetch; crossorigin; fetchpriority=low"


@cache
def document() -> str:
    """Streamlit's own document with this app's sheet in it.

    A page brings the sheet, too, but in an element whose code comes when the title is drawn already; the title then
    jumped to its place. It stands in the body: of two rules of the same weight the later one counts, and Streamlit
    writes its own into the head.
    """
    root = '<div id="root">'
    return _index().replace(root, f"<style>{LOOK.read_text(encoding='utf-8')}</style>{root}")


def _route(page: str) -> Route:
    """RFC 8288: the header `Link` of a page's document names the modules of its view."""

    def give(_: Request) -> HTMLResponse:
        link = _links()[address(page)] + ("" if address(page) else _first_network())
        return HTMLResponse(document(), headers={"cache-control": "no-cache"} | ({"link": link} if link else {}))

    return Route(f"{base_path()}/{address(page)}", give)


DOCUMENTS = [_route(page) for rows in GROUPS.values() for page, *_ in rows]
