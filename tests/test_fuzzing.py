"""Calls with any input either work or raise a documented error; `make fuzz` tries many more."""

import copy
import os
import pickle
import warnings

import hypothesis.strategies as st
import numpy as np
import pandas as pd
import pytest
import sklearn
import torch
from fuzzing import outcomes
from fuzzing.labels import any_groups, any_labels, any_weights, codes, good_labels
from fuzzing.modules import parts
from fuzzing.outcomes import attempt, check_fitted
from fuzzing.parameters import GOOD, NEAR, UNTRIED, any_parameters, good_parameters
from fuzzing.profiles import LONG, cases
from fuzzing.rows import SAME, SPARSE, any_rows, good_rows, numbers
from hypothesis import given, note
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from scipy import sparse
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import MaxAbsScaler, StandardScaler

from skdann import DANNClassifier, DANNClassifierCV, metrics
from skdann.pipeline import make_dann_pipeline

N, WIDTH = 12, 3
X, Y, X_TGT = numbers(N, WIDTH), codes(N, 2), numbers(9, WIDTH, seed=1) + 0.3
# With array-API dispatch scikit-learn leaves tensors what they are. scipy has to allow it first.
DISPATCH = [False, True] if os.environ.get("SCIPY_ARRAY_API") == "1" else [False]


@pytest.fixture(scope="module", autouse=True)
def counted():
    """Print the table of outcomes after a long run."""
    yield
    if LONG:
        print(f"\n\n{outcomes.table()}")


def small(**parameters):
    parameters = {
        "hidden_layer_sizes": (4,),
        "domain_classifier": (4,),
        "max_epochs": 1,
        "lambda_max": 1.0,
        "random_state": 0,
        **parameters,
    }
    return DANNClassifier(**parameters)


def check(given, error):
    """Check that what must be taken was taken, and what must be refused was refused."""
    if given.good is True:
        assert error is None, f"{given.what}: {error!r}"
    if given.good is False:
        assert error is not None, f"{given.what} was taken"


SCALINGS = st.sampled_from([None, "auto", "source", "both", "domain", "balanced"])
SHAPES = st.tuples(st.integers(1, 5), st.integers(2, N))


# -- fit: rows, labels, targets, weights -----------------------------------------------------


@cases(30, 0.15)
@given(st.data(), SHAPES, SCALINGS, st.sampled_from(DISPATCH))
def test_fit_takes_or_refuses_any_source_rows(data, shape, scaling, dispatch):
    width, n_rows = shape
    rows = data.draw(any_rows(n_rows, width))
    target = data.draw(good_rows(5, width))
    y, clf = codes(n_rows, 2), small(input_scaling=scaling)
    outcomes.CASES["X"] += 1
    with sklearn.config_context(array_api_dispatch=dispatch):
        _, error = attempt(
            lambda: clf.fit(rows.value, y, target.value),
            "`fit`, any X",
            {"X", "X_tgt", "y"},
            watched=[rows.value, target.value, y],
            estimator=clf,
        )
        check(rows, error)
        if error is None:
            check_fitted(clf, rows.value, n_rows)


@cases(40, 0.1)
@given(st.data(), SCALINGS, st.sampled_from(DISPATCH))
def test_fit_takes_or_refuses_any_labels(data, scaling, dispatch):
    n_rows = data.draw(st.integers(2, 6)) * 2
    y = data.draw(any_labels(n_rows))
    clf, rows = small(input_scaling=scaling), numbers(n_rows, WIDTH)
    outcomes.CASES["y"] += 1
    with sklearn.config_context(array_api_dispatch=dispatch):
        _, error = attempt(
            lambda: clf.fit(rows, y.value, X_TGT),
            "`fit`, any y",
            {"y"},
            watched=[y.value],
            estimator=clf,
        )
        check(y, error)
        if error is None:
            check_fitted(clf, rows, n_rows)


