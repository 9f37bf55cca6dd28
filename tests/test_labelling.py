"""Which target rows to label: every part of the target, none twice, better than random rows."""

import warnings

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from skdann import DANNClassifier
from skdann import labelling as module
from skdann.datasets import make_tilted_digits
from skdann.labelling import rows_to_label
from skdann.pipeline import make_dann_pipeline


class Plain:
    """Embeds rows as they are, and is sure of one class, or of what the first column says."""

    classes_ = np.array(["no", "yes"])

    def __init__(self, by_first_column=False):
        self.by_first_column = by_first_column
        self.domains = []

    def transform(self, X, **of):
        self.domains.append(of)
        return np.asarray(X, dtype=float)

    def predict_proba(self, X, **of):
        self.domains.append(of)
        second = (np.asarray(X)[:, 0] > 0).astype(float) * self.by_first_column
        return np.stack([1 - second, second], axis=1)


def rays(sizes, spread=0.02):
    """Return rows in groups, each in another direction, and the group of each."""
    rng = np.random.default_rng(0)
    group = np.repeat(np.arange(len(sizes)), sizes)
    angle = group + spread * rng.normal(size=len(group))
    length = rng.uniform(1, 50, size=len(group))
    return length[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1), group


SIZES = 200, 40, 20, 10, 5
X, GROUP = rays(SIZES)


def test_every_part_of_the_target_gets_a_label_the_largest_first():
    rows = rows_to_label(Plain(), X, 5, random_state=0)
    assert GROUP[rows].tolist() == [0, 1, 2, 3, 4]
    assert rows.dtype == np.intp
    # Random rows would hit all five in one of hundreds of draws.
    draws = [np.random.default_rng(i).permutation(len(X))[:5] for i in range(20)]
    assert all(len(set(GROUP[one])) < 5 for one in draws)


def test_the_row_in_the_middle_is_chosen():
    outliers = np.array([[np.cos(0.3), np.sin(0.3)]] * 2)
    rows = rows_to_label(Plain(), np.concatenate([outliers, X]), 5, random_state=0)
    assert not set(rows) & {0, 1}


def test_rows_of_one_direction_and_two_predictions_get_a_label_each():
    line = np.linspace(-1, 1, 41)[:, None] * [[1e-3, 0]] + [[0, 1]]
    rows = rows_to_label(Plain(by_first_column=True), line, 2, random_state=0)
    assert sorted(line[rows, 0] > 0) == [False, True]


def test_parts_with_a_label_are_not_asked_again():
    y_tgt = np.full(len(X), None, dtype=object)
    for group, label in [(0, "no"), (2, "yes")]:
        y_tgt[np.flatnonzero(group == GROUP)[3]] = label
    rows = rows_to_label(Plain(), X, 3, y_tgt=y_tgt, random_state=0)
    assert GROUP[rows].tolist() == [1, 3, 4]


@pytest.mark.parametrize("missing", [None, np.nan, pd.NA, -1])
def test_no_row_is_chosen_twice_until_all_are(missing):
    y_tgt = np.full(30, missing, dtype=object)
    y_tgt[:10] = "no"
    rows = rows_to_label(Plain(), X[:30], 20, y_tgt=y_tgt, random_state=0)
    assert sorted(rows) == list(range(10, 30))


def test_equal_rows_are_filled_up_without_a_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        rows = rows_to_label(Plain(), np.ones((12, 2)), 7, random_state=0)
    assert len(set(rows)) == 7


def test_an_embedding_of_zeros_does_no_harm():
    assert len(set(rows_to_label(Plain(), np.zeros((12, 2)), 3, random_state=0))) == 3


def test_a_large_target_is_thinned_out(monkeypatch):
    monkeypatch.setattr(module, "_MOST_ROWS", 50)
    seen = Plain()
    y_tgt = np.full(len(X), None, dtype=object)
    y_tgt[:20] = "no"
    rows = rows_to_label(seen, X, 5, y_tgt=y_tgt, random_state=0)
    assert len(set(rows)) == 5
    assert rows.min() >= 20
    considered = module._considered(np.arange(len(X)) < 20, 5, np.random.RandomState(0))
    assert len(considered) == 70
    assert set(range(20)) <= set(considered)


