"""Settings: the parameters of a classifier as training needs them."""

from __future__ import annotations

import math
import numbers
from typing import Any

import numpy as np
from scipy import sparse

from skdann._data.moments import column_moments
from skdann._data.record import TrainingData
from skdann._network.network import Architecture

# max_epochs="auto": so many passes over the source, and on small data at least so many steps.
_AUTO_EPOCHS = 30

_AUTO_STEPS = 1000

# batch_size="auto": a power of two in these bounds, such that a full fit still has so many steps.
_AUTO_BATCH_SIZES = 64, 1024

_AUTO_BATCH_STEPS = 1500

# What "auto" leaves to be chosen.
CHOSEN = "input_scaling", "lambda_max"


def plain(settings, data):
    """Return the settings, as they are where nothing is chosen; what was fitted is shared."""
    usual = {
        "lambda_max": lambda: 1.0,
        "input_scaling": lambda: usual_scalings(data, settings.feature_extractor)[0],
    }
    values = {name: usual[name]() for name in CHOSEN if is_auto(getattr(settings, name))}
    return with_settings(settings, values) if values else settings


def is_auto(value):
    """Tell whether a parameter's value is to be chosen."""
    return isinstance(value, str) and value == "auto"


def with_settings(classifier, values):
    """Return a classifier with other parameters, which shares what the first was fitted to."""
    other = type(classifier).__new__(type(classifier))
    other.__dict__.update(vars(classifier))
    return other.set_params(**values)


def n_passes(settings):
    """Return the passes over the source rows, before `max_epochs` knows the steps."""
    return _AUTO_EPOCHS if settings.max_epochs == "auto" else settings.max_epochs


def n_epochs(settings, steps_per_epoch):
    """Return the number of epochs of a full fit."""
    if settings.max_epochs != "auto":
        return settings.max_epochs
    return max(_AUTO_EPOCHS, math.ceil(_AUTO_STEPS / steps_per_epoch))


def batch_size_for(settings, total_rows):
    """Return the batch size for so many source rows in all passes together."""
    if settings.batch_size != "auto":
        return settings.batch_size
    smallest, largest = _AUTO_BATCH_SIZES
    rows = min(max(smallest, total_rows // _AUTO_BATCH_STEPS), largest)
    return 2 ** (rows.bit_length() - 1)


def _architecture(settings):
    sizes = {
        name: _sizes(name, getattr(settings, name), at_least)
        for name, at_least in [
            ("hidden_layer_sizes", 1),
            ("label_hidden_layer_sizes", 0),
            ("domain_hidden_layer_sizes", 0),
        ]
    }
    return Architecture(
        **sizes,
        activation=settings.activation,
        dropout=settings.dropout,
        conditioning=settings.conditioning,
        feature_extractor=settings.feature_extractor,
        label_predictor=settings.label_predictor,
        domain_classifier=settings.domain_classifier,
    )


def _sizes(parameter, sizes, at_least):
    """Return a tuple of layer sizes from an int or a sequence."""
    layers = (sizes,) if isinstance(sizes, numbers.Integral) else tuple(sizes)
    if not all(isinstance(size, numbers.Integral) and size >= 1 for size in layers):
        raise ValueError(f"{parameter} must hold integers >= 1, got {sizes!r}.")
    if len(layers) < at_least:
        raise ValueError(
            f"{parameter} must name at least one layer, got {sizes!r}: without one there are no "
            "features to adapt."
        )
    return layers


# Columns need no scaling if the largest deviation is in this range, and no mean is beyond it.
_UNIT_SCALE = 0.1, 3.0


def usual_scalings(data: TrainingData, feature_extractor: Any = None) -> tuple[str, ...]:
    """Return the scalings worth trying; "auto" alone is the first of them.

    A feature extractor of the user's is given the rows as they are. Sparse rows, and columns that
    are about as large as a network wants them, can stay so.
    """
    if feature_extractor is not None:
        return ("none",)
    if sparse.issparse(data.X_source):
        return "none", "source", "domain"
    return "none" if _has_unit_scale(data) else "source", "both", "domain"


def _has_unit_scale(data: TrainingData) -> bool:
    """Tell whether the source's columns are about as large as a network wants them."""
    mean, deviation = column_moments(data.X_source, data.source_rows, data.domain_weight)
    largest = max(np.abs(mean).max(), deviation.max())
    return bool(largest <= _UNIT_SCALE[1] and deviation.max() >= _UNIT_SCALE[0])
