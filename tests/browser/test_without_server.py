"""Studio, Map and Restore from a plain file server: modules, the checkpoints' files, and what Python tells."""

import json
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest
import torch

from ui.live import cast, networks
from ui.parts import digit
from ui.shell.family import FAMILY, slug
from ui.views import studio
from ui.views.map import live as map_view
from ui.views.restore import live as restore
from ui.views.restore.rivals import Member, Told, spoil
from vae_core import checkpoints, latent
from vae_core.corruption import CORRUPTIONS

ROOT = Path(__file__).resolve().parents[2]
ORIGIN = "https://plain.test/"  # answered from the disk
TYPES = {"mjs": "text/javascript", "css": "text/css"}
PATIENCE = 60_000  # milliseconds
MOUNT = """async ([module, options]) => {
    const root = document.body.appendChild(document.createElement("div")).attachShadow({mode: "open"});
    root.append(document.createElement("div"));
    window.said = [];
    const hear = (name, value) => said.push(value);
    const component = {parentElement: root, data: {options}, setStateValue: hear, setTriggerValue: hear};
    window.root = root;
    window.view = await (await import(`./static/${module}`)).mount(root, component);
}"""


def network(slug: str) -> dict:
    """Where a plain server has a model's files."""
    files = {name: f"checkpoints/{slug}/{name}.safetensors" for name in networks.FILES}
    return networks.network(slug) | files


@pytest.fixture
def mount(browser):
    """mount(module, options, query) → a page of that query on which nothing but that view is."""
    context = browser.new_context(viewport={"width": 1300, "height": 1000})
    wrong = []

    def answer(route):
        name = urlsplit(route.request.url).path.lstrip("/")
        if not name:
            page = (
                "<!doctype html><meta charset=utf-8><body style='--st-text-color:#1a1d21;--st-background-color:#fff'>"
            )
            return route.fulfill(body=page, content_type="text/html")
        file = ROOT / name
        kind = TYPES.get(name.rpartition(".")[2], "application/octet-stream")
        return route.fulfill(body=file.read_bytes(), content_type=kind) if file.is_file() else route.fulfill(status=404)

    context.route(ORIGIN + "**", answer)

    def open_page(module: str, options: dict, query: str = ""):
        page = context.new_page()
        page.set_default_timeout(PATIENCE)
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.goto(ORIGIN + query)
        page.evaluate(MOUNT, [module, json.dumps(options)])
        return page

    yield open_page
    context.close()
    assert wrong == []


def test_the_studio_answers_without_a_server(mount):
    """A page that is handed out as a folder must draw what the app draws."""
    page = mount("views/studio/studio.mjs", studio.options(network))
    page.wait_for_function("() => view.ready && view.here.length === 4 && said.length === 0")
    clean = np.array(page.evaluate("[...view.clean]"), np.float32)
    for kind in ("ae", "vae"):
        model, _ = checkpoints.load(f"mnist-{kind}-2d")
        with torch.inference_mode():
            drawn = model.pixels(model.encode(torch.tensor(clean)[None]).mean)[0].numpy()
        shown = page.evaluate("kind => [...view.answers.find(a => a.kind === kind).pixels]", kind)
        assert np.abs(np.array(shown) - drawn).max() < 1e-3, kind
    page.evaluate("view.pad.show({picture: new Float32Array(784).fill(1, 300, 420)}); view.pad.release()")
    page.wait_for_function("() => said.length === 1 && said[0].codes.vae.length === 2")


def test_the_map_shows_what_lies_under_the_hand_without_a_server(mount):
    here = map_view.models()
    opening = {"left": "ae", "right": "vae", "image": 3, "told": None, "walk": None, "own": False}
    page = mount("views/map/map.mjs", map_view.options(here, opening, network))
    page.wait_for_function("() => root.querySelectorAll('.plane canvas').length === 2")
    page.wait_for_function("() => root.textContent.includes('VAE draws it')")
    stored = checkpoints.load_codes("mnist-vae-2d")["test_mean"][3].tolist()
    shown = page.evaluate("[...root.querySelector('.map').view.sides[1].plane.markers.values()].map(m => [...m.z])")
    assert any(np.allclose(z, stored, atol=2e-3) for z in shown), shown


def test_restore_follows_the_hand_without_a_server(mount):
    """What it draws is what Python draws of the same seed, kind and amount, and the hand's last place is said once."""
    members = [
        Member(cast.standing(slug(kind, 20)), Told(3, "its label") if kind == "cvae" else None) for kind in FAMILY
    ]
    three = digit.drawing(studio.FIRST, 3)
    hand = {"kind": "masking", "amounts": {kind: row.start for kind, row in CORRUPTIONS.items()}, "seed": 5}
    told = restore.options(network, members, digit.option(three, 3), hand | {"told": {}})
    page = mount("views/restore.mjs", told)
    page.wait_for_function("() => view.members.every(({model}) => model)")
    page.evaluate("""() => {
        const slider = root.querySelector("input[type=range]");
        slider.value = "0.43";
        slider.dispatchEvent(new Event("input"));
        slider.dispatchEvent(new Event("change"));
    }""")
    assert page.evaluate("said") == [{"kind": "masking", "amount": 0.43, "seed": 5, "told": {}}]
    spoilt = spoil(torch.tensor(three.pixels)[None], "masking", 0.43, 5)
    assert np.array_equal(np.array(page.evaluate("[...view.spoilt]"), np.float32), spoilt[0].numpy())
    for i, one in enumerate(members):
        model, _ = checkpoints.load(one.about.slug)
        y = torch.tensor([3]) if one.told else None
        drawn = latent.decode(model, latent.encode_as_is(model, spoilt, y).mean, y)[0].numpy()
        shown = page.evaluate("i => [...view.members[i].pixels]", i)
        assert np.abs(np.array(shown) - drawn).max() < 1e-3, one.about.slug
