"""`DANNClassifierCV`: candidates trained together on all folds, and the safe choice among them."""

from __future__ import annotations

import numbers
import os
from collections.abc import Mapping, Sequence
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, clone
from sklearn.model_selection import StratifiedGroupKFold, check_cv
from sklearn.utils.validation import check_is_fitted

from skdann._choosing.choice import Pool, judged_in_folds
from skdann._choosing.cross_fit import expected_work
from skdann._choosing.results_table import cv_results, lambda_path
from skdann._choosing.signals import SIGNALS
from skdann._choosing.workers import Workers
from skdann._classifier import DANNClassifier, Scaling, read_record
from skdann._data.argument_names import explains_argument_names
from skdann._data.splits import folds_of
from skdann._prediction_mixin import DomainAdversarialMixin
from skdann._sklearn_compat import Interval, StrOptions, check_parameters
from skdann._torch.randomness import entropy_of
from skdann._training.checkpoints import Checkpoints
from skdann._training.fit_together import fit_together, joined, work_of
from skdann._training.progress import Progress
from skdann._training.settings import Settings, usual_scalings
from skdann._training.share_estimates import with_known_shares
from skdann._typing import RandomState, Rows, TargetLabels, Targets, checks_parameters

# Parameters that say how rows are read, or how fits follow each other: the same for all candidates.
_NOT_CANDIDATES = {
    "class_weight",
    "warm_start",
    "callbacks",
    "verbose",
    "random_state",
    "device",
    "n_jobs",
    "checkpoint_dir",
}


