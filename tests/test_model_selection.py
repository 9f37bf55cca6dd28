"""The splitter that leaves target rows out of the fit along with source rows."""

import copy
import itertools
import pickle
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest
import sklearn
from scipy import sparse
from sklearn.calibration import CalibratedClassifierCV
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    GridSearchCV,
    HalvingGridSearchCV,
    KFold,
    StratifiedKFold,
    cross_val_predict,
    cross_validate,
)
from sklearn.preprocessing import StandardScaler

from skdann import DANNClassifier, TargetCutWarning
from skdann.metrics import InfoMaxScorer, MMDScorer, TargetScorer
from skdann.model_selection import (
    AlignedTarget,
    DomainKFold,
    adaptation_scoring,
    choose_adaptation,
    without_target,
)
from skdann.pipeline import make_dann_pipeline


class Fits(DANNClassifier):
    """Remembers the numbers of the target rows that `fit` was given, read from a column."""

    seen = []  # noqa: RUF012 - one list for all clones, emptied by the fixture

    def fit(self, X, y, X_tgt=None, *, sample_weight=None):
        Fits.seen.append(numbers(X_tgt))
        return super().fit(X, y, X_tgt, sample_weight=sample_weight)


class Numbers(TargetScorer):
    """Remembers the numbers of the target rows that it was given."""

    seen = []  # noqa: RUF012

    def __call__(self, estimator, X, y=None, X_tgt=None):
        Numbers.seen.append(numbers(X_tgt))
        return 0.0


def numbers(X_tgt):
    assert type(X_tgt) in (tuple, AlignedTarget)
    return [np.rint(100 * np.asarray(rows)[:, 0]).astype(int).tolist() for rows in X_tgt]


@pytest.fixture(autouse=True)
def forget():
    Fits.seen.clear()
    Numbers.seen.clear()


@pytest.fixture
def numbered(blobs):
    """Source rows, labels, and as many target rows: the first column numbers them."""
    X, y, X_tgt = blobs
    X_tgt = X_tgt.copy()
    X_tgt[:, 0] = np.arange(len(X_tgt)) / 100
    return X, y, X_tgt


CLASSIFIER = Fits(input_scaling="both", max_epochs=1, random_state=0)


def check_disjoint(parts, n_rows):
    """Check fits and scores, a pair per fold, for being disjoint and together all rows."""
    for fit, score in parts:
        assert not set(fit) & set(score)
        assert sorted(fit + score) == list(range(n_rows))
    assert sorted(itertools.chain.from_iterable(score for _, score in parts)) == list(range(n_rows))


@pytest.mark.parametrize("n_rows", [40, 60, 90, 150])
@pytest.mark.parametrize("shuffle", [True, False])
def test_each_fold_is_scored_on_target_rows_that_its_fit_has_not_seen(
    routing, numbered, n_rows, shuffle
):
    X, y, _ = numbered
    X_tgt = np.arange(n_rows)[:, None] / 100 * np.ones(5)
    cv = DomainKFold(3, shuffle=shuffle, random_state=0 if shuffle else None)
    aligned = cv.align_target(X, y, X_tgt)
    cross_validate(
        CLASSIFIER, X, y, cv=cv, params={"X_tgt": aligned}, scoring=Numbers(), error_score="raise"
    )
    pairs = zip(Fits.seen, Numbers.seen, strict=True)
    check_disjoint([(fit[0], score[0]) for fit, score in pairs], n_rows)
    assert all(abs(len(score[0]) - n_rows / 3) < 1 for score in Numbers.seen)


def test_a_search_cuts_the_target_and_refits_on_all_of_it(routing, numbered):
    X, y, X_tgt = numbered
    cv = DomainKFold(3, random_state=0)
    pipe = make_dann_pipeline("passthrough", CLASSIFIER)
    search = GridSearchCV(
        pipe, {"fits__lr": [0.1, 0.01]}, cv=cv, scoring=Numbers(), error_score="raise"
    )
    search.fit(X, y, X_tgt=cv.align_target(X, y, (X_tgt, X_tgt[:20])))
    assert Fits.seen.pop() == [list(range(90)), list(range(20))]
    for domain, n_rows in enumerate((90, 20)):
        pairs = list(zip(Fits.seen, Numbers.seen, strict=True))
        for candidate in (pairs[:3], pairs[3:]):
            check_disjoint([(fit[domain], score[domain]) for fit, score in candidate], n_rows)


