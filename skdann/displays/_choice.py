"""`ChoiceDisplay`: every candidate with its evidence, and what was chosen."""

import numpy as np
from sklearn.base import clone

from skdann._choosing.gain_model import LEAST_BOUND, LEAST_GAIN, SEARCH_LEAST_GAIN
from skdann._report.compared import as_trained
from skdann.displays._candidates import (
    SCORES,
    chosen_among,
    refitted_accuracies,
    rows_at_classifier,
    table_of_pool,
    table_of_search,
)
from skdann.displays._rows import chooser_of
from skdann.displays._style import (
    CHOSEN,
    LINE,
    OTHER,
    broken,
    check_matplotlib,
    entry,
    legend_beside,
    panels,
    plain,
)

# Signals of the gain model, which are shown where a choice was made by it.
_EVIDENCE = "reverse_validation", "reverse_probability", "info_max", "agreement"

_MARKS = {
    "chosen": {"marker": "*", "color": CHOSEN, "markersize": 12},
    "would pass too": {"marker": "o", "color": CHOSEN, "markersize": 6},
    "refused": {"marker": "o", "color": OTHER, "markersize": 6, "markerfacecolor": "white"},
    "dropped after one fold": {"marker": "x", "color": OTHER, "markersize": 5},
    "without adaptation": {"marker": "s", "color": LINE, "markersize": 6},
}


