"""What different scores choose among the candidates of `DANNClassifier`, on 64 real pairs.

    python benchmarks/choice_cases.py --cache FOLDER --kinds real made ... --seeds 3
    python benchmarks/selection.py --cache FOLDER --kinds real made ... --seeds 3 [--output FILE.md]

The first command trains the candidates. For each score the second prints the target accuracy that
the candidate with the best score gains over the network without adaptation. Other rows show the
rule of `DANNClassifier` and of `DANNClassifierCV` (with numbers learned without the pair's data
set, from the pairs of all `--kinds`), the rule before it, fixed settings, and the candidates that
target labels would choose.
"""

import argparse
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from choice_cases import Case, cases, make_parser, write
from learn_choice import LEARN_FROM, Rule, best, best_by, fixed, gain_table, rules, set_table
from shifted_data import shifted_pairs

from skdann.metrics import (
    batch_nuclear_norm,
    corr_c,
    deep_embedded_validation,
    density_ratio_weights,
    importance_weighted_accuracy,
    soft_neighborhood_density,
)

BY_LABELS, BEST = "labels of the target rows in fit", "labels of the test rows: the best candidate"
ON_TARGET = {
    "batch nuclear norm": batch_nuclear_norm,
    "Corr-C": corr_c,
    "soft neighbourhood density": soft_neighborhood_density,
}
SIGNALS = {
    "reverse validation": "reverse_validation",
    "InfoMax": "info_max",
    "entropy": "confidence",
    "agreement with the pool": "agreement",
    "source accuracy": "source_accuracy",
}
FIXED = [
    *(("as the baseline", strength) for strength in (0.1, 1.0)),
    *((how, strength) for how in ("both", "balanced", "denoised") for strength in (0.0, 0.1, 1.0)),
]

Score = Callable[[Any, np.ndarray], float]


def with_most(case: Case, score: Score) -> tuple[int, int]:
    """Return the candidate with the largest mean score over the folds."""
    rows = [held_out for _, held_out in case.folds]
    means = [np.mean([score(*one) for one in zip(of, rows, strict=True)]) for of in case.results]
    return int(np.argmax(means)), len(rows) * len(means)


def by_weighted(case: Case, ratios: dict[Any, np.ndarray], risk: bool) -> tuple[int, int]:
    """Score source rows, weighted by how much they look like target rows."""
    y, weights = case.data.y_source, ratios[case.dataset, case.name]

    def accuracy(fold: Any, rows: np.ndarray) -> float:
        predicted = fold.source_proba.argmax(axis=1)
        return importance_weighted_accuracy(y[rows], predicted, weights[rows]).score

    def minus_risk(fold: Any, rows: np.ndarray) -> float:
        of_label = fold.source_proba[np.arange(len(rows)), y[rows]]
        return -deep_embedded_validation(-np.log(np.maximum(of_label, 1e-7)), weights[rows])

    return with_most(case, minus_risk if risk else accuracy)


def as_baseline(case: Case, strength: float) -> tuple[int, int]:
    return fixed(case, case.settings[0]["input_scaling"], strength)


def all_rules(all_cases: list[Case], options: argparse.Namespace) -> dict[str, Rule]:
    ratios = {
        (pair.dataset, pair.name): density_ratio_weights(
            pair.X_src, pair.X_tgt, normalize=False, random_state=0
        )
        for pair in shifted_pairs("real", options.datasets)
    }
    kept = ("skdann", "the same, all", "choose_adaptation", "the rule before")
    found = {name: rule for name, rule in rules(all_cases).items() if name.startswith(kept)}
    found |= {name: partial(best_by, name=signal) for name, signal in SIGNALS.items()}
    found["importance-weighted accuracy"] = partial(by_weighted, ratios=ratios, risk=False)
    found["deep embedded validation"] = partial(by_weighted, ratios=ratios, risk=True)
    for name, score in ON_TARGET.items():
        found[name] = partial(with_most, score=lambda fold, rows, s=score: s(fold.target_proba))
    for how, strength in FIXED:
        rule: Rule = partial(fixed, scaling=how, lambda_max=strength)
        if how == "as the baseline":
            rule = partial(as_baseline, strength=strength)
        found[f"always {how}, lambda {strength:g}"] = rule
    found[BY_LABELS] = lambda case: (int(np.argmax(case.fit_accuracy)), 0)
    found[BEST] = best
    return found


def report(options: argparse.Namespace) -> str:
    all_cases = [one for one in cases(options) if one.kind in LEARN_FROM]
    found = all_rules(all_cases, options)
    real = [one for one in all_cases if one.kind == "real"]
    scope = (
        f"Seeds: {options.seeds}; two folds. The baseline has lambda 0; its columns are unscaled "
        "on the sparse data sets (reviews, spam) and scaled by the source on the others. A fixed "
        "setting that is no candidate of a pair counts as the baseline there."
    )
    chosen = ["skdann, in two stages", "reverse validation", "InfoMax", BY_LABELS, BEST]
    return "\n\n".join([scope, gain_table(real, found), set_table(real, found, chosen)])


def main() -> None:
    options = make_parser("Print what each score chooses.").parse_args()
    write(report(options), options)


if __name__ == "__main__":
    main()
