"""Choice: candidates for one record, and the safe choice among them."""

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from skdann._choosing import gain_model
from skdann._choosing.calibration import calibrated
from skdann._choosing.cross_fit import cross_fit, expected_work
from skdann._choosing.label_evidence import estimated_accuracy, hidden_in_folds
from skdann._choosing.remarks import remarks_on
from skdann._choosing.results_table import cv_results, in_words
from skdann._choosing.rule import Choice, choose_by_signal, choose_from_pool, with_finalists
from skdann._choosing.signals import (
    Signals,
    mean_prediction,
    pool_signals,
    with_labels,
    with_later_fold,
)
from skdann._choosing.verdict import verdict_by_signal, verdict_of
from skdann._choosing.workers import Workers
from skdann._data.record import compact, selected_rows
from skdann._data.splits import stratified_folds
from skdann._training.settings import Settings, is_auto, usual_lambdas, usual_scalings

# One fold of this many is held out, and for candidates that could win another one.
_N_FOLDS = 3

# As many rows of each domain are enough to compare candidates; docs/results/selection.md says what
# was compared.
_MOST_ROWS = 5_000

# Rows that are drawn are copied if they need no more memory than this: the arrays that they come
# from may be large, and would be sent to other processes whole.
_COPIED_BYTES = 64 * 2**20

# At most this many candidates are trained in the second fold, besides the baseline.
_MOST_FINALISTS = 3

# Added to the seed for the second fold, which is to show the luck of training too.
_OTHER_SEED = 1000


@dataclass(frozen=True)
class Pool:
    """Candidates to choose from; the first is the baseline.

    Attributes
    ----------
    params : list of dict
        What differs between them: parameters of `DANNClassifier`.
    settings : list of Settings
    """

    params: list
    settings: list

    @classmethod
    def of(cls, params, settings):
        """Return the pool; a candidate with lambda 0 learns from the target in no other way."""
        return cls(
            params,
            [
                candidate.without_adaptation() if one["lambda_max"] == 0 else candidate
                for one, candidate in zip(params, settings, strict=True)
            ],
        )

    def names(self):
        """Return the candidates as a user would write them."""
        return [in_words(one) for one in self.params]

    def only(self, candidates):
        """Return the pool of some of the candidates, by their positions."""
        return Pool([self.params[i] for i in candidates], [self.settings[i] for i in candidates])

    def single(self):
        """Return the pool with one network in place of an ensemble, for a fraction of the time."""
        return Pool(self.params, [one.single() for one in self.settings])

    def reseeded(self):
        """Return the pool with other random numbers."""
        return Pool(self.params, [replace(s, seed=s.seed + _OTHER_SEED) for s in self.settings])


class Judged(NamedTuple):
    """Candidates and what was found about them.

    Attributes
    ----------
    results : list of lists of FoldResult
        Of each candidate in each fold, calibrated.
    signals : Signals
    choice : Choice
    verdict : str
    target_accuracy : dict or None
        Of the chosen candidate, by target labels, see `estimated_accuracy`; None without any.
    """

    results: list
    signals: Signals
    choice: Choice
    verdict: str
    target_accuracy: dict | None = None


class Chosen(NamedTuple):
    """The settings to fit with, whether they adapt, why they were chosen, and from what.

    `cv_results` is the table of all candidates; None where there were no folds to compare them.
    """

    settings: Settings
    adapted: bool
    verdict: str
    cv_results: dict | None = None
    target_accuracy: dict | None = None


