"""The rule of choice: learned from pairs with known target labels, judged on sets left out.

    python benchmarks/choice_cases.py --cache FOLDER [--seeds 3] ...
    python benchmarks/learn_choice.py --cache FOLDER [--seeds 3] [--kinds ...] [--output FILE.md]

The first command trains the candidates of every pair. The second learns the two sums of
`skdann/_choosing/gain_model.py` from them, and prints

- what the rule gains and harms on every data set, with sums learned from the *other* data sets,
- the same for the rule before this one, for single scores, and with one thing changed,
- the numbers learned from all data sets, which gain_model.py holds.

Target labels are used to learn from the other data sets, and to score.
"""

import argparse
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import numpy as np
from choice_cases import Case, cases, make_parser, write
from scipy import sparse
from scipy.optimize import linprog, nnls
from target_accuracy import markdown, points

from skdann._choosing import gain_model
from skdann._choosing.calibration import calibrated
from skdann._choosing.choice import in_stages
from skdann._choosing.gain_model import EVIDENCE, GainModel, evidence
from skdann._choosing.rule import choose_from_search
from skdann._choosing.signals import pool_signals

# Pairs that are learned from; the other kinds only test.
LEARN_FROM = "real", "made", "units", "10/90"

# A pair gains or loses so much by adaptation that a few would decide: gains are cut here.
LARGEST_GAIN = 0.15
LARGEST_LOSS = 0.5  # for the lower bound

# A pair's weight grows with its rows to score on, up to 1; a real pair counts twice.
HALF_WEIGHT_ROWS, REAL_WEIGHT = 100, 2.0
RIDGE = 0.03  # times the number of candidates, on pieces of unit size
QUANTILE = 0.1


# -- learning --------------------------------------------------------------------------------


def learned(from_cases: list[Case], names: Iterable[str] = tuple(EVIDENCE)) -> GainModel:
    """Return the two sums: least squares with a ridge, and a quantile, all weights >= 0."""
    names = list(names)
    X, gain, weight = candidates_of(from_cases, [one.pieces for one in from_cases], names)
    expected = non_negative_ridge(X, np.clip(gain, -LARGEST_GAIN, LARGEST_GAIN), weight)
    bound, constant = quantile(X, np.clip(gain, -LARGEST_LOSS, LARGEST_LOSS), weight)
    zeros = dict.fromkeys(EVIDENCE, 0.0)
    return GainModel(
        zeros | dict(zip(names, expected.tolist(), strict=True)),
        zeros | dict(zip(names, bound.tolist(), strict=True)),
        constant,
    )


