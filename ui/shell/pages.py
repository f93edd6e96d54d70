"""The pages: their groups, files, names and questions. Nothing heavy is imported here."""

from __future__ import annotations

from pathlib import Path

NAME = "Latent Space Explorer"
STATIC = Path(__file__).resolve().parents[2] / "static"
ICON = STATIC / "icon.svg"  # a Material icon would come from a foreign host

FRONT = "studio.py"  # the page at the empty address
# A page that is not listed here is not reachable; tests/views/test_pages.py compares the list with the folder.
GROUPS: dict[str, tuple[tuple[str, str, str], ...]] = {
    "Explore": (
        (FRONT, "Studio", "Draw a digit, four models answer."),
        ("pages/1_Map.py", "Map", "Where do ten thousand digits lie? Two models side by side."),
        ("pages/2_Sliders.py", "Sliders", "Change one number of the code and see what it means."),
        ("pages/3_Styles.py", "Styles", "One handwriting, all ten digits: the CVAE."),
        ("pages/4_Interpolate.py", "Interpolate", "Walk from one digit to another, in every model."),
        ("pages/5_Restore.py", "Restore", "Spoil a digit and see who brings it back."),
    ),
    "Understand": (
        (
            "pages/6_Inside_the_bound.py",
            "Inside the bound",
            "The exact likelihood of a digit, and what a VAE's bound loses.",
        ),
    ),
    "Workshop": (("pages/8_Models.py", "Models", "Which models are here, and how good is each?"),),
}


def address(page: str) -> str:
    """Where a page's file is served: Streamlit drops the number, and the front page has the empty address."""
    return "" if page == FRONT else Path(page).stem.split("_", 1)[1]
