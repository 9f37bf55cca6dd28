"""`DomainConfusionDisplay`: how well the domain of a row can be predicted."""

import numpy as np
from sklearn.utils import check_random_state

from skdann.displays._embedding import title_of_embedding
from skdann.displays._rows import as_matrix, drawn, n_rows_of, seen_by
from skdann.displays._style import (
    LINE,
    SOURCE,
    TARGET,
    check_matplotlib,
    counted,
    legend_beside,
    panels,
    plain,
)
from skdann.metrics._distances import (
    default_domain_classifier,
    distance_of_errors,
    domain_forest,
    predicted_out_of_fold,
)
from skdann.metrics._domain_rows import read_domains, stack_domains, with_short_indices

_N_BINS = 25


class DomainConfusionDisplay:
    """How well the domain of a row can be predicted: from inputs against from the embedding.

    Each panel has two histograms of P(target), the probability that a row is a target row, one for
    the rows of each domain. Where they lie on top of each other around 0.5, the domains can't be
    told apart: the domain classifier of a network has nothing to go by. Where source rows lie at 0
    and target rows at 1, a domain is easily recognised. Titles have the proxy A-distance [1]_, from
    0 (no better than a guess) to 2 (no error).

    Make it by `from_estimator` or `from_predictions`; all parameters are kept as attributes.

    Parameters
    ----------
    proba : dict of str to tuple
        For each panel, by its title: P(target) of source rows, of shape (n_source,), and of target
        rows, of shape (n_target,), in [0, 1].
    n_source, n_target : int, default=None
        Rows that these were drawn from; None means that all are shown.

    Attributes
    ----------
    distances : dict of str to float in [0, 2]
        The proxy A-distance of each panel.
    axes_ : ndarray of Axes of shape (1, n_panels)
    figure_ : matplotlib Figure
    histograms_ : dict of str to tuple of two
        For each panel what matplotlib's `hist` returned for the source and for the target: shares
        of rows in each bin, the bins, and the artists.

    See Also
    --------
    skdann.metrics.proxy_a_distance : The distance alone.
    EmbeddingDisplay : The rows themselves.

    Notes
    -----
    A new classifier is trained on each space, cross-validated, so that no row is judged by a
    classifier that has seen it. The network may have seen it: pass rows that it was not fitted on
    where there are enough.

    References
    ----------
    .. [1] Ben-David, S., Blitzer, J., Crammer, K. and Pereira, F. "Analysis of Representations for
       Domain Adaptation." Advances in Neural Information Processing Systems 19, 2006.

    Examples
    --------
    >>> from skdann import DANNClassifier
    >>> from skdann.datasets import make_rotated_moons
    >>> from skdann.displays import DomainConfusionDisplay
    >>> X_src, y_src, X_tgt, _ = make_rotated_moons(100, random_state=0)
    >>> clf = DANNClassifier(lambda_max=1.0, max_epochs=5, random_state=0)
    >>> display = DomainConfusionDisplay.from_estimator(clf.fit(X_src, y_src, X_tgt), X_src, X_tgt)
    >>> list(display.distances)
    ['inputs', 'embedding, lambda 1']
    """

    def __init__(self, *, proba, n_source=None, n_target=None):
        self.proba = proba
        self.n_source = n_source
        self.n_target = n_target

    @property
    def distances(self):
        """The proxy A-distance of each panel: dict of str to float in [0, 2]."""
        return {title: _distance(*pair) for title, pair in self.proba.items()}

    @classmethod
    def from_estimator(
        cls,
        estimator,
        X_src,
        X_tgt,
        *,
        baseline=None,
        classifier=None,
        cv=5,
        max_rows=2000,
        random_state=0,
        ax=None,
    ):
        """Compare the inputs of a fitted classifier with its embedding.

        Parameters
        ----------
        estimator : DANNClassifier, DANNClassifierCV, or Pipeline or search with one at its end
            Fitted.
        X_src : {array-like, sparse matrix, DataFrame} of shape (n_source, n_features)
            Source rows, as `estimator` takes them. The inputs that are shown are those after the
            steps of a Pipeline.
        X_tgt : {array-like, sparse matrix, DataFrame} of shape (n_target, n_features), or tuple
            Target rows. Several targets count as one.
        baseline : fitted estimator, default=None
            Its embedding is another panel, such as that of ``DANNClassifier(lambda_max=0)``.
        classifier : classifier with `predict_proba`, default=None
            Predicts the domain, 0 for source and 1 for target; it is cloned. None is a logistic
            regression on standardised columns, and for the inputs extremely randomised trees where
            these are better: domains may differ there in ways that no linear classifier sees.
        cv : int or cross-validation splitter, default=5
            An int is a number of shuffled folds, stratified by domain.
        max_rows : int, default=2000
            At most so many rows of each domain are drawn at random.
        random_state : int, RandomState instance or None, default=0
            Determines which rows are drawn, and the folds.
        ax : Axes or ndarray of Axes of shape (n_panels,), default=None
            Where to draw; None makes a figure. One axes is divided if more are needed.

        Returns
        -------
        display : DomainConfusionDisplay
            Drawn, with the artists as attributes.

        Raises
        ------
        ValueError
            If a domain has fewer rows than there are folds.
        TypeError
            If the estimator has no embedding.
        """
        check_matplotlib(f"{cls.__name__}.from_estimator")
        seed = check_random_state(random_state).randint(2**31)
        generator = np.random.default_rng(seed)
        rows_src, rows_tgt = (drawn(X, max_rows, generator)[0] for X in (X_src, X_tgt))
        rows = seen_by(estimator, rows_src, rows_tgt, needed_by=cls.__name__)
        kinds = [None, domain_forest(seed)] if classifier is None else [classifier]
        proba = {"inputs": _most_sure(rows.rows(), kinds, cv, seed)}
        if baseline is not None:
            title = f"baseline: {title_of_embedding(baseline, 'baseline')}"
            shown = seen_by(baseline, rows_src, rows_tgt, needed_by=cls.__name__)
            proba[title] = _most_sure(shown.features("embedding"), kinds[:1], cv, seed)
        title = title_of_embedding(estimator, "estimator")
        proba[title] = _most_sure(rows.features("embedding"), kinds[:1], cv, seed)
        display = cls(proba=proba, n_source=n_rows_of(X_src), n_target=n_rows_of(X_tgt))
        return display.plot(ax)

    @classmethod
    def from_predictions(cls, proba_source, proba_target, *, name="domain classifier", ax=None):
        """Show probabilities that are at hand, such as those of a network's domain classifier.

        Parameters
        ----------
        proba_source : array-like of shape (n_source,)
            P(target) of source rows, in [0, 1].
        proba_target : array-like of shape (n_target,)
            P(target) of target rows.
        name : str, default="domain classifier"
            Title of the panel.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.

        Returns
        -------
        display : DomainConfusionDisplay
            Drawn, with the artists as attributes.

        Raises
        ------
        ValueError
            If these are not probabilities.

        Examples
        --------
        >>> from skdann.displays import DomainConfusionDisplay
        >>> display = DomainConfusionDisplay.from_predictions([0.1, 0.2], [0.8, 0.3])
        >>> display.distances
        {'domain classifier': 1.0}
        """
        check_matplotlib(f"{cls.__name__}.from_predictions")
        pair = []
        for argument, values in (("proba_source", proba_source), ("proba_target", proba_target)):
            values = np.asarray(values, dtype=np.float64)
            if values.ndim != 1 or not len(values) or not ((values >= 0) & (values <= 1)).all():
                raise ValueError(
                    f"{argument} must be one probability in [0, 1] for each row, as "
                    f"predict_domain_proba returns them; got an array of shape {values.shape}."
                )
            pair.append(values)
        return cls(proba={name: tuple(pair)}).plot(ax)

    def plot(self, ax=None):
        """Draw the figure.

        Parameters
        ----------
        ax : Axes or ndarray of Axes of shape (n_panels,), default=None
            None makes a figure. One axes is divided if there are several panels; an array has one
            for each.

        Returns
        -------
        self : DomainConfusionDisplay
            With the artists as attributes.
        """
        check_matplotlib(f"{type(self).__name__}.plot")
        n_panels = len(self.proba)
        self.axes_, self.figure_ = panels(ax, 1, n_panels, (3.3 * n_panels + 2.2, 3.0))
        self.histograms_ = {}
        for title, place in zip(self.proba, self.axes_[0], strict=True):
            self.histograms_[title] = self._draw(place, title)
        top = max(place.get_ylim()[1] for place in self.axes_[0])
        for place in self.axes_[0]:
            place.set_ylim(0, top)
        legend_beside(self.axes_[0, -1], self._handles())
        return self

    def _draw(self, ax, title):
        """Draw both histograms of a panel."""
        bins = np.linspace(0.0, 1.0, _N_BINS + 1)
        drawn_ones = []
        for values, style in zip(self.proba[title], _STYLES, strict=True):
            # Shares of rows: a domain with more rows is not higher.
            weights = np.full(len(values), 1.0 / len(values))
            drawn_ones.append(ax.hist(values, bins=bins, weights=weights, **style))
        ax.axvline(0.5, color=LINE, linestyle=":", linewidth=1.0)
        ax.set(xlabel="P(target)", ylabel="share of the domain's rows", xlim=(0, 1))
        distance = _distance(*self.proba[title])
        ax.set_title(f"{title}\nproxy A-distance {distance:.2f}", fontsize="medium")
        plain(ax)
        return tuple(drawn_ones)

    def _handles(self):
        from matplotlib.patches import Patch

        sizes = [len(values) for values in next(iter(self.proba.values()))]
        handles = []
        totals = self.n_source or sizes[0], self.n_target or sizes[1]
        for name, size, total, style in zip(
            ("source", "target"), sizes, totals, _STYLES, strict=True
        ):
            style = {key: value for key, value in style.items() if key != "histtype"}
            handles.append(Patch(label=f"{name}, {counted(size, total)}", **style))
        return handles


