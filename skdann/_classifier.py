"""`DANNClassifier`: parameters, documentation, and `fit` as the walk through the rooms."""

from __future__ import annotations

import copy
import numbers
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import zip_longest
from typing import Any, Literal, Self, TypeAlias

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted, validate_data

from skdann._choosing.choice import safe_choice
from skdann._choosing.workers import Workers
from skdann._data.argument_names import explains_argument_names
from skdann._data.inputs import domain_codes, read_rows_like_fitted, read_training_data
from skdann._data.labels import check_same_classes
from skdann._data.listing import listed
from skdann._data.recognition import fit_recognition
from skdann._data.target_check import warn_about_target_scale
from skdann._network.conditioning import CONDITIONINGS
from skdann._network.input_layers import InputLayers
from skdann._network.layers import ACTIVATIONS
from skdann._network.scaling import SCALINGS
from skdann._prediction_mixin import DomainAdversarialMixin
from skdann._sklearn_compat import Interval, StrOptions
from skdann._training.checkpoints import Checkpoints
from skdann._training.continuing import (
    check_continues,
    check_streams,
    continued,
    streamed,
)
from skdann._training.epoch_means import CAUSES
from skdann._training.fit_together import Trained, fit_together, train_on, work_of
from skdann._training.plain_records import plain_record, record_of
from skdann._training.progress import Progress
from skdann._training.settings import Settings
from skdann._training.share_estimates import mean_shares, with_known_shares
from skdann._typing import RandomState, Rows, TargetLabels, Targets, checks_parameters
from skdann.exceptions import SourceOnlyWarning, warn_caller
from skdann.schedules import Schedule

Scaling: TypeAlias = Literal["auto", "source", "both", "domain", "balanced", "denoised"] | None
# Of lambda, lr and the like: with it a product of two, and a schedule's factor, fits float32.
_LARGEST = 1e15

# Layer sizes of a part, or a module, or what makes one.
Part: TypeAlias = int | Sequence[int] | torch.nn.Module | Callable[..., torch.nn.Module]


