"""Scorers without target labels: the same by hand, in a search, with routing and without."""

import copy
import inspect
import pickle

import joblib
import numpy as np
import pandas as pd
import polars as pl
import pytest
import sklearn
from scipy import sparse
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.inspection import permutation_importance
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    GridSearchCV,
    HalvingGridSearchCV,
    RandomizedSearchCV,
    cross_validate,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MaxAbsScaler, StandardScaler
from sklearn.svm import LinearSVC

from skdann import DANNClassifier, IgnoredRowsWarning, metrics
from skdann.metrics import (
    BatchNuclearNormScorer,
    CoralScorer,
    CorrCScorer,
    DeepEmbeddedValidationScorer,
    EntropyScorer,
    ImportanceWeightedAccuracyScorer,
    InfoMaxScorer,
    MMDScorer,
    ProxyADistanceScorer,
    ReverseValidation,
    ScoredDomains,
    SoftNeighborhoodDensityScorer,
    TargetScorer,
)
from skdann.metrics._class_shares import estimate_class_shares
from skdann.metrics._distances import coral_distance, maximum_mean_discrepancy, proxy_a_distance
from skdann.metrics._importance import (
    deep_embedded_validation,
    density_ratio_weights,
    importance_weighted_accuracy,
)
from skdann.metrics._prediction_scores import (
    batch_nuclear_norm,
    corr_c,
    info_max,
    prediction_entropy,
    soft_neighborhood_density,
)
from skdann.model_selection import DomainKFold
from skdann.pipeline import make_dann_pipeline

EVERY = [
    ProxyADistanceScorer(),
    MMDScorer(),
    CoralScorer(),
    ImportanceWeightedAccuracyScorer(),
    DeepEmbeddedValidationScorer(),
    EntropyScorer(),
    InfoMaxScorer(),
    InfoMaxScorer(class_shares="source"),
    InfoMaxScorer(class_shares="estimate"),
    BatchNuclearNormScorer(),
    CorrCScorer(),
    SoftNeighborhoodDensityScorer(),
    ReverseValidation(),
]
every_scorer = pytest.mark.parametrize("scorer", EVERY, ids=repr)


@pytest.fixture(scope="module")
def far():
    """Three classes in five columns, far from unit scale: a score without the scaler is wrong."""
    rng = np.random.default_rng(0)
    y = np.arange(90) % 3
    X = rng.normal(size=(90, 5)) + 2 * np.eye(5)[y]
    X_tgt = X[::-1] + 0.5
    rows = 100 + 50 * X, y, 100 + 50 * X_tgt[:40]
    for one in rows:
        one.flags.writeable = False  # shared by all tests
    return rows


@pytest.fixture(scope="module")
def fitted(far):
    """A pipeline that no score changes, as a test says; it is fitted once."""
    X, y, X_tgt = far
    return make_dann_pipeline(StandardScaler(), max_epochs=15, random_state=0).fit(X, y, X_tgt)


def test_the_list_holds_every_scorer():
    found = {
        one
        for _, one in inspect.getmembers(metrics, inspect.isclass)
        if issubclass(one, TargetScorer) and not one.__name__.startswith("_")
    }
    assert found - {TargetScorer} == {type(scorer) for scorer in EVERY}


def by_hand(fitted, X, y, X_tgt):
    """Return the scores from the metric functions, rows passed through the steps here."""
    rows, classifier = fitted[0].transform, fitted[-1]
    embedded = classifier.transform(rows(X)), classifier.transform(rows(X_tgt))
    source, target = classifier.predict_proba(rows(X)), classifier.predict_proba(rows(X_tgt))
    right = classifier.predict(rows(X)) == y
    ratios = density_ratio_weights(*embedded, normalize=False, random_state=0)
    losses = -np.log(source[np.arange(len(y)), np.searchsorted(classifier.classes_, y)])
    shares = np.unique(y, return_counts=True)[1] / len(y)
    estimated = estimate_class_shares(target, y, source, classes=classifier.classes_)
    back = copy.deepcopy(classifier).set_params(warm_start=True)
    back.fit(rows(X_tgt), classifier.predict(rows(X_tgt)), (rows(X),))
    return [
        -proxy_a_distance(*embedded, random_state=0),
        -maximum_mean_discrepancy(*embedded),
        -coral_distance(*embedded),
        importance_weighted_accuracy(y, np.where(right, y, -1), ratios).score,
        -deep_embedded_validation(losses, ratios),
        -prediction_entropy(target),
        info_max(target),
        info_max(target, shares),
        info_max(target, estimated),
        batch_nuclear_norm(target),
        corr_c(target),
        soft_neighborhood_density(target),
        (back.predict(rows(X)) == y).mean(),
    ]


