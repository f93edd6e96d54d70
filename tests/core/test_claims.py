"""The register of claims: verdicts follow from numbers, what is kept from what is measured, and prose from both."""

import itertools
import json
import shutil
from types import SimpleNamespace

import pytest

from vae_core import checkpoints, claims
from vae_core.__main__ import _parser, main
from vae_core.claims import CLAIMS, GUESSES, Number, Verdict

FOUND = {each.claim.key: each for each in claims.findings()}
MEASURED = [each.claim for each in FOUND.values() if not isinstance(each.claim.rule, Verdict)]


def toy(claim, values):
    """The claim's own numbers, each as narrow as a needle, with other values."""
    own = FOUND[claim.key].numbers
    narrow = (number._replace(value=value, half=0.0) for number, value in zip(own.values(), values, strict=True))
    return dict(zip(own, narrow, strict=True))


@pytest.mark.parametrize("claim", MEASURED, ids=lambda claim: claim.key)
def test_a_verdict_follows_from_its_numbers(claim):
    """A rule that says the same whatever was measured is an opinion."""
    numbers = list(FOUND[claim.key].numbers.values())
    values = [number.value for number in numbers]
    swapped = itertools.islice(itertools.permutations(values), 800)
    scaled = (
        [value * factor if i == k else value for k, value in enumerate(values)]
        for i in range(len(values))
        for factor in (-1, 0, 0.1, 0.5, 2, 10)
    )
    both = itertools.product(*((value, 0.0, 99.9) for value in values[:5]))
    told = {
        claims.judged(claim, toy(claim, [*each, *values[len(each) :]])) for each in (*swapped, *scaled, *both, values)
    }
    assert told <= set(GUESSES)
    assert Verdict.HOLDS in told and len(told) > 1, told


def test_toy_numbers_turn_the_verdicts():
    """The rules that a class argues about, by hand."""

    def said(key, **numbers):
        claim = next(claim for claim in CLAIMS if claim.key == key)
        return claims.judged(claim, {name: Number(value, 0.5) for name, value in numbers.items()})

    assert said("S10a", two=99, twenty=99) is Verdict.FAILS
    assert said("S10a", two=40, twenty=40) is Verdict.HOLDS
    assert said("S10b", two=99, twenty=60) is Verdict.RIDER
    assert said("S10b", two=95.4, twenty=60) is Verdict.FAILS  # the interval reaches below 95
    assert said("S10b", two=99, twenty=97) is Verdict.HOLDS
    assert said("S10c", ten=9, hundred=12, vae=70, coverage=0.1, real=0.6) is Verdict.HOLDS
    assert said("S18", twenty=3, two=0, draws=0, plain=0) is Verdict.RIDER
    assert said("S18", twenty=1.5, two=0, draws=0, plain=0) is Verdict.FAILS  # as much as two runs part
    leak = {"two": 11, "twenty": 11, "chance": 11.35, "nats2": 0, "nats20": 0}
    assert said("S11", **leak) is Verdict.HOLDS
    assert said("S11", **leak | {"twenty": 30, "nats20": 0.4}) is Verdict.RIDER
    assert said("S11", **leak | {"two": 30, "twenty": 30, "nats2": 0.4, "nats20": 0.4}) is Verdict.FAILS
    far = {"ae20": 95, "vae20": 95, "ae2": 95, "centre": 0, "centre_ae20": 0, "centre_ae2": 0}
    assert said("S13a", **far) is Verdict.HOLDS and said("S13a", **far | {"ae2": 20}) is Verdict.RIDER


def test_every_row_says_where_it_is_from_and_how_it_is_measured():
    keys = [claim.key for claim in CLAIMS]
    assert len(set(keys)) == len(keys)
    assert {f"S{i}" for i in range(1, 32)} == {key.rstrip("abc") for key in keys if key.startswith("S")}
    for claim in CLAIMS:
        assert claim.words.endswith(".") and claim.source and claim.told.endswith("."), claim.key
        assert bool(claim.commands) == (not isinstance(claim.rule, Verdict)), claim.key
        for command in claim.commands:
            words = command.split()
            assert words[:3] == ["python", "-m", "vae_core"]
            args = _parser().parse_args(words[3:])
            if words[3] in ("evaluate", "integrate"):
                assert args.slugs and all(slug in checkpoints.available() for slug in args.slugs)
        if not isinstance(claim.rule, Verdict):
            assert FOUND[claim.key].numbers and FOUND[claim.key].verdict in GUESSES, FOUND[claim.key].told