class DANNClassifier(DomainAdversarialMixin, BaseEstimator):
    """Classifier that adapts from a labelled source domain to a target domain without labels.

    A domain-adversarial neural network [1]_ [2]_ has three parts. A feature extractor is
    shared by both domains. A label predictor learns from source rows. A domain classifier
    learns to tell source from target rows, behind a gradient reversal layer that hands its
    gradient back to the feature extractor times minus lambda: the features learn to predict
    the label and *not* to give the domain away. One gradient step trains all three.

    By default it adapts only where that is safe. Candidates, three strengths of adaptation for
    each of three scalings, are trained without a third of the source rows, on at most 5,000 rows
    of each domain. Evidence that needs no target labels says how much target accuracy each is
    expected to gain over the network without adaptation; `DANNClassifierCV` describes it. Where
    that is not enough, the network without adaptation stays. `verdict_` says what was chosen and
    why.

    If you know the labels of a few target rows, pass them as `y_tgt`: all candidates learn from
    them, they are counted as evidence, and `target_accuracy_` tells how good the result is.

    Read more in the :doc:`user guide </guide/index>`.

    Parameters
    ----------
    hidden_layer_sizes : int or tuple of int, default=(100,)
        Units of the feature extractor's layers, each followed by `activation` and `dropout`;
        the last one's output is the embedding. At least one layer.

    activation : {"identity", "logistic", "tanh", "relu", "gelu"}, default="relu"
        Activation of all hidden layers.

    dropout : float in [0, 1), default=0.5
        Share of hidden units that are set to 0 in each training step, in all three parts.

    feature_extractor : torch.nn.Module, type or callable, default=None
        Your own feature extractor, in place of `hidden_layer_sizes` and `activation`. A module is
        copied, and its weights are the start. A class or other callable returns a module; it is
        called with the width of `X` (for `X` of more than two dimensions with the shape of one
        row, such as ``(3, 28, 28)``) if it requires exactly one argument, and without arguments
        if it requires none. The module must map rows to embeddings of shape
        (n_rows, n_embedding).

    label_predictor : int, tuple of int, torch.nn.Module, type or callable, default=()
        Hidden layer sizes of the label predictor; none makes it linear. Or your own, called with
        ``(n_embedding, n_classes)``; it must return logits, without a softmax.

    domain_classifier : int, tuple of int, torch.nn.Module, type or callable, default=(100,)
        Hidden layer sizes of the domain classifier; none makes it linear. Or your own, called
        with ``(n_embedding, n_domains)``, where n_domains is 1 for the source plus the number of
        target domains; it must return logits. The gradient reversal stands in front of it in any
        case.

    input_scaling : {"auto", "source", "both", "domain", "balanced", "denoised"}, None or tuple \
of these, default="auto"
        How columns are scaled, as the first thing in the network and without a copy of the data:
        to mean 0 and deviation 1 by the statistics of the source rows, of both domains (each
        with half the weight), or of each domain by its own, and cut at +-8. A column that is
        constant in the rows that its statistics come from becomes 0; sparse columns are not
        shifted. None scales nothing. `partial_fit` takes the statistics of its first chunk.

        "balanced" is "domain" with weights: target rows are weighed so that their predicted
        classes are as frequent as in the source. So a drift is undone, and a difference in class
        shares is not taken for one. Logistic regressions predict the classes.

        With "domain" and "balanced", `fit` also learns to recognise source rows, so that `predict`
        and the other methods scale them as such. Rows that it is not sure of count as target
        rows, unless you pass `domain`.

        "denoised" is for sparse counts, such as words: each row is replaced by what the words in
        it say about the 2,000 most frequent words, by one layer of a marginalised denoising
        autoencoder [7]_ that both domains' rows determine. It needs 40 MB, in files too.

        With a given lambda, "auto" means None if `X` is sparse, if you pass a
        `feature_extractor`, or if the source columns are already of about unit size (largest
        standard deviation between 0.1 and 3, no mean beyond 3 in absolute value), and "source"
        otherwise. Where lambda is chosen, that scaling, "both" and "balanced" are all candidates;
        for sparse counts None, "denoised" and, if columns are large, "source"; for other sparse
        `X` None, "source" and "domain". A tuple names the candidates, the baseline's first.

    lambda_max : float >= 0, "auto" or tuple of float, default="auto"
        Strength of adaptation at the end of `lambda_schedule`. 1.0 is plain DANN, the paper's.
        With 0 (and a `target_information` of 0) the classifier is the source-only network: the
        domain classifier learns, but the features do not learn from it. "auto" chooses from 0,
        0.1 and 1 without target labels (from 0 and 1 for sparse counts), for the cost of two to
        nine fits; a tuple chooses from its values and 0. Searches such as
        ``GridSearchCV(DANNClassifier(), {"lr": ...})`` then choose inside every fit: give a
        lambda, or use `DANNClassifierCV`, to avoid that. Where nothing can be chosen, "auto" means
        1.0: in `partial_fit`, and in `fit` without `X_tgt`, where lambda has no effect.

    lambda_schedule : {"ramp", "constant"} or callable, default="ramp"
        The factor of `lambda_max` at progress p, the share of training that is done, in [0, 1].
        "ramp" is the paper's ``2 / (1 + exp(-10 p)) - 1``; :class:`skdann.schedules.Ramp` takes
        another steepness. A callable gets p and returns a number >= 0.

    conditioning : {None, "multilinear"}, default=None
        What the domain classifier sees: the embedding, or the products of each feature with each
        predicted class probability [3]_, so that classes are aligned and not their mixture.
        Above 4,096 products, 1,024 random combinations of them are used instead. No gain in our
        ablation.

    domain_label_smoothing : float in [0, 1), default=0.0
        Share of the domain labels that is spread over all domains [4]_. It gained on one data set
        of our ablation.

    target_information : float >= 0, default=0.0
        Weight, at the end of `lambda_schedule`, of the mutual information of target rows and
        their predicted labels [5]_: predictions are to be certain, and not all the same. It
        assumes that classes are about as frequent in both domains, and looks better to the
        signals of a choice than it is: give a lambda with it.

    target_label_weight : float in [0, 1] or "auto", default="auto"
        Share of the label loss that labelled target rows have, the `y_tgt` of `fit`; the source
        rows have the rest. With n labels "auto" is the geometric mean of ``n / (n + n_source)``,
        right if the domains are alike, and ``n / (n + 100)``, at most 0.3. Beside 2,000 source
        rows 20 labels have a weight of 0.04: one of them counts as four source rows. Few labels
        err by chance, and the source by its shift; the weight of the target is to grow with its
        labels [8]_.

    label_shift : {None, "estimate"}, dict or array-like of shape (n_classes,), default=None
        What is done about class shares that differ between the domains. Source rows of class y
        weigh ``p_T(y) / p_S(y)`` in the label loss and in the domain loss [6]_, so the
        probabilities are those for the target's shares. p_T is given, by label or in the order of
        `classes_`, or estimated from the confusion of source rows and the predicted shares of the
        target: before the fit, by two networks without adaptation, each trained on one half of
        the source. Estimates that follow the training, as in [6]_, can run away.

    optimizer : {"adam", "sgd"}, torch optimizer class or partial of one, default="adam"
        "sgd" has the paper's momentum of 0.9. What a `functools.partial` sets stays as it is.

    lr : float > 0, default=0.001
        Learning rate at the start.

    lr_schedule : {"constant", "annealed"} or callable, default="constant"
        What multiplies `lr` at progress p. "annealed" is the paper's
        ``1 / (1 + 10 p) ** 0.75``.

    weight_decay : float >= 0, default=0.0001
        As the optimizer understands it; for "adam" and "sgd" half the L2 penalty's factor. An
        optimizer that has none, such as `torch.optim.Rprop`, is made without it.

    batch_size : int >= 1 or "auto", default="auto"
        Source rows per gradient step; as many target rows join them (the paper's batch of 128
        is 64 here). Smaller if the source has fewer rows. "auto" takes the largest power of two
        from 64 to 1024 that leaves at least 1,500 steps: with `max_epochs` "auto", 64 up to
        6,400 source rows.

    max_epochs : int >= 1 or "auto", default="auto"
        Passes over the source rows. "auto" means 30, or more on small data until there are 1,000
        gradient steps, up to 300. With more than 1,000 columns it means fewer, by the square root
        of their number, but at least 10: steps count for more there, and cost more.

    n_members : int >= 1, default=1
        Networks in an ensemble, each with its own initial weights, order of rows and dropout;
        their probabilities are averaged and their embeddings stand side by side. The first is
        the network of ``n_members=1``. They are trained together: 16 small networks take about
        eight times as long as one.

    class_weight : dict, "balanced" or None, default=None
        Weights of the classes in the label loss of source rows, as elsewhere in scikit-learn.

    early_stopping : bool, default=False
        Hold out `validation_fraction` of the source rows of each class and of the target
        rows, stop when ``label loss - lambda_max * domain loss`` on them has not improved for
        `n_iter_no_change` epochs, and restore the weights of the best epoch. The domain loss
        counts up to what a guess costs. Steps in front of the classifier in a Pipeline have seen
        the rows held out.

    validation_fraction : float in (0, 1), default=0.1
        Share of the rows held out by `early_stopping`.

    n_iter_no_change : int >= 1, default=10
        Epochs without improvement after which `early_stopping` stops.

    warm_start : bool, default=False
        Start `fit` from the weights of the previous `fit`, which must have had the same layers
        and all the classes of the new labels. Optimizer, schedules and input scaling start anew;
        what "auto" chose before stays chosen.

    callbacks : list of skorch callbacks, default=None
        They are copied, and called with the skorch net of the final fit, not of the candidates.
        They can monitor whatever `history_` has. Their batches are ``(X, y)`` of source rows,
        before input scaling, with ``y_pred``, the label logits.

    device : str or torch.device, default="cpu"
        Where to train and predict. "auto" takes CUDA, then MPS, then the CPU. For networks
        and batches of the default size a CPU is often faster.

    random_state : int, RandomState instance or None, default=None
        Initial weights, order of rows, dropout and validation rows. Equal ints give equal
        models on one machine. None takes fresh entropy; numpy's and torch's global random
        state are neither used nor changed.

    n_jobs : int, default=None
        Processes that train the candidates of a choice, through joblib; the result is the same for
        every number. None is 1, or what :func:`joblib.parallel_config` says; -1 takes all
        processors. The final fit is one network, and takes one process.

    verbose : int, default=0
        1 shows a bar over the whole work, candidates and final fit, with running losses and domain
        accuracy.

    checkpoint_dir : str or path, default=None
        Folder for checkpoints of long fits, one at most every ten seconds; None writes none. `fit`
        called again in the same way, after its process was killed, goes on from there, and the
        result is the same to the last bit. It needs a `random_state`. The user guide says what
        "the same way" is: :doc:`/guide/long_fits`.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The sorted labels.

    n_features_in_ : int
        Width of `X`.

    feature_names_in_ : ndarray of shape (n_features,)
        Column names, where `X` had names that are all strings.

    batch_size_ : int
        Source rows per gradient step that `batch_size` came to.

    n_domains_ : int
        1 if no target was given, else the number of sources plus the number of target domains.

    n_iter_ : int
        Epochs trained.

    lambda_max_, input_scaling_ : float, str or None
        What the network was trained with, given or chosen.

    domain_recognition_ : dict or None
        With ``input_scaling`` "domain" or "balanced": the share of new ``"source"`` rows that are
        recognised as such where no `domain` is given, and the share of new ``"target"`` rows that
        are mistaken for source rows. Both are 0 if less than half of the source rows would be
        recognised: then none is.

    adapted_ : bool
        Whether something was chosen over the network without adaptation. It exists only if
        lambda was chosen: with "auto" or candidates, after a `fit` with `X_tgt`.

    verdict_ : str
        What was chosen and why, how sure that is, and what came closest; it exists where
        `adapted_` does.

    cv_results_ : dict of ndarrays of shape (n_candidates,)
        What was found about each candidate, as in `DANNClassifierCV`, but of calibrated
        probabilities. Candidates that were not trained in the second fold have NaN in
        ``split1_test_<signal>``. It exists where `adapted_` does, if the rows could be divided
        into folds.

    target_accuracy_ : dict or None
        Accuracy on the target as the labels in `y_tgt` tell it: ``"accuracy"``; ``"low"`` and
        ``"high"``, an interval of 90 % confidence; and ``"n_labels"``. Each of these labels is
        predicted by a candidate that neither was trained with it nor chosen by it. The interval is
        Jeffreys', and wider, as those candidates are other networks than the classifier. It exists
        where `adapted_` does; None without two labels.

    history_ : list of dict
        One dict per epoch: ``epoch, label_loss, lambda, lr, seconds``; with target rows
        ``domain_loss, domain_accuracy``, where 0.5 means that the domain classifier can't tell
        source from target; with `early_stopping` the figures of the rows held out as ``valid_*``.
        Losses are means over the rows of all batches, in nats. With several members the
        figures are means over them, and ``members`` has a dict for each.

    target_shares_ : ndarray of shape (n_classes,) or None
        Class shares of the target by which source rows were weighed, estimated or given. None
        without `label_shift`, or without a target to estimate them from.

    net_ : skorch.NeuralNet
        The skorch net that was trained.

    module_ : torch.nn.Module
        Its module, with ``feature_extractor``, ``label_predictor`` and
        ``domain_classifier``; with several members a `torch.nn.ModuleList` of such. Called on a
        float32 tensor of raw rows, which count as target rows, it returns label logits.

    See Also
    --------
    DANNClassifierCV : Chooses from more candidates, on all folds, and keeps all scores.
    adaptation_report : How the domains differed, and what adaptation changed.
    sklearn.neural_network.MLPClassifier : The same kind of network for one domain.

    Notes
    -----
    Inside cross-validation pass the target as a tuple, ``X_tgt=(X_tgt,)``. scikit-learn cuts
    an array that happens to have as many rows as `X` by the fold's *source* rows, and `fit` has
    no way to notice; a tuple is passed on whole. In a Pipeline use
    :func:`skdann.pipeline.make_dann_pipeline`, or ``transform_input=["X_tgt"]`` with metadata
    routing; otherwise the steps in front transform the source only.

    Adaptation assumes that the domains differ in their inputs, and that classes are about as
    frequent in both. Where class shares differ much, a given lambda can do harm: see
    `label_shift`.

    References
    ----------
    .. [1] Ganin, Y. and Lempitsky, V. (2015). Unsupervised domain adaptation by
       backpropagation. ICML.
    .. [2] Ganin, Y. et al. (2016). Domain-adversarial training of neural networks.
       Journal of Machine Learning Research 17(59), 1-35.
    .. [3] Long, M. et al. (2018). Conditional adversarial domain adaptation. NeurIPS.
    .. [4] Zhang, Y. et al. (2023). Free lunch for domain adversarial training: environment label
       smoothing. ICLR.
    .. [5] Krause, A., Perona, P. and Gomes, R. (2010). Discriminative clustering by regularized
       information maximization. NeurIPS.
    .. [6] Combes, R. T. des et al. (2020). Domain adaptation with conditional distribution
       matching and generalized label shift. NeurIPS.
    .. [7] Chen, M. et al. (2012). Marginalized denoising autoencoders for domain adaptation. ICML.
    .. [8] Ben-David, S. et al. (2010). A theory of learning from different domains. Machine
       Learning 79, 151-175 (section 6).

    Examples
    --------
    The target rows are tilted digits, and have no labels:

    >>> from skdann import DANNClassifier
    >>> from skdann.datasets import make_rotated_moons, make_tilted_digits
    >>> X_src, y_src, X_tgt, y_tgt = make_tilted_digits(n_source=300, random_state=0)
    >>> clf = DANNClassifier(max_epochs=30, random_state=0).fit(X_src, y_src, X_tgt)
    >>> clf.adapted_
    True
    >>> baseline = DANNClassifier(lambda_max=0, max_epochs=30, random_state=0)
    >>> clf.score(X_tgt, y_tgt) > baseline.fit(X_src, y_src, X_tgt).score(X_tgt, y_tgt)
    True

    Plain DANN, on the paper's moons that are turned by 35 degrees:

    >>> X_src, y_src, X_tgt, y_tgt = make_rotated_moons(random_state=0)
    >>> plain = DANNClassifier(lambda_max=1.0, random_state=0).fit(X_src, y_src, X_tgt)
    >>> plain.score(X_tgt, y_tgt) > baseline.fit(X_src, y_src, X_tgt).score(X_tgt, y_tgt)
    True

    In a Pipeline the target passes the same scaler:

    >>> import sklearn
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> with sklearn.config_context(enable_metadata_routing=True):
    ...     pipe = make_pipeline(
    ...         StandardScaler(), DANNClassifier(max_epochs=5), transform_input=["X_tgt"]
    ...     ).fit(X_src, y_src, X_tgt=(X_tgt,))
    >>> pipe.predict(X_tgt).shape
    (300,)

    The record of training is a table:

    >>> sorted(clf.history_[-1])  # doctest: +NORMALIZE_WHITESPACE
    ['domain_accuracy', 'domain_loss', 'epoch', 'label_loss', 'lambda', 'lr', 'seconds']
    """

    classes_: NDArray[Any]
    n_features_in_: int
    feature_names_in_: NDArray[np.object_]
    batch_size_: int
    n_domains_: int
    n_iter_: int
    lambda_max_: float
    input_scaling_: str | None
    adapted_: bool
    verdict_: str
    target_accuracy_: dict[str, float] | None
    cv_results_: dict[str, Any]
    history_: list[dict[str, Any]]
    target_shares_: NDArray[np.float64] | None

    _recognition: Any = None  # of source rows, if the networks scale them apart

    __metadata_request__fit = {
        "X_tgt": True,
        "y_tgt": True,
        "source_domain": True,
        "groups": True,
    }
    __metadata_request__partial_fit = {"X_tgt": True, "y_tgt": True}

    _parameter_constraints = {
        "hidden_layer_sizes": [Interval(numbers.Integral, 1, None, closed="left"), tuple, list],
        "activation": [StrOptions(set(ACTIVATIONS))],
        "dropout": [Interval(numbers.Real, 0, 1, closed="left")],
        "feature_extractor": [torch.nn.Module, callable, None],
        "label_predictor": [
            Interval(numbers.Integral, 1, None, closed="left"),
            tuple,
            list,
            torch.nn.Module,
            callable,
        ],
        "domain_classifier": [
            Interval(numbers.Integral, 1, None, closed="left"),
            tuple,
            list,
            torch.nn.Module,
            callable,
        ],
        "input_scaling": [StrOptions({*SCALINGS, "auto"}), tuple, list, None],
        "lambda_max": [
            Interval(numbers.Real, 0, _LARGEST, closed="both"),
            StrOptions({"auto"}),
            "array-like",
        ],
        "lambda_schedule": [StrOptions({"ramp", "constant"}), callable],
        "conditioning": [StrOptions(set(CONDITIONINGS)), None],
        "target_label_weight": [
            Interval(numbers.Real, 0, 1, closed="both"),
            StrOptions({"auto"}),
        ],
        "domain_label_smoothing": [Interval(numbers.Real, 0, 1, closed="left")],
        "target_information": [Interval(numbers.Real, 0, _LARGEST, closed="both")],
        "label_shift": [StrOptions({"estimate"}), dict, "array-like", None],
        "optimizer": [StrOptions({"adam", "sgd"}), callable],
        "lr": [Interval(numbers.Real, 0, _LARGEST, closed="right")],
        "lr_schedule": [StrOptions({"constant", "annealed"}), callable],
        "weight_decay": [Interval(numbers.Real, 0, _LARGEST, closed="both")],
        "batch_size": [Interval(numbers.Integral, 1, None, closed="left"), StrOptions({"auto"})],
        "max_epochs": [Interval(numbers.Integral, 1, None, closed="left"), StrOptions({"auto"})],
        "n_members": [Interval(numbers.Integral, 1, None, closed="left")],
        "class_weight": [dict, StrOptions({"balanced"}), None],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(numbers.Real, 0, 1, closed="neither")],
        "n_iter_no_change": [Interval(numbers.Integral, 1, None, closed="left")],
        "warm_start": ["boolean"],
        "callbacks": [list, tuple, None],
        "device": [str, torch.device],
        "random_state": ["random_state"],
        "n_jobs": [numbers.Integral, None],
        "verbose": ["verbose"],
        "checkpoint_dir": [str, os.PathLike, None],
    }

    def __init__(
        self,
        hidden_layer_sizes: int | Sequence[int] = (100,),
        activation: Literal["identity", "logistic", "tanh", "relu", "gelu"] = "relu",
        *,
        dropout: float = 0.5,
        feature_extractor: torch.nn.Module | Callable[..., torch.nn.Module] | None = None,
        label_predictor: Part = (),
        domain_classifier: Part = (100,),
        input_scaling: Scaling | Sequence[Scaling] = "auto",
        lambda_max: float | Literal["auto"] | Sequence[float] | NDArray[Any] = "auto",
        lambda_schedule: Literal["ramp", "constant"] | Schedule = "ramp",
        conditioning: Literal["multilinear"] | None = None,
        domain_label_smoothing: float = 0.0,
        target_information: float = 0.0,
        target_label_weight: float | Literal["auto"] = "auto",
        label_shift: Literal["estimate"]
        | Mapping[Any, float]
        | Sequence[float]
        | NDArray[Any]
        | None = None,
        optimizer: Literal["adam", "sgd"] | Callable[..., torch.optim.Optimizer] = "adam",
        lr: float = 0.001,
        lr_schedule: Literal["constant", "annealed"] | Schedule = "constant",
        weight_decay: float = 0.0001,
        batch_size: int | Literal["auto"] = "auto",
        max_epochs: int | Literal["auto"] = "auto",
        n_members: int = 1,
        class_weight: dict[Any, float] | Literal["balanced"] | None = None,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 10,
        warm_start: bool = False,
        callbacks: Sequence[Any] | None = None,
        device: str | torch.device = "cpu",
        random_state: RandomState = None,
        n_jobs: int | None = None,
        verbose: int = 0,
        checkpoint_dir: str | os.PathLike[str] | None = None,
    ) -> None:
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.dropout = dropout
        self.feature_extractor = feature_extractor
        self.label_predictor = label_predictor
        self.domain_classifier = domain_classifier
        self.input_scaling = input_scaling
        self.lambda_max = lambda_max
        self.lambda_schedule = lambda_schedule
        self.conditioning = conditioning
        self.domain_label_smoothing = domain_label_smoothing
        self.target_information = target_information
        self.target_label_weight = target_label_weight
        self.label_shift = label_shift
        self.optimizer = optimizer
        self.lr = lr
        self.lr_schedule = lr_schedule
        self.weight_decay = weight_decay
        self.batch_size = batch_size
        self.max_epochs = max_epochs
        self.n_members = n_members
        self.class_weight = class_weight
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.warm_start = warm_start
        self.callbacks = callbacks
        self.device = device
        self.random_state = random_state
        self.n_jobs = n_jobs
        self.verbose = verbose
        self.checkpoint_dir = checkpoint_dir

    # -- fitting -----------------------------------------------------------------------------

    @explains_argument_names()
    @checks_parameters(skip_nested=True)
    def fit(
        self,
        X: Rows,
        y: ArrayLike,
        X_tgt: Targets | None = None,
        *,
        sample_weight: ArrayLike | None = None,
        y_tgt: TargetLabels | None = None,
        source_domain: ArrayLike | None = None,
        groups: ArrayLike | None = None,
    ) -> Self:
        """Fit to labelled source rows and target rows, of which some may have labels.

        Parameters
        ----------
        X : {array-like, sparse matrix, DataFrame} of shape (n_source, n_features)
            Source rows; of shape (n_source, ...) with a custom `feature_extractor`. float32
            is used as it is. Arrays of uint8 with more than two dimensions, such as images, stay
            as they are too, and reach the network a batch at a time as float32 from 0 to 255.
            Anything else is converted to float32 at once.

        y : array-like of shape (n_source,)
            Labels of the source rows, of any type that can be sorted.

        X_tgt : array-like of shape (n_target, n_features) or tuple of such, default=None
            Target rows, of any type that `X` may have and with its columns; a tuple has one
            element per target domain. None trains on the source alone, with a
            `SourceOnlyWarning`.

        sample_weight : array-like of shape (n_source,), default=None
            Weights >= 0 of the source rows, in the label loss and in the domain loss.

        y_tgt : array-like of shape (n_target,) or tuple of such, default=None
            Labels of target rows, as far as they are known. Other rows have None, NaN, NA, or -1
            where -1 is no label in `y`. For a tuple of targets, a tuple with an element for each.

        source_domain : array-like of shape (n_source,), default=None
            Where each source row is from, such as a hospital or a year: the domain classifier
            tells the sources apart too, and each is scaled by itself where the target is. None
            means one source.

        groups : array-like of shape (n_source,), default=None
            Groups of source rows, such as patients. Rows of one group are held out together, for
            a choice and for `early_stopping`.

        Returns
        -------
        self : DANNClassifier
            The fitted classifier.

        Raises
        ------
        ValueError
            For unusable input, naming the argument and the cure; the estimator is then as it
            was before the call. Also when the loss stops being finite.

        Warns
        -----
        OneClassWarning
            If what was chosen predicts one class for all target rows.
        """
        # 1. Rows and labels to a record; parameters to a value.
        earlier = self._trained if self.warm_start and hasattr(self, "_trained") else None
        classes = None if earlier is None else self.classes_
        data = read_record(
            self, X, y, X_tgt, sample_weight, groups, y_tgt, source_domain, classes=classes
        )
        settings, start = Settings.of(self, data), None
        if earlier is not None:  # weights at hand, and what was chosen with them
            self._check_continues(settings, data, "warm_start")
            settings = continued(settings, earlier.settings, chosen=hasattr(self, "adapted_"))
            start = earlier.net.members_
        determined_by = settings, data, start
        saved = Checkpoints.of_fit(self.checkpoint_dir, self.random_state, *determined_by)
        # 2. Lambda and scaling, if they are to be chosen.
        layers = InputLayers()
        with Progress(bool(self.verbose), type(self).__name__) as progress:
            progress.expect(work_of(settings, len(data.y_source)))
            chosen = safe_choice(settings, data, layers, Workers(self.n_jobs, progress, saved))
            if chosen is not None:
                settings = chosen.settings
            # 3. Class shares, if they are to be estimated, and the network. Nothing is set before.
            progress.begin("training")
            known = with_known_shares([settings], [data], saved)
            (trained,) = fit_together(
                known, [data], starts=[start], layers=layers, progress=progress, saved=saved
            )
        self._set_fitted(trained, data, chosen, keep=earlier is not None)
        saved.finish()
        return self

    @explains_argument_names()
    @checks_parameters(skip_nested=True)
    def partial_fit(
        self,
        X: Rows,
        y: ArrayLike,
        X_tgt: Targets | None = None,
        *,
        classes: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        y_tgt: TargetLabels | None = None,
        total_rows: int | None = None,
    ) -> Self:
        """Train on, with one pass over a chunk of source rows.

        The weights and the state of the optimizer go on from the call before. Lambda and the
        learning rate follow their schedules by the source rows seen, as a share of all that
        `total_rows` promises. `early_stopping` and `warm_start` don't apply. Parameters that
        were changed since the last call take effect, except those that would need new weights,
        another scaling or another optimizer: these are refused.

        The user guide streams two Parquet files through it.

        Parameters
        ----------
        X : {array-like, sparse matrix, DataFrame} of shape (n_source, n_features)
            The source rows of this chunk.

        y : array-like of shape (n_source,)
            Their labels.

        X_tgt : array-like of shape (n_target, n_features) or tuple of such, default=None
            Target rows, of any type that `X` may have. Every chunk may bring some of its own.

        classes : array-like of shape (n_classes,), default=None
            All labels that may ever come. Needed in the first call unless the first chunk has
            them all; later calls may repeat it.

        sample_weight : array-like of shape (n_source,), default=None
            Weights >= 0 of the source rows, in the label loss and in the domain loss.

        y_tgt : array-like of shape (n_target,) or tuple of such, default=None
            Labels of this chunk's target rows, as far as they are known; as in `fit`.

        total_rows : int >= 1, default=None
            Source rows that all calls together will bring; rows that come in several passes
            count several times. It is taken from the first call. None means `max_epochs`
            ("auto": 30) chunks of the size of the first.

        Returns
        -------
        self : DANNClassifier
            The classifier, trained for one more pass.

        Raises
        ------
        ValueError
            As in `fit`, and for a changed parameter that training can't go on with.
        """
        _check_total_rows(total_rows)
        earlier = getattr(self, "_trained", None)
        if earlier is not None:
            validate_data(self, X, reset=False, skip_check_array=True)
            check_same_classes(classes, self.classes_)
            classes = self.classes_
        data = read_record(self, X, y, X_tgt, sample_weight, None, y_tgt, classes=classes)
        settings = Settings.of(self, data)
        check_streams(settings)
        if earlier is not None:
            self._check_continues(settings, data, "partial_fit")
            settings = streamed(settings, earlier.settings)
        with Progress(bool(self.verbose), type(self).__name__) as progress:
            trained = train_on(
                earlier,
                settings,
                data,
                epochs_before=0 if earlier is None else self.n_iter_,
                total_rows=total_rows,
                progress=progress,
            )
        return self._set_fitted(
            trained, data, keep=earlier is not None, scaled_anew=earlier is None
        )

    def _check_continues(self, settings, data, by):
        """Check that the networks at hand fit the new rows and settings."""
        check_continues(settings, self._trained.settings, by)
        anew = "Call clone(estimator).fit to start anew."
        if data.row_shape != self._row_shape:
            raise ValueError(
                f"X has {data.row_shape[0]} features, but {type(self).__name__} is expecting "
                f"{self._row_shape[0]} features as input: {by} goes on with the network at hand."
            )
        if not np.array_equal(data.classes, self.classes_):
            raise ValueError(
                f"y has the classes {listed(data.classes.tolist())}, but {by} goes on with a "
                f"network for {listed(self.classes_.tolist())}. {anew}"
            )
        if data.n_domains > max(2, self.n_domains_):
            raise ValueError(
                f"X_tgt has {data.n_domains - 1} target domains, but {by} goes on with a network "
                f"for {max(2, self.n_domains_) - 1}. {anew}"
            )

    def _set_fitted(self, trained, data, chosen=None, *, keep=False, scaled_anew=True):
        """Set the fitted attributes, all at once: nothing has changed until here.

        Parameters
        ----------
        trained : Trained
        data : TrainingData
        chosen : Chosen, default=None
            What was chosen, and why.
        keep : bool, default=False
            Whether networks went on that an earlier fit had trained: then its choice stands.
        scaled_anew : bool, default=True
            Whether the input scaling was computed from these data, and with it the recognition.
        """
        net, settings = trained.net, trained.settings[0]
        _check_outputs(net, data)
        domains_before = self.n_domains_ if keep else 1
        fitted = {
            "_trained": trained,
            "_recognition": _recognition_for(net, data) if scaled_anew else self._recognition,
            "_row_shape": data.row_shape,
            "_n_rows": _rows_seen(data, () if scaled_anew else self._n_rows),
            "_n_features_out": net.outputs(data.X_source[:1], "embedding").shape[1],
            "batch_size_": settings.batch_size,
            "classes_": data.classes,
            "history_": _finished_rows(net),
            "input_scaling_": settings.input_scaling,
            "lambda_max_": settings.lambda_max,
            "n_domains_": max(domains_before, 1 if data.X_target is None else data.n_domains),
            "n_features_in_": data.row_shape[0],
            "target_shares_": mean_shares(trained),
        }
        fitted["n_iter_"] = len(fitted["history_"])
        if data.feature_names is not None:
            fitted["feature_names_in_"] = data.feature_names
        if chosen is not None:
            fitted |= {"adapted_": chosen.adapted, "verdict_": chosen.verdict}
            if chosen.cv_results is not None:
                fitted["cv_results_"] = chosen.cv_results
            fitted["target_accuracy_"] = chosen.target_accuracy
        stale = {"feature_names_in_"}
        if not keep:
            stale |= {"adapted_", "verdict_", "cv_results_", "target_accuracy_"}
        for name in stale - fitted.keys():
            self.__dict__.pop(name, None)
        self.__dict__.update(fitted)
        return self

    def _to_plain(self, state):
        """Return the state as plain data; the history is that of the net."""
        if "_trained" in state:
            state["_trained"] = state["_trained"].plain()
            state["_recognition"] = plain_record(state["_recognition"])
            if state["history_"] == _finished_rows(self.net_):
                del state["history_"]
        return state

    def _from_plain(self, state):
        """Return the state of plain data."""
        if "_trained" in state:
            trained = state["_trained"] = Trained.of_plain(state["_trained"])
            state["_recognition"] = record_of(state["_recognition"])
            state.setdefault("history_", _finished_rows(trained.net))
        return state

    # -- the fitted classifier ---------------------------------------------------------------

    @property
    def net_(self) -> Any:
        """The skorch net that was trained."""
        check_is_fitted(self)
        return self._trained.net

    @property
    def module_(self) -> Any:
        """The trained torch module inside `net_`; a ModuleList for several members."""
        return self.net_.module_

    @property
    def domain_recognition_(self) -> dict[str, float] | None:
        """The shares of "source" and "target" rows that are recognised as source rows; or None."""
        check_is_fitted(self)
        return None if self._recognition is None else dict(self._recognition.rates)

    def __sklearn_is_fitted__(self) -> bool:
        """Tell whether there is a trained net."""
        return hasattr(self, "_trained")

    def _learning_back(self, n_target, y):
        """Return a classifier that goes on from these weights to learn back from the target.

        Parameters
        ----------
        n_target : int
            Target rows, with predicted labels, that it is to be fitted to.
        y : array-like of shape (n_source,)
            Labels of the source, its target.
        """
        check_is_fitted(self)
        shares = [np.mean(np.asarray(y) == label) for label in self.classes_]
        used = self._trained.settings[0]
        back = replace(used, max_epochs=self.max_epochs).reversed(n_target, used.batch_size, shares)
        other = copy.copy(self)  # a fit replaces what was fitted, and changes none of it
        return other.set_params(
            max_epochs=back.max_epochs,
            early_stopping=back.early_stopping,
            callbacks=None,
            label_shift=back.label_shift,
            warm_start=True,
            random_state=copy.deepcopy(self.random_state),
        )

    def _outputs(self, X, domain, of, *finish):
        check_is_fitted(self)
        rows = read_rows_like_fitted(X, self, self._row_shape)
        codes = domain_codes(domain, rows.shape[0], max(2, self.n_domains_))
        if domain is None and self._recognition is not None:
            found = self._recognition.codes(rows)
            codes = None if found is None else torch.from_numpy(found)
        outputs = self.net_.outputs(rows, of, *finish, domain=codes)
        # A code of -1 stands for logits that are not finite.
        if not (np.isfinite(outputs).all() if outputs.dtype.kind == "f" else (outputs >= 0).all()):
            raise ValueError(
                "X has values so large that the network's outputs are not finite. Scale columns, "
                "for example by input_scaling='source', and fit anew."
            )
        return outputs

    def __sklearn_tags__(self) -> Any:
        """Declare rows of more than two dimensions where a custom part can take them."""
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = self.feature_extractor is not None
        return tags


