"""scikit-learn's own checks, and its tools around the classifier with every length of target."""

import inspect
from functools import partial

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import make_column_transformer
from sklearn.ensemble import BaggingClassifier
from sklearn.model_selection import GridSearchCV, cross_val_score, cross_validate
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.utils import estimator_checks
from sklearn.utils.estimator_checks import parametrize_with_checks
from skorch.callbacks import GradientNormClipping
from torch import nn

from skdann import DANNClassifier, DANNClassifierCV, TargetScaleWarning
from skdann.estimator_checks import EXPECTED_FAILED_CHECKS, with_target

pytestmark = pytest.mark.filterwarnings("ignore::skdann.SourceOnlyWarning")

# Small networks that learn the checks' blobs in ten epochs: some checks ask for an accuracy of .83.
SMALL = {"hidden_layer_sizes": (16,), "lr": 0.02, "batch_size": 32, "max_epochs": 10}

CONFIGURATIONS = [
    # With X as the target: the adversary, the choice of lambda, the pool. The third has rows with
    # a map of their own for each domain, the fourth modules that torch differentiates.
    with_target(DANNClassifier(lambda_max=1.0, **SMALL)),
    with_target(DANNClassifier(**SMALL)),
    with_target(DANNClassifier(lambda_max=1.0, input_scaling="domain", **SMALL)),
    with_target(DANNClassifier(lambda_max=1.0, label_predictor=nn.Linear, **SMALL)),
    with_target(
        DANNClassifierCV((0, 1), ["source", "domain"], estimator=DANNClassifier(**SMALL), cv=2)
    ),
    # Without one: fit(X, y) as scikit-learn's users may call it. What else differs there are the
    # rows that early stopping holds out of a few, weights of a single class, and several members.
    # Depth and dropout are arguments of a network, and are in all of these.
    DANNClassifier(**SMALL),
    DANNClassifier(n_members=2, early_stopping=True, class_weight="balanced", **SMALL),
]


ALL_CHECKS = parametrize_with_checks(
    CONFIGURATIONS, expected_failed_checks=lambda estimator: EXPECTED_FAILED_CHECKS
).mark
NAMES, CHECKS = ALL_CHECKS.args


# A generator, in scikit-learn 1.6: pytest 9 wants a list.
@pytest.mark.parametrize(NAMES, [*CHECKS], **ALL_CHECKS.kwargs)
def test_scikit_learns_checks(estimator, check):
    check(estimator)


def test_the_ledger_names_checks_that_are_run_and_gives_reasons():
    """That they fail is seen above: a check that passes in spite of the ledger is an error."""
    checks = estimator_checks.estimator_checks_generator(CONFIGURATIONS[0])
    run = {check.func.__name__ for _, check in checks}
    assert set(EXPECTED_FAILED_CHECKS) <= run
    assert all(len(reason) > 40 for reason in EXPECTED_FAILED_CHECKS.values())


NOT_RUN_BY_SCIKIT_LEARN = [
    "check_set_output_transform",
    "check_set_output_transform_pandas",
    "check_set_output_transform_polars",
    "check_global_output_transform_pandas",
    "check_global_set_output_transform_polars",
    "check_transformer_get_feature_names_out",
    "check_transformer_get_feature_names_out_pandas",
    "check_get_feature_names_out_error",
    "check_dataframe_column_names_consistency",
    "check_param_validation",
    "check_inplace_ensure_writeable",
]


@pytest.mark.filterwarnings("ignore:X (has|does not have valid) feature names")
@pytest.mark.parametrize("name", NOT_RUN_BY_SCIKIT_LEARN)
@pytest.mark.parametrize("kind", [DANNClassifier, DANNClassifierCV])
def test_checks_that_scikit_learn_defines_but_does_not_run(kind, name):
    check = getattr(estimator_checks, name, None)
    if check is None:
        pytest.skip("this version of scikit-learn does not have the check")
    estimator = next(one for one in CONFIGURATIONS if isinstance(one, kind))
    arguments = [type(estimator).__name__, clone(estimator)]
    check(*arguments[2 - len(inspect.signature(check).parameters) :])


# -- metadata routing ------------------------------------------------------------------------

LENGTHS = {"shorter": 40, "longer": 150, "exactly as long": 90}


@pytest.fixture(params=LENGTHS, ids=lambda name: name.replace(" ", "-"))
def domains(request, blobs):
    """X, y and a target that is shorter, longer or exactly as long, far off X's scale."""
    X, y, _ = blobs
    rng = np.random.default_rng(1)
    return X, y, 10 * rng.normal(size=(LENGTHS[request.param], 5)) + 3