def test_numbers_are_the_cards():
    """A few, by another way."""
    card = checkpoints.read_card("mnist-cvae-20d")
    assert (
        f"{FOUND['S11'].numbers['twenty']:bare}" == f"{100 * card['leak']['draw']['accuracy']:.1f}\N{NO-BREAK SPACE}%"
    )
    vae, mixture = (checkpoints.read_card(f"mnist-{kind}-20d")["test"]["nelbo"] for kind in ("vae", "mixture"))
    gain = FOUND["S18"].numbers["twenty"]
    assert gain.value == pytest.approx(vae - mixture)
    # the same images under both models: narrower than two means that know nothing of each other
    assert gain.half < FOUND["S28"].numbers["over_q"].half
    few = checkpoints.read_card("mnist-ae-20d")["few_labels"]["rows"]["600"]
    assert FOUND["S13b"].numbers["ae20"].value == pytest.approx(100 * max(way["mean"] for way in few.values()))


def test_a_number_says_its_interval_and_its_sign():
    """No line breaks within it."""
    assert f"{Number(97.912, 0.314, '%', 1)}" == "97.9 ± 0.3 %".replace(" ", "\N{NO-BREAK SPACE}")
    assert f"{Number(97.912, 0.314, '%', 1):bare}" == "97.9\N{NO-BREAK SPACE}%"
    assert f"{Number(-218.07, unit='nats')}" == "−218.07\N{NO-BREAK SPACE}nats" and f"{Number(-0.001)}" == "0.00"
    assert f"{Number(10000, decimals=0)}" == "10,000"
    assert claims.above(Number(3, 1), Number(1, 0.5)) and not claims.above(Number(3, 1), Number(1.5, 0.6))


def test_what_is_not_on_a_card_stands_as_not_measured(tmp_path):
    """Never with a number from elsewhere: neither without the measure nor after the weights have changed."""
    root = beside(tmp_path, "mnist-cvae-2d", lambda card: card.pop("leak"))
    found = {each.claim.key: each for each in claims.findings(root)}["S11"]
    assert found.verdict is Verdict.UNMEASURED and not found.numbers
    assert "`python -m vae_core measure mnist-cvae-2d --what leak`" in found.told
    root = beside(tmp_path / "other", "mnist-cvae-2d", lambda card: card["leak"].update(weights="0" * 64))
    assert {each.claim.key: each for each in claims.findings(root)}["S11"].verdict is Verdict.UNMEASURED


def beside(folder, slug, change):
    """All checkpoints, with one card that was changed by hand."""
    root = folder / "checkpoints"
    root.mkdir(parents=True)
    for path in checkpoints.ROOT.iterdir():
        if path.name != slug and not path.name.startswith("."):
            (root / path.name).symlink_to(path)
    shutil.copytree(checkpoints.ROOT / slug, root / slug)
    card = json.loads((root / slug / "card.json").read_text(encoding="utf-8"))
    change(card)
    (root / slug / "card.json").write_text(json.dumps(card), encoding="utf-8")
    return root


def test_check_fails_where_a_number_is_changed_by_hand(tmp_path, capsys):
    assert main(["claims", "--check"]) == 0, capsys.readouterr().err

    def worse(card):
        card["generation"]["rows"]["prior"]["digit"] = 0.5

    assert main(["claims", "--check", "--root", str(beside(tmp_path, "mnist-vae-20d", worse))]) == 1
    assert "docs/claims.md and the measures part" in capsys.readouterr().err


def test_check_fails_where_prose_quotes_another_number(tmp_path):
    found, project = list(FOUND.values()), tmp_path
    (project / "docs").mkdir()
    (project / claims.DOCUMENT).write_text(claims.document(found), encoding="utf-8")
    for name in claims.PROSE:
        (project / name).write_text("", encoding="utf-8")
    number = FOUND["S10b"].numbers["twenty"]
    right = f"{number.value:.1f}% <!-- S10b.twenty -->, {number.value:.0f} % <!-- S10b.twenty -->"
    (project / "README.md").write_text(right, encoding="utf-8")
    assert not list(claims.parted(found, project))
    for wrong in (right.replace("% <", "9% <", 1), "7.0 <!-- S10b.three -->", "7 dB <!-- S99.x -->"):
        (project / "README.md").write_text(wrong, encoding="utf-8")
        assert list(claims.parted(found, project)), wrong
    (project / "README.md").write_text("", encoding="utf-8")
    path = project / claims.DOCUMENT
    path.write_text(path.read_text(encoding="utf-8").replace("1", "2", 1), encoding="utf-8")
    assert list(claims.parted(found, project))


def test_what_is_contradicted_comes_first_and_is_not_listed_by_hand():
    """The order is the verdicts', whatever they turn out to be."""
    order = [claims.ORDER.index(each.verdict) for each in claims.findings()]
    assert order == sorted(order)
    numbers = SimpleNamespace(two=Number(99), twenty=Number(99))
    assert next(c for c in CLAIMS if c.key == "S10b").rule(numbers) is Verdict.HOLDS


def test_the_command_prints_every_claim(capsys):
    assert main(["claims"]) == 0
    told = capsys.readouterr().out
    assert all(f"{claim.key:5} " in told and claim.words in told for claim in CLAIMS)
    assert main(["claims", "--json"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["claim"] for row in rows] == [each.claim.key for each in claims.findings()]
