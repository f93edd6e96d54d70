"""Claims in a real browser: each claim leads into the state that it names, and a guess needs no mouse."""

from hands import PATIENCE, READY, parameter, soon
from playwright.sync_api import expect

from ui.parts import links
from vae_core.claims import CLAIMS, Claim

BROKEN = '[data-testid="stException"], [data-testid="stAlertContentError"], [data-testid="stAlertContentWarning"]'


def named(claim: Claim) -> dict[str, str]:
    """What its address must go on holding: a page leaves out how it opens, and a view what it draws."""
    kept = links.LINKS[claim.page]
    params = {name: kept[name] for name in claim.link}
    return {
        name: claim.link[name]
        for name, param in params.items()
        if isinstance(param, links.Param) and param.read(claim.link[name]) != param.start
    }


def test_each_claim_opens_its_page_in_the_named_state(server, window):
    """A lecturer who clicks in front of a class must not meet an error, nor the page as it always opens."""
    tab = window(1280, 900).new_page()
    tab.set_default_timeout(PATIENCE)
    for address, claim in {claim.address: claim for claim in CLAIMS}.items():
        tab.goto(server + address, wait_until="commit")
        title = "Draw a digit. Four models answer." if claim.page == "Studio" else claim.page
        expect(tab.get_by_role("heading", level=1)).to_have_text(title)
        tab.wait_for_selector(READY)
        assert not tab.locator(BROKEN).count(), (claim.key, tab.locator(BROKEN).all_inner_texts())
        for name, text in named(claim).items():
            soon(lambda name=name: parameter(tab, name), text)
        if claim.page == "Map":
            expect(tab.get_by_label("Model of the left map", exact=True)).to_have_value(claim.link["left"])
            if "digit" in claim.link["layers"]:
                soon(lambda: parameter(tab, "layers"), claim.link["layers"])
    tab.close()


def test_a_guess_by_keyboard_leads_on_to_where_it_can_be_seen(server, window):
    """The buttons go when a guess is made; whoever has no mouse must not begin again at the top of the page."""
    tab = window(1280, 900).new_page()
    tab.set_default_timeout(PATIENCE)
    tab.goto(f"{server}/Claims")
    first = tab.locator("[class*=st-key-claim_]").first
    first.get_by_role("button", name="Holds", exact=True).focus()
    tab.keyboard.press("Enter")
    expect(first.get_by_text("You guessed")).to_be_visible()
    tab.keyboard.press("Tab")
    expect(first.get_by_role("link")).to_be_focused()
    tab.keyboard.press("Enter")
    expect(tab.get_by_role("heading", level=1)).not_to_have_text("Claims")
    tab.go_back()
    expect(first.get_by_text("You guessed")).to_be_visible()
    tab.close()
