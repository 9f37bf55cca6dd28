"""What happened in a fit: the few facts that a reader wants to see first."""

from __future__ import annotations

import math
from typing import Any

_MOST_CLASSES = 10  # whose shares are listed


def facts_of(estimator: Any) -> list[tuple[str, str]]:
    """Return what happened in the fit of a classifier, as titles and texts.

    Parameters
    ----------
    estimator : DANNClassifier, DANNClassifierCV, or Pipeline whose last step counts

    Returns
    -------
    list of (str, str)
        Empty if it is not fitted, or another estimator.
    """
    if getattr(estimator, "steps", None):
        estimator = estimator.steps[-1][1]
    fitted = getattr(estimator, "best_estimator_", estimator)
    if not hasattr(fitted, "lambda_max_"):
        return []
    facts = [*_rows(fitted), ("Adapted", _decision(estimator, fitted))]
    if hasattr(estimator, "verdict_"):
        facts.append(("Verdict", estimator.verdict_))
    facts.append(("Lambda", f"{fitted.lambda_max_:g}"))
    facts.append(("Input scaling", str(fitted.input_scaling_)))
    facts += _shares(fitted)
    n_members = len(fitted.net_.members_)
    if n_members > 1:
        facts.append(("Networks", f"{n_members}; losses and accuracy are means over them"))
    return facts + _last_epoch(fitted)


def _rows(fitted: Any) -> list[tuple[str, str]]:
    n_source, *n_targets = (f"{n:,}" for n in fitted._n_rows)
    targets = " + ".join(n_targets)
    if len(n_targets) > 1:
        targets += f" rows of {len(n_targets)} domains"
    return [
        ("Source", f"{n_source} rows with labels of {len(fitted.classes_)} classes"),
        ("Target", f"{targets} rows" if len(n_targets) == 1 else targets or "none"),
    ]


def _decision(estimator: Any, fitted: Any) -> str:
    """Return whether it adapts, and who decided that."""
    if hasattr(estimator, "adapted_"):
        if estimator.adapted_ and fitted.lambda_max_ == 0:
            return "yes, by choice, through the input scaling alone"
        return "yes, by choice" if estimator.adapted_ else "no, by choice"
    if fitted.n_domains_ == 1:
        return "no: fit got no target"
    if fitted.lambda_max_ > 0:
        return "yes: lambda was given"
    return "no: lambda is 0"


def _shares(fitted: Any) -> list[tuple[str, str]]:
    shares = fitted.target_shares_
    if shares is None or len(shares) > _MOST_CLASSES:
        return []
    pairs = zip(fitted.classes_.tolist(), shares, strict=True)
    said = ", ".join(f"{label}: {share:.2f}" for label, share in pairs)
    return [("Target shares in use", said)]


def _last_epoch(fitted: Any) -> list[tuple[str, str]]:
    """Return the last figures of `history_`."""
    last = fitted.history_[-1]
    epochs = f"{fitted.n_iter_}; what follows is of the last"
    facts = [("Epochs", epochs), ("Label loss", f"{last['label_loss']:.3f}")]
    if "domain_loss" in last:
        two = fitted.n_domains_ == 2
        by_chance = f" ({math.log(2):.3f} by chance)" if two else ""
        facts.append(("Domain loss", f"{last['domain_loss']:.3f}{by_chance}"))
        by_chance = " (0.5 by chance)" if two else ""
        facts.append(("Domain accuracy", f"{last['domain_accuracy']:.3f}{by_chance}"))
    return facts