def test_without_routing_the_fits_are_cut(numbered):
    X, y, X_tgt = numbered
    cv = DomainKFold(3, random_state=0)
    aligned = cv.align_target(X, y, X_tgt)
    GridSearchCV(CLASSIFIER, {"lr": [0.1]}, cv=cv).fit(X, y, X_tgt=aligned)
    assert [len(seen[0]) for seen in Fits.seen] == [60, 60, 60, 90]
    assert set(Fits.seen[0][0]) != set(Fits.seen[1][0])


def test_halving_takes_all_target_rows_of_the_folds_that_it_draws_from(routing, numbered):
    X, y, X_tgt = numbered
    cv = DomainKFold(3, random_state=0)
    HalvingGridSearchCV(
        CLASSIFIER,
        {"lr": [0.1, 0.03, 0.01]},
        cv=cv,
        scoring=Numbers(),
        min_resources=30,
        return_train_score=False,
        random_state=0,
        error_score="raise",
    ).fit(X, y, X_tgt=cv.align_target(X, y, X_tgt))
    refit = Fits.seen.pop()
    assert len(refit[0]) == 90 and len(Fits.seen) == 12
    for start in range(0, 12, 3):
        pairs = zip(Fits.seen[start : start + 3], Numbers.seen[start : start + 3], strict=True)
        check_disjoint([(fit[0], score[0]) for fit, score in pairs], 90)


def test_other_processes_cut_the_target_alike(routing, numbered):
    """The classifier needs no torch, which each process would take seconds to import."""
    X, y, X_tgt = numbered
    cv = DomainKFold(2, random_state=0)
    aligned = cv.align_target(X, y, X_tgt)
    one, two = (
        cross_validate(
            LogisticRegression(),
            X,
            y,
            cv=cv,
            params={"X_tgt": aligned},
            scoring=MMDScorer(),
            n_jobs=n,
            error_score="raise",
        )["test_score"]
        for n in (None, 2)
    )
    assert np.array_equal(one, two) and one[0] != one[1]


def test_predictions_of_cross_validation(routing, numbered):
    X, y, X_tgt = numbered
    cv = DomainKFold(2, random_state=0)
    aligned = cv.align_target(X, y, X_tgt)
    classifier = DANNClassifier(lambda_max=1.0, max_epochs=1, random_state=0)
    got = cross_val_predict(
        classifier, X, y, cv=cv, params={"X_tgt": aligned}, method="predict_proba"
    )
    for train, test in cv.split(X, y):
        by_hand = sklearn.base.clone(classifier).fit(X[train], y[train], aligned[train])
        assert np.array_equal(got[test], by_hand.predict_proba(X[test]))


def test_the_same_folds_as_by_hand(routing, numbered):
    X, y, X_tgt = numbered
    cv = DomainKFold(3, random_state=7)
    aligned = cv.align_target(X, y, X_tgt)
    got = cross_validate(CLASSIFIER, X, y, cv=cv, params={"X_tgt": aligned})["test_score"]
    by_hand = []
    for train, test in cv.split(X, y):
        fitted = sklearn.base.clone(CLASSIFIER).fit(X[train], y[train], aligned[train])
        by_hand.append(fitted.score(X[test], y[test]))
    assert got.tolist() == by_hand


# -- the splitter --------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", [None, 3])
def test_source_folds_are_those_of_stratified_k_fold(blobs, seed):
    X, y, _ = blobs
    options = {"shuffle": seed is not None, "random_state": seed}
    pairs = zip(
        DomainKFold(4, **options).split(X, y),
        StratifiedKFold(4, **options).split(X, y),
        strict=True,
    )
    for one, other in pairs:
        assert all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))
    assert DomainKFold(4).get_n_splits() == 4


@pytest.mark.parametrize("random_state", [None, np.random.RandomState(0)])
def test_every_call_makes_the_same_folds(blobs, random_state):
    X, y, _ = blobs
    cv = DomainKFold(3, random_state=random_state)
    folds = [[test.tolist() for _, test in one.split(X, y)] for one in (cv, cv, copy.copy(cv))]
    assert folds[0] == folds[1] == folds[2]
    assert f"random_state={cv.random_state}" in repr(cv)