@st.composite
def any_targets(draw):
    """Draw one target in any form, or a tuple of up to three."""
    width = draw(st.sampled_from([WIDTH, WIDTH, WIDTH, 1, WIDTH + 1]))
    n_rows = st.sampled_from([1, 5, N])
    if draw(st.booleans()):
        return (draw(any_rows(draw(n_rows), width)),), False
    many = st.lists(n_rows.flatmap(lambda n: any_rows(n, WIDTH)), max_size=3)
    return tuple(draw(many)), True


@cases(30, 0.15)
@given(any_targets(), good_rows(N, WIDTH), SCALINGS, st.sampled_from(DISPATCH))
def test_fit_takes_or_refuses_any_target(targets, rows, scaling, dispatch):
    targets, several = targets
    X_tgt = tuple(one.value for one in targets) if several else targets[0].value
    clf = small(input_scaling=scaling)
    outcomes.CASES["X_tgt"] += 1
    with sklearn.config_context(array_api_dispatch=dispatch):
        _, error = attempt(
            lambda: clf.fit(rows.value, Y, X_tgt),
            "`fit`, any X_tgt",
            {"X_tgt", *(f"X_tgt[{i}]" for i in range(3))},
            watched=[X_tgt, rows.value],
            estimator=clf,
        )
        if several and any(one.good is False for one in targets):
            assert error is not None, targets
        if error is None:
            check_fitted(clf, rows.value, N)
            assert clf.n_domains_ == (1 if X_tgt is None else 1 + len(targets))
            if X_tgt is None:
                return
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                domains = clf.predict_domain_proba(rows.value)
            assert domains.shape == (N,) and (domains >= 0).all() and (domains <= 1).all()


@cases(40, 0.08)
@given(any_weights(N), any_groups(N), st.booleans(), st.sampled_from(["fit", "partial_fit"]))
def test_fit_takes_or_refuses_any_weights_and_groups(weight, groups, choose, method):
    clf = small(lambda_max="auto" if choose and method == "fit" else 1.0)
    more = {"groups": groups.value} if method == "fit" else {}
    outcomes.CASES["weights and groups"] += 1
    _, error = attempt(
        lambda: getattr(clf, method)(X, Y, X_TGT, sample_weight=weight.value, **more),
        f"`{method}`, any weights and groups",
        {"sample_weight", "groups", "Sample weights"},
        watched=[weight.value, groups.value],
        estimator=clf,
    )
    if weight.good is False or (groups.good is False and more):
        assert error is not None, (weight, groups)
    if weight.good is True and (groups.good is True or not more):
        assert error is None, (weight, groups, error)
    if error is None:
        check_fitted(clf, X, N)


def test_every_parameter_is_tried():
    assert set(GOOD) == set(NEAR) == set(DANNClassifier().get_params()) - UNTRIED


# -- fit: parameters and modules ----------------------------------------------------------------


@cases(70, 0.25)
@given(any_parameters(), st.sampled_from(["fit", "fit", "partial_fit"]))
def test_fit_takes_or_refuses_any_values_of_parameters(values, method):
    clf = small().set_params(**{name: given.value for name, given in values.items()})
    outcomes.CASES["parameters"] += 1
    _, error = attempt(
        lambda: getattr(clf, method)(X, Y, X_TGT),
        f"`{method}`, any parameters",
        set(values),
        watched=[X, Y, X_TGT],
        estimator=clf,
    )
    if error is None:
        check_fitted(clf, X, N)


@cases(40, 0.05)
@given(good_parameters(without=["class_weight", "label_shift"]), good_labels(N), st.booleans())
def test_fit_takes_good_parameters_together(values, y, with_target):
    clf = small(**values)
    outcomes.CASES["good parameters"] += 1
    _, error = attempt(
        lambda: clf.fit(X, y.value, X_TGT if with_target else None),
        "`fit`, good parameters",
        set(values),
        watched=[y.value],
        estimator=clf,
    )
    if error is None:
        check_fitted(clf, X, N)


PART_SIZES = {
    "feature_extractor": (WIDTH, 4),
    "label_predictor": (4, 2),
    "domain_classifier": (4, 2),
}


