"""Checks that any domain-adversarial classifier should pass, beyond scikit-learn's.

scikit-learn's `check_estimator` can't know that a domain classifier is alive, that lambda
does something, or that lambda 0 is the source-only network. Run these on a subclass too::

    from skdann.estimator_checks import check_domain_adversarial_estimator
    check_domain_adversarial_estimator(MyClassifier())

Nor does it ever pass a target. `with_target` lets scikit-learn's checks train the adversary too::

    from skdann.estimator_checks import EXPECTED_FAILED_CHECKS, with_target
    from sklearn.utils.estimator_checks import check_estimator
    check_estimator(
        with_target(MyClassifier(lambda_max=1.0)), expected_failed_checks=EXPECTED_FAILED_CHECKS
    )
"""

from __future__ import annotations

import copy
import functools
import pickle
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from sklearn.base import clone

from skdann.datasets import make_rotated_moons, make_shifted_column
from skdann.exceptions import SourceOnlyWarning

__all__ = [
    "EXPECTED_FAILED_CHECKS",
    "check_domain_adversarial_estimator",
    "domain_adversarial_checks",
    "with_target",
]

_SHUFFLED = (
    "Training is by shuffled minibatches: a row repeated and a row of weight two take part in "
    "different batches, so the two fits agree in expectation but not to 1e-7."
)

EXPECTED_FAILED_CHECKS = {
    "check_sample_weight_equivalence_on_dense_data": _SHUFFLED,
    "check_sample_weight_equivalence_on_sparse_data": _SHUFFLED,
}
"""The ledger: scikit-learn's checks that can't pass, each with its reason."""


def with_target(estimator: Any) -> Any:
    """Return an estimator like the given one that takes `X` as its target if it gets none.

    scikit-learn's checks call ``fit(X, y)``. For a domain-adversarial estimator that is the
    network without adaptation: no domain classifier, no reversed gradient, no choice of lambda.
    What this returns passes `X` as `X_tgt` wherever `fit` or `partial_fit` got no target.

    Parameters
    ----------
    estimator : DANNClassifier or DANNClassifierCV
        Unfitted, or one of a class derived from them.

    Returns
    -------
    estimator : object
        Unfitted, with the same parameters. Its class derives from that of `estimator`, and
        ``WithTarget`` is added to the name. It can be cloned and pickled.

    See Also
    --------
    check_domain_adversarial_estimator : Checks that pass a target themselves.

    Examples
    --------
    >>> from skdann import DANNClassifier
    >>> from skdann.estimator_checks import with_target
    >>> checked = with_target(DANNClassifier(lambda_max=1.0, max_epochs=1))
    >>> checked.fit([[0.0], [1.0]], ["a", "b"]).n_domains_
    2

    >>> from sklearn.utils.estimator_checks import check_fit_score_takes_y
    >>> check_fit_score_takes_y("DANNClassifier", checked)
    """
    parameters = clone(estimator).get_params(deep=False)
    return _class_with_target(type(estimator))(**parameters)


@functools.cache
def _class_with_target(base):
    """Return the one subclass of `base` that takes `X` as its target: clones must share it."""
    methods = {
        name: _target_by_default(getattr(base, name))
        for name in ("fit", "partial_fit")
        if hasattr(base, name)
    }
    # pickle finds classes by name, and this one has none in any module.
    reduce = lambda self: (_blank_with_target, (base,), self.__getstate__())  # noqa: E731
    names = {"__module__": base.__module__, "__doc__": base.__doc__, "__reduce__": reduce}
    return type(f"{base.__name__}WithTarget", (base,), {**names, **methods})


def _target_by_default(method):
    """Return `fit` or `partial_fit` with `X` in place of a missing target."""

    @functools.wraps(method)  # scikit-learn reads the signature
    def with_target(self, X, y, X_tgt=None, **others):
        return method(self, X, y, X if X_tgt is None else X_tgt, **others)

    return with_target


def _blank_with_target(base):
    """Return what a pickle fills with its state."""
    cls = _class_with_target(base)
    return cls.__new__(cls)


def domain_adversarial_checks() -> list[Callable[[Any], None]]:
    """Return the checks, functions of one argument: an unfitted `DANNClassifier`.

    Returns
    -------
    list of callable
        Each raises an AssertionError that says what is wrong.

    See Also
    --------
    check_domain_adversarial_estimator : Runs them all.

    Examples
    --------
    >>> from skdann.estimator_checks import domain_adversarial_checks
    >>> domain_adversarial_checks()[0].__name__
    'check_lambda_zero_is_source_only'
    """
    return [
        check_lambda_zero_is_source_only,
        check_lambda_changes_the_features,
        check_domain_classifier_is_alive,
        check_shifted_column_is_unlearned,
        check_moons_gain,
        check_target_row_order_and_type,
        check_domains_of_very_different_size,
        check_batch_larger_than_data,
        check_copies_predict_the_same,
        check_fit_twice_equals_once,
        check_target_labels_are_learned,
        check_global_random_state_untouched,
        check_rejected_call_changes_nothing,
    ]


