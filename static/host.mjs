// The one seam to the page around: what a view is told, what it says, the page's address, what a tab remembers. Here that
// page is Streamlit's. A plain page mounts a view with a component of the same form, and with the files of static/:
//   mount(root, { parentElement: root, data: { options: "…JSON…" }, setStateValue(name, value), setTriggerValue(name, value) })

/** @typedef {HTMLElement & {host?: HTMLElement}} Root where a view stands: an element, or its shadow root, which knows its host */

/**
 * The page around a view. Options is what it tells the view, as JSON; Message what the view says; page the path of the
 * address where the view was mounted.
 * @template Options, Message
 * @typedef {{
 *   page?: string,
 *   data: { options: string & { of?: Options } },
 *   setStateValue(name: "message", value: Message): void,
 *   setTriggerValue(name: "message", value: Message): void,
 * }} Component
 */

/**
 * What Python, or whoever mounts the view, tells it; in a new object at each call.
 * @template O
 * @param {Component<O, any>} component
 * @returns {O}
 */
export const told = (component) => JSON.parse(component.data.options);

/** A link to a page of the app: another page without another document. */
export const PAGE_LINK = '[data-testid="stPageLink-NavLink"]';

// What a view asks of a page that the visitor has left, Streamlit runs after the page that follows, and clears that one for
// it: it stays blank. So a view is mute from the click on another page's link on, or where Back has changed the address.
const LED_NOWHERE = 10_000; // ms; such a link is forgotten: without a connection Streamlit follows none
let left = { page: "", at: -LED_NOWHERE };
/** @param {Event} e */
const linkOf = (e) => /** @type {HTMLElement | null} */ (/** @type {Element} */ (e.target).closest?.(PAGE_LINK));
/** @param {HTMLElement} link */
const leave = (link) => (left = { page: link.ariaCurrent ? "" : location.pathname, at: performance.now() });
document.addEventListener("click", (e) => {
  const link = linkOf(e);
  if (link && e.defaultPrevented) leave(link);
});
addEventListener("popstate", () => (left.page = ""));

// What a control says travels in a task of its own, in the name of the page that is shown when it does: a number that is
// typed and not yet confirmed, a box that a click beside it closes. Behind the link's own request it would call the visitor
// back. So a link is followed in a later task, and after an open box has gone.
const BOX = '[data-testid="stPopoverBody"]';
addEventListener("click", (e) => {
  const link = linkOf(e);
  if (!link || !e.isTrusted || e.button || e.ctrlKey || e.metaKey || e.shiftKey || e.altKey) return;
  e.preventDefault();
  e.stopImmediatePropagation();
  leave(link);
  if (document.querySelector(BOX)) document.dispatchEvent(new KeyboardEvent("keydown", { key: "Escape" }));
  const until = performance.now() + 1000; // ms; a box that Escape does not close is none of ours
  const follow = () => {
    if (document.querySelector(BOX) && performance.now() < until) setTimeout(follow);
    else setTimeout(() => link.click());
  };
  setTimeout(follow);
}, true);

/** @param {Component<any, any>} component */
const mute = ({ page = location.pathname }) =>
  page !== location.pathname || (page === left.page && performance.now() - left.at < LED_NOWHERE);

/**
 * Say where the hand let go: the last message stays, and is heard again by whoever asks later.
 * @template M
 * @param {Component<any, M>} component @param {M} message
 */
export const say = (component, message) => mute(component) || component.setStateValue("message", message);

/**
 * Say something once.
 * @template M
 * @param {Component<any, M>} component @param {M} message
 */
export const call = (component, message) => mute(component) || component.setTriggerValue("message", message);

/** Texts that last as long as this tab; a browser that keeps nothing gives null. */
export const memory = {
  get(name) {
    try {
      return sessionStorage.getItem(name);
    } catch {
      return null;
    }
  },
  set(name, text) {
    try {
      sessionStorage.setItem(name, text);
    } catch { /* a browser that keeps nothing */ }
  },
};

/** @type {{path: string, values: Map<string, string | null>, timer: ReturnType<typeof setTimeout>} | null} */
let waiting = null; // browsers refuse more than 200 changes of the address in 30 s

function write() {
  const { path, values } = waiting;
  waiting = null;
  if (location.pathname !== path) return; // the visitor has left for another page
  const url = new URL(location.href);
  for (const [name, value] of values) {
    if (value === null) url.searchParams.delete(name);
    else url.searchParams.set(name, value);
  }
  if (url.href !== location.href) history.replaceState(history.state, "", url);
}

/** The page's state in its address: get(name) → text or null; set({name: text or null}); no entry in the history. */
export const link = {
  get(name) {
    if (waiting?.path === location.pathname && waiting.values.has(name)) return waiting.values.get(name);
    return new URLSearchParams(location.search).get(name);
  },
  set(values) {
    if (waiting && waiting.path !== location.pathname) {
      clearTimeout(waiting.timer);
      waiting = null;
    }
    waiting ??= { path: location.pathname, values: new Map(), timer: setTimeout(write, 250) };
    for (const [name, value] of Object.entries(values)) waiting.values.set(name, value === null ? null : String(value));
  },
};