@st.composite
def any_part(draw):
    name = draw(st.sampled_from(sorted(PART_SIZES)))
    group = draw(st.integers(0, 2))
    table = parts(*PART_SIZES[name])[group]
    kind = draw(st.sampled_from(sorted(table)))
    return name, kind, table[kind], (True, None, False)[group]


@cases(20, 0.04)
@given(any_part(), good_parameters(without=["optimizer", "lr", *PART_SIZES]))
def test_fit_takes_or_refuses_any_module(part, values):
    name, kind, module, _good = part
    clf = small(**{"hidden_layer_sizes": (4,), **values, name: module})
    note(f"{name}: {kind}")
    outcomes.CASES["modules"] += 1
    _, error = attempt(
        lambda: clf.fit(X, Y, X_TGT),
        "`fit`, any module",
        {name, *values},
        watched=[X, Y, X_TGT],
        estimator=clf,
    )
    if error is None:
        check_fitted(clf, X, N)


# -- a fitted classifier ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def fitted():
    """Classifiers of five columns and of three, with and without names."""
    return [
        small(input_scaling=scaling).fit(SAME[kind](X), Y, SAME[kind](X_TGT))
        for kind in ("float64", "pandas")
        for scaling in (None, "source", "balanced")
    ]


METHODS = (
    *("predict", "predict_proba", "predict_log_proba", "decision_function", "transform"),
    "predict_domain_proba",
)
DOMAINS = {
    "None": (None, True),
    "target": ("target", True),
    "source": ("source", True),
    "0": (0, True),
    "1": (1, True),
    "np.int64": (np.int64(1), True),
    "0-d": (np.array(0), True),
    "2": (2, False),
    "-1": (-1, False),
    "1.0": (1.0, False),
    "True": (True, False),
    "text": ("sauce", False),
    "NaN": (float("nan"), False),
    "set": ({0, 1}, False),
    "dict": ({0: 1}, False),
    "ragged": ([[0], [0, 1]], False),
    "words": (["source", "target"], False),
    "object": (object(), False),
    "column": (np.zeros((5, 1), dtype=int), False),
}


@cases(40, 0.08)
@given(st.data(), st.integers(0, 5), st.sampled_from(METHODS), st.sampled_from(DISPATCH))
def test_predictions_take_or_refuse_any_rows(fitted, data, which, method, dispatch):
    clf = fitted[which]
    n_rows, width = data.draw(st.tuples(st.integers(1, 6), st.sampled_from([3, 3, 3, 1, 4])))
    rows = data.draw(any_rows(n_rows, width))
    domain, good_domain = DOMAINS[data.draw(st.sampled_from(sorted(DOMAINS)))]
    outcomes.CASES["predictions"] += 1
    with sklearn.config_context(array_api_dispatch=dispatch):
        result, error = attempt(
            lambda: getattr(clf, method)(rows.value, domain=domain),
            "predictions, any X and domain",
            {"X", "domain", "feature names", "Feature names"},
            watched=[rows.value],
            estimator=clf,
        )
    if rows.good is False or not good_domain:
        assert error is not None, (rows, domain)
    if rows.good is True and good_domain and width == WIDTH and not hasattr(rows.value, "columns"):
        assert error is None, (rows, error)
    if error is None:
        assert isinstance(result, np.ndarray) and len(result) == n_rows
        assert result.dtype.kind != "f" or np.isfinite(result).all()


@cases(30, 0.03)
@given(st.data(), st.integers(0, 5), good_rows(N, WIDTH), st.sampled_from(DISPATCH))
def test_score_takes_or_refuses_any_labels(fitted, data, which, rows, dispatch):
    clf = fitted[which]
    y, weight = data.draw(any_labels(N)), data.draw(any_weights(N))
    outcomes.CASES["score"] += 1
    with sklearn.config_context(array_api_dispatch=dispatch):
        result, error = attempt(
            lambda: clf.score(SAME["pandas"](X) if which > 2 else X, y.value, weight.value),
            "`score`, any y and weights",
            {"y", "y_true", "sample_weight", "Sample weights"},
            watched=[y.value, weight.value],
            estimator=clf,
        )
    if error is None:
        assert 0 <= result <= 1


