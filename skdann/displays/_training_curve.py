"""`TrainingCurveDisplay`: losses, domain accuracy, lambda and learning rate along the epochs."""

import math

import numpy as np

from skdann.displays._rows import classifier_of
from skdann.displays._style import (
    CHOSEN,
    LINE,
    OTHER,
    SOURCE,
    TARGET,
    check_matplotlib,
    entry,
    grid_of_panels,
    legend_beside,
    plain,
)

# Of each curve: the title of its panel, the label of its axis, and the colour.
_CURVES = {
    "label_loss": ("label loss", "nats", SOURCE),
    "domain_loss": ("domain loss", "nats", TARGET),
    "domain_accuracy": ("domain accuracy", "share of rows", CHOSEN),
    "lambda": ("lambda", "strength of adaptation", LINE),
    "lr": ("learning rate", "per step", LINE),
}

# They are set, not measured.
_SETTINGS = "lambda", "lr"

# Without target rows these mean nothing.
_OF_ADAPTATION = "domain_loss", "domain_accuracy", "lambda"

# Up to so many epochs each is marked, so that a single one can be seen.
_FEW_EPOCHS = 15


class TrainingCurveDisplay:
    """Losses, domain accuracy, lambda and learning rate of each epoch.

    What to look for: the label loss falls; the domain loss rises to the dotted line, and the domain
    accuracy falls to it, as lambda grows. There the domain classifier can do no better than to
    guess: the feature extractor has won. A domain accuracy that stays high says that the domains
    can still be told apart; a label loss that rises with lambda, that adaptation costs what
    distinguishes the classes.

    Make it by `from_estimator`; all parameters are kept as attributes.

    Parameters
    ----------
    history : list of dict
        One dict per epoch, as in `DANNClassifier.history_`.
    n_domains : int, default=2
        1 if there were no target rows, else 1 plus the number of target domains.

    Attributes
    ----------
    axes_ : ndarray of Axes of shape (n_rows, n_columns)
        Those without a curve are hidden.
    figure_ : matplotlib Figure
    lines_ : dict of str to matplotlib Line2D
        By the name of the figure in `history`, such as "label_loss" or "valid_label_loss".
    member_lines_ : dict of str to list of Line2D
        Of an ensemble, the curve of each member.
    chance_lines_ : dict of str to Line2D
        "domain_loss" and "domain_accuracy": what a guess gets.

    See Also
    --------
    EmbeddingDisplay : What came out of it.

    Notes
    -----
    A guess is right for half of the rows, since half of each batch are source rows. With one target
    domain it costs log 2 nats; with several it costs more, by how large each is, and no line is
    drawn.

    Examples
    --------
    >>> from skdann import DANNClassifier
    >>> from skdann.datasets import make_rotated_moons
    >>> from skdann.displays import TrainingCurveDisplay
    >>> X_src, y_src, X_tgt, _ = make_rotated_moons(100, random_state=0)
    >>> clf = DANNClassifier(lambda_max=1.0, max_epochs=5, random_state=0)
    >>> display = TrainingCurveDisplay.from_estimator(clf.fit(X_src, y_src, X_tgt))
    >>> sorted(display.lines_)
    ['domain_accuracy', 'domain_loss', 'label_loss', 'lambda', 'lr']
    """

    def __init__(self, *, history, n_domains=2):
        self.history = history
        self.n_domains = n_domains

    @classmethod
    def from_estimator(cls, estimator, *, curves=None, ax=None):
        """Show the training of a fitted classifier.

        Parameters
        ----------
        estimator : DANNClassifier, DANNClassifierCV, or Pipeline or search with one at its end
            Fitted, with target rows or without. What is shown is the training of the final network,
            not that of candidates.
        curves : str or sequence of str, default=None
            Which curves: "label_loss", "domain_loss", "domain_accuracy", "lambda", "lr". None
            takes all of them; without target rows "label_loss" and "lr".
        ax : Axes or ndarray of Axes of shape (n_curves,), default=None
            Where to draw; None makes a figure. One axes is divided if more are needed.

        Returns
        -------
        display : TrainingCurveDisplay
            Drawn, with the artists as attributes.

        Raises
        ------
        TypeError
            If the estimator keeps no `history_`.
        """
        check_matplotlib(f"{cls.__name__}.from_estimator")
        classifier = classifier_of(estimator)
        history = getattr(classifier, "history_", None)
        if not history:
            raise TypeError(
                "estimator must be a DANNClassifier, which keeps a history_ of its training, got "
                f"{type(classifier).__name__}."
            )
        return cls(history=history, n_domains=classifier.n_domains_).plot(ax, curves=curves)

    def plot(self, ax=None, *, curves=None):
        """Draw the figure.

        Parameters
        ----------
        ax : Axes or ndarray of Axes of shape (n_curves,), default=None
            None makes a figure. One axes is divided if there are several curves; an array has one
            for each.
        curves : str or sequence of str, default=None
            Which curves: "label_loss", "domain_loss", "domain_accuracy", "lambda", "lr". None
            takes all of them; without target rows "label_loss" and "lr".

        Returns
        -------
        self : TrainingCurveDisplay
            With the artists as attributes.

        Raises
        ------
        ValueError
            If a curve is not known, or not in the history.
        """
        check_matplotlib(f"{type(self).__name__}.plot")
        shown = self._shown(curves)
        self.axes_, self.figure_, places = grid_of_panels(ax, len(shown), 3.0, 1.2)
        self.lines_, self.member_lines_, self.chance_lines_ = {}, {}, {}
        for name, place in zip(shown, places, strict=True):
            self._draw(place, name)
        self._explain()
        return self

    def _shown(self, curves):
        """Return the names of the curves to draw, or raise."""
        known = [name for name in _CURVES if name in self.history[-1]]
        if self.n_domains < 2:
            known = [name for name in known if name not in _OF_ADAPTATION]
        if curves is None:
            return known
        curves = [curves] if isinstance(curves, str) else list(curves)
        missing = [name for name in curves if name not in known]
        if missing or not curves:
            raise ValueError(f"curves must be of {known}, which the history has; got {missing}.")
        return curves

    def _draw(self, ax, name):
        """Draw one figure, the same of rows held out, of members, and of a guess."""
        title, unit, color = _CURVES[name]
        epochs, values = self._values(name)
        marker = "o" if len(epochs) <= _FEW_EPOCHS else None
        (self.lines_[name],) = ax.plot(epochs, values, color=color, marker=marker, markersize=3)
        if name not in _SETTINGS:
            self._draw_members(ax, name, color)
        held_out = f"valid_{name}"
        if held_out in self.history[-1]:
            (self.lines_[held_out],) = ax.plot(*self._values(held_out), color=OTHER, linestyle="--")
        chance = self._chance(name)
        if chance is not None:
            self.chance_lines_[name] = ax.axhline(chance, color=LINE, linestyle=":", linewidth=1.2)
        if name == "domain_accuracy":
            ax.set_ylim(min(0.4, *values), 1.0)
        if name in _SETTINGS:
            top = 1.1 * max(values) or 1.0
            ax.set_ylim(-0.04 * top, top)  # a line at 0 is seen
        ax.set(title=title, xlabel="epoch", ylabel=unit)
        ax.title.set_fontsize("medium")
        ax.xaxis.get_major_locator().set_params(integer=True)
        plain(ax)

    def _draw_members(self, ax, name, color):
        """Draw the curves of the members of an ensemble, thin."""
        for i in range(len(self.history[-1].get("members", ()))):
            values = [row["members"][i].get(name, np.nan) for row in self.history]
            (line,) = ax.plot(self._values(name)[0], values, color=color, alpha=0.4, linewidth=0.8)
            self.member_lines_.setdefault(name, []).append(line)

    def _explain(self):
        """Put a legend beside the first row, if there is more than one kind of line."""
        kinds = [
            ("training", {"color": LINE}, True),
            ("rows held out", {"color": OTHER, "linestyle": "--"}, len(self._held_out()) > 0),
            ("each member", {"color": LINE, "linewidth": 0.8, "alpha": 0.4}, self.member_lines_),
            ("a guess", {"color": LINE, "linestyle": ":"}, self.chance_lines_),
        ]
        kinds = [(label, style) for label, style, there in kinds if there]
        if len(kinds) > 1:
            legend_beside(self.axes_[0, -1], [entry(label, **style) for label, style in kinds])

    def _held_out(self):
        return [name for name in self.lines_ if name.startswith("valid_")]

    def _values(self, name):
        epochs = [row["epoch"] for row in self.history]
        return epochs, [row.get(name, np.nan) for row in self.history]

    def _chance(self, name):
        """Return what the best guess gets that does not look at the rows, or None."""
        if name == "domain_accuracy":
            return 0.5
        return math.log(2) if name == "domain_loss" and self.n_domains == 2 else None
