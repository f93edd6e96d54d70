"""The pages: their groups, files, names and questions. Nothing heavy is imported here."""

from __future__ import annotations

from pathlib import Path

NAME = "Latent Space Explorer"
STATIC = Path(__file__).resolve().parents[2] / "static"
LOOK = Path(__file__).resolve().parent / "look.css"
ICON = STATIC / "icon.svg"  # a Material icon would come from a foreign host

FRONT = "studio.py"  # the page at the empty address
# A page that is not listed here is not reachable; tests/views/test_pages.py compares the list with the folder.
GROUPS: dict[str, tuple[tuple[str, str, str], ...]] = {
    "Explore": (
        (FRONT, "Studio", "What do two numbers keep of your digit?"),
        ("pages/1_Map.py", "Map", "Where do ten thousand digits lie?"),
        ("pages/2_Sliders.py", "Sliders", "What does each number of a digit mean?"),
        ("pages/3_Styles.py", "Styles", "How does one hand write all ten digits?"),
        ("pages/4_Interpolate.py", "Interpolate", "What lies between two digits?"),
        ("pages/5_Restore.py", "Restore", "Who brings back a spoilt digit?"),
    ),
    "Understand": (
        ("pages/7_Generate.py", "Generate", "Can a model draw digits of its own?"),
        (
            "pages/9_Few_labels.py",
            "Few labels",
            "How many digits must somebody name until the others can be named after them?",
        ),
        (
            "pages/10_Code_size.py",
            "Code size",
            "How many numbers does a handwritten digit need, and how exact must they be?",
        ),
        ("pages/6_The_bound.py", "The bound", "How likely is a digit, and how much of that do models miss?"),
        ("pages/11_Claims.py", "Claims", "What do textbooks say of these networks, and is it true?"),
    ),
    "Workshop": (("pages/8_Models.py", "Models", "Which models are here, and how good is each?"),),
}

# Addresses that pages had, each with where it leads: links in somebody's notes go on working. All parameters of the old
# address go along under their names. A part that has left its page is a row of its own, which counts before that of the
# whole page: "Old_page?part=Seven": "New_page?layer=seven" sends on whoever asked for that part, the parameters of
# the left side falling away and those of the right side standing in their place.
MOVED = {
    "Inside_the_bound": "The_bound",
    "Inside_the_bound?part=Denoising": "Restore?spoil_part=What+the+noise+teaches",
}


def address(page: str) -> str:
    """Where a page's file is served: Streamlit drops the number, and the front page has the empty address."""
    return "" if page == FRONT else Path(page).stem.split("_", 1)[1]
