"""Labels of target rows: how `y_tgt` is read, how it is learned from, and what it decides."""

import pickle

import numpy as np
import pandas as pd
import pytest
import sklearn
import torch
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from scipy.stats import beta
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.preprocessing import StandardScaler
from test_stacked import assert_same_weights, by_autograd, network  # noqa: F401

from skdann import DANNClassifier, DANNClassifierCV, adaptation_report
from skdann._choosing.cross_fit import cross_fit
from skdann._choosing.label_evidence import (
    estimated_accuracy,
    gains_of,
    hidden_in_folds,
    weighed,
)
from skdann._data.batches import DomainBatches
from skdann._data.inputs import read_training_data
from skdann._data.splits import split_validation
from skdann._data.target_labels import read_target_labels
from skdann._data.tensors import RowTables
from skdann._torch.randomness import random_streams
from skdann._training.net import AdversarialNet, EpochData
from skdann._training.optimizers import optimizer_factory
from skdann._training.plan import TrainingPlan
from skdann._training.settings import Settings, few_share
from skdann.pipeline import make_dann_pipeline
from skdann.schedules import Constant, Ramp

CPU = torch.device("cpu")
NAMES = np.array(["no", "yes"])
QUICK = {"max_epochs": 8, "random_state": 0}


def read(y_tgt, classes=NAMES, n_rows=(4,)):
    domain = np.repeat(np.arange(1, len(n_rows) + 1), n_rows)
    return read_target_labels(y_tgt, domain, np.asarray(classes))


# -- reading ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "y_tgt",
    [
        ["yes", None, "no", None],
        np.array(["yes", None, "no", np.nan], dtype=object),
        ["yes", float("nan"), "no", pd.NA],
        ["yes", -1, "no", -1],
        pd.Series(["yes", None, "no", None], index=[7, 7, 8, 9]),
        pd.Series(["yes", pd.NA, "no", pd.NA], dtype="string"),
        pd.Series(["yes", None, "no", None], dtype="category"),
        np.array([["yes"], [None], ["no"], [None]], dtype=object),
    ],
)
def test_a_row_without_a_label_may_be_written_in_many_ways(y_tgt):
    assert_array_equal(read(y_tgt), [1, -1, 0, -1])


@pytest.mark.parametrize(
    ("y_tgt", "classes", "codes"),
    [
        (np.array([5, 2, -1, 5]), [2, 5], [1, 0, -1, 1]),
        (np.array([5.0, np.nan, np.nan, 2.0]), [2, 5], [1, -1, -1, 0]),
        (np.array([-1, 2, -1, 2]), [-1, 2], [0, 1, 0, 1]),  # here -1 is a class
        ([True, None, False, None], [False, True], [1, -1, 0, -1]),
        (pd.Series([5, None, 2, None], dtype="Int64"), [2, 5], [1, -1, 0, -1]),
    ],
)
def test_numbers_are_labels_and_minus_one_is_none_unless_it_is_a_class(y_tgt, classes, codes):
    assert_array_equal(read(y_tgt, classes), codes)


def test_labels_of_several_targets_are_a_tuple():
    found = read((["no", None], None, ["yes"]), n_rows=(2, 3, 1))
    assert_array_equal(found, [0, -1, -1, -1, -1, 1])


@pytest.mark.parametrize("y_tgt", [None, [None] * 4, [np.nan] * 4, [-1] * 4])
def test_no_label_at_all_is_as_no_argument(y_tgt):
    assert read(y_tgt) is None


@pytest.mark.parametrize(
    ("y_tgt", "said"),
    [
        (["yes", None], "y_tgt has 2 elements, but there are 4 target rows"),
        (["yes", "maybe", None, None], "labels that y does not have: 'maybe'. The classes are"),
        ([["yes"], [], [], []], "labels that y does not have"),
        (np.zeros((4, 2)), "y_tgt must be one-dimensional, got an array of shape"),
        ("yes", "y_tgt must be a one-dimensional array, got str"),
        ((["yes"] * 4, None), "y_tgt is a tuple of 2, but X_tgt has 1 target domains"),
    ],
)
def test_labels_that_cannot_be_used_are_refused(y_tgt, said):
    with pytest.raises(ValueError, match=said):
        read(y_tgt)


