"""Images as arrays of bytes: they stay bytes, and everything is as with the same float32 values."""

import pickle
import tracemalloc

import numpy as np
import pytest
import torch
from joblib import parallel_config
from skorch.callbacks import Callback
from torch import nn

from skdann import DANNClassifier, TargetScaleWarning, adaptation_report
from skdann._choosing import choice
from skdann._classifier import read_record
from skdann._data.record import compact, selected_rows
from skdann._data.tensors import RowTables, row_chunks
from skdann.displays import EmbeddingDisplay
from skdann.labelling import rows_to_label
from skdann.metrics import InfoMaxScorer

CPU = torch.device("cpu")
SHAPE = 2, 6, 6


def features(row_shape):
    layers = nn.Conv2d(row_shape[0], 3, 3), nn.ReLU(), nn.Dropout(0.2), nn.Flatten()
    return nn.Sequential(*layers)


def classifier(**parameters):
    few = {"domain_classifier": 8, "lambda_max": 1.0, "max_epochs": 2, "random_state": 0}
    return DANNClassifier(**{"feature_extractor": features, **few, **parameters})


@pytest.fixture
def images():
    """Source images, labels and target images, of bytes.

    The second class is brighter in one channel, and the target in the other.
    """
    rng = np.random.default_rng(0)
    y = np.arange(60) % 2
    X, X_tgt = (rng.integers(0, 156, (n_rows, *SHAPE)) for n_rows in (60, 50))
    X[:, 0] += 100 * y[:, None, None]
    X_tgt[:, 1] += 100
    return X.astype(np.uint8), y, X_tgt.astype(np.uint8)


def as_float32(images):
    X, y, X_tgt = images
    return X.astype(np.float32), y, X_tgt.astype(np.float32)


def assert_same_outputs(of_bytes, of_floats, images):
    for rows in (images[0], images[2]):
        for method in ("predict_proba", "transform", "predict_domain_proba"):
            found, wanted = (
                getattr(fitted, method)(given)
                for fitted, given in ((of_bytes, rows), (of_floats, rows.astype(np.float32)))
            )
            np.testing.assert_array_equal(found, wanted, err_msg=method)


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"lambda_max": "auto"},
        {"lambda_max": (0, 1), "input_scaling": (None, "source")},
        {"input_scaling": "balanced"},
        {"input_scaling": "both", "n_members": 2},
        {"early_stopping": True},
        {"label_shift": "estimate"},
    ],
)
def test_a_fit_on_bytes_is_the_fit_on_the_same_floats(images, parameters):
    of_bytes = classifier(**parameters).fit(*images)
    of_floats = classifier(**parameters).fit(*as_float32(images))
    assert_same_outputs(of_bytes, of_floats, images)
    assert getattr(of_bytes, "verdict_", None) == getattr(of_floats, "verdict_", None)


def test_bytes_go_through_partial_fit_labels_of_the_target_and_files(images):
    X, y, X_tgt = images
    y_tgt = np.where(np.arange(50) < 20, np.arange(50) % 2, -1)
    of_bytes, of_floats = classifier(), classifier()
    of_bytes.partial_fit(X[:30], y[:30], X_tgt, y_tgt=y_tgt).partial_fit(X[30:], y[30:], X_tgt)
    X, _, X_tgt = as_float32(images)
    of_floats.partial_fit(X[:30], y[:30], X_tgt, y_tgt=y_tgt).partial_fit(X[30:], y[30:], X_tgt)
    assert_same_outputs(pickle.loads(pickle.dumps(of_bytes)), of_floats, images)


def record_of(images):
    return read_record(classifier(), *images, None)


@pytest.mark.parametrize("container", [np.asarray, torch.as_tensor, "memory map"])
def test_bytes_are_neither_converted_nor_copied(images, container, tmp_path):
    X, y, X_tgt = images
    if container == "memory map":
        np.save(tmp_path / "X.npy", X)
        X = np.load(tmp_path / "X.npy", mmap_mode="r")
    else:
        X = container(X)
    data = record_of((X, y, X_tgt))
    assert data.X_source.dtype == data.X_target.dtype == np.uint8
    assert np.shares_memory(data.X_source, np.asarray(X))
    table = RowTables(CPU).block(data.X_source, np.arange(3)).table
    assert np.shares_memory(table.numpy(), np.asarray(X))
    wanted = classifier().fit(*images).predict_proba(X_tgt)
    np.testing.assert_array_equal(classifier().fit(X, y, X_tgt).predict_proba(X_tgt), wanted)


@pytest.mark.parametrize("lambda_max", [1.0, "auto"])
def test_a_fit_needs_less_memory_than_the_images(monkeypatch, lambda_max):
    """A float32 copy of either domain would need four times its memory."""
    monkeypatch.setattr(choice, "_MOST_ROWS", 200)
    X, X_tgt = np.random.default_rng(0).integers(0, 256, (2, 4000, 3, 16, 16), dtype=np.uint8)
    y = np.arange(4000) % 2
    lean = classifier(max_epochs=1, batch_size=256, lambda_max=lambda_max)
    lean.fit(X[:100], y[:100], X_tgt[:100]).predict(X[:10])  # so that imports are not counted
    tracemalloc.start()
    try:
        lean.fit(X, y, X_tgt).predict(X_tgt)
        assert tracemalloc.get_traced_memory()[1] < X.nbytes
    finally:
        tracemalloc.stop()