def test_scores_are_those_of_the_functions_and_more_is_better(fitted, far):
    for scorer, expected in zip(EVERY, by_hand(fitted, *far), strict=True):
        X, y, X_tgt = far
        got = scorer(fitted, X, y, X_tgt=X_tgt)
        assert type(got) is float
        assert got == pytest.approx(expected, rel=1e-6), scorer
        assert scorer(fitted, X, y, X_tgt=(X_tgt,)) == got
        assert clone(scorer).set_params(X_tgt=X_tgt)(fitted, X, y) == got


@every_scorer
def test_calls_change_nothing_and_repeat(fitted, far, scorer):
    X, y, X_tgt = far
    before = fitted.predict_proba(X)
    attributes = set(vars(fitted[-1]))
    parameters = {**scorer.get_params()}
    assert scorer(fitted, X, y, X_tgt) == scorer(fitted, X, y, X_tgt)
    assert np.array_equal(before, fitted.predict_proba(X))
    assert attributes == set(vars(fitted[-1])) and fitted[-1].warm_start is False
    assert scorer.get_params() == parameters and vars(scorer) == parameters


@every_scorer
def test_clones_pickles_and_repr(fitted, far, scorer):
    X, y, X_tgt = far
    expected = scorer(fitted, X, y, X_tgt)
    for twin in (clone(scorer), pickle.loads(pickle.dumps(scorer)), copy.deepcopy(scorer)):
        assert twin(fitted, X, y, X_tgt) == expected and repr(twin) == repr(scorer)
    assert repr(ReverseValidation(balanced=True)) == "ReverseValidation(balanced=True)"


@every_scorer
def test_without_any_target_the_error_names_the_cure(fitted, far, scorer):
    X, y, _ = far
    with pytest.raises(ValueError, match=rf"{type(scorer).__name__}\(X_tgt=\(X_tgt,\)\)"):
        scorer(fitted, X, y)


@every_scorer
def test_a_classifier_that_is_not_ours(far, scorer):
    X, y, X_tgt = far
    for classifier in (
        LogisticRegression(max_iter=5000),
        make_pipeline(StandardScaler(), LogisticRegression()),
    ):
        assert np.isfinite(scorer(classifier.fit(X, y), X, y, X_tgt))


def test_a_classifier_without_transform_is_scored_on_its_inputs(far):
    X, y, X_tgt = far
    scaler = StandardScaler().fit(X)
    pipe = make_pipeline(StandardScaler(), LogisticRegression()).fit(X, y)
    expected = -maximum_mean_discrepancy(scaler.transform(X), scaler.transform(X_tgt))
    assert MMDScorer()(pipe, X, y, X_tgt) == pytest.approx(expected)


def test_inputs_instead_of_the_embedding(fitted, far):
    X, y, X_tgt = far
    scaler = StandardScaler().fit(X)
    expected = -coral_distance(scaler.transform(X), scaler.transform(X_tgt))
    assert CoralScorer(space="input")(fitted, X, y, X_tgt) == pytest.approx(expected)
    with pytest.raises(ValueError, match="space must be"):
        CoralScorer(space="output")(fitted, X, y, X_tgt)


@pytest.mark.parametrize(
    "scorer", [EntropyScorer(), InfoMaxScorer(), DeepEmbeddedValidationScorer()], ids=repr
)
def test_a_classifier_without_probabilities_is_refused(far, scorer):
    X, y, X_tgt = far
    svm = make_pipeline(StandardScaler(), LinearSVC()).fit(X, y)
    with pytest.raises(AttributeError, match="predict_proba, which LinearSVC doesn't have"):
        scorer(svm, X, y, X_tgt)
    assert ReverseValidation()(svm, X, y, X_tgt) > 0.5


