"""Numbers at the limits: finite weights and probabilities, or the documented error."""

import numpy as np
import pytest

from skdann import DANNClassifier

SCALINGS = [None, "auto", "source", "both", "domain", "balanced"]
N = 40


def pair(seed=0, n=N, width=3, n_classes=2):
    """Source rows, labels and target rows; a class is a shift of the first column."""
    rng = np.random.default_rng(seed)
    y = np.arange(n) % n_classes
    X = rng.normal(size=(n, width))
    X[:, 0] += 2.0 * (y - y.mean()) / max(1, n_classes - 1)
    return X, y, X[::-1] + 0.3


def with_column(X, y, X_tgt, column, column_tgt):
    return np.c_[X, column], y, np.c_[X_tgt, column_tgt]


def _large(X, y, X_tgt):
    return 1e6 * X, y, 1e6 * X_tgt


def _small(X, y, X_tgt):
    return 1e-6 * X, y, 1e-6 * X_tgt


def _tiny(X, y, X_tgt):
    return 1e-42 * X, y, 1e-42 * X_tgt


def _huge(X, y, X_tgt):
    return 1e37 * X, y, 1e37 * X_tgt


def _both_sizes(X, y, X_tgt):
    return X * [1e-6, 1e6, 1.0], y, X_tgt * [1e-6, 1e6, 1.0]


def _constant(X, y, X_tgt):
    return with_column(X, y, X_tgt, np.full(len(X), 7.0), np.full(len(X_tgt), 7.0))


def _constant_in_source(X, y, X_tgt):
    return with_column(X, y, X_tgt, np.zeros(len(X)), np.arange(len(X_tgt)))


def _constant_in_target(X, y, X_tgt):
    return with_column(X, y, X_tgt, np.arange(len(X)), np.full(len(X_tgt), -3.0))


def _all_constant(X, y, X_tgt):
    return np.ones_like(X), y, np.ones_like(X_tgt)


def _offset(X, y, X_tgt):
    return X + 1e4, y, X_tgt + 1e4


def _duplicates(X, y, X_tgt):
    return np.repeat(X[:4], len(X) // 4, axis=0), np.repeat(y[:4], len(X) // 4), X_tgt[[0] * N]


def _same_row_both_labels(X, y, X_tgt):
    return X[[0] * len(X)], y, X_tgt


def _far_target(X, y, X_tgt):
    return X, y, X_tgt + 1e6


def _one_target_row(X, y, X_tgt):
    return X, y, X_tgt[:1]


def _one_column(X, y, X_tgt):
    return X[:, :1], y, X_tgt[:, :1]


def _two_rows(X, y, X_tgt):
    return X[:2], y[:2], X_tgt[:2]


def _wide(X, y, X_tgt):
    return np.tile(X, 50), y, np.tile(X_tgt, 50)


def _classes_of_one_row(X, y, X_tgt):
    return X[:8], np.arange(8), X_tgt


def _float32_extremes(X, y, X_tgt):
    limits = np.finfo(np.float32)
    column = np.where(y == 1, limits.max, limits.tiny)
    return with_column(X, y, X_tgt, column, column[::-1])


def _imbalanced(X, y, X_tgt):
    return X, (np.arange(len(X)) == 0).astype(int), X_tgt


PROBLEMS = {
    "large": _large,
    "small": _small,
    "tiny": _tiny,
    "huge": _huge,
    "both sizes": _both_sizes,
    "constant": _constant,
    "constant in source": _constant_in_source,
    "constant in target": _constant_in_target,
    "all constant": _all_constant,
    "offset": _offset,
    "duplicates": _duplicates,
    "same row both labels": _same_row_both_labels,
    "far target": _far_target,
    "one target row": _one_target_row,
    "one column": _one_column,
    "two rows": _two_rows,
    "wide": _wide,
    "classes of one row": _classes_of_one_row,
    "float32 extremes": _float32_extremes,
    "imbalanced": _imbalanced,
}


QUICK = ("large", "tiny", "constant in source", "far target", "classes of one row", "two rows")


def check(clf, X, y, X_tgt):
    """Fit and check that weights and probabilities are finite; return False for a refusal."""
    try:
        clf.fit(X, y, X_tgt)
    except ValueError as error:
        assert "became NaN or infinite" in str(error), error
        assert not hasattr(clf, "classes_")
        return False
    for value in clf.module_.state_dict().values():
        assert value.isfinite().all()
    for rows in (X, X_tgt):
        proba = clf.predict_proba(rows)
        assert np.isfinite(proba).all() and np.abs(proba.sum(axis=1) - 1).max() < 1e-5
        assert np.isfinite(clf.transform(rows)).all()
    return True


def classifier(**parameters):
    given = {"hidden_layer_sizes": (8,), "domain_classifier": (8,), "max_epochs": 3}
    return DANNClassifier(**{**given, "random_state": 0, **parameters})


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("scaling", SCALINGS)
@pytest.mark.parametrize("problem", PROBLEMS)
def test_hard_numbers_give_finite_networks(problem, scaling):
    X, y, X_tgt = PROBLEMS[problem](*pair())
    worked = check(classifier(lambda_max=1.0, input_scaling=scaling), X, y, X_tgt)
    # Rows of a size near float32's largest number overflow in an unscaled network.
    large = problem in ("huge", "float32 extremes")
    assert worked or (large and scaling is None), "refused"


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "problem",
    [*QUICK, *(pytest.param(one, marks=pytest.mark.slow) for one in PROBLEMS if one not in QUICK)],
)
def test_a_choice_among_hard_numbers_is_finite(problem):
    X, y, X_tgt = PROBLEMS[problem](*pair())
    assert check(classifier(max_epochs=1), X, y, X_tgt)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
