"""What do two numbers keep of your digit? Four models draw it back from them."""

import streamlit as st

from ui.parts.page import frame
from ui.shell.glossary import glossary
from ui.shell.pages import FRONT, GROUPS
from ui.views.studio import studio

frame("Draw a digit. Four models answer.", __doc__, width=1720)
studio()

for group, pages in GROUPS.items():
    st.subheader(group)
    cards = [page for page in pages if page[0] != FRONT]
    places = [column for _ in cards[::5] for column in st.columns(5)]  # row by row
    for column, (path, label, question) in zip(places, cards, strict=False):
        with column.container(border=True, height="stretch", gap="xsmall", key=f"card_{label}"):
            st.page_link(path, label=f"**{label}**")
            st.caption(question)
glossary("code, z", "reconstruction", "nat", "KL", "ELBO", "q", "posterior", "AE", "DAE", "VAE", "CVAE")