@pytest.mark.parametrize(
    "scorer",
    [
        ImportanceWeightedAccuracyScorer(),
        DeepEmbeddedValidationScorer(),
        InfoMaxScorer(class_shares="source"),
        ReverseValidation(),
    ],
    ids=repr,
)
def test_labels_are_asked_for_where_they_are_needed(fitted, far, scorer):
    with pytest.raises(ValueError, match=f"{type(scorer).__name__} needs the labels y"):
        scorer(fitted, far[0], X_tgt=far[2])


def test_text_labels(far):
    X, y, X_tgt = far
    names = np.array(["a", "b", "c"])[y]
    pipe = make_dann_pipeline(StandardScaler(), max_epochs=2, random_state=0)
    of_numbers, of_names = clone(pipe).fit(X, y, X_tgt), clone(pipe).fit(X, names, X_tgt)
    for scorer in EVERY:
        assert scorer(of_numbers, X, y, X_tgt) == scorer(of_names, X, names, X_tgt)


@pytest.mark.parametrize(
    "convert",
    [
        sparse.csr_array,
        lambda rows: pd.DataFrame(rows, columns=list("abcde")),
        lambda rows: pl.DataFrame(rows, schema=list("abcde")),
    ],
    ids=["sparse", "pandas", "polars"],
)
def test_several_targets_count_as_their_rows_together(far, convert):
    X, y, X_tgt = convert(far[0]), far[1], convert(far[2])
    parts = convert(far[2][:15]), convert(far[2][15:])
    pipe = make_dann_pipeline(MaxAbsScaler(), max_epochs=2, random_state=0).fit(X, y, X_tgt)
    for scorer in EVERY:
        together = scorer(pipe, X, y, X_tgt)
        assert scorer(pipe, X, y, parts) == pytest.approx(together, rel=1e-5), scorer
    other = LogisticRegression(max_iter=5000).fit(X, y)
    assert ReverseValidation()(other, X, y, parts) == ReverseValidation()(other, X, y, X_tgt)


# -- which domain the estimator is told ----------------------------------------------------------


class Told(ClassifierMixin, BaseEstimator):
    """Remembers the domain that it was told, by method and number of rows."""

    def fit(self, X, y, X_tgt=None):
        self.classes_ = np.unique(y)
        self.n_domains_ = 1 + len(X_tgt)
        self.told_ = {}
        return self

    def _tell(self, method, X, domain):
        self.told_[method, len(X)] = domain
        return np.asarray(X)

    def transform(self, X, *, domain=None):
        return self._tell("transform", X, domain)

    def predict(self, X, *, domain=None):
        return self.classes_[self._tell("predict", X, domain)[:, 0].astype(int) % 2]

    def predict_proba(self, X, *, domain=None):
        self._tell("predict_proba", X, domain)
        return np.full((len(X), 2), 0.5)


def test_source_rows_are_announced_and_several_targets_by_their_code():
    X, y = np.arange(40.0).reshape(20, 2), np.arange(20) % 2
    targets = X[:8], X[:9]
    one = Told().fit(X, y, (X[:8],))
    two = Told().fit(X, y, targets)
    for scorer in EVERY[:6]:
        scorer(one, X, y, X[:8])
        scorer(two, X, y, targets)
    for method in ("transform", "predict_proba"):
        assert one.told_[method, 20] == two.told_[method, 20] == "source"
        assert one.told_[method, 8] == two.told_[method, 8] == 1
        assert two.told_[method, 9] == 2
    EntropyScorer()(two, X, y, X[:7])
    assert two.told_["predict_proba", 7] == "target"
    assert one.told_["predict", 20] == "source"