def safe_choice(settings, data, layers=None, workers=None):
    """Return what a classifier is to be fitted with, where its settings leave a choice.

    Parameters
    ----------
    settings : Settings
        Candidates are those of ``lambda_max`` and, for each, of ``input_scaling``.
    data : TrainingData
    layers : InputLayers, default=None
        Where what is computed for the rows is kept, for later fits.
    workers : Workers, default=None
        Where the candidates are trained; None is this process.

    Returns
    -------
    Chosen or None
        None if there is nothing to choose: a given lambda, or no target.
    """
    if not settings.leaves_a_choice or data.X_target is None:
        return None
    pool = _pool(settings, data)
    generator = np.random.default_rng(settings.seed)
    data = _enough_rows(data, generator)
    folds = stratified_folds(data.y_source, _N_FOLDS, generator, data.groups)[:2]
    if not folds:
        unit = "rows" if data.groups is None else "groups"
        verdict = f"No class has two source {unit}: nothing can be chosen, and nothing is adapted."
        return Chosen(pool.settings[0], False, verdict)
    hidden = hidden_in_folds(data, len(folds), generator)
    single = pool.single()
    workers = Workers() if workers is None else workers
    progress = workers.progress

    def work(candidates):
        return expected_work(candidates, len(data.y_source), len(data.target_domain))

    # The second stage is expected to take the baseline and the last candidates.
    expected = [work(single.settings), work(single.settings[-_MOST_FINALISTS:])]
    progress.expect(sum(expected))

    def fit(which, stage):
        trained = single.only(which) if stage == 0 else single.only(which).reseeded()
        progress.begin(f"{len(which)} candidates, fold {stage + 1} of at most {len(folds)}")
        progress.expect(work(trained.settings) - expected[stage])
        expected[stage] = 0
        at = slice(stage, stage + 1)
        found = cross_fit(trained.settings, data, folds[at], layers, workers, hidden[at])
        return [one for (one,) in found]

    judged, signals, choice = in_stages(data, folds, pool.names(), fit)
    progress.expect(-expected[1])  # where nobody could win, one stage is enough
    judged = _with_remarks(judged, data, folds)
    table = cv_results(pool.params, signals, choice)
    return Chosen(
        pool.settings[choice.index],
        choice.index != 0,
        judged.verdict,
        table,
        judged.target_accuracy,
    )


def in_stages(data, folds, candidates, fit, model=gain_model.LEARNED):
    """Return the candidates of the last stage with what was found about them, and the choice.

    All candidates are trained in one fold. Those that could still be chosen are trained again, on
    other rows and with other random numbers.

    Parameters
    ----------
    data : TrainingData
    folds : list of one or two pairs of int64 ndarrays
    candidates : list of str
        Their names; the first is the baseline.
    fit : callable
        ``fit(which, stage)`` returns the `FoldResult` of each of these candidates in
        ``folds[stage]``.
    model : GainModel, default=LEARNED

    Returns
    -------
    judged : Judged
        The candidates of the last stage.
    signals : Signals
        Of all candidates.
    choice : Choice
        Among all candidates.
    """
    everyone = [*range(len(candidates))]
    results = calibrated([[one] for one in fit(everyone, 0)], data, folds[:1])
    judged = _judged(results, data, folds[:1], candidates, model)
    expected = judged.choice.expected
    order = np.argsort(-expected, kind="stable")
    least = gain_model.HOPELESS_GAIN * judged.choice.doubt
    hopeful = [int(i) for i in order if expected[i] > least[i]]
    labelled = judged.signals.hits is not None  # some labels are still to be used
    if len(folds) == 1 or not (hopeful or labelled):
        return judged, judged.signals, judged.choice
    finalists = [0, *hopeful[:_MOST_FINALISTS]]
    again = calibrated([[one] for one in fit(finalists, 1)], data, folds[1:])
    # Agreement is with the whole pool, of which only the first fold has predictions.
    pool_mean = mean_prediction([one for (one,) in results])
    results = [[*results[i], *more] for i, more in zip(finalists, again, strict=True)]
    names = [candidates[i] for i in finalists]
    last = _judged(results, data, folds, names, model, pool_means=[pool_mean, pool_mean])
    signals = with_later_fold(judged.signals, last.signals, finalists)
    return last, signals, with_finalists(judged.choice, last.choice, finalists)