# -- a choice, a Pipeline and the metrics --------------------------------------------------------

CV_VALUES = {
    "lambdas": [(0, 1.0), [1.0], np.array([0.3]), (), [-1], ["a"], [[0, 1]], None, [float("nan")]],
    "input_scalings": ["auto", ("source", None), (), ("a",), None, [["a"]], 3],
    "param_grid": [None, {"lr": [0.01]}, {"lr": []}, {"lr": 1}, {"nonsense": [1]}, {"lr": [-1]}, 3],
    "cv": [2, 3, 1, 0, 100, None, "a", 2.5, [], [([0, 1, 2], [3, 4])], [([0], [50])], object()],
    "scoring": ["safe", "info_max", "agreement", "accuracy", None, 3],
    "refit": ["best", "ensemble", "worst", True],
    "random_state": [0, None, -1, "a"],
    "n_jobs": [None, 1, "a"],
    "verbose": [0, -1, "a"],
}


@st.composite
def any_search(draw):
    names = draw(st.lists(st.sampled_from(sorted(CV_VALUES)), max_size=2, unique=True))
    return {name: draw(st.sampled_from(CV_VALUES[name])) for name in names}


@cases(10, 0.02)
@given(any_search(), good_labels(N), st.one_of(good_rows(N, WIDTH), any_rows(N, WIDTH)))
def test_the_search_takes_or_refuses_any_input(values, y, rows):
    search = DANNClassifierCV(
        **{"lambdas": (0, 1.0), "estimator": small(lambda_max="auto"), "cv": 2, **values}
    )
    outcomes.CASES["search"] += 1
    _, error = attempt(
        lambda: search.fit(rows.value, y.value, X_TGT),
        "`DANNClassifierCV.fit`",
        {"X", "X_tgt", "y", *values, *(values.get("param_grid") or {})}
        if isinstance(values.get("param_grid"), dict)
        else {"X", "X_tgt", "y", "lambda_max", "input_scaling", *values},
        watched=[rows.value, y.value],
    )
    if rows.good is False:
        assert error is not None, rows
    if error is None:
        check_fitted(search, rows.value, N)


# What steps of scikit-learn call their input.
OF_STEPS = ("array", "data", "sample", "SimpleImputer", "StandardScaler", "MaxAbsScaler", "float")
STEPS = (StandardScaler, MaxAbsScaler, SimpleImputer, lambda: "passthrough")


@cases(20, 0.03)
@given(st.data(), st.sampled_from(STEPS), any_targets())
def test_a_pipeline_takes_or_refuses_any_rows(data, step, targets):
    rows = data.draw(any_rows(N, WIDTH))
    targets, several = targets
    X_tgt = tuple(one.value for one in targets) if several else targets[0].value
    pipe = make_dann_pipeline(step(), small())
    outcomes.CASES["pipeline"] += 1
    _, error = attempt(
        lambda: pipe.fit(rows.value, Y, X_tgt=X_tgt),
        "`make_dann_pipeline`",
        # The first step sees the rows before the classifier does, and says what it says.
        {"X", "X_tgt", *(f"X_tgt[{i}]" for i in range(3)), *OF_STEPS},
        watched=[rows.value, X_tgt],
        foreign=True,
    )
    if error is None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            proba = pipe.predict_proba(rows.value)
        outcomes.check_probabilities(proba, N, [0, 1])


FUNCTIONS_OF_ROWS = {
    "proxy_a_distance": lambda a, b: metrics.proxy_a_distance(a, b, cv=2, random_state=0),
    "maximum_mean_discrepancy": metrics.maximum_mean_discrepancy,
    "coral_distance": metrics.coral_distance,
    "density_ratio_weights": metrics.density_ratio_weights,
}


