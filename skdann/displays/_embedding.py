"""`EmbeddingDisplay`: rows of both domains in the plane, before and after adaptation."""

import numpy as np
from scipy import sparse
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler
from sklearn.utils import check_random_state

from skdann._data.moments import LARGEST_SCALED_VALUE
from skdann.displays._rows import (
    as_matrix,
    classifier_of,
    drawn,
    labels_of,
    n_rows_of,
    seen_by,
)
from skdann.displays._style import (
    OTHER,
    SOURCE,
    TARGET,
    check_matplotlib,
    class_styles,
    counted,
    entry,
    legend_beside,
    mark_size,
    n_legend_columns,
    panels,
    plain,
    shortened_apart,
    transparency,
)

# More classes than these are marked at their places too: by their names, or, where a name is longer
# than these characters, by numbers that the legend explains.
_MOST_IN_LEGEND, _LONGEST_MARK = 7, 4

_COLORINGS = {"domain": ("domain",), "class": ("class",), "both": ("domain", "class")}


class EmbeddingDisplay:
    """Source and target rows in the plane, before and after adaptation.

    It shows whether the target lies on top of the source (rows of points coloured by domain), and
    whether it lies on the right classes (rows of points coloured by class). Source rows are filled
    marks, target rows are open ones.

    Make it by `from_estimator` or `from_predictions`; all parameters are kept as attributes.

    Parameters
    ----------
    points : dict of str to tuple
        For each panel, by its title: source points of shape (n_shown_source, 2) and target points
        of shape (n_shown_target, 2).
    y_src : ndarray of shape (n_shown_source,), default=None
        Labels of the source points.
    y_tgt : ndarray of shape (n_shown_target,), default=None
        Labels of the target points. Without labels points are coloured by domain only.
    target_labels : {"true", "predicted"}, default="true"
        What `y_tgt` is; the legend says it.
    n_source, n_target : int, default=None
        Rows that the points were drawn from; None means that all are shown.
    axis_names : dict of str to tuple of two str, default=None
        For each panel what its axes are.

    Attributes
    ----------
    axes_ : ndarray of Axes of shape (n_colorings, n_panels)
    figure_ : matplotlib Figure
    scatters_ : ndarray of dict of shape (n_colorings, n_panels)
        The points of each panel. Keys are "source" and "target" where the domain is coloured, and
        tuples such as ``("source", label)`` where the class is.

    See Also
    --------
    DomainConfusionDisplay : How well a classifier can tell the domains apart, in figures.
    TrainingCurveDisplay : How the network came there.

    Notes
    -----
    Two dimensions show a part of the embedding. Domains that overlap in the figure can differ in
    other directions.

    References
    ----------
    .. [1] Ganin, Y. et al. (2016). Domain-adversarial training of neural networks.
       Journal of Machine Learning Research 17(59), 1-35, figures 2 and 5.

    Examples
    --------
    >>> from skdann import DANNClassifier
    >>> from skdann.datasets import make_rotated_moons
    >>> from skdann.displays import EmbeddingDisplay
    >>> X_src, y_src, X_tgt, y_tgt = make_rotated_moons(100, random_state=0)
    >>> clf = DANNClassifier(lambda_max=1.0, max_epochs=5, random_state=0)
    >>> clf = clf.fit(X_src, y_src, X_tgt)
    >>> display = EmbeddingDisplay.from_estimator(clf, X_src, y_src, X_tgt, y_tgt=y_tgt)
    >>> display.axes_.shape
    (2, 2)
    """

    def __init__(
        self,
        *,
        points,
        y_src=None,
        y_tgt=None,
        target_labels="true",
        n_source=None,
        n_target=None,
        axis_names=None,
    ):
        self.points = points
        self.y_src = y_src
        self.y_tgt = y_tgt
        self.target_labels = target_labels
        self.n_source = n_source
        self.n_target = n_target
        self.axis_names = axis_names

    @classmethod
    def from_estimator(
        cls,
        estimator,
        X_src,
        y_src,
        X_tgt,
        *,
        y_tgt=None,
        baseline=None,
        reducer=None,
        max_points=1000,
        random_state=0,
        color_by="both",
        ax=None,
    ):
        """Show what a fitted classifier makes of the rows of both domains.

        Parameters
        ----------
        estimator : DANNClassifier, DANNClassifierCV, or Pipeline or search with one at its end
            Fitted. Its embedding is "after".
        X_src : {array-like, sparse matrix, DataFrame} of shape (n_source, n_features)
            Source rows, as `estimator` takes them.
        y_src : array-like of shape (n_source,)
            Their labels; None colours by domain only.
        X_tgt : {array-like, sparse matrix, DataFrame} of shape (n_target, n_features), or tuple
            Target rows. Several targets are shown as one.
        y_tgt : array-like of shape (n_target,) or tuple of such, default=None
            Labels of the target rows, where they are known. None takes the predicted labels.
        baseline : fitted estimator, default=None
            Its embedding is "before": a network without adaptation, such as
            ``DANNClassifier(lambda_max=0)``. With None the inputs of the classifier are: the rows
            after the steps of a Pipeline, standardised by the source rows.
        reducer : transformer, default=None
            Makes two columns of many by its `fit_transform`, such as
            ``sklearn.manifold.TSNE(random_state=0)``. It is cloned, and fitted for each panel to
            the rows of both domains together. None is ``PCA(2)``; two columns stay as they are.
        max_points : int, default=1000
            At most so many rows of each domain are drawn at random and shown. The legend says how
            many.
        random_state : int, RandomState instance or None, default=0
            Determines which rows are drawn.
        color_by : {"both", "domain", "class"}, default="both"
            What colours tell. "both" draws each panel twice.
        ax : Axes or ndarray of Axes of shape (n_colorings, n_panels), default=None
            Where to draw; None makes a figure. One axes is divided if more are needed.

        Returns
        -------
        display : EmbeddingDisplay
            Drawn, with the artists as attributes.

        Raises
        ------
        ValueError
            If lengths differ, `color_by` is unknown, or the reducer does not return two columns.
        TypeError
            If the estimator or the baseline has no embedding.
        """
        check_matplotlib(f"{cls.__name__}.from_estimator")
        _check_coloring(color_by)
        generator = np.random.default_rng(check_random_state(random_state).randint(2**31))
        rows_src, which_src = drawn(X_src, max_points, generator)
        rows_tgt, which_tgt = drawn(X_tgt, max_points, generator)
        rows = seen_by(estimator, rows_src, rows_tgt, needed_by=cls.__name__)
        if baseline is None:
            before = "before: inputs", _standardised(*rows.rows())
        else:
            shown = seen_by(baseline, rows_src, rows_tgt, needed_by=cls.__name__)
            before = (
                f"before: {title_of_embedding(baseline, 'baseline')}",
                shown.features("embedding"),
            )
        after = f"after: {title_of_embedding(estimator, 'estimator')}", rows.features("embedding")
        labels_src = None if y_src is None else labels_of(y_src, X_src, "y_src")[which_src]
        if y_tgt is None:
            labels_tgt = rows.target("predict")
        else:
            labels_tgt = labels_of(y_tgt, X_tgt, "y_tgt")[which_tgt]
        points, axis_names = _in_planes(dict([before, after]), reducer)
        display = cls(
            points=points,
            y_src=labels_src,
            y_tgt=labels_tgt,
            target_labels="predicted" if y_tgt is None else "true",
            n_source=n_rows_of(X_src),
            n_target=n_rows_of(X_tgt),
            axis_names=axis_names,
        )
        return display.plot(ax, color_by=color_by)

    @classmethod
    def from_predictions(
        cls,
        embeddings,
        y_src=None,
        y_tgt=None,
        *,
        target_labels="true",
        reducer=None,
        max_points=1000,
        random_state=0,
        color_by="both",
        ax=None,
    ):
        """Show embeddings that are at hand, of any network, a panel for each.

        Parameters
        ----------
        embeddings : dict of str to tuple
            By the title of the panel: the embedding of the source rows, of shape
            (n_source, n_embedding), and that of the target rows, (n_target, n_embedding). The
            panels show the same rows.
        y_src : array-like of shape (n_source,), default=None
            Labels of the source rows.
        y_tgt : array-like of shape (n_target,), default=None
            Labels of the target rows.
        target_labels : {"true", "predicted"}, default="true"
            What `y_tgt` is; the legend says it.
        reducer : transformer, default=None
            Makes two columns of many by its `fit_transform`. It is cloned, and fitted for each
            panel to both domains together. None is ``PCA(2)``; two columns stay as they are.
        max_points : int, default=1000
            At most so many rows of each domain are drawn at random and shown.
        random_state : int, RandomState instance or None, default=0
            Determines which rows are drawn.
        color_by : {"both", "domain", "class"}, default="both"
            What colours tell. "both" draws each panel twice; without labels only the domain is
            coloured.
        ax : Axes or ndarray of Axes of shape (n_colorings, n_panels), default=None
            Where to draw; None makes a figure. One axes is divided if more are needed.

        Returns
        -------
        display : EmbeddingDisplay
            Drawn, with the artists as attributes.

        Raises
        ------
        ValueError
            If the panels have different numbers of rows, or lengths differ.

        Examples
        --------
        >>> import numpy as np
        >>> from skdann.displays import EmbeddingDisplay
        >>> source, target = np.random.default_rng(0).normal(size=(2, 50, 8))
        >>> display = EmbeddingDisplay.from_predictions({"raw": (source, target + 3)})
        >>> [legend_entry.get_text() for legend_entry in display.axes_[0, 0].get_legend().texts]
        ['source, 50 rows', 'target, 50 rows']
        """
        check_matplotlib(f"{cls.__name__}.from_predictions")
        _check_coloring(color_by)
        first = next(iter(embeddings.values()))
        sizes = [one.shape[0] for one in map(as_matrix, first)]
        generator = np.random.default_rng(check_random_state(random_state).randint(2**31))
        which = [drawn(as_matrix(one), max_points, generator)[1] for one in first]
        shown = {}
        for title, pair in embeddings.items():
            pair = [as_matrix(one) for one in pair]
            if [one.shape[0] for one in pair] != sizes:
                raise ValueError(
                    f"embeddings[{title!r}] has {[one.shape[0] for one in pair]} rows, but "
                    f"the first panel has {sizes}. All panels show the same rows."
                )
            shown[title] = tuple(one[rows] for one, rows in zip(pair, which, strict=True))
        points, axis_names = _in_planes(shown, reducer)
        display = cls(
            points=points,
            y_src=None if y_src is None else labels_of(y_src, first[0], "y_src")[which[0]],
            y_tgt=None if y_tgt is None else labels_of(y_tgt, first[1], "y_tgt")[which[1]],
            target_labels=target_labels,
            n_source=sizes[0],
            n_target=sizes[1],
            axis_names=axis_names,
        )
        return display.plot(ax, color_by=color_by)

    def plot(self, ax=None, *, color_by="both"):
        """Draw the figure.

        Parameters
        ----------
        ax : Axes or ndarray of Axes of shape (n_colorings, n_panels), default=None
            None makes a figure. One axes is divided; an array has one for each panel and colouring.
        color_by : {"both", "domain", "class"}, default="both"
            What colours tell. "both" draws each panel twice; without labels only the domain is
            coloured.

        Returns
        -------
        self : EmbeddingDisplay
            With the artists as attributes.
        """
        check_matplotlib(f"{type(self).__name__}.plot")
        colorings = _check_coloring(color_by)
        if self.y_src is None or self.y_tgt is None:
            if color_by == "class":
                raise ValueError(
                    "color_by='class' needs labels of both domains: pass y_src and y_tgt."
                )
            colorings = ("domain",)
        shape = len(colorings), len(self.points)
        size = 3.1 * shape[1] + 2.2 * n_legend_columns(self._n_entries(colorings)), 3.0 * shape[0]
        self.axes_, self.figure_ = panels(ax, *shape, size)
        self.scatters_ = np.empty(shape, dtype=object)
        draw = {"domain": self._draw_domains, "class": self._draw_classes}
        for i, coloring in enumerate(colorings):
            for j, title in enumerate(self.points):
                self.scatters_[i, j] = draw[coloring](self.axes_[i, j], *self.points[title])
                self._label(self.axes_[i, j], title)
            handles = self._handles(coloring, self.scatters_[i, -1])
            legend_beside(self.axes_[i, -1], handles, title=coloring)
        return self

    def _draw_domains(self, ax, source, target):
        alpha, size = transparency(len(source) + len(target)), mark_size(len(source))
        filled = ax.scatter(*source.T, s=size, c=SOURCE, marker="o", alpha=alpha, linewidths=0)
        opened = ax.scatter(
            *target.T, s=size, facecolors="none", edgecolors=TARGET, marker="^", alpha=alpha + 0.15
        )
        return {"source": filled, "target": opened}

    def _draw_classes(self, ax, source, target):
        alpha, size = transparency(len(source) + len(target)), mark_size(len(source))
        classes, scatters = self._classes(), {}
        for label, (color, marker) in zip(classes, class_styles(len(classes)), strict=True):
            options = {"s": size, "marker": marker}
            scatters["source", label] = ax.scatter(
                *source[self.y_src == label].T, c=color, alpha=alpha, linewidths=0, **options
            )
            scatters["target", label] = ax.scatter(
                *target[self.y_tgt == label].T,
                facecolors="none",
                edgecolors=color,
                alpha=alpha + 0.15,
                **options,
            )
        if len(classes) > _MOST_IN_LEGEND:
            for label, mark in zip(classes, _marks(classes), strict=True):
                _write_at_middle(ax, source[self.y_src == label], mark or str(label))
        return scatters

    def _n_entries(self, colorings):
        """Return the number of entries of the longest legend."""
        return 2 + len(self._classes()) if "class" in colorings else 2

    def _classes(self):
        return np.unique(np.concatenate([self.y_src, self.y_tgt])).tolist()

    def _label(self, ax, title):
        names = (self.axis_names or {}).get(title, ("", ""))
        ax.set(title=title, xlabel=names[0], ylabel=names[1])
        ax.title.set_fontsize("medium")
        ax.tick_params(labelsize="small")
        plain(ax)

    def _handles(self, coloring, scatters):
        """Return the entries of a legend, in full colour."""
        n_source, n_target = (len(one) for one in next(iter(self.points.values())))
        source = f"source, {counted(n_source, self.n_source or n_source)}"
        target = f"target, {counted(n_target, self.n_target or n_target)}"
        if coloring == "domain":
            return [_mark(SOURCE, "o", source), _mark(TARGET, "^", target, filled=False)]
        classes = self._classes()
        named = zip(_marks(classes), shortened_apart(classes), strict=True)
        names = [f"{number} {name}".strip() for number, name in named]
        styles = zip(class_styles(len(classes)), names, strict=True)
        handles = [_mark(color, marker, name) for (color, marker), name in styles]
        return [
            *handles,
            _mark(OTHER, "o", source),
            _mark(OTHER, "o", f"{target},\n{self.target_labels} labels", filled=False),
        ]


