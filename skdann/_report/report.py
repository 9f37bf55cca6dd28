"""What an adaptation was up against and what it did: measured without target labels, in words."""

import textwrap
from dataclasses import dataclass, replace

import numpy as np
from scipy import sparse
from sklearn.base import clone
from sklearn.utils import _safe_indexing
from sklearn.utils.validation import _num_samples, check_is_fitted, column_or_1d

from skdann._classifier import DANNClassifier
from skdann._report.measures import _MIN_ROWS, _domain_measures, _prediction_measures, _Rows
from skdann._report.sentences import verdicts_of
from skdann.metrics._scorer_base import ScoredDomains


@dataclass(frozen=True, repr=False, eq=False)
class AdaptationReport:
    """Measures of an adaptation and what they say, made by `adaptation_report`.

    Attributes
    ----------
    verdicts : dict of str to str
        A sentence for each finding, by its key.

    domain_accuracy : dict of str to float in [0.5, 1]
        Of new classifiers that tell source from target, cross-validated, domains weighted alike,
        on 2000 rows of each at most. ``inputs``: the better one of logistic regression and a
        forest of trees, on all rows. ``reweighted``: the same, source rows drawn so that classes
        have the `target_shares` (if 15 can be). ``source_only``, ``adapted``: logistic regression
        on the embeddings of rows held out.

    chance_limit : dict of str to float in [0.5, 1]
        What each must exceed to be more than sampling noise.

    own_domain_accuracy : dict of str to float in [0, 1]
        Of the networks' own domain classifiers on rows held out: ``source_only``, where it only
        watches, and ``adapted``. ``trained`` is the adapted one's on the rows it learned from.

    classes : ndarray of shape (n_classes,)

    source_shares, target_shares : ndarrays of shape (n_classes,)
        In [0, 1]. The target's are estimated, by `estimate_class_shares`, from the source-only
        network on target rows and on source rows held out. They are right only where rows of a
        class look alike in both domains.

    share_distance, share_limit : float in [0, 1]
        Half the sum of absolute differences between the shares; what it must exceed to be more
        than sampling noise.

    effective_share : float in [0, 1]
        Effective sample size of the density-ratio weights of inputs, over the source rows.

    agreement : float in [0, 1]
        Target rows to which both networks give the same label.

    source_accuracy, reverse_validation : dicts of str to float in [0, 1]
        ``source_only`` and ``adapted``, on source rows held out.

    source_fall : float
        Rows held out that only ``source_only`` has right, minus those that only ``adapted`` has,
        over the deviation of this difference.

    n_rows : dict of str to int
        ``source``, ``target``, ``source_held_out``, ``target_held_out``.
    """

    verdicts: dict
    domain_accuracy: dict
    chance_limit: dict
    own_domain_accuracy: dict
    classes: np.ndarray
    source_shares: np.ndarray
    target_shares: np.ndarray
    share_distance: float
    share_limit: float
    effective_share: float
    agreement: float
    source_accuracy: dict
    reverse_validation: dict
    source_fall: float
    n_rows: dict

    @property
    def proxy_a_distance(self):
        """Return `domain_accuracy` as distances ``4 * accuracy - 2``: dict of floats in [0, 2]."""
        return {name: 4 * accuracy - 2 for name, accuracy in self.domain_accuracy.items()}

    def __repr__(self):
        """Return the keys of the verdicts."""
        return f"AdaptationReport(verdicts={list(self.verdicts)})"

    def __str__(self):
        """Return a table of the measures, and the verdicts."""
        lines = [_line("", "inputs", "source-only", "adapted")]
        for title, values in (
            ("domain accuracy", self.domain_accuracy),
            ("  chance is up to", self.chance_limit),
            ("  own classifier's", self.own_domain_accuracy),
            ("proxy A-distance", self.proxy_a_distance),
            ("source accuracy", self.source_accuracy),
            ("reverse validation", self.reverse_validation),
        ):
            lines.append(_line(title, *map(values.get, ("inputs", "source_only", "adapted"))))
        lines += ["", _line("class shares", "source", "estimated", "in the target")]
        shares = zip(self.classes.tolist(), self.source_shares, self.target_shares, strict=True)
        lines += [_line(f"  {label}", source, target) for label, source, target in shares]
        lines += [
            _line("  distance, chance", self.share_distance, self.share_limit),
            _line("effective share", self.effective_share),
            _line("agreement", self.agreement),
            "",
        ]
        for key, sentence in self.verdicts.items():
            lines += textwrap.wrap(f"{key}: {sentence}", 79, subsequent_indent="    ")
        return "\n".join(lines)


