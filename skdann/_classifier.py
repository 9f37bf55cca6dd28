"""`DANNClassifier`: parameters, documentation, and `fit` as the walk through the rooms."""

import copy
import math
import numbers
import warnings

import numpy as np
import torch
from sklearn.base import BaseEstimator, _fit_context
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted, validate_data

from skdann._choosing.choice import safe_choice
from skdann._choosing.cross_fit import reversed_classifier
from skdann._data.inputs import (
    domain_codes,
    read_rows_like_fitted,
    read_training_data,
    warn_about_target_scale,
)
from skdann._data.recognition import fit_recognition
from skdann._data.rows import RowTables
from skdann._network.conditioning import CONDITIONINGS
from skdann._network.layers import ACTIVATIONS
from skdann._network.scaling import SCALINGS
from skdann._prediction_mixin import DomainAdversarialMixin
from skdann._torch.devices import resolve_device
from skdann._torch.randomness import entropy_of, random_streams
from skdann._training.fit_together import (
    Fit,
    fit_together,
    mean_shares,
    member_batches,
    new_net,
    new_networks,
)
from skdann._training.net import EpochData
from skdann._training.settings import (
    CHOSEN,
    batch_size_for,
    is_auto,
    n_passes,
    plain,
    with_settings,
)
from skdann._training.share_estimates import estimates_shares
from skdann.exceptions import SourceOnlyWarning


