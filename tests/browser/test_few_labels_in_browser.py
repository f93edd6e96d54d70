"""Few labels in a real browser: twelve digits named with the keyboard alone."""

import pytest
from hands import PATIENCE, READY, parameter, soon
from playwright.sync_api import expect
from tabs import listening

from vae_core import checkpoints, few_labels
from vae_core.few_labels import Codes


@pytest.fixture
def tab(server, window):
    tab = listening(window(width=1280, height=900).new_page())
    tab.set_default_timeout(PATIENCE)
    tab.goto(f"{server}/Few_labels?few_by=You&few_model=ae")
    tab.wait_for_selector(".asking button:enabled")
    tab.wait_for_selector(READY)
    yield tab
    tab.close()


def test_twelve_keys_name_the_digits_and_a_reload_shows_them_again(tab):
    """A key that is lost, or heard twice, would name a picture after the next one; what is seen is what the core counts
    of the same twelve, and a reload shows it again."""
    kept = checkpoints.load_codes("mnist-ae-20d")
    codes, known = Codes(kept["train_mean"].numpy(), kept["test_mean"].numpy()), kept["train_label"].numpy()
    asked = few_labels.apart(codes, 12)

    def share(count: int) -> str:
        at = asked[:count]
        found = few_labels.learn("spreading", codes, at, known[at])("test")
        return f"{(found == kept['test_label'].numpy()).mean():.1%}"

    for k, i in enumerate(asked.tolist()):
        tab.wait_for_selector(READY)
        tab.keyboard.press(str(known[i]))
        said = "~".join(f"{j}:{known[j]}" for j in asked[: k + 1].tolist())
        tab.wait_for_function("said => new URLSearchParams(location.search).get('few_hand') === said", arg=said)
    value = tab.get_by_test_id("stMetricValue")
    expect(value).to_have_text(share(12))
    expect(tab.locator(".st-key-few_rise .js-plotly-plot")).to_have_count(1)  # that of the answer before has gone
    tab.wait_for_selector(READY)
    tab.reload()
    expect(value).to_have_text(share(12))
    assert not tab.wrong


def labels(tab) -> list[str]:
    """Each answer's label in what the link holds, in order."""
    return [pair.partition(":")[2] for pair in (parameter(tab, "few_hand") or "").split("~") if pair]


@pytest.mark.parametrize("way", ["key", "button"])
def test_what_is_taken_back_at_once_is_taken_back(server, browser, way):
    """Each answer was a message of its own, and *Take back* another. Before the first answer's run had ended it was
    disabled, so that it did nothing; and where both waited for a run, Streamlit called it before the answer, which
    stayed while the one before it went. Here nothing comes from the server while the hand is at work, and what the
    hand says arrives together."""
    held, waiting = [], False

    def between(socket):
        up = socket.connect_to_server()
        socket.on_message(lambda frame: held.append((up, frame)) if waiting else up.send(frame))
        up.on_message(lambda frame: held.append((socket, frame)) if waiting else socket.send(frame))

    context = browser.new_context(viewport={"width": 1280, "height": 900})
    tab = listening(context.new_page())
    tab.set_default_timeout(PATIENCE)
    tab.route_web_socket("**/_stcore/stream", between)
    tab.goto(f"{server}/Few_labels?few_by=You&few_model=ae")
    tab.wait_for_selector(".asking button:enabled")
    tab.wait_for_selector(READY)
    back = tab.get_by_role("button", name="Take back")

    def take_back() -> None:
        tab.keyboard.press("Backspace") if way == "key" else back.click()

    for before, answers in enumerate((["4"], ["7", "1"])):
        waiting = True
        for answer in answers:
            tab.keyboard.press(answer)
        take_back()
        if not before:
            tab.keyboard.press("3")
        waiting = False
        while held:
            where, frame = held.pop(0)
            where.send(frame)
        soon(lambda: labels(tab), ["3", "7"][: before + 1])
        expect(tab.get_by_text(f"{before + 1} label{'s' * before} by your hand")).to_be_visible()
        tab.wait_for_selector(READY)
    assert not tab.wrong
    context.close()