def judged_in_folds(pool, data, folds, scoring="safe", workers=None):
    """Return the `Judged` candidates of a pool, all of them trained in all folds.

    Their signals are those of the probabilities as they are, as a search would find them.

    Parameters
    ----------
    pool : Pool
    data : TrainingData
        With target rows.
    folds : list of pairs of int64 ndarrays
        Source rows to train on, and rows held out.
    scoring : "safe" or one of `SIGNALS`
    workers : Workers, default=None
        Where the candidates are trained; None is this process.
    """
    hidden = hidden_in_folds(data, len(folds), np.random.default_rng(pool.settings[0].seed))
    raw = cross_fit(pool.settings, data, folds, workers=workers, hidden=hidden)
    names = pool.names()
    results, signals = calibrated(raw, data, folds), pool_signals(raw, data, folds)
    if scoring == "safe":
        judged = _judged(results, data, folds, names)._replace(signals=signals)
    else:
        choice = choose_by_signal(signals, scoring)
        verdict = verdict_by_signal(choice, signals, scoring, names)
        judged = Judged(results, signals, choice, verdict)
    return _with_remarks(judged, data, folds)


def _judged(results, data, folds, names, model=gain_model.LEARNED, pool_means=None):
    """Return candidates judged by their evidence; `results` are calibrated."""
    signals = pool_signals(results, data, folds, pool_means)
    choice, accuracy = choose_from_pool(signals, model), _target_accuracy(signals, model)
    verdict = verdict_of(choice, signals, names, accuracy)
    return Judged(results, signals, choice, verdict, accuracy)


def _target_accuracy(signals, model):
    """Return the estimated accuracy of what is chosen among candidates, or None without labels.

    The labels that were hidden in a fold judge what is chosen without them: a choice that has
    seen them would look better than it is.

    Parameters
    ----------
    signals : Signals
        Of candidates that were trained in all folds.
    model : GainModel
    """
    if signals.hits is None:
        return None
    judged = []
    for fold, hits in enumerate(signals.hits):
        others = [one for i, one in enumerate(signals.hits) if i != fold]
        without = with_labels(signals, others)
        judged.append(hits[choose_from_pool(without, model).index])
    return estimated_accuracy(np.concatenate(judged))


def _with_remarks(judged, data, folds):
    """Return them with what else a user should know in the verdict."""
    said = remarks_on(judged.results, judged.choice, data, folds)
    return judged._replace(verdict="\n".join([judged.verdict, *said]))


def _enough_rows(data, generator):
    """Return the record with at most `_MOST_ROWS` rows of each domain, drawn at random.

    Of each source class as many are drawn as its share asks for, and at least `_N_FOLDS`.
    """
    n_source, n_target = len(data.y_source), len(data.target_domain)
    if max(n_source, n_target) <= _MOST_ROWS:
        return data
    source, target = np.ones(n_source, dtype=bool), np.ones(n_target, dtype=bool)
    if n_source > _MOST_ROWS:
        source[:] = False
        for code in np.unique(data.y_source):
            rows = generator.permutation(np.flatnonzero(data.y_source == code))
            source[rows[: max(_N_FOLDS, round(len(rows) * _MOST_ROWS / n_source))]] = True
    if n_target > _MOST_ROWS:
        target[generator.permutation(n_target)[_MOST_ROWS:]] = False
        target[data.labelled_target] = True
    return compact(selected_rows(data, source, target), _COPIED_BYTES)


def _pool(settings, data):
    """Return the `Pool` of all combinations of scaling and lambda."""
    lambdas = usual_lambdas(data) if is_auto(settings.lambda_max) else settings.lambda_max
    scalings = settings.input_scaling
    if is_auto(scalings):
        scalings = usual_scalings(data, settings.feature_extractor)
    elif not isinstance(scalings, tuple):
        scalings = (scalings,)
    params = []
    for how in scalings:
        for one in lambdas:  # 0 first: the baseline is the first scaling without adaptation
            params.append({"input_scaling": how, "lambda_max": one})
    return Pool.of(params, [replace(settings, **one) for one in params])