def adaptation_report(classifier, X, y, X_tgt, *, random_state=0):
    """Say what an adaptation was up against, and what it did, without target labels.

    The report is on the classifier's settings. Two clones are fitted on two thirds of the rows of
    each domain, alike but for `lambda_max`: "adapted" has the classifier's, "source-only" has 0.
    The other third is held out. Fitted steps in front of them in a Pipeline stay as they are.

    These keys ``report.verdicts`` can have; a difference counts from three deviations of its
    sampling noise:

    - ``no_shift``: inputs, source-only embeddings and class shares are alike.
    - ``hidden_already``: inputs differ, but source-only embeddings show half of it or less, and
      no more than chance. It is not said where 0.65 could be chance.
    - ``class_shares``: estimated shares differ, by 0.05 or more, and explain the shift: of source
      rows drawn by the target's shares, inputs are told from the target's by a quarter at most of
      what it was above chance, or by chance. Features that hide the domain lead to equal shares
      of predicted classes, so errors on source and target add up to `share_distance` at least.
    - ``class_shares_open``: estimated shares differ, but don't explain the shift. Inputs have
      moved, and the estimate, which assumes that they haven't, may be wrong.
    - ``adversary_won``: on rows held out, the network's own domain classifier keeps more than
      half of what it is above chance without adaptation.
    - ``adapted``: it doesn't. Close to half, noise decides which of the two is said; neither is
      where 0.65 could be chance.
    - ``conditional``: source accuracy or reverse validation falls, unexplained by the shares. What
      tells the classes apart is not the same in both domains.
    - ``few_target_rows``: a linear classifier on the embedding could learn the target rows by
      heart, being no more than its units and one [1]_; or the network's own one does better on
      rows it was trained on; or there are too few to tell an accuracy of 0.65 from chance.
    - ``little_overlap``: inputs are told apart with an accuracy of 0.95, or the effective sample
      size is below a tenth of the source.
    - ``not_adapted``: `lambda_max` is 0.

    Parameters
    ----------
    classifier : DANNClassifier, DANNClassifierCV or Pipeline that ends in one
        Fitted with target rows. Of an ensemble chosen by `DANNClassifierCV`, the first counts.
    X, y, X_tgt : as in `DANNClassifier.fit`
        The rows it was fitted on, without weights: at least 3 of each class and 15 in all, and 15
        of each target domain.
    random_state : int, RandomState instance or None, default=0
        Determines the rows held out, folds, and the clones' seed where the classifier has none.

    Returns
    -------
    report : AdaptationReport
        ``print(report)`` shows a table, and sentences.

    Raises
    ------
    ValueError
        If rows are too few or not like those of the fit, or the fit had no target.
    TypeError
        If `classifier` is none of the three.
    sklearn.exceptions.NotFittedError
        If it is not fitted.

    Notes
    -----
    It costs about two fits, and a third of one for each reverse validation.

    Labels that depend on the same inputs in another way leave no trace without target labels, nor
    does an adaptation that exchanges classes and exchanges them again on the way back. So
    ``adapted`` is no proof of gain. Shares that differ while inputs move can't be told from inputs
    that moved alone. A new domain classifier on the adapted embedding often succeeds where the
    network's own fails, in directions of little variance: it is reported, without a verdict.

    References
    ----------
    .. [1] Ben-David, S. et al. "A Theory of Learning from Different Domains." Machine Learning 79,
       2010.
    .. [2] Zhao, H., Tachet des Combes, R., Zhang, K. and Gordon, G. "On Learning Invariant
       Representations for Domain Adaptation." ICML 2019.

    Examples
    --------
    Both domains are draws of the same moons:

    >>> from skdann import DANNClassifier
    >>> from skdann import adaptation_report
    >>> from skdann.datasets import make_rotated_moons
    >>> X_src, y_src, X_tgt, _ = make_rotated_moons(400, rotation=0, random_state=0)
    >>> clf = DANNClassifier(lambda_max=1.0, max_epochs=30, random_state=0).fit(X_src, y_src, X_tgt)
    >>> adaptation_report(clf, X_src, y_src, X_tgt).verdicts
    {'no_shift': 'The domains were already alike: nothing to gain.'}
    """
    rows = _read(classifier, X, y, X_tgt)
    seed = int(np.random.RandomState(random_state).randint(2**31))
    networks, trained, held_out = _fit_pair(rows, seed)
    report = AdaptationReport(
        verdicts={},
        **_domain_measures(rows, networks, trained, held_out, seed),
        **_prediction_measures(rows, networks, held_out),
    )
    width = networks["adapted"]._n_features_out // networks["adapted"].n_members
    return replace(report, verdicts=verdicts_of(report, rows.fitted.lambda_max_, width))


