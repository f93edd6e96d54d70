"""Sliders under a hand: what is painted against PyTorch, and what Python hears of it. And what live pages share."""

import base64
import io
import re
from urllib.parse import urlsplit

import numpy as np
import pytest
import torch
from hands import PATIENCE, PHONE, READY, STEP, code_in_link, drag, drawn, painted, seen, soon, stroke
from PIL import Image
from playwright.sync_api import expect

from ui.live.bridge import _LOADER
from ui.parts.digit import as_text, drawing, sample
from ui.parts.picture import label_for
from vae_core import chance, checkpoints, data, latent, measures

PLACES = "boxes => boxes.map(b => (b.valueAsNumber - b.min) / (b.max - b.min))"  # where a slider's thumb stands


# All three ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("address", ["Styles", "Sliders", "Interpolate"])
def test_damaged_weights_give_one_sentence(visit, address):
    """Otherwise a download that broke off ends in an empty box, or in digits of a broken network."""
    tab = visit(address, broken=True)
    told = tab.locator("[role=alert]").filter(has_text="weights")
    expect(told).to_have_count(1)
    expect(told).to_have_text(re.compile(r"^[A-Z].{20,200}\.$", re.DOTALL))
    soon(lambda: tab.locator(".view canvas").count(), 0)


# Sliders --------------------------------------------------------------------------------------------------------------


def drawn_by(kind: str, z: torch.Tensor, label: int) -> np.ndarray:
    model, _ = checkpoints.load(f"mnist-{kind}-{len(z)}d")
    return latent.decode(model, z[None], torch.tensor([label]) if model.conditional else None)[0].numpy()


def code_of_digit(kind: str, size: int, index: int) -> tuple[torch.Tensor, int]:
    images, labels = data.load("digits", "test")
    model, _ = checkpoints.load(f"mnist-{kind}-{size}d")
    y = labels[index : index + 1]
    code = latent.embed(model, images[index : index + 1], y if model.conditional else None)
    return code.mean[0].clone(), int(y)  # no longer an inference tensor


def offsets(kind: str, size: int, s: torch.Tensor) -> torch.Tensor:
    """What the sliders' offsets s, by rank and in σ, add to a model's code."""
    codes = checkpoints.load_codes(f"mnist-{kind}-{size}d")
    order, _ = latent.order_dimensions(codes["test_mean"], codes.get("test_logvar"))
    sd = torch.ones(size) if "test_logvar" in codes else latent.robust_scale(codes["train_mean"]).sigma
    added = torch.zeros(size)
    added[order] = s * sd[order]
    return added


@pytest.mark.parametrize("size", [2, 20])
def test_a_slider_moves_every_model_by_as_many_of_its_own_sigmas(visit, size):
    """Otherwise the four pictures answer to different gestures, or dragging loads the server."""
    tab = visit(f"Sliders?sliders_dim={size}&digit=12")
    kinds = ("ae", "dae", "vae", "cvae")
    opened = [drawn_by(kind, *code_of_digit(kind, size, 12)) for kind in kinds]
    soon(lambda: np.testing.assert_allclose(painted(tab, ".stage"), opened, atol=STEP))
    slider = tab.locator(".rows input").nth(1)
    slider.scroll_into_view_if_needed()
    assert drag(tab, slider.bounding_box(), [(0.5, 0.5), (0.7, 0.5), (0.66, 0.5)]) == 0
    tab.wait_for_function("() => new URLSearchParams(location.search).get('s')")
    s, moved = code_in_link(tab, "s"), painted(tab, ".stage")
    assert s[1] != 0 and torch.count_nonzero(s) == 1
    other = visit(f"Sliders?{urlsplit(tab.url).query}")  # the link says s to three decimals, and so does this page
    codes = [code_of_digit(kind, size, 12) for kind in kinds]
    linked = [drawn_by(kind, z + offsets(kind, size, s), label) for kind, (z, label) in zip(kinds, codes, strict=True)]
    soon(lambda: np.testing.assert_allclose(painted(other, ".stage"), linked, atol=STEP))
    np.testing.assert_allclose(moved, linked, atol=0.03)