def read_record(
    classifier,
    X,
    y,
    X_tgt,
    sample_weight,
    groups=None,
    y_tgt=None,
    source_domain=None,
    *,
    classes=None,
    of=None,
):
    """Return the record of a classifier's input, with the warnings that it deserves.

    Parameters
    ----------
    classifier : DANNClassifier
        Whose parameters say how to read.
    X, y, X_tgt, sample_weight, groups, y_tgt, source_domain : as in `DANNClassifier.fit`
    classes : array-like, default=None
        All labels, where `y` may hold only some of them.
    of : estimator, default=None
        Who was called, for messages; None is the classifier.
    """
    data = read_training_data(
        X,
        y,
        X_tgt,
        sample_weight,
        class_weight=classifier.class_weight,
        estimator=classifier if of is None else of,
        classes=classes,
        groups=groups,
        y_tgt=y_tgt,
        source_domain=source_domain,
        allow_nd=classifier.feature_extractor is not None,
    )
    given = isinstance(classifier.lambda_max, numbers.Real)
    if X_tgt is None and not (given and classifier.lambda_max == 0):
        cure = (
            "Pass target rows, through a Pipeline by skdann.pipeline.make_dann_pipeline, or set "
            "lambda_max=0 to ask for the source-only network."
        )
        if of is not None:
            cure = "There is nothing to choose either: pass target rows."
        warn_caller(
            "fit got no X_tgt: the network is trained on the source alone and adapts to nothing. "
            + cure,
            SourceOnlyWarning,
        )
    if classifier.input_scaling not in ("domain", "balanced"):
        warn_about_target_scale(data)
    return data


