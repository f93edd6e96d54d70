"""The Studio's layer "true posterior" in a real browser, against PyTorch on the same weights."""

import base64

import numpy as np
import pytest
import torch
from hands import seen, soon
from playwright.sync_api import expect

from ui.parts.tiles import bits
from ui.shell.family import slug
from ui.views.studio import FIRST
from vae_core import checkpoints, likelihood

PATIENCE = 120_000  # milliseconds: the lattice of two models is decoded while the machine does other things
PROBABILISTIC = ("vae", "cvae")
FIND = """() => {
    const find = node => {
        for (const e of node.querySelectorAll("*")) {
            const found = e.studio ?? (e.shadowRoot && find(e.shadowRoot));
            if (found) return found;
        }
    };
    window.S = find(document);
    if (!S?.ready) return false;
    window.A = Object.fromEntries(S.answers.map(a => [a.kind, a]));
    window.settle = () => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done())));
    return true;
}"""
REFINED = "() => ['vae', 'cvae'].every(kind => A[kind].posterior?.refined)"
IDLE = '[data-testid="stApp"][data-test-script-state="notRunning"]'


@pytest.fixture(scope="module")
def networks():
    return {kind: checkpoints.load(slug(kind, 2))[0] for kind in PROBABILISTIC}


@pytest.fixture
def visit(server, window):
    """Open the Studio in a tab of its own; `.sent` lists what went to the server."""
    tabs, wrong = [], []

    def open_page(query=""):
        tab = window(1440, 900).new_page()
        tabs.append(tab)
        tab.sent = []
        tab.on("pageerror", lambda error: wrong.append(str(error)))
        tab.on("websocket", lambda socket: socket.on("framesent", lambda frame: tab.sent.append(frame)))
        tab.goto(f"{server}/{query}", timeout=PATIENCE)
        tab.wait_for_function(FIND, timeout=PATIENCE)
        tab.wait_for_selector(IDLE, timeout=PATIENCE)
        return tab

    yield open_page
    for tab in tabs:
        tab.close()
    assert wrong == []


def text_of(x: np.ndarray) -> str:
    return base64.urlsafe_b64encode(np.packbits(x.astype(np.uint8)).tobytes()).decode().rstrip("=")


def drawn(networks, z: tuple[float, float], y: int) -> np.ndarray:
    """A digit, black or white: what the CVAE draws at z under a label."""
    with torch.inference_mode():
        logits = networks["cvae"].decode(torch.tensor([z]), torch.tensor([y]))[0]
    return (logits > 0).float().numpy()


def lattice() -> torch.Tensor:
    middle = -4 + (torch.arange(64) + 0.5) / 8
    up, across = torch.meshgrid(middle, middle, indexing="ij")
    return torch.stack([across, up], -1).reshape(-1, 2)


def expected(networks, kind: str, x: np.ndarray, label: int) -> np.ndarray:
    y = label if kind == "cvae" else None
    return likelihood.log_joint(networks[kind], torch.from_numpy(x)[None], lattice(), y)[0].numpy()


def test_the_lattice_is_the_log_joint(visit, networks):
    """A transposed table, a forgotten log p(z) or a label of another lattice would heat the wrong place."""
    x = bits(FIRST)
    tab = visit(f"?posterior=1&label=3&d={FIRST}")
    tab.wait_for_function(REFINED, timeout=PATIENCE)
    for kind in PROBABILISTIC:
        seen = np.array(tab.evaluate(f"[...A.{kind}.posterior.joint]"))
        truth = expected(networks, kind, x, 3)
        assert seen.argmax() == truth.argmax()
        assert np.abs(seen - truth)[truth > truth.max() - 100].max() < 1e-2