class Recording(DANNClassifier):
    """Remembers the targets that `fit` was given."""

    seen = []  # noqa: RUF012 - one list for all clones, emptied by the fixture

    def fit(self, X, y, X_tgt=None, *, sample_weight=None):
        Recording.seen.append(X_tgt)
        return super().fit(X, y, X_tgt, sample_weight=sample_weight)


@pytest.fixture
def recording():
    Recording.seen.clear()
    return Recording(lambda_max=1.0, max_epochs=1, random_state=0)


def seen_rows():
    return [X_tgt[0].shape[0] for X_tgt in Recording.seen]


def scaled(recording):
    return make_pipeline(StandardScaler(), recording, transform_input=["X_tgt"])


def test_a_pipeline_transforms_the_target_by_the_sources_scaler(routing, domains, recording):
    X, y, X_tgt = domains
    pipe = scaled(recording).fit(X, y, X_tgt=(X_tgt,))
    expected = StandardScaler().fit(X).transform(X_tgt)
    np.testing.assert_allclose(Recording.seen[0][0], expected)
    assert pipe.predict(X_tgt).shape == (len(X_tgt),)
    assert np.array_equal(
        scaled(recording).fit(X, y, X_tgt=X_tgt).predict_proba(X), pipe.predict_proba(X)
    )


def test_a_search_passes_the_whole_target_to_every_fold(routing, domains, recording):
    X, y, X_tgt = domains
    grid = {"recording__lambda_max": [0, 1]}
    search = GridSearchCV(scaled(recording), grid, cv=3).fit(X, y, X_tgt=(X_tgt,))
    assert seen_rows() == [len(X_tgt)] * 7
    assert search.predict(X_tgt).shape == (len(X_tgt),)


def test_cross_validation_passes_the_whole_target(routing, domains, recording):
    X, y, X_tgt = domains
    scores = cross_validate(scaled(recording), X, y, params={"X_tgt": (X_tgt,)}, cv=3)
    assert seen_rows() == [len(X_tgt)] * 3
    assert np.isfinite(scores["test_score"]).all()


@pytest.mark.filterwarnings("ignore::skdann.exceptions.TargetCutWarning")  # it is what is tested
def test_an_array_as_long_as_x_is_cut_by_scikit_learn_and_a_tuple_is_not(routing, recording, blobs):
    X, y, X_tgt = blobs
    for target, rows in ((X_tgt, 60), ((X_tgt,), 90)):
        Recording.seen.clear()
        cross_validate(recording, X, y, params={"X_tgt": target}, cv=3)
        seen = Recording.seen[0][0] if isinstance(target, tuple) else Recording.seen[0]
        assert len(seen) == rows


def test_bagging_and_calibration_pass_the_target_on(routing, domains, recording):
    X, y, X_tgt = domains
    bagged = BaggingClassifier(recording, n_estimators=2, random_state=0)
    assert bagged.fit(X, y, X_tgt=(X_tgt,)).predict(X_tgt).shape == (len(X_tgt),)
    calibrated = CalibratedClassifierCV(recording, cv=3).fit(X, y, X_tgt=(X_tgt,))
    assert calibrated.predict_proba(X_tgt).shape == (len(X_tgt), 3)
    assert seen_rows() == [len(X_tgt)] * 5


def test_a_column_transformer_on_dataframes(routing, domains, recording):
    X, y, X_tgt = domains
    frames = [pd.DataFrame(rows, columns=list("abcde")) for rows in (X, X_tgt)]
    for frame in frames:
        frame["site"] = np.where(np.arange(len(frame)) % 2, "north", "south")
    columns = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore"), ["site"]), remainder=StandardScaler()
    )
    pipe = make_pipeline(columns, recording, transform_input=["X_tgt"])
    pipe.fit(frames[0], y, X_tgt=(frames[1],))
    assert Recording.seen[0][0].shape == (len(X_tgt), 7)
    assert pipe.predict(frames[1]).shape == (len(X_tgt),)


def test_without_transform_input_the_unscaled_target_draws_a_warning(routing, blobs):
    X, y, X_tgt = blobs
    pipe = make_pipeline(StandardScaler(), DANNClassifier(lambda_max=1.0, max_epochs=1))
    with pytest.warns(TargetScaleWarning, match="transform_input"):
        pipe.fit(100 + 50 * X, y, X_tgt=(100 + 50 * X_tgt,))


# -- the same without routing, where scikit-learn allows it ----------------------------------


