"""Four small neural networks squeeze a handwritten digit into a few numbers and draw it back from them.
They differ in one idea each, and that idea decides what their numbers mean.
Here you see those numbers, move them, and try the models on your own handwriting.
"""

import base64
from pathlib import Path

import streamlit as st

from ui.family import FAMILY, title
from ui.frame import GROUPS, frame

# No model is asked here, so that the first paint does not wait for torch: ui/home_pictures.py asked them before.
PICTURES = Path(__file__).parent / "static" / "home"
STYLE = """<style>
.home { display: grid; grid-template-columns: repeat(5, 1fr); gap: 1rem; margin: 0.2rem 0 0.4rem 0; }
.home figure { margin: 0; display: grid; gap: 6px; align-content: start; }
.home img { width: 100%; max-width: 158px; aspect-ratio: 1; image-rendering: pixelated; border-radius: 6px; }
.home figcaption { font-size: 0.88rem; line-height: 1.4; }
.home b { display: block; font-size: 1.05rem; }
[class*="st-key-card"] [data-testid="stPageLink"] a { padding: 0; }
@media (max-width: 800px) {
  .home { grid-template-columns: 1fr; gap: 0.9rem; }
  .home figure { grid-template-columns: 76px 76px 1fr; gap: 8px; align-items: center; }
}
</style>"""
NOTICE = {
    "ae": "Copies a clean digit closely. It never met a spoilt one in training, and draws what is left.",
    "dae": "Learned from spoilt digits to draw the clean ones: its two answers nearly agree.",
    "vae": "Its code is a small cloud, so that a random code, too, draws something like a digit.",
    "cvae": "A VAE that is told which digit it is: its code keeps the style of the hand.",
}


def answer(name: str, heading: str, note: str) -> str:
    """A digit, or one model's answer to it: clean above, spoilt below, and what to notice."""
    files = {state: PICTURES / f"{name}-{state}.png" for state in ("clean", "spoilt")}
    images = "".join(
        f'<img alt="{heading}, {state}" src="data:image/png;base64,{base64.b64encode(f.read_bytes()).decode()}">'
        for state, f in files.items()
    )
    return f"<figure>{images}<figcaption><b>{heading}</b>{note}</figcaption></figure>"


frame("One digit, four answers", __doc__)
st.html(
    f'{STYLE}<div class="home">'
    + answer("digit", "The digit", "As it was written, and with half of the pixels put out. Each model saw both.")
    + "".join(answer(kind, title(kind), NOTICE[kind]) for kind in FAMILY)
    + "</div>"
)
for group, pages in GROUPS.items():
    st.subheader(group)
    for column, (path, label, question) in zip(st.columns(5), (p for p in pages if p[0] != "app.py"), strict=False):
        with column.container(border=True, height="stretch", gap="xsmall", key=f"card_{label}"):
            st.page_link(path, label=f"**{label}**")
            st.caption(question)
