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
    with st.container(key=f"cards_{group}"):  # one element a card: what stands below the Studio must not hold it up
        for path, label, question in pages:
            if path != FRONT:
                st.page_link(path, label=f"**{label}** {question}")
glossary("code, z", "reconstruction", "nat", "KL", "ELBO", "q", "posterior", "AE", "DAE", "VAE", "CVAE")