@cases(25, 0.05)
@given(st.data(), st.sampled_from(sorted(FUNCTIONS_OF_ROWS)), st.booleans())
def test_distances_take_or_refuse_any_rows(data, name, swap):
    given, other = data.draw(any_rows(N, WIDTH)), data.draw(good_rows(9, WIDTH))
    pair = (other, given) if swap else (given, other)
    outcomes.CASES["distances"] += 1
    # Squares of float64's largest numbers overflow with NumPy's own warning: see the ledger.
    result, error = attempt(
        lambda: FUNCTIONS_OF_ROWS[name](*(one.value for one in pair)),
        "distances, any rows",
        {"X_source", "X_target"},
        foreign="largest" in given.what,
        watched=[one.value for one in pair],
    )
    if given.good is False and "large" not in given.what:  # float64 holds what float32 does not
        assert error is not None, given
    if error is None and "largest" not in given.what:
        assert np.isfinite(result).all()


PROBA = np.array([[0.2, 0.8], [0.5, 0.5], [1.0, 0.0]] * 4)
BAD_PROBA = {
    "good": (PROBA, True),
    "list": (PROBA.tolist(), True),
    "float32": (PROBA.astype(np.float32), True),
    "pandas": (pd.DataFrame(PROBA), True),
    "torch": (torch.tensor(PROBA), True),
    "one row": (PROBA[:1], None),
    "negative": (PROBA - 0.6, False),
    "sums": (PROBA * 2, False),
    "NaN": (np.where(PROBA == 1, np.nan, PROBA), False),
    "inf": (np.where(PROBA == 1, np.inf, PROBA), False),
    "one column": (PROBA[:, :1], False),
    "1-d": (PROBA[:, 0], False),
    "3-d": (PROBA[None], False),
    "no rows": (PROBA[:0], False),
    "words": (PROBA.astype(str), None),
    "complex": (PROBA + 0j, False),
    "None": (None, False),
    "number": (0.5, False),
    "text": ("proba", False),
    "dict": ({0: PROBA}, False),
    "set": ({0.5}, False),
    "generator": ((row for row in PROBA), False),
    "ragged": ([[0.5, 0.5], [1.0]], False),
    "dates": (np.zeros((3, 2), dtype="datetime64[D]"), False),
    "labels": (Y, False),
    "sparse": (sparse.csr_array(PROBA), False),
}
FUNCTIONS_OF_PROBA = ("prediction_entropy", "info_max", "batch_nuclear_norm", "corr_c")


@cases(20, 0.02)
@given(st.sampled_from(sorted(BAD_PROBA)), st.sampled_from(FUNCTIONS_OF_PROBA))
def test_scores_take_or_refuse_any_probabilities(kind, name):
    proba, good = BAD_PROBA[kind]
    outcomes.CASES["probabilities"] += 1
    result, error = attempt(
        lambda: getattr(metrics, name)(proba),
        "scores, any probabilities",
        {"proba"},
        watched=[proba],
    )
    assert good is not True or error is None, error
    assert good is not False or error is not None, kind
    assert error is not None or np.isfinite(result)


# -- what must be equal ---------------------------------------------------------------------------


@cases(10, 0.02)
@given(st.sampled_from(sorted({**SAME, **SPARSE})), st.sampled_from([None, "source", "domain"]))
def test_the_container_makes_no_difference(kind, scaling):
    if kind in (*SPARSE, "pandas sparse") and scaling is not None:
        scaling = None  # sparse columns are not shifted, so scaled rows differ
    convert = {**SAME, **SPARSE}[kind]
    rows, target = X.astype(np.float32).astype(float), X_TGT.astype(np.float32).astype(float)
    expected = small(input_scaling=scaling).fit(rows, Y, target).predict_proba(rows)
    found = small(input_scaling=scaling).fit(convert(rows), Y, convert(target))
    outcomes.CASES["equal containers"] += 1
    assert np.allclose(found.predict_proba(convert(rows)), expected, rtol=0, atol=1e-6)