def _check_coloring(color_by):
    """Return the rows of panels for a value of `color_by`, or raise."""
    if color_by not in _COLORINGS:
        raise ValueError(f"color_by must be one of {list(_COLORINGS)}, got {color_by!r}.")
    return _COLORINGS[color_by]


def title_of_embedding(estimator, argument):
    """Return what a fitted estimator's embedding is called, or raise if it has none."""
    classifier = classifier_of(estimator)
    if not hasattr(classifier, "transform"):
        raise TypeError(
            f"{argument} must have an embedding, the output of transform, but "
            f"{type(classifier).__name__} has none. Pass a fitted DANNClassifier."
        )
    strength = getattr(classifier, "lambda_max_", None)
    return "embedding" if strength is None else f"embedding, lambda {strength:g}"


def _standardised(source, target):
    """Return rows with columns standardised by the source, and cut as the network cuts them."""
    names = list(getattr(source, "columns", ()))
    source, target = as_matrix(source), as_matrix(target)
    if sparse.issparse(source):
        scaler = StandardScaler(with_mean=False).fit(source)
        return scaler.transform(source), scaler.transform(target)
    scaler = StandardScaler().fit(source.astype(np.float64))
    scaled = [scaler.transform(one.astype(np.float64)) for one in (source, target)]
    cut = LARGEST_SCALED_VALUE
    scaled = [np.clip(one, -cut, cut) for one in scaled]
    return (*scaled, names) if len(names) == 2 else tuple(scaled)


