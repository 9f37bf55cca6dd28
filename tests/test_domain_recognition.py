"""Source rows are recognised where a network scales the domains apart, and nobody said "source"."""

import copy
import pickle
import warnings
from dataclasses import replace

import numpy as np
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import load_breast_cancer, load_digits, load_iris, load_wine
from sklearn.ensemble import StackingClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, TunedThresholdClassifierCV, cross_val_score
from sklearn.semi_supervised import SelfTrainingClassifier

from skdann import DANNClassifier, DANNClassifierCV, DomainWarning, adaptation_report
from skdann._data.inputs import read_training_data
from skdann._data.recognition import fit_recognition
from skdann.metrics import InfoMaxScorer, ReverseValidation

SETTINGS = {"lambda_max": 1.0, "input_scaling": "domain", "max_epochs": 30, "random_state": 0}


def halves(load, change, columns=slice(None)):
    """Return source rows and labels and target rows and labels; the target is changed."""
    X, y = load(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(X))[:600]
    X, y, half = X[order][:, columns].astype("f"), y[order], len(order) // 2
    changed = change(X[half:], X.std(axis=0)).astype("f")
    return X[:half], y[:half], changed, y[half:]


def drift(X, deviation):
    """Return rows with a factor from 0.5 to 2 and an offset for each column."""
    rng, n = np.random.default_rng(7), X.shape[1]
    return X * 2.0 ** rng.uniform(-1, 1, n) + rng.uniform(-1, 1, n) * deviation


def one_column(X, deviation):
    return np.where(np.arange(X.shape[1]) == 0, 1.3 * X + 1.5 * deviation, X)


SHIFTS = {
    "iris in inches": lambda: halves(load_iris, lambda X, sd: X * 0.3937),
    "other instrument": lambda: halves(load_breast_cancer, lambda X, sd: 1.3 * X + 1.5 * sd),
    "wine": lambda: halves(load_wine, drift),
    "digits": lambda: halves(load_digits, drift),
    "one column": lambda: halves(load_breast_cancer, one_column),
    "two columns": lambda: halves(load_iris, lambda X, sd: X * 0.3937, [0, 1]),
}


def normal(n=400, p=6, shift=0.0, seed=0):
    return np.random.default_rng(seed).normal(shift, size=(n, p)).astype("f")


def recognition_of(X, X_tgt, weight=None):
    y = np.arange(X.shape[0]) % 2
    data = read_training_data(X, y, X_tgt, weight, class_weight=None, estimator=DANNClassifier())
    return fit_recognition(data)


class Told(DANNClassifier):
    """Looks up where a row is from, among the rows that it may be shown."""

    known = {}  # noqa: RUF012 - of one test

    def _outputs(self, X, domain, of, *finish):
        if domain is None:
            domain = np.array([self.known[row.tobytes()] for row in np.asarray(X, "f")])
        return super()._outputs(X, domain, of, *finish)


def told_and_found(rows):
    """Return a classifier that knows every row's domain, and one that must recognise it."""
    Told.known = {row.tobytes(): code for code, X in enumerate((rows[0], rows[2])) for row in X}
    return [kind(**SETTINGS) for kind in (Told, DANNClassifier)]


# -- the room alone ------------------------------------------------------------------------------


@pytest.mark.parametrize("shift", SHIFTS)
def test_most_new_source_rows_are_recognised_and_hardly_a_target_row(shift):
    X, _, X_tgt, _ = SHIFTS[shift]()
    found = recognition_of(X[::2], X_tgt[::2])
    assert found.rates["source"] > 0.9 and found.rates["target"] <= 0.01
    assert (found.codes(X[1::2]) == 0).mean() > 0.9
    assert (found.scores(X_tgt[1::2]) > found.threshold).sum() <= 1


