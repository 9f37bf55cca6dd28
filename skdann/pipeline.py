"""A Pipeline whose steps transform the target as they transform the source."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from typing import Any, Self

import sklearn
from numpy.typing import ArrayLike, NDArray
from sklearn.base import is_classifier
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.utils.metadata_routing import MetadataRequest, get_routing_for_object
from sklearn.utils.validation import check_is_fitted

from skdann._classifier import DANNClassifier
from skdann._data.argument_names import explains_argument_names
from skdann._data.targets import warn_if_cut
from skdann._notebook.shown import ShownMixin
from skdann._prediction_mixin import DomainAdversarialMixin
from skdann._sklearn_compat import num_samples
from skdann._target_bound.estimator import TargetBindingMixin
from skdann._typing import Rows, Targets, available_if
from skdann.model_selection import AlignedTarget

__all__ = ["DANNPipeline", "make_dann_pipeline"]


def _final_step_has(method: str) -> Callable[[Any], bool]:
    """Return a check for `available_if`: whether the last step has this method."""

    def check(pipeline: Any) -> bool:
        # The AttributeError of the step itself says why it lacks the method.
        getattr(pipeline.steps[-1][1], method)
        return True

    return check


class DANNPipeline(TargetBindingMixin, ShownMixin, Pipeline):
    """Pipeline that takes the target rows along, with and without metadata routing.

    `fit` fits the steps to the source, transforms the target by them, and passes both on to
    the classifier in the last step. Nothing needs to be configured for that. Metadata routing
    of scikit-learn must be enabled only if a scorer requests the target, in a search or in
    cross-validation.

    Parameters
    ----------
    steps : list of (str, estimator)
        As in :class:`~sklearn.pipeline.Pipeline`. The last is a `DANNClassifier` or another
        estimator that requests `X_tgt`.

    transform_input : tuple or list of str, default=("X_tgt",)
        Names of parameters of `fit` that are rows: each is transformed by the steps in front of
        the one that requests it.

    memory : str or object with the joblib.Memory interface, default=None
        Caches the fitted transformers.

    verbose : bool, default=False
        Whether to print the time that each step takes.

    Attributes
    ----------
    named_steps : Bunch
        The steps by their names.

    classes_ : ndarray of shape (n_classes,)
        The sorted labels.

    n_features_in_ : int
        Number of columns that the first step has seen.

    feature_names_in_ : ndarray of shape (n_features,)
        Their names, where the first step has seen names.

    adapted_, verdict_ : bool, str
        What the last step decided, and why; see `DANNClassifier`.

    See Also
    --------
    make_dann_pipeline : The short way to make one.
    sklearn.pipeline.make_pipeline : Does the same with ``transform_input=["X_tgt"]``, if
        metadata routing is enabled.

    Notes
    -----
    Inside cross-validation and searches pass a tuple, ``X_tgt=(X_tgt,)``, or what
    :meth:`skdann.model_selection.DomainKFold.align_target` returns. scikit-learn cuts an array
    that happens to have as many rows as `X` by the fold's *source* rows before any pipeline
    sees it.

    A slice without the last step, such as ``pipe[:-1]``, is a plain Pipeline.

    Examples
    --------
    >>> from sklearn.preprocessing import StandardScaler
    >>> from skdann import DANNClassifier
    >>> from skdann.datasets import make_rotated_moons
    >>> from skdann.pipeline import DANNPipeline
    >>> X_src, y_src, X_tgt, y_tgt = make_rotated_moons(random_state=0)
    >>> pipe = DANNPipeline(
    ...     [("scale", StandardScaler()), ("dann", DANNClassifier(max_epochs=5, random_state=0))]
    ... )
    >>> pipe.fit(X_src, y_src, X_tgt).predict(X_tgt).shape
    (300,)
    """

    # scikit-learn reads a parameter's constraints from a dict of the class.
    _parameter_constraints = {  # noqa: RUF012
        **Pipeline._parameter_constraints,
        "transform_input": [list, tuple, None],
    }

    def __init__(
        self,
        steps: list[tuple[str, Any]],
        *,
        transform_input: Sequence[str] | None = ("X_tgt",),
        memory: Any = None,
        verbose: bool = False,
    ) -> None:
        self.steps = steps
        self.transform_input = transform_input
        self.memory = memory
        self.verbose = verbose

    # A step may have asked for a target of its own by the name X_target.
    @explains_argument_names("X_target")
    def fit(
        self, X: Rows, y: ArrayLike | None = None, X_tgt: Targets | None = None, **params: Any
    ) -> Self:
        """Fit the steps to the source, and the last one to source and target.

        Parameters
        ----------
        X : {array-like, sparse matrix, DataFrame} of shape (n_source, n_features)
            Source rows, as the first step takes them.

        y : array-like of shape (n_source,)
            Labels of the source rows.

        X_tgt : array-like of shape (n_target, n_features) or tuple of such, default=None
            Target rows, of any type that `X` may have, transformed by the steps in front of the
            last; a tuple has one element per target domain. With None, `DANNClassifier` trains on
            the source alone, with a `SourceOnlyWarning`.

        **params : dict
            ``sample_weight`` of shape (n_source,) reaches the last step and no other, unless a
            step was told otherwise by ``set_fit_request(sample_weight=True)``. Anything else
            goes to the steps that request it.

        Returns
        -------
        self : DANNPipeline
            The fitted Pipeline.

        Raises
        ------
        ValueError
            If `X_tgt` was aligned with the folds of other source rows than `X`.
        """
        with _routing(), _explained_target_encoder():
            return super().fit(X, y, **_with_target(X, X_tgt, params))

    @available_if(_final_step_has("fit_transform"))
    @explains_argument_names("X_target")
    def fit_transform(
        self, X: Rows, y: ArrayLike | None = None, X_tgt: Targets | None = None, **params: Any
    ) -> NDArray[Any]:
        """Fit as `fit` does and return the embedding of the source rows.

        Parameters
        ----------
        X : {array-like, sparse matrix, DataFrame} of shape (n_source, n_features)
            Source rows, as the first step takes them.

        y : array-like of shape (n_source,)
            Labels of the source rows.

        X_tgt : array-like of shape (n_target, n_features) or tuple of such, default=None
            Target rows, of any type that `X` may have; a tuple has one element per target domain.

        **params : dict
            Further parameters of `fit`.

        Returns
        -------
        ndarray of shape (n_source, n_embedding)
            What the last step's feature extractor makes of the source rows.
        """
        with _routing(), _explained_target_encoder():
            return super().fit_transform(X, y, **_with_target(X, X_tgt, params))

    @available_if(_final_step_has("decision_function"))
    def decision_function(self, X: Rows, **params: Any) -> NDArray[Any]:
        """Return what the last step's `decision_function` makes of transformed rows.

        Parameters
        ----------
        X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
            Rows, as the first step takes them.

        **params : dict
            What the last step's `decision_function` requests, such as ``domain``.

        Returns
        -------
        ndarray of shape (n_samples,) for two classes, else (n_samples, n_classes)
            The logits, in the order of `classes_`; for two classes the log-odds of the second.
        """
        with _routing(of=params):
            return super().decision_function(X, **params)

    @available_if(_final_step_has("score"))
    def score(
        self,
        X: Rows,
        y: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        **params: Any,
    ) -> float:
        """Return the last step's score on transformed rows, such as the accuracy.

        Parameters
        ----------
        X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
            Rows, as the first step takes them.

        y : array-like of shape (n_samples,)
            True labels.

        sample_weight : array-like of shape (n_samples,), default=None
            Weight of each row, at least 0.

        **params : dict
            What the last step's `score` requests, such as ``domain``.

        Returns
        -------
        float
            The score; higher is better.
        """
        with _routing(of=params):
            return super().score(X, y, sample_weight=sample_weight, **params)

    @available_if(_final_step_has("transform"))
    def transform(self, X: Rows, **params: Any) -> NDArray[Any]:
        """Return the embedding, what the last step makes of rows that the others transformed.

        Parameters
        ----------
        X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
            Rows, as the first step takes them.

        **params : dict
            What the last step's `transform` requests, such as ``domain``.

        Returns
        -------
        ndarray of shape (n_samples, n_embedding)
            What the last step's feature extractor makes of the rows.
        """
        with _routing(of=params):
            return super().transform(X, **params)

    @property
    def adapted_(self) -> bool:
        """Whether the last step adapts to the target; see `DANNClassifier`."""
        return self._decided("adapted_")

    @property
    def verdict_(self) -> str:
        """What the last step chose and why; see `DANNClassifier`."""
        return self._decided("verdict_")

    def _decided(self, name):
        """Return what the last step decided, or raise an AttributeError that says why not."""
        last = self.steps[-1][1]
        try:
            return getattr(last, name)
        except AttributeError as error:
            raise AttributeError(
                f"{type(self).__name__} has no {name}: {_why_not(last)}"
            ) from error

    def __getitem__(self, ind: int | str | slice) -> Any:
        """Return a step, or a Pipeline of some steps that shares them with this one.

        Parameters
        ----------
        ind : int, str or slice

        Returns
        -------
        estimator
            For a slice a Pipeline: of this class, if it holds the last step.
        """
        part = super().__getitem__(ind)
        if not isinstance(ind, slice):
            return part
        if part.steps and part.steps[-1] is self.steps[-1]:
            # Pipeline makes slices without transform_input.
            return part.set_params(transform_input=self.transform_input)
        return Pipeline(part.steps, memory=self.memory, verbose=self.verbose)

    def get_metadata_routing(self) -> Any:
        """Return which step gets which metadata.

        Returns
        -------
        sklearn.utils.metadata_routing.MetadataRouter
            That of Pipeline, where `sample_weight` in `fit` and `score` is requested by the last
            step and not by the others, as far as they have not been told.
        """
        router = super().get_metadata_routing()
        for name, route in router:
            # A step that routes to others, such as a nested Pipeline, decides for itself.
            if isinstance(route.router, MetadataRequest):
                wanted = name == self.steps[-1][0]
                _decide_sample_weight(route.router.fit, wanted=wanted)
                _decide_sample_weight(route.router.score, wanted=wanted)
        return router


def make_dann_pipeline(
    *steps: Any, memory: Any = None, verbose: bool = False, **classifier_parameters: Any
) -> DANNPipeline:
    """Make a Pipeline of transformers and a `DANNClassifier`.

    The steps in front of the classifier are fitted to the source and transform the target too.
    It needs no configuration of scikit-learn.

    Parameters
    ----------
    *steps : estimators, or tuples (str, estimator)
        Transformers, with names of your own in tuples. The last may be the classifier: a
        `DANNClassifier`, or another one that takes `X_tgt`. If it is a transformer, a
        `DANNClassifier` is put behind it. Samplers, such as imbalanced-learn's SMOTE, belong
        into a pipeline around this one.

    memory : str or object with the joblib.Memory interface, default=None
        Caches the fitted transformers.

    verbose : bool, default=False
        Whether to print the time that each step takes.

    **classifier_parameters : dict
        Parameters of the `DANNClassifier`, if `steps` has no classifier.

    Returns
    -------
    DANNPipeline
        With the steps' names in lower case, as from
        :func:`~sklearn.pipeline.make_pipeline`: ``dannclassifier__lambda_max`` is the
        classifier's `lambda_max`.

    Raises
    ------
    TypeError
        If there are both a classifier and parameters for one, or a step that is a list, a class
        or a sampler.

    See Also
    --------
    DANNPipeline : What it returns.
    sklearn.pipeline.make_pipeline : The same without a target.

    Examples
    --------
    >>> from sklearn.model_selection import GridSearchCV
    >>> from sklearn.preprocessing import StandardScaler
    >>> from skdann.datasets import make_rotated_moons
    >>> from skdann.pipeline import make_dann_pipeline
    >>> X_src, y_src, X_tgt, y_tgt = make_rotated_moons(n_samples=120, random_state=0)
    >>> pipe = make_dann_pipeline(StandardScaler(), max_epochs=5, random_state=0)
    >>> pipe.fit(X_src, y_src, X_tgt).predict(X_tgt).shape
    (120,)

    In a search the target is a tuple:

    >>> search = GridSearchCV(pipe, {"dannclassifier__lr": [0.001, 0.01]}, cv=3)
    >>> search.fit(X_src, y_src, X_tgt=(X_tgt,)).predict(X_tgt).shape
    (120,)
    """
    for step in steps:
        _check_step(step)
    if not (steps and _is_last(_estimator_of(steps[-1]))):
        steps = (*steps, DANNClassifier(**classifier_parameters))
    elif classifier_parameters:
        raise TypeError(
            "make_dann_pipeline got both the classifier "
            f"{type(_estimator_of(steps[-1])).__name__} and parameters of one, "
            f"{', '.join(classifier_parameters)}. Set them in the classifier, or leave it out."
        )
    return DANNPipeline(_named(steps), memory=memory, verbose=verbose)


def _estimator_of(step):
    """Return the estimator of a step that is given as it is or as (name, estimator)."""
    return step[1] if isinstance(step, tuple) else step


def _named(steps):
    """Return all steps as (name, estimator), those without a name as `make_pipeline` names them."""
    named = make_pipeline(*map(_estimator_of, steps)).steps
    for i, step in enumerate(steps):
        if isinstance(step, tuple):
            named[i] = step
    return named


def _check_step(step):
    """Check that a step can be part of a Pipeline that transforms the target too, or raise."""
    if isinstance(step, list):
        raise TypeError(
            "make_dann_pipeline takes steps one by one, got a list: write "
            "make_dann_pipeline(*steps)."
        )
    if isinstance(step, tuple) and not (len(step) == 2 and isinstance(step[0], str)):
        raise TypeError(
            "make_dann_pipeline takes estimators, or tuples of a name and an estimator, got a "
            f"tuple of {len(step)}."
        )
    step = _estimator_of(step)
    if isinstance(step, type):
        raise TypeError(
            f"make_dann_pipeline takes instances, got the class {step.__name__}: write "
            f"{step.__name__}()."
        )
    if hasattr(step, "fit_resample"):
        name = type(step).__name__
        raise TypeError(
            f"{name} changes the rows of X, which steps beside X_tgt can't. Put the sampler in an "
            "outer pipeline, with sklearn.set_config(enable_metadata_routing=True): "
            f"imblearn.pipeline.make_pipeline({name}(), make_dann_pipeline(...))"
            ".fit(X, y, X_tgt=(X_tgt,))."
        )
    is_step = hasattr(step, "fit") or hasattr(step, "transform")
    if not is_step and step is not None and step != "passthrough":
        raise TypeError(
            f"make_dann_pipeline takes transformers and a classifier, got {type(step).__name__}. "
            "Parameters of the classifier are passed by name, such as lambda_max=1."
        )


def _is_last(step):
    """Tell whether a step is the classifier, and not a transformer that can also classify.

    RFE and LinearDiscriminantAnalysis, for example, are classifiers with a `transform`. Of such
    steps only one that takes `X_tgt` can be the last.
    """
    if isinstance(step, str) or step is None or not is_classifier(step):
        return False
    return not hasattr(type(step), "transform") or _takes_target(step)


def _takes_target(step):
    """Tell whether the `fit` of an estimator, or of one inside it, requests `X_tgt`."""
    with _routing():
        try:
            return bool(get_routing_for_object(step).consumes("fit", ["X_tgt"]))
        except (AttributeError, NotImplementedError, TypeError, ValueError):
            return False  # it does not route


def _decide_sample_weight(request, *, wanted):
    """Set whether a method requests sample_weight, unless the user has set it."""
    # None: not set. No entry: the method has no such parameter.
    if request.requests.get("sample_weight", wanted) is None:
        request.add_request(param="sample_weight", alias=wanted)


def _routing(of=True):
    """Return a context with metadata routing enabled, if `of` is not empty.

    Without metadata, scikit-learn's configuration stays as it is. Only this thread is affected.
    """
    if not of:
        return contextlib.nullcontext()
    return sklearn.config_context(enable_metadata_routing=True)


@contextlib.contextmanager
def _explained_target_encoder():
    """Explain the KeyError of scikit-learn 1.9's TargetEncoder where routing is enabled."""
    try:
        yield
    except KeyError as error:
        if error.args != ("groups",):
            raise
        raise ValueError(
            f"TargetEncoder of scikit-learn {sklearn.__version__} fails where metadata routing is "
            "enabled, as it is in this Pipeline. Use a subclass whose fit_transform switches it "
            "off: with sklearn.config_context(enable_metadata_routing=False): return "
            "super().fit_transform(X, y). The user guide, 'Meta-estimators and other packages', "
            "has it."
        ) from error