def test_each_conditional_model_encodes_a_drawing_as_what_it_takes_it_for(visit):
    """Otherwise the second model's digit is encoded under the first one's guess: here a 4 as a 9."""
    chosen = drawing(as_text(sample(4, "digits")))
    tab = visit(f"Sliders?sliders_dim=2&sliders_cast=cvae~digits-cvae-2d&d={as_text(chosen)}")
    models = [checkpoints.load(slug)[0] for slug in ("mnist-cvae-2d", "digits-cvae-2d")]
    guesses = [label_for(chosen, model)[0] for model in models]
    assert guesses == [9, 4]

    def drawn_as(*own: int) -> list[np.ndarray]:
        x, codes = torch.tensor(chosen.pixels)[None], []
        for model, y in zip(models, own, strict=True):
            codes.append(latent.embed(model, x, torch.tensor([y])).mean)
        told = torch.tensor([own[0]])  # what they draw, both are told alike: as the control opens
        return [latent.decode(model, z, told)[0].numpy() for model, z in zip(models, codes, strict=True)]

    soon(lambda: np.testing.assert_allclose(painted(tab, ".stage"), drawn_as(*guesses), atol=STEP))
    tab.get_by_role("combobox", name="Which digit it is").click()
    tab.get_by_role("option", name="it is 4").click()
    expect(tab.get_by_label("Label that the CVAE is told")).to_have_value("4", timeout=PATIENCE)
    drawn(tab)
    soon(lambda: np.testing.assert_allclose(painted(tab, ".stage"), drawn_as(4, 4), atol=STEP))


def test_the_strip_under_a_slider_shows_what_the_slider_can_do(visit):
    """Otherwise the pictures under a slider are of another dimension, another label, or lie under other values."""
    tab = visit("Sliders?sliders_dim=2&models=cvae&y=3&from=mean&s=0.4,-1.1&digit=3")
    z = offsets("cvae", 2, torch.tensor([0.4, -1.1]))
    codes = checkpoints.load_codes("mnist-cvae-2d")
    order, _ = latent.order_dimensions(codes["test_mean"], codes["test_logvar"])
    soon(
        lambda: np.testing.assert_allclose(
            painted(tab, ".stage figure:not([hidden])")[0], drawn_by("cvae", z, 3), atol=STEP
        )
    )
    for k, row in enumerate(tab.locator(".rows .row").all()):
        end = float(row.locator("input").get_attribute("max"))
        read = "c => Array.from(c.getContext('2d').getImageData(0, 0, 252, 28).data).filter((_, i) => i % 4 === 0)"
        strip = np.array(row.locator("canvas").evaluate(read), np.float32).reshape(28, 9, 28) / 255
        values = end * ((2 * torch.arange(9) + 1) / 9 - 1)
        for i, value in enumerate(values):
            walked = z.clone()
            walked[order[k]] = value
            np.testing.assert_allclose(strip[:, i].reshape(784), drawn_by("cvae", walked, 3), atol=STEP)


def test_random_codes_come_from_the_right_gaussian(visit):
    """An AE has no prior to draw from: its random code must come from its codes' own Gaussian, and a link repeat it."""
    tab = visit("Sliders?sliders_dim=2&from=u7")
    expect(tab.locator(".stage small")).to_have_text([re.compile(r"[+−][\d.]+")] * 4)
    told = tab.locator(".stage small").all_inner_texts()
    eps = torch.tensor([float(v.replace("−", "-")) for v in re.findall(r"[+−][\d.]+", told[2])])
    assert told[0] == told[1] == told[2] == told[3]  # unfair: all at the same place
    fair = visit("Sliders?sliders_dim=2&from=r7")
    expect(fair.locator(".stage small")).to_have_text([re.compile(r"[+−][\d.]+")] * 4)
    note = fair.locator(".stage small").nth(0).inner_text()
    at = torch.tensor([float(v.replace("−", "-")) for v in re.findall(r"[+−][\d.]+", note)])
    own = latent.fit_gaussian(checkpoints.load_codes("mnist-ae-2d")["train_mean"])
    torch.testing.assert_close(at, own.mean + own.factor @ eps, atol=0.02 * float(own.factor.diagonal().max()), rtol=0)
    soon(lambda: fair.locator(".stage small").nth(2).inner_text(), told[2])


