"""How many digits must somebody name until the others can be named after them?"""

import streamlit as st

from ui.parts.page import frame
from ui.shell.glossary import glossary

frame("Few labels", __doc__)
with st.spinner("Starting …"):  # once in a server's life: torch takes seconds, and the title does not wait for it
    from ui.views.few_labels import page
glossary(*page())