def test_labels_need_target_rows(moons):
    X, y, _ = moons
    with pytest.raises(ValueError, match="y_tgt has labels of target rows, but X_tgt is None"):
        DANNClassifier(lambda_max=0.0).fit(X, y, y_tgt=[1, 0])


# -- batches ---------------------------------------------------------------------------------


def record(y_tgt=True, n_source=40, n_target=30, **options):
    rng = np.random.default_rng(0)
    y = np.arange(n_source) % 3
    X = (rng.normal(size=(n_source, 5)) + 2 * np.eye(5)[y]).astype(np.float32)
    labels = np.full(n_target, -1)
    labels[::6] = np.arange(len(labels[::6])) % 3
    return read_training_data(
        X, y, rng.normal(size=(n_target, 5)) + 0.5, None, class_weight=None,
        estimator=DANNClassifier(), y_tgt=labels if y_tgt else None, **options,
    )  # fmt: skip


def batches_of(data, share=0.25, seed=0, **options):
    generators = [np.random.default_rng(seed + i) for i in range(3)]
    return DomainBatches(
        data, 16, *generators[:2], RowTables(CPU), few_order=generators[2], few_share=share,
        **options,
    )  # fmt: skip


@pytest.mark.parametrize("with_target", [True, False])
def test_labelled_target_rows_stand_in_front_with_their_labels(with_target):
    data = record()
    for batch in batches_of(data, with_target=with_target):
        assert batch.n_few == 4 and len(batch.y) == 20
        assert len(batch.X) == (36 if with_target else 20)
        for row, code in zip(batch.X[:4].numpy(), batch.y[:4], strict=True):
            (at,) = np.flatnonzero((data.X_target == row).all(axis=1))
            assert data.y_target[at] == code >= 0
        assert batch.few_domain.tolist() == [1] * 4


def test_their_weights_have_the_share_and_the_mean_stays_one():
    for batch in batches_of(record(), share=0.3):
        assert batch.label_weight.mean().item() == pytest.approx(1, rel=1e-6)
        assert batch.label_weight[:4].sum().item() == pytest.approx(0.3 * 20, rel=1e-6)


def test_the_other_rows_are_those_of_a_batch_without_labels():
    pairs = zip(batches_of(record()), batches_of(record(y_tgt=False)), strict=True)
    for batch, plain in pairs:
        assert torch.equal(batch.X[4:], plain.X) and torch.equal(batch.y[4:], plain.y)
        assert torch.equal(batch.domain, plain.domain)


# -- training --------------------------------------------------------------------------------


def trained(start, data, lambda_max, share, **plan):
    streams = random_streams(1, CPU)[0]
    batches = batches_of(data, share)
    settings = {"target_information": (0.0,), "domain_label_smoothing": 0.0, **plan}
    net = AdversarialNet(
        [start],
        plan=TrainingPlan(
            lambda_max=(lambda_max,), optimizer=optimizer_factory("adam", [0.001], [0.0001]),
            lambda_schedule=Ramp(), lr_schedule=Constant(), patience=None,
            length=(10 * len(batches),), **settings,
        ),
        device=CPU,
        callbacks=[],
    )  # fmt: skip
    return net.train(EpochData([batches], [None]), [streams], 10)


@pytest.mark.parametrize("lambda_max", [0.0, 1.0])
@pytest.mark.parametrize(
    ("architecture", "plan"),
    [
        ({}, {}),
        ({"conditioning": "multilinear"}, {}),
        ({"label_predictor": (6,)}, {"target_information": (0.5,)}),
        ({"conditioning": "multilinear", "target_shares": [0.5, 0.2, 0.3]}, {}),
    ],
    ids=["plain", "conditioned", "informed", "shares"],
)
def test_steps_by_hand_are_steps_by_autograd(by_autograd, architecture, plan, lambda_max):  # noqa: F811
    data = record()
    fast = trained(network(**architecture), data, lambda_max, 0.4, **plan)
    by_autograd()
    general = trained(network(**architecture), data, lambda_max, 0.4, **plan)
    assert_same_weights(fast.module_, general.module_, 2e-5)
    other = trained(network(**architecture), data, lambda_max, 0.1, **plan)
    with pytest.raises(AssertionError):  # the share matters
        assert_same_weights(fast.module_, other.module_, 1e-3)