def check_domain_adversarial_estimator(estimator: Any) -> None:
    """Run all of `domain_adversarial_checks` on clones of `estimator`.

    Parameters
    ----------
    estimator : DANNClassifier
        Unfitted; with sizes and settings that can learn the two-column data of
        `skdann.datasets`.

    Raises
    ------
    AssertionError
        At the first check that fails.

    See Also
    --------
    domain_adversarial_checks : The checks one by one, for pytest.
    with_target : To run scikit-learn's own checks with a target.

    Examples
    --------
    For a class derived from `DANNClassifier` (it takes some ten seconds)::

        check_domain_adversarial_estimator(MyClassifier(lambda_max=1.0))

    What a check says of a classifier that does not adapt:

    >>> from skdann import DANNClassifier
    >>> from skdann.estimator_checks import check_domain_adversarial_estimator
    >>> check_domain_adversarial_estimator(DANNClassifier(lambda_max=0, max_epochs=5))
    ... # doctest: +ELLIPSIS
    Traceback (most recent call last):
    AssertionError: ...
    """
    for check in domain_adversarial_checks():
        check(clone(estimator))


def check_lambda_zero_is_source_only(estimator: Any) -> None:
    """Lambda 0 with a target, and no target at all, predict the same to the last bit."""
    X, y, X_tgt, _ = _moons()
    watched = _short(estimator, lambda_max=0).fit(X, y, X_tgt)
    alone = _short(estimator)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SourceOnlyWarning)
        alone.fit(X, y)
    _assert_same(watched.predict_proba(X_tgt), alone.predict_proba(X_tgt))
    _assert_same(watched.transform(X_tgt), alone.transform(X_tgt))


def check_lambda_changes_the_features(estimator: Any) -> None:
    """Lambda 1 gives another embedding than lambda 0."""
    X, y, X_tgt, _ = _moons()
    embeddings = [
        _short(estimator, lambda_max=lambda_max).fit(X, y, X_tgt).transform(X_tgt)
        for lambda_max in (0, 1)
    ]
    assert not np.allclose(*embeddings, rtol=1e-3), "lambda_max has no effect on the embedding"


def check_domain_classifier_is_alive(estimator: Any) -> None:
    """With lambda 0 the domain classifier tells shifted domains apart: it learns."""
    X, y, X_tgt, _ = make_shifted_column(n_samples=200, random_state=0)
    fitted = _short(estimator, lambda_max=0).fit(X, y, X_tgt)
    source, target = fitted.predict_domain_proba(X), fitted.predict_domain_proba(X_tgt)
    assert np.ptp(np.r_[source, target]) > 0.1, "the domain classifier's output is constant"
    assert target.mean() > source.mean() + 0.2, "the domain classifier does not learn"
    assert fitted.history_[-1]["domain_loss"] < 0.9 * np.log(2)


def check_shifted_column_is_unlearned(estimator: Any) -> None:
    """A linear unit that starts with equal weights drops the column that only names the domain."""
    X, y, X_tgt, _ = make_shifted_column(n_samples=500, random_state=0)
    unit = torch.nn.Linear(2, 1)
    torch.nn.init.ones_(unit.weight)
    torch.nn.init.zeros_(unit.bias)
    # Without weight decay: Adam would turn even a tiny one into full steps towards zero.
    estimator.set_params(feature_extractor=unit, lambda_max=1.0, lr=0.001, weight_decay=0.0)
    estimator.set_params(random_state=0)
    signal, shifted = np.abs(
        estimator.fit(X, y, X_tgt).module_.feature_extractor.weight.detach().numpy()[0]
    )
    assert shifted < 0.15 * signal, f"weights {signal:.3f} (signal), {shifted:.3f} (shifted)"


def check_moons_gain(estimator: Any) -> None:
    """On the paper's moons, turned by 35 degrees, the target gains from adaptation."""
    gains = []
    for seed in range(3):
        X, y, X_tgt, y_tgt = make_rotated_moons(random_state=seed)
        adapted, alone = (
            clone(estimator).set_params(lambda_max=m, random_state=seed).fit(X, y, X_tgt)
            for m in (_lambda_of(estimator), 0)
        )
        gains.append(adapted.score(X_tgt, y_tgt) - alone.score(X_tgt, y_tgt))
    assert np.median(gains) > 0.02, f"gains over three draws: {np.round(gains, 3)}"


def check_target_row_order_and_type(estimator: Any) -> None:
    """A tuple of one target is that target; lists and float64 mean what arrays mean."""
    X, y, X_tgt, _ = _moons()
    expected = _short(estimator).fit(X, y, X_tgt).predict_proba(X)
    for other in ((X_tgt,), X_tgt.tolist(), X_tgt.astype(np.float32)):
        _assert_same(_short(estimator).fit(X, y, other).predict_proba(X), expected)