def test_random_codes_of_a_learned_prior_come_from_it(visit):
    """Browser and Python choose the same of its Gaussians by the same number."""
    tab = visit("Sliders?sliders_dim=20&sliders_cast=mnist-mixture-20d&from=r7")
    mixture = checkpoints.load("mnist-mixture-20d")[0].prior.mixture()
    z = mixture.place(chance.uniforms(8, 1)[0], torch.tensor(chance.normals(7, 20)))
    codes = checkpoints.load_codes("mnist-mixture-20d")
    far = float(latent.own_scale(codes["train_mean"], prior=False).distance(z))
    expect(tab.locator(".stage small").first).to_have_text(re.compile(rf"{far:.1f} σ"))


@pytest.mark.parametrize("size", [2, 20])
def test_the_middle_is_answered_by_python_too(visit, size):
    """Its codes are zeros, which JSON brings as integers: Python answered with an exception every time."""
    tab = visit(f"Sliders?sliders_dim={size}")
    tab.get_by_role("button", name="Middle", exact=True).click()
    for row in ("VAE", "CVAE"):
        line = tab.locator(".lse-numbers tr").filter(has_text=re.compile(rf"^\S {row}"))
        expect(line.locator("td").nth(1)).to_have_text("0.00", timeout=PATIENCE)
    for wrong in ("stException", "stAlert"):
        expect(tab.get_by_test_id(wrong)).to_have_count(0)
    expect(tab.get_by_role("button", name="Middle", exact=True)).to_be_visible()
    expect(tab.get_by_role("spinbutton", name=re.compile("^Digit"))).to_be_visible()


def test_sliders_by_keyboard_and_models_on_and_off(visit):
    """Otherwise only a pointer can move a slider, or the last model can be put away and nothing is left."""
    tab = visit("Sliders?sliders_dim=20&digit=5")
    first = tab.locator(".rows input").first
    z, label = code_of_digit("vae", 20, 5)
    first.focus()
    first.press("Home")
    first.press("PageUp")
    tab.wait_for_function("() => new URLSearchParams(location.search).get('s')")
    codes = checkpoints.load_codes("mnist-vae-20d")
    j = int(latent.order_dimensions(codes["test_mean"], codes["test_logvar"])[0][0])
    z[j] = 1.0
    soon(lambda: np.testing.assert_allclose(painted(tab, ".stage")[2], drawn_by("vae", z, label), atol=0.01))
    told = tab.locator(".view [aria-live]").element_handle()
    tab.wait_for_function("e => e.textContent.includes('+1.00')", arg=told)
    for name in ("● AE", "◌ DAE", "◉ CVAE", "○ VAE"):
        tab.get_by_role("button", name=name, exact=True).click()
    soon(lambda: tab.locator(".stage figure:not([hidden])").count(), 1)
    tab.wait_for_function("() => new URLSearchParams(location.search).get('models') === 'vae'")
    codes = checkpoints.load_codes("mnist-vae-20d")
    worth = latent.order_dimensions(codes["test_mean"], codes["test_logvar"])[1]
    soon(lambda: tab.locator(".view details .row").count(), int((worth < 0.01).sum()))  # folded away: they say nothing