class DANNClassifier(DomainAdversarialMixin, BaseEstimator):
    """Classifier that adapts from a labelled source domain to an unlabelled target domain.

    A domain-adversarial neural network [1]_ [2]_ has three parts. A feature extractor is
    shared by both domains. A label predictor learns from source rows. A domain classifier
    learns to tell source from target rows, behind a gradient reversal layer that hands its
    gradient back to the feature extractor times minus lambda: the features learn to predict
    the label and *not* to give the domain away. One gradient step trains all three.

    By default it adapts only where that is safe. Nine candidates, three strengths of adaptation
    for each of three scalings, are trained without a third of the source rows and asked what can
    be known without target labels; the network without adaptation stays unless another does
    better by all signals, as in `DANNClassifierCV`. `verdict_` says what was chosen and why.

    Read more in the user guide, ``docs/user_guide.md``.

    Parameters
    ----------
    hidden_layer_sizes : int or tuple of int, default=(100,)
        Units of the feature extractor's layers, each followed by `activation` and `dropout`;
        the last one's output is the embedding. At least one layer.

    activation : {"identity", "logistic", "tanh", "relu", "gelu"}, default="relu"
        Activation of all hidden layers.

    dropout : float in [0, 1), default=0.5
        Share of hidden units that are set to 0 in each training step, in all three parts.

    label_hidden_layer_sizes : int or tuple of int, default=()
        Hidden layers of the label predictor; none makes it linear.

    domain_hidden_layer_sizes : int or tuple of int, default=(100,)
        Hidden layers of the domain classifier; none makes it linear.

    feature_extractor : torch.nn.Module, type or callable, default=None
        Your own feature extractor. A module is copied and keeps its weights as a start. A
        class or other callable is called with the width of `X` (for `X` of more than two
        dimensions with the shape of one row, such as ``(3, 28, 28)``) and returns a module;
        if it takes no argument, it is called with none. The module must map rows to
        embeddings of shape (n_rows, n_embedding). The three sizes and the activation above
        do not concern it.

    label_predictor : torch.nn.Module, type or callable, default=None
        Your own label predictor, called with ``(n_embedding, n_classes)``; it must return
        logits, without a softmax.

    domain_classifier : torch.nn.Module, type or callable, default=None
        Your own domain classifier, called with ``(n_embedding, n_domains)``, where n_domains
        is 1 for the source plus the number of target domains; it must return logits. The
        gradient reversal stands in front of it in any case.

    input_scaling : {"auto", "none", "source", "both", "domain"}, default="auto"
        How columns are scaled, as the first thing in the network and without a copy of the data:
        to mean 0 and deviation 1 by the statistics of the source rows, of both domains (each
        with half the weight), or of each domain by its own, and cut at +-8. A column that is
        constant in the rows that its statistics come from becomes 0; sparse columns are not
        shifted. With "domain", `fit` also learns to recognise source rows, so that `predict` and
        the others scale them as such; rows that it is not sure of count as target rows, unless
        their `domain` says otherwise. `partial_fit` takes the statistics of its first
        chunk. "auto" is "none" for sparse `X`, for a `feature_extractor` of your own, and where
        the largest deviation of a source column is in [0.1, 3] and no mean beyond 3; else
        "source". Where lambda is chosen, the scaling is chosen with it: from that one, "both" (for
        sparse `X` "source") and "domain".

    lambda_max : float >= 0 or "auto", default="auto"
        Strength of adaptation at the end of `lambda_schedule`. With 0 the classifier is the
        source-only network, and the domain classifier only watches; 1.0 is plain DANN, the
        paper's. "auto" chooses from 0, 0.1 and 1 without target labels, for about eight times the
        cost of a fit. What cannot be chosen is 1.0: in `partial_fit`, and in `fit` without
        `X_tgt`, where it has no effect.

    lambda_schedule : {"ramp", "constant"} or callable, default="ramp"
        What multiplies `lambda_max` at progress p, the share of training that is done, in
        [0, 1]. "ramp" is the paper's ``2 / (1 + exp(-gamma * p)) - 1``. A callable gets p and
        returns a number >= 0.

    gamma : float > 0, default=10.0
        Steepness of the ramp.

    conditioning : {"none", "multilinear"}, default="none"
        What the domain classifier sees: the embedding, or the products of each feature with each
        predicted class probability [3]_, so that what is aligned is classes and not their mixture.
        Above 4,096 products, 1,024 random ones stand for all.

    entropy_weighting : bool, default=False
        Whether rows count in the domain loss by ``1 + exp(-entropy)`` of their predicted label
        [3]_.

    domain_label_smoothing : float in [0, 1), default=0.0
        Share of the domain labels that is spread over all domains [4]_.

    target_entropy : float >= 0, default=0.0
        Weight, at the end of `lambda_schedule`, of information maximisation on the target [5]_:
        predictions for target rows are to be certain, and not all the same. It takes for granted
        that classes are about as frequent in both domains.

    label_shift : {"ignore", "estimate"}, dict or array-like of shape (n_classes,), default="ignore"
        What is done about class shares that differ between the domains. Source rows of class y
        weigh ``p_T(y) / p_S(y)`` in the label loss and in the domain loss [6]_, so the
        probabilities are those for the target's shares. p_T is given, by label or in the order of
        `classes_`, or estimated from the confusion of source rows and the predicted shares of the
        target: regularised, by two networks without adaptation, each trained on one half of the
        source, before the fit. Estimates that follow the training, as in [6]_, can run away.

    optimizer : {"adam", "sgd"}, torch optimizer class or partial of one, default="adam"
        "sgd" has the paper's momentum of 0.9. What a `functools.partial` fixes stays fixed.

    lr : float > 0, default=0.001
        Learning rate at the start.

    lr_schedule : {"constant", "annealed"} or callable, default="constant"
        What multiplies `lr` at progress p. "annealed" is the paper's
        ``1 / (1 + 10 p) ** 0.75``.

    weight_decay : float >= 0, default=0.0001
        As the optimizer understands it; for "adam" and "sgd" half the L2 penalty's factor.

    batch_size : int >= 1 or "auto", default="auto"
        Source rows per gradient step; as many target rows join them (the paper's batch of 128
        is 64 here). Fewer where the source has fewer rows. "auto" takes the largest power of
        two from 64 to 1024 that leaves at least 1,500 steps: with `max_epochs` "auto", 64 up to
        6,400 source rows.

    max_epochs : int >= 1 or "auto", default="auto"
        Passes over the source rows. "auto" means 30, or more on small data until there
        are 1,000 gradient steps.

    n_members : int >= 1, default=1
        Networks in an ensemble, each with its own initial weights, order of rows and dropout;
        their probabilities are averaged and their embeddings stand side by side. The first is
        the network of ``n_members=1``. They are trained together: 16 small networks take about
        eight times as long as one.

    class_weight : dict, "balanced" or None, default=None
        Weights of the classes in the label loss, as elsewhere in scikit-learn.

    early_stopping : bool, default=False
        Hold out `validation_fraction` of the source rows of each class and of the target
        rows, stop when ``label loss - lambda_max * domain loss`` on them has not improved for
        `n_iter_no_change` epochs, and restore the weights of the best epoch. Steps in front
        of the classifier in a Pipeline have seen the rows held out.

    validation_fraction : float in (0, 1), default=0.1
        Used with `early_stopping`.

    n_iter_no_change : int >= 1, default=10
        Used with `early_stopping`.

    warm_start : bool, default=False
        Start `fit` from the weights of the previous `fit`, which must have had the same sizes
        and all the classes of the new labels. Optimizer, schedules and input scaling start anew.

    callbacks : list of skorch callbacks, default=None
        They are copied, and called with the skorch net. What they may monitor is what
        `history_` has.

    device : str or torch.device, default="cpu"
        Where to train and predict. "auto" takes CUDA, then MPS, then the CPU. For networks
        and batches of the default size a CPU is often faster.

    random_state : int, RandomState instance or None, default=None
        Initial weights, order of rows, dropout and validation rows. Equal ints give equal
        models on one machine. None takes fresh entropy; numpy's and torch's global random
        state are neither used nor changed.

    verbose : int, default=0
        1 shows a progress bar with running losses and domain accuracy.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The sorted labels.

    n_features_in_ : int
        Width of `X`.

    feature_names_in_ : ndarray of shape (n_features_in_,)
        Column names, where `X` had names that are all strings.

    batch_size_ : int
        Source rows per gradient step that `batch_size` came to.

    n_domains_ : int
        1 if no target was given, else 1 plus the number of target domains.

    n_iter_ : int
        Epochs trained.

    lambda_max_, input_scaling_ : float, str
        What was given, or chosen.

    domain_recognition_ : dict or None
        With ``input_scaling="domain"``: the share of new "source" rows that are recognised as such
        where no `domain` is given, and of new "target" rows that are mistaken for source rows. Both
        are 0 where less than half of the source rows would be recognised: then none is.

    adapted_ : bool
        Whether something was chosen over the network without adaptation; only if `lambda_max` is
        "auto", and after a `fit` with `X_tgt`.

    verdict_ : str
        What was chosen and why, in a sentence; set where `adapted_` is.

    history_ : list of dict
        One dict per epoch: ``epoch, label_loss, lambda, lr, seconds``; with target rows
        ``domain_loss, domain_accuracy``, where 0.5 means that source and target can't be
        told apart; with `early_stopping` the figures of the rows held out as ``valid_*``.
        Losses are means over the rows of all batches, in nats. With several members the
        figures are means over them, and ``members`` has a dict for each.

    target_shares_ : ndarray of shape (n_classes,) or None
        Shares of the classes in the target by which source rows were weighed at the end,
        estimated or given; None if they are to be ignored, or there is no target to estimate them.

    net_ : skorch.NeuralNet
        The skorch net that was trained.

    module_ : torch.nn.Module
        Its module, with ``feature_extractor``, ``label_predictor`` and
        ``domain_classifier``; with several members a `torch.nn.ModuleList` of such.

    See Also
    --------
    DANNClassifierCV : Chooses from a pool of your own, on all folds, and tells all scores.
    adaptation_report : What an adaptation was up against, and what it did.
    sklearn.neural_network.MLPClassifier : The same kind of network for one domain.

    Notes
    -----
    Inside cross-validation pass the target as a tuple, ``X_tgt=(X_tgt,)``. scikit-learn cuts
    an array that happens to have as many rows as `X` by the fold's *source* rows, and
    nothing can notice; a tuple is passed on whole. In a Pipeline say
    ``transform_input=["X_tgt"]``, or the steps in front see the source only.

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

    Examples
    --------
    The target rows are tilted digits, and have no labels:

    >>> from skdann import DANNClassifier
    >>> from skdann.datasets import make_rotated_moons, make_tilted_digits
    >>> X_src, y_src, X_tgt, y_tgt = make_tilted_digits(n_source=300, random_state=0)
    >>> clf = DANNClassifier(random_state=0).fit(X_src, y_src, X_tgt)
    >>> clf.adapted_
    True
    >>> baseline = DANNClassifier(lambda_max=0, random_state=0).fit(X_src, y_src, X_tgt)
    >>> clf.score(X_tgt, y_tgt) > baseline.score(X_tgt, y_tgt)
    True

    Plain DANN, on the paper's moons that are turned by 35 degrees:

    >>> X_src, y_src, X_tgt, y_tgt = make_rotated_moons(random_state=0)
    >>> dann = DANNClassifier(lambda_max=1.0, random_state=0).fit(X_src, y_src, X_tgt)
    >>> baseline.fit(X_src, y_src, X_tgt).score(X_tgt, y_tgt) < dann.score(X_tgt, y_tgt)
    True

    In a Pipeline the target passes the same scaler:

    >>> import sklearn
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> with sklearn.config_context(enable_metadata_routing=True):
    ...     pipe = make_pipeline(
    ...         StandardScaler(), DANNClassifier(random_state=0), transform_input=["X_tgt"]
    ...     ).fit(X_src, y_src, X_tgt=(X_tgt,))
    >>> pipe.predict(X_tgt).shape
    (300,)

    The record of training is a table:

    >>> sorted(clf.history_[-1])  # doctest: +NORMALIZE_WHITESPACE
    ['domain_accuracy', 'domain_loss', 'epoch', 'label_loss', 'lambda', 'lr', 'seconds']
    """

    _recognition = None  # of source rows, where a network scales them apart

    __metadata_request__fit = {"X_tgt": True}
    __metadata_request__partial_fit = {"X_tgt": True}

    _parameter_constraints = {
        "hidden_layer_sizes": [Interval(numbers.Integral, 1, None, closed="left"), tuple, list],
        "activation": [StrOptions(set(ACTIVATIONS))],
        "dropout": [Interval(numbers.Real, 0, 1, closed="left")],
        "label_hidden_layer_sizes": [
            Interval(numbers.Integral, 1, None, closed="left"),
            tuple,
            list,
        ],
        "domain_hidden_layer_sizes": [
            Interval(numbers.Integral, 1, None, closed="left"),
            tuple,
            list,
        ],
        "feature_extractor": [torch.nn.Module, callable, None],
        "label_predictor": [torch.nn.Module, callable, None],
        "domain_classifier": [torch.nn.Module, callable, None],
        "input_scaling": [StrOptions({*SCALINGS, "auto"})],
        "lambda_max": [Interval(numbers.Real, 0, None, closed="left"), StrOptions({"auto"})],
        "conditioning": [StrOptions(set(CONDITIONINGS))],
        "entropy_weighting": ["boolean"],
        "domain_label_smoothing": [Interval(numbers.Real, 0, 1, closed="left")],
        "target_entropy": [Interval(numbers.Real, 0, None, closed="left")],
        "label_shift": [StrOptions({"ignore", "estimate"}), dict, "array-like"],
        "lambda_schedule": [StrOptions({"ramp", "constant"}), callable],
        "gamma": [Interval(numbers.Real, 0, None, closed="neither")],
        "optimizer": [StrOptions({"adam", "sgd"}), callable],
        "lr": [Interval(numbers.Real, 0, None, closed="neither")],
        "lr_schedule": [StrOptions({"constant", "annealed"}), callable],
        "weight_decay": [Interval(numbers.Real, 0, None, closed="left")],
        "batch_size": [Interval(numbers.Integral, 1, None, closed="left"), StrOptions({"auto"})],
        "n_members": [Interval(numbers.Integral, 1, None, closed="left")],
        "max_epochs": [Interval(numbers.Integral, 1, None, closed="left"), StrOptions({"auto"})],
        "class_weight": [dict, StrOptions({"balanced"}), None],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(numbers.Real, 0, 1, closed="neither")],
        "n_iter_no_change": [Interval(numbers.Integral, 1, None, closed="left")],
        "warm_start": ["boolean"],
        "callbacks": [list, tuple, None],
        "device": [str, torch.device],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        hidden_layer_sizes=(100,),
        activation="relu",
        *,
        dropout=0.5,
        label_hidden_layer_sizes=(),
        domain_hidden_layer_sizes=(100,),
        feature_extractor=None,
        label_predictor=None,
        domain_classifier=None,
        input_scaling="auto",
        lambda_max="auto",
        lambda_schedule="ramp",
        gamma=10.0,
        conditioning="none",
        entropy_weighting=False,
        domain_label_smoothing=0.0,
        target_entropy=0.0,
        label_shift="ignore",
        optimizer="adam",
        lr=0.001,
        lr_schedule="constant",
        weight_decay=0.0001,
        batch_size="auto",
        max_epochs="auto",
        n_members=1,
        class_weight=None,
        early_stopping=False,
        validation_fraction=0.1,
        n_iter_no_change=10,
        warm_start=False,
        callbacks=None,
        device="cpu",
        random_state=None,
        verbose=0,
    ):
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.dropout = dropout
        self.label_hidden_layer_sizes = label_hidden_layer_sizes
        self.domain_hidden_layer_sizes = domain_hidden_layer_sizes
        self.feature_extractor = feature_extractor
        self.label_predictor = label_predictor
        self.domain_classifier = domain_classifier
        self.input_scaling = input_scaling
        self.lambda_max = lambda_max
        self.lambda_schedule = lambda_schedule
        self.gamma = gamma
        self.conditioning = conditioning
        self.entropy_weighting = entropy_weighting
        self.domain_label_smoothing = domain_label_smoothing
        self.target_entropy = target_entropy
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
        self.verbose = verbose

    # -- fitting -----------------------------------------------------------------------------

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y, X_tgt=None, *, sample_weight=None):
        """Fit to labelled source rows and unlabelled target rows.

        Parameters
        ----------
        X : {array-like, sparse matrix, DataFrame} of shape (n_source, n_features)
            Source rows; of shape (n_source, ...) with a custom `feature_extractor`. float32
            is used as it is, anything else is converted.

        y : array-like of shape (n_source,)
            Labels of the source rows, of any type that can be sorted.

        X_tgt : as `X` with n_target rows, or a tuple of such, default=None
            Target rows, with the columns of `X`; a tuple has one element per target domain.
            None trains on the source alone, with a `SourceOnlyWarning`.

        sample_weight : array-like of shape (n_source,), default=None
            Weights >= 0 of the source rows, in the label loss and in the domain loss.

        Returns
        -------
        self : DANNClassifier

        Raises
        ------
        ValueError
            For unusable input, naming the argument and the cure; the estimator is then as it
            was before the call. Also when the loss stops being finite.
        """
        goes_on = self.warm_start and hasattr(self, "net_")
        data = self._read(X, y, X_tgt, sample_weight, self.classes_ if goes_on else None)
        one = with_settings(self, {"random_state": entropy_of(self.random_state)})
        if goes_on:
            self._check_continues(data, "warm_start")
            values, found = self._chosen(), {}
        else:
            values, found = safe_choice(one, data)
        one.set_params(**values)
        fit_together([one], [data])
        one._recognise(data)
        if not goes_on:
            for name in ("adapted_", "verdict_"):  # of an earlier fit
                one.__dict__.pop(name, None)
        # All at once: nothing has changed until here.
        self.__dict__ = {**vars(one), **found, **self.get_params(deep=False)}
        return self

    def _chosen(self):
        """Return what `fit` has taken where the parameters say "auto"."""
        return {name: getattr(self, f"{name}_") for name in CHOSEN if is_auto(getattr(self, name))}

    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X, y, X_tgt=None, *, classes=None, sample_weight=None, total_rows=None):
        """Train on, with one pass over a chunk of source rows.

        The weights and the state of the optimizer go on from the call before. Lambda and the
        learning rate follow their schedules by the gradient steps done, as a share of all
        that `total_rows` promises. `early_stopping` and `warm_start` don't apply.

        The user guide streams two Parquet files through it.

        Parameters
        ----------
        X, y, X_tgt, sample_weight : as in `fit`
            A chunk. Every chunk may bring target rows of its own.

        classes : array-like of shape (n_classes,), default=None
            All labels that may ever come. Needed in the first call unless the first chunk has
            them all.

        total_rows : int >= 1, default=None
            Source rows that all calls together will bring; rows that come in several passes
            count several times. It is taken from the first call. None stands for `max_epochs`
            ("auto": 30) chunks of the size of the first.

        Returns
        -------
        self : DANNClassifier
        """
        _check_total_rows(total_rows)
        if estimates_shares(self):
            raise ValueError(
                "label_shift='estimate' needs all rows at once, which partial_fit never sees. Give "
                "the target's class shares, such as label_shift={'no': 0.8, 'yes': 0.2}, or say "
                "'ignore'."
            )
        first = not hasattr(self, "net_")
        if not first:
            validate_data(self, X, reset=False, skip_check_array=True)
        data = self._read(X, y, X_tgt, sample_weight, classes if first else self.classes_)
        if not first:
            self._check_continues(data, "partial_fit")
        device = resolve_device(self.device)
        done = 0 if first else self.n_iter_
        members = self.n_members
        streams = random_streams(self.random_state, device, epochs_before=done, n_members=members)
        if first:
            total_rows = total_rows or n_passes(self) * len(data.y_source)
            batch_size = batch_size_for(self, total_rows)
        else:
            batch_size = self.batch_size_ if self.batch_size == "auto" else self.batch_size
        batches = member_batches([data] * members, batch_size, streams, RowTables(device))
        valid = [None] * members
        settings = plain(self, data) if first else with_settings(self, self._chosen())
        if first:
            networks = new_networks(settings, [data] * members, streams)
            total_steps = math.ceil(total_rows / min(batch_size, len(data.y_source)))
            fit = Fit(settings, streams, networks, batches, valid, batch_size, 1, total_steps)
            net = new_net([fit], device)
        else:
            net = copy.deepcopy(self.net_)
        net.train(EpochData(batches, valid), streams, epochs=1)
        before = 1 if first else self.n_domains_
        self._keep(net, data, settings, batch_size, domains_before=before)
        if first:  # like the statistics of the scaling
            self._recognise(data)
        return self

    def _read(self, X, y, X_tgt, sample_weight, classes=None):
        """Return the record of the input, with the warnings that it deserves."""
        data = read_training_data(
            X,
            y,
            X_tgt,
            sample_weight,
            class_weight=self.class_weight,
            estimator=self,
            classes=classes,
            allow_nd=self.feature_extractor is not None,
        )
        if X_tgt is None and (is_auto(self.lambda_max) or self.lambda_max > 0):
            warnings.warn(
                "fit got no X_tgt: the network is trained on the source alone and adapts to "
                "nothing. Pass target rows, or set lambda_max=0 to ask for the source-only "
                "network.",
                SourceOnlyWarning,
                stacklevel=4,
            )
        if self.input_scaling != "domain":
            warn_about_target_scale(data)
        return data

    def _check_continues(self, data, by):
        """Check that the network at hand fits the new rows."""
        if data.row_shape != self._row_shape:
            raise ValueError(
                f"X has {data.row_shape[0]} features, but {type(self).__name__} is expecting "
                f"{self._row_shape[0]} features as input: {by} goes on with the network at hand."
            )
        if not np.array_equal(data.classes, self.classes_):
            raise ValueError(
                f"y has the classes {data.classes.tolist()}, but {by} goes on with a network for "
                f"{self.classes_.tolist()}. Call clone(estimator).fit to start anew."
            )
        if self.n_members != len(self.net_.members_):
            raise ValueError(
                f"n_members is {self.n_members}, but {by} goes on with the "
                f"{len(self.net_.members_)} networks at hand. Call clone(estimator).fit to start "
                "anew."
            )
        if data.n_domains > max(2, self.n_domains_):
            raise ValueError(
                f"X_tgt has {data.n_domains - 1} target domains, but {by} goes on with a network "
                f"for {max(2, self.n_domains_) - 1}. Call clone(estimator).fit to start anew."
            )

    def _keep(self, net, data, settings, batch_size, domains_before=1):
        """Set the fitted attributes, all at once: nothing has changed until here."""
        for name in CHOSEN:
            setattr(self, f"{name}_", getattr(settings, name))
        self.batch_size_ = batch_size
        self.net_ = net
        self.history_ = [_finished(row) for row in net.history if "label_loss" in row]
        self.n_iter_ = len(self.history_)
        self.target_shares_ = mean_shares(net.members_)
        self.n_domains_ = max(domains_before, 1 if data.X_target is None else data.n_domains)
        self._n_features_out = net.outputs(data.X_source[:1], "embedding").shape[1]
        self.classes_ = data.classes
        self._row_shape = data.row_shape
        self.n_features_in_ = data.row_shape[0]
        if data.feature_names is not None:
            self.feature_names_in_ = data.feature_names
        elif hasattr(self, "feature_names_in_"):
            del self.feature_names_in_
        return self

    def _recognise(self, data):
        """Learn to tell source rows from target rows, if a network scales them differently."""
        scalings = [network.input_scaling for network in self.net_.members_]
        apart = any(scaling is not None and len(scaling.shift) > 1 for scaling in scalings)
        self._recognition = fit_recognition(data) if apart else None

    @property
    def module_(self):
        """The trained torch module inside `net_`; a ModuleList for several members."""
        return self.net_.module_

    @property
    def domain_recognition_(self):
        """The shares of "source" and "target" rows recognised as source rows; or None."""
        check_is_fitted(self)
        return None if self._recognition is None else dict(self._recognition.rates)

    def _learning_back(self, n_target):
        """Return a classifier that goes on from these weights to learn back from the target."""
        check_is_fitted(self)
        return reversed_classifier(self, n_target)

    # -- the fitted classifier ---------------------------------------------------------------

    def _outputs(self, X, domain, of, *finish):
        check_is_fitted(self)
        rows = read_rows_like_fitted(X, self, self._row_shape)
        codes = domain_codes(domain, rows.shape[0], max(2, self.n_domains_))
        if domain is None and self._recognition is not None:
            found = self._recognition.codes(rows)
            codes = None if found is None else torch.from_numpy(found)
        return self.net_.outputs(rows, of, *finish, domain=codes)

    def __sklearn_tags__(self):
        """Declare rows of more than two dimensions where a custom part can take them."""
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = self.feature_extractor is not None
        return tags


def _check_total_rows(total_rows):
    if total_rows is None:
        return
    if not isinstance(total_rows, numbers.Integral) or total_rows < 1:
        raise ValueError(
            f"total_rows must be an integer >= 1 or None, got {total_rows!r}: it is the number "
            "of source rows that all calls of partial_fit together will bring."
        )


def _finished(row):
    """Return an epoch's record without skorch's list of batches."""
    return {key: value for key, value in row.items() if key != "batches"}
