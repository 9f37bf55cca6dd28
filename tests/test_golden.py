"""Files that earlier versions wrote load, and predict what they predicted then."""

import pickle
import warnings
from pathlib import Path

import numpy as np
import pytest
from scipy import sparse
from sklearn.exceptions import InconsistentVersionWarning

import skdann
from skdann.exceptions import DomainWarning, SavedVersionWarning

FILES = sorted((Path(__file__).parent / "golden").glob("*/*.pkl"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_a_golden_file_predicts_as_it_did(path):
    with warnings.catch_warnings():
        # What this test is about, and what another version of scikit-learn would say.
        warnings.simplefilter("ignore", SavedVersionWarning)
        warnings.simplefilter("ignore", InconsistentVersionWarning)
        loaded = pickle.loads(path.read_bytes())
    expected = np.load(path.with_suffix(".npz"))
    rows = expected["rows"]
    if path.stem == "denoised":
        rows = sparse.csr_array(rows)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DomainWarning)  # ten rows, as when the file was made
        found = loaded.predict_proba(rows)
    # Kernels of other processors round the last digits in another way.
    np.testing.assert_allclose(found, expected["probabilities"], rtol=1e-4, atol=1e-6)


def test_there_are_files_and_a_change_of_weights_would_be_seen():
    assert len(FILES) >= 7
    loaded = pickle.loads(next(path for path in FILES if path.stem == "ensemble").read_bytes())
    expected = np.load(FILES[0].with_name("ensemble.npz"))
    loaded.module_[0].label_predictor.layers[0].bias.data[0] += 0.1
    wrong = abs(loaded.predict_proba(expected["rows"]) - expected["probabilities"])
    assert wrong.max() > 1e-3


def test_files_of_a_release_belong_to_it():
    """A version without `.dev` has its own files: `make golden` writes them."""
    versions = {path.parent.name for path in FILES}
    assert "dev" in skdann.__version__ or skdann.__version__ in versions
