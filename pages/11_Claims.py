"""What do textbooks say of these networks, and is it true? Guess first, then look."""

import streamlit as st

from ui.parts.page import frame
from ui.shell.glossary import glossary

frame("Claims", __doc__, width=900)
with st.spinner("Starting …"):  # once in a server's life: torch takes seconds, and the title does not wait for it
    from ui.views.claims import page
glossary(*page())