def test_none_takes_fresh_entropy_and_leaves_the_global_state_alone():
    np.random.seed(0)
    before = np.random.get_state()[1].copy()
    seeds = {DomainKFold().random_state for _ in range(5)}
    assert len(seeds) == 5 and np.array_equal(before, np.random.get_state()[1])
    assert DomainKFold(shuffle=False).random_state is None


def test_rare_classes_are_treated_as_elsewhere(blobs):
    X = blobs[0]
    y = np.repeat(["common", "rare"], [87, 3])
    cv = DomainKFold(5, random_state=0)
    with pytest.warns(UserWarning, match="least populated class"):
        aligned = cv.align_target(X, y, X)
    assert len(aligned[np.arange(len(X))][0]) == 90


def test_a_target_smaller_than_the_number_of_folds_is_refused(blobs):
    X, y, X_tgt = blobs
    with pytest.raises(ValueError, match=r"domain of 4 rows.*n_splits=5.*\(X_tgt,\)"):
        DomainKFold(5).align_target(X, y, (X_tgt, X_tgt[:4]))


# -- the target that is cut ----------------------------------------------------------------------


@pytest.fixture
def aligned(blobs):
    X, y, X_tgt = blobs
    return DomainKFold(3, random_state=0).align_target(X, y, (X_tgt, X_tgt[:30]))


def test_whole_it_is_the_tuple(aligned, blobs):
    assert isinstance(aligned, tuple) and len(aligned) == 2 and aligned.shape == (90,)
    assert np.array_equal(aligned[0], blobs[2]) and np.array_equal(aligned[-1], blobs[2][:30])
    assert type(aligned[:1]) is tuple and len(aligned[:1]) == 1
    assert all(np.array_equal(a, b) for a, b in zip(aligned[np.arange(90)], aligned, strict=True))


@pytest.mark.parametrize(
    "convert",
    [
        sparse.csr_matrix,
        sparse.csr_array,
        sparse.coo_array,
        np.ndarray.tolist,
        pd.DataFrame,
        lambda rows: pl.DataFrame(rows, schema=list("abcde")),
    ],
)
def test_tables_of_every_kind_are_cut(blobs, convert):
    X, y, X_tgt = blobs
    cv = DomainKFold(3, random_state=0)
    _, test = next(cv.split(X, y))
    expected = cv.align_target(X, y, X_tgt)[test][0]
    got = cv.align_target(X, y, convert(X_tgt))[test][0]
    if not isinstance(got, list):
        assert type(got).__name__.replace("csr", "coo") == (
            type(convert(X_tgt)).__name__.replace("csr", "coo")
        )
    np.testing.assert_array_equal(got.toarray() if sparse.issparse(got) else got, expected)


def test_masks_lists_and_pairs_are_keys_too(aligned, blobs):
    X, y, _ = blobs
    _, test = next(DomainKFold(3, random_state=0).split(X, y))
    mask = np.isin(np.arange(90), test)
    for key in (mask, test.tolist(), (test, Ellipsis), test[:4]):
        cut = aligned[key]
        assert type(cut) is tuple
        assert [rows.tolist() for rows in cut] == [rows.tolist() for rows in aligned[test]]


def test_copies_and_pickles_are_cut_alike(aligned, blobs):
    X, y, _ = blobs
    train, _ = next(DomainKFold(3, random_state=0).split(X, y))
    for twin in (copy.copy(aligned), copy.deepcopy(aligned), pickle.loads(pickle.dumps(aligned))):
        assert type(twin) is AlignedTarget and twin.shape == (90,)
        for one, other in zip(twin[train], aligned[train], strict=True):
            assert np.array_equal(one, other)


@pytest.mark.parametrize(
    "cv",
    [
        3,
        KFold(2),
        KFold(4),
        KFold(3, shuffle=True, random_state=0),
        DomainKFold(3, random_state=1),
        DomainKFold(2, random_state=0),
    ],
)
@pytest.mark.parametrize("shuffle", [True, False])
def test_another_splitter_is_refused(routing, blobs, cv, shuffle):
    X, y, X_tgt = blobs
    aligned = DomainKFold(3, shuffle=shuffle, random_state=0 if shuffle else None).align_target(
        X, y, X_tgt
    )
    if not shuffle and cv == 3:
        cv = 4  # scikit-learn's three folds would be ours
    with pytest.raises(ValueError, match="Pass the DomainKFold that aligned X_tgt as cv"):
        cross_validate(CLASSIFIER, X, y, cv=cv, params={"X_tgt": aligned}, scoring=Numbers())


