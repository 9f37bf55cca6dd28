"""Several sources: one table, and leave-one-source-out."""

import pickle

import numpy as np
import pandas as pd
import polars as pl
import pytest
import sklearn
from scipy import sparse
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, LeaveOneGroupOut, cross_validate
from sklearn.preprocessing import StandardScaler

from skdann import DANNClassifier
from skdann.metrics import TargetScorer
from skdann.pipeline import make_dann_pipeline
from skdann.sources import LeaveOneSourceOut, leave_one_source_out, stack_sources


class Remembers(ClassifierMixin, BaseEstimator):
    """Remembers the rows that `fit` was given, by their only column."""

    __metadata_request__fit = {"X_tgt": True, "source_domain": True}  # noqa: RUF012
    seen = []  # noqa: RUF012 - one list for all clones, emptied by the fixture

    def fit(self, X, y, X_tgt=None, *, source_domain=None, sample_weight=None):
        targets = [np.ravel(rows).tolist() for rows in X_tgt]
        domains = None if source_domain is None else list(source_domain)
        Remembers.seen.append((np.ravel(X).tolist(), targets, domains, sample_weight))
        self.classes_ = np.unique(y)
        return self

    def predict(self, X):
        return np.full(len(X), self.classes_[0])


class TargetOf(TargetScorer):
    """Remembers the target rows that it was given."""

    seen = []  # noqa: RUF012

    def __call__(self, estimator, X, y=None, X_tgt=None):
        TargetOf.seen.append((np.ravel(X).tolist(), [np.ravel(rows).tolist() for rows in X_tgt]))
        return 0.0


@pytest.fixture(autouse=True)
def nothing_seen():
    Remembers.seen.clear()
    TargetOf.seen.clear()


X = np.arange(6.0)[:, None]
y = np.array([0, 1, 0, 1, 0, 0])
SOURCES = np.array(["b", "a", "b", "c", "a", "c"])


# -- one table -------------------------------------------------------------------------------


def test_sources_are_stacked_in_order_with_the_name_of_each_row():
    table, labels, domain = stack_sources([X[:2], X[2:5]], [y[:2], y[2:5]], ["north", "south"])
    np.testing.assert_array_equal(table, X[:5])
    np.testing.assert_array_equal(labels, y[:5])
    assert domain.tolist() == ["north"] * 2 + ["south"] * 3


def test_sources_without_names_are_numbered():
    *_, domain = stack_sources([X[:1], X[:3]], [y[:1], y[:3]])
    assert domain.tolist() == [0, 1, 1, 1]


def test_lists_are_rows_too():
    table, labels, _ = stack_sources([[[1.0], [2.0]], [[3.0]]], [[0, 1], [1]])
    assert table.tolist() == [[1], [2], [3]]
    assert labels.tolist() == [0, 1, 1]


def test_frames_get_a_fresh_index_and_the_columns_of_the_first():
    first = pd.DataFrame({"a": [1, 2], "b": ["x", "y"]}, index=[7, 7])
    second = pd.DataFrame({"b": ["z"], "a": [3]}, index=[7])
    table, labels, _ = stack_sources([first, second], [pd.Series([0, 1]), pd.Series([1])])
    wanted = pd.DataFrame({"a": [1, 2, 3], "b": ["x", "y", "z"]})
    pd.testing.assert_frame_equal(table, wanted)
    assert labels.tolist() == [0, 1, 1]


def test_polars_frames_stay_polars():
    first, second = pl.DataFrame({"a": [1], "b": [2.0]}), pl.DataFrame({"b": [4.0], "a": [3]})
    table, *_ = stack_sources([first, second], [[0], [1]])
    assert table.equals(pl.DataFrame({"a": [1, 3], "b": [2.0, 4.0]}))


def test_sparse_rows_stay_sparse_whatever_their_formats():
    table, *_ = stack_sources([sparse.csc_array(X), sparse.csr_array(X)], [y, y])
    assert table.format == "csr"
    np.testing.assert_array_equal(table.toarray(), np.concatenate([X, X]))


FRAME = pd.DataFrame({"age": [1.0], "dose": [2.0]})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([], []), "X is empty"),
        (([X, X], [y]), "X has 2 sources, y 1 and names 2"),
        (([X, X], [y, y], ["a"]), "names 1"),
        (([X, X], [y, y], ["a", "a"]), "same name twice"),
        (([X, X], [y, y[:3]]), r"X\[1\] has 6 rows, but y\[1\] has shape \(3,\)"),
        (([X], [y[:, None]]), r"y\[0\] has shape \(6, 1\)"),
        (([X, np.ones((6, 2))], [y, y]), r"X\[1\] has rows of shape \(2,\)"),
        (([X, X], [y, y.astype(str)]), "text labels for some sources"),
        (([FRAME, FRAME.rename(columns={"dose": "mg"})], [[0], [1]]), "lacks columns of .*'dose'"),
        (([FRAME, FRAME.assign(sex=0)], [[0], [1]]), "has columns that .* lacks: .'sex'"),
        (([FRAME, FRAME.to_numpy()], [[0], [1]]), "is a ndarray, but .* is a DataFrame"),
        (([X, sparse.csr_array(X)], [y, y]), "Convert all sources to the same kind"),
    ],
)
def test_sources_that_do_not_fit_together_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        stack_sources(*arguments)


# -- splits ----------------------------------------------------------------------------------


def test_splits_are_those_of_leave_one_group_out():
    ours = list(LeaveOneSourceOut().split(X, y, SOURCES))
    theirs = list(LeaveOneGroupOut().split(X, y, SOURCES))
    assert len(ours) == LeaveOneSourceOut().get_n_splits(X, y, SOURCES) == 3
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(np.concatenate(one), np.concatenate(other))


