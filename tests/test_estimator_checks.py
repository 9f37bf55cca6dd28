"""The public checks pass on ours, and each turns red on the fault that it is for."""

import pickle

import numpy as np
import pytest
import torch
from sklearn.base import clone

from skdann import DANNClassifier, DANNClassifierCV, estimator_checks
from skdann._network import network as _network
from skdann._training import net as _training
from skdann._training import stacked_objective as _stacked
from skdann._training.autograd_objective import Strengths
from skdann._training.optimizers import JointAdam
from skdann.estimator_checks import (
    check_domain_adversarial_estimator,
    domain_adversarial_checks,
    with_target,
)

# The check of the paper's moons trains for as long as it is told: this is enough of a gain.
QUICK = {"max_epochs": 100, "lr": 0.003}


@pytest.mark.parametrize("check", domain_adversarial_checks(), ids=lambda check: check.__name__)
def test_our_classifier_passes(check):
    check(DANNClassifier(**QUICK))


def test_one_call_runs_all_of_them(monkeypatch):
    called = []

    def check(estimator):
        called.append(estimator)
        assert len(called) < 3, "the third fails"

    monkeypatch.setattr(estimator_checks, "domain_adversarial_checks", lambda: [check] * 4)
    estimator = DANNClassifier(**QUICK)
    with pytest.raises(AssertionError, match="the third fails"):
        check_domain_adversarial_estimator(estimator)
    assert len({id(one) for one in (estimator, *called)}) == 4  # a clone for each
    assert all(one.get_params() == estimator.get_params() for one in called)


# -- with a target ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "estimator",
    [
        DANNClassifier(lambda_max=0.5, max_epochs=1),
        DANNClassifierCV((0, 1), ["source"], cv=2, estimator=DANNClassifier(max_epochs=1)),
    ],
    ids=lambda estimator: type(estimator).__name__,
)
def test_with_target_takes_the_rows_as_the_target_where_there_is_none(estimator, blobs):
    X, y, X_tgt = blobs
    checked = with_target(estimator)
    assert type(checked).__name__ == f"{type(estimator).__name__}WithTarget"
    assert isinstance(checked, type(estimator)) and type(clone(checked)) is type(checked)
    for given, target in ((), X), ((X_tgt,), X_tgt):
        fitted, plain = (
            one.set_params(random_state=0).fit(X, y, *rows)
            for one, rows in ((checked, given), (clone(estimator), (target,)))
        )
        assert fitted.n_domains_ == 2
        np.testing.assert_array_equal(fitted.predict_proba(X), plain.predict_proba(X))
    copied = pickle.loads(pickle.dumps(fitted))
    assert type(copied) is type(checked)
    np.testing.assert_array_equal(copied.predict_proba(X), fitted.predict_proba(X))


def test_with_target_also_passes_it_to_partial_fit(blobs):
    X, y, _ = blobs
    assert with_target(DANNClassifier(lambda_max=1.0)).partial_fit(X, y).n_domains_ == 2
    assert not hasattr(with_target(DANNClassifierCV()), "partial_fit")


# -- faults ----------------------------------------------------------------------------------


def dead_domain_head(monkeypatch):
    """Plant what a peer ships: a softmax over one logit, through which no gradient comes."""

    def domain_logits(self, embedding, generator=None, label_logits=None):
        one = self.domain_classifier(embedding)[:, :1]
        return torch.cat([one, one], dim=1)

    monkeypatch.setattr(_network.DomainAdversarialNetwork, "domain_logits", domain_logits)
    gradient = _stacked.StackedObjective._domain_gradient
    dead = lambda *args: torch.zeros_like(gradient(*args))  # noqa: E731
    monkeypatch.setattr(_stacked.StackedObjective, "_domain_gradient", dead)


def no_reversal(monkeypatch):
    monkeypatch.setattr(_network, "reverse_gradient", lambda x, coefficient: x)
    kept = _stacked.StackedObjective.adversarial

    def as_is(self, batch, strengths):
        return kept(self, batch, strengths._replace(reversal=-strengths.reversal))

    monkeypatch.setattr(_stacked.StackedObjective, "adversarial", as_is)