def test_the_domain_reaches_our_classifier(far):
    X, y, X_tgt = far
    classifier = DANNClassifier(
        input_scaling="domain", lambda_max=1.0, max_epochs=5, random_state=0
    )
    pipe = make_dann_pipeline("passthrough", classifier).fit(X, y, 3 * X_tgt)
    weights = density_ratio_weights(
        pipe[-1].transform(X, domain="source"),
        pipe[-1].transform(3 * X_tgt, domain="target"),
        random_state=0,
    )
    right = pipe.predict(X, domain="source")
    assert ImportanceWeightedAccuracyScorer()(pipe, X, y, 3 * X_tgt) == pytest.approx(
        importance_weighted_accuracy(y, right, weights).score
    )


# -- searches ------------------------------------------------------------------------------------

GRID = {"dannclassifier__lambda_max": [0, 1]}


@pytest.mark.parametrize(
    ("scorer", "n_rows"),
    [(scorer, 90) for scorer in EVERY] + [(InfoMaxScorer(), n_rows) for n_rows in (40, 45, 150)],
    ids=repr,
)
def test_a_search_scores_as_by_hand_with_routing_and_without(far, scorer, n_rows):
    X, y, X_tgt = far
    target = np.resize(X_tgt, (n_rows, 5))
    pipe = make_dann_pipeline(StandardScaler(), max_epochs=1, random_state=0)
    with sklearn.config_context(enable_metadata_routing=True):
        on = GridSearchCV(pipe, GRID, cv=2, scoring=scorer, error_score="raise")
        on.fit(X, y, X_tgt=(target,))
        later = on.score(X, y, X_tgt=(target,))
    built = clone(scorer).set_params(X_tgt=target)
    off = GridSearchCV(pipe, GRID, cv=2, scoring=built, error_score="raise")
    off.fit(X, y, X_tgt=(target,))
    for split in ("split0_test_score", "split1_test_score"):
        assert np.array_equal(on.cv_results_[split], off.cv_results_[split])
    assert on.best_params_ == off.best_params_
    assert off.score(X, y) == later == scorer(off, X, y, target)
    train, test = next(sklearn.model_selection.StratifiedKFold(2).split(X, y))
    first = clone(pipe).set_params(dannclassifier__lambda_max=0).fit(X[train], y[train], target)
    assert on.cv_results_["split0_test_score"][0] == scorer(first, X[test], y[test], target)


def test_a_search_without_routing_says_what_is_missing(far):
    X, y, X_tgt = far
    pipe = make_dann_pipeline(StandardScaler(), max_epochs=1)
    search = GridSearchCV(pipe, GRID, cv=2, scoring=EntropyScorer(), error_score="raise")
    with pytest.raises(ValueError, match="enable_metadata_routing=True"):
        search.fit(X, y, X_tgt=(X_tgt,))


@pytest.mark.filterwarnings("ignore::skdann.exceptions.TargetCutWarning")  # it is what is tested
def test_a_target_as_long_as_x_is_cut_unless_it_is_a_tuple_or_built_in(routing, far):
    X, y, _ = far
    seen = []

    class Seen(EntropyScorer):
        def _measure(self, domains):
            seen.append(domains.target("predict").shape[0])
            return 0.0

    pipe = make_dann_pipeline(StandardScaler(), max_epochs=1)
    for scorer, target in ((Seen(), X), (Seen(), (X,)), (Seen(X_tgt=X), X)):
        cross_validate(pipe, X, y, cv=2, params={"X_tgt": target}, scoring=scorer)
    assert seen == [45, 45, 90, 90, 90, 90]


def test_several_scorers_at_once(far):
    X, y, X_tgt = far
    pipe = make_dann_pipeline(StandardScaler(), max_epochs=1, random_state=0)
    names = {f"{number}": scorer for number, scorer in enumerate(EVERY)}
    built = {name: clone(scorer).set_params(X_tgt=X_tgt) for name, scorer in names.items()}
    off = GridSearchCV(pipe, GRID, cv=2, scoring=built, refit="7", error_score="raise")
    off.fit(X, y, X_tgt=(X_tgt,))
    assert np.isfinite(off.score(X, y))
    with sklearn.config_context(enable_metadata_routing=True):
        names["accuracy"] = "accuracy"
        names = {name: sklearn.metrics.get_scorer(scorer) for name, scorer in names.items()}
        on = GridSearchCV(pipe, GRID, cv=2, scoring=names, refit="7", error_score="raise")
        on.fit(X, y, X_tgt=(X_tgt,))
    for name in built:
        assert np.array_equal(
            on.cv_results_[f"mean_test_{name}"], off.cv_results_[f"mean_test_{name}"]
        )
    assert on.best_params_ == off.best_params_


