"""Claims: a guess before the answer, what is counted, and where each claim leads."""

import json
import shutil

import pytest
from apps import visit

from ui.live import networks
from ui.parts import digit, links
from ui.shell.pages import GROUPS, address
from ui.views import claims as view
from vae_core import checkpoints, claims
from vae_core.claims import CLAIMS, GUESSES, Verdict

PAGE = "11_Claims"
PAGES = {label: path for pages in GROUPS.values() for path, label, _ in pages}


@pytest.fixture(scope="module")
def found():
    return claims.findings()


def shown(app) -> str:
    return " ".join(part.value for kind in (app.markdown, app.caption) for part in kind)


def guess(app, key: str, letter: str):
    app.button(key=f"guess_{key}_{letter}").click().run()
    assert not app.exception, app.exception
    return app


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.key)
def test_the_register_of_links_takes_every_claims_link(claim):
    """A parameter that the page does not know, or a value that it does not offer, opens another state."""
    kept = links.LINKS[claim.page]
    names = {name for key in links.DIGITS[claim.page] for name in digit.parameters(key)}
    assert claim.link.keys() <= kept.keys() | names
    for name, text in claim.link.items():
        if isinstance(param := kept.get(name), links.Param):
            assert param.write(param.read(text)) == text
    assert claim.address.partition("?")[0] == f"/{address(PAGES[claim.page])}"


def test_every_claim_stands_there_and_no_answer_before_a_guess(found):
    app = visit(PAGE)
    assert not app.exception and not app.error
    told = shown(app)
    for each in found:
        assert each.claim.words in told
        assert (each.told in told) == (each.verdict not in GUESSES), each.claim.key
    asked = [each for each in found if each.verdict in GUESSES]
    assert f"{len(asked)} statements, none guessed yet." in told
    first = next(button.key for button in app.button if str(button.key).startswith("guess_"))
    assert asked[0].verdict is not Verdict.HOLDS and first == f"guess_{asked[0].claim.key}_h"
    assert {view.SKIPPED, *view.LETTERS} == set(view.BUTTONS)


def test_guesses_are_answered_and_counted_and_a_skip_is_one_click(found):
    asked = [each for each in found if each.verdict in GUESSES]
    letter = {verdict: letter for letter, verdict in view.LETTERS.items()}
    right, wrong, skipped = asked[0], asked[1], asked[2]
    app = visit(PAGE)
    guess(app, right.claim.key, letter[right.verdict])
    assert right.told in shown(app) and "You guessed so." in shown(app)
    other = next(verdict for verdict in GUESSES if verdict is not wrong.verdict)
    guess(app, wrong.claim.key, letter[other])
    assert f"**{wrong.verdict.capitalize()}.** You guessed: {other}." in shown(app)
    guess(app, skipped.claim.key, view.SKIPPED)
    assert skipped.told in shown(app)
    tally = f"2 of {len(asked)} guessed, 1 as measured, 1 skipped."
    assert tally in app.caption[0].value
    assert f"{tally} {len(asked) - 3} are still open." in shown(app)  # the end counts, too
    held = f"{right.claim.key}:{letter[right.verdict]}~{wrong.claim.key}:{letter[other]}~{skipped.claim.key}:s"
    assert links.LINKS["Claims"]["claims_guessed"].write(app.session_state["claims_guessed"]) == held
    app.switch_page("pages/8_Models.py").run()
    app.switch_page(f"pages/{PAGE}.py").run()
    assert tally in app.caption[0].value
    assert tally in visit(PAGE, claims_guessed=held).caption[0].value
    app.button(key="claims_anew").click().run()
    assert app.session_state["claims_guessed"] == {} and right.told not in shown(app)


def test_whoever_has_said_all_sees_how_often_it_was_right(found):
    asked = [each for each in found if each.verdict in GUESSES]
    said = "~".join(f"{each.claim.key}:h" for each in asked)
    held = sum(each.verdict is Verdict.HOLDS for each in asked)
    told = shown(visit(PAGE, claims_guessed=said))
    assert f"**Your guesses**: {len(asked)} of {len(asked)} guessed, {held} as measured, 0 skipped." in told
    assert "still open" not in told


def test_a_link_with_strange_guesses_opens_the_page_as_it_opens():
    for text in ("S1", "S1:x", "s1:h", "S1:h~", "~", "S1:h" * 99):
        assert visit(PAGE, claims_guessed=text).session_state["claims_guessed"] == {}
    app = visit(PAGE, claims_guessed="Z99:h")  # a claim that there is not is nobody's guess
    assert not app.exception and "none guessed yet" in app.caption[0].value


def test_a_broken_model_takes_its_claims_and_no_others(tmp_path, monkeypatch):
    """The reason is of a file that anybody can edit: no Markdown, and no path of the server."""
    root = tmp_path / "checkpoints"
    root.mkdir()
    for path in checkpoints.ROOT.iterdir():
        (root / path.name).symlink_to(path)
    (root / "mnist-pca-20d").unlink()
    shutil.copytree(checkpoints.ROOT / "mnist-pca-20d", root / "mnist-pca-20d")
    card = root / "mnist-pca-20d/card.json"
    card.write_text(json.dumps(json.loads(card.read_text()) | {"kind": "![x](http://a.invalid)"}))
    monkeypatch.setattr(checkpoints, "ROOT", root)
    monkeypatch.setattr(networks, "CHECKPOINTS", root)
    app = visit(PAGE)
    assert not app.exception and not app.error
    reasons = [element.proto.body for element in app.get("html") if "mnist-pca-20d" in element.proto.body]
    assert reasons and all("![x](http://a.invalid)" in reason for reason in reasons)
    said = [element.value for kind in (app.markdown, app.caption) for element in kind]
    assert not [text for text in (*said, *reasons) if str(tmp_path) in text]
    assert not [text for text in said if "a.invalid" in text]
    assert len([button for button in app.button if button.key.startswith("guess_")]) > 80