def _in_planes(pairs, reducer):
    """Return points in the plane for each panel, and the names of its axes."""
    points, names = {}, {}
    for title, pair in pairs.items():
        points[title], names[title] = _in_plane(title, pair, reducer)
    return points, names


def _in_plane(title, pair, reducer):
    source, target, *names = pair
    source, target = as_matrix(source), as_matrix(target)
    n_source = source.shape[0]
    if sparse.issparse(source):
        both = sparse.vstack([source, target], format="csr")
    else:
        both = np.concatenate([source, target]).astype(np.float64)
    if reducer is None and both.shape[1] <= 2 and not sparse.issparse(both):
        names = names[0] if names else ("first column", "second column")
        if both.shape[1] == 1:  # a second dimension without meaning, so that points don't overlap
            both = np.column_stack([both, np.random.default_rng(0).uniform(size=len(both))])
            names = ("the only column", "random")
        return (both[:n_source], both[n_source:]), tuple(names)
    reducer = PCA(2, random_state=0) if reducer is None else clone(reducer, safe=False)
    with np.errstate(invalid="ignore"):  # an embedding that is constant has no variance to explain
        plane = np.asarray(reducer.fit_transform(both))
    if plane.ndim != 2 or plane.shape[0] != both.shape[0] or plane.shape[1] < 2:
        raise ValueError(
            f"reducer made an array of shape {plane.shape} of {both.shape[0]} rows, for the panel "
            f"{title!r}. It must return two columns, as PCA(n_components=2) does."
        )
    return (plane[:n_source, :2], plane[n_source:, :2]), _component_names(reducer)


