"""`FeatureShiftDisplay`: which columns differ most between the domains."""

import numpy as np
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import Pipeline
from sklearn.utils import check_random_state

from skdann._sklearn_compat import num_samples
from skdann.displays._rows import (
    as_matrix,
    as_tuple,
    classifier_of,
    drawn,
    n_rows_of,
    scaled_by_network,
    seen_by,
)
from skdann.displays._style import (
    LINE,
    SOURCE,
    TARGET,
    check_matplotlib,
    counted,
    entry,
    legend_beside,
    panels,
    plain,
    shortened_apart,
)
from skdann.metrics._feature_shift import feature_shift
from skdann.metrics._scorer_base import stacked_rows

# A matrix of at most so many values is scaled at once: 128 MB.
_MOST_VALUES = 2**25

# Of bars of columns whose shift can be chance.
_PALE = 0.3

# Smaller differences between shares of missing values are not shown.
_LEAST_MISSING = 0.02

_MISSING_COLOR = "#CC79A7"


class FeatureShiftDisplay:
    """Which columns differ most between the domains, largest on top.

    Bars are the shifts that `skdann.metrics.feature_shift` measures, in [0, 1]. Pale bars can be
    chance: the black tick is what a shift would stay below in 95 of 100 cases if the domains did
    not differ. Diamonds show how much the share of missing values differs, from 0.02 on.

    A column near 1 is in another unit, or has other values altogether: look at it before you adapt.

    Make it by `from_data`, before any fit, or by `from_estimator`; all parameters are kept as
    attributes.

    Parameters
    ----------
    shifts : dict of str to ndarray of shape (n_features,)
        As `skdann.metrics.feature_shift` returns it.
    scaled_shift : ndarray of shape (n_features,), default=None
        The shift of each column after the classifier's input scaling, in [0, 1].
    n_source, n_target : int, default=None
        Rows of each domain, for the title.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    bars_ : matplotlib BarContainer
        From the top; as many as columns are shown.
    features_ : list of str
        Their names in full.
    chance_marks_, missing_marks_, scaled_marks_ : matplotlib Line2D or None
        The ticks, the diamonds, and the discs that show the shift after scaling. None where there
        are none.

    See Also
    --------
    skdann.metrics.feature_shift : The same as a table.
    DomainConfusionDisplay : All columns together.

    Examples
    --------
    >>> import pandas as pd
    >>> from skdann.displays import FeatureShiftDisplay
    >>> source = pd.DataFrame({"age": range(100), "ward": ["a", "b"] * 50})
    >>> target = pd.DataFrame({"age": range(50, 150), "ward": ["a", "b"] * 50})
    >>> display = FeatureShiftDisplay.from_data(source, target)
    >>> display.features_
    ['age', 'ward']
    >>> [float(bar.get_width()) for bar in display.bars_]
    [0.5, 0.0]
    """

    def __init__(self, *, shifts, scaled_shift=None, n_source=None, n_target=None):
        self.shifts = shifts
        self.scaled_shift = scaled_shift
        self.n_source = n_source
        self.n_target = n_target

    @classmethod
    def from_data(cls, X_src, X_tgt, *, max_features=20, random_state=0, ax=None):
        """Show how the columns of two tables differ, as they are, before any fit.

        Parameters
        ----------
        X_src : {array-like, sparse matrix, DataFrame} of shape (n_source, n_features)
            Source rows. Numbers, dates, text and categories, with or without missing values.
        X_tgt : {array-like, sparse matrix, DataFrame} of shape (n_target, n_features), or tuple
            Target rows. Several targets are shown as one.
        max_features : int, default=20
            At most so many columns are shown, those that differ most.
        random_state : int, RandomState instance or None, default=0
            For the level of chance of columns that are not numbers.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.

        Returns
        -------
        display : FeatureShiftDisplay
            Drawn, with the artists as attributes.

        Raises
        ------
        ValueError
            If the columns are not the same, or a domain has no rows.
        """
        check_matplotlib(f"{cls.__name__}.from_data")
        target = stacked_rows(list(as_tuple(X_tgt)))
        shifts = feature_shift(X_src, target, random_state=random_state)
        display = cls(shifts=shifts, n_source=num_samples(X_src), n_target=n_rows_of(X_tgt))
        return display.plot(ax, max_features=max_features)

    @classmethod
    def from_estimator(
        cls, estimator, X_src, X_tgt, *, max_features=20, max_rows=10_000, random_state=0, ax=None
    ):
        """Show how columns differ where they reach the classifier, and after its input scaling.

        Bars show the columns after the steps of a Pipeline, discs the same columns after the
        scaling inside the network, each domain scaled as the network does it. Only
        ``input_scaling`` "domain" and "balanced" scale the domains differently; with the others
        a shift stays what it was, up to the cut of values at +-8.

        Parameters
        ----------
        estimator : DANNClassifier, DANNClassifierCV, or Pipeline or search with one at its end
            Fitted.
        X_src : {array-like, sparse matrix, DataFrame} of shape (n_source, n_features)
            Source rows, as `estimator` takes them.
        X_tgt : {array-like, sparse matrix, DataFrame} of shape (n_target, n_features), or tuple
            Target rows. Several targets are scaled each by its own, and shown as one.
        max_features : int, default=20
            At most so many columns are shown, those that differ most.
        max_rows : int, default=10_000
            At most so many rows of each domain are drawn at random and compared.
        random_state : int, RandomState instance or None, default=0
            Determines which rows are drawn.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.

        Returns
        -------
        display : FeatureShiftDisplay
            Plotted. Where the network does not scale its inputs, or rebuilds them
            (``input_scaling="denoised"``), there are no discs.

        Raises
        ------
        ValueError
            If the columns are not those of the fit.
        """
        check_matplotlib(f"{cls.__name__}.from_estimator")
        classifier = classifier_of(estimator)
        generator = np.random.default_rng(check_random_state(random_state).randint(2**31))
        most = max(2, min(max_rows, _MOST_VALUES // classifier.n_features_in_))
        X_src, X_tgt = (drawn(X, most, generator)[0] for X in (X_src, X_tgt))
        one_by_one = [seen_by(estimator, X_src, X, needed_by=cls.__name__) for X in as_tuple(X_tgt)]
        source = as_matrix(one_by_one[0].rows()[0])
        targets = [as_matrix(one.rows()[1]) for one in one_by_one]
        shifts = feature_shift(source, stacked_rows(targets))
        names = _names_at_classifier(estimator, one_by_one[0].rows()[0])
        if names is not None and len(names) == source.shape[1]:
            shifts["feature"] = np.array(names, dtype=object)
        scaled = scaled_by_network(classifier, source, targets)
        display = cls(
            shifts=shifts,
            scaled_shift=None if scaled is None else feature_shift(*scaled)["shift"],
            n_source=source.shape[0],
            n_target=n_rows_of(X_tgt),
        )
        return display.plot(ax, max_features=max_features)

    def plot(self, ax=None, *, max_features=20):
        """Draw the figure.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            None makes a figure.
        max_features : int, default=20
            At most so many columns are shown, those that differ most.

        Returns
        -------
        self : FeatureShiftDisplay
            With the artists as attributes.
        """
        check_matplotlib(f"{type(self).__name__}.plot")
        if max_features < 1:
            raise ValueError(f"max_features={max_features}: pass at least 1.")
        order = _order(self.shifts)[:max_features]
        axes, self.figure_ = panels(ax, 1, 1, (7.5, 1.2 + 0.28 * len(order)))
        self.ax_ = axes[0, 0]
        self.features_ = [str(self.shifts["feature"][i]) for i in order]
        self._draw_shifts(order)
        self._draw_marks(order)
        self._label(order)
        return self

    def _draw_shifts(self, order):
        """Draw a bar for each column; hatched for categories, pale where it can be chance."""
        shift, chance = (self.shifts[name][order] for name in ("shift", "chance"))
        self.bars_ = self.ax_.barh(
            range(len(order)), np.nan_to_num(shift), height=0.62, color=SOURCE
        )
        for i, bar in enumerate(self.bars_):
            bar.set_alpha(1.0 if shift[i] > chance[i] else _PALE)
            if self.shifts["kind"][order[i]] == "category":
                bar.set(hatch="////", edgecolor="white", linewidth=0)
        self.chance_marks_ = self._marks(chance, marker="|", color=LINE, markersize=11)

    def _draw_marks(self, order):
        missing = _missing_difference(self.shifts)[order]
        self.missing_marks_ = self._marks(
            np.where(missing >= _LEAST_MISSING, missing, np.nan),
            marker="D",
            color=_MISSING_COLOR,
            markerfacecolor="white",
            markersize=6,
        )
        self.scaled_marks_ = None
        if self.scaled_shift is not None:
            self.scaled_marks_ = self._marks(
                self.scaled_shift[order], marker="o", color=TARGET, markersize=6
            )

    def _marks(self, values, **style):
        """Draw a mark at each value that is not missing, and return them, or None."""
        at = np.flatnonzero(np.isfinite(values))
        if not len(at):
            return None
        (marks,) = self.ax_.plot(values[at], at, linestyle="none", clip_on=False, **style)
        return marks

    def _label(self, order):
        ax, n_all = self.ax_, len(self.shifts["feature"])
        ax.set_yticks(range(len(order)), shortened_apart(self.features_))
        ax.set(xlim=(0, 1), ylim=(len(order) - 0.5, -0.5))
        ax.set_xlabel("difference between the domains, 0 to 1")
        title = f"shift of {counted(len(order), n_all, 'columns')}"
        if self.n_source is not None:
            title += f"; {self.n_source:,} source rows, {self.n_target:,} target rows"
        ax.set_title(title, fontsize="medium")
        plain(ax)
        legend_beside(ax, self._handles(order))

    def _handles(self, order):
        from matplotlib.patches import Patch

        kinds = set(self.shifts["kind"][order])
        handles = []
        if "number" in kinds:
            handles.append(Patch(color=SOURCE, label="shift of numbers"))
        if "category" in kinds:
            hatched = {"facecolor": SOURCE, "edgecolor": "white", "hatch": "////", "linewidth": 0}
            handles.append(Patch(label="shift of categories", **hatched))
        if self.scaled_marks_ is not None:
            label, style = "after input scaling", {"color": TARGET, "marker": "o"}
            handles.append(entry(label, linestyle="none", **style))
        if self.missing_marks_ is not None:
            style = {"color": _MISSING_COLOR, "marker": "D", "markerfacecolor": "white"}
            handles.append(entry("shares missing", linestyle="none", **style))
        if self.chance_marks_ is not None:
            style = {"color": LINE, "marker": "|", "markersize": 11}
            handles.append(entry("chance is below", linestyle="none", **style))
        return handles


def _missing_difference(shifts):
    return np.abs(shifts["missing_target"] - shifts["missing_source"])


def _order(shifts):
    """Return positions of columns, the most different first, by shifts that can't be chance."""
    sure = np.where(shifts["shift"] > shifts["chance"], shifts["shift"], 0.0)
    largest = np.maximum(sure, _missing_difference(shifts))
    return np.lexsort([-np.nan_to_num(shifts["shift"]), -largest])


def _names_at_classifier(estimator, rows):
    """Return the names of the columns that reach the classifier, or None if they have none."""
    if hasattr(rows, "columns"):
        return [str(name) for name in rows.columns]
    estimator = getattr(estimator, "best_estimator_", estimator)
    if not isinstance(estimator, Pipeline) or len(estimator.steps) < 2:
        return None
    try:
        names = [str(name) for name in estimator[:-1].get_feature_names_out()]
    except (AttributeError, NotFittedError, ValueError):  # not every transformer gives names
        return None
    # Without the names of the steps, as long as that does not make two of them equal.
    bare = [name.split("__", 1)[-1] for name in names]
    return bare if len(set(bare)) == len(names) else names