@pytest.mark.parametrize("shift", [0.5, 1.5, 3.0])
def test_at_most_one_percent_of_target_rows_are_taken_for_source_rows(shift):
    found = recognition_of(normal(), normal(shift=shift, seed=1))
    new = normal(20_000, shift=shift, seed=2)
    assert (found.scores(new) > found.threshold).mean() < 0.01
    assert (found.rates["source"] > 0) == (shift > 1)
    power = (found.scores(normal(20_000, seed=3)) > found.threshold).mean()
    assert power == pytest.approx(found.rates["source"], abs=0.05)


def test_nothing_is_recognised_where_most_source_rows_would_be_missed():
    found = recognition_of(normal(), normal(shift=0.3, seed=1))
    assert found.threshold == np.inf
    assert found.rates == {"source": 0.0, "target": 0.0}
    assert found.codes(normal(5)) is None


def test_a_target_row_needs_no_codes_and_a_row_is_judged_by_itself():
    found = recognition_of(normal(), normal(shift=3, seed=1))
    new = np.concatenate([normal(50, seed=2), normal(50, shift=3, seed=3)])
    codes = found.codes(new)
    assert set(codes) == {0, -1}
    for i in range(100):
        one = found.codes(new[i : i + 1])
        assert (-1 if one is None else one[0]) == codes[i]
    order = np.random.default_rng(0).permutation(100)
    np.testing.assert_array_equal(found.codes(new[order]), codes[order])


def test_spread_alone_and_single_values_tell():
    X, X_tgt = normal(p=12), 3 * normal(p=12, seed=1)
    assert recognition_of(X, X_tgt).rates["source"] > 0.8
    # The same mean and deviation: one column is 1 or 4, the other's values are -1, 2 and 5.
    rng = np.random.default_rng(0)
    X = np.c_[rng.choice([1, 4], 400), normal(400, 1)].astype("f")
    X_tgt = np.c_[2.5 + 1.5 * rng.choice([-1.5, 0, 1.5], 400), normal(400, 1)].astype("f")
    assert recognition_of(X, X_tgt).rates["source"] > 0.9


def test_sparse_rows_and_images_are_as_dense_flat_ones():
    X = sparse.random(120, 30, density=0.4, random_state=0, dtype=np.float32, format="csr")
    X_tgt = 9 * sparse.random(120, 30, density=0.4, random_state=1, dtype=np.float32, format="csr")
    dense, dense_tgt = X.toarray(), X_tgt.toarray()
    flat = recognition_of(dense, dense_tgt)
    assert flat.rates["source"] > 0.5
    scores = recognition_of(X, X_tgt).scores(sparse.csr_array(X))
    np.testing.assert_allclose(scores, flat.scores(dense), atol=1e-4)
    y = np.arange(120) % 2
    images = read_training_data(
        dense.reshape(-1, 5, 6), y, dense_tgt.reshape(-1, 5, 6), None,
        class_weight=None, estimator=DANNClassifier(), allow_nd=True,
    )  # fmt: skip
    scores = fit_recognition(images).scores(dense.reshape(-1, 5, 6))
    np.testing.assert_allclose(scores, flat.scores(dense))


def test_few_of_very_many_columns_are_found_and_kept():
    X, X_tgt = normal(200, 3000), normal(200, 3000, seed=1)
    X_tgt[:, [7, 2000]] += 4
    found = recognition_of(X, X_tgt)
    assert found.rates["source"] > 0.9
    assert {7, 2000} < set(found.terms.columns)
    assert len(pickle.dumps(found)) < 60_000


def test_rows_without_weight_and_constant_columns_tell_nothing():
    X, X_tgt = normal(), normal(shift=3, seed=1)
    X[:, 0] = X_tgt[:, 0] = 7
    weight = np.ones(400)
    X[:100], weight[:100] = 1e6, 0
    found = recognition_of(X, X_tgt, weight)
    np.testing.assert_allclose(
        found.scores(normal(9)), recognition_of(X[100:], X_tgt).scores(normal(9)), atol=2
    )
    assert found.terms.factor[0] == 0


