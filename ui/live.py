"""Live views: what is dragged runs in the browser, on the networks of static/engine.mjs.

A view is an ES module in static/ that exports `mount(root, component) → {update(component), destroy()}`. Python sends
it options and hears one message when the hand lets go. Weights travel once, by `models`, into a registry that all views
of the document share.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st

from ui import messages
from ui.frame import callback, give_up, leave_out
from vae_core import contents
from vae_core.storage import StorageError, is_there

CHECKPOINTS = Path(__file__).resolve().parent.parent / "checkpoints"

# Inline modules are blobs and cannot import relatively: the base address of the document leads to static/.
_LOADER = """
const at = (name) => new URL(`app/static/${name}`, document.baseURI).href;
const views = new WeakMap();

function sentence(root, error) {
  const p = document.createElement("p");
  p.setAttribute("role", "alert");
  p.textContent = error?.name === "EngineError" ? error.message
    : `This part of the page could not start (${error?.message ?? error}). Reload the page.`;
  root.replaceChildren(p);
  console.warn(p.textContent);
}

export default function (component) {
  const root = component.parentElement;
  let view = views.get(root);
  if (view) {
    view.then((v) => v.update?.(component)).catch((error) => sentence(root, error));
  } else {
    if (component.data.first) (root.querySelector("div") ?? root).innerHTML = component.data.first;
    view = import(at(component.data.module)).then((module) => module.mount(root, component));
    view.catch((error) => sentence(root, error));
    views.set(root, view);
  }
  return () => setTimeout(() => {
    if (root.isConnected) return;  // the same place is about to be drawn again
    views.delete(root);
    view.then((v) => v.destroy?.()).catch(() => {});
  }, 0);
}
"""

_FEEDER = """
const at = (name) => new URL(`app/static/${name}`, document.baseURI).href;
const array = (column, type) => {
  const values = column.getChildAt(0).toArray();
  return type === Uint8Array ? new Uint8Array(values) : new type(values);
};

export default function ({ data }) {
  import(at("registry.mjs")).then((registry) => {
    for (const [slug, card] of Object.entries(JSON.parse(data.cards))) {
      if (data[slug]) registry.register(slug, array(data[slug], Uint8Array), card);
      if (data[`${slug}/mean`]) registry.registerCodes(slug, {
        mean: array(data[`${slug}/mean`], Float32Array),
        logvar: data[`${slug}/logvar`] ? array(data[`${slug}/logvar`], Float32Array) : null,
        label: array(data[`${slug}/label`], Uint8Array),
      });
    }
  });
}
"""

_view = st.components.v2.component("lse_view", html="<div></div>", js=_LOADER, isolate_styles=True)
_once = st.components.v2.component("lse_once", html="<div></div>", js=_LOADER, isolate_styles=True)
_feed = st.components.v2.component("lse_models", html="<span hidden></span>", js=_FEEDER, isolate_styles=True)


@st.cache_resource(max_entries=32, show_spinner=False)
def _payload(slug: str, codes: bool) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """What of the card travels, and the arrays. Raises `StorageError`.

    By vae_core.contents: vae_core.checkpoints would import torch, and a live page paints before that."""
    folder = CHECKPOINTS / slug
    card, _ = contents.read_card(folder)
    contents.read_weights(folder)  # what is broken is named here, not by each browser
    arrays = {slug: np.frombuffer((folder / "weights.safetensors").read_bytes(), dtype=np.uint8)}
    if codes:
        stored = contents.read_codes(folder)
        arrays[f"{slug}/mean"] = stored["test_mean"].astype(np.float32).ravel()
        arrays[f"{slug}/label"] = stored["test_label"].astype(np.uint8)
        if "test_logvar" in stored:
            arrays[f"{slug}/logvar"] = stored["test_logvar"].astype(np.float32).ravel()
    return {key: card[key] for key in ("slug", "kind", "config", "test")}, arrays


@st.cache_resource(max_entries=64, show_spinner=False)
def _sound(slug: str) -> bool:
    """Read everything once; raises `StorageError`, and what raises is not kept: a restored model is found."""
    contents.read_weights(CHECKPOINTS / slug)
    contents.read_codes(CHECKPOINTS / slug)
    return True


def whole(slugs: Iterable[str]) -> list[str]:
    """Those of these models that are here and can be shown. One that is broken is named on the page, which goes on
    without it as long as there is another."""
    found, broken = [], {}
    for slug in slugs:
        if is_there(CHECKPOINTS / slug / "card.json"):
            try:
                if _sound(slug):
                    found.append(slug)
            except StorageError as error:
                broken[slug] = error
    for slug, error in broken.items():
        leave_out(slug, error, alone=not found)
    return found


def models(slugs: Iterable[str], *, codes: bool = True) -> None:
    """Send these models to the browser, once a session; views reach them by `registry.model(slug)`."""
    slugs, cards, data = tuple(slugs), {}, {}
    for slug in slugs:
        try:
            cards[slug], arrays = _payload(slug, codes)
        except (OSError, StorageError) as error:
            give_up(slug, error)
        data |= arrays
    data["cards"] = json.dumps(cards)
    _feed(key=f"models {' '.join(slugs)} {codes}", data=data, height="content")


def heard(key: str, reader: messages.Reader) -> Any:
    """What the view of this key said last, clean; None where it said nothing, or nothing of its form."""
    state = st.session_state.get(key)
    return messages.read(reader, state.get("message")) if isinstance(state, Mapping) else None


def view(
    module: str,
    *,
    key: str,
    reader: messages.Reader | None = None,
    options: dict[str, Any] | None = None,
    first: str = "",
    on_message: Callable[[Any], None] | None = None,
    height: int | str = "content",
    once: bool = False,
) -> Any:
    """Show static/<module>. Returns the last message of the view (`setStateValue("message", …)`), or None.

    reader: of the view's messages; None for a view that says nothing. `on_message` gets each message before the next
    run. `first` is the page's own HTML that stands until the module has mounted; it should take the same room. `once`:
    a message is heard and gone (`setTriggerValue`), where a state of this size would travel with every later click.
    """

    @callback
    def hear() -> None:
        said = reader and messages.read(reader, st.session_state[key].get("message"), log=True)
        if on_message and said is not None:
            on_message(said)

    result = (_once if once else _view)(
        key=key,
        data={"module": module, "options": json.dumps(options or {}), "first": first},
        default={} if once else {"message": None},
        on_message_change=hear,
        height=height,
    )
    return reader and messages.read(reader, result.get("message"))
