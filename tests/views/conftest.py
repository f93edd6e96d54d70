"""What tests of pages share."""

import pytest
import streamlit as st


@pytest.fixture
def no_caches_of_others():
    """Streamlit's caches are global: what one test broke must not be what another sees."""
    yield
    st.cache_data.clear()
    st.cache_resource.clear()