@pytest.mark.parametrize("search", [HalvingGridSearchCV, RandomizedSearchCV])
def test_other_searches_and_the_splitter(routing, far, search):
    X, y, X_tgt = far
    seen = []

    class Seen(EntropyScorer):
        def _measure(self, domains):
            seen.append(len(domains.target("predict")))
            return super()._measure(domains)

    pipe = make_dann_pipeline(StandardScaler(), max_epochs=1, random_state=0)
    cv = DomainKFold(2, random_state=0)
    options = {"n_iter": 2} if search is RandomizedSearchCV else {"min_resources": 45}
    found = search(
        pipe, GRID, cv=cv, scoring=Seen(), random_state=0, error_score="raise", **options
    ).fit(X, y, X_tgt=cv.align_target(X, y, X_tgt))
    assert set(seen) == {20}  # of 40 target rows, in each of two folds
    assert found.best_score_ == found.cv_results_["mean_test_score"][found.best_index_]
    assert -np.log(3) < found.best_score_ < 0


def test_other_processes(routing, far):
    """The classifier needs no torch, which each process would take seconds to import."""
    X, y, X_tgt = far
    classifier, grid = LogisticRegression(max_iter=5000), {"C": [0.001, 1]}
    one, two = (
        GridSearchCV(classifier, grid, cv=2, scoring=InfoMaxScorer(), n_jobs=n, error_score="raise")
        .fit(X, y, X_tgt=(X_tgt,))
        .cv_results_["mean_test_score"]
        for n in (None, 2)
    )
    assert np.array_equal(one, two) and one[0] != one[1]


# -- options -------------------------------------------------------------------------------------


def test_class_shares(fitted, far):
    X, y, X_tgt = far
    shares = [0.5, 0.25, 0.25]
    target = fitted.predict_proba(X_tgt)
    got = InfoMaxScorer(class_shares=shares)(fitted, X, y, X_tgt)
    assert got == pytest.approx(info_max(target, shares))
    few = y != 2
    expected = pytest.approx(info_max(target, [0.5, 0.5, 0]))
    assert InfoMaxScorer(class_shares="source")(fitted, X[few], y[few], X_tgt) == expected
    with pytest.raises(ValueError, match='class_shares must be "source"'):
        InfoMaxScorer(class_shares="even")(fitted, X, y, X_tgt)


def test_losses_of_deep_embedded_validation(fitted, far):
    X, y, X_tgt = far
    weights = density_ratio_weights(
        fitted.transform(X), fitted.transform(X_tgt), normalize=False, random_state=0
    )
    got = DeepEmbeddedValidationScorer(loss="zero_one")(fitted, X, y, X_tgt)
    assert got == pytest.approx(-deep_embedded_validation(fitted.predict(X) != y, weights))
    with pytest.raises(ValueError, match="loss must be"):
        DeepEmbeddedValidationScorer(loss="hinge")(fitted, X, y, X_tgt)
    unseen = DeepEmbeddedValidationScorer()(fitted, X, np.full(90, 7), X_tgt)
    assert -20 < unseen < -5


def test_a_generator_is_not_advanced(fitted, far):
    X, y, X_tgt = far
    scorer = ProxyADistanceScorer(random_state=np.random.RandomState(0))
    assert scorer(fitted, X, y, X_tgt) == scorer(fitted, X, y, X_tgt)


def test_a_score_of_ones_own(fitted, far):
    class Confident(TargetScorer):
        def _measure(self, domains):
            return domains.target("predict_proba").max(axis=1).mean()

    X, _, X_tgt = far
    assert Confident(X_tgt=X_tgt)(fitted, X) == fitted.predict_proba(X_tgt).max(axis=1).mean()
    with pytest.raises(NotImplementedError, match="TargetScorer must define _measure"):
        TargetScorer(X_tgt=X_tgt)(fitted, X)


