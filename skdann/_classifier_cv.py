"""`DANNClassifierCV`: a pool of settings trained together, and the safe choice among them."""

import numbers
import warnings

import numpy as np
from sklearn.base import BaseEstimator, _fit_context, clone
from sklearn.model_selection import check_cv
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from skdann._choosing.choice import chosen_from, pool_of, verdict_of
from skdann._choosing.signals import SIGNALS
from skdann._classifier import DANNClassifier
from skdann._data.inputs import read_training_data
from skdann._prediction_mixin import DomainAdversarialMixin
from skdann._torch.randomness import entropy_of
from skdann._training.fit_together import fit_together, joined
from skdann._training.settings import usual_scalings
from skdann.exceptions import SourceOnlyWarning


class DANNClassifierCV(DomainAdversarialMixin, BaseEstimator):
    """`DANNClassifier` that chooses lambda and input scaling without target labels.

    Every combination of input scaling and lambda is trained on all folds but one, and asked
    what can be known without target labels. *Reverse validation*: label the target with it,
    learn back from these labels to the source, and see how well that does on the source rows
    held out. *Mutual information* of target rows and predicted labels: sure of each row, and not
    of the same class for all. *Confidence* alone. A candidate replaces the network without
    adaptation only if it does better by all three, by more than the noise of the rows. Of those
    that do, the one with the largest sum of reverse validation, information and *agreement* with
    the pool's mean prediction is chosen.

    Read more in the user guide, ``docs/user_guide.md``.

    Parameters
    ----------
    lambdas : array-like of float >= 0, default=(0, 0.03, 0.1, 0.3, 1.0)
        Values of `lambda_max` to choose from. 0 joins them always.

    input_scalings : list of {"none", "source", "both", "domain"} or "auto", default="auto"
        Values of `input_scaling` to choose from; with lambda 0 the first one is the baseline.
        "auto" is none, both, domain where dense columns are about of unit size, else source,
        both, domain; for sparse `X` none, source, domain.

    param_grid : dict of lists, default=None
        Further parameters of `DANNClassifier` and the values to try of each, such as
        ``{"lr": [0.001, 0.003]}``. The baseline has the first value of each.

    estimator : DANNClassifier, default=None
        All other settings. None takes the defaults.

    cv : int or splitter, default=3
        Folds of the source rows, as elsewhere in scikit-learn. The target is in every fit.

    scoring : {"safe", "reverse_validation", "info_max", "confidence", "agreement", \
"source_accuracy"}, default="safe"
        "safe" is the rule above. A single signal chooses the candidate that has the most of it,
        as a search with its scorer would, and may do harm: the user guide tells how often.

    refit : {"best", "ensemble"}, default="best"
        What is fitted on all rows: the chosen candidate, or besides it all those that beat the
        baseline, whose probabilities are averaged.

    random_state : int, RandomState instance or None, default=None
        Takes the place of the `estimator`'s. All candidates start from the same weights.

    verbose : int, default=0
        1 prints what was chosen, and why.

    Attributes
    ----------
    adapted_ : bool
        Whether something was chosen over the baseline.

    verdict_ : str
        What was chosen and why, in a sentence.

    best_params_ : dict
        Settings of the chosen candidate.

    best_index_ : int
        Its position in `cv_results_`.

    best_estimator_ : DANNClassifier
        Fitted on all rows. It answers what this estimator is asked.

    cv_results_ : dict of ndarrays
        One element per candidate: ``params``, ``param_<name>``; of the signals
        ``reverse_validation``, ``source_accuracy``, ``info_max``, ``confidence`` and
        ``agreement`` the ``mean_``, ``std_`` and ``split<i>_`` over the folds, and ``gain_`` over
        the baseline with its standard ``error_``; ``merit``, by which candidates are ranked;
        ``beats_baseline``.

    lambda_path_ : dict of ndarrays
        The candidates that differ from the chosen one in lambda only, by ascending lambda:
        ``lambda_max`` and the five signals.

    n_splits_ : int
        Number of folds.

    classes_, n_features_in_, feature_names_in_, n_domains_ : as in `DANNClassifier`

    See Also
    --------
    DANNClassifier : One setting, or by the same rule the best of nine.
    skdann.metrics : The scores by themselves, and scorers for any search.

    Notes
    -----
    With k candidates and f folds it takes f * k fits, f * k shorter ones, and one more; they
    train together, several times faster than one by one. Without `X_tgt`, nothing is chosen: the
    baseline is fitted, with a `SourceOnlyWarning`.

    References
    ----------
    .. [1] Ganin, Y. et al. (2016). Domain-adversarial training of neural networks.
       Journal of Machine Learning Research 17(59), 1-35, section 5.1.2.
    .. [2] Zhong, E. et al. (2010). Cross validation framework to choose amongst models and
       datasets for transfer learning. ECML PKDD.

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
    """

    __metadata_request__fit = {"X_tgt": True}

    _parameter_constraints = {
        "lambdas": ["array-like"],
        "input_scalings": [list, tuple, StrOptions({"auto"})],
        "param_grid": [dict, None],
        "estimator": [DANNClassifier, None],
        "cv": ["cv_object"],
        "scoring": [StrOptions({"safe", *SIGNALS})],
        "refit": [StrOptions({"best", "ensemble"})],
        "random_state": ["random_state"],
        "verbose": [Interval(numbers.Integral, 0, None, closed="left"), "boolean"],
    }

    def __init__(
        self,
        lambdas=(0, 0.03, 0.1, 0.3, 1.0),
        input_scalings="auto",
        *,
        param_grid=None,
        estimator=None,
        cv=3,
        scoring="safe",
        refit="best",
        random_state=None,
        verbose=0,
    ):
        self.lambdas = lambdas
        self.input_scalings = input_scalings
        self.param_grid = param_grid
        self.estimator = estimator
        self.cv = cv
        self.scoring = scoring
        self.refit = refit
        self.random_state = random_state
        self.verbose = verbose

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y, X_tgt=None, *, sample_weight=None):
        """Choose among the pool and fit what was chosen.

        Parameters
        ----------
        X, y, X_tgt, sample_weight : as in `DANNClassifier.fit`
            Weights count in every fit, and in the accuracy on rows held out.

        Returns
        -------
        self : DANNClassifierCV

        Raises
        ------
        ValueError
            For unusable input, naming the argument and the cure.
        """
        data = self._read(X, y, X_tgt, sample_weight)
        pool = self._pool(data)
        if data.X_target is None:
            ranking = [0]
            reports = {"adapted_": False, "verdict_": "No target: nothing to adapt to."}
        else:
            splitter = check_cv(self.cv, y, classifier=True)
            folds = list(splitter.split(np.zeros((len(data.y_source), 1)), data.y_source))
            choice, signals = chosen_from(pool, data, folds, self.scoring)
            ranking = choice.ranking
            reports = {
                **verdict_of(choice),
                "cv_results_": cv_results(pool.settings, signals, choice),
                "lambda_path_": lambda_path(pool.settings, signals.of_fold, choice.index),
                "n_splits_": len(folds),
            }
            if self.verbose:
                print(f"[DANNClassifierCV] {choice.reason}")
        best = ranking[0]
        if self.refit == "best":
            ranking = ranking[:1]
        fitted = [clone(pool.candidates[i]) for i in ranking]
        fit_together(fitted, [data] * len(fitted))
        self.best_estimator_ = fitted[0] if len(fitted) == 1 else joined(fitted)
        self.best_estimator_._recognise(data)
        self.best_index_, self.best_params_ = best, pool.settings[best]
        for name in ("cv_results_", "lambda_path_", "n_splits_"):
            self.__dict__.pop(name, None)  # of an earlier fit
        self.__dict__.update(reports)
        return self._take_over()

    def _read(self, X, y, X_tgt, sample_weight):
        template = DANNClassifier() if self.estimator is None else self.estimator
        if X_tgt is None:
            warnings.warn(
                "fit got no X_tgt: there is nothing to adapt to and nothing to choose. Pass target "
                "rows.",
                SourceOnlyWarning,
                stacklevel=4,
            )
        return read_training_data(
            X,
            y,
            X_tgt,
            sample_weight,
            class_weight=template.class_weight,
            estimator=self,
            allow_nd=template.feature_extractor is not None,
        )

    def _pool(self, data):
        template = DANNClassifier() if self.estimator is None else clone(self.estimator)
        state = template.random_state if self.random_state is None else self.random_state
        # One int: candidates differ in their settings, not in their luck.
        template.set_params(random_state=entropy_of(state))
        pool = pool_of(template, self._grid(data, template.feature_extractor))
        for candidate in pool.candidates:
            candidate._validate_params()
        return pool

    def _grid(self, data, feature_extractor):
        """Return the values of each setting, the baseline's first."""
        scalings = self.input_scalings
        if isinstance(scalings, str):
            scalings = usual_scalings(data, feature_extractor)
        if not len(scalings):
            raise ValueError("input_scalings is empty: name at least one, such as 'source'.")
        lambdas = sorted({0.0, *np.asarray(self.lambdas, dtype=float).ravel().tolist()})
        grid = self.param_grid or {}
        for name, values in grid.items():
            own = name in ("lambda_max", "input_scaling")
            if own or isinstance(values, str) or not len(values):
                raise ValueError(
                    f"param_grid[{name!r}] = {values!r}: it takes lists of values of parameters "
                    "other than lambda_max and input_scaling, which have parameters of their own: "
                    "lambdas and input_scalings."
                )
        if data.X_target is None:
            scalings, lambdas, grid = scalings[:1], [0.0], {k: v[:1] for k, v in grid.items()}
        return {"input_scaling": scalings, **grid, "lambda_max": lambdas}

    def _take_over(self):
        """Set the attributes that are the chosen classifier's."""
        best = self.best_estimator_
        for name in ("classes_", "n_features_in_", "n_domains_", "_n_features_out"):
            setattr(self, name, getattr(best, name))
        if hasattr(best, "feature_names_in_"):
            self.feature_names_in_ = best.feature_names_in_
        elif hasattr(self, "feature_names_in_"):
            del self.feature_names_in_
        return self

    def _outputs(self, X, domain, of, *finish):
        check_is_fitted(self)
        return self.best_estimator_._outputs(X, domain, of, *finish)


def cv_results(settings, signals, choice):
    """Return what every candidate scored, and whether it beat the baseline."""
    results = {"params": np.array(settings, dtype=object)}
    for name in settings[0]:
        results[f"param_{name}"] = np.array([one[name] for one in settings], dtype=object)
    for name, values in signals.of_fold.items():
        results[f"mean_{name}"], results[f"std_{name}"] = values.mean(axis=1), values.std(axis=1)
        for fold, of_fold in enumerate(values.T):
            results[f"split{fold}_{name}"] = of_fold
        results[f"gain_{name}"], results[f"error_{name}"] = (
            signals.gains[name],
            signals.errors[name],
        )
    results["merit"] = signals.merit
    results["beats_baseline"] = choice.beats
    return results


def lambda_path(settings, scores, chosen):
    """Return the scores along lambda, all else as in the chosen candidate."""
    others = [{**one, "lambda_max": None} for one in settings]
    path = [i for i, other in enumerate(others) if other == others[chosen]]
    lambdas = np.array([settings[i]["lambda_max"] for i in path])
    return {"lambda_max": lambdas, **{n: values.mean(axis=1)[path] for n, values in scores.items()}}
