"""Settings: what training needs to know of a classifier's parameters, as one frozen value.

`Settings.of` reads the parameters of an estimator, once; from there on only the value travels.
`resolved` is the one place that says what "auto" means where nothing is chosen.
"""

from __future__ import annotations

import math
import numbers
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np
from scipy import sparse

from skdann._data.denoising import is_counts
from skdann._data.moments import column_moments
from skdann._data.record import TrainingData
from skdann._network.network import Architecture
from skdann._network.scaling import SCALINGS
from skdann._torch.randomness import entropy_of
from skdann._training.callbacks import checked_callbacks
from skdann.schedules import Schedule, lambda_schedule, lr_schedule

# max_epochs="auto": this many passes over the source; on small data as many as make this many
# steps, but no more than the last number.
_AUTO_EPOCHS = 30
_AUTO_STEPS = 1000
_MOST_EPOCHS = 300

# batch_size="auto": the largest power of two in these bounds that leaves this many steps to a fit.
_AUTO_BATCH_SIZES = 64, 1024
_AUTO_BATCH_STEPS = 1500

# Where columns are many, max_epochs="auto" takes fewer passes: a step of Adam changes each weight
# by about the learning rate, and so a unit's input the more, the more columns there are. Beyond
# this many columns the number of passes falls with their square root, down to the fewest.
_MANY_COLUMNS = 1000
_FEWEST_EPOCHS = 10

# By the number of labels alone the target would have this weight: with as many labels as the first
# number a half, and at most the second, as larger ones forget the source. If the domains do not
# differ, each labelled row is to weigh as much as a source row. target_label_weight="auto" is the
# geometric mean of the two: docs/results/few_labels.md says how the three compare.
_LABELS_FOR_A_HALF = 100
_LARGEST_LABEL_WEIGHT = 0.3

# A network that learns back starts from trained weights: this share of a fit's epochs is enough.
_WAY_BACK_EPOCHS = 1 / 3

# Columns are of about unit size if the largest deviation is in this range, and no mean beyond it.
_UNIT_SIZE = 0.1, 3.0
# Units of a layer: above, a size is a mistake.
_MOST_UNITS = 10**9

# Marks of the fields. A network is built of some; others may differ between networks that train
# together, because each network has its own value of them.
_BUILDS = {"builds": True}
_OWN = {"own": True}