def _why_not(last):
    """Return why the last step has decided nothing."""
    if not isinstance(last, DomainAdversarialMixin):
        return f"{type(last).__name__} does not decide whether to adapt."
    try:
        check_is_fitted(last)
    except NotFittedError:
        return "it is not fitted yet. Call fit(X, y, X_tgt) first."
    if last.n_domains_ == 1:
        return "fit got no X_tgt, so there was nothing to choose."
    return (
        f"with lambda_max={last.lambda_max!r} nothing was chosen. With lambda_max='auto', fit "
        "chooses and says why."
    )


def _with_target(X, X_tgt, params):
    """Return the parameters of `fit` with the target, if there is one, as a tuple."""
    if X_tgt is None:
        return params
    if isinstance(X_tgt, AlignedTarget) and X_tgt.shape[0] != num_samples(X):
        raise ValueError(
            f"X_tgt was aligned with the folds of {X_tgt.shape[0]} source rows, but X has "
            f"{num_samples(X)}: align it with this X, or pass the plain tuple (X_tgt,)."
        )
    warn_if_cut(X_tgt, num_samples(X))
    # A tuple, because scikit-learn would index an array that has as many rows as X.
    return {**params, "X_tgt": X_tgt if isinstance(X_tgt, tuple) else (X_tgt,)}