def test_rows_in_another_order_are_refused(routing, blobs):
    X, y, X_tgt = blobs
    cv = DomainKFold(3, random_state=0)
    order = np.random.default_rng(0).permutation(len(X))
    with pytest.raises(ValueError, match="same X and y in the same order"):
        GridSearchCV(CLASSIFIER, {"lr": [0.1]}, cv=cv).fit(
            X[order], y[order], X_tgt=cv.align_target(X, y, X_tgt)
        )


def test_the_pipeline_scales_the_rows_that_are_left(routing, numbered):
    X, y, X_tgt = numbered
    cv = DomainKFold(3, random_state=0)
    pipe = make_dann_pipeline(StandardScaler(with_mean=False), CLASSIFIER)
    aligned = cv.align_target(X, y, X_tgt)
    cross_validate(pipe, X, y, cv=cv, params={"X_tgt": aligned}, error_score="raise")
    assert [len(seen[0]) for seen in Fits.seen] == [60, 60, 60]


# -- the safe choice -----------------------------------------------------------------------------


def results(*candidates):
    """Return `cv_results_`, as far as the choice reads it, of (params, three mean scores)."""
    params, *scores = zip(*candidates, strict=True)
    names = "reverse_validation", "info_max", "confidence"
    means = zip(names, scores, strict=True)
    return {"params": list(params)} | {f"mean_test_{name}": np.array(v) for name, v in means}


BASELINE = {"lambda_max": 0, "input_scaling": "source"}, 0.80, 0.50, -0.30


@pytest.mark.parametrize(
    ("scores", "replaces"),
    [
        ((0.95, 0.70, -0.29), True),
        ((0.80, 0.50, -0.30), False),  # no gain at all
        ((0.82, 0.52, -0.29), False),  # little
        ((np.nan, 0.9, -0.1), False),  # a fit of the search failed
    ],
)
def test_a_candidate_must_have_enough_expected_gain(scores, replaces):
    worse = {"lambda_max": 1.0, "input_scaling": "both"}, 0.7, 0.4, -0.1
    other = {"lambda_max": 1.0, "input_scaling": "domain"}, *scores
    assert choose_adaptation(results(worse, BASELINE, other)) == (2 if replaces else 1)


def test_the_most_expected_gain_is_chosen():
    some = {"lambda_max": 0.1}, 0.97, 0.60, -0.2
    more = {"lambda_max": 1.0}, 0.99, 0.65, -0.2
    assert choose_adaptation(results(BASELINE, some, more)) == 2


def test_the_baseline_is_the_first_candidate_that_learns_nothing_from_the_target():
    """Prefixes of steps don't matter; 0 with information maximisation is no baseline."""
    informed = {"dann__lambda_max": 0.0, "dann__target_information": 1.0}, 0.5, 0.1, -0.6
    automatic = {"dann__lambda_max": "auto", "dann__target_information": 0}, 0.5, 0.1, -0.6
    several = {"dann__lambda_max": (0, 0.1), "dann__target_information": 0}, 0.5, 0.1, -0.6
    plain = {"dann__lambda_max": 0.0, "dann__target_information": 0.0}, 0.8, 0.5, -0.3
    last = {"dann__lambda_max": 0.0, "dann__target_information": 0.0}, 0.79, 0.5, -0.3
    assert choose_adaptation(results(informed, automatic, several, plain, last)) == 3
    with pytest.raises(ValueError, match=r"has lambda_max=0\. Add 0 to its lambda_max"):
        choose_adaptation(results(informed, automatic, several))


@pytest.mark.parametrize("name", ["reverse_validation", "info_max"])
def test_missing_scores_are_named(name):
    lacking = results(BASELINE)
    del lacking[f"mean_test_{name}"]
    with pytest.raises(ValueError, match=rf"lacks \['mean_test_{name}'\]\. Search with scoring="):
        choose_adaptation(lacking)


