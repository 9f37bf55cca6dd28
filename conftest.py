"""What tests, and the examples of docstrings and documents, share."""

import os
import sys

import pytest

os.environ["MPLBACKEND"] = "Agg"  # figures need no screen


@pytest.fixture(autouse=True)
def close_figures():
    """Close the figures of a test or a page: matplotlib warns about twenty of them."""
    yield
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")
