"""`DANNClassifierCV`: the pool, the choice and what comes out of it."""

import pickle

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from skdann import DANNClassifier, DANNClassifierCV, SourceOnlyWarning
from skdann.metrics import InfoMaxScorer, ReverseValidation

FAST = DANNClassifier(lambda_max=1.0, max_epochs=4, hidden_layer_sizes=(10,))


def search(**settings):
    defaults = {"lambdas": (0, 1), "estimator": FAST, "cv": 2, "random_state": 0}
    return DANNClassifierCV(**{**defaults, **settings})


QUICK = DANNClassifier(max_epochs=30, lr=0.004, random_state=0)


def by_itself(params):
    """Return the classifier that is to be the same as a candidate of a search with `QUICK`."""
    return clone(QUICK).set_params(**params)


@pytest.fixture(scope="module")
def adapted(tilted_digits):
    fitted = search(input_scalings=["source", "domain"], estimator=QUICK)
    return fitted.fit(*tilted_digits[:3])


def test_it_adapts_where_that_helps(adapted, tilted_digits):
    X, y, X_tgt, y_tgt = tilted_digits
    assert adapted.adapted_
    assert "input_scaling='domain', lambda_max=1.0 replaces" in adapted.verdict_
    baseline = by_itself({"lambda_max": 0, "input_scaling": "source"})
    gain = adapted.score(X_tgt, y_tgt) - baseline.fit(X, y, X_tgt).score(X_tgt, y_tgt)
    assert gain > 0.2


def test_it_stays_with_the_baseline_where_there_is_no_shift(blobs):
    X, y, _ = blobs
    fitted = search(estimator=QUICK).fit(X[::2], y[::2], X[1::2])
    assert not fitted.adapted_
    assert fitted.best_params_ == {"input_scaling": None, "lambda_max": 0.0}
    assert fitted.best_index_ == 0
    assert "trained on the source alone" in fitted.verdict_


def test_what_is_chosen_is_fitted_as_it_would_be_by_itself(adapted, tilted_digits):
    X, y, X_tgt, _ = tilted_digits
    alone = by_itself(adapted.best_params_).fit(X, y, X_tgt)
    for method in ("predict_proba", "decision_function", "transform", "predict_domain_proba"):
        expected = getattr(alone, method)(X_tgt)
        np.testing.assert_allclose(getattr(adapted, method)(X_tgt), expected, atol=1e-4)
    np.testing.assert_array_equal(adapted.predict(X_tgt), alone.predict(X_tgt))
    got = adapted.predict_proba(X, domain="source")
    np.testing.assert_allclose(got, alone.predict_proba(X, domain="source"), atol=1e-4)


def drifted(n_rows=300):
    """Two classes that overlap, half and half in the source, one to nine in the target.

    The target's columns come in another unit, so it matters by which statistics they are scaled.
    """
    rng = np.random.default_rng(0)
    y, y_tgt = np.arange(n_rows) % 2, (rng.uniform(size=n_rows) > 0.1).astype(int)
    X, X_tgt = (rng.normal(size=(n_rows, 2)) + 2 * of[:, None] for of in (y, y_tgt))
    return X, y, 0.4 * X_tgt


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"label_shift": "estimate", "lr": 0.02},
        {"label_shift": [0.1, 0.9], "conditioning": "multilinear", "target_information": 0.1},
        {"early_stopping": True, "n_iter_no_change": 2, "max_epochs": 12, "lr": 0.01},
    ],
    ids=["plain", "estimated-shares", "more-options", "early-stopping"],
)
def test_the_scores_of_the_pool_are_those_of_the_scorers(options):
    X, y, X_tgt = drifted()
    folds = list(StratifiedKFold(2).split(X, y))
    settings = [
        {"input_scaling": "domain", "lambda_max": 1.0},
        {"input_scaling": "source", "lambda_max": 0.0},
    ]
    estimator = clone(FAST).set_params(**options)
    pool = search(cv=folds, input_scalings=["source", "domain"], estimator=estimator)
    results = pool.fit(X, y, X_tgt).cv_results_
    for setting in settings:
        at = list(results["params"]).index(setting)
        for i, (train, test) in enumerate(folds):
            one = clone(estimator).set_params(random_state=0, **setting)
            one.fit(X[train], y[train], X_tgt)
            back = ReverseValidation()(one, X[test], y[test], X_tgt)
            assert results[f"split{i}_test_reverse_validation"][at] == pytest.approx(back, abs=0.02)
            information = InfoMaxScorer()(one, X[test], y[test], X_tgt)
            assert results[f"split{i}_test_info_max"][at] == pytest.approx(information, abs=1e-3)
            accuracy = one.score(X[test], y[test], domain="source")
            assert results[f"split{i}_test_source_accuracy"][at] == pytest.approx(
                accuracy, abs=0.01
            )


def test_the_results_name_every_candidate(blobs):
    fitted = search(lambdas=[0.5, 2], param_grid={"lr": [0.01, 0.1], "dropout": [0.1]}).fit(*blobs)
    results = pd.DataFrame(fitted.cv_results_)
    assert len(results) == 3 * 2 * 3  # lambda 0 joined
    assert results["params"][0] == {
        "input_scaling": None, "lr": 0.01, "dropout": 0.1, "lambda_max": 0.0,
    }  # fmt: skip
    for name in ("reverse_validation", "info_max", "source_accuracy"):
        splits = results[[f"split0_test_{name}", f"split1_test_{name}"]]
        np.testing.assert_allclose(results[f"mean_test_{name}"], splits.mean(axis=1))
    assert results["gain_info_max"][0] == 0 and not results["passes"][0]
    assert fitted.lambda_path_["lambda_max"].tolist() == [0, 0.5, 2]
    assert fitted.n_splits_ == 2