def candidates_of(
    from_cases: list[Case], known: list[dict[str, np.ndarray]], names: list[str]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return what is known of all candidates but the baselines, their gains, and their weights."""
    X = np.concatenate([np.stack([of[n][1:] for n in names], axis=1) for of in known])
    gain = np.concatenate([one.both[1:] - one.both[0] for one in from_cases])
    weight = np.concatenate([np.full(len(one.both) - 1, weight_of(one)) for one in from_cases])
    return X, gain, weight


def weight_of(case: Case) -> float:
    return (
        case.n_test / (case.n_test + HALF_WEIGHT_ROWS) * (1 if case.kind == "made" else REAL_WEIGHT)
    )


def non_negative_ridge(X: np.ndarray, y: np.ndarray, weight: np.ndarray) -> np.ndarray:
    size = np.sqrt(np.mean(X**2, axis=0)) + 1e-9
    root = np.sqrt(weight)
    rows = np.concatenate([root[:, None] * X / size, np.sqrt(RIDGE * len(y)) * np.eye(X.shape[1])])
    return nnls(rows, np.concatenate([root * y, np.zeros(X.shape[1])]))[0] / size


def quantile(X: np.ndarray, y: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, float]:
    """Return weights >= 0 and a constant <= 0 of the quantile, by linear programming."""
    n_rows, n_pieces = X.shape
    ones, identity = sparse.csr_array(np.ones((n_rows, 1))), sparse.eye_array(n_rows)
    # y = X @ weights + constant + over - under, at the least cost of over and under.
    rows = sparse.hstack([sparse.csr_array(X), ones, identity, -identity])
    cost = np.concatenate(
        [np.full(n_pieces, 1e-6), [0.0], QUANTILE * weight, (1 - QUANTILE) * weight]
    )
    bounds = [(0, None)] * n_pieces + [(None, 0)] + [(0, None)] * (2 * n_rows)
    found = linprog(cost, A_eq=rows, b_eq=y, bounds=bounds, method="highs").x
    return found[:n_pieces], float(found[n_pieces])


def learned_for_search(from_cases: list[Case]) -> dict[str, float]:
    """Return the sum for searches, of means alone."""
    names = list(gain_model.SEARCH_GAIN)
    X, gain, weight = candidates_of(from_cases, [one.raw.gains for one in from_cases], names)
    found = non_negative_ridge(X, np.clip(gain, -LARGEST_GAIN, LARGEST_GAIN), weight)
    return dict(zip(names, found.tolist(), strict=True))


def leaving_one_out(
    all_cases: list[Case], learn: Callable[[list[Case]], Any], datasets: Iterable[str] = ()
) -> dict[str, Any]:
    """Return for each data set, or for some, what is learned from the cases of all others."""
    return {
        dataset: learn([one for one in all_cases if one.dataset != dataset])
        for dataset in datasets or sorted({one.dataset for one in all_cases})
    }


# -- rules -----------------------------------------------------------------------------------
#
# A rule takes a case and returns the chosen candidate and the number of candidates trained.

Rule = Callable[[Case], tuple[int, int]]


def staged(case: Case, models: dict[str, GainModel]) -> tuple[int, int]:
    """As `DANNClassifier` does: all candidates in one fold, the best in the second."""
    trained: list[int] = []

    def fit(which: list[int], stage: int) -> list[Any]:
        trained.extend(which)
        return [case.results[i][stage] for i in which]

    names = [str(one) for one in case.settings]
    _, _, choice = in_stages(case.data, case.folds, names, fit, models[case.dataset])
    return choice.index, len(trained)


def in_folds(case: Case, models: dict[str, GainModel], n_folds: int = 2) -> tuple[int, int]:
    """As `DANNClassifierCV` does: all candidates in all folds."""
    signals = case.signals
    if n_folds == 1:
        first = calibrated([one[:1] for one in case.results], case.data, case.folds[:1])
        signals = pool_signals(first, case.data, case.folds[:1])
    model, pieces = models[case.dataset], evidence(signals)
    return by_gain(model.expected_gain(pieces), model.lower_bound(pieces)), n_folds * len(case.both)


def by_gain(
    expected: np.ndarray,
    bound: np.ndarray,
    least: float = gain_model.LEAST_GAIN,
    least_bound: float = gain_model.LEAST_BOUND,
) -> int:
    passes = (expected > least) & (bound > least_bound)
    passes[0] = False
    return int(np.argmax(np.where(passes, expected, -1.0))) if passes.any() else 0


def at_thresholds(
    case: Case, models: dict[str, GainModel], least: float, least_bound: float
) -> tuple[int, int]:
    model, pieces = models[case.dataset], case.pieces
    gains = model.expected_gain(pieces), model.lower_bound(pieces)
    return by_gain(*gains, least, least_bound), 2 * len(case.both)


def conjunction(case: Case) -> tuple[int, int]:
    """The rule before this one: better by 1, 5 and 0 standard errors, in one fold."""
    signals = pool_signals([one[:1] for one in case.results], case.data, case.folds[:1])
    margins = {"reverse_validation": 1.0, "info_max": 5.0, "confidence": 0.0}
    beats = [signals.gains[n] > count * signals.errors[n] for n, count in margins.items()]
    means = {name: values.mean(axis=1) for name, values in signals.of_fold.items()}
    information = means["info_max"] / np.log(len(case.data.classes))
    score = means["reverse_validation"] + information + means["agreement"]
    passes = np.all(beats, axis=0)
    passes[0] = False
    index = int(np.argmax(np.where(passes, score, -1.0))) if passes.any() else 0
    return index, len(case.both)


def best_by(case: Case, name: str) -> tuple[int, int]:
    of_fold = case.raw.of_fold
    return int(np.argmax(of_fold[name].mean(axis=1))), 2 * len(case.both)


def by_search(case: Case, models: dict[str, dict[str, float]]) -> tuple[int, int]:
    of_fold = case.raw.of_fold
    means = {name: of_fold[name].mean(axis=1) for name in gain_model.SEARCH_GAIN}
    choice = choose_from_search(means, 0, models[case.dataset])
    return choice.index, 2 * len(case.both)


def fixed(case: Case, scaling: str, lambda_max: float) -> tuple[int, int]:
    for i, one in enumerate(case.settings):
        if (one["input_scaling"], one["lambda_max"]) == (scaling, lambda_max):
            return i, 0
    return 0, 0


def best(case: Case) -> tuple[int, int]:
    return int(np.argmax(case.accuracy)), 0


def rules(all_cases: list[Case]) -> dict[str, Rule]:
    of_all = leaving_one_out(all_cases, learned)
    of_search = leaving_one_out(
        [one for one in all_cases if one.kind in ("real", "made")], learned_for_search
    )
    made = [one for one in all_cases if one.kind == "made"]
    found: dict[str, Rule] = {
        "skdann, in two stages": partial(staged, models=of_all),
        "the same, all candidates in both folds": partial(in_folds, models=of_all),
        "the same, one fold": partial(in_folds, models=of_all, n_folds=1),
    }
    if made and len(made) < len(all_cases):
        of_made = leaving_one_out(made, learned)
        everyone = learned(made)
        of_made |= {one.dataset: everyone for one in all_cases if one.kind != "made"}
        found["learned from made pairs alone"] = partial(staged, models=of_made)
    found["choose_adaptation in a search"] = partial(by_search, models=of_search)
    found["the rule before: 1, 5 and 0 standard errors"] = conjunction
    for name in ("reverse_validation", "info_max", "agreement"):
        found[f"largest {name}"] = partial(best_by, name=name)
    for scaling, strength in (("both", 0.1), ("balanced", 0.0), ("balanced", 1.0)):
        found[f"always {scaling}, lambda {strength:g}"] = partial(
            fixed, scaling=scaling, lambda_max=strength
        )
    found["best candidate, by test labels"] = best
    return {name: remembered(rule) for name, rule in found.items()}


def remembered(rule: Rule) -> Rule:
    """Return the rule with a memory: tables ask the same again."""
    known: dict[int, tuple[int, int]] = {}

    def again(case: Case) -> tuple[int, int]:
        if id(case) not in known:
            known[id(case)] = rule(case)
        return known[id(case)]

    return again


def studies(all_cases: list[Case]) -> dict[str, Rule]:
    """Return rules with one thing changed, all candidates in both folds."""
    judged = sorted({one.dataset for one in all_cases if one.kind == "real"})
    of_all = leaving_one_out(all_cases, learned, judged)
    found: dict[str, Rule] = {}
    for least in (0.01, 0.02, 0.025, 0.03, 0.04, 0.06):
        found[f"expected gain above {least}"] = partial(
            at_thresholds, models=of_all, least=least, least_bound=gain_model.LEAST_BOUND
        )
    for bound in (-1.0, -0.06, -0.04, -0.02, 0.0):
        found[f"bound above {bound:g}"] = partial(
            at_thresholds, models=of_all, least=gain_model.LEAST_GAIN, least_bound=bound
        )
    for name in EVIDENCE:
        others = [one for one in EVIDENCE if one != name]
        models = leaving_one_out(all_cases, partial(learned, names=others), judged)
        found[f"without {name}"] = partial(in_folds, models=models)
    return found


# -- tables ----------------------------------------------------------------------------------

RULE = "skdann, in two stages"


def gain_table(of_kind: list[Case], by_rules: dict[str, Rule]) -> str:
    header = [
        *["chosen by", "gain, points", "pairs worse by over 1", "worst"],
        *["worst, over 500 target rows", "candidates trained"],
    ]
    groups = by_pair(of_kind)
    large = np.array([one[0].n_test > 500 for one in groups])
    rows = []
    for name, rule in by_rules.items():
        found = [[(one, *rule(one)) for one in group] for group in groups]
        gain = np.array([np.mean([c.accuracy[i] - c.accuracy[0] for c, i, _ in g]) for g in found])
        trained = np.mean([n for group in found for _, _, n in group])
        rows.append(
            [
                name,
                f"{100 * gain.mean():+.2f}",
                f"{np.mean(gain.round(6) < -0.01):.1%}",
                f"{100 * gain.min():.1f}",
                f"{100 * gain[large].min():.1f}" if large.any() else "",
                f"{trained:.1f}",
            ]
        )
    return markdown(header, rows)


def by_pair(of_kind: list[Case]) -> list[list[Case]]:
    """Return the cases of each pair: its seeds."""
    groups: dict[tuple[str, str], list[Case]] = {}
    for one in of_kind:
        groups.setdefault((one.dataset, one.name), []).append(one)
    return list(groups.values())


def set_table(of_kind: list[Case], by_rules: dict[str, Rule], names: list[str]) -> str:
    """Return mean accuracies of each data set: over pairs and seeds."""
    rows = []
    for dataset in sorted({one.dataset for one in of_kind}):
        of_set = [one for one in of_kind if one.dataset == dataset]
        line = [
            f"{dataset} ({len(by_pair(of_set))})",
            points(np.mean([c.accuracy[0] for c in of_set])),
        ]
        for name in names:
            chosen = [one.accuracy[by_rules[name](one)[0]] for one in of_set]
            line.append(points(float(np.mean(chosen))))
        rows.append(line)
    return markdown(["set (pairs)", "source only", *names], rows)


def pair_table(of_kind: list[Case], by_rules: dict[str, Rule]) -> str:
    """Return a line for each pair: means over the seeds, and what was chosen with each seed."""
    rows = []
    for group in by_pair(of_kind):
        chosen = [(one, by_rules[RULE](one)[0]) for one in group]
        names = ["; ".join(described(one.settings[i]) if i else "-" for one, i in chosen)]
        values = [
            np.mean([one.accuracy[0] for one in group]),
            np.mean([one.accuracy[i] for one, i in chosen]),
            np.mean([one.accuracy.max() for one in group]),
        ]
        rows.append([group[0].dataset, group[0].name, *map(points, values), *names])
    header = ["set", "pair", "source only", "skdann", "best candidate", "chosen with each seed"]
    return markdown(header, rows)


def described(settings: dict[str, Any]) -> str:
    return f"{settings['input_scaling']}, {settings['lambda_max']:g}"


def close_to_best(of_kind: list[Case], rule: Rule) -> str:
    """Say how often the rule comes within two points of the best candidate."""
    near = [one.accuracy[rule(one)[0]] >= one.accuracy.max() - 0.02 for one in of_kind]
    return f"Within two points of the best candidate: {np.mean(near):.0%} of {len(near)}."


def report(options: argparse.Namespace) -> str:
    all_cases = list(cases(options))
    learned_from = [one for one in all_cases if one.kind in LEARN_FROM]
    by_rules = rules(learned_from)
    counts = {kind: sum(one.kind == kind for one in all_cases) for kind in options.kinds}
    parts = [
        f"Cases: {counts}. Sums are learned from the data sets other than the one that is judged. "
        "A pair's gain is its mean over the seeds."
    ]
    for kind in options.kinds:
        of_kind = [one for one in all_cases if one.kind == kind]
        if not of_kind:
            continue
        parts.append(f"### Pairs: {kind}, {len(by_pair(of_kind))}")
        parts.append(gain_table(of_kind, by_rules))
        parts.append(close_to_best(of_kind, by_rules[RULE]))
        if kind != "made":
            parts.append(set_table(of_kind, by_rules, [RULE, [*by_rules][-1]]))
        if kind == "real":
            parts.append(pair_table(of_kind, by_rules))
    of_real = [one for one in all_cases if one.kind == "real"]
    if of_real:
        parts += ["### One thing changed, real pairs", gain_table(of_real, studies(learned_from))]
    unchanged = [one for one in all_cases if one.kind in ("real", "made")]
    model, search = learned(learned_from), learned_for_search(unchanged)
    parts += ["### Learned from all data sets", numbers(model, search)]
    return "\n\n".join(parts)


def numbers(model: GainModel, search: dict[str, float]) -> str:
    lines = [
        [name, f"{model.expected[name]:.3f}", f"{model.bound[name]:.3f}", meaning]
        for name, meaning in EVIDENCE.items()
    ]
    lines.append(["constant", "0", f"{model.constant:.3f}", ""])
    table = markdown(["evidence", "expected gain", "lower bound", "meaning"], lines)
    return f"{table}\n\nFor searches: { {name: round(value, 3) for name, value in search.items()} }"


def main() -> None:
    options = make_parser("Learn the rule of choice, and judge it.").parse_args()
    write(report(options), options)


if __name__ == "__main__":
    main()