def test_an_arrow_moves_every_model_along_its_own(visit):
    """Otherwise the hand changes another attribute than its slider says, or that of another digit's class."""
    tab = visit("Sliders?sliders_dim=20&digit=12")
    thicker = tab.get_by_label("Thickness of the VAE's drawing")
    expect(thicker).to_be_enabled()
    thicker.press("PageUp")
    tab.wait_for_function("() => new URLSearchParams(location.search).get('a') === '1,0'")
    judge, expected = checkpoints.load_judge(), []
    for kind in ("ae", "dae", "vae", "cvae"):
        z, label = code_of_digit(kind, 20, 12)
        seen = label if kind == "cvae" else int(judge.label(torch.tensor(drawn_by(kind, z, label))[None]))
        expected.append(drawn_by(kind, z + measures.steps(f"mnist-{kind}-20d")[seen, 0], label))
    soon(lambda: np.testing.assert_allclose(painted(tab, ".stage"), expected, atol=0.03))
    expect(tab.locator(".arrows")).to_contain_text("stay the same digit")
    other = visit(f"Sliders?{urlsplit(tab.url).query}")
    soon(lambda: np.testing.assert_allclose(painted(other, ".stage"), expected, atol=0.03))


def test_sliders_fit_a_phone_and_answer_a_finger(visit):
    """Otherwise a finger scrolls the page where it should move the slider, or the pictures are out of sight."""
    tab = visit("Sliders?sliders_dim=20", PHONE, touch=True)
    slider = tab.locator(".rows input").nth(9)
    slider.scroll_into_view_if_needed()
    stroke(tab, slider.bounding_box(), [(0.3, 0.5), (0.4, 0.5), (0.6, 0.5), (0.8, 0.5)])
    tab.wait_for_function("() => new URLSearchParams(location.search).get('s')")
    soon(lambda: code_in_link(tab, "s")[9] != 0, True)
    stage = tab.locator(".stage").bounding_box()
    assert 0 <= stage["y"] < PHONE["height"] / 2, "the pictures left the screen"
    soon(lambda: tab.evaluate("document.scrollingElement.scrollWidth - innerWidth") <= 0, True)


@pytest.mark.parametrize(
    "link",
    [
        "digit=12",
        "sliders_dim=20&from=r7",
        "from=u4294967295&models=ae.cvae&lead=cvae&y=3&s=0.5,-1",
        "digit=5&from=r12&s=cut&y=cut&lead=cut&models=cut",
    ],
)
def test_sliders_first_picture_is_the_views(visit, link):
    """Otherwise a link opens with one picture and, once the networks are there, turns into another."""
    rows, held = ".sliders > div > .rows", []  # without the idle ones, which are folded away
    told = "figures => figures.map(f => f.innerText.split(/\\s+/).join(' ').trim())"
    tab = visit("Styles")
    tab.route("**/sliders.mjs", lambda route: held.append(route))
    tab.goto(f"{tab.url.split('/Styles')[0]}/Sliders?{link}")
    tab.wait_for_selector(".stage img")
    tab.wait_for_selector(READY)
    sources = tab.locator(".stage img").evaluate_all("images => images.map(i => i.src.split(',')[1])")
    first = [np.asarray(Image.open(io.BytesIO(base64.b64decode(s)))).reshape(784) / 255 for s in sources]
    captions = tab.locator(".stage figure").evaluate_all(told)
    values, boxes = tab.locator(f"{rows} .value").all_inner_texts(), tab.locator(f"{rows} input").evaluate_all(PLACES)
    below = None

    def rests() -> None:  # what stands above may still be laid out, without any view
        nonlocal below
        before, below = below, tab.locator(".lse-numbers").bounding_box()
        tab.wait_for_timeout(1_000)
        assert below == before

    soon(rests)
    assert held, "the view did not ask for its module"
    held[0].continue_()
    tab.wait_for_selector(".view input[type=range]:enabled")
    shown = ".stage figure:not([hidden])"
    soon(lambda: np.testing.assert_allclose(painted(tab, shown), first, atol=1.5 / 255))  # both were rounded
    soon(lambda: tab.locator(shown).evaluate_all(told), captions)
    soon(lambda: tab.locator(f"{rows} .value").all_inner_texts(), values)
    soon(lambda: np.testing.assert_allclose(tab.locator(f"{rows} input").evaluate_all(PLACES), boxes, atol=1e-3))
    soon(lambda: tab.locator(".lse-numbers").bounding_box(), below)  # or the page jumps
    soon(lambda: tab.locator(".lse-numbers td:first-child").all_inner_texts(), [c[: c.index(" ", 2)] for c in captions])