def test_the_same_seed_gives_the_same_rows_and_numpys_state_stays():
    np.random.seed(3)
    state = np.random.get_state()[1].copy()
    rows_to_label(Plain(), X, 30)
    np.testing.assert_array_equal(np.random.get_state()[1], state)
    one, other = (rows_to_label(Plain(), X, 30, random_state=5) for _ in range(2))
    np.testing.assert_array_equal(one, other)


def test_the_domain_is_passed_on_if_it_is_given():
    seen = Plain()
    rows_to_label(seen, X, 2, random_state=0)
    rows_to_label(seen, X, 2, domain=2, random_state=0)
    assert seen.domains == [{}, {}, {"domain": 2}, {"domain": 2}]


@pytest.mark.parametrize("number", [0, 276, 2.0, None])
def test_a_number_of_rows_that_there_are_not_is_refused(number):
    with pytest.raises(ValueError, match="n_rows must be an int from 1 to 275, the number"):
        rows_to_label(Plain(), X, number)


def test_labels_that_do_not_fit_and_other_classifiers_are_refused():
    with pytest.raises(ValueError, match="y_tgt has 3 elements"):
        rows_to_label(Plain(), X, 2, y_tgt=["no"] * 3)
    with pytest.raises(ValueError, match="y_tgt has labels that y does not have: 'maybe'"):
        rows_to_label(Plain(), X, 2, y_tgt=["maybe"] * len(X))
    forest = LogisticRegression().fit(X, GROUP)
    with pytest.raises(TypeError, match="LogisticRegression, which has no transform"):
        rows_to_label(forest, X, 2)


@pytest.fixture(scope="module")
def digits():
    return make_tilted_digits(n_source=300, random_state=0)


@pytest.fixture(scope="module")
def fitted(digits):
    clf = DANNClassifier(lambda_max=0, input_scaling="source", max_epochs=20, random_state=0)
    return clf.fit(*digits[:3])


def test_chosen_rows_have_more_of_the_classes_than_random_rows(fitted, digits):
    answers = digits[3]
    chosen = [rows_to_label(fitted, digits[2], 12, random_state=seed) for seed in range(3)]
    draws = [np.random.default_rng(seed).permutation(len(answers))[:12] for seed in range(50)]
    n_chosen = np.mean([len(set(answers[rows])) for rows in chosen])
    assert n_chosen > np.mean([len(set(answers[rows])) for rows in draws]) + 0.5


def test_labels_of_chosen_rows_are_worth_more_than_those_of_random_rows(fitted, digits):
    """A logistic regression on the embedding learns from these labels alone."""
    X_tgt, answers = digits[2:]
    embedding = fitted.transform(X_tgt)

    def accuracy(rows):
        model = LogisticRegression(max_iter=500).fit(embedding[rows], answers[rows])
        return model.score(embedding, answers)

    draws = [np.random.default_rng(seed).permutation(len(answers))[:20] for seed in range(8)]
    chosen = [rows_to_label(fitted, X_tgt, 20, random_state=seed) for seed in range(3)]
    gain = np.mean([accuracy(rows) for rows in chosen]) - np.mean([accuracy(r) for r in draws])
    assert gain > 0.05


def test_pipelines_frames_sparse_rows_and_lists_take_part(digits):
    X_src, y_src, X_tgt, _ = (one[:100] for one in digits)
    frames = [pd.DataFrame(one) for one in (X_src, X_tgt)]
    pipe = make_dann_pipeline(StandardScaler(), lambda_max=0, max_epochs=1, random_state=0)
    pipe.fit(frames[0], y_src, frames[1])
    expected = rows_to_label(pipe, frames[1], 4, random_state=0)
    assert len(set(expected)) == 4
    clf = DANNClassifier(lambda_max=0, max_epochs=1, random_state=0).fit(X_src, y_src, X_tgt)
    for rows in (sparse.csr_array(X_tgt), X_tgt.tolist()):
        np.testing.assert_array_equal(
            rows_to_label(clf, rows, 4, random_state=0),
            rows_to_label(clf, X_tgt, 4, random_state=0),
        )