@dataclass(frozen=True)
class Settings:
    """The parameters of `DANNClassifier` that training needs; see there for what they mean.

    ``lambda_max``, ``input_scaling``, ``batch_size`` and ``max_epochs`` can be "auto", and the
    first two a tuple of candidates, until they are chosen or `resolved`. On the way back
    ``input_scaling`` can be an `InputScaling`, with numbers at hand. Layer sizes are tuples,
    schedules are functions, ``label_shift`` is None, "estimate" or a tuple with a share for each
    class, and ``seed`` is an int.
    """

    hidden_layer_sizes: tuple[int, ...] = field(metadata=_BUILDS)
    activation: str = field(metadata=_BUILDS)
    dropout: float = field(metadata=_BUILDS)
    feature_extractor: Any = field(metadata=_BUILDS)
    label_predictor: Any = field(metadata=_BUILDS)
    domain_classifier: Any = field(metadata=_BUILDS)
    conditioning: str | None = field(metadata=_BUILDS)
    n_members: int = field(metadata={**_BUILDS, **_OWN})
    input_scaling: Any = field(metadata=_OWN)
    lambda_max: Any = field(metadata=_OWN)
    lambda_schedule: Schedule
    target_information: float = field(metadata=_OWN)
    target_label_weight: Any = field(metadata=_OWN)
    domain_label_smoothing: float
    label_shift: Any = field(metadata=_OWN)
    optimizer: Any
    lr: float = field(metadata=_OWN)
    lr_schedule: Schedule
    weight_decay: float = field(metadata=_OWN)
    batch_size: Any
    max_epochs: Any
    early_stopping: bool
    validation_fraction: float = field(metadata=_OWN)
    n_iter_no_change: int
    callbacks: tuple[Any, ...]
    device: Any
    seed: int = field(metadata=_OWN)
    effort: float  # share of the usual passes, where `max_epochs` is "auto"

    @classmethod
    def of(cls, classifier: Any, data: TrainingData) -> Settings:
        """Return the settings of a `DANNClassifier` for a record; chance is drawn from here.

        Raises
        ------
        ValueError
            For parameters that fit neither each other nor the record, naming them.
        """
        _check_candidates(classifier)
        _check_denoised(classifier.input_scaling, data)
        return cls(
            hidden_layer_sizes=_sizes("hidden_layer_sizes", classifier.hidden_layer_sizes, 1),
            activation=classifier.activation,
            dropout=classifier.dropout,
            feature_extractor=classifier.feature_extractor,
            label_predictor=_sizes_or_part("label_predictor", classifier.label_predictor),
            domain_classifier=_sizes_or_part("domain_classifier", classifier.domain_classifier),
            conditioning=classifier.conditioning,
            n_members=classifier.n_members,
            input_scaling=_value_or_candidates(classifier.input_scaling),
            lambda_max=_lambda_or_candidates(classifier.lambda_max),
            lambda_schedule=lambda_schedule(classifier.lambda_schedule),
            target_information=float(classifier.target_information),
            target_label_weight=classifier.target_label_weight,
            domain_label_smoothing=classifier.domain_label_smoothing,
            label_shift=_given_shares(classifier.label_shift, data.classes),
            optimizer=classifier.optimizer,
            lr=classifier.lr,
            lr_schedule=lr_schedule(classifier.lr_schedule),
            weight_decay=classifier.weight_decay,
            batch_size=classifier.batch_size,
            max_epochs=classifier.max_epochs,
            early_stopping=classifier.early_stopping,
            validation_fraction=classifier.validation_fraction,
            n_iter_no_change=classifier.n_iter_no_change,
            callbacks=checked_callbacks(classifier.callbacks),
            device=classifier.device,
            seed=entropy_of(classifier.random_state),
            effort=_effort(classifier.feature_extractor, data),
        )

    @property
    def leaves_a_choice(self) -> bool:
        """Whether lambda is to be chosen, and with it the input scaling where that is open."""
        return not isinstance(self.lambda_max, float)

    @property
    def learns_from_target(self) -> bool:
        """Whether target rows change the label predictor, by more than their input scaling."""
        return self.lambda_max > 0 or self.target_information > 0

    def without_adaptation(self) -> Settings:
        """Return the settings of the network that learns nothing from the target."""
        return replace(self, lambda_max=0.0, target_information=0.0)

    def unobserved(self) -> Settings:
        """Return the settings of a fit that only serves a choice or an estimate."""
        return replace(self, callbacks=())

    def single(self) -> Settings:
        """Return the settings of one network instead of an ensemble."""
        return replace(self, n_members=1)

    def reversed(self, n_rows: int, batch_size: int, shares: Sequence[float]) -> Settings:
        """Return the settings of a network that learns back, from the target to the source.

        It goes on from trained weights, which does better than a new start and is done in a third
        of the epochs (Ganin et al., 2016, section 5.1.2).

        Parameters
        ----------
        n_rows : int
            Target rows that it learns from.
        batch_size : int
            Source rows per gradient step on the way there.
        shares : sequence of float
            Class shares of the source, the target of the way back.
        """
        epochs = _epochs(self.max_epochs, _steps_of_a_pass(n_rows, batch_size), self.effort)
        # Rows are weighed on the way back only if they are on the way there.
        return replace(
            self,
            max_epochs=math.ceil(_WAY_BACK_EPOCHS * epochs),
            early_stopping=False,
            callbacks=(),
            label_shift=None if self.label_shift is None else tuple(shares),
        )

    def architecture(self) -> Architecture:
        """Return what the network's parts are to be."""
        return Architecture(**{one.name: getattr(self, one.name) for one in fields(Architecture)})

    def can_train_with(self, other: Settings) -> bool:
        """Tell whether networks of both settings can take their steps together."""
        shared = [one.name for one in fields(Settings) if "own" not in one.metadata]
        return all(getattr(self, name) == getattr(other, name) for name in shared)

    def differs_in_network(self, other: Settings) -> list[str]:
        """Return the parameters in which the networks of both settings are built differently."""
        built = [one.name for one in fields(Settings) if "builds" in one.metadata]
        return [name for name in built if not _alike(getattr(self, name), getattr(other, name))]


def resolved(
    settings: Settings,
    data: TrainingData,
    *,
    n_rows: int | None = None,
    total_rows: int | None = None,
) -> Settings:
    """Return the settings with a value in place of every "auto".

    Parameters
    ----------
    settings : Settings
    data : TrainingData
    n_rows : int, default=None
        Source rows that are trained on, if not all of the record's.
    total_rows : int, default=None
        Source rows of all passes, where that is not `max_epochs` times `n_rows`.
    """
    n_rows = len(data.y_source) if n_rows is None else n_rows
    lambda_max, input_scaling = settings.lambda_max, settings.input_scaling
    if settings.leaves_a_choice:  # nobody has chosen: plain DANN, or the strongest candidate
        lambda_max = 1.0 if is_auto(lambda_max) else max(lambda_max)
    if is_auto(input_scaling):
        input_scaling = usual_scalings(data, settings.feature_extractor)[0]
    elif isinstance(input_scaling, tuple):
        input_scaling = input_scaling[0]
    batch_size = batch_size_for(settings, n_rows, total_rows)
    effort = _effort(settings.feature_extractor, data)  # rebuilt rows have other columns
    return replace(
        settings,
        lambda_max=lambda_max,
        input_scaling=input_scaling,
        target_label_weight=few_share(settings, data),
        batch_size=batch_size,
        max_epochs=_epochs(settings.max_epochs, _steps_of_a_pass(n_rows, batch_size), effort),
        effort=effort,
    )