@pytest.mark.parametrize("n_rows", [1, 9])
def test_too_few_rows_tell_nothing(n_rows):
    assert recognition_of(normal(), normal(n_rows, shift=9)) is None
    assert recognition_of(normal(n_rows + 1), normal(shift=9)) is None or n_rows == 9


class Final(LogisticRegression):
    """Ignores the target, which StackingClassifier hands to the last classifier too."""

    def fit(self, X, y, X_tgt=None):
        return super().fit(X, y)


# -- scikit-learn's tools ------------------------------------------------------------------------


def calibrated(clf, X, y, X_tgt, y_tgt):
    return CalibratedClassifierCV(clf, cv=3).fit(X, y, X_tgt=(X_tgt,)).score(X_tgt, y_tgt)


def frozen(clf, X, y, X_tgt, y_tgt):
    fitted = FrozenEstimator(clone(clf).fit(X, y, X_tgt))
    return CalibratedClassifierCV(fitted).fit(X, y).score(X_tgt, y_tgt)


def tuned(clf, X, y, X_tgt, y_tgt):
    return TunedThresholdClassifierCV(clf, cv=3).fit(X, y, X_tgt=(X_tgt,)).score(X_tgt, y_tgt)


def stacked(clf, X, y, X_tgt, y_tgt):
    stack = StackingClassifier([("dann", clf)], Final(), cv=3)
    return stack.fit(X, y, X_tgt=(X_tgt,)).score(X_tgt, y_tgt)


def self_trained(clf, X, y, X_tgt, y_tgt):
    partly = np.where(np.arange(len(y)) % 3 == 0, y, -1)
    return SelfTrainingClassifier(clf).fit(X, partly, X_tgt=(X_tgt,)).score(X_tgt, y_tgt)


def cross_validated(clf, X, y, X_tgt, y_tgt):
    return cross_val_score(clf, X, y, cv=3, params={"X_tgt": (X_tgt,)}).mean()


def searched(clf, X, y, X_tgt, y_tgt):
    grid = GridSearchCV(clf, {"input_scaling": ["source", "domain"]}, cv=3)
    return grid.fit(X, y, X_tgt=(X_tgt,)).cv_results_["mean_test_score"][1]


@pytest.mark.parametrize("shift", SHIFTS)
@pytest.mark.parametrize("tool", [calibrated, cross_validated])
def test_an_unknown_domain_costs_at_most_two_points_on_any_shift(routing, tool, shift):
    rows = SHIFTS[shift]()
    told, found = (tool(one, *rows) for one in told_and_found(rows))
    assert found > told - 0.02


@pytest.mark.parametrize("tool", [frozen, tuned, stacked, self_trained, searched])
def test_an_unknown_domain_costs_at_most_two_points_in_any_tool(routing, tool):
    rows = SHIFTS["other instrument"]()
    told, found = (tool(one, *rows) for one in told_and_found(rows))
    assert found > max(told - 0.02, 0.9)


def test_by_default_too():
    X, y, X_tgt, y_tgt = SHIFTS["iris in inches"]()
    clf = DANNClassifier(max_epochs=200, random_state=0).fit(X, y, X_tgt)
    assert clf.input_scaling_ == "balanced"
    assert clf.score(X, y) == clf.score(X, y, domain="source") > 0.95
    assert clf.score(X_tgt, y_tgt) == clf.score(X_tgt, y_tgt, domain="target")


# -- the classifier ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def cancer():
    return SHIFTS["other instrument"]()


@pytest.fixture(scope="module")
def classifier(cancer):
    return DANNClassifier(**{**SETTINGS, "max_epochs": 3}).fit(*cancer[:3])


def test_all_methods_recognise_and_what_is_said_wins(classifier, cancer):
    X = cancer[0]
    known = classifier._recognition.codes(X) == 0
    assert 0.95 < known.mean() <= 1
    for name in ("predict_proba", "decision_function", "transform", "predict_domain_proba"):
        call = getattr(classifier, name)
        source, target = call(X, domain="source"), call(X, domain="target")
        np.testing.assert_allclose(call(X)[known], source[known], rtol=1e-5, atol=1e-6)
        assert not np.allclose(source, target, atol=0.01)
        np.testing.assert_array_equal(call(X, domain=0), source)
        np.testing.assert_allclose(call(X, domain=1), target, rtol=1e-5, atol=1e-6)