def test_without_routing_cross_validation_and_search_pass_the_target(domains, recording):
    X, y, X_tgt = domains
    cross_val_score(recording, X, y, params={"X_tgt": (X_tgt,)}, cv=3)
    GridSearchCV(recording, {"lr": [0.01, 0.001]}, cv=3).fit(X, y, X_tgt=(X_tgt,))
    assert seen_rows() == [len(X_tgt)] * 10


def test_without_routing_a_pipeline_takes_the_target_by_the_steps_name(domains, recording):
    X, y, X_tgt = domains
    target = StandardScaler().fit(X).transform(X_tgt)
    pipe = Pipeline([("scale", StandardScaler()), ("dann", recording)])
    pipe.fit(X, y, dann__X_tgt=(target,))
    np.testing.assert_allclose(Recording.seen[0][0], target)


def test_without_routing_calibration_passes_the_target(domains, recording):
    X, y, X_tgt = domains
    CalibratedClassifierCV(recording, cv=3).fit(X, y, X_tgt=(X_tgt,))
    assert seen_rows() == [len(X_tgt)] * 3


# -- every parameter -------------------------------------------------------------------------

FEW = {"lambda_max": 1.0, "hidden_layer_sizes": (10,), "max_epochs": 3, "random_state": 0}

# Another value of each, and what else must be set before it can matter.
OTHER_VALUES = {
    "hidden_layer_sizes": ((4, 3), {}),
    "activation": ("tanh", {}),
    "dropout": (0.1, {}),
    "label_predictor": ((3,), {}),
    "domain_classifier": ((), {}),
    "feature_extractor": (partial(nn.Linear, out_features=10), {}),
    "input_scaling": ("domain", {}),
    "lambda_max": (0, {}),
    "conditioning": ("multilinear", {}),
    "domain_label_smoothing": (0.1, {}),
    "target_information": (0.5, {}),
    "label_shift": ([0.2, 0.2, 0.6], {}),
    "lambda_schedule": ("constant", {}),
    "optimizer": ("sgd", {}),
    "lr": (0.01, {}),
    "lr_schedule": ("annealed", {}),
    "weight_decay": (0.1, {}),
    "batch_size": (8, {}),
    "max_epochs": (2, {}),
    "n_members": (2, {}),
    "class_weight": ({0: 1.0, 1: 1.0, 2: 5.0}, {}),
    "early_stopping": (True, {}),
    "validation_fraction": (0.4, {"early_stopping": True}),
    "n_iter_no_change": (1, {"early_stopping": True, "max_epochs": 60, "lr": 0.03}),
    "warm_start": (True, {}),
    "callbacks": ([GradientNormClipping(1e-3)], {"optimizer": "sgd"}),
    "random_state": (1, {}),
}

# The weight of target labels has one if there are any: see test_target_labels.py.
WITHOUT_EFFECT_ON_PREDICTIONS = {
    *("checkpoint_dir", "device", "n_jobs", "target_label_weight", "verbose"),
}


def test_the_table_names_every_parameter():
    assert (
        OTHER_VALUES.keys() | WITHOUT_EFFECT_ON_PREDICTIONS == DANNClassifier().get_params().keys()
    )


@pytest.mark.parametrize("name", OTHER_VALUES)
def test_every_parameter_reaches_the_training(blobs, name):
    X, y, X_tgt = blobs
    value, needed = OTHER_VALUES[name]
    base = DANNClassifier(**{**FEW, **needed})
    changed = clone(base).set_params(**{name: value})
    predictions = []
    for one in (base, changed):
        one.fit(X, y, X_tgt).fit(X, y, X_tgt)  # twice, for the sake of warm_start
        predictions.append(one.predict_proba(X_tgt))
    assert not np.allclose(*predictions, atol=1e-6)


def test_device_and_verbose_reach_the_training(blobs, capsys):
    with pytest.raises(ValueError, match="device"):
        DANNClassifier(device="no such device", **FEW).fit(*blobs)
    DANNClassifier(verbose=1, **FEW).fit(*blobs)
    assert "100%" in capsys.readouterr().err


def test_a_search_finds_the_better_value(blobs):
    X, y, X_tgt = blobs
    grid = {"lr": [1e-9, 0.03], "max_epochs": [1, 10]}
    search = GridSearchCV(DANNClassifier(**FEW), grid, cv=2, error_score="raise")
    search.fit(X, y, X_tgt=(X_tgt,))
    assert search.best_params_ == {"lr": 0.03, "max_epochs": 10}
    assert search.best_score_ > 0.8 and search.best_estimator_.n_iter_ == 10