def batch_size_for(settings: Settings, n_rows: int, total_rows: int | None = None) -> int:
    """Return the batch size for so many source rows, and for those of all passes."""
    if is_auto(settings.batch_size):
        return _auto_batch_size(passes(settings) * n_rows if total_rows is None else total_rows)
    return int(settings.batch_size)


def few_share(settings: Settings, data: TrainingData) -> float:
    """Return the share of the label loss that the labelled target rows of a record have."""
    n_labelled = len(data.labelled_target)
    if not n_labelled:
        return 0.0
    if is_auto(settings.target_label_weight):
        by_number = min(n_labelled / (n_labelled + _LABELS_FOR_A_HALF), _LARGEST_LABEL_WEIGHT)
        by_rows = n_labelled / (n_labelled + len(data.y_source))
        return math.sqrt(by_number * by_rows)
    return float(settings.target_label_weight)


def n_steps(settings: Settings, n_rows: int) -> int:
    """Return the gradient steps of a fit to so many source rows."""
    of_a_pass = _steps_of_a_pass(n_rows, batch_size_for(settings, n_rows))
    return of_a_pass * _epochs(settings.max_epochs, of_a_pass, settings.effort)


def passes(settings: Settings) -> int:
    """Return the passes over the source, before the number of steps in one is known."""
    return _AUTO_EPOCHS if is_auto(settings.max_epochs) else settings.max_epochs


def is_auto(value: Any) -> bool:
    """Tell whether a parameter is "auto"."""
    return isinstance(value, str) and value == "auto"


def usual_scalings(data: TrainingData, feature_extractor: Any = None) -> tuple[str | None, ...]:
    """Return the scalings worth trying; "auto" without a choice is the first of them.

    A feature extractor of the user's gets the rows as they are. Sparse columns, and columns of
    about unit size, need no scaling. But sparse rows without negative values may have columns in
    dollars, too.
    """
    if feature_extractor is not None:
        return (None,)
    if sparse.issparse(data.X_source):
        if not is_counts(data):
            return None, "source", "domain"
        _, largest = _sizes_of_columns(data)
        return (None, "denoised") if largest <= _UNIT_SIZE[1] else (None, "source", "denoised")
    return None if _has_unit_size(data) else "source", "both", "balanced"


def usual_lambdas(data: TrainingData) -> tuple[float, ...]:
    """Return the lambdas that "auto" chooses from; fewer for counts, where the strong one is best.

    0 comes first.
    """
    return (0.0, 1.0) if is_counts(data) else (0.0, 0.1, 1.0)


def _has_unit_size(data: TrainingData) -> bool:
    deviation, largest = _sizes_of_columns(data)
    return largest <= _UNIT_SIZE[1] and deviation >= _UNIT_SIZE[0]


def _sizes_of_columns(data: TrainingData) -> tuple[float, float]:
    """Return the largest deviation of a column, and the largest of all deviations and means."""
    mean, deviation = column_moments(data.X_source, data.source_rows, data.domain_weight)
    return float(deviation.max()), float(max(np.abs(mean).max(), deviation.max()))


def _steps_of_a_pass(n_rows: int, batch_size: int) -> int:
    return math.ceil(n_rows / min(n_rows, batch_size))


def _epochs(max_epochs: Any, steps_of_a_pass: int, effort: float) -> int:
    if not is_auto(max_epochs):
        return int(max_epochs)
    usual = max(_AUTO_EPOCHS, min(_AUTO_STEPS / steps_of_a_pass, _MOST_EPOCHS))
    return max(math.ceil(effort * usual), _FEWEST_EPOCHS)


def _effort(feature_extractor: Any, data: TrainingData) -> float:
    """Return the share of the usual passes that rows of this width need."""
    if feature_extractor is not None:
        return 1.0
    return min(1.0, math.sqrt(_MANY_COLUMNS / math.prod(data.row_shape)))


