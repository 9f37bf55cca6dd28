"""`ClassShareDisplay`: how frequent the classes are in each domain."""

import numpy as np
from sklearn.utils import check_random_state, column_or_1d

from skdann.displays._rows import classifier_of, labels_of, seen_by
from skdann.displays._style import (
    CHOSEN,
    SOURCE,
    TARGET,
    check_matplotlib,
    counted,
    legend_beside,
    panels,
    plain,
    shortened_apart,
)
from skdann.metrics._class_shares import estimate_class_shares

_N_BOOTSTRAP = 100

# Standard errors to each side: about 95 of 100 cases.
_WIDTH = 2.0

# Of each kind of share: the legend, and the mark. In the order in which they are drawn.
_KINDS = {
    "source": ("source", {"marker": "o", "color": SOURCE}),
    "estimated": (
        "target, estimated",
        {"marker": "^", "color": TARGET, "markerfacecolor": "white"},
    ),
    "predicted": ("target, predicted", {"marker": "v", "color": TARGET}),
    "true": ("target, true", {"marker": "D", "color": CHOSEN}),
}


class ClassShareDisplay:
    """How frequent the classes are: in the source, and in the target as far as one can tell.

    Three or four marks for each class: its share of the source rows; its share of the target rows,
    estimated under label shift; the share of target rows that it is predicted for; and, where
    labels are given, its true share. Lines show two standard errors to each side.

    If the estimated shares are far from the source's, class shares differ: see `label_shift` of
    `DANNClassifier`. If the predicted shares are far from the estimated ones, or one class is
    predicted for nearly all rows, do not trust the predictions.

    Make it by `from_estimator` or `from_predictions`; all parameters are kept as attributes.

    Parameters
    ----------
    classes : ndarray of shape (n_classes,)
        The labels.
    shares : dict of str to ndarray of shape (n_classes,)
        In [0, 1], by the kinds "source", "estimated", "predicted" and "true".
    errors : dict of str to ndarray of shape (n_classes,), default=None
        Standard errors of some of these.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    marks_ : dict of str to matplotlib ErrorbarContainer
        By the kind of share. Each has a mark for each class that is shown, from the top.
    order_ : list of int
        Positions of the classes that are shown, from the top.

    See Also
    --------
    skdann.metrics.estimate_class_shares : The estimate, and its assumption.

    Notes
    -----
    The estimate assumes that rows of a class look alike in both domains. Where they don't, it is
    wrong by more than its error says.

    Examples
    --------
    >>> from skdann import DANNClassifier
    >>> from skdann.datasets import make_rotated_moons
    >>> from skdann.displays import ClassShareDisplay
    >>> X_src, y_src, X_tgt, y_tgt = make_rotated_moons(100, random_state=0)
    >>> clf = DANNClassifier(lambda_max=1.0, max_epochs=5, random_state=0)
    >>> clf = clf.fit(X_src, y_src, X_tgt)
    >>> display = ClassShareDisplay.from_estimator(clf, X_src, y_src, X_tgt, y_tgt=y_tgt)
    >>> display.shares["source"], display.shares["true"]
    (array([0.5, 0.5]), array([0.5, 0.5]))
    """

    def __init__(self, *, classes, shares, errors=None):
        self.classes = classes
        self.shares = shares
        self.errors = errors

    @classmethod
    def from_estimator(
        cls, estimator, X_src, y_src, X_tgt, *, y_tgt=None, max_classes=30, random_state=0, ax=None
    ):
        """Show class shares by the predictions of a fitted classifier.

        Parameters
        ----------
        estimator : DANNClassifier, DANNClassifierCV, or Pipeline or search with one at its end
            Fitted. Shares that it was fitted with (`target_shares_`) are shown as estimated.
        X_src : {array-like, sparse matrix, DataFrame} of shape (n_source, n_features)
            Source rows, as `estimator` takes them. Rows that it was not fitted on are better: on
            its own rows it makes fewer errors than on others, and the estimate counts errors.
        y_src : array-like of shape (n_source,)
            Their labels, with a row or more of each class.
        X_tgt : {array-like, sparse matrix, DataFrame} of shape (n_target, n_features), or tuple
            Target rows. Several targets count as one.
        y_tgt : array-like of shape (n_target,) or tuple of such, default=None
            Labels of the target rows, where they are known.
        max_classes : int, default=30
            At most so many classes are shown, those that are most frequent anywhere.
        random_state : int, RandomState instance or None, default=0
            For the standard errors of the estimate.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.

        Returns
        -------
        display : ClassShareDisplay
            Drawn, with the artists as attributes.
        """
        check_matplotlib(f"{cls.__name__}.from_estimator")
        rows = seen_by(estimator, X_src, X_tgt, y_src, needed_by=cls.__name__)
        classes = np.asarray(rows.classes)
        return cls.from_predictions(
            labels_of(y_src, X_src, "y_src"),
            rows.source("predict_proba"),
            rows.target("predict_proba"),
            y_tgt=None if y_tgt is None else labels_of(y_tgt, X_tgt, "y_tgt"),
            classes=classes,
            target_shares=getattr(classifier_of(estimator), "target_shares_", None),
            max_classes=max_classes,
            random_state=random_state,
            ax=ax,
        )

    @classmethod
    def from_predictions(
        cls,
        y_source,
        proba_source,
        proba_target,
        *,
        y_tgt=None,
        classes=None,
        target_shares=None,
        max_classes=30,
        random_state=0,
        ax=None,
    ):
        """Show class shares by predicted probabilities that are at hand.

        Parameters
        ----------
        y_source : array-like of shape (n_source,)
            Labels of source rows, with a row or more of each class.
        proba_source : array-like of shape (n_source, n_classes)
            Class probabilities of these rows, best of a classifier that has not seen them.
        proba_target : array-like of shape (n_target, n_classes)
            Class probabilities of target rows.
        y_tgt : array-like of shape (n_target,), default=None
            Labels of the target rows, where they are known.
        classes : array-like of shape (n_classes,), default=None
            Labels of the columns, sorted. None means the labels in `y_source`.
        target_shares : array-like of shape (n_classes,), default=None
            Estimated shares of the target; None estimates them by
            `skdann.metrics.estimate_class_shares`.
        max_classes : int, default=30
            At most so many classes are shown, those that are most frequent anywhere.
        random_state : int, RandomState instance or None, default=0
            For the standard errors of the estimate.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.

        Returns
        -------
        display : ClassShareDisplay
            Drawn, with the artists as attributes.

        Raises
        ------
        ValueError
            If lengths differ, a class has no source row, or `y_tgt` has unknown labels.
        """
        check_matplotlib(f"{cls.__name__}.from_predictions")
        y_source = column_or_1d(y_source)
        proba_source, proba_target = np.asarray(proba_source), np.asarray(proba_target)
        classes = np.unique(y_source) if classes is None else np.asarray(classes)
        found = estimate_class_shares(proba_target, y_source, proba_source, classes=classes)
        shares = {"source": _counted(y_source, classes, "y_source")}
        errors = {"source": _binomial(shares["source"], len(y_source))}
        if target_shares is None:
            seed = check_random_state(random_state).randint(2**31)
            shares["estimated"] = found
            errors["estimated"] = _bootstrapped(proba_target, y_source, proba_source, classes, seed)
        else:
            shares["estimated"] = np.asarray(target_shares, dtype=np.float64)
        predicted = classes[proba_target.argmax(axis=1)]
        shares["predicted"] = _counted(predicted, classes, "proba_target")
        errors["predicted"] = _binomial(shares["predicted"], len(predicted))
        if y_tgt is not None:
            shares["true"] = _counted(labels_of(y_tgt, proba_target, "y_tgt"), classes, "y_tgt")
        display = cls(classes=classes, shares=shares, errors=errors)
        return display.plot(ax, max_classes=max_classes)

    def plot(self, ax=None, *, max_classes=30):
        """Draw the figure.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            None makes a figure.
        max_classes : int, default=30
            At most so many classes are shown, those that are most frequent anywhere.

        Returns
        -------
        self : ClassShareDisplay
            With the artists as attributes.
        """
        check_matplotlib(f"{type(self).__name__}.plot")
        if max_classes < 1:
            raise ValueError(f"max_classes={max_classes}: pass at least 1.")
        largest = np.max(list(self.shares.values()), axis=0)
        self.order_ = sorted(np.argsort(-largest, kind="stable")[:max_classes].tolist())
        axes, self.figure_ = panels(ax, 1, 1, (7.0, 1.3 + 0.42 * len(self.order_)))
        self.ax_ = axes[0, 0]
        self.marks_ = {}
        kinds = [kind for kind in _KINDS if kind in self.shares]
        for kind, offset in zip(kinds, np.linspace(-0.27, 0.27, len(kinds)), strict=True):
            self.marks_[kind] = self._draw(kind, offset)
        self._label()
        return self

    def _draw(self, kind, offset):
        """Draw the shares of one kind, a little above or below the line of their class."""
        label, style = _KINDS[kind]
        errors = None if self.errors is None else self.errors.get(kind)
        return self.ax_.errorbar(
            self.shares[kind][self.order_],
            np.arange(len(self.order_)) + offset,
            xerr=None if errors is None else _WIDTH * errors[self.order_],
            linestyle="none",
            elinewidth=1.2,
            clip_on=False,
            label=label,
            **style,
        )

    def _label(self):
        ax, n = self.ax_, len(self.order_)
        names = shortened_apart([self.classes[i] for i in self.order_])
        ax.set_yticks(range(n), names)
        ax.set(ylim=(n - 0.4, -0.6), xlabel="share of the rows")
        ax.set_xlim(left=0.0)
        for y in np.arange(n - 1) + 0.5:
            ax.axhline(y, color="#DDDDDD", linewidth=0.8, zorder=0)
        if n < len(self.classes):
            ax.set_ylabel(counted(n, len(self.classes), "classes"))
        plain(ax)
        legend_beside(ax, ax.get_legend_handles_labels()[0])