@pytest.mark.parametrize("scaling", [None, "source", "domain"])
@pytest.mark.parametrize("lambda_max", [0.0, 1.0])
def test_sparse_rows_are_multiplied_as_they_are(by_autograd, scaling, lambda_max):  # noqa: F811
    rng = np.random.default_rng(0)
    X, X_tgt = (sparse.random(n, 2000, 0.01, "csr", random_state=n) for n in (60, 50))
    y, labels = rng.integers(2, size=60), np.where(np.arange(50) < 9, np.arange(50) % 2, -1)
    clf = DANNClassifier(lambda_max=lambda_max, input_scaling=scaling, max_epochs=3, random_state=0)
    fast = clf.fit(X, y, X_tgt, y_tgt=labels).predict_proba(X_tgt)
    by_autograd()
    assert_allclose(clf.fit(X, y, X_tgt, y_tgt=labels).predict_proba(X_tgt), fast, atol=2e-5)


def shifted():
    """Two classes with another boundary in the target; 200 target rows, and 200 to score on.

    This is more than another place of the same classes, so a high weight is right.
    """
    rng = np.random.default_rng(3)
    X, X_tgt, X_new = (rng.normal(size=(n, 6)) for n in (300, 200, 200))
    X_tgt[:, 1] += 0.5
    X_new[:, 1] += 0.5

    def labels(X):
        return (X[:, 0] + 2 * X[:, 1] > 1).astype(int)

    return X, (X[:, 0] > 0).astype(int), X_tgt, labels(X_tgt), X_new, labels(X_new)


def some(y_tgt, n):
    return np.where(np.arange(len(y_tgt)) < n, y_tgt, -1)


@pytest.mark.parametrize("scaling", ["source", "balanced"])
@pytest.mark.parametrize("lambda_max", [0.0, 0.3])
def test_labels_help_on_the_target(scaling, lambda_max):
    X, y, X_tgt, y_tgt, X_new, y_new = shifted()
    clf = DANNClassifier(
        lambda_max=lambda_max, input_scaling=scaling, max_epochs=40, random_state=0
    )
    without = clf.fit(X, y, X_tgt).score(X_new, y_new)
    auto, high = (
        clf.set_params(target_label_weight=weight)
        .fit(X, y, X_tgt, y_tgt=some(y_tgt, 60))
        .score(X_new, y_new)
        for weight in ("auto", 0.5)
    )
    assert auto > without + 0.01
    assert high > without + 0.08


def test_without_weight_they_are_only_target_rows(moons):
    X, y, X_tgt = moons
    clf = DANNClassifier(lambda_max=1.0, target_label_weight=0.0, **QUICK)
    expected = clf.fit(X, y, X_tgt).predict_proba(X_tgt)
    labels = np.where(np.arange(len(X_tgt)) < 20, 1, -1)
    assert_array_equal(clf.fit(X, y, X_tgt, y_tgt=labels).predict_proba(X_tgt), expected)


def test_full_weight_forgets_the_labels_of_the_source(moons):
    X, y, X_tgt = moons
    clf = DANNClassifier(lambda_max=0.0, target_label_weight=1.0, **QUICK)
    labels = np.where(np.arange(len(X_tgt)) < 20, np.arange(len(X_tgt)) % 2, -1)
    one, other = (
        clf.fit(X, of_source, X_tgt, y_tgt=labels).predict_proba(X_tgt) for of_source in (y, 1 - y)
    )
    assert_array_equal(one, other)


def test_a_class_with_one_labelled_row_is_learned():
    X, y, X_tgt, y_tgt, *_ = shifted()
    y_tgt = some(y_tgt, 0)
    y_tgt[[3, 17]] = [0, 1]
    clf = DANNClassifier(lambda_max=0.0, target_label_weight=0.9, max_epochs=60, random_state=0)
    assert_array_equal(clf.fit(X, y, X_tgt, y_tgt=y_tgt).predict(X_tgt[[3, 17]]), [0, 1])