def drawn_from_digit(index: int) -> list[np.ndarray]:
    return [drawn_by(kind, *code_of_digit(kind, 2, index)) for kind in ("ae", "dae", "vae", "cvae")]


def go(tab, page: str, ready: str) -> None:
    tab.locator(f'[data-testid="stSidebar"] a[href="{page}"]').click()
    tab.wait_for_selector(f"{READY} h1:has-text('{page}')")
    tab.wait_for_selector(ready)


def switch_size(tab, size: int) -> None:
    tab.locator(".st-key-sliders_dim").get_by_text(str(size), exact=True).click()
    expect(tab.locator(".view .rows input[type=range]:enabled")).to_have_count(size, timeout=PATIENCE)
    tab.wait_for_selector(READY)


def test_sliders_follow_the_picker_and_remember_the_hand(visit):
    """Otherwise the digits are not those of the picker's number, or a look at another page loses what was found."""
    enabled = ".view input[type=range]:enabled"
    tab = visit("Sliders?sliders_dim=2&from=r7&digit=3")
    random = painted(tab, ".stage")
    assert np.abs(random[2] - drawn_from_digit(3)[2]).max() > 0.3  # the link holds other state
    tab.get_by_role("button", name="Another").click()
    tab.wait_for_function("() => !new URLSearchParams(location.search).has('from')")
    soon(lambda: np.testing.assert_allclose(painted(tab, ".stage"), drawn_from_digit(4), atol=STEP))
    expect(tab.get_by_role("button", name="My digit", exact=True)).to_have_attribute("aria-pressed", "true")

    before = tab.locator(".lse-numbers").inner_text()
    tab.locator(".rows input").first.press("PageUp")
    tab.wait_for_function("() => new URLSearchParams(location.search).has('s')")
    soon(lambda: tab.locator(".lse-numbers").inner_text() != before, True)  # the link is written first
    tab.wait_for_selector(READY)
    left, numbers = painted(tab, ".stage"), tab.locator(".lse-numbers").inner_text()
    go(tab, "Restore", ".lse-numbers")
    go(tab, "Sliders", enabled)
    soon(lambda: np.testing.assert_allclose(painted(tab, ".stage"), left, atol=STEP))
    soon(lambda: tab.locator(".lse-numbers").inner_text(), numbers)

    go(tab, "Restore", ".lse-numbers")
    tab.get_by_role("button", name="Another").click()
    seen(tab, re.compile("digit 5, an? ")).wait_for()
    go(tab, "Sliders", enabled)
    soon(lambda: np.testing.assert_allclose(painted(tab, ".stage"), drawn_from_digit(5), atol=STEP))
    soon(lambda: tab.locator(".lse-numbers").inner_text() != numbers, True)
    assert tab.wrong == []


def test_a_hand_belongs_to_its_size_and_its_digit(visit):
    """Otherwise the link of one size and digit is read for another, by the view or by Python: they part."""
    tab = visit("Sliders?digit=3&sliders_dim=20")
    tab.locator(".rows input").first.press("PageUp")
    tab.wait_for_function("() => new URLSearchParams(location.search).has('s')")
    switch_size(tab, 2)
    soon(lambda: np.testing.assert_allclose(painted(tab, ".stage"), drawn_from_digit(3), atol=STEP))
    tab.get_by_role("button", name="Another").click()
    seen(tab, re.compile("digit 4, an? ")).wait_for()
    tab.wait_for_selector(READY)  # the view hears of the digit after the caption, and begins with its code
    tab.get_by_role("button", name="◌ DAE").click()
    tab.get_by_role("button", name="Random code").click()
    tab.wait_for_function("() => new URLSearchParams(location.search).has('from')")
    drawn(tab)  # the link is written before the frame
    kinds, shown = ("ae", "vae", "cvae"), ".stage figure:not([hidden])"
    random = painted(tab, shown)
    switch_size(tab, 20)
    pressed = tab.locator(".bar > button[aria-pressed=true]")  # where the codes start from
    expect(pressed).to_have_text(["My digit"])
    tab.wait_for_function("() => !new URLSearchParams(location.search).has('from')")
    soon(
        lambda: np.testing.assert_allclose(
            painted(tab, shown), [drawn_by(kind, *code_of_digit(kind, 20, 4)) for kind in kinds], atol=STEP
        )
    )

    def one_says_tenths_the_other_hundredths():
        told = [float(re.search(r"([\d.]+) σ", text)[1]) for text in tab.locator(shown).all_inner_texts()]
        table = [float(text) for text in tab.locator(".lse-numbers td:nth-child(2)").all_inner_texts()]
        np.testing.assert_allclose(told, table, atol=0.056)

    soon(one_says_tenths_the_other_hundredths)
    switch_size(tab, 2)
    soon(lambda: np.testing.assert_allclose(painted(tab, shown), random, atol=STEP))
    expect(pressed).to_have_text(["Random code"])
    assert tab.wrong == []