def test_outputs_are_computed_once(fitted, far):
    X, y, X_tgt = far
    domains = ScoredDomains(fitted, X, y, X_tgt, needed_by="a test")
    assert domains.target("predict_proba") is domains.target("predict_proba")
    assert domains.source("transform") is not domains.target("transform")


# -- target rows passed as X ---------------------------------------------------------------------

OF_PREDICTIONS = [
    EntropyScorer(),
    InfoMaxScorer(class_shares=[0.2, 0.3, 0.5]),
    BatchNuclearNormScorer(),
    CorrCScorer(),
    SoftNeighborhoodDensityScorer(),
]


@pytest.mark.parametrize("scorer", OF_PREDICTIONS, ids=repr)
def test_target_rows_can_be_passed_as_x(fitted, far, scorer):
    X, y, X_tgt = far
    alone = clone(scorer).set_params(X_tgt="X")
    assert alone(fitted, X_tgt) == alone(fitted, X_tgt, y) == scorer(fitted, X, y, X_tgt)
    assert alone(fitted, X) != alone(fitted, X_tgt)


def test_permuted_columns_of_the_target_are_scored(fitted, far):
    X_tgt = far[2]
    found = permutation_importance(
        fitted, X_tgt, None, scoring=InfoMaxScorer(X_tgt="X"), n_repeats=2, random_state=0
    )
    assert (np.abs(found.importances_mean) > 1e-3).any()


@pytest.mark.parametrize(
    "kind", [np.asarray, lambda rows: pd.DataFrame(rows, columns=list("abcde"))]
)
@pytest.mark.parametrize("as_given", [lambda X_tgt: X_tgt, lambda X_tgt: (X_tgt[:9], X_tgt)])
def test_a_score_that_ignores_permuted_rows_says_so(far, kind, as_given):
    X, y, X_tgt = kind(far[0]), far[1], kind(far[2])
    classifier = LogisticRegression(max_iter=5000).fit(X, y)
    built = InfoMaxScorer(X_tgt=as_given(X_tgt))
    with pytest.warns(
        IgnoredRowsWarning, match=r"InfoMaxScorer scores .* InfoMaxScorer\(X_tgt='X'\)"
    ):
        permutation_importance(classifier, X_tgt, None, scoring=built, n_repeats=1)
    # No warning: other rows, rows of the call, and a score that depends on X.
    built(classifier, X, y)
    built(classifier, X_tgt[:5])
    InfoMaxScorer()(classifier, X_tgt, X_tgt=X_tgt)
    MMDScorer(X_tgt=X_tgt)(classifier, X_tgt)


@pytest.mark.parametrize(
    "scorer",
    [scorer for scorer in EVERY if type(scorer) not in {type(one) for one in OF_PREDICTIONS}]
    + [InfoMaxScorer(class_shares="source"), InfoMaxScorer(class_shares="estimate")],
    ids=repr,
)
def test_a_score_that_needs_source_rows_refuses_target_rows_as_x(fitted, far, scorer):
    _, y, X_tgt = far
    alone = clone(scorer).set_params(X_tgt="X")
    with pytest.raises(ValueError, match=r"needs source rows .*\(X_tgt=\(X_tgt,\)\)"):
        alone(fitted, X_tgt, y[:40])


def test_source_rows_of_a_search_are_not_taken_for_target_rows(routing, far):
    X, y, X_tgt = far
    pipe = make_dann_pipeline(StandardScaler(), max_epochs=1)
    with pytest.raises(ValueError, match=r"source rows, use InfoMaxScorer\(\)\."):
        cross_validate(
            pipe,
            X,
            y,
            cv=2,
            params={"X_tgt": (X_tgt,)},
            scoring=InfoMaxScorer(X_tgt="X"),
            error_score="raise",
        )
    with pytest.raises(ValueError, match="X_tgt must be target rows, a tuple of such or 'X': 'Y'"):
        InfoMaxScorer(X_tgt="Y")(pipe, X)


# -- reverse validation --------------------------------------------------------------------------


class Counting(DANNClassifier):
    fits = []  # noqa: RUF012 - one list for all clones

    def fit(self, X, y, X_tgt=None, *, sample_weight=None):
        Counting.fits.append((hasattr(self, "net_"), self.warm_start, len(X), len(X_tgt[0])))
        return super().fit(X, y, X_tgt, sample_weight=sample_weight)