def check_domains_of_very_different_size(estimator: Any) -> None:
    """One target row, and ten times as many target as source rows, both train."""
    X, y, X_tgt, _ = _moons()
    many = np.tile(X_tgt, (10, 1))
    for target in (X_tgt[:1], many):
        proba = _short(estimator).fit(X, y, target).predict_proba(X_tgt)
        assert np.isfinite(proba).all()


def check_batch_larger_than_data(estimator: Any) -> None:
    """A batch larger than either domain still trains."""
    X, y, X_tgt, _ = _moons()
    fitted = _short(estimator, batch_size=10_000, max_epochs=100).fit(X, y, X_tgt[:50])
    assert fitted.history_[-1]["label_loss"] < fitted.history_[0]["label_loss"]


def check_copies_predict_the_same(estimator: Any) -> None:
    """A pickle and a deep copy predict as the fitted estimator does; a clone is unfitted."""
    X, y, X_tgt, _ = _moons()
    fitted = _short(estimator).fit(X, y, X_tgt)
    expected = fitted.predict_proba(X_tgt)
    for other in (pickle.loads(pickle.dumps(fitted)), copy.deepcopy(fitted)):
        _assert_same(other.predict_proba(X_tgt), expected)
    assert not hasattr(clone(fitted), "classes_")


def check_fit_twice_equals_once(estimator: Any) -> None:
    """A second fit forgets the first."""
    X, y, X_tgt, _ = _moons()
    once = _short(estimator).fit(X, y, X_tgt)
    expected, epochs = once.predict_proba(X_tgt), once.n_iter_
    twice = once.fit(X, y, X_tgt)
    _assert_same(twice.predict_proba(X_tgt), expected)
    assert twice.n_iter_ == epochs == len(twice.history_)


def check_target_labels_are_learned(estimator: Any) -> None:
    """`y_tgt` moves the predictions towards it, and without any label it changes nothing."""
    X, y, X_tgt, y_tgt = _moons()
    expected = _short(estimator, lambda_max=0).fit(X, y, X_tgt)
    without = _short(estimator, lambda_max=0).fit(X, y, X_tgt, y_tgt=[None] * len(X_tgt))
    _assert_same(without.predict_proba(X_tgt), expected.predict_proba(X_tgt))
    swapped = 1 - y_tgt
    learned = _short(estimator, lambda_max=0).set_params(target_label_weight=1.0)
    learned.fit(X, y, X_tgt, y_tgt=swapped)
    before, after = (one.score(X_tgt, swapped) for one in (expected, learned))
    assert after > before, f"with y_tgt its labels are predicted no better: {before} -> {after}"


def check_global_random_state_untouched(estimator: Any) -> None:
    """`fit` neither uses nor changes the global random state of numpy and torch."""
    X, y, X_tgt, _ = _moons()
    results = []
    for seed in (1, 2):
        np.random.seed(seed)
        torch.manual_seed(seed)
        before = np.random.get_state()[1].copy(), torch.get_rng_state()
        results.append(_short(estimator).fit(X, y, X_tgt).predict_proba(X_tgt))
        assert (np.random.get_state()[1] == before[0]).all(), "numpy's state has changed"
        assert torch.equal(torch.get_rng_state(), before[1]), "torch's state has changed"
    _assert_same(*results)


def check_rejected_call_changes_nothing(estimator: Any) -> None:
    """After bad input the estimator predicts as before, and has no new attribute."""
    X, y, X_tgt, _ = _moons()
    fitted = _short(estimator).fit(X, y, X_tgt)
    expected, attributes = fitted.predict_proba(X_tgt), set(vars(fitted))
    for arguments in ((X, y, X_tgt[:, :1]), (X, y[:-1], X_tgt), (X * np.nan, y, X_tgt)):
        try:
            fitted.fit(*arguments)
        except ValueError:
            pass
        else:
            raise AssertionError("bad input was accepted")
    assert set(vars(fitted)) == attributes
    _assert_same(fitted.predict_proba(X_tgt), expected)


def _moons():
    return make_rotated_moons(n_samples=120, random_state=0)


def _short(estimator, **parameters):
    """Return a clone that adapts, trains for a few epochs, and has a fixed random state."""
    settings = {"max_epochs": 40, "random_state": 0, "lambda_max": _lambda_of(estimator)}
    return clone(estimator).set_params(**{**settings, **parameters})


def _lambda_of(estimator):
    """Return the estimator's lambda, or one that adapts where it is to be chosen."""
    return 1.0 if estimator.lambda_max == "auto" else estimator.lambda_max


def _assert_same(actual, desired):
    np.testing.assert_array_equal(actual, desired)