def test_an_ensemble_and_custom_modules_learn_from_them():
    X, y, X_tgt, y_tgt, *_ = shifted()
    custom = torch.nn.Sequential(torch.nn.Linear(6, 20), torch.nn.BatchNorm1d(20), torch.nn.ReLU())
    for parameters in ({"n_members": 2}, {"feature_extractor": custom}):
        clf = DANNClassifier(lambda_max=1.0, max_epochs=30, random_state=0, **parameters)
        without = clf.fit(X, y, X_tgt).score(X_tgt, y_tgt)
        assert clf.fit(X, y, X_tgt, y_tgt=some(y_tgt, 80)).score(X_tgt, y_tgt) > without


def test_early_stopping_keeps_all_labels_for_training(moons):
    X, y, X_tgt = moons
    labels = np.where(np.arange(len(X_tgt)) < 6, 1, -1)
    data = read_training_data(
        X, y, X_tgt, None, class_weight=None, estimator=DANNClassifier(), y_tgt=labels
    )
    generators = np.random.default_rng(0), np.random.default_rng(1)
    train, held_out = split_validation(data, 0.5, *generators)
    assert len(train.labelled_target) == 6 and held_out.y_target is None


def test_partial_fit_takes_labels_of_each_chunk():
    X, y, X_tgt, y_tgt, *_ = shifted()

    def streamed(labels):
        clf = DANNClassifier(lambda_max=0.3, target_label_weight=0.7, random_state=0)
        for _ in range(30):
            clf.partial_fit(X, y, X_tgt, y_tgt=labels, classes=[0, 1], total_rows=9000)
        return clf.score(X_tgt, y_tgt)

    assert streamed(some(y_tgt, 80)) > streamed(None)


def test_a_pipeline_and_a_data_frame_pass_them_on():
    X, y, X_tgt, y_tgt, *_ = shifted()
    columns = [f"c{i}" for i in range(6)]
    frames = pd.DataFrame(X, columns=columns), pd.DataFrame(X_tgt, columns=columns, index=[5] * 200)
    pipe = make_dann_pipeline(lambda_max=0.3, **QUICK)
    labels = pd.Series(y_tgt, dtype="Int64").where(np.arange(200) < 50)
    pipe.fit(frames[0], y, frames[1], y_tgt=labels)
    alone = DANNClassifier(lambda_max=0.3, **QUICK).fit(*frames[:1], y, frames[1], y_tgt=labels)
    assert_array_equal(pipe.predict_proba(frames[1]), alone.predict_proba(frames[1]))


@pytest.mark.parametrize("routing", [False, True])
def test_a_search_passes_them_on_as_a_tuple(routing):
    X, y, X_tgt, y_tgt, *_ = shifted()
    pipe = make_dann_pipeline(StandardScaler(), **QUICK)
    name = "dannclassifier__lambda_max"
    given = {"X_tgt": (X_tgt,), "y_tgt": (some(y_tgt, 60),), "source_domain": np.arange(300) % 2}
    with sklearn.config_context(enable_metadata_routing=routing):
        search = GridSearchCV(pipe, {name: [0.0, 0.3]}, cv=2).fit(X, y, **given)
    alone = clone(pipe).set_params(**search.best_params_).fit(X, y, **given)
    assert_array_equal(search.predict_proba(X_tgt), alone.predict_proba(X_tgt))
    without = clone(pipe).set_params(**search.best_params_).fit(X, y, X_tgt)
    assert not np.array_equal(without.predict_proba(X_tgt), alone.predict_proba(X_tgt))


def test_a_pickle_keeps_the_estimate_and_no_labels():
    X, y, X_tgt, y_tgt, *_ = shifted()
    clf = DANNClassifier(lambda_max=(0, 1), input_scaling="source", **QUICK)
    loaded = pickle.loads(pickle.dumps(clf.fit(X, y, X_tgt, y_tgt=some(y_tgt, 20))))
    assert loaded.target_accuracy_ == clf.target_accuracy_
    assert_array_equal(loaded.predict(X_tgt), clf.predict(X_tgt))


# -- the choice ------------------------------------------------------------------------------