@pytest.mark.parametrize(("z", "y"), [((0.0, 0.0), 4), ((0.8, -0.6), 9), ((-1.2, 0.5), 1), ((1.5, 1.0), 7)])
def test_at_rest_the_picture_is_the_posterior(visit, networks, z, y):
    """The step of the lattice is several σ wide: unrefined, a picture would show a lattice cell instead of p(z | x)."""
    x = drawn(networks, z, y)
    tab = visit(f"?posterior=1&label={y}&d={text_of(x)}")
    tab.wait_for_function(REFINED, timeout=PATIENCE)
    for kind in PROBABILISTIC:
        label = y if kind == "cvae" else None
        exact = likelihood.posterior(networks[kind], torch.from_numpy(x), label)
        near = exact.z[exact.log_density > exact.log_density.max() - 12]
        low, high = near.min(0).values, near.max(0).values
        middle, reach = (low + high) / 2, float((high - low).max() / 2 + exact.step)
        bounds = [
            float(middle[0]) - reach,
            float(middle[1]) - reach,
            float(middle[0]) + reach,
            float(middle[1]) + reach,
        ]
        n = 256
        seen = torch.tensor(tab.evaluate(f"[...A.{kind}.posterior.field.raster({bounds}, {n})]")).double().softmax(0)
        truth = likelihood.raster(networks[kind], torch.from_numpy(x), tuple(bounds), n, label).flatten().double()
        distance = 0.5 * float((seen - truth.softmax(0)).abs().sum())
        assert distance < 0.05, (kind, distance)


def test_a_label_has_a_lattice_of_its_own(visit, networks):
    """p(z | x, y) under a new label is another density; the VAE's is told no label and stays."""
    tab = visit(f"?posterior=1&label=3&d={FIRST}")
    tab.wait_for_function(REFINED, timeout=PATIENCE)
    before = tab.evaluate("[...A.vae.posterior.joint]")
    tab.evaluate("S.at('[data-label=\"8\"]').click()")
    tab.wait_for_function("() => A.cvae.posterior.label === 8 && A.cvae.posterior.refined", timeout=PATIENCE)
    truth = expected(networks, "cvae", bits(FIRST), 8)
    seen = np.array(tab.evaluate("[...A.cvae.posterior.joint]"))
    assert seen.argmax() == truth.argmax()
    assert np.abs(seen - truth)[truth > truth.max() - 100].max() < 1e-2
    soon(lambda: tab.evaluate("[...A.vae.posterior.joint]"), before)


AT_REST = """kinds => Object.fromEntries(kinds.map(kind => {
    const {posterior, code, fields} = A[kind], {heat} = posterior;
    const painted = heat.picture.getContext("2d").getImageData(0, 0, heat.n, heat.n).data;
    let best = 0;
    for (let k = 0; k < heat.n ** 2; k++) if (painted[4 * k + 3] > painted[4 * best + 3]) best = k;
    const size = heat.side / heat.n;
    return [kind, {
        x: [...posterior.x], label: posterior.label, share: fields.share.textContent,
        heaviest: [(best % heat.n + 0.5) * size - 4, 4 - (Math.floor(best / heat.n) + 0.5) * size],
        mean: [...code.mean], sigma: [...code.logvar].map(v => Math.exp(0.5 * v)),
    }];
}))"""


def outside(posterior, mean, sigma) -> float:
    """Share of an exact posterior outside q's ellipse of two σ."""
    away = ((posterior.z - torch.tensor(mean)) / torch.tensor(sigma)).square().sum(1) > 4
    return float(posterior.log_density.softmax(0)[away].sum())


def test_a_4_becomes_a_9_and_the_truth_leaves_q(visit, networks):
    """The layer's promise: on the way the posterior splits or jumps where q cannot follow. A cloud that hangs on q's
    mean, or a share of another ellipse, would hide it."""
    tab = visit("?posterior=1&label=4")
    tab.wait_for_function(REFINED, timeout=PATIENCE)
    tab.evaluate("S.at(\"[data-replay='4 → 9']\").click()")
    tab.wait_for_function("S.pad.state.strokes.length === 3 && !S.pad.running", timeout=PATIENCE)
    strokes = tab.evaluate("S.pad.state.strokes")
    lid, seen = strokes[2]["points"], []
    for part in (0, 0.12, 0.35, 1):  # of the last stroke, as the replay passes through it
        drawn = [*strokes[:2], {**strokes[2], "points": lid[: 2 * int(part * len(lid) / 2)]}][: 3 if part else 2]
        tab.evaluate("strokes => { S.pad.show({strokes}, false); S.pad.release(); return settle(); }", drawn)
        tab.wait_for_function(REFINED, timeout=PATIENCE)
        seen.append(tab.evaluate(AT_REST, PROBABILISTIC))
        for kind, at in seen[-1].items():
            exact = likelihood.posterior(networks[kind], torch.tensor(at["x"]).float(), at["label"])
            at["shares"] = exact.mass.tolist()
            at["outside"] = outside(exact, at["mean"], at["sigma"])
            within = float(at["share"].split(" %")[0])
            assert within == pytest.approx(100 * (1 - at["outside"]), abs=3), (kind, part)
            if exact.mass[0] > 0.6:  # else which hill is heavier is a matter of display accuracy
                np.testing.assert_allclose(at["heaviest"], exact.modes[0], atol=0.1, err_msg=f"{kind} at {part}")
    vae, cvae = ([at[kind] for at in seen] for kind in PROBABILISTIC)
    assert np.hypot(*np.subtract(vae[0]["heaviest"], vae[-1]["heaviest"])) > 0.3, "another place in the end"
    assert vae[2]["outside"] > 0.9, "the posterior is at the 9 while q is at the 4"
    assert min(cvae[1]["shares"][:2]) > 0.2 and cvae[1]["outside"] > 0.4, "two hills, and q on one of them"