def _counted(labels, classes, argument):
    """Return the share of each class among labels, or raise for a label of no class."""
    counts = np.array([np.sum(labels == label) for label in classes])
    if counts.sum() != len(labels):
        unknown = sorted(set(np.unique(labels).tolist()) - set(classes.tolist()))
        raise ValueError(
            f"{argument} has labels that the classifier does not know: {unknown[:10]}. Pass labels "
            f"of {classes.tolist()[:10]}."
        )
    return counts / len(labels)


def _binomial(shares, n_rows):
    """Return standard errors of shares that were counted."""
    return np.sqrt(shares * (1.0 - shares) / n_rows)


def _bootstrapped(proba_target, y_source, proba_source, classes, seed):
    """Return standard errors of estimated shares, by rows that are drawn again and again.

    Source rows are drawn within each class, so that no class is without rows.
    """
    rng = np.random.default_rng(seed)
    rows_of_class = [np.flatnonzero(y_source == label) for label in classes]
    estimates = []
    for _ in range(_N_BOOTSTRAP):
        of_source = np.concatenate([rng.choice(rows, len(rows)) for rows in rows_of_class])
        of_target = rng.integers(len(proba_target), size=len(proba_target))
        estimates.append(
            estimate_class_shares(
                proba_target[of_target],
                y_source[of_source],
                proba_source[of_source],
                classes=classes,
            )
        )
    return np.std(estimates, axis=0)
