"""`LambdaPathDisplay`: scores without target labels along lambda."""

import numpy as np

from skdann._choosing.results_table import lambda_path
from skdann._choosing.signals import SIGNALS
from skdann.displays._candidates import SCORES, chosen_among
from skdann.displays._choice import candidates_of
from skdann.displays._rows import chooser_of
from skdann.displays._style import (
    CHOSEN,
    OTHER,
    SOURCE,
    check_matplotlib,
    entry,
    grid_of_panels,
    legend_beside,
    plain,
)


class LambdaPathDisplay:
    """Scores that need no target labels, along lambda; more is better in all of them.

    The candidates are those that differ from the chosen one in lambda only. Values of lambda stand
    side by side at equal distances, so that 0, the network without adaptation, is there too.

    Make it by `from_estimator`; all parameters are kept as attributes.

    Parameters
    ----------
    lambdas : ndarray of shape (n_lambdas,)
        Ascending.
    scores : dict of str to ndarray of shape (n_lambdas, n_folds)
        Of each score; NaN where a candidate was not compared in a fold.
    chosen : float
        The lambda that was chosen, one of `lambdas`.
    others : dict, default=None
        What the candidates have in common, for the title.

    Attributes
    ----------
    axes_ : ndarray of Axes of shape (n_rows, n_columns)
    figure_ : matplotlib Figure
    lines_ : dict of str to matplotlib Line2D
        Means over the folds, by the name of the score.
    fold_marks_ : dict of str to Line2D
        The values in each fold.
    chosen_marks_ : dict of str to Line2D
        The star at the chosen lambda.

    See Also
    --------
    ChoiceDisplay : All candidates, and how the scores are put together.

    Notes
    -----
    No single score is safe to choose by: on some data all of them rise while target accuracy
    falls. The mean of a candidate that was dropped after the first fold is that fold's value.

    Examples
    --------
    >>> from skdann import DANNClassifierCV
    >>> from skdann.datasets import make_rotated_moons
    >>> from skdann.displays import LambdaPathDisplay
    >>> X_src, y_src, X_tgt, _ = make_rotated_moons(100, random_state=0)
    >>> clf = DANNClassifierCV([0, 0.1, 1], ["source"], cv=2, random_state=0)
    >>> display = LambdaPathDisplay.from_estimator(clf.fit(X_src, y_src, X_tgt))
    >>> display.lambdas
    array([0. , 0.1, 1. ])
    """

    def __init__(self, *, lambdas, scores, chosen, others=None):
        self.lambdas = lambdas
        self.scores = scores
        self.chosen = chosen
        self.others = others

    @classmethod
    def from_estimator(cls, estimator, *, scores=None, ax=None):
        """Show the scores along lambda of what a classifier chose from.

        Parameters
        ----------
        estimator : DANNClassifier, DANNClassifierCV, or Pipeline or search with one at its end
            Fitted with target rows; a `DANNClassifier` with ``lambda_max="auto"`` or candidates.
        scores : str or sequence of str, default=None
            Which scores: "reverse_validation", "reverse_probability", "source_accuracy",
            "info_max", "confidence", "agreement". None takes all.
        ax : Axes or ndarray of Axes of shape (n_scores,), default=None
            Where to draw; None makes a figure. One axes is divided if more are needed.

        Returns
        -------
        display : LambdaPathDisplay
            Drawn, with the artists as attributes.

        Raises
        ------
        ValueError
            If the estimator chose nothing, or a score is unknown.
        """
        check_matplotlib(f"{cls.__name__}.from_estimator")
        results = candidates_of(chooser_of(estimator))
        params, chosen = results["params"], chosen_among(results)
        # A path for each fold, with the fold's value as its only one.
        paths, n_folds = [], 0
        while f"split{n_folds}_test_{SIGNALS[0]}" in results:
            of_fold = {n: results[f"split{n_folds}_test_{n}"][:, np.newaxis] for n in SIGNALS}
            paths.append(lambda_path(params, of_fold, chosen))
            n_folds += 1
        lambdas = paths[0]["lambda_max"]
        display = cls(
            lambdas=lambdas,
            scores={n: np.stack([path[n] for path in paths], axis=1) for n in SIGNALS},
            chosen=params[chosen]["lambda_max"],
            others={n: value for n, value in params[chosen].items() if n != "lambda_max"},
        )
        return display.plot(ax, scores=scores)

    def plot(self, ax=None, *, scores=None):
        """Draw the figure.

        Parameters
        ----------
        ax : Axes or ndarray of Axes of shape (n_scores,), default=None
            None makes a figure. One axes is divided if there are several scores; an array has one
            for each.
        scores : str or sequence of str, default=None
            Which scores: "reverse_validation", "reverse_probability", "source_accuracy",
            "info_max", "confidence", "agreement". None takes all.

        Returns
        -------
        self : LambdaPathDisplay
            With the artists as attributes.
        """
        check_matplotlib(f"{type(self).__name__}.plot")
        shown = list(self.scores) if scores is None else scores
        shown = [shown] if isinstance(shown, str) else list(shown)
        unknown = [name for name in shown if name not in self.scores]
        if unknown or not shown:
            raise ValueError(f"scores must be of {list(self.scores)}, got {unknown or shown}.")
        self.axes_, self.figure_, places = grid_of_panels(ax, len(shown), 2.9, 1.3)
        self.lines_, self.fold_marks_, self.chosen_marks_ = {}, {}, {}
        for name, place in zip(shown, places, strict=True):
            self._draw(place, name)
        handles = [
            entry("mean of the folds", color=SOURCE, marker="o", markersize=4),
            entry("each fold", color=OTHER, marker="_", linestyle="none"),
            entry("chosen", color=CHOSEN, marker="*", markersize=12, linestyle="none"),
        ]
        title = "\n".join(f"{name}: {value}" for name, value in (self.others or {}).items())
        legend_beside(self.axes_[0, -1], handles, title=title or None)
        return self

    def _draw(self, ax, name):
        """Draw one score along lambda."""
        values = self.scores[name]
        n_lambdas, n_folds = values.shape
        places = np.arange(n_lambdas)
        means = np.nanmean(values, axis=1)
        (self.lines_[name],) = ax.plot(places, means, color=SOURCE, marker="o", markersize=4)
        (self.fold_marks_[name],) = ax.plot(
            np.repeat(places, n_folds),
            values.ravel(),
            color=OTHER,
            marker="_",
            markersize=7,
            linestyle="none",
        )
        chosen = int(np.flatnonzero(np.isclose(self.lambdas, self.chosen))[0])
        (self.chosen_marks_[name],) = ax.plot(
            chosen, means[chosen], color=CHOSEN, marker="*", markersize=14, linestyle="none"
        )
        ax.set_xticks(places, [f"{value:g}" for value in self.lambdas])
        title, unit = SCORES[name]
        ax.set(xlabel="lambda", ylabel=unit)
        ax.set_title(title, fontsize="medium")
        ax.margins(0.12)
        plain(ax)