def _auto_batch_size(total_rows: int) -> int:
    smallest, largest = _AUTO_BATCH_SIZES
    rows = min(max(smallest, total_rows // _AUTO_BATCH_STEPS), largest)
    return int(2 ** (rows.bit_length() - 1))  # the next lower power of two


def _alike(one: Any, other: Any) -> bool:
    """Tell whether two values build the same; of two modules, whether they look the same.

    A module is not equal to its own copy, and a pickle makes copies.
    """
    return one is other or (type(one) is type(other) and str(one) == str(other))


# -- from parameters to fields -------------------------------------------------------------------


def _check_candidates(classifier: Any) -> None:
    """Check the candidates that a user gives, one by one and together."""
    scalings, lambdas = classifier.input_scaling, classifier.lambda_max
    if isinstance(scalings, list | tuple):
        known = (None, *SCALINGS)
        if not scalings or not all(one in known for one in scalings):
            raise ValueError(
                f"input_scaling={scalings!r} must hold at least one candidate, each of them one of "
                f"{known}."
            )
    if isinstance(scalings, list | tuple) and isinstance(lambdas, numbers.Real):
        # A single lambda leaves no network without adaptation to compare with.
        raise ValueError(
            f"input_scaling={scalings!r} gives candidates to choose from, but "
            f"lambda_max={lambdas!r} is a single value. Give candidates of both, such as "
            f"lambda_max=(0, {lambdas!r}), or a single input_scaling, such as {scalings[0]!r}."
        )
    if isinstance(lambdas, str | numbers.Real):
        return
    try:
        values = np.asarray(lambdas, dtype=np.float64)
    except (TypeError, ValueError):
        values = np.array([np.nan])
    if values.ndim != 1 or not len(values) or not (values >= 0).all() or np.isinf(values).any():
        raise ValueError(
            f"lambda_max={lambdas!r} must hold at least one candidate, each of them a number >= 0, "
            "such as (0, 0.1, 1)."
        )


def _check_denoised(scalings: Any, data: TrainingData) -> None:
    """Refuse to rebuild rows that are not word counts or the like."""
    several = isinstance(scalings, list | tuple)
    wanted = scalings is not None and "denoised" in (scalings if several else [scalings])
    if wanted and not is_counts(data):
        raise ValueError(
            f"input_scaling={scalings!r} rebuilds rows of sparse counts, and X and X_tgt are not "
            "sparse matrices without negative values. Pass a scipy.sparse matrix of counts, or "
            "take another input_scaling, such as 'auto'."
        )


def _value_or_candidates(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _lambda_or_candidates(value: Any) -> Any:
    """Return a float, "auto", or ascending candidates, of which 0 is always one."""
    if isinstance(value, str):
        return value
    if isinstance(value, numbers.Real):
        return float(value)
    return tuple(sorted({0.0, *map(float, value)}))


def _sizes_or_part(parameter: str, value: Any) -> Any:
    return value if callable(value) else _sizes(parameter, value, 0)


def _sizes(parameter: str, sizes: Any, at_least: int) -> tuple[int, ...]:
    """Return a tuple of layer sizes from an int or a sequence."""
    layers = (sizes,) if isinstance(sizes, numbers.Integral) else tuple(sizes)
    numbers_only = all(isinstance(size, int | np.integer) for size in layers)
    if not numbers_only or any(
        isinstance(size, bool) or not 1 <= size <= _MOST_UNITS for size in layers
    ):
        raise ValueError(
            f"{parameter} must hold integers >= 1, and at most {_MOST_UNITS:,}, got {sizes!r}."
        )
    if len(layers) < at_least:
        raise ValueError(
            f"{parameter} must name at least one layer, got {sizes!r}: without one there are no "
            "features to adapt."
        )
    return layers


def _given_shares(label_shift: Any, classes: np.ndarray) -> Any:
    """Return None, "estimate", or a tuple with the target's share of each class."""
    if label_shift is None or isinstance(label_shift, str):
        return label_shift
    if isinstance(label_shift, Mapping):
        lacking = [one for one in classes.tolist() if one not in label_shift]
        if lacking or len(label_shift) != len(classes):
            raise ValueError(
                f"label_shift must have a share for each of the classes {classes.tolist()} and no "
                f"other, got {dict(label_shift)!r}."
            )
        label_shift = [label_shift[one] for one in classes.tolist()]
    try:
        shares = np.asarray(label_shift, dtype=np.float64)
    except (TypeError, ValueError):
        shares = np.array([np.nan])
    with np.errstate(over="ignore"):
        sums_to_one = abs(shares.sum() - 1) <= 1e-3
    if shares.shape != classes.shape or not (shares >= 0).all() or not sums_to_one:
        raise ValueError(
            "label_shift must be None, 'estimate' or the target's class shares: a number >= 0 "
            f"for each of the classes {classes.tolist()}, with sum 1; got {label_shift!r}."
        )
    return tuple((shares / shares.sum()).tolist())
