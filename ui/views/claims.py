"""The page "Claims": what textbooks say, a guess, and then what was measured."""

from __future__ import annotations

import html

import streamlit as st

from ui.live import cast, networks
from ui.shell.failure import callback
from ui.shell.glossary import in_text
from ui.shell.pages import GROUPS
from vae_core import claims
from vae_core.claims import GUESSES, Finding, Verdict

SKIPPED = "s"
LETTERS = dict(zip("hrn", GUESSES, strict=True))  # a guess, as the link holds it
BUTTONS = {"h": "Holds", "r": "With a rider", "n": "Does not hold", SKIPPED: "Skip"}


def page() -> tuple[str, ...]:
    """The whole page. Returns the glossary's words that stand there."""
    there, _ = cast.survey(numbers=False)
    if not there:
        st.error("No whole model is here. Restore the folder checkpoints, or run `python -m vae_core train vae`.")
        return ()
    found = _found(_stamps())
    asked = [each for each in found if each.verdict in GUESSES]
    st.markdown(
        "**Textbooks say these things about autoencoders: guess which are true, then look.** *With a rider* means: for "
        "some models or sizes of the code, or at a price. Every verdict is worked out from numbers that were measured "
        "here, on one training run of each model; ± is half of a 95 % interval."
    )
    st.caption(tally(asked, guesses()))
    for each in asked:
        _card(each, guesses().get(each.claim.key))
    _end(asked)
    for verdict in (Verdict.UNMEASURED, Verdict.UNTESTED):
        if rest := [each for each in found if each.verdict is verdict]:
            st.subheader(verdict.capitalize())
            for each in rest:
                with st.container(border=True):
                    st.markdown(f"**{each.claim.words}**")
                    _answer(each)
    shown = [each for each in found if each.verdict not in GUESSES or each.claim.key in guesses()]
    return tuple(in_text(" ".join([*(each.claim.words for each in found), *(each.told for each in shown)])))


@st.cache_resource(max_entries=2, show_spinner="Reading what was measured …")
def _found(when: tuple[object, ...]) -> list[Finding]:
    return claims.findings(networks.CHECKPOINTS)


def _stamps() -> tuple[object, ...]:
    """Of all that the claims read: who trains or measures meanwhile sees it on the next run."""
    beside = [networks.CHECKPOINTS / name for name in ("baselines.json", "judge/card.json")]
    files = [path.stat().st_mtime_ns for path in beside if path.is_file()]
    return (*files, *((one.slug, networks.stamp(one.slug)) for one in cast.everybody()))


def guesses() -> dict[str, str]:
    """What the visitor said of each claim so far, by its key."""
    return st.session_state["claims_guessed"]


def tally(asked: list[Finding], guessed: dict[str, str]) -> str:
    """How far the visitor is, and how often the measures agree."""
    said = [(LETTERS[letter], each) for each in asked if (letter := guessed.get(each.claim.key)) in LETTERS]
    skipped = sum(guessed.get(each.claim.key) == SKIPPED for each in asked)
    right = sum(guess is each.verdict for guess, each in said)
    return (
        f"{len(said)} of {len(asked)} guessed, {right} as measured, {skipped} skipped."
        if said or skipped
        else f"{len(asked)} statements, none guessed yet."
    )


def _card(found: Finding, guess: str | None) -> None:
    with st.container(border=True, key=f"claim_{found.claim.key}"):
        st.markdown(f"**{found.claim.words}**")
        if guess is None:
            with st.container(horizontal=True, gap="small"):
                for letter, label in BUTTONS.items():
                    st.button(
                        label,
                        key=f"guess_{found.claim.key}_{letter}",
                        type="tertiary" if letter == SKIPPED else "secondary",
                        on_click=_guess,
                        args=(found.claim.key, letter),
                    )
            return
        st.markdown(verdict(found, LETTERS.get(guess)))
        _answer(found)


def verdict(found: Finding, guess: Verdict | None) -> str:
    """What the measures say, beside what the visitor said."""
    said = f"**{found.verdict.capitalize()}.**"
    if guess is None:
        return said
    return f"{said} You guessed so." if guess is found.verdict else f"{said} You guessed: {guess}."


def _answer(found: Finding) -> None:
    """The numbers, where to see it, where it is from and how it is measured."""
    claim = found.claim
    if found.verdict is Verdict.UNMEASURED and claim.commands:  # the reason may be a file's, which anybody can edit
        reason = found.told.replace(str(networks.CHECKPOINTS), "checkpoints").replace("`", "")
        st.html(f"<p>{html.escape(reason)}</p>")
    else:
        st.markdown(found.told)
    paths = {label: path for pages in GROUPS.values() for path, label, _ in pages}
    st.page_link(paths[claim.page], label=f"See it on {claim.page}", query_params=claim.link)
    with st.expander("Source and command"):
        st.markdown(f"Said by {claim.source}.")
        if claim.commands:
            st.code("\n".join(claim.commands), language="bash", wrap_lines=True)


def _end(asked: list[Finding]) -> None:
    if not guesses():
        return
    with st.container(border=True, key="claims_end"):
        open_ = sum(each.claim.key not in guesses() for each in asked)
        st.markdown(f"**Your guesses**: {tally(asked, guesses())}" + (f" {open_} are still open." if open_ else ""))
        st.button("Guess anew", key="claims_anew", on_click=_anew)


@callback
def _guess(key: str, letter: str) -> None:
    st.session_state["claims_guessed"] = guesses() | {key: letter}


@callback
def _anew() -> None:
    st.session_state["claims_guessed"] = {}