def test_a_search_without_a_target_in_its_scorers_has_none_in_its_file(routing, blobs):
    X, y, X_tgt = blobs
    classifier = DANNClassifier(max_epochs=1, random_state=0)
    files = []
    for scoring in (adaptation_scoring(), adaptation_scoring((X_tgt,))):
        search = GridSearchCV(
            classifier, {"lambda_max": [0, 1]}, cv=2, scoring=scoring, refit=choose_adaptation
        )
        files.append(pickle.dumps(search.fit(X, y, X_tgt=(X_tgt,))))
        assert set(search.cv_results_) >= {f"mean_test_{name}" for name in scoring}
    assert [X_tgt.tobytes() in file for file in files] == [False, True]


@pytest.mark.parametrize("name", ["reverse_validation", "info_max"])
@pytest.mark.parametrize("whole", [True, False])
def test_a_baseline_without_a_score_is_refused(name, whole):
    found = results(({"lambda_max": 1.0}, 0.8, 0.5, -0.3), BASELINE)
    found[f"mean_test_{name}"] = np.array([np.nan if whole else 0.9, np.nan])
    whose = "all candidates" if whole else r"the baseline \(candidate 1\)"
    with pytest.raises(ValueError, match=rf"{name}: the scores of {whose} are NaN"):
        choose_adaptation(found)


@pytest.mark.parametrize("scoring", [adaptation_scoring, InfoMaxScorer])
def test_the_rows_of_a_target_can_be_taken_out_of_a_search(blobs, scoring):
    X, y, X_tgt = blobs
    several = scoring is adaptation_scoring
    search = GridSearchCV(
        DANNClassifier(max_epochs=1, random_state=0),
        {"lambda_max": [0, 1]},
        cv=2,
        scoring=scoring(X_tgt=(X_tgt,)),
        refit=choose_adaptation if several else True,
    ).fit(X, y, X_tgt=(X_tgt,))
    lighter = without_target(search)
    assert X_tgt.tobytes() in pickle.dumps(search)  # as it was
    file = pickle.dumps(lighter)
    assert X_tgt.tobytes() not in file
    np.testing.assert_array_equal(pickle.loads(file).predict(X_tgt), search.predict(X_tgt))
    if not several:
        with sklearn.config_context(enable_metadata_routing=True):
            assert lighter.score(X, y, X_tgt=(X_tgt,)) == search.score(X, y)


def test_a_search_without_a_target_in_it_is_handed_back_as_it_is():
    search = GridSearchCV(DANNClassifier(), {"lr": [0.1]}, scoring=InfoMaxScorer(X_tgt="X"))
    assert without_target(search) is search


# -- a target that scikit-learn cuts -------------------------------------------------------------


def cut(fit, n_warnings):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fit()
    found = [one for one in caught if issubclass(one.category, TargetCutWarning)]
    assert len(found) == n_warnings
    assert all(one.filename == __file__ for one in found)


PLAIN = DANNClassifier(lambda_max=0.1, max_epochs=1, random_state=0)


@pytest.mark.parametrize("classifier", [PLAIN, make_dann_pipeline(StandardScaler(), PLAIN)])
@pytest.mark.parametrize("convert", [np.asarray, pd.DataFrame])
def test_a_target_cut_by_the_folds_of_the_source_is_noticed(routing, blobs, classifier, convert):
    X, y = blobs[:2]
    X_tgt = convert(X + 0.1)
    for_all = {"cv": 2, "params": {"X_tgt": X_tgt}}
    cut(lambda: cross_validate(classifier, X, y, **for_all), 2)
    cut(lambda: cross_val_predict(classifier, X, y, **for_all), 2)
    cut(lambda: CalibratedClassifierCV(classifier, cv=2).fit(X, y, X_tgt=X_tgt), 2)
    # The refit on all rows gets all of the target.
    search = GridSearchCV(classifier, {}, cv=2)
    cut(lambda: search.fit(X, y, X_tgt=X_tgt), 2)


def test_a_target_that_is_whole_is_not_called_cut(routing, blobs):
    X, y, X_tgt = blobs
    cut(lambda: PLAIN.fit(X, y, X), 0)
    cut(lambda: cross_validate(PLAIN, X, y, cv=2, params={"X_tgt": (X,)}), 0)
    cut(lambda: cross_validate(PLAIN, X, y, cv=2, params={"X_tgt": X_tgt[:7]}), 0)
    aligned = DomainKFold(2, random_state=0)
    params = {"X_tgt": aligned.align_target(X, y, X)}
    cut(lambda: cross_validate(PLAIN, X, y, cv=aligned, params=params), 0)