def _component_names(reducer):
    shares = getattr(reducer, "explained_variance_ratio_", None)
    kind = "PC" if isinstance(reducer, PCA) else f"{type(reducer).__name__} "
    names = []
    for i in range(2):
        known = shares is not None and np.isfinite(shares[i])
        names.append(f"{kind}{i + 1}" + (f" ({shares[i]:.0%} of variance)" if known else ""))
    return tuple(names)


def _marks(classes):
    """Return a number for each class where names are too long to be written among points, or ""."""
    short = len(classes) <= _MOST_IN_LEGEND or max(len(str(c)) for c in classes) <= _LONGEST_MARK
    return [""] * len(classes) if short else [str(i) for i in range(1, len(classes) + 1)]


def _write_at_middle(ax, points, text):
    """Write a text where the middle of points is."""
    from matplotlib.patheffects import withStroke

    if not len(points):
        return
    ax.annotate(
        text,
        np.median(points, axis=0),
        ha="center",
        va="center",
        fontsize="small",
        fontweight="bold",
        path_effects=[withStroke(linewidth=2.5, foreground="white")],
    )


def _mark(color, marker, label, *, filled=True):
    """Return a legend entry for points."""
    inside = color if filled else "none"
    return entry(label, color=color, marker=marker, linestyle="none", markerfacecolor=inside)
