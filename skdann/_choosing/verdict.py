"""The verdict: what was decided and why, in words for a data scientist."""

import numpy as np

from skdann._choosing import gain_model

# How a signal's gain is said: what it measures, what it is multiplied by, digits and unit.
_SAID = {
    "reverse_validation": (
        "source labels found again by a network that has learned the target predictions "
        "(reverse validation)",
        (100, 1, " points"),
    ),
    "reverse_probability": ("the probability that it gives them", (100, 1, " points")),
    "info_max": ("how sure and varied the target predictions are (information)", (1, 2, " nats")),
    "agreement": ("agreement with the mean of all settings", (100, 1, " points")),
}


def verdict_of(choice, signals, names):
    """Return what was decided, how sure it is, what came closest, and what to do next, in lines.

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
        return "\n".join(_not_adapted(choice, signals, names))
    others = len(choice.ranking) - 1
    return "\n".join(
        [
            f"Adapted: {names[best]} replaces {names[0]}, the network trained on the source alone.",
            _gain(choice, best),
            *_evidence(signals, best),
            *([f"Other settings that are good enough: {others}."] if others else []),
            "How far to trust this: 'When does it help?' in the user guide.",
        ]
    )


def _not_adapted(choice, signals, names):
    stays = f"Not adapted: your model is the network trained on the source alone, {names[0]}."
    if len(names) == 1:
        return [stays, "There is no other setting to choose."]
    closest = 1 + int(np.argmax(choice.expected[1:]))
    if choice.expected[closest] > gain_model.LEAST_GAIN:
        refused = f"more than {100 * gain_model.LEAST_BOUND:g} in nine of ten cases is needed"
    else:
        refused = f"more than {100 * gain_model.LEAST_GAIN:g} points are needed"
    return [
        stays,
        f"{names[closest]} comes closest. {_gain(choice, closest)}",
        f"It was refused because {refused}.",
        *_evidence(signals, closest),
        "What next: label a few target rows and compare both on them, or adapt all the same, with "
        f"DANNClassifier({names[closest]}). See 'Not adapted: what now?' in the user guide.",
    ]


def _gain(choice, i):
    return (
        "Estimated without target labels, its gain in target accuracy is "
        f"{100 * choice.expected[i]:+.1f} points, and in nine of ten such cases more than "
        f"{100 * choice.bound[i]:+.1f}."
    )


def _evidence(signals, i):
    said = ["Evidence, compared with the network trained on the source alone:"]
    for name, (words, (factor, digits, unit)) in _SAID.items():
        gain, error = factor * signals.gains[name][i], factor * signals.errors[name][i]
        said.append(f"- {words}: {gain:+.{digits}f}{unit} (+-{error:.{digits}f})")
    return said


def verdict_by_signal(choice, signals, name, names):
    """Return what was decided by a single signal."""
    means = signals.of_fold[name].mean(axis=1)
    best = choice.index
    alone = f"{names[0]}, the network trained on the source alone"
    if best == 0:
        return (
            f"Not adapted: your model is {alone}. Its {name} is {means[0]:.3f}, and no other "
            "setting has more."
        )
    return (
        f"Adapted: {names[best]} has the best {name}, {means[best]:.3f}; {alone}, has "
        f"{means[0]:.3f}."
    )