def test_an_ensemble_averages_all_that_beat_the_baseline(tilted_digits):
    X, y, X_tgt, _ = tilted_digits
    settings = {"input_scalings": ["source", "domain"], "estimator": QUICK, "refit": "ensemble"}
    fitted = search(**settings).fit(X, y, X_tgt)
    chosen = np.flatnonzero(fitted.cv_results_["passes"])
    assert len(chosen) == fitted.best_estimator_.n_members > 1
    chosen = sorted(chosen, key=lambda i: -fitted.cv_results_["mean_test_score"][i])
    params = [fitted.cv_results_["params"][i] for i in chosen]
    assert len({one["lambda_max"] for one in params}) > 1
    members = [by_itself(one).fit(X, y, X_tgt) for one in params]
    mean = np.mean([member.predict_proba(X_tgt) for member in members], axis=0)
    np.testing.assert_allclose(fitted.predict_proba(X_tgt), mean, atol=1e-3)
    beside = np.hstack([member.transform(X_tgt) for member in members])
    np.testing.assert_allclose(fitted.transform(X_tgt), beside, atol=1e-3)
    assert len(fitted.get_feature_names_out()) == 100 * len(chosen)


def test_without_a_target_the_baseline_is_fitted(blobs):
    fitted = search().fit(*blobs)
    with pytest.warns(SourceOnlyWarning, match="nothing to choose"):
        fitted.fit(*blobs[:2])
    assert not hasattr(fitted, "cv_results_")  # of the fit before
    assert (fitted.adapted_, fitted.best_params_["lambda_max"]) == (False, 0)


def test_sparse_rows_have_a_pool_of_their_own(blobs):
    X, y, X_tgt = blobs
    fitted = search().fit(sparse.csr_array(X), y, sparse.csr_array(X_tgt))
    scalings = [one["input_scaling"] for one in fitted.cv_results_["params"]]
    assert scalings == [None, None, "source", "source", "domain", "domain"]


def test_copies_pickles_and_names(blobs):
    X, y, X_tgt = blobs
    frame = pd.DataFrame(X, columns=list("abcde"))
    fitted = search().fit(frame, y, X_tgt=pd.DataFrame(X_tgt, columns=list("abcde")))
    assert fitted.feature_names_in_.tolist() == list("abcde")
    again = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(again.predict_proba(frame), fitted.predict_proba(frame))
    with pytest.raises(NotFittedError):
        clone(fitted).predict(frame)


def test_equal_seeds_give_equal_choices_and_none_gives_one_seed_to_all(blobs):
    one, other = (search().fit(*blobs) for _ in range(2))
    np.testing.assert_array_equal(one.predict_proba(blobs[2]), other.predict_proba(blobs[2]))
    free = search(random_state=None, lambdas=[0, 1e-9], input_scalings=["source"]).fit(*blobs)
    # Other seeds differ by about .02 here; a lambda of 1e-9 makes rounding errors.
    confidence = free.cv_results_["mean_test_confidence"]
    assert confidence[0] == pytest.approx(confidence[1], abs=0.001)
    drawn = search(random_state=np.random.RandomState(0)).fit(*blobs)
    assert isinstance(drawn.best_estimator_.random_state, int)


def test_weights_count_in_fits_and_scores(blobs):
    X, y, X_tgt = blobs
    weight = np.where(y == 0, 5.0, 0.1)
    plain, weighted = search().fit(X, y, X_tgt), search().fit(X, y, X_tgt, sample_weight=weight)
    for name in ("mean_test_source_accuracy", "mean_test_reverse_validation"):
        assert not np.allclose(plain.cv_results_[name], weighted.cv_results_[name])


def test_in_a_pipeline_with_routing(blobs, routing):
    X, y, X_tgt = blobs
    pipe = make_pipeline(FunctionTransformer(), search(), transform_input=["X_tgt"])
    assert pipe.fit(X, y, X_tgt=(X_tgt,)).predict(X_tgt).shape == (90,)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"lambdas": [-1]}, "lambda_max"),
        ({"input_scalings": ["robust"]}, "input_scaling"),
        ({"param_grid": {"lambda_max": [1]}}, "param_grid"),
        ({"param_grid": {"optimizer": "adam"}}, "param_grid"),
        ({"param_grid": {"nonsense": [1]}}, "nonsense"),
        ({"param_grid": {"lr": []}}, "param_grid"),
        ({"input_scalings": []}, "input_scalings is empty"),
        ({"refit": "all"}, "refit"),
        ({"cv": 100}, "can't divide X: .*n_splits=100"),
    ],
)
def test_what_is_wrong_is_named(blobs, settings, message):
    with pytest.raises(ValueError, match=message):
        search(**settings).fit(*blobs)


def test_a_target_of_one_predicted_class_leads_back_to_that_class(blobs):
    X, y, X_tgt = blobs
    results = search().fit(X, y, X_tgt[:1]).cv_results_
    for split in ("split0", "split1"):  # a third of the rows held out are of each class
        np.testing.assert_allclose(results[f"{split}_test_reverse_validation"], 1 / 3)


def test_verbose_prints_the_verdict(blobs, capsys):
    fitted = search(verbose=1).fit(*blobs)
    assert fitted.verdict_ in capsys.readouterr().out
