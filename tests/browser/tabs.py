"""What browser tests do with a tab, whatever page is in it."""

from pathlib import Path
from urllib.parse import urlsplit

TYPES = {"mjs": "text/javascript", "css": "text/css", "json": "application/json"}

BLANK = "<!doctype html><body style='margin:16px;--st-text-color:#1a1d21;--st-background-color:#fff'>"  # as Streamlit's


def listening(tab):
    """The tab: from now on `.sent` lists the frames that leave for the server, `.wrong` what goes wrong in the page."""
    tab.sent, tab.wrong = [], []
    tab.on("websocket", lambda socket: socket.on("framesent", lambda frame: tab.sent.append(frame)))
    tab.on("pageerror", lambda error: tab.wrong.append(str(error)))
    return tab


def serve_files(context, origin: str, root: Path, document: str = BLANK) -> None:
    """A folder's files at this address, and the document at its top: a page without any server."""

    def answer(route):
        name = urlsplit(route.request.url).path.lstrip("/")
        if not name:
            return route.fulfill(body=document, content_type="text/html")
        kind = TYPES.get(name.rpartition(".")[2], "application/octet-stream")
        return route.fulfill(body=(root / name).read_bytes(), content_type=kind)

    context.route(f"{origin}**", answer)