def test_what_is_drawn_of_nothing(visit):
    """A blank pad is no digit: nothing is integrated for it, and the page says what to do; a dot would take a minute. A
    white one has its posterior shown, and then said."""
    tab = visit(f"?posterior=1&label=3&d={FIRST}")
    tab.wait_for_function(REFINED, timeout=PATIENCE)
    tab.evaluate("S.pad.show({picture: new Float32Array(784)}); S.pad.release()")
    tab.wait_for_function("() => !new URLSearchParams(location.search).has('d')", timeout=PATIENCE)
    tab.wait_for_selector(IDLE, timeout=PATIENCE)
    soon(lambda: "Draw on the black square" in tab.evaluate("S.at('.verdict').textContent"), True)
    expect(tab.get_by_text("The true posterior, exactly")).to_have_count(0, timeout=PATIENCE)
    tab.evaluate("S.pad.show({picture: new Float32Array(784).fill(1, 400, 404)}); S.pad.release()")
    seen(tab, "this one has 4.").wait_for(timeout=PATIENCE)
    tab.evaluate("S.pad.show({picture: new Float32Array(784).fill(1)}); S.pad.release()")
    tab.evaluate("settle()")
    tab.wait_for_function(REFINED, timeout=PATIENCE)
    seen(tab, "CVAE: log p(x | y = 3) =").wait_for(timeout=PATIENCE)


def test_by_keyboard_into_the_link_and_nothing_is_sent_while_drawing(visit, networks):
    """Off costs nothing; on is one key, is in the link, follows the pen alone, and Python answers once on release."""
    tab = visit(f"?d={FIRST}&label=3")
    soon(lambda: tab.evaluate("Object.values(A).every(a => !a.posterior)"), True)
    tab.evaluate("S.at('[data-set=truth]').focus()")
    tab.keyboard.press("Space")
    tab.wait_for_function(REFINED, timeout=PATIENCE)
    soon(lambda: tab.evaluate("[!!A.ae.posterior, !!A.dae.posterior]"), [False, False])
    tab.wait_for_function("() => new URLSearchParams(location.search).get('posterior') === '1'", timeout=PATIENCE)
    exact = likelihood.posterior(networks["vae"], torch.from_numpy(bits(FIRST)))
    seen(tab, f"log p(x) = −{-exact.log_p:.2f} nats").wait_for(timeout=PATIENCE)
    tab.wait_for_selector(IDLE, timeout=PATIENCE)
    x, y, width, height = tab.evaluate(
        "(() => { const b = S.pad.canvas.getBoundingClientRect(); return [b.x, b.y, b.width, b.height]; })()"
    )
    before = tab.evaluate("[...A.vae.posterior.joint]")
    tab.mouse.move(x + 0.2 * width, y + 0.5 * height)
    tab.mouse.down()
    tab.sent.clear()
    tab.mouse.move(x + 0.8 * width, y + 0.4 * height, steps=12)
    tab.wait_for_function("b => A.vae.posterior.joint.some((v, k) => v !== b[k])", arg=before, timeout=PATIENCE)
    assert tab.sent == []
    tab.mouse.up()
    tab.evaluate("S.at('[data-set=truth]').click()")
    tab.wait_for_function("() => !new URLSearchParams(location.search).has('posterior')", timeout=PATIENCE)
    assert tab.evaluate("Object.values(A).every(a => !a.posterior)"), "the tables are let go"
