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
from skdann._choosing.cross_fit import cross_fit
from skdann._data.inputs import read_training_data
from skdann.datasets import make_tilted_digits
from skdann.metrics import InfoMaxScorer, ReverseValidation

FAST = DANNClassifier(lambda_max=1.0, max_epochs=4, hidden_layer_sizes=(10,))


def search(**settings):
    defaults = {"lambdas": (0, 1), "estimator": FAST, "cv": 2, "random_state": 0}
    return DANNClassifierCV(**{**defaults, **settings})


@pytest.fixture(scope="module")
def digits():
    return make_tilted_digits(n_source=300, random_state=0)


@pytest.fixture(scope="module")
def adapted(digits):
    return DANNClassifierCV([0, 1], ["source", "domain"], cv=2, random_state=0).fit(*digits[:3])


def test_it_adapts_where_that_helps(adapted, digits):
    X, y, X_tgt, y_tgt = digits
    assert adapted.adapted_
    assert adapted.verdict_.startswith("input_scaling='domain', lambda_max=1.0 replaces")
    baseline = DANNClassifier(lambda_max=0, input_scaling="source", random_state=0)
    gain = adapted.score(X_tgt, y_tgt) - baseline.fit(X, y, X_tgt).score(X_tgt, y_tgt)
    assert gain > 0.1


def test_it_stays_with_the_baseline_where_there_is_no_shift(blobs):
    X, y, _ = blobs
    fitted = DANNClassifierCV([0, 1], cv=2, random_state=0).fit(X[::2], y[::2], X[1::2])
    assert not fitted.adapted_
    assert fitted.best_params_ == {"input_scaling": None, "lambda_max": 0.0}
    assert fitted.best_index_ == 0
    assert "without adaptation" in fitted.verdict_


def test_what_is_chosen_is_fitted_as_it_would_be_by_itself(adapted, digits):
    X, y, X_tgt, _ = digits
    alone = DANNClassifier(random_state=0, **adapted.best_params_).fit(X, y, X_tgt)
    for method in ("predict_proba", "decision_function", "transform", "predict_domain_proba"):
        expected = getattr(alone, method)(X_tgt)
        np.testing.assert_allclose(getattr(adapted, method)(X_tgt), expected, atol=1e-4)
    np.testing.assert_array_equal(adapted.predict(X_tgt), alone.predict(X_tgt))
    got = adapted.predict_proba(X, domain="source")
    np.testing.assert_allclose(got, alone.predict_proba(X, domain="source"), atol=1e-4)


def test_the_scores_of_the_pool_are_those_of_the_scorers(digits):
    X, y, X_tgt, _ = digits
    folds = list(StratifiedKFold(2).split(X, y))
    settings = [
        {"input_scaling": "domain", "lambda_max": 1.0},
        {"input_scaling": "source", "lambda_max": 0.0},
    ]
    fitted = search(cv=folds, input_scalings=["source", "domain"]).fit(X, y, X_tgt)
    results = fitted.cv_results_
    for setting in settings:
        at = list(results["params"]).index(setting)
        for i, (train, test) in enumerate(folds):
            one = clone(FAST).set_params(random_state=0, **setting)
            one.fit(X[train], y[train], X_tgt)
            back = ReverseValidation()(one, X[test], y[test], X_tgt)
            assert results[f"split{i}_reverse_validation"][at] == pytest.approx(back, abs=0.02)
            information = InfoMaxScorer()(one, X[test], y[test], X_tgt)
            assert results[f"split{i}_info_max"][at] == pytest.approx(information, abs=1e-3)
            accuracy = one.score(X[test], y[test], domain="source")
            assert results[f"split{i}_source_accuracy"][at] == pytest.approx(accuracy, abs=0.01)


def test_the_results_name_every_candidate(blobs):
    fitted = search(lambdas=[0.5, 2], param_grid={"lr": [0.01, 0.1], "dropout": [0.1]}).fit(*blobs)
    results = pd.DataFrame(fitted.cv_results_)
    assert len(results) == 3 * 2 * 3  # lambda 0 joined
    assert results["params"][0] == {
        "input_scaling": None, "lr": 0.01, "dropout": 0.1, "lambda_max": 0.0,
    }  # fmt: skip
    for name in ("reverse_validation", "info_max", "source_accuracy"):
        splits = results[[f"split0_{name}", f"split1_{name}"]]
        np.testing.assert_allclose(results[f"mean_{name}"], splits.mean(axis=1))
    assert results["gain_info_max"][0] == 0 and not results["passes"][0]
    assert fitted.lambda_path_["lambda_max"].tolist() == [0, 0.5, 2]
    assert fitted.n_splits_ == 2


def test_an_ensemble_averages_all_that_beat_the_baseline(digits):
    X, y, X_tgt, _ = digits
    settings = {"lambdas": [0, 1], "input_scalings": ["source", "domain"], "cv": 2}
    fitted = DANNClassifierCV(**settings, refit="ensemble", random_state=0).fit(X, y, X_tgt)
    chosen = np.flatnonzero(fitted.cv_results_["passes"])
    assert len(chosen) == fitted.best_estimator_.n_members > 1
    members = [
        DANNClassifier(random_state=0, **fitted.cv_results_["params"][i]).fit(X, y, X_tgt)
        for i in chosen
    ]
    mean = np.mean([member.predict_proba(X_tgt) for member in members], axis=0)
    np.testing.assert_allclose(fitted.predict_proba(X_tgt), mean, atol=0.05)
    assert fitted.transform(X_tgt).shape == (len(X_tgt), 100 * len(chosen))
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
    accuracy = free.cv_results_["mean_test_source_accuracy"]
    assert accuracy[0] == pytest.approx(accuracy[1], abs=0.02)
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
        ({"cv": 100}, "n_splits=100"),
    ],
)
def test_what_is_wrong_is_named(blobs, settings, message):
    with pytest.raises(ValueError, match=message):
        search(**settings).fit(*blobs)


def test_a_single_predicted_class_needs_no_reverse_fit(blobs):
    X, y, X_tgt = blobs
    record = read_training_data(X, y, X_tgt[:1], None, class_weight=None, estimator=FAST)
    folds = list(StratifiedKFold(2).split(X, y))
    ((result, _),) = cross_fit([clone(FAST).set_params(random_state=0)], record, folds)
    assert (result.reverse_proba.max(axis=0) == result.reverse_proba.min(axis=0)).all()
    assert result.reverse_proba.argmax(axis=1)[0] == result.target_proba.argmax()


def test_verbose_prints_the_verdict(blobs, capsys):
    fitted = search(verbose=1).fit(*blobs)
    assert fitted.verdict_ in capsys.readouterr().out
