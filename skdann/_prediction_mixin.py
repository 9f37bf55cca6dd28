"""The methods of a fitted domain-adversarial classifier: labels, probabilities, embeddings."""

from __future__ import annotations

import os
from typing import Any, Literal, Self, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import ClassifierMixin, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.metrics import accuracy_score
from sklearn.utils.validation import check_is_fitted

from skdann._data.inputs import domain_codes
from skdann._data.labels import read_true_labels, read_weight
from skdann._data.listing import listed, shortened
from skdann._file_version import stamped, without_stamp
from skdann._notebook.shown import ShownMixin
from skdann._target_bound.estimator import TargetBindingMixin
from skdann._typing import Rows, Targets, available_if

# Where rows are from: a name or a code for all of them, or a code for each.
Domain: TypeAlias = Literal["target", "source"] | int | ArrayLike | None


def _saw_target(estimator: Any) -> bool:
    """Tell whether the domain classifier has been trained."""
    check_is_fitted(estimator)
    if estimator.n_domains_ < 2:
        raise AttributeError(
            "predict_domain_proba needs a domain classifier, but fit got no X_tgt to train it on."
        )
    return True


class DomainAdversarialMixin(
    TargetBindingMixin,
    ShownMixin,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    ClassifierMixin,
):
    """The methods of a classifier that has `classes_`, `n_domains_` and ``_outputs``.

    ``_outputs(X, domain, of, *finish)`` returns the "embedding", "label_logits" or
    "domain_logits" of rows, and checks that the classifier is fitted.
    """

    __metadata_request__predict = {"domain": True}
    __metadata_request__predict_proba = {"domain": True}
    __metadata_request__predict_log_proba = {"domain": True}
    __metadata_request__decision_function = {"domain": True}
    __metadata_request__transform = {"domain": True}
    __metadata_request__score = {"domain": True}

    def predict(self, X: Rows, *, domain: Domain = None) -> NDArray[Any]:
        """Return the most probable label of each row.

        Parameters
        ----------
        X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
            Rows, with the columns of `fit`.

        domain : {"target", "source"}, int or array-like of int of shape (n_samples,), default=None
            The domain of the rows. It matters only with ``input_scaling`` "domain" or "balanced". A
            code is 0 for the source, 1 for the first target domain, and so on. With None a row is
            a target row, unless it is recognised as a source row; each row is judged by itself. If
            rows can't be recognised one by one, but look like source rows as a whole, a
            `DomainWarning` says so.

        Returns
        -------
        ndarray of shape (n_samples,)
            Elements of `classes_`.
        """
        codes = self._outputs(X, domain, "label_logits", _codes)
        return self.classes_[codes]

    def predict_proba(self, X: Rows, *, domain: Domain = None) -> NDArray[np.float32]:
        """Return the probability of each class.

        Parameters
        ----------
        X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
            Rows, with the columns of `fit`.

        domain : {"target", "source"}, int or array-like of int of shape (n_samples,), default=None
            Where the rows are from; see `predict`.

        Returns
        -------
        float32 ndarray of shape (n_samples, n_classes)
            In the order of `classes_`; rows sum to 1.
        """
        return self._outputs(X, domain, "label_logits", _softmax)

    def predict_log_proba(self, X: Rows, *, domain: Domain = None) -> NDArray[np.float32]:
        """Return the natural logarithm of `predict_proba`, exact for small probabilities.

        Parameters
        ----------
        X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
            Rows, with the columns of `fit`.

        domain : {"target", "source"}, int or array-like of int of shape (n_samples,), default=None
            Where the rows are from; see `predict`.

        Returns
        -------
        float32 ndarray of shape (n_samples, n_classes)
            In the order of `classes_`; values are 0 or less.
        """
        return self._outputs(X, domain, "label_logits", lambda logits: logits.log_softmax(dim=1))

    def decision_function(self, X: Rows, *, domain: Domain = None) -> NDArray[np.float32]:
        """Return the logits; for two classes the log-odds of ``classes_[1]``.

        Parameters
        ----------
        X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
            Rows, with the columns of `fit`.

        domain : {"target", "source"}, int or array-like of int of shape (n_samples,), default=None
            Where the rows are from; see `predict`.

        Returns
        -------
        float32 ndarray of shape (n_samples,) for two classes, else (n_samples, n_classes)
            In the order of `classes_`. The largest is the predicted label; for two classes, a value
            above 0 stands for ``classes_[1]``.
        """
        return self._outputs(X, domain, "label_logits", _decision)

    def transform(self, X: Rows, *, domain: Domain = None) -> NDArray[np.float32]:
        """Return the embedding, what the feature extractor makes of each row.

        Parameters
        ----------
        X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
            Rows, with the columns of `fit`.

        domain : {"target", "source"}, int or array-like of int of shape (n_samples,), default=None
            Where the rows are from; see `predict`.

        Returns
        -------
        float32 ndarray of shape (n_samples, n_embedding)
            The outputs of the last layer of the feature extractor.
        """
        return self._outputs(X, domain, "embedding")

    def fit_transform(
        self, X: Rows, y: ArrayLike, X_tgt: Targets | None = None, **fit_params: Any
    ) -> NDArray[np.float32]:
        """Fit, and return the embedding of the source rows.

        Parameters
        ----------
        X : {array-like, sparse matrix, DataFrame} of shape (n_source, n_features)
            Source rows.

        y : array-like of shape (n_source,)
            Source labels.

        X_tgt : array-like of shape (n_target, n_features) or tuple of such, default=None
            Target rows, of any type that `X` may have; a tuple has one element per target domain.

        **fit_params : dict
            Further parameters of `fit`.

        Returns
        -------
        float32 ndarray of shape (n_source, n_embedding)
            The outputs of the last layer of the feature extractor for the source rows.
        """
        return self.fit(X, y, X_tgt, **fit_params).transform(X, domain="source")

    def score(
        self,
        X: Rows,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        *,
        domain: Domain = None,
    ) -> float:
        """Return the accuracy on labelled rows.

        Parameters
        ----------
        X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
            Rows, with the columns of `fit`.

        y : array-like of shape (n_samples,)
            True labels.

        sample_weight : array-like of shape (n_samples,), default=None
            Weight of each row in the mean, at least 0.

        domain : {"target", "source"}, int or array-like of int of shape (n_samples,), default=None
            Where the rows are from; see `predict`.

        Returns
        -------
        float in [0, 1]
            Share of the rows whose label is predicted correctly.
        """
        predicted = self.predict(X, domain=domain)
        labels = read_true_labels(y, len(predicted))
        try:
            weight = read_weight(sample_weight, len(predicted))
            if weight is not None and weight.max() > 1e200:  # their sum may be infinite
                weight = weight / weight.max()
            # Older versions of scikit-learn find numbers and text unequal, and say nothing.
            if (labels.dtype.kind in "biuf") != (predicted.dtype.kind in "biuf"):
                raise TypeError("one are numbers, the others are not.")
            return accuracy_score(labels, predicted, sample_weight=weight)
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"y can't be compared with predictions, which are {listed(self.classes_)}: "
                f"{shortened(error, 300)}"
            ) from error

    @available_if(_saw_target)
    def predict_domain_proba(self, X: Rows, *, domain: Domain = None) -> NDArray[np.float32]:
        """Return the probability that a row is a target row, as the embedding shows it.

        A good adaptation leaves it near 0.5 for rows of both domains. Only after a `fit` with
        `X_tgt`.

        Parameters
        ----------
        X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
            Rows, with the columns of `fit`.

        domain : {"target", "source"}, int or array-like of int of shape (n_samples,), default=None
            Where the rows are from; see `predict`.

        Returns
        -------
        float32 ndarray of shape (n_samples,)
            Of all target domains together, where there are several.
        """
        check_is_fitted(self)
        n_targets = len(self._fitted_classifier()._n_rows) - 1  # the first is of the source

        def of_targets(logits):
            proba = _softmax(logits)
            # Sources behind the first have their columns behind those of the targets.
            return 1.0 - (proba[:, 0] + proba[:, 1 + n_targets :].sum(dim=1))

        return self._outputs(X, domain, "domain_logits", of_targets)

    # -- in files ----------------------------------------------------------------------------

    def to_torch(self, *, domain: Literal["target", "source"] | int | None = None) -> Any:
        """Return a plain torch module, from raw rows to what `predict_proba` returns for them.

        The input scaling is in it, the average over `n_members` too. It is a copy, on the CPU and
        in evaluation mode, for ``torch.export`` and programs without skdann. Rows are not checked.

        Parameters
        ----------
        domain : {"target", "source"} or int, default=None
            Where all rows will be from; see `predict`. With None the module recognises source rows
            as `predict` does, where that matters, but without its warnings.

        Returns
        -------
        torch.nn.Module
            It takes a float32 tensor of shape (n_rows, n_features), dense and with the columns of
            `fit`, and returns one of shape (n_rows, n_classes), in the order of `classes_`.

        Raises
        ------
        ValueError
            If there is no such `domain`.

        Examples
        --------
        >>> import torch
        >>> from skdann import DANNClassifier
        >>> from skdann.datasets import make_rotated_moons
        >>> X_src, y_src, X_tgt, _ = make_rotated_moons(random_state=0)
        >>> clf = DANNClassifier(lambda_max=1.0, max_epochs=5, random_state=0)
        >>> module = clf.fit(X_src, y_src, X_tgt).to_torch()
        >>> module(torch.tensor(X_tgt[:2], dtype=torch.float32)).shape
        torch.Size([2, 2])
        """
        fitted = self._fitted_classifier()
        code = domain_codes(domain, 1, max(2, fitted.n_domains_))
        from skdann._serving.module import ProbabilityModule  # only here, as it imports torch

        if domain is None:
            return ProbabilityModule(fitted.net_.members_, fitted._recognition)
        return ProbabilityModule(fitted.net_.members_, domain=None if code is None else int(code))

    def to_onnx(
        self,
        path: str | os.PathLike[str],
        *,
        domain: Literal["target", "source"] | int | None = None,
    ) -> None:
        """Write an ONNX file, from raw rows to labels and probabilities.

        Its input ``X`` are float32 rows of shape (n_rows, n_features), dense and with the columns
        of `fit`, any number of them. Its outputs are ``label``, as from `predict`, of shape
        (n_rows,), and ``probabilities``, as from `predict_proba`, of shape (n_rows, n_classes).
        The file is written whole or not at all. It needs ``pip install "skdann[onnx]"``.

        Parameters
        ----------
        path : str or path
            Of the file; one that is there is replaced.

        domain : {"target", "source"} or int, default=None
            Where all rows will be from; see `to_torch`.

        Raises
        ------
        ImportError
            Without the packages of the extra "onnx".
        ValueError
            If a custom part can't be exported, `domain` does not exist, or the labels are neither
            numbers nor text.

        Examples
        --------
        >>> import tempfile
        >>> from pathlib import Path
        >>> from skdann import DANNClassifier
        >>> from skdann.datasets import make_rotated_moons
        >>> X_src, y_src, X_tgt, _ = make_rotated_moons(random_state=0)
        >>> clf = DANNClassifier(lambda_max=1.0, max_epochs=5, random_state=0)
        >>> file = Path(tempfile.mkdtemp()) / "model.onnx"
        >>> clf.fit(X_src, y_src, X_tgt).to_onnx(file)  # doctest: +SKIP
        """
        fitted = self._fitted_classifier()
        module = self.to_torch(domain=domain)
        from skdann._serving.onnx_model import onnx_model, write_whole  # only here, see above

        model = onnx_model(module, fitted._row_shape, fitted.classes_)
        write_whole(path, model.SerializeToString())

    def _fitted_classifier(self):
        """Return the `DANNClassifier` that predicts, fitted."""
        check_is_fitted(self)
        return getattr(self, "best_estimator_", self)

    def __getstate__(self) -> dict[str, Any]:
        """Return plain data with the version that writes them."""
        return stamped(self._to_plain(dict(super().__getstate__())))

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Set the state, with a warning if another version wrote it."""
        state, _ = without_stamp(state, type(self).__name__)
        self.__dict__.update(self._from_plain(state))

    def __copy__(self) -> Self:
        """Return a copy that shares what was fitted; a fit replaces that, and changes none."""
        copied = type(self).__new__(type(self))
        copied.__dict__.update(self.__dict__)
        return copied

    def _to_plain(self, state):
        """Return the state as plain data; see `skdann._training.plain_records`."""
        return state

    def _from_plain(self, state):
        """Return the state that `_to_plain` was called with."""
        return state

    def __sklearn_tags__(self) -> Any:
        """Declare sparse input and the float32 output of `transform`."""
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.transformer_tags.preserves_dtype = []
        return tags


def _codes(logits):
    """Return the column of the largest logit of each row; -1 if not all of them are finite."""
    return logits.argmax(dim=1).where(logits.isfinite().all(dim=1), -1)


def _softmax(logits):
    return logits.softmax(dim=1)


def _decision(logits):
    return logits[:, 1] - logits[:, 0] if logits.shape[1] == 2 else logits