@cases(15, 0.02)
@given(st.integers(0, 5), st.lists(st.integers(0, N - 1), min_size=1, max_size=2 * N))
def test_a_row_is_predicted_by_itself(fitted, which, rows):
    clf, X_named = fitted[which], SAME["pandas" if which > 2 else "float64"](X)
    some = X_named.iloc[rows] if which > 2 else X_named[rows]
    outcomes.CASES["row by row"] += 1
    for method in ("predict_proba", "decision_function", "transform"):
        every = getattr(clf, method)(X_named)
        assert np.allclose(getattr(clf, method)(some), every[rows], rtol=1e-5, atol=1e-6)


@cases(10, 0.01)
@given(st.permutations(range(WIDTH)))
def test_columns_of_a_frame_come_in_the_order_of_fit(fitted, order):
    frame = SAME["pandas"](X).iloc[:, list(order)]
    outcomes.CASES["order of columns"] += 1
    result, error = attempt(
        lambda: fitted[4].predict_proba(frame),
        "predictions, order of columns",
        {"feature names", "Feature names", "order"},
    )
    same = list(order) == list(range(WIDTH))
    assert (error is None) == same
    assert not same or np.array_equal(result, fitted[4].predict_proba(SAME["pandas"](X)))


# -- calls in any order --------------------------------------------------------------------------

STEADY = ("class_weight", "label_shift", "optimizer", "lr", "verbose", "random_state", "lambda_max")


class Calls(RuleBasedStateMachine):
    """Methods in any order: what fails changes nothing, and what is fitted predicts."""

    def __init__(self):
        super().__init__()
        self.clf = small()
        outcomes.CASES["calls in any order"] += 1

    def call(self, name, *arguments, **more):
        names = {"X", "y", "X_tgt", "classes", "total_rows", "sample_weight", *GOOD}
        return attempt(
            lambda: getattr(self.clf, name)(*arguments, **more),
            "calls in any order",
            names,
            estimator=self.clf,
        )

    @rule(n_classes=st.integers(2, 3), adapt=st.booleans(), width=st.sampled_from([3, 3, 2]))
    def fit(self, n_classes, adapt, width):
        rows = numbers(N, width)
        self.call("fit", rows, codes(N, n_classes), rows + 0.2 if adapt else None)

    @rule(n_classes=st.integers(1, 3), adapt=st.booleans(), width=st.sampled_from([3, 3, 2]))
    def partial_fit(self, n_classes, adapt, width):
        rows = numbers(N, width)
        self.call("partial_fit", rows, codes(N, n_classes), rows if adapt else None)

    @rule(data=st.data())
    def fit_badly(self, data):
        rows = data.draw(any_rows(N, WIDTH)).value
        self.call("fit", rows, Y, X_TGT)

    @rule(values=good_parameters(without=STEADY))
    def set_params(self, values):
        self.clf.set_params(**values)

    @rule(on=st.booleans())
    def warm_start(self, on):
        self.clf.set_params(warm_start=on)

    @rule(method=st.sampled_from(METHODS))
    def predict(self, method):
        if method == "predict_domain_proba" and not hasattr(self.clf, method):
            return
        self.call(method, X)

    @rule()
    def score(self):
        self.call("score", X, Y)

    @rule()
    def clone(self):
        self.clf = sklearn.clone(self.clf)

    @rule()
    def copy(self):
        self.clf = copy.deepcopy(self.clf)

    @rule()
    def pickle(self):
        if "lambda" not in repr(self.clf.get_params()):  # functions without a name can't be
            self.clf = pickle.loads(pickle.dumps(self.clf))

    @invariant()
    def predicts_if_fitted(self):
        if hasattr(self.clf, "classes_"):
            rows = numbers(4, self.clf.n_features_in_)
            check_fitted(self.clf, rows, 4)


Calls.TestCase.settings = cases(5, 0.02, stateful_step_count=8)
TestCalls = Calls.TestCase