@pytest.mark.parametrize(("n_folds", "hidden"), [(2, 2 / 3), (3, 1), (5, 1)])
def test_no_label_is_hidden_twice_and_classes_are_shared_out(n_folds, hidden):
    data = record(n_target=120)
    folds = hidden_in_folds(data, n_folds, np.random.default_rng(0))
    together = np.concatenate(folds)
    assert len(np.unique(together)) == len(together)
    assert np.isin(together, data.labelled_target).all()
    assert len(together) == pytest.approx(hidden * len(data.labelled_target), abs=1)
    counts = np.array([np.bincount(data.y_target[one], minlength=3) for one in folds])
    assert np.ptp(counts, axis=0).max() <= 1


def test_one_label_alone_is_not_hidden():
    data = record(n_target=60)
    one_label = data.without_labels(data.labelled_target[1:])
    assert all(len(one) == 0 for one in hidden_in_folds(one_label, 2, np.random.default_rng(0)))


def test_a_hidden_label_does_not_reach_what_it_judges():
    """The hits of a fold are those of networks that would be the same with other hidden labels."""
    data = record(n_source=60, n_target=60)
    clf = DANNClassifier(lambda_max=0.0, max_epochs=4, input_scaling="source", random_state=0)
    settings = [Settings.of(clf, data)]
    fold = (np.arange(40), np.arange(40, 60))
    hidden = data.labelled_target[:5]

    def predicted(labels, hidden):
        changed = type(data)(**{**vars(data), "y_target": labels})
        ((found,),) = cross_fit(settings, changed, [fold], hidden=[hidden])
        return found.target_proba

    other = data.y_target.copy()
    other[hidden] = (other[hidden] + 1) % 3
    expected = predicted(data.y_target, hidden)
    assert_array_equal(predicted(other, hidden), expected)
    assert not np.array_equal(predicted(other, hidden[:0]), expected)


def test_gains_and_errors_by_hand():
    hits = [np.array([[1.0, 0, 0, 1], [1, 1, 0, 1]]), np.array([[0.0, 1], [np.nan, np.nan]])]
    gains, errors = gains_of(hits)
    assert_array_equal(gains, [0, 0.25])
    # One of four rows differs; 0.4 of 4 rows did before any was seen.
    assert errors[1] == pytest.approx(np.sqrt((1 + 0.4) / 8 / 4))
    assert errors[0] == pytest.approx(np.sqrt(0.4 / 10 / 6))


def test_few_labels_move_the_expected_gain_and_many_decide():
    expected, bound = np.array([0.0, 0.03]), np.array([-0.07, -0.04])
    few, many = (
        weighed(expected, bound, np.array([0.0, -0.1]), np.array([0.1, error]))
        for error in (0.2, 0.01)
    )
    assert 0.02 < few.expected[1] < 0.03 and few.doubt[1] > 0.9
    assert few.expected[1] - few.bound[1] == pytest.approx(0.07 * few.doubt[1])
    assert many.expected[1] == pytest.approx(-0.1, abs=0.02) and many.doubt[1] < 0.4
    none = weighed(expected, bound, None, None)
    assert_array_equal(none.expected, expected)
    assert_array_equal(none.bound, bound)
    assert (none.doubt == 1).all()


def test_the_estimate_is_jeffreys_interval_of_labels_that_count_for_fewer():
    few, many = (estimated_accuracy(np.array([1, 1, 1, 0, 1] * n)) for n in (1, 1000))
    assert few["accuracy"] == many["accuracy"] == 0.8
    assert (few["n_labels"], many["n_labels"]) == (5, 5000)
    # 5 labels count as 5 / (1 + 5 / 40), and no number as more than 40.
    assert few["low"] == pytest.approx(beta.ppf(0.05, 0.8 * 40 / 9 + 0.5, 0.2 * 40 / 9 + 0.5))
    assert many["high"] == pytest.approx(beta.ppf(0.95, 0.8 * 40 + 0.5, 0.2 * 40 + 0.5), abs=1e-3)
    certain = estimated_accuracy(np.ones(5))
    assert certain["high"] == 1 and 0.6 < certain["low"] < 0.8
    assert estimated_accuracy(np.array([])) is None


def swapped():
    """A target on which the source's labels are wrong: adapting to it looks safe and is not."""
    rng = np.random.default_rng(0)
    y, y_tgt = np.arange(240) % 2, np.arange(240) % 2
    X = np.column_stack([2 * y - 1.0, rng.normal(size=240)]) + 0.4 * rng.normal(size=(240, 2))
    X_tgt = np.column_stack([1.0 - 2 * y_tgt, rng.normal(size=240)])
    return X, y, X_tgt + 0.4 * rng.normal(size=(240, 2)), y_tgt


