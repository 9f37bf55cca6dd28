"""Networks of the user's: their layout in memory, random changes of images, and what they cost."""

import pickle

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from skdann import DANNClassifier
from skdann._choosing.cross_fit import _groups
from skdann._data.inputs import read_training_data
from skdann._network import network as network_module
from skdann._training.settings import Settings

SHAPE = 2, 8, 8


@pytest.fixture(scope="module")
def images():
    rng = np.random.default_rng(0)
    y = np.arange(60) % 2
    X, X_tgt = rng.normal(size=(2, 60, *SHAPE)).astype(np.float32)
    X[:, 0] += y[:, None, None]
    return X, y, X_tgt + 0.3


def convolutions(row_shape):
    return nn.Sequential(nn.Conv2d(row_shape[0], 4, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten())


def classifier(feature_extractor=convolutions, **parameters):
    few = {"domain_classifier": 8, "lambda_max": 1.0, "max_epochs": 3, "random_state": 0}
    return DANNClassifier(feature_extractor=feature_extractor, **{**few, **parameters})


# -- channels last ---------------------------------------------------------------------------


def weight_of(fitted):
    return next(one for one in fitted.module_.feature_extractor.parameters() if one.ndim == 4)


def is_channels_last(weight):
    return weight.is_contiguous(memory_format=torch.channels_last)


def test_convolutions_are_channels_last_in_memory_and_compute_the_same(images, monkeypatch):
    found = classifier().fit(*images)
    assert is_channels_last(weight_of(found))
    loaded = pickle.loads(pickle.dumps(found))
    assert is_channels_last(weight_of(loaded))
    wanted = found.predict_proba(images[2])
    np.testing.assert_array_equal(loaded.predict_proba(images[2]), wanted)
    monkeypatch.setattr(network_module, "lay_out_channels_last", lambda part, rows: None)
    as_usual = classifier().fit(*images)
    assert not is_channels_last(weight_of(as_usual))
    np.testing.assert_allclose(as_usual.predict_proba(images[2]), wanted, atol=1e-5)


class Views(nn.Module):
    """Makes rows flat by ``view``, which needs them in the usual order."""

    def __init__(self, row_shape):
        super().__init__()
        self.convolve = nn.Conv2d(row_shape[0], 4, 3)

    def forward(self, X):
        return self.convolve(X).view(len(X), -1)


def test_a_module_that_needs_the_usual_layout_keeps_it(images):
    fitted = classifier(Views).fit(*images)
    assert not is_channels_last(weight_of(fitted))


def test_a_module_that_was_passed_stays_as_it_was(images):
    given = convolutions(SHAPE)
    classifier(given).fit(*images)
    assert not is_channels_last(given[0].weight)


# -- random changes of images ----------------------------------------------------------------


class Flips(nn.Module):
    """Mirrors half of the images, in training only."""

    n_called = 0

    def forward(self, X):
        if not self.training:
            return X
        Flips.n_called += 1
        mirrored = torch.rand(len(X), device=X.device) < 0.5
        return torch.where(mirrored[:, None, None, None], X.flip(-1), X)


def flipping(row_shape):
    return nn.Sequential(Flips(), convolutions(row_shape))


def test_a_module_in_front_changes_images_in_training_only(images):
    Flips.n_called = 0
    fitted = classifier(flipping).fit(*images)
    assert Flips.n_called == fitted.n_iter_  # a step in each epoch
    first, second = (fitted.predict_proba(images[2]) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    plain = classifier().fit(*images).predict_proba(images[2])
    assert np.abs(first - plain).max() > 1e-4


def test_changes_are_drawn_by_random_state_alone(images):
    before = torch.get_rng_state()
    wanted = classifier(flipping).fit(*images).predict_proba(images[2])
    assert torch.equal(torch.get_rng_state(), before)
    with torch.random.fork_rng():
        torch.manual_seed(5)
        again = classifier(flipping).fit(*images).predict_proba(images[2])
        np.testing.assert_array_equal(again, wanted)


def test_the_target_changes_nothing_on_the_source_side_without_adaptation(images):
    X, y, X_tgt = images
    one, other = (
        classifier(flipping, lambda_max=0).fit(X, y, rows).predict_proba(X)
        for rows in (X_tgt, X_tgt[:20] * 2)
    )
    np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("argument", ["X", "X_tgt"])
def test_datasets_of_torch_are_refused_with_a_cure(images, argument):
    X, y, X_tgt = images
    dataset = TensorDataset(torch.from_numpy(X))
    rows = {"X": X, "X_tgt": X_tgt, argument: dataset}
    with pytest.raises(TypeError, match=f"^{argument} is a TensorDataset of torch.*mmap_mode"):
        classifier().fit(rows["X"], y, rows["X_tgt"])
    with pytest.raises(TypeError, match="X is a DataLoader of torch"):
        classifier().fit(DataLoader(dataset), y, X_tgt)


# -- cost ------------------------------------------------------------------------------------


class CountsRows(nn.Module):
    """Counts the rows that it is given outside of training."""

    seen = 0

    def forward(self, X):
        if not self.training:
            CountsRows.seen += len(X)
        return X


def test_after_training_few_rows_are_looked_at(images):
    X, y, X_tgt = (np.repeat(one, 20, axis=0) for one in images)
    CountsRows.seen = 0
    classifier(lambda shape: nn.Sequential(CountsRows(), convolutions(shape))).fit(X, y, X_tgt)
    assert CountsRows.seen <= 2 * 256 + 10  # of each domain, and two rows to try the parts


@pytest.mark.parametrize(
    ("parts", "sizes"),
    [
        ({}, [2, 1]),
        ({"feature_extractor": nn.Flatten()}, [1, 1, 1]),
        ({"domain_classifier": nn.Linear}, [1, 1, 1]),
        ({"label_predictor": (5,)}, [2, 1]),
    ],
)
def test_candidates_with_own_parts_are_a_task_each(blobs, parts, sizes):
    record = read_training_data(*blobs, None, class_weight=None, estimator=DANNClassifier())
    settings = [Settings.of(DANNClassifier(lambda_max=one, **parts), record) for one in (0, 1, 2)]
    groups = _groups(settings)
    assert list(map(len, groups)) == sizes
    assert groups[-1] == [0]  # the cheapest is the last
