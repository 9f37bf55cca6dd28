"""What several test files share."""

import os
import signal

if "PYTEST_XDIST_WORKER" in os.environ:
    # One thread in each process of ``pytest -n``: more would wait for each other's cores, and the
    # suite would take twice as long. The libraries read this when they are imported.
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, "1")

import numpy as np
import pytest
import sklearn

from skdann.datasets import make_rotated_moons, make_tilted_digits

# Not a module with doctests: with --doctest-modules it would be imported once more.
collect_ignore = ["conftest.py"]


@pytest.fixture(autouse=True)
def ctrl_c_interrupts():
    """Let SIGINT raise KeyboardInterrupt, as in a terminal, for each test.

    A shell starts background jobs with SIGINT ignored, and Python then leaves it so: under
    ``nohup .ci/run &`` a test that sends itself the signal would see nothing come of it.
    """
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def moons():
    """Source rows, labels and target rows of a small problem; target labels stay away."""
    X, y, X_tgt, _ = make_rotated_moons(n_samples=120, random_state=0)
    return X, y, X_tgt


@pytest.fixture
def routing():
    """scikit-learn's metadata routing, switched on for one test."""
    with sklearn.config_context(enable_metadata_routing=True):
        yield


@pytest.fixture
def blobs():
    """Three classes in five columns; the target is moved by half a standard deviation."""
    rng = np.random.default_rng(0)
    y = np.arange(90) % 3
    X = rng.normal(size=(90, 5)) + 2 * np.eye(5)[y]
    return X, y, X[::-1] + 0.5


@pytest.fixture(scope="session")
def tilted_digits():
    """X, y, X_tgt and y_tgt, with grey values from 0 to 16: adaptation gains .3 there.

    Thirty epochs at a rate of 0.004 show that: a choice was right with all of four seeds.
    """
    X, y, X_tgt, y_tgt = make_tilted_digits(rotation=25, n_source=300, random_state=1)
    return 16 * X, y, 16 * X_tgt[:400], y_tgt[:400]
