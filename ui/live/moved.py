"""Old addresses lead to where their pages are now: who asks the server for one is sent on, with all that it holds."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlencode, urlsplit

from starlette.requests import Request
from starlette.responses import RedirectResponse
from starlette.routing import Route

from ui.live.networks import base_path
from ui.shell.pages import MOVED


def now_at(page: str, query: str) -> str:
    """Where the old page of this name, in the state that its query string says, is shown now: "The_bound?digit=5"."""
    state = parse_qsl(query, keep_blank_values=True)
    rows = [(urlsplit(old), urlsplit(new)) for old, new in MOVED.items()]
    fitting = [
        (parse_qsl(old.query), new) for old, new in rows if old.path == page and {*parse_qsl(old.query)} <= {*state}
    ]
    named, new = max(fitting, key=lambda row: len(row[0]))  # a row for this part of the page before that for all of it
    kept = urlencode([*parse_qsl(new.query), *(pair for pair in state if pair not in named)])
    return f"{new.path}?{kept}" if kept else new.path


def _send_on(request: Request) -> RedirectResponse:
    return RedirectResponse(f"{base_path()}/{now_at(request.url.path.rpartition('/')[2], request.url.query)}")


MOVES = [Route(f"{base_path()}/{old}", _send_on) for old in MOVED if "?" not in old]