def test_the_estimate_sees_what_no_score_without_labels_can():
    X, y, X_tgt, y_tgt = swapped()
    clf = DANNClassifier(lambda_max=(0, 1.0), input_scaling="source", max_epochs=10, random_state=0)
    clf.set_params(target_label_weight=0.0)
    estimate = clf.fit(X, y, X_tgt, y_tgt=some(y_tgt, 100)).target_accuracy_
    truth = clf.score(X_tgt[100:], y_tgt[100:])
    assert truth < 0.1 and estimate["high"] < 0.2 and estimate["n_labels"] == 67
    assert "Target accuracy, by 67 labels" in clf.verdict_
    report = adaptation_report(clf, X, y, X_tgt)
    assert report.target_accuracy == estimate and "target accuracy" in str(report)


def test_a_choice_without_labels_has_no_estimate_and_a_later_fit_forgets_it():
    X, y, X_tgt, y_tgt = swapped()
    clf = DANNClassifier(lambda_max=(0, 1.0), input_scaling="source", max_epochs=3, random_state=0)
    assert clf.fit(X, y, X_tgt).target_accuracy_ is None
    assert clf.fit(X, y, X_tgt, y_tgt=some(y_tgt, 10)).target_accuracy_["n_labels"] == 7
    assert not hasattr(clf.set_params(lambda_max=1.0).fit(X, y, X_tgt), "target_accuracy_")


def test_labels_turn_a_choice_around():
    """Without labels one scaling is chosen; 150 labels show that the other is right."""
    X, y, X_tgt, y_tgt, *_ = shifted()
    parameters = {"lambda_max": (0, 0.1), "input_scaling": ("source", "balanced"), "max_epochs": 20}
    clf = DANNClassifier(random_state=0, target_label_weight=0.0, **parameters)
    table = clf.fit(X, y, X_tgt, y_tgt=some(y_tgt, 150)).cv_results_
    gains = table["gain_target_accuracy"]
    judged = ~np.isnan(table["split1_test_target_accuracy"])
    assert judged[0] and gains[0] == 0
    # With 150 labels the expected gain is nearly what the labels say.
    close = np.abs(table["expected_gain"] - gains)[judged]
    assert (close < 0.6 * np.abs(gains[judged]) + 0.02).all()


def test_the_result_is_the_same_with_two_processes():
    X, y, X_tgt, y_tgt, *_ = shifted()
    found = [
        DANNClassifier(lambda_max=(0, 1), input_scaling="source", n_jobs=n_jobs, **QUICK)
        .fit(X, y, X_tgt, y_tgt=some(y_tgt, 20))
        .predict_proba(X_tgt)
        for n_jobs in (1, 2)
    ]
    assert_array_equal(*found)


def test_the_pool_hides_labels_in_each_of_its_folds():
    X, y, X_tgt, y_tgt, *_ = shifted()
    clf = DANNClassifierCV(lambdas=[0, 1], input_scalings=["source"], random_state=0)
    clf.set_params(estimator=DANNClassifier(max_epochs=4))
    clf.fit(X, y, (X_tgt[:50], X_tgt[50:]), y_tgt=(None, some(y_tgt[50:], 30)))
    assert clf.target_accuracy_["n_labels"] == 30
    assert not np.isnan(clf.cv_results_["split2_test_target_accuracy"]).any()


def test_auto_weighs_labels_by_their_number_and_by_the_source_rows():
    X, y, X_tgt = np.zeros((2000, 1)), np.arange(2000) % 2, np.zeros((400, 1))
    for n_labels, of_number in ((20, 20 / 120), (200, 0.3)):  # 200 / 300 is more than the most
        y_tgt = np.full(400, -1)
        y_tgt[:n_labels] = 1
        clf = DANNClassifier()
        data = read_training_data(X, y, X_tgt, None, class_weight=None, estimator=clf, y_tgt=y_tgt)
        share = few_share(Settings.of(clf, data), data)
        assert share == pytest.approx((of_number * n_labels / (n_labels + 2000)) ** 0.5)