def _check_outputs(net, data):
    """Check that the network's outputs for rows of the training are finite, or raise."""
    for rows, domain in ((data.X_source, 0), (data.X_target, None)):
        if rows is None:
            continue
        # A few: for convolutions in a short fit, or a chunk, a forward pass counts.
        logits = net.outputs(rows[:256], "label_logits", domain=domain)
        if not np.isfinite(logits).all():
            raise ValueError(f"The network's outputs became NaN or infinite. {CAUSES}")


def _recognition_for(net, data):
    """Return what recognises source rows, if the networks scale them differently, or None."""
    scalings = [network.input_scaling for network in net.members_]
    apart = any(scaling is not None and scaling.tells_domains_apart for scaling in scalings)
    # It knows one source. Rows of several count as target rows, unless the caller says otherwise.
    return fit_recognition(data) if apart and data.source_domain is None else None


def _rows_seen(data, before):
    """Return the numbers of rows of the source and of each target, with those of chunks before."""
    n_rows = [len(data.y_source)]
    if data.X_target is not None:
        n_rows += np.bincount(data.target_domain)[1:].tolist()
    return [sum(both) for both in zip_longest(n_rows, before, fillvalue=0)]


def _check_total_rows(total_rows):
    if total_rows is None:
        return
    if not isinstance(total_rows, numbers.Integral) or total_rows < 1:
        raise ValueError(
            f"total_rows must be an integer >= 1 or None, got {total_rows!r}: it is the number "
            "of source rows that all calls of partial_fit together will bring."
        )


def _finished_rows(net):
    """Return the records of a net's epochs without skorch's list of batches."""
    finished = (row for row in net.history if "label_loss" in row)
    return [{key: value for key, value in row.items() if key != "batches"} for row in finished]
