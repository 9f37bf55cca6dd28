"""The gain model: what a candidate will gain in target accuracy, by evidence without labels.

Evidence is what a candidate does better than the baseline, the network without adaptation; a
difference counts as far as it exceeds one standard error. The expected gain adds up the pieces of
evidence, each times a number of at least 0. There is no constant: who does as well as the baseline
by all evidence is expected to gain nothing. A second sum, with a constant, gives a lower bound:
nine of ten candidates gain more.

The numbers were learned by ``benchmarks/learn_choice.py`` from pairs of data sets whose target
labels are known. It also prints how well the rule does on data sets that were left out.
"""

from dataclasses import dataclass

import numpy as np

# What the evidence is. Gains are differences from the baseline, means over the rows, less one
# standard error. "Sure" is a gain in standard errors, squashed to (-1, 1).
EVIDENCE = {
    "reverse_probability": "gain of the probability that the reverse network gives the true label",
    "reverse_validation": "gain of the reverse network's accuracy",
    "sure_information": "how sure the gain of information is",
    "agreement": "gain of the agreement with the mean prediction of all candidates",
    "sure_of_all": "how sure the least sure gain is: reverse probability, information, agreement",
}

# Standard errors that count as one unit before squashing. All target predictions of a candidate
# come from one network, so their standard errors over rows understate the uncertainty.
_UNIT = {"reverse_probability": 3.0, "info_max": 8.0, "agreement": 8.0}


@dataclass(frozen=True)
class GainModel:
    """Two sums of evidence.

    Attributes
    ----------
    expected, bound : dict of float >= 0
        Accuracy for each unit of evidence, by the names in `EVIDENCE`.
    constant : float <= 0
        Of the bound.
    """

    expected: dict
    bound: dict
    constant: float

    def expected_gain(self, pieces):
        """Return what each candidate is expected to gain, in shares of right predictions."""
        return sum(weight * pieces[name] for name, weight in self.expected.items())

    def lower_bound(self, pieces):
        """Return what nine of ten such candidates gain at least."""
        return self.constant + sum(weight * pieces[name] for name, weight in self.bound.items())


# Learned from the pairs of all data sets.
LEARNED = GainModel(
    expected={
        "reverse_probability": 0.109,
        "reverse_validation": 0.115,
        "sure_information": 0.022,
        "agreement": 0.228,
        "sure_of_all": 0.003,
    },
    bound={
        "reverse_probability": 0.000,
        "reverse_validation": 0.172,
        "sure_information": 0.049,
        "agreement": 0.177,
        "sure_of_all": 0.023,
    },
    constant=-0.074,
)

# A candidate replaces the baseline only with more expected gain and a higher bound than these.
LEAST_GAIN, LEAST_BOUND = 0.025, -0.04

# With less expected gain than this after one fold, a candidate is not worth a second one.
HOPELESS_GAIN = 0.015

# A search keeps no rows and no agreement: its sum knows means only, of an accuracy and of signals
# in nats.
SEARCH_GAIN = {"reverse_validation": 0.217, "info_max": 0.084}
SEARCH_LEAST_GAIN = 0.03


def evidence(signals):
    """Return the pieces of evidence for each candidate.

    Parameters
    ----------
    signals : Signals

    Returns
    -------
    dict of ndarrays of shape (n_candidates,)
        By the names in `EVIDENCE`; 0 for the baseline.
    """
    sure = {name: _sure(signals, name, unit) for name, unit in _UNIT.items()}
    return {
        "reverse_probability": _beyond_error(signals, "reverse_probability"),
        "reverse_validation": _beyond_error(signals, "reverse_validation"),
        "sure_information": sure["info_max"],
        "agreement": _beyond_error(signals, "agreement"),
        "sure_of_all": np.min([*sure.values()], axis=0),
    }


def search_gain(means, baseline, weights):
    """Return what each candidate of a search is expected to gain, by means over the folds."""
    return sum(
        weight * (np.asarray(means[name]) - means[name][baseline])
        for name, weight in weights.items()
    )


def _beyond_error(signals, name):
    """Return gains, brought closer to 0 by one standard error: on few rows chance gains much."""
    gain, error = signals.gains[name], signals.errors[name]
    return np.sign(gain) * np.maximum(np.abs(gain) - error, 0.0)


def _sure(signals, name, unit):
    errors = np.maximum(signals.errors[name], 1e-9)  # no error: surely more, less, or equal
    return np.tanh(signals.gains[name] / errors / unit)