def _read(classifier, X, y, X_tgt):
    check_is_fitted(classifier)
    targets = X_tgt if isinstance(X_tgt, tuple) else (X_tgt,)
    if not targets or any(one is None for one in targets):
        raise ValueError("X_tgt is None or empty. Pass the target rows that fit was given.")
    parts = [ScoredDomains(classifier, X, y, one, needed_by="The report") for one in targets]
    fitted = getattr(parts[0].last, "best_estimator_", parts[0].last)
    if not isinstance(fitted, DANNClassifier):
        raise TypeError(
            "classifier must be a DANNClassifier, a DANNClassifierCV or a Pipeline that ends in "
            f"one, got {type(fitted).__name__}."
        )
    source, targets = parts[0].rows()[0], tuple(part.rows()[1] for part in parts)
    rows = _Rows(fitted, _sliceable(source), column_or_1d(y), tuple(map(_sliceable, targets)))
    _check(rows)
    return rows


def _sliceable(rows):
    return rows.tocsr() if sparse.issparse(rows) else rows


def _check(rows):
    n_source, n_targets = _num_samples(rows.source), [_num_samples(one) for one in rows.targets]
    if rows.fitted.n_domains_ != len(n_targets) + 1:
        raise ValueError(
            f"X_tgt has {len(n_targets)} target domains, but the classifier was fitted with "
            f"{rows.fitted.n_domains_ - 1}. Pass the X_tgt that fit was given; without one there "
            "is no adaptation to report."
        )
    if len(rows.y) != n_source:
        raise ValueError(f"X has {n_source} rows, but y has {len(rows.y)} labels.")
    found, counts = np.unique(rows.y, return_counts=True)
    if not np.array_equal(found, rows.fitted.classes_) or counts.min() < 3:
        raise ValueError(
            f"y must have three rows or more of each class in {rows.fitted.classes_.tolist()}, "
            f"got {dict(zip(found.tolist(), counts.tolist(), strict=True))}."
        )
    for name, n_rows in (("X", n_source), ("X_tgt", min(n_targets))):
        if n_rows < _MIN_ROWS:
            raise ValueError(
                f"{name} has {n_rows} rows, but a third is held out and divided into five folds: "
                f"{_MIN_ROWS} of each domain are needed."
            )
    for part in (rows.source, *rows.targets):
        rows.fitted.predict(_safe_indexing(part, [0]))


def _fit_pair(rows, seed):
    """Return the two networks by name, and the rows that they were trained on and not."""
    splits = [_split(rows.y, seed)]
    splits += [_split(np.zeros(_num_samples(one)), seed + 1) for one in rows.targets]
    trained, held_out = (_selected(rows, [pair[i] for pair in splits]) for i in (0, 1))
    adapted = clone(rows.fitted).set_params(verbose=0, **rows.fitted._chosen())
    if adapted.random_state is None:
        adapted.set_params(random_state=seed)
    networks = {"source_only": clone(adapted).set_params(lambda_max=0), "adapted": adapted}
    for network in networks.values():
        network.fit(trained.source, trained.y, X_tgt=trained.targets)
    return networks, trained, held_out


def _split(groups, seed):
    """Return rows to train on, and a third of each group to hold out."""
    rng, held_out = np.random.default_rng(seed), np.zeros(len(groups), dtype=bool)
    for group in np.unique(groups):
        rows = rng.permutation(np.flatnonzero(groups == group))
        held_out[rows[: len(rows) // 3]] = True
    return np.flatnonzero(~held_out), np.flatnonzero(held_out)


def _selected(rows, of_each):
    source, *targets = of_each
    parts = zip(rows.targets, targets, strict=True)
    targets = tuple(_safe_indexing(table, chosen) for table, chosen in parts)
    return replace(
        rows, source=_safe_indexing(rows.source, source), y=rows.y[source], targets=targets
    )


def _line(title, *values):
    cells = [one if isinstance(one, str) else "" if one is None else f"{one:.3f}" for one in values]
    return (f"{title:<20}" + "".join(f"{cell:>14}" for cell in cells)).rstrip()
