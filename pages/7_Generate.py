"""Can a model draw digits of its own? Let each draw at random, and count what becomes a digit."""

import streamlit as st

from ui.parts.page import frame
from ui.shell.glossary import glossary

frame("Generate", __doc__)
with st.spinner("Starting …"):  # once in a server's life: torch takes seconds, and the title does not wait for it
    from ui.views.generate.page import page
glossary(*page())