@pytest.mark.parametrize("routing", [False, True])
def test_the_source_left_out_is_the_target_of_the_fit(routing):
    with sklearn.config_context(enable_metadata_routing=routing):
        leave_one_source_out(Remembers(), X, y, SOURCES)
    assert [one[0] for one in Remembers.seen] == [[0, 2, 3, 5], [1, 3, 4, 5], [0, 1, 2, 4]]
    assert [one[1] for one in Remembers.seen] == [[[1, 4]], [[0, 2]], [[3, 5]]]
    assert [one[2] for one in Remembers.seen] == [list("bbcc"), list("acac"), list("baba")]


def test_scores_are_on_the_source_left_out():
    scores = leave_one_source_out(Remembers(), X, y, SOURCES)
    assert scores["source"].tolist() == ["a", "b", "c"]
    np.testing.assert_array_equal(scores["test_score"], [0.5, 1.0, 0.5])


def test_with_two_sources_one_is_left_and_needs_no_domain():
    leave_one_source_out(Remembers(), X, y, [1, 1, 2, 2, 2, 2])
    assert [one[:3] for one in Remembers.seen] == [
        ([2, 3, 4, 5], [[0, 1]], None),
        ([0, 1], [[2, 3, 4, 5]], None),
    ]


def test_further_parameters_of_fit_are_cut_along():
    leave_one_source_out(Remembers(), X, y, SOURCES, params={"sample_weight": X.ravel()})
    assert [one[3].tolist() for one in Remembers.seen] == [one[0] for one in Remembers.seen]


def test_scorers_that_request_the_target_get_the_source_left_out():
    scoring = {"target": TargetOf(), "accuracy": "accuracy"}
    with sklearn.config_context(enable_metadata_routing=True):
        scores = leave_one_source_out(Remembers(), X, y, SOURCES, scoring=scoring)
    assert TargetOf.seen == [([1, 4], [[1, 4]]), ([0, 2], [[0, 2]]), ([3, 5], [[3, 5]])]
    np.testing.assert_array_equal(scores["test_accuracy"], [0.5, 1.0, 0.5])


def test_an_estimator_without_target_is_fitted_on_the_other_sources():
    labels = np.array([0, 0, 1, 0, 1, 1])
    scores = leave_one_source_out(LogisticRegression(), X, labels, SOURCES)
    by_hand = cross_validate(LogisticRegression(), X, labels, cv=LeaveOneGroupOut(), groups=SOURCES)
    np.testing.assert_array_equal(scores["test_score"], by_hand["test_score"])


@pytest.mark.parametrize("names", [[5, 7], [5, 7, 9]])
def test_it_equals_fits_by_hand(names):
    rng = np.random.default_rng(0)
    rows, labels = rng.normal(size=(100, 3)), rng.integers(0, 2, 100)
    domain = np.sort(rng.choice(names, 100))
    rows[domain == 7] += 1
    clf = DANNClassifier(lambda_max=0.5, input_scaling="domain", max_epochs=2, random_state=0)
    scores = leave_one_source_out(clf, rows, labels, domain)
    for source, score in zip(scores["source"], scores["test_score"], strict=True):
        out = domain == source
        several = {"source_domain": domain[~out]} if len(names) > 2 else {}
        clf.fit(rows[~out], labels[~out], rows[out], **several)
        assert clf.n_domains_ == len(names)
        assert score == clf.score(rows[out], labels[out])


def test_a_pipeline_and_a_frame_take_part():
    frame = pd.DataFrame(np.random.default_rng(0).normal(size=(60, 2)), columns=["a", "b"])
    labels = np.tile([0, 1], 30)
    pipe = make_dann_pipeline(StandardScaler(), lambda_max=0.1, max_epochs=1, random_state=0)
    scores = leave_one_source_out(pipe, frame, labels, np.repeat(["x", "y"], 30))
    assert scores["test_score"].shape == (2,)


def test_a_search_refits_with_the_target_itself():
    X_tgt = np.array([[8.0], [9.0]])
    cv = LeaveOneSourceOut()
    target = cv.align_target(X, SOURCES, X_tgt)
    search = GridSearchCV(Remembers(), {}, cv=list(cv.split(X, y, SOURCES)))
    search.fit(X, y, X_tgt=pickle.loads(pickle.dumps(target)))
    assert [one[1] for one in Remembers.seen] == [[[1, 4]], [[0, 2]], [[3, 5]], [[8, 9]]]


def test_sparse_rows_and_frames_are_cut_as_what_they_are():
    domain = np.repeat([0, 1, 2], 2)
    target = LeaveOneSourceOut().align_target(sparse.csr_array(X), domain)
    np.testing.assert_array_equal(target[np.array([0, 3])][0].toarray().ravel(), [4, 5])
    target = LeaveOneSourceOut().align_target(pd.DataFrame(X), domain)
    assert target[np.array([0, 3])][0].index.tolist() == [4, 5]


def test_rows_of_all_sources_and_a_single_source_are_refused():
    target = LeaveOneSourceOut().align_target(X, SOURCES)
    with pytest.raises(ValueError, match="a split has rows of all"):
        target[np.array([0, 1, 3])]
    with pytest.raises(ValueError, match=r"source_domain has one source only, .'a'.,"):
        leave_one_source_out(Remembers(), X, y, ["a"] * 6)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        leave_one_source_out(Remembers(), X, y, SOURCES[:4])
