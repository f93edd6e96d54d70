"""How many numbers does a handwritten digit need, and how exact must they be?"""

import streamlit as st

from ui.parts.page import frame
from ui.shell.glossary import glossary

frame("Code size", __doc__)
with st.spinner("Starting …"):  # once in a server's life: torch takes seconds, and the title does not wait for it
    from ui.views.code_size import page
glossary(*page())