@pytest.mark.parametrize("problem", ["large", "constant", "duplicates", "far target", "one column"])
@pytest.mark.parametrize(
    "parameters",
    [{"lambda_max": 100.0}, {"lr": 10.0}, {"lr": 10.0, "lambda_max": 100.0}, {"n_members": 3}],
    ids=str,
)
def test_strong_adversaries_and_large_steps_end_or_are_refused(problem, optimizer, parameters):
    X, y, X_tgt = PROBLEMS[problem](*pair())
    clf = classifier(**{"lambda_max": 1.0, "optimizer": optimizer, **parameters})
    worked = check(clf, X, y, X_tgt)
    assert worked or "lr" in parameters or parameters.get("lambda_max") == 100.0


@pytest.mark.filterwarnings("ignore")
def test_a_step_that_overflows_is_refused_though_no_loss_has_seen_it():
    X, y, X_tgt = pair()
    steps = {"max_epochs": 1, "batch_size": N, "optimizer": "sgd", "lr": 1e15}
    clf = classifier(lambda_max=1.0, hidden_layer_sizes=(8, 8, 8), activation="identity", **steps)
    with pytest.raises(ValueError, match=r"became NaN or infinite\. .* \(lower lr\)"):
        clf.fit(X, y, X_tgt)
    assert not hasattr(clf, "classes_")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "n_rows, lambda_max", [(1000, 1.0), pytest.param(2000, "auto", marks=pytest.mark.slow)]
)
def test_a_thousand_classes(n_rows, lambda_max):
    X, y, X_tgt = pair(n=n_rows, n_classes=1000)
    assert check(classifier(lambda_max=lambda_max, max_epochs=1), X, y, X_tgt[:50])


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("class_weight", [None, "balanced"])
@pytest.mark.parametrize("label_shift", [None, "estimate"])
def test_one_row_of_a_class_among_a_thousand(class_weight, label_shift):
    X, _, X_tgt = pair(n=1001)
    y = (np.arange(1001) == 5).astype(int)
    clf = classifier(lambda_max=1.0, class_weight=class_weight, label_shift=label_shift)
    assert check(clf, X, y, X_tgt)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
@pytest.mark.parametrize("lambda_max", [0.0, 1.0, 100.0])
@pytest.mark.parametrize("scaling", SCALINGS)
@pytest.mark.parametrize("problem", PROBLEMS)
def test_hard_numbers_for_many_epochs(problem, scaling, lambda_max, optimizer):
    X, y, X_tgt = PROBLEMS[problem](*pair())
    parameters = {"lambda_max": lambda_max, "input_scaling": scaling, "optimizer": optimizer}
    check(classifier(max_epochs=60, **parameters), X, y, X_tgt)


@pytest.mark.parametrize("method", ["predict", "predict_proba", "decision_function"])
def test_rows_that_overflow_are_refused_by_predictions(method):
    X, y, X_tgt = pair()
    clf = classifier(lambda_max=1.0, input_scaling=None).fit(X, y, X_tgt)
    for value in clf.module_.parameters():
        value.data *= 1e3
    with pytest.raises(ValueError, match=r"X has values so large that .* not finite"):
        getattr(clf, method)(1e37 * X)
