"""Reverse validation: a scorer that trains a model back from the target to the source."""

from __future__ import annotations

import numpy as np
from sklearn.base import clone

from skdann._hidden_warnings import hidden_warnings
from skdann._sklearn_compat import num_samples
from skdann._typing import Targets
from skdann.exceptions import TargetScaleWarning
from skdann.metrics._scorer_base import ScoredDomains, TargetScorer, takes


class ReverseValidation(TargetScorer):
    """Accuracy on source rows of a model that is trained on the predictions for the target.

    The fitted estimator predicts labels for the target rows. A second model of the same kind is
    trained in the other direction: the target rows with their predicted labels are its source, the
    source rows `X` its target. Its accuracy on `X` and `y` is the score [1]_ [2]_ [3]_. A model
    that mislabels the target teaches wrong labels and scores badly. Errors that cancel on the way
    back go unnoticed, for example two classes that are swapped and swapped again.

    Each score costs one more fit, for a `DANNClassifier` a third of one. Fitted steps in front of
    the classifier in a Pipeline stay as they are. If all predicted labels are equal, nothing is
    fitted and the second model predicts that label.

    Parameters
    ----------
    X_tgt : array-like of shape (n_target, n_features) or tuple of such, default=None
        Target rows to score on; several target domains are concatenated. None takes those of the
        call; see `TargetScorer`.

    warm_start : bool, default=True
        Whether the second model of a `DANNClassifier` starts from the weights of the first, as in
        [1]_, section 5.1.2, and trains for a third of the epochs. Other classifiers are cloned.

    balanced : bool, default=False
        Whether the score is the mean of the accuracies within each class of `y`, instead of the
        accuracy over all rows.

    See Also
    --------
    skdann.DANNClassifierCV : Chooses by reverse validation and two further signals.
    skdann.model_selection.choose_adaptation : The safe choice of a search with such scorers.

    References
    ----------
    .. [1] Ganin, Y. et al. (2016). Domain-adversarial training of neural networks.
       Journal of Machine Learning Research 17(59), 1-35.
    .. [2] Bruzzone, L. and Marconcini, M. (2010). Domain adaptation problems: a DASVM
       classification technique and a circular validation strategy. IEEE Transactions on Pattern
       Analysis and Machine Intelligence 32(5), 770-787.
    .. [3] Zhong, E., Fan, W., Yang, Q., Verscheure, O. and Ren, J. (2010). Cross validation
       framework to choose amongst models and datasets for transfer learning. ECML PKDD.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skdann.metrics import ReverseValidation
    >>> X, y = np.arange(20.0)[:, None], np.repeat([0, 1], 10)
    >>> clf = LogisticRegression().fit(X, y)
    >>> ReverseValidation()(clf, X, y, X_tgt=X + 0.2)
    1.0

    All target rows are predicted to be of class 1, and half of the source rows are:

    >>> ReverseValidation()(clf, X, y, X_tgt=X + 50)
    0.5
    """

    def __init__(
        self, *, X_tgt: Targets | None = None, warm_start: bool = True, balanced: bool = False
    ) -> None:
        super().__init__(X_tgt=X_tgt)
        self.warm_start = warm_start
        self.balanced = balanced

    def _measure(self, domains: ScoredDomains) -> float:
        y = domains.labels()
        right = np.asarray(self._predict_back(domains)) == y
        if not self.balanced:
            return right.mean()
        return np.mean([right[y == label].mean() for label in np.unique(y)])

    def _predict_back(self, domains):
        """Return the labels of the source rows, learned from those predicted for the target."""
        source, target = domains.rows()
        predicted = np.asarray(domains.target("predict"))
        # No classifier can be fitted to a single class.
        if len(np.unique(predicted)) == 1:
            return np.full(num_samples(source), predicted[0])
        model = self._model_back(domains.last, len(predicted), domains.labels())
        adapts = {"X_tgt": (source,)} if takes(model.fit, "X_tgt") else {}
        with hidden_warnings(TargetScaleWarning):
            # The user was told when the model to be scored was fitted; here domains are swapped.
            model.fit(target, predicted, **adapts)
        # On the way back the source rows are the target.
        told = {"domain": "target"} if takes(model.predict, "domain") else {}
        return model.predict(source, **told)

    def _model_back(self, fitted, n_target, y):
        """Return the unfitted second model, or one that starts from the fitted weights."""
        if self.warm_start and hasattr(fitted, "_learning_back"):
            return fitted._learning_back(n_target, y)
        return clone(fitted)
