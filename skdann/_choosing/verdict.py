"""The verdict: what was decided and why, in words for a data scientist."""

import numpy as np

from skdann._choosing import gain_model
from skdann._choosing.label_evidence import CONFIDENCE

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
    "target_accuracy": ("accuracy on hidden target labels", (100, 1, " points")),
}


def verdict_of(choice, signals, names, accuracy=None):
    """Return what was decided, how sure it is, what came closest, and what to do next, in lines.

    Parameters
    ----------
    choice : Choice
        From a pool.
    signals : Signals
    names : list of str
        The candidates as a user would write them; the first is the baseline.
    accuracy : dict, default=None
        Of what was chosen, by target labels; see `estimated_accuracy`.
    """
    best = choice.index
    if best == 0:
        return "\n".join([*_not_adapted(choice, signals, names), *_accuracy(accuracy)])
    others = len(choice.ranking) - 1
    return "\n".join(
        [
            f"Adapted: {names[best]} replaces {names[0]}, the network trained on "
            f"{_alone(signals)}.",
            _gain(choice, best, signals),
            *_evidence(signals, best),
            *_accuracy(accuracy),
            *([f"Other settings that are good enough: {others}."] if others else []),
            "How far to trust this: 'When does it help?' in the user guide.",
        ]
    )


def _not_adapted(choice, signals, names):
    stays = f"Not adapted: your model is the network trained on {_alone(signals)}, {names[0]}."
    if len(names) == 1:
        return [stays, "There is no other setting to choose."]
    closest = 1 + int(np.argmax(choice.expected[1:]))
    least, least_bound = (
        100 * one * choice.doubt[closest] for one in (gain_model.LEAST_GAIN, gain_model.LEAST_BOUND)
    )
    if 100 * choice.expected[closest] > least:
        refused = f"more than {least_bound:.2g} in nine of ten cases is needed"
    else:
        refused = f"more than {least:.2g} points are needed"
    return [
        stays,
        f"{names[closest]} comes closest. {_gain(choice, closest, signals)}",
        f"It was refused because {refused}.",
        *_evidence(signals, closest),
        f"What next: label {_a_few(signals)} target rows and pass them as y_tgt, or adapt all the "
        f"same, with DANNClassifier({names[closest]}). "
        "See 'Not adapted: what now?' in the user guide.",
    ]


def _alone(signals):
    """Return what the network without adaptation was trained on."""
    return "the source alone" if signals.hits is None else "the labelled rows alone"


def _a_few(signals):
    return "a few" if signals.hits is None else "more"


def _gain(choice, i, signals):
    how = "without" if signals.hits is None else "with"
    return (
        f"Estimated {how} target labels, its gain in target accuracy is "
        f"{100 * choice.expected[i]:+.1f} points, and in nine of ten such cases more than "
        f"{100 * choice.bound[i]:+.1f}."
    )


def _accuracy(estimate):
    """Return what the target labels say about the accuracy of what was chosen."""
    if estimate is None:
        return []
    return [
        f"Target accuracy, by {estimate['n_labels']} labels that neither the training nor the "
        f"choice saw: {estimate['accuracy']:.3f}, with {100 * CONFIDENCE:.0f} % confidence between "
        f"{estimate['low']:.3f} and {estimate['high']:.3f}."
    ]


def _evidence(signals, i):
    said = [f"Evidence, compared with the network trained on {_alone(signals)}:"]
    for name, (words, (factor, digits, unit)) in _SAID.items():
        if name not in signals.gains:
            continue
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
