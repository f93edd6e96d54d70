"""What `streamlit run app.py` starts: the pages, whose first is studio.py, and beside them the files of the models."""

import streamlit as st

from ui.live.ahead import DOCUMENTS
from ui.live.moved import MOVES
from ui.live.networks import ROUTES

app = st.App("studio.py", routes=[*ROUTES, *MOVES, *DOCUMENTS])