class DANNClassifierCV(DomainAdversarialMixin, BaseEstimator):
    """`DANNClassifier` that chooses lambda and input scaling without target labels.

    Every combination of input scaling and lambda is a candidate. Each is trained on all folds of
    the source but one. Then evidence is gathered that needs no target labels, always in comparison
    with the baseline, the network without adaptation:

    - *reverse validation*: a network learns from the labels that the candidate predicts for the
      target, and predicts the source rows held out;
    - *mutual information* of target rows and predicted labels: predictions should be certain for
      each row, and not the same class for all;
    - *agreement* with the mean prediction of all candidates.

    Probabilities are calibrated on the source rows held out before they are compared. A weighted
    sum of the evidence is the *expected gain* in target accuracy; another sum is a lower bound of
    the gain in nine of ten cases. The weights were learned from many pairs of data sets whose
    target labels are known. A candidate replaces the baseline only if its expected gain is above
    2.5 points and its bound above -4; of those that do, the one with the largest expected gain is
    chosen.

    Read more in the user guide, :doc:`/guide/choosing`.

    Parameters
    ----------
    lambdas : array-like of float >= 0 of shape (n_lambdas,), default=(0, 0.03, 0.1, 0.3, 1.0)
        Values of `lambda_max` to choose from. 0 is always added.

    input_scalings : list of {None, "source", "both", "domain"} or "auto", default="auto"
        Values of `input_scaling` to choose from; with lambda 0 the first one is the baseline.
        "auto" means None, "both", "balanced" if the source columns are of about unit size,
        "source", "both", "balanced" if not; for sparse `X` without negative values None,
        "denoised" (if columns are large None, "source", "denoised"), for other sparse `X` None,
        "source", "domain".

    param_grid : dict of lists, default=None
        Further parameters of `DANNClassifier` and the values to try of each, such as
        ``{"lr": [0.001, 0.003]}``. The baseline has the first value of each.

    estimator : DANNClassifier, default=None
        All other settings. None takes the defaults. Its callbacks are called in the final fit
        only. The `fit` of a subclass is not called: candidates are trained together.

    cv : int or splitter, default=3
        Folds of the source rows, as elsewhere in scikit-learn; with an int and `groups`, no
        group is split. The target is in every fit.

    scoring : {"safe", "reverse_validation", "reverse_probability", "info_max", "confidence", \
"agreement", "source_accuracy"}, default="safe"
        "safe" is the rule above. A single signal chooses the candidate with its largest value,
        as a search with its scorer would, and may do harm: the user guide says how often.

    refit : {"best", "ensemble"}, default="best"
        "best" fits the chosen candidate on all rows. "ensemble" fits every candidate that passes
        on all rows, and averages their probabilities.

    random_state : int, RandomState instance or None, default=None
        Used in place of the `estimator`'s. All candidates start from the same weights.

    n_jobs : int, default=None
        Processes that train the candidates, as in `DANNClassifier`; the estimator's own `n_jobs` is
        not used.

    verbose : int, default=0
        1 shows a bar over candidates, folds and the final fit, and prints what was chosen, and why.

    checkpoint_dir : str or path, default=None
        Folder for checkpoints of long fits, as in `DANNClassifier`; None takes the `estimator`'s.

    Attributes
    ----------
    adapted_ : bool
        Whether something was chosen over the baseline.

    verdict_ : str
        What was chosen and why, how sure that is, and what came closest.

    target_accuracy_ : dict or None
        Accuracy on the target by the labels in `y_tgt`; see `DANNClassifier`.

    best_params_ : dict
        Settings of the chosen candidate.

    best_index_ : int
        Its position in `cv_results_`.

    best_estimator_ : DANNClassifier
        Fitted on all rows; `predict` and the other methods are its own. An ensemble has the
        parameters of the chosen candidate and the networks of all.

    cv_results_ : dict of ndarrays of shape (n_candidates,)
        One element per candidate, by the names of scikit-learn's searches: ``params``,
        ``param_<name>``; ``mean_test_<signal>``, ``std_test_<signal>``, ``rank_test_<signal>``
        and ``split<i>_test_<signal>`` for the signals ``reverse_validation``,
        ``reverse_probability``, ``source_accuracy``, ``info_max``, ``confidence`` and
        ``agreement``, of probabilities as they are; ``mean_test_score``, by which those that pass
        are ranked, and ``rank_test_score``, 1 for the chosen one. Besides these
        ``expected_gain`` and ``gain_lower_bound`` in target accuracy, from 0 to 1 (with the
        scoring "safe"), ``gain_<signal>`` over the baseline with its standard
        ``error_<signal>``, and ``passes``, whether a candidate may replace the baseline.

    lambda_path_ : dict of ndarrays of shape (n_lambdas,)
        The candidates that differ from the chosen one in lambda only, by ascending lambda:
        ``lambda_max``, and the mean over the folds of the six signals.

    n_splits_ : int
        Number of folds.

    classes_ : ndarray of shape (n_classes,)
        The sorted labels.

    n_features_in_ : int
        Width of `X`.

    feature_names_in_ : ndarray of shape (n_features,)
        Column names, where `X` had names that are all strings.

    n_domains_ : int
        1 if no target was given, else 1 plus the number of target domains.

    See Also
    --------
    DANNClassifier : One setting, or the best of nine by the same rule and one or two folds.
    skdann.metrics : The signals as functions, and as scorers for any search.

    Notes
    -----
    k candidates and f folds take f * k fits, f * k shorter ones for reverse validation, and the
    final one. They train together, several times faster than one by one. Without `X_tgt` nothing
    is chosen: the baseline is fitted, with a `SourceOnlyWarning`.

    References
    ----------
    .. [1] Ganin, Y. et al. (2016). Domain-adversarial training of neural networks.
       Journal of Machine Learning Research 17(59), 1-35, section 5.1.2.
    .. [2] Zhong, E. et al. (2010). Cross validation framework to choose amongst models and
       datasets for transfer learning. ECML PKDD.
    .. [3] Guo, C. et al. (2017). On calibration of modern neural networks. ICML.

    Examples
    --------
    >>> from skdann import DANNClassifierCV
    >>> from skdann.datasets import make_tilted_digits
    >>> X_src, y_src, X_tgt, y_tgt = make_tilted_digits(n_source=300, random_state=0)
    >>> clf = DANNClassifierCV([0, 1], ["source", "domain"], cv=2, random_state=0)
    >>> clf.fit(X_src, y_src, X_tgt).adapted_
    True
    >>> clf.best_params_
    {'input_scaling': 'domain', 'lambda_max': 1.0}
    >>> round(float(clf.cv_results_["expected_gain"][clf.best_index_]), 2) > 0.025
    True
    """

    classes_: NDArray[Any]
    n_features_in_: int
    feature_names_in_: NDArray[np.object_]
    n_domains_: int
    adapted_: bool
    verdict_: str
    best_params_: dict[str, Any]
    best_index_: int
    best_estimator_: DANNClassifier
    cv_results_: dict[str, Any]
    lambda_path_: dict[str, NDArray[Any]]
    n_splits_: int

    __metadata_request__fit = {
        "X_tgt": True,
        "y_tgt": True,
        "source_domain": True,
        "groups": True,
    }

    _parameter_constraints = {
        "lambdas": ["array-like"],
        "input_scalings": [list, tuple, StrOptions({"auto"})],
        "param_grid": [dict, None],
        "estimator": [DANNClassifier, None],
        "cv": ["cv_object"],
        "scoring": [StrOptions({"safe", *SIGNALS})],
        "refit": [StrOptions({"best", "ensemble"})],
        "random_state": ["random_state"],
        "n_jobs": [numbers.Integral, None],
        "verbose": [Interval(numbers.Integral, 0, None, closed="left"), "boolean"],
        "checkpoint_dir": [str, os.PathLike, None],
    }

    def __init__(
        self,
        lambdas: Sequence[float] | NDArray[Any] = (0, 0.03, 0.1, 0.3, 1.0),
        input_scalings: Sequence[Scaling] | Literal["auto"] = "auto",
        *,
        param_grid: Mapping[str, Sequence[Any] | NDArray[Any]] | None = None,
        estimator: DANNClassifier | None = None,
        cv: Any = 3,
        scoring: Literal[
            "safe",
            "reverse_validation",
            "reverse_probability",
            "info_max",
            "confidence",
            "agreement",
            "source_accuracy",
        ] = "safe",
        refit: Literal["best", "ensemble"] = "best",
        random_state: RandomState = None,
        n_jobs: int | None = None,
        verbose: int = 0,
        checkpoint_dir: str | os.PathLike[str] | None = None,
    ) -> None:
        self.lambdas = lambdas
        self.input_scalings = input_scalings
        self.param_grid = param_grid
        self.estimator = estimator
        self.cv = cv
        self.scoring = scoring
        self.refit = refit
        self.random_state = random_state
        self.n_jobs = n_jobs
        self.verbose = verbose
        self.checkpoint_dir = checkpoint_dir

    @explains_argument_names()
    @checks_parameters(skip_nested=False)
    def fit(
        self,
        X: Rows,
        y: ArrayLike,
        X_tgt: Targets | None = None,
        *,
        sample_weight: ArrayLike | None = None,
        y_tgt: TargetLabels | None = None,
        source_domain: ArrayLike | None = None,
        groups: ArrayLike | None = None,
    ) -> Self:
        """Choose among the candidates and fit what was chosen.

        Parameters
        ----------
        X : {array-like, sparse matrix, DataFrame} of shape (n_source, n_features)
            Source rows.

        y : array-like of shape (n_source,)
            Labels of the source rows, of any type that can be sorted.

        X_tgt : array-like of shape (n_target, n_features) or tuple of such, default=None
            Target rows, of any type that `X` may have and with its columns; a tuple has one
            element per target domain. They are in every fit.

        sample_weight : array-like of shape (n_source,), default=None
            Weights >= 0 of the source rows, in every fit and in the accuracy on rows held out.

        y_tgt : array-like of shape (n_target,) or tuple of such, default=None
            Labels of target rows, as far as they are known; see `DANNClassifier.fit`. In each fold
            some of them are hidden, and judge the candidates.

        source_domain : array-like of shape (n_source,), default=None
            Where each source row is from; see `DANNClassifier.fit`.

        groups : array-like of shape (n_source,), default=None
            Groups of source rows, such as patients, for the folds and for `early_stopping`.

        Returns
        -------
        self : DANNClassifierCV
            The fitted classifier.

        Raises
        ------
        ValueError
            For unusable input, naming the argument and the cure.
        """
        template = self._template()
        data = read_record(
            template, X, y, X_tgt, sample_weight, groups, y_tgt, source_domain, of=self
        )
        pool = self._pool(template, data)
        saved = self._saved(pool, data)
        with Progress(bool(self.verbose or template.verbose), type(self).__name__) as progress:
            self._fit(template, pool, data, y, progress, saved)
        saved.finish()
        return self

    def _fit(self, template, pool, data, y, progress, saved):
        """Choose from a pool, and fit what was chosen."""
        ranking, found = [0], {"adapted_": False, "verdict_": "No target: nothing to adapt to."}
        n_source = len(data.y_source)
        progress.expect(work_of(pool.settings[0], n_source))
        if data.X_target is not None:
            folds = self._folds(y, data)
            n_target, n_folds = len(data.target_domain), len(folds)
            progress.expect(n_folds * expected_work(pool.settings, n_source, n_target))
            progress.begin(f"{len(pool.settings)} candidates, {n_folds} folds")
            workers = Workers(self.n_jobs, progress, saved)
            judged = judged_in_folds(pool, data, folds, self.scoring, workers)
            signals, choice = judged.signals, judged.choice
            ranking = choice.ranking
            found = {
                "adapted_": choice.index != 0,
                "verdict_": judged.verdict,
                "cv_results_": cv_results(pool.params, signals, choice),
                "lambda_path_": lambda_path(pool.params, signals.of_fold, choice.index),
                "n_splits_": len(folds),
                "target_accuracy_": judged.target_accuracy,
            }
        settings = [pool.settings[i] for i in ranking]
        if self.refit == "best":
            settings = settings[:1]
        records = [data] * len(settings)
        progress.begin("training")
        progress.expect((len(settings) - 1) * work_of(pool.settings[0], n_source))
        known = with_known_shares(settings, records, saved)
        trained = fit_together(known, records, progress=progress, saved=saved)
        best = clone(template).set_params(**pool.params[ranking[0]])
        if len(trained) > 1:
            trained = [joined(trained)]
            best.set_params(n_members=len(trained[0].net.members_))
        best._set_fitted(trained[0], data)
        found |= {
            "best_estimator_": best,
            "best_index_": ranking[0],
            "best_params_": pool.params[ranking[0]],
        }
        if self.verbose:
            print(f"[DANNClassifierCV] {found['verdict_']}")
        self._set_fitted(found)

    def _saved(self, pool, data):
        """Return the checkpoints of this fit; the estimator's parameters count without our own."""
        folder, state = self.checkpoint_dir, self.random_state
        if self.estimator is not None:
            folder = self.estimator.checkpoint_dir if folder is None else folder
            state = self.estimator.random_state if state is None else state
        return Checkpoints.of_fit(folder, state, pool.settings, data, self.scoring, self.refit)

    def _template(self):
        """Return an unfitted classifier with all that the candidates have in common."""
        template = DANNClassifier() if self.estimator is None else clone(self.estimator)
        state = template.random_state if self.random_state is None else self.random_state
        # One int: candidates differ in their settings, not in their random numbers.
        return template.set_params(random_state=entropy_of(state))

    def _folds(self, y, data):
        """Return pairs of source rows to train on and rows held out."""
        splitter = check_cv(self.cv, y, classifier=True)
        if data.groups is not None and isinstance(self.cv, numbers.Integral):
            splitter = StratifiedGroupKFold(self.cv)
        return folds_of(splitter, data.y_source, data.groups)

    def _pool(self, template, data):
        """Return the `Pool` of all combinations of the grid's values."""
        params = [{}]
        for name, values in self._grid(template, data).items():  # the last name varies fastest
            params = [{**one, name: value} for one in params for value in values]
        settings = []
        for one in params:
            candidate = clone(template).set_params(**one)
            check_parameters(candidate)
            settings.append(Settings.of(candidate, data))
        return Pool.of(params, settings)

    def _grid(self, template, data):
        """Return the values of each parameter, the baseline's first."""
        scalings = self.input_scalings
        if isinstance(scalings, str):
            scalings = usual_scalings(data, template.feature_extractor)
        if not len(scalings):
            raise ValueError("input_scalings is empty: name at least one, such as 'source'.")
        try:
            lambdas = sorted({0.0, *np.asarray(self.lambdas, dtype=float).ravel().tolist()})
        except (TypeError, ValueError) as error:
            raise ValueError(f"lambdas={self.lambdas!r} must hold numbers >= 0: {error}") from error
        grid = self.param_grid or {}
        for name, values in grid.items():
            _check_values(name, values)
        if data.X_target is None:
            scalings, lambdas, grid = scalings[:1], [0.0], {k: v[:1] for k, v in grid.items()}
        return {"input_scaling": scalings, **grid, "lambda_max": lambdas}

    def _set_fitted(self, found):
        """Set the fitted attributes, all at once, with those of the chosen classifier."""
        best = found["best_estimator_"]
        for name in ("classes_", "n_features_in_", "n_domains_", "_n_features_out"):
            found[name] = getattr(best, name)
        if hasattr(best, "feature_names_in_"):
            found["feature_names_in_"] = best.feature_names_in_
        stale = {
            "cv_results_",
            "lambda_path_",
            "n_splits_",
            "target_accuracy_",
            "feature_names_in_",
        }
        for name in stale - found.keys():  # of an earlier fit
            self.__dict__.pop(name, None)
        self.__dict__.update(found)

    def _outputs(self, X, domain, of, *finish):
        check_is_fitted(self)
        return self.best_estimator_._outputs(X, domain, of, *finish)


def _check_values(name, values):
    """Refuse what `param_grid` can't vary."""
    if name in ("lambda_max", "input_scaling"):
        raise ValueError(
            f"param_grid[{name!r}] = {values!r}: lambda_max and input_scaling have parameters of "
            "their own, lambdas and input_scalings."
        )
    if name in _NOT_CANDIDATES:
        raise ValueError(
            f"param_grid can't vary {name}, which is the same for all candidates: set it in the "
            "estimator."
        )
    if isinstance(values, str) or not hasattr(values, "__len__") or not len(values):
        raise ValueError(
            f"param_grid[{name!r}] = {values!r}: pass a list of values, such as "
            "{'lr': [0.001, 0.003]}."
        )
