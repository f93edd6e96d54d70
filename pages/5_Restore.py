"""Who brings back a spoilt digit? Spoil one, and each model draws it again."""

import streamlit as st

from ui.parts.page import frame
from ui.shell.glossary import glossary

frame("Restore", __doc__)
with st.spinner("Starting …"):  # once in a server's life: torch takes seconds, and the title does not wait for it
    from ui.views.restore.live import restore
glossary(*restore())