def lambda_ignored(monkeypatch):
    monkeypatch.setattr(_training.AdversarialNet, "_lambda_factor", lambda self, progress: 0.0)
    nothing = Strengths(torch.zeros(1), torch.zeros(1))
    of_batch = lambda self, batch: self.adversarial(batch, nothing)  # noqa: E731
    monkeypatch.setattr(_stacked.StackedObjective, "source_only", of_batch)


def global_dropout(monkeypatch):
    draw = lambda masks, share, generators: masks.bernoulli_(1 - share).div_(1 - share)  # noqa: E731
    monkeypatch.setattr(_stacked, "draw_keep_masks_", draw)


def target_in_the_source_order(monkeypatch):
    kept = _stacked.StackedObjective.source_only

    def source_only(self, batch):
        if batch.domain is not None:
            self._label_dropout[0].manual_seed(0)
        return kept(self, batch)

    monkeypatch.setattr(_stacked.StackedObjective, "source_only", source_only)


@pytest.mark.parametrize(
    ("fault", "check"),
    [
        (dead_domain_head, "check_domain_classifier_is_alive"),
        (dead_domain_head, "check_shifted_column_is_unlearned"),
        (no_reversal, "check_shifted_column_is_unlearned"),
        (lambda_ignored, "check_moons_gain"),
        (lambda_ignored, "check_lambda_changes_the_features"),
        (global_dropout, "check_global_random_state_untouched"),
        (target_in_the_source_order, "check_lambda_zero_is_source_only"),
    ],
)
def test_a_planted_fault_turns_its_check_red(monkeypatch, fault, check):
    fault(monkeypatch)
    with pytest.raises(AssertionError):
        getattr(estimator_checks, check)(DANNClassifier(**QUICK))


class Leaky(DANNClassifier):
    """Sets an attribute before it has checked its input."""

    def fit(self, X, y, X_tgt=None, *, sample_weight=None):
        self.n_rows_ = len(X)
        if hasattr(self, "module_"):
            for parameter in self.module_.parameters():
                parameter.data.mul_(0.5)
        return super().fit(X, y, X_tgt, sample_weight=sample_weight)


class Remembering(DANNClassifier):
    """Lets the first fit show through in the second."""

    def fit(self, X, y, X_tgt=None, *, sample_weight=None):
        self.set_params(warm_start=hasattr(self, "module_"))
        return super().fit(X, y, X_tgt, sample_weight=sample_weight)


class FirstRowOnly(DANNClassifier):
    """Misreads a tuple of targets."""

    def fit(self, X, y, X_tgt=None, *, sample_weight=None):
        target = X_tgt[0][:1] if isinstance(X_tgt, tuple) else X_tgt
        return super().fit(X, y, target, sample_weight=sample_weight)


class Forgetful(DANNClassifier):
    """Loses its weights on the way through a pickle."""

    def __setstate__(self, state):
        super().__setstate__(state)
        for parameter in self.module_.parameters():
            parameter.data.zero_()


@pytest.mark.parametrize(
    ("faulty", "check"),
    [
        (Leaky, "check_rejected_call_changes_nothing"),
        (Remembering, "check_fit_twice_equals_once"),
        (FirstRowOnly, "check_target_row_order_and_type"),
        (Forgetful, "check_copies_predict_the_same"),
    ],
)
def test_a_faulty_subclass_turns_its_check_red(faulty, check):
    with pytest.raises(AssertionError):
        getattr(estimator_checks, check)(faulty())


def test_a_batch_that_does_not_fit_and_one_target_row_would_be_noticed(monkeypatch):
    kept = _training.AdversarialNet.outputs
    nothing = lambda *args, **how: np.full_like(kept(*args, **how), np.nan, float)  # noqa: E731
    monkeypatch.setattr(_training.AdversarialNet, "outputs", nothing)
    with pytest.raises((AssertionError, ValueError)):  # a fit looks at its outputs itself
        estimator_checks.check_domains_of_very_different_size(DANNClassifier())
    monkeypatch.undo()
    monkeypatch.setattr(JointAdam, "step", lambda self: None)
    with pytest.raises(AssertionError):
        estimator_checks.check_batch_larger_than_data(DANNClassifier(dropout=0.0))
