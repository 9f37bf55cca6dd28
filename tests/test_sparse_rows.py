"""Sparse rows in training: products with what is stored, the same networks as from dense rows."""

import numpy as np
import pytest
import torch
from scipy import sparse
from skorch.callbacks import Callback

from skdann import DANNClassifier
from skdann._data import sparse_rows
from skdann._data.inputs import read_training_data
from skdann._data.sparse_rows import SparseRows, pays_sparse
from skdann._training.fit_together import fit_together
from skdann._training.settings import Settings


def csr(n_rows, n_columns=600, seed=0, density=0.05):
    rng = np.random.default_rng(seed)  # not `random_array`, which is newer than SciPy 1.11
    return sparse.csr_array(sparse.random(n_rows, n_columns, density, "csr", np.float32, rng))


@pytest.fixture
def parts():
    empty_row = sparse.csr_array((1, 600), dtype=np.float32)
    return csr(5), sparse.csr_array(sparse.vstack([csr(4, seed=1), empty_row]))


def test_products_are_those_of_the_dense_rows(parts):
    rows, dense = SparseRows.of(parts), torch.tensor(sparse.vstack(parts).toarray())
    matrix, gradient = torch.randn(600, 7), torch.randn(10, 7)
    torch.testing.assert_close(rows.times(matrix), dense @ matrix)
    out = torch.full((600, 7), float("nan"))
    rows.transposed_times(gradient, out)
    torch.testing.assert_close(out, dense.T @ gradient)


@pytest.mark.parametrize("n_rows", [0, 3, 9, 10])
def test_the_first_rows(parts, n_rows):
    first, matrix = SparseRows.of(parts).first(n_rows), torch.randn(600, 2)
    expected = torch.tensor(sparse.vstack(parts).toarray())[:n_rows] @ matrix
    torch.testing.assert_close(first.times(matrix), expected)


@pytest.mark.parametrize("n_codes", [1, 2])
def test_scaled_rows_are_those_of_the_dense_ones_cut(parts, n_codes):
    factor, dense = 4 * torch.rand(n_codes, 600), torch.tensor(sparse.vstack(parts).toarray())
    expected = (dense * factor.repeat_interleave(10 // n_codes, dim=0)).clamp(-2, 2)
    scaled = SparseRows.of(parts).scaled(factor, 2.0, 0, 5)
    torch.testing.assert_close(scaled.times(torch.eye(600)), expected)
    assert (expected == 2).any()


def test_sparse_rows_pay_where_columns_are_many_and_values_few():
    cpu = torch.device("cpu")
    assert pays_sparse(csr(20), cpu)
    assert not pays_sparse(csr(20, n_columns=100), cpu)
    assert not pays_sparse(csr(20, density=0.3), cpu)
    assert not pays_sparse(csr(20).toarray(), cpu)
    assert not pays_sparse(csr(20), torch.device("meta"))


@pytest.fixture
def documents():
    X, X_tgt = csr(150), csr(120, seed=1)
    y = (X[:, :300].sum(axis=1) > X[:, 300:].sum(axis=1)).astype(int)
    return X, y, X_tgt


@pytest.mark.parametrize(
    "settings",
    [
        {"lambda_max": 0.0},
        {"lambda_max": 1.0},
        {"lambda_max": 1.0, "input_scaling": "source"},
        {"lambda_max": 1.0, "input_scaling": "domain"},
        {"lambda_max": 1.0, "hidden_layer_sizes": (9, 5), "n_members": 3},
        {"lambda_max": (0, 1), "input_scaling": (None, "both")},
        {"lambda_max": 1.0, "early_stopping": True, "label_shift": "estimate"},
    ],
)
def test_networks_are_those_trained_on_dense_rows(documents, settings, monkeypatch):
    """From the first product to the weights and the state of the optimizer."""
    few = {"hidden_layer_sizes": 9, "max_epochs": 4, "lr": 0.01, "random_state": 0}
    used, of = [], SparseRows.of
    monkeypatch.setattr(SparseRows, "of", lambda parts: used.append(1) or of(parts))
    by_sparse = DANNClassifier(**few | settings).fit(*documents)
    assert used
    monkeypatch.setattr(sparse_rows, "_DENSITY", 0)
    used.clear()
    by_dense = DANNClassifier(**few | settings).fit(*documents)
    assert not used
    both = by_sparse.predict_proba(documents[2]), by_dense.predict_proba(documents[2])
    np.testing.assert_allclose(*both, atol=1e-4)
    of_first = lambda fitted: next(iter(fitted.net_.module_.parameters()))  # noqa: E731
    assert of_first(by_sparse).is_contiguous()
    torch.testing.assert_close(of_first(by_sparse), of_first(by_dense), atol=1e-4, rtol=0)
    # Training goes on from the same state.
    for fitted in (by_sparse, by_dense):
        fitted.set_params(lambda_max=1.0, early_stopping=False, label_shift=None)
        fitted.set_params(input_scaling=fitted.input_scaling_).partial_fit(*documents)
    both = by_sparse.predict_proba(documents[2]), by_dense.predict_proba(documents[2])
    np.testing.assert_allclose(*both, atol=1e-3)


def test_a_trial_without_target_rows_scales_all_rows_as_the_sources(documents, monkeypatch):
    classifier = DANNClassifier(
        lambda_max=0.0, input_scaling="domain", max_epochs=3, lr=0.01, random_state=0
    )
    X, y, X_tgt = documents
    record = read_training_data(
        X, y, 5 * X_tgt, None, class_weight=None, estimator=DANNClassifier()
    )
    settings = [Settings.of(classifier, record)]

    def trained():
        (one,) = fit_together(settings, [record], trial=True)
        return one.net.predict_proba(X_tgt)

    by_sparse = trained()
    monkeypatch.setattr(sparse_rows, "_DENSITY", 0)
    np.testing.assert_allclose(by_sparse, trained(), atol=1e-4)


def test_rebuilt_rows_of_the_same_width_train_apart_from_sparse_ones():
    """2,000 words are rebuilt of at least as many."""
    X, X_tgt = (abs(csr(60, n_columns=2000, seed=seed, density=0.01)) for seed in (0, 1))
    settings = {"lambda_max": (0, 1), "input_scaling": (None, "denoised"), "max_epochs": 1}
    fitted = DANNClassifier(**settings, random_state=0).fit(X, np.arange(60) % 2, X_tgt)
    assert fitted.predict_proba(X_tgt).shape == (60, 2)


def test_a_callback_gets_dense_rows(documents):
    seen = []

    class Look(Callback):
        def on_batch_begin(self, net, batch=None, **kwargs):
            seen.append(batch.X)

    settings = {"max_epochs": 1, "hidden_layer_sizes": 5, "lambda_max": 1.0}
    DANNClassifier(callbacks=[Look()], **settings).fit(*documents)
    assert seen[0].shape == (64, 600) and isinstance(seen[0], torch.Tensor)