def test_two_tabs_have_a_hand_each(visit):
    """Otherwise what one visitor, or one of a visitor's tabs, moves is seen in another."""
    one, two = (visit(f"Sliders?sliders_dim=2&digit={index}") for index in (3, 4))
    assert one.context == two.context
    for tab, key in ((one, "End"), (two, "PageUp")):
        before = tab.locator(".lse-numbers").inner_text()
        tab.locator(".rows input").first.press(key)
        tab.wait_for_function("b => document.querySelector('.lse-numbers').innerText !== b", arg=before)
    found = [(painted(tab, ".stage"), tab.locator(".lse-numbers").inner_text()) for tab in (one, two)]
    assert np.abs(found[0][0] - found[1][0]).max() > 0.3 and found[0][1] != found[1][1]
    for tab, index, end in ((one, 3, True), (two, 4, False)):
        z, label = code_of_digit("vae", 2, index)
        codes = checkpoints.load_codes("mnist-vae-2d")
        j = int(latent.order_dimensions(codes["test_mean"], codes["test_logvar"])[0][0])
        z[j] = float(tab.locator(".rows input").first.get_attribute("max")) if end else z[j] + 1
        soon(lambda: np.testing.assert_allclose(painted(tab, ".stage")[2], drawn_by("vae", z, label), atol=0.01))


def test_a_model_that_was_trained_again_under_its_name_is_mounted_anew(browser):
    """Otherwise a view goes on drawing with the old weights, beside tables of the new ones."""
    view = """export function mount(root, component) {
      window.said.push("mount");
      return { update: () => window.said.push("update"), destroy: () => window.said.push("destroy") };
    }"""
    files = {
        "static/view.mjs": view,
        "static/parts/coming.mjs": "export const coming = () => {};",
        "loader.mjs": _LOADER,
    }
    context = browser.new_context()
    tab = context.new_page()
    tab.route("**/*", lambda route: route.fulfill(body="<div></div>", content_type="text/html"))
    for name, code in files.items():
        tab.route(f"**/{name}", lambda route, _, code=code: route.fulfill(body=code, content_type="text/javascript"))
    tab.goto("http://plain.test/")
    said = tab.evaluate(
        """async () => {
          window.said = [];
          const { default: show } = await import("/loader.mjs");
          const network = (slug, print) => ({ weights: `weights/${slug}/${print}/weights.safetensors` });
          const parentElement = document.querySelector("div");
          const tell = async (wanted, ...models) => {
            show({ parentElement, data: { module: "view.mjs", options: JSON.stringify({ models }) } });
            while (said.length < wanted) await new Promise((resolve) => setTimeout(resolve));
            return said.splice(0).join(" ");
          };
          return [
            await tell(1, network("a", "1"), network("b", "1")),
            await tell(1, network("b", "1"), network("c", "1")), // who else stands there is the view's own matter
            await tell(2, network("b", "2"), network("c", "1")),
            await tell(1, network("a", "2"), network("b", "2")),
            await tell(2, network("a", "3"), network("b", "2")),
          ];
        }"""
    )
    assert said == ["mount", "update", "destroy mount", "update", "destroy mount"]
    context.close()
