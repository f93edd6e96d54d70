"""Few labels in a real browser: twelve digits named with the keyboard alone."""

import pytest
from hands import PATIENCE, READY
from playwright.sync_api import expect
from tabs import listening

from vae_core import checkpoints, few_labels
from vae_core.few_labels import Codes


@pytest.fixture
def tab(server, window):
    tab = listening(window(width=1280, height=900).new_page())
    tab.set_default_timeout(PATIENCE)
    tab.goto(f"{server}/Few_labels?few_by=You&few_model=ae")
    tab.wait_for_selector(".st-key-few_map .js-plotly-plot")  # drawn after the buttons: they are heard by then
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