def test_the_way_back_starts_from_the_fitted_network_or_anew(far):
    X, y, X_tgt = far
    classifier = Counting(max_epochs=3, random_state=0)
    pipe = make_dann_pipeline(StandardScaler(), classifier).fit(X, y, X_tgt)
    Counting.fits.clear()
    scores = [ReverseValidation(warm_start=warm)(pipe, X, y, X_tgt) for warm in (True, False)]
    assert Counting.fits == [(True, True, 40, 90), (False, False, 40, 90)]
    assert scores[0] != scores[1]


def test_predictions_of_some_classes_only(far):
    X, y, X_tgt = far
    classifier = Counting(max_epochs=60, lr=0.01, random_state=0)
    pipe = make_dann_pipeline(StandardScaler(), classifier).fit(X, y, X_tgt)
    two = X_tgt[pipe.predict(X_tgt) != 2]
    assert ReverseValidation()(pipe, X, y, two) < 0.9
    Counting.fits.clear()
    one = X_tgt[pipe.predict(X_tgt) == 1]
    assert ReverseValidation()(pipe, X[:80], y[:80], one) == np.mean(y[:80] == 1)
    assert ReverseValidation(balanced=True)(pipe, X[:80], y[:80], one) == pytest.approx(1 / 3)
    assert Counting.fits == []


def test_balanced_accuracy_is_the_mean_over_the_classes(far):
    X, y, X_tgt = far
    pipe = make_dann_pipeline(StandardScaler(), max_epochs=3, random_state=0).fit(X, y, X_tgt)
    few = np.r_[np.flatnonzero(y == 0), np.flatnonzero(y == 1)[:3]]
    parts = [few[y[few] == label] for label in (0, 1)]
    whole = ReverseValidation(balanced=True)(pipe, X[few], y[few], X_tgt)
    back = copy.deepcopy(pipe[-1]).set_params(warm_start=True, max_epochs=1)
    back.fit(pipe[0].transform(X_tgt), pipe.predict(X_tgt), (pipe[0].transform(X[few]),))
    right = [(back.predict(pipe[0].transform(X[part])) == y[part]).mean() for part in parts]
    assert whole == pytest.approx(np.mean(right))


def test_wrong_labels_in_the_target_are_found_out(far):
    X, y, X_tgt = far
    good = make_pipeline(StandardScaler(), LogisticRegression()).fit(X, y)
    bad = make_pipeline(StandardScaler(), LogisticRegression()).fit(X, (y * y + 1) % 2)
    labels = (y * y + 1) % 2
    assert ReverseValidation()(good, X, y, X_tgt) > 0.8
    assert ReverseValidation()(bad, X, 1 - labels, X_tgt) < 0.4


# -- what must not go unnoticed ------------------------------------------------------------------


@pytest.mark.parametrize("scoring", [EntropyScorer(), {"a": EntropyScorer(), "b": InfoMaxScorer()}])
@pytest.mark.parametrize("n_jobs", [None, 2])
def test_a_search_without_a_target_stops_instead_of_scoring_nan(far, scoring, n_jobs):
    X, y, _ = far
    search = GridSearchCV(
        LogisticRegression(max_iter=5000),
        {"C": [1, 2]},
        cv=2,
        scoring=scoring,
        refit=False,
        n_jobs=n_jobs,
    )
    with (
        joblib.parallel_config(backend="threading"),
        pytest.raises(ValueError, match=r"got nothing: EntropyScorer got no X_tgt\. Build it"),
    ):
        search.fit(X, y)


def test_a_score_that_ignores_permuted_rows_says_so_for_a_part_of_the_target(far):
    X, y, X_tgt = far
    classifier = LogisticRegression(max_iter=5000).fit(X, y)
    built = InfoMaxScorer(X_tgt=X_tgt[:20])
    with pytest.warns(IgnoredRowsWarning, match="build it as InfoMaxScorer"):
        permutation_importance(classifier, X_tgt, None, scoring=built, n_repeats=1)