def test_a_single_row_and_any_order(classifier, cancer):
    rows = np.concatenate([cancer[0][:20], cancer[2][:20]])
    whole = classifier.predict_proba(rows)
    one_by_one = [classifier.predict_proba(row[None])[0] for row in rows]
    np.testing.assert_allclose(one_by_one, whole, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(classifier.predict_proba(rows[::-1])[::-1], whole, atol=1e-6)


def test_the_rates_are_an_attribute_and_others_have_none(cancer):
    X, y, X_tgt, _ = cancer
    short = {**SETTINGS, "max_epochs": 1}
    fitted = DANNClassifier(**short).fit(X, y, X_tgt)
    assert fitted.domain_recognition_["source"] > 0.9
    assert fitted.domain_recognition_["target"] <= 0.01
    assert not hasattr(DANNClassifier(), "domain_recognition_")
    for scaling in (None, "source", "both"):
        other = clone(fitted).set_params(input_scaling=scaling, activation="tanh")
        assert other.fit(X / 1000, y, X_tgt / 1000).domain_recognition_ is None
    fitted.set_params(lambda_max=0).fit(X, y)  # without a target, after a fit with one
    assert fitted.domain_recognition_ is None


def test_copies_and_small_pickles(classifier, cancer):
    X = cancer[0]
    expected = classifier.predict_proba(X)
    for other in (copy.deepcopy(classifier), pickle.loads(pickle.dumps(classifier))):
        np.testing.assert_array_equal(other.predict_proba(X), expected)
        assert other.domain_recognition_ == classifier.domain_recognition_
    assert not hasattr(clone(classifier), "domain_recognition_")
    assert len(pickle.dumps(classifier._recognition)) < 20_000


def test_several_targets_ensembles_and_the_first_chunk(cancer):
    X, y, X_tgt, _ = cancer
    short = DANNClassifier(**{**SETTINGS, "max_epochs": 1})
    source = {"domain": "source"}
    targets = X_tgt[::2], 1.5 * X_tgt[1::2]
    cv = {"lambdas": [0, 1], "input_scalings": ["domain"], "cv": 2, "refit": "ensemble"}
    fitted = [
        clone(short).fit(X, y, targets),
        clone(short).set_params(n_members=2).fit(X, y, X_tgt),
        clone(short).partial_fit(X, y, X_tgt).partial_fit(X, y, X_tgt * 2 + 5),
        DANNClassifierCV(**cv, estimator=clone(short)).fit(X, y, X_tgt),
    ]
    for one in fitted:
        same = np.isclose(one.predict_proba(X), one.predict_proba(X, **source), atol=1e-5)
        assert same.all(axis=1).mean() > 0.95
        assert not np.allclose(
            one.predict_proba(X, domain="target"), one.predict_proba(X, **source)
        )
    first = clone(short).partial_fit(X, y, X_tgt)._recognition
    np.testing.assert_array_equal(fitted[2]._recognition.weights, first.weights)


# -- the warning ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def alike():
    """Domains that scaling moves by half a deviation: too alike for single rows."""
    return halves(load_breast_cancer, lambda X, sd: X + 0.5 * sd)


def test_rows_that_look_like_the_source_only_as_a_whole_cause_one_warning(alike):
    X, y, X_tgt, _ = alike
    clf = DANNClassifier(**{**SETTINGS, "max_epochs": 2}).fit(X, y, X_tgt)
    assert clf.domain_recognition_["source"] == 0
    with pytest.warns(DomainWarning, match=r"domain='source' or domain='target'") as caught:
        clf.score(X, y)
    assert len(caught) == 1
    assert len(str(caught[0].message)) <= 600
    clf.score(X, y, domain="source")
    clf.score(X, y, domain="target")
    clf.score(X, y, domain=np.zeros(len(y), dtype=int))
    # The cure of the message.
    told, _ = told_and_found(alike)
    expected = cross_val_score(
        told.set_params(max_epochs=2), X, y, cv=3, params={"X_tgt": (X_tgt,)}
    )
    scores = cross_val_score(
        *(clf, X, y),
        cv=3,
        scoring=lambda clf, X, y: clf.score(X, y, domain="source"),
        params={"X_tgt": (X_tgt,)},
    )
    np.testing.assert_array_equal(scores, expected)


def test_the_share_that_is_missed_causes_a_warning():
    found = recognition_of(normal(), normal(shift=1.5, seed=1))
    assert 0.5 < found.rates["source"] < 0.95
    new = normal(60, seed=2)
    with pytest.warns(DomainWarning, match="of the 60 rows .* but some must be source rows"):
        found.codes(new)
    apart = recognition_of(normal(), normal(shift=4, seed=1))
    assert apart.rates["source"] > 0.97
    apart.codes(new)
    few = np.concatenate([new[:2], normal(1000, shift=1.5, seed=3)])
    assert 0 in found.codes(few)
    half = replace(found, rates={"source": 0.5, "target": 0.005})
    assert half._surely_missed(3, 12)
    assert not half._surely_missed(2, 12)  # as chance has it


@pytest.mark.parametrize("size", [1, 9, 10, 100, 285])
def test_new_target_rows_cause_none(alike, size):
    X, _, X_tgt, _ = alike
    found = recognition_of(X, X_tgt[::2])
    rng = np.random.default_rng(0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(50):
            found.codes(rng.permutation(X_tgt[1::2])[:size])


def test_rows_of_both_domains_and_few_rows(alike):
    X, _, X_tgt, _ = alike
    found = recognition_of(X[::2], X_tgt[::2])
    with pytest.warns(DomainWarning, match=r"of the 142 rows of X were taken for target rows"):
        found.codes(np.concatenate([X[1::2][:110], X_tgt[1::2][:32]]))
    assert found.codes(X[1::2][:9]) is None  # too few to say


def test_domains_that_are_the_same_cause_none():
    X = normal(300)
    found = recognition_of(X[:100], X[100:])
    assert found.rates == {"source": 0.0, "target": 0.0}
    for seed in range(20):
        found.codes(normal(200, seed=seed))


class Asked(DANNClassifier):
    """Remembers the domains that it was told."""

    told = []  # noqa: RUF012 - one list for all clones

    def _outputs(self, X, domain, of, *finish):
        Asked.told.append(domain)
        return super()._outputs(X, domain, of, *finish)


def test_scorers_say_the_domain_on_the_way_back_too(alike):
    X, y, X_tgt, _ = alike
    clf = Asked(**{**SETTINGS, "max_epochs": 2}).fit(X, y, X_tgt)
    Asked.told.clear()
    for scorer in (ReverseValidation(), ReverseValidation(warm_start=False), InfoMaxScorer()):
        scorer(clf, X, y, (X_tgt, X_tgt))  # more targets than in the fit
        scorer(clf, X, y, X_tgt)
    assert Asked.told and all(domain is not None for domain in Asked.told)


def test_choice_and_report_say_the_domain(alike):
    X, y, X_tgt, _ = alike
    clf = DANNClassifier(**{**SETTINGS, "max_epochs": 2}).fit(X, y, X_tgt)
    adaptation_report(clf, X, y, X_tgt)
    DANNClassifier(max_epochs=2, random_state=0).fit(X, y, X_tgt)
    clf.fit_transform(X, y, X_tgt)


def test_what_looks_like_source_rows_must_be_a_sizeable_part(classifier):
    found = replace(classifier._recognition, source_rest=1.0, target_spread=0.01)
    assert not found._look_like_source(np.full(50, -9.0), 100)
    assert found._look_like_source(np.full(50, 9.0), 100)
    assert not found._look_like_source(np.full(50, 9.0), 501)
