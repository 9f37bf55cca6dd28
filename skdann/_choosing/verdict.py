"""The verdict: what was decided and why, in words for a data scientist."""

import numpy as np

from skdann._choosing import gain_model

# How a signal's gain is said: its name, what it is multiplied by, and its unit.
_SAID = {
    "reverse_validation": ("reverse validation", 100, "points"),
    "reverse_probability": ("reverse probability", 100, "points"),
    "info_max": ("information", 1, "nats"),
    "agreement": ("agreement with the other candidates", 100, "points"),
}


def verdict_of(choice, signals, names):
    """Return what was decided, how sure it is, and what came closest.

    Parameters
    ----------
    choice : Choice
        From a pool.
    signals : Signals
    names : list of str
        The candidates as a user would write them; the first is the baseline.
    """
    best = choice.index
    if best == 0:
        return _not_adapted(choice, signals, names)
    others = len(choice.ranking) - 1
    also = f" {others} more would do too." if others else ""
    return (
        f"Adapted: {names[best]} replaces {names[0]}. {_gain(choice, best)} "
        f"{_evidence(signals, best)}{also}"
    )


def _not_adapted(choice, signals, names):
    stays = f"Not adapted: {names[0]} stays, without adaptation."
    if len(names) == 1:
        return f"{stays} There is no other candidate."
    closest = 1 + int(np.argmax(choice.expected[1:]))
    if choice.expected[closest] > gain_model.LEAST_GAIN:
        refused = (
            f"more than {100 * gain_model.LEAST_BOUND:g} points in nine of ten cases is needed"
        )
    else:
        refused = f"more than {100 * gain_model.LEAST_GAIN:g} points are needed"
    return (
        f"{stays} {names[closest]} comes closest. {_gain(choice, closest)} It is refused because "
        f"{refused}. {_evidence(signals, closest)} A few labelled target rows would show more than "
        "any evidence without labels; give a lambda_max to adapt all the same."
    )


def _gain(choice, i):
    return (
        f"Its expected gain in target accuracy is {100 * choice.expected[i]:+.1f} points, in nine "
        f"of ten such cases more than {100 * choice.bound[i]:+.1f}."
    )


def _evidence(signals, i):
    said = []
    for name, (words, factor, unit) in _SAID.items():
        gain, error = signals.gains[name][i], signals.errors[name][i]
        digits = 1 if factor > 1 else 2
        said.append(f"{words} {factor * gain:+.{digits}f} {unit} (+-{factor * error:.{digits}f})")
    return f"Evidence: {', '.join(said)}."


def verdict_by_signal(choice, signals, name, names):
    """Return what was decided by a single signal."""
    means = signals.of_fold[name].mean(axis=1)
    best = choice.index
    return f"{names[best]} has the best {name}, {means[best]:.3f}; {names[0]} has {means[0]:.3f}."