class ChoiceDisplay:
    """Every candidate of a choice: the evidence for it, and whether that was enough.

    A line of marks for each candidate, the best on top. The first panel shows the gain in target
    accuracy that is expected of it over the network without adaptation, and the lower bound of
    that gain. A candidate is chosen only if the mark lies to the right of the dashed line, and the
    lower bound to the right of the dotted one. A `DANNClassifier` drops all but the best three
    after one fold. The other panels show the evidence: how much the candidate gains over the
    network without adaptation in scores that need no target labels, with a standard error to each
    side.

    Make it by `from_estimator` or `from_search`; all parameters are kept as attributes.

    Parameters
    ----------
    candidates : dict of str to ndarray of shape (n_candidates,)
        ``candidate``, the names; ``gain_<score>`` and ``error_<score>`` of each score; where they
        are known ``expected_gain`` and ``gain_lower_bound`` in shares of target accuracy,
        ``passes`` (bool), ``dropped`` (bool; not compared in all folds, because it was far behind
        after the first), and ``target_accuracy`` in [0, 1].
    chosen : int or None
        Position of the chosen candidate.
    baseline : int, default=0
        Position of the candidate without adaptation.
    least_gain, least_bound : float, default=None
        What the expected gain and its lower bound have to exceed.

    Attributes
    ----------
    axes_ : ndarray of Axes of shape (1, n_panels)
    figure_ : matplotlib Figure
    order_ : list of int
        Positions of the candidates that are shown, from the top.
    marks_ : dict of str to list of Line2D
        By the name of the panel: "expected_gain", the scores, and "target_accuracy". From the top.
    bounds_ : list of Line2D
        From each expected gain down to its lower bound.
    limit_lines_ : dict of str to Line2D
        "least_gain" and "least_bound".

    See Also
    --------
    LambdaPathDisplay : The scores themselves, along lambda.
    skdann.DANNClassifierCV : How the evidence is put together.

    Examples
    --------
    >>> from skdann import DANNClassifier
    >>> from skdann.datasets import make_rotated_moons
    >>> from skdann.displays import ChoiceDisplay
    >>> X_src, y_src, X_tgt, y_tgt = make_rotated_moons(100, random_state=0)
    >>> clf = DANNClassifier((8,), max_epochs=5, random_state=0).fit(X_src, y_src, X_tgt)
    >>> display = ChoiceDisplay.from_estimator(clf)
    >>> display.candidates["candidate"][display.chosen]
    'input_scaling=None, lambda_max=0'
    """

    def __init__(self, *, candidates, chosen, baseline=0, least_gain=None, least_bound=None):
        self.candidates = candidates
        self.chosen = chosen
        self.baseline = baseline
        self.least_gain = least_gain
        self.least_bound = least_bound

    @classmethod
    def from_estimator(
        cls,
        estimator,
        X_src=None,
        y_src=None,
        X_tgt=None,
        y_tgt=None,
        *,
        max_candidates=25,
        ax=None,
    ):
        """Show what a classifier chose from.

        Parameters
        ----------
        estimator : DANNClassifier, DANNClassifierCV, or Pipeline or search with one at its end
            Fitted with target rows; a `DANNClassifier` with ``lambda_max="auto"`` or candidates.
        X_src : {array-like, sparse matrix, DataFrame} of shape (n_source, n_features), default=None
            Source rows, as in `fit`. Pass them with `y_src`, `X_tgt` and `y_tgt` to see what each
            candidate is worth on the target. **Each candidate but the chosen one is fitted again
            for it**, on all rows: nine candidates take about eight fits of a given lambda.
        y_src : array-like of shape (n_source,), default=None
            Their labels.
        X_tgt : {array-like, sparse matrix, DataFrame} of shape (n_target, n_features), or tuple, \
default=None
            Target rows, or a tuple of several targets.
        y_tgt : array-like of shape (n_target,) or tuple of such, default=None
            Labels of the target rows.
        max_candidates : int, default=25
            At most so many candidates are shown: the best, the chosen one and the baseline.
        ax : Axes or ndarray of Axes of shape (n_panels,), default=None
            Where to draw; None makes a figure. One axes is divided if more are needed.

        Returns
        -------
        display : ChoiceDisplay
            Drawn, with the artists as attributes.

        Raises
        ------
        ValueError
            If the estimator chose nothing, or only some of the four arguments are given.
        """
        check_matplotlib(f"{cls.__name__}.from_estimator")
        chooser = chooser_of(estimator)
        results = candidates_of(chooser)
        table, chosen = table_of_pool(results), chosen_among(results)
        if _all_given(X_src, y_src, X_tgt, y_tgt):
            source, targets = rows_at_classifier(estimator, X_src, X_tgt)
            table["target_accuracy"] = refitted_accuracies(
                _template(chooser),
                [as_trained(one) for one in results["params"]],
                {chosen: chooser},
                source,
                y_src,
                targets,
                y_tgt,
            )
        limits = {}
        if "expected_gain" in table:
            limits = {"least_gain": LEAST_GAIN, "least_bound": LEAST_BOUND}
        display = cls(candidates=table, chosen=chosen, **limits)
        return display.plot(ax, max_candidates=max_candidates)

    @classmethod
    def from_search(
        cls,
        search,
        X_src=None,
        y_src=None,
        X_tgt=None,
        y_tgt=None,
        *,
        max_candidates=25,
        ax=None,
    ):
        """Show the candidates of a search that was scored without target labels.

        Parameters
        ----------
        search : GridSearchCV, RandomizedSearchCV or another with `cv_results_`
            Fitted, with a candidate of ``lambda_max=0``. There is a panel for each score, and the
            expected gain if the scores are those of `skdann.model_selection.adaptation_scoring`.
        X_src : {array-like, sparse matrix, DataFrame} of shape (n_source, n_features), default=None
            Source rows, as in `fit`. Pass them with `y_src`, `X_tgt` and `y_tgt` to see what each
            candidate is worth on the target. **Each candidate but the chosen one is fitted again
            for it**, on all rows, as a clone of ``search.estimator``.
        y_src : array-like of shape (n_source,), default=None
            Their labels.
        X_tgt : {array-like, sparse matrix, DataFrame} of shape (n_target, n_features), or tuple, \
default=None
            Target rows, or a tuple of several targets.
        y_tgt : array-like of shape (n_target,) or tuple of such, default=None
            Labels of the target rows.
        max_candidates : int, default=25
            At most so many candidates are shown: the best, the chosen one and the baseline.
        ax : Axes or ndarray of Axes of shape (n_panels,), default=None
            Where to draw; None makes a figure. One axes is divided if more are needed.

        Returns
        -------
        display : ChoiceDisplay
            Drawn, with the artists as attributes.

        Raises
        ------
        ValueError
            If no candidate has ``lambda_max=0``, or only some of the four arguments are given.
        """
        check_matplotlib(f"{cls.__name__}.from_search")
        table, baseline = table_of_search(search.cv_results_)
        chosen = getattr(search, "best_index_", None)
        if _all_given(X_src, y_src, X_tgt, y_tgt):
            known = {chosen: search.best_estimator_} if hasattr(search, "best_estimator_") else {}
            table["target_accuracy"] = refitted_accuracies(
                search.estimator, search.cv_results_["params"], known, X_src, y_src, X_tgt, y_tgt
            )
        least = SEARCH_LEAST_GAIN if "expected_gain" in table else None
        display = cls(candidates=table, chosen=chosen, baseline=baseline, least_gain=least)
        return display.plot(ax, max_candidates=max_candidates)

    def plot(self, ax=None, *, max_candidates=25):
        """Draw the figure.

        Parameters
        ----------
        ax : Axes or ndarray of Axes of shape (n_panels,), default=None
            None makes a figure. One axes is divided; an array has one for each panel.
        max_candidates : int, default=25
            At most so many candidates are shown: the best, the chosen one and the baseline.

        Returns
        -------
        self : ChoiceDisplay
            With the artists as attributes.
        """
        check_matplotlib(f"{type(self).__name__}.plot")
        self.order_ = self._order(max_candidates)
        columns = self._columns()
        size = 4.2 + 1.55 * len(columns), 1.4 + 0.34 * len(self.order_)
        self.axes_, self.figure_ = panels(ax, 1, len(columns), size)
        self.marks_, self.bounds_, self.limit_lines_ = {}, [], {}
        for name, place in zip(columns, self.axes_[0], strict=True):
            self._draw_column(place, name)
            self._label(place, name)
        self._name_candidates(self.axes_[0, 0])
        legend_beside(self.axes_[0, -1], self._handles())
        return self

    def _columns(self):
        """Return the names of the panels."""
        scores = [
            n.removeprefix("gain_") for n in self.candidates if f"error_{n[5:]}" in self.candidates
        ]
        if "expected_gain" not in self.candidates:
            return [*scores, *self._known_accuracy()]
        if (
            "gain_lower_bound" in self.candidates
        ):  # chosen by the gain model, which knows only these
            scores = [name for name in _EVIDENCE if name in scores]
        return ["expected_gain", *scores, *self._known_accuracy()]

    def _known_accuracy(self):
        return ["target_accuracy"] if "target_accuracy" in self.candidates else []

    def _order(self, most):
        """Return the positions of the candidates to show, best first."""
        if most < 2:
            raise ValueError(f"max_candidates={most}: pass at least 2.")
        score = self.candidates.get("expected_gain")
        if score is None:
            score = self.candidates[f"gain_{self._columns()[0]}"]
        order = [int(i) for i in np.argsort(-np.nan_to_num(score, nan=-np.inf), kind="stable")]
        needed = [
            i for i in (self.chosen, self.baseline) if i is not None and i not in order[:most]
        ]
        kept = {*order[: most - len(needed)], *needed}
        return [i for i in order if i in kept]

    def _kind(self, i):
        if i == self.chosen:
            return "chosen"
        if i == self.baseline:
            return "without adaptation"
        for column, kind in (("dropped", "dropped after one fold"), ("passes", "would pass too")):
            if column in self.candidates and self.candidates[column][i]:
                return kind
        return "refused"

    def _draw_column(self, ax, name):
        """Draw one figure of all candidates."""
        gains = name in self.candidates
        values = self.candidates[name if gains else f"gain_{name}"]
        errors = None if gains else self.candidates[f"error_{name}"]
        self.marks_[name] = []
        for y, i in enumerate(self.order_):
            if errors is not None and np.isfinite(errors[i]):
                span = [values[i] - errors[i], values[i] + errors[i]]
                ax.plot(span, [y, y], color=OTHER, linewidth=1.2, zorder=1)
            (mark,) = ax.plot(values[i], y, linestyle="none", zorder=3, **_MARKS[self._kind(i)])
            self.marks_[name].append(mark)
        if name != "target_accuracy":
            ax.axvline(0.0, color=LINE, linewidth=0.6, zorder=0)
        if name == "expected_gain":
            self._draw_limits(ax)

    def _draw_limits(self, ax):
        """Draw lower bounds, and what gains and bounds have to exceed."""
        bounds = self.candidates.get("gain_lower_bound")
        for y, i in enumerate(self.order_):
            if bounds is not None:
                span = [bounds[i], self.candidates["expected_gain"][i]]
                style = {
                    "color": OTHER,
                    "linewidth": 1.2,
                    "zorder": 1,
                    "marker": "|",
                    "markevery": [0],
                }
                self.bounds_ += ax.plot(span, [y, y], **style)
        for name, style in (("least_gain", "--"), ("least_bound", ":")):
            if getattr(self, name) is not None:
                self.limit_lines_[name] = ax.axvline(
                    getattr(self, name), color=CHOSEN, linestyle=style, zorder=0
                )

    def _label(self, ax, name):
        from matplotlib.ticker import FuncFormatter, MaxNLocator

        known = {
            "expected_gain": ("expected gain, lower bound", "points of accuracy"),
            "target_accuracy": ("target accuracy, not used", "points"),
        }
        title, unit = (known | SCORES).get(name, (name.replace("_", " "), ""))
        in_points = unit not in ("nats", "")
        unit = "points" if in_points else unit
        ax.set(xlabel=unit, ylim=(len(self.order_) - 0.4, -0.6), yticks=range(len(self.order_)))
        ax.set_title(broken(title, 16), fontsize="small")
        ax.xaxis.label.set_fontsize("small")
        ax.tick_params(labelsize="small", labelleft=False)
        ax.xaxis.set_major_locator(MaxNLocator(3))
        if in_points:
            ax.xaxis.set_major_formatter(
                FuncFormatter(lambda share, _: f"{round(100 * share, 6):g}")
            )
        ax.grid(axis="y", color="#EEEEEE", zorder=-1)
        plain(ax)

    def _name_candidates(self, ax):
        n_all = len(self.candidates["candidate"])
        names = [broken(self.candidates["candidate"][i], 40) for i in self.order_]
        ax.tick_params(labelleft=True)
        for text, i in zip(ax.set_yticks(range(len(names)), names), self.order_, strict=False):
            text.label1.set_fontweight("bold" if i == self.chosen else "normal")
        if len(names) < n_all:
            ax.set_ylabel(f"{len(names)} of {n_all} candidates", fontsize="small")

    def _handles(self):
        kinds = [kind for kind in _MARKS if kind in set(map(self._kind, self.order_))]
        handles = [entry(kind, linestyle="none", **_MARKS[kind]) for kind in kinds]
        labels = {"least_gain": "least gain to adapt", "least_bound": "least bound to adapt"}
        for name, line in self.limit_lines_.items():
            handles.append(entry(labels[name], color=CHOSEN, linestyle=line.get_linestyle()))
        return handles


def candidates_of(chooser):
    """Return the table of candidates of a fitted classifier, or raise if it chose nothing."""
    results = getattr(chooser, "cv_results_", None)
    if results is None or "params" not in results:
        raise ValueError(
            f"estimator ends in a {type(chooser).__name__} that chose nothing: there are no "
            "candidates to show. Fit DANNClassifier() with its lambda_max='auto', or "
            "DANNClassifierCV(), with X_tgt."
        )
    return results


def _template(chooser):
    """Return an unfitted classifier with the settings that all candidates have in common."""
    best = getattr(chooser, "best_estimator_", chooser)
    template = clone(best).set_params(verbose=0)
    if best is chooser:
        return template
    given = chooser.estimator  # the best may be an ensemble of several candidates' networks
    return template.set_params(n_members=1 if given is None else given.n_members)


def _all_given(*rows):
    """Tell whether rows and labels are given, or raise if only some are."""
    given = [one is not None for one in rows]
    if any(given) and not all(given):
        raise ValueError(
            "X_src, y_src, X_tgt and y_tgt go together: pass all four to see the target accuracy "
            "of each candidate, or none."
        )
    return all(given)
