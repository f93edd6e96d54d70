"""Live views: what is dragged runs in the browser, on the networks of static/engine/engine.mjs.

A view is an ES module in static/ that exports `mount(root, component) → {update(component), destroy()}`. Python sends
it options and hears one message when the hand lets go. Networks are fetched by registry.mjs, which all views of
the document share, from the addresses that `network` gives.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import streamlit as st

from ui.live import messages, networks
from ui.shell.failure import callback, give_up, leave_out
from vae_core.storage import StorageError, is_there

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

// The print of each model's files that the options name. A model that was trained again under its name has another: a
// view that holds something of the old one begins anew.
const printsIn = (text) =>
  new Map(Array.from(text.matchAll(/"weights\\/([^/"]+)\\/(\\w+)\\//g), ([, slug, print]) => [slug, print]));

const end = (view) => view.then((v) => v.destroy?.()).catch(() => {});

export default function (args) {
  const root = args.parentElement;
  const before = views.get(root);
  const component = { ...args, page: before?.page ?? location.pathname };
  const prints = printsIn(component.data.options);
  const stands = before && [...prints].every(([slug, print]) => (before.prints.get(slug) ?? print) === print);
  let { view } = before ?? {};
  if (stands) {
    view.then((v) => v.update?.(component)).catch((error) => sentence(root, error));
    prints.forEach((print, slug) => before.prints.set(slug, print));
  } else {
    if (component.data.first) (root.querySelector("div") ?? root).innerHTML = component.data.first;
    view = Promise.all([import(at(component.data.module)), before && end(view)])
      .then(([module]) => module.mount(root, component));
    import(at("parts/coming.mjs")).then(({ coming }) => coming(root, component, view));
    view.then((v) => v.started).catch((error) => sentence(root, error));
    views.set(root, { view, prints, page: component.page });
  }
  return () => setTimeout(() => {
    if (root.isConnected) return;  // the same place is about to be drawn again
    views.delete(root);
    end(view);
  }, 0);
}
"""

_view = st.components.v2.component("lse_view", html="<div></div>", js=_LOADER, isolate_styles=True)  # pyright: ignore[reportAttributeAccessIssue]: not in its types
_once = st.components.v2.component("lse_once", html="<div></div>", js=_LOADER, isolate_styles=True)  # pyright: ignore[reportAttributeAccessIssue]: not in its types


def whole(slugs: Iterable[str]) -> list[str]:
    """Those of these models that are here and can be shown. One that is broken is named on the page, which goes on
    without it as long as there is another."""
    found, broken = [], {}
    for slug in slugs:
        if slug != "judge" and is_there(networks.CHECKPOINTS / slug / "card.json"):
            try:
                networks.network(slug)
                found.append(slug)
            except StorageError as error:
                broken[slug] = error
    for slug, error in broken.items():
        leave_out(slug, error, alone=not found)
    return found


def network(slug: str) -> dict[str, Any]:
    """What a view is told of a network, or one sentence and the end of the page where its files are broken."""
    try:
        return networks.network(slug)
    except StorageError as error:
        give_up(slug, error)


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

    state = st.session_state
    try:
        result = (_once if once else _view)(
            key=key,
            data={"module": module, "options": json.dumps(options or {}), "first": first},
            default={} if once else {"message": None},
            on_message_change=hear,
            height=height,
        )
    except KeyError:
        # Once in some hundreds of page switches Streamlit does not find what it has just put into its own state. The
        # next run does; what is lost twice is another matter.
        if state.pop("lost", False):
            raise
        state["lost"] = True
        st.rerun()
    state.pop("lost", None)
    return reader and messages.read(reader, result.get("message"))