def test_the_network_is_given_float32_from_0_to_255(images):
    seen = []

    class Watch(nn.Flatten):
        def forward(self, X):
            seen.append((X.dtype, float(X.max())))
            return super().forward(X)

    class Rows(Callback):
        def on_batch_begin(self, net, batch, **kwargs):
            seen.append((batch[0].dtype, float(batch[0].max())))

    fitted = classifier(feature_extractor=Watch(), callbacks=[Rows()], early_stopping=True)
    fitted.fit(*images).predict(images[2])
    largest = [value for _, value in seen[1:]]  # the first call was tried with zeros
    assert {dtype for dtype, _ in seen} == {torch.float32}
    assert max(largest) == 255


@pytest.mark.parametrize("dtype", [np.int16, np.float16, np.float64, bool])
def test_other_types_become_float32(images, dtype):
    X, y, X_tgt = images
    data = record_of((X.astype(dtype), y, X_tgt.astype(dtype)))
    assert data.X_source.dtype == data.X_target.dtype == np.float32


def test_a_table_of_bytes_becomes_float32(images):
    X, y, X_tgt = images
    flat = X.reshape(60, -1), y, X_tgt.reshape(50, -1)
    assert read_record(classifier(feature_extractor=None), *flat, None).X_source.dtype == np.float32


def test_one_domain_may_be_bytes_and_the_other_floats(images):
    X, y, X_tgt = images
    wanted = classifier().fit(*as_float32(images))
    mixed = X, y, X_tgt.astype(np.float64)
    data = record_of(mixed)
    assert (data.X_source.dtype, data.X_target.dtype) == (np.uint8, np.float32)
    assert_same_outputs(classifier().fit(*mixed), wanted, images)
    targets = X_tgt[:20], X_tgt[20:].astype(np.float32)
    several = classifier().fit(X, y, targets)
    floats = classifier().fit(X, y, (targets[0].astype(np.float32), targets[1]))
    assert_same_outputs(several, floats, images)


# -- parts of the record ---------------------------------------------------------------------


def test_drawn_rows_stay_bytes_and_are_counted_by_their_own_size(images):
    data = record_of(images)
    half = selected_rows(data, np.arange(60) < 30, np.arange(50) < 25)
    size = 55 * 2 * 6 * 6
    assert compact(half, size).X_source.dtype == np.uint8
    assert compact(half, size).source_rows is None
    assert compact(half, size - 1) is half


def test_chunks_are_float32_and_no_view_of_the_data(images):
    X = images[0]
    for rows in (None, np.array([5, 3])):
        ((_, chunk),) = row_chunks(X, CPU, rows)
        assert chunk.dtype == torch.float32
        np.testing.assert_array_equal(chunk.numpy(), X if rows is None else X[rows])


def test_many_rows_leave_a_sample_of_bytes_to_the_choice(images, monkeypatch):
    monkeypatch.setattr(choice, "_MOST_ROWS", 40)
    of_bytes = classifier(lambda_max="auto").fit(*images)
    assert_same_outputs(of_bytes, classifier(lambda_max="auto").fit(*as_float32(images)), images)


def test_workers_and_checkpoints_take_bytes(images, tmp_path):
    wanted = classifier(lambda_max="auto").fit(*images)
    with parallel_config(backend="threading"):
        parallel = classifier(lambda_max="auto", n_jobs=2).fit(*images)
    saved = classifier(lambda_max="auto", checkpoint_dir=tmp_path).fit(*images)
    for other in (parallel, saved):
        np.testing.assert_array_equal(
            other.predict_proba(images[2]), wanted.predict_proba(images[2])
        )


# -- the fitted classifier elsewhere ---------------------------------------------------------


def test_modules_take_tensors_of_bytes(images):
    X, _, X_tgt = images
    for parameters in ({}, {"input_scaling": "balanced"}, {"n_members": 2}):
        fitted = classifier(**parameters).fit(*images)
        found = fitted.to_torch()(torch.from_numpy(X))
        np.testing.assert_allclose(found, fitted.predict_proba(X), atol=1e-6)
        logits = fitted.module_(torch.from_numpy(X_tgt)).softmax(dim=1).detach()
        wanted = fitted.predict_proba(X_tgt, domain="target")
        np.testing.assert_allclose(logits, wanted, atol=1e-6)
        np.testing.assert_allclose(fitted.net_.predict_proba(X_tgt), wanted, atol=1e-6)


def test_figures_scores_and_reports_take_bytes(images):
    X, y, X_tgt = images
    of_bytes, of_floats = images, as_float32(images)
    fitted = classifier(lambda_max=(0, 1)).fit(*images)
    values = []
    for X, y, X_tgt in (of_bytes, of_floats):
        scorer = InfoMaxScorer(X_tgt=(X_tgt,))
        shown = EmbeddingDisplay.from_estimator(fitted, X, y, X_tgt, random_state=0)
        report = adaptation_report(fitted, X, y, X_tgt)
        values.append(
            [
                scorer(fitted, X, y),
                rows_to_label(fitted, X_tgt, n_rows=3, random_state=0),
                list(shown.points.values()),
                report.domain_accuracy,
            ]
        )
    for found, wanted in zip(*values, strict=True):
        np.testing.assert_equal(found, wanted)


# -- one domain divided by 255 ---------------------------------------------------------------


@pytest.mark.parametrize("divided", ["X", "X_tgt"])
def test_a_domain_that_alone_was_divided_is_reported(images, divided):
    X, y, X_tgt = images
    rows = (X / 255, y, X_tgt) if divided == "X" else (X, y, X_tgt / 255)
    with pytest.warns(TargetScaleWarning, match=f"all values of {divided} lie between -1 and 1"):
        record_of(rows)


def test_images_on_one_scale_are_not_reported(images):
    X, y, X_tgt = images
    record_of((X / 255, y, X_tgt / 255))
    record_of((X, y, X_tgt // 4))  # dark images
    record_of((X.astype(np.float32) - 100, y, X_tgt / 255))
    record_of((X.astype(np.float32) + 0.5, y, X_tgt / 255))