# Filled against hatched lines, so that both are seen where they overlap.
_STYLES = (
    {"histtype": "stepfilled", "facecolor": SOURCE, "alpha": 0.55, "edgecolor": SOURCE},
    {"histtype": "stepfilled", "facecolor": "none", "hatch": "////", "edgecolor": TARGET},
)


def _most_sure(pair, classifiers, cv, seed):
    """Return the probabilities of the classifier that can tell the domains apart best."""
    source, target = map(as_matrix, pair)
    found = [domain_probabilities(source, target, one, cv, seed) for one in classifiers]
    return max(found, key=lambda proba: _distance(*proba))


def domain_probabilities(source, target, classifier, cv, seed):
    """Return P(target) of rows by a classifier that was trained without them.

    Parameters
    ----------
    source, target : ndarray or CSR of shapes (n_source, n_features) and (n_target, n_features)
    classifier : classifier or None
        None is that of `proxy_a_distance`.
    cv : int or splitter
    seed : int

    Returns
    -------
    tuple of ndarrays of shapes (n_source,) and (n_target,)
    """
    rows, domain = stack_domains(*read_domains(X_source=source, X_target=target))
    rows = with_short_indices(rows)
    if classifier is None:
        classifier = default_domain_classifier(rows, class_weight="balanced")
    proba = predicted_out_of_fold(classifier, rows, domain, cv, seed, "predict_proba")[:, 1]
    return proba[domain == 0], proba[domain == 1]


def _distance(source, target):
    """Return the proxy A-distance, by how often rows are taken for those of the other domain."""
    return distance_of_errors(source > 0.5, target <= 0.5)
