"""Pytest takes the pages of this folder, but neither settings nor what a build copied."""

import os
import sys

import pytest

collect_ignore_glob = ["*.py", "_build/*", "auto_examples/*"]

os.environ["MPLBACKEND"] = "Agg"  # figures need no screen


@pytest.fixture(autouse=True)
def close_figures():
    """Close the figures of a page: matplotlib warns about twenty of them."""
    yield
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")
