"""`adaptation_report` and the `AdaptationReport` that it returns."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from skdann._report.fitted_pair import fit_pair, read_rows_of_report
from skdann._report.measures import domain_measures, prediction_measures
from skdann._report.sentences import findings_of
from skdann._report.tables import as_html, as_text
from skdann._typing import RandomState, Rows, Targets


@dataclass(frozen=True, repr=False, eq=False)
class AdaptationReport:
    """How two domains differ and what adaptation changed, made by `adaptation_report`.

    The keys ``source_only`` and ``adapted`` are the two networks that are compared.

    Attributes
    ----------
    findings : dict of str to str
        What the figures say: a sentence for each finding, by its key. `adaptation_report` lists
        the keys.

    settings : dict of str to str
        What ``source_only`` and ``adapted`` were fitted with, as a user would write it.

    adapts : bool
        Whether the classifier adapts. If not, it is like ``source_only``, and ``adapted`` is what
        adaptation would have done.

    domain_accuracy : dict of str to float in [0.5, 1]
        Accuracy with which new classifiers predict the domain of a row: cross-validated, both
        domains weighted equally, on at most 2000 rows of each. 0.5 is chance. ``inputs``: on all
        rows, the better of logistic regression and extremely randomised trees. ``reweighted``: the
        same, with source rows drawn so that their classes have the `target_shares` (if there are at
        least 15 such rows). ``source_only``, ``adapted``: logistic regression on the embeddings of
        held-out rows.

    chance_limit : dict of str to float
        The same keys: an accuracy up to this can be sampling noise.

    own_domain_accuracy : dict of str to float in [0, 1]
        Accuracy of the networks' own domain classifiers on held-out rows: ``source_only``, whose
        features do not learn from it, and ``adapted``. ``trained`` is that of the adapted network
        on its training rows.

    classes : ndarray of shape (n_classes,)

    source_shares, target_shares : ndarrays of shape (n_classes,)
        Class shares in [0, 1]. Those of the target are estimated by `estimate_class_shares` from
        the source-only network's predictions for target rows and held-out source rows. They are
        right only if rows of a class look alike in both domains.

    share_distance, share_limit : float in [0, 1]
        Half the sum of the absolute differences between the shares, and the value up to which it
        can be sampling noise.

    effective_share : float in [0, 1]
        Effective sample size of the density-ratio weights on the inputs, divided by the number of
        source rows.

    predicted_shares : ndarray of shape (n_classes,)
        Shares of the classes that the network with the classifier's own settings predicts for the
        target rows.

    agreement : float in [0, 1]
        Share of the target rows for which both networks predict the same label.

    source_accuracy, reverse_validation : dicts of str to float in [0, 1]
        ``source_only`` and ``adapted``, on held-out source rows.

    source_fall : float
        Number of held-out source rows that only ``source_only`` predicts correctly, minus those
        that only ``adapted`` does, in standard deviations of this difference.

    n_rows : dict of str to int
        ``source``, ``target``, ``source_held_out``, ``target_held_out``.

    target_accuracy : dict or None
        The classifier's `target_accuracy_`: by the target labels that its `fit` got, with an
        interval. None where it got none, or chose nothing.

    See Also
    --------
    adaptation_report : Makes it.
    """

    findings: dict[str, str]
    settings: dict[str, str]
    adapts: bool
    domain_accuracy: dict[str, float]
    chance_limit: dict[str, float]
    own_domain_accuracy: dict[str, float]
    classes: NDArray[Any]
    source_shares: NDArray[Any]
    target_shares: NDArray[Any]
    share_distance: float
    share_limit: float
    effective_share: float
    predicted_shares: NDArray[Any]
    agreement: float
    source_accuracy: dict[str, float]
    reverse_validation: dict[str, float]
    source_fall: float
    n_rows: dict[str, int]
    target_accuracy: dict[str, float] | None = None

    @property
    def proxy_a_distance(self) -> dict[str, float]:
        """`domain_accuracy` as proxy A-distances ``4 * accuracy - 2``: dict of float in [0, 2]."""
        return {name: 4 * accuracy - 2 for name, accuracy in self.domain_accuracy.items()}

    def __repr__(self) -> str:
        """Return the keys of the findings."""
        return f"AdaptationReport(findings={list(self.findings)})"

    def __str__(self) -> str:
        """Return tables of the figures, and the findings below them."""
        return as_text(self)

    def _repr_html_(self) -> str:
        """Return the findings and the tables for a notebook."""
        return as_html(self)


def adaptation_report(
    classifier: Any,
    X: Rows,
    y: ArrayLike,
    X_tgt: Targets,
    *,
    random_state: RandomState = 0,
) -> AdaptationReport:
    """Report how the domains differ and what adaptation changed, without target labels.

    Two clones of the classifier are fitted on two thirds of the rows of each domain. "adapted" has
    the classifier's settings. "source-only" has the same without adaptation: `lambda_max` is 0, and
    no loss is computed on target rows. (If nothing but a scaling was chosen, it has the scaling of
    the candidate without adaptation.) The other third of the rows is held out to measure on. Steps
    of a Pipeline in front of the classifier are used as they were fitted. Labels of target rows
    and several sources are not used; but what the labels told the classifier is in the report.

    A classifier that does not adapt is "source-only" itself. "adapted" then shows what adaptation
    would have done: with the settings that came closest to being chosen, or with lambda 1 where
    nothing was chosen.

    `report.findings` can have the following keys. A difference counts if it exceeds three standard
    deviations of its sampling noise.

    - ``no_shift``: inputs, source-only embeddings and class shares do not differ.
    - ``hidden_already``: the inputs differ, but from the source-only embedding the domain cannot be
      predicted better than by chance, nor with more than half of the accuracy above 0.5 that the
      inputs allow. It is not given if an accuracy of 0.65 could be chance.
    - ``class_shares``: the estimated class shares differ by 0.05 or more, and explain the shift.
      That is, if source rows are drawn with the target's shares, the domain can no longer be
      predicted from the inputs, or only with a quarter of the accuracy above 0.5. Features that
      hide the domain lead to equal shares of predicted classes in both domains, so the error rates
      on source and target add up to at least `share_distance` [2]_.
    - ``class_shares_open``: the estimated shares differ, but do not explain the shift. The inputs
      have changed as well. The estimate assumes that they have not, so it may be wrong.
    - ``adversary_won``: on held-out rows, the network's own domain classifier keeps more than half
      of the accuracy above 0.5 that it has without adaptation.
    - ``adapted``: it keeps less than half. Near one half, chance decides between the two findings.
    - ``conditional``: with adaptation, source accuracy or reverse validation falls, and class
      shares do not explain it. What distinguishes the classes seems to differ between the domains.
    - ``few_target_rows``: there are so few target rows for training that a linear classifier on the
      embedding could memorise them (at most one more than it has columns [1]_), or the network's
      own domain classifier is better on its training rows than on held-out rows, or an accuracy of
      0.65 could be chance. In the last case none of the three findings above is given.
    - ``little_overlap``: the domain can be predicted from the inputs with an accuracy of 0.95, or
      the effective sample size is below a tenth of the source rows.
    - ``not_adapted``: the classifier does not adapt; says what adaptation would change. It is given
      in place of the three findings on what adaptation did.
    - ``one_class``: the classifier predicts one class for nearly all target rows, and that class is
      not nearly as frequent in the source.
    - ``class_shares_unknown``: the source-only network predicts one class for nearly all target
      rows, so the estimated shares say nothing.

    Parameters
    ----------
    classifier : DANNClassifier, DANNClassifierCV or Pipeline that ends in one
        Fitted with target rows. Of a `DANNClassifierCV`, `best_estimator_` is reported.
    X : {array-like, sparse matrix, DataFrame} of shape (n_source, n_features)
        The source rows that it was fitted on, at least 15, with 3 or more of each class. Sample
        weights are not used.
    y : array-like of shape (n_source,)
        Their labels.
    X_tgt : array-like of shape (n_target, n_features) or tuple of such
        The target rows that it was fitted on, at least 15 of each target domain, of any type that
        `X` may have.
    random_state : int, RandomState instance or None, default=0
        Determines the rows held out and the folds; also the clones, if the classifier's
        `random_state` is None.

    Returns
    -------
    report : AdaptationReport
        ``print(report)`` shows the figures in a table, and the findings in sentences.

    Raises
    ------
    ValueError
        If rows are too few or not like those of the fit, or the classifier was fitted without
        target rows.
    TypeError
        If `classifier` is none of the three.
    sklearn.exceptions.NotFittedError
        If it is not fitted.

    See Also
    --------
    AdaptationReport : What is returned: every figure by its name.
    skdann.metrics.proxy_a_distance : One of its figures, for any two sets of rows.

    Notes
    -----
    The cost is about two fits, and a third of one for each of two reverse validations.

    ``adapted`` is no proof that adaptation improved the predictions. Without target labels it
    cannot be seen that the same inputs have other labels in the target, nor that classes were
    swapped and are swapped again by reverse validation. Nor can a change of class shares and inputs
    be distinguished from a change of inputs alone.

    A new domain classifier can often predict the domain from the adapted embedding where the
    network's own cannot, from directions in which the embedding varies little. It is part of
    `domain_accuracy`, but no finding depends on it.

    References
    ----------
    .. [1] Ben-David, S. et al. "A Theory of Learning from Different Domains." Machine Learning 79,
       2010.
    .. [2] Zhao, H., Tachet des Combes, R., Zhang, K. and Gordon, G. "On Learning Invariant
       Representations for Domain Adaptation." ICML 2019.

    Examples
    --------
    Both domains are samples of the same moons:

    >>> from skdann import DANNClassifier
    >>> from skdann import adaptation_report
    >>> from skdann.datasets import make_rotated_moons
    >>> X_src, y_src, X_tgt, _ = make_rotated_moons(400, rotation=0, random_state=0)
    >>> clf = DANNClassifier(lambda_max=1.0, max_epochs=30, random_state=0).fit(X_src, y_src, X_tgt)
    >>> adaptation_report(clf, X_src, y_src, X_tgt).findings
    {'no_shift': 'The domains do not differ measurably: there is nothing to adapt to.'}
    """
    rows = read_rows_of_report(classifier, X, y, X_tgt)
    seed = int(np.random.RandomState(random_state).randint(2**31))
    pair = fit_pair(rows, seed)
    report = AdaptationReport(
        findings={},
        settings=pair.compared.named(),
        adapts=pair.compared.adapts,
        target_accuracy=getattr(rows.chooser, "target_accuracy_", None),
        **domain_measures(rows, pair, seed),
        **prediction_measures(rows, pair),
    )
    adapted = pair.networks["adapted"]
    width = len(adapted.get_feature_names_out()) // adapted.n_members
    weighted = adapted.target_shares_ is not None
    findings = findings_of(report, width, weighted=weighted)
    return replace(report, findings=findings)
