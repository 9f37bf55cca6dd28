"""Labels and weights: what the user passes to codes and float32 weights of the source rows."""

import numbers

import numpy as np
from sklearn.utils import check_array, column_or_1d
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.multiclass import check_classification_targets


def read_labels(y, n_rows, estimator):
    """Return the labels of the source rows as they are, in one dimension, or raise."""
    if y is None:
        raise ValueError(
            f"{type(estimator).__name__} requires y to be passed, but the target y is None. y "
            "holds the labels of the source rows X."
        )
    labels = column_or_1d(y, warn=True)
    if len(labels) != n_rows:
        raise ValueError(
            f"y has {len(labels)} labels, but X has {n_rows} rows. y labels the source rows only; "
            "rows without labels go to X_tgt."
        )
    # A list of text and NaN has become the text "nan" in `labels`, so look at the list itself.
    _check_none_missing(y if isinstance(y, list | tuple) else labels)
    if labels.dtype.kind == "O":
        labels = _of_one_type(labels)
    check_classification_targets(labels)
    return labels


def _check_none_missing(labels):
    kind = labels.dtype.kind if isinstance(labels, np.ndarray) else "O"
    large = np.isinf(labels) if kind == "f" else np.zeros(len(labels), dtype=bool)
    if kind in "fM":
        missing = np.isnan(labels)
    elif kind == "O":
        missing = np.array([_is_missing(label) for label in labels])
    else:
        return
    if missing.any() or large.any():
        found = "NaN" if missing.any() else "infinity or a value too large for dtype('float64')"
        bad = missing | large
        raise ValueError(
            f"Input y contains {found}: {int(bad.sum())} of {len(bad)} labels, first in row "
            f"{int(bad.argmax())}. Drop source rows without a label, or pass them in X_tgt."
        )


def _of_one_type(labels):
    """Return objects that are all text as they are, all numbers or booleans as an array of them."""
    if all(isinstance(label, str) for label in labels):
        return labels
    kinds = sorted({type(label).__name__ for label in labels})
    if len(kinds) > 1 and not all(_is_number(label) for label in labels):
        raise ValueError(
            f"y mixes labels that can't be sorted ({', '.join(kinds)}). Make them one "
            "type, for example with y.astype(str)."
        )
    return np.array(labels.tolist())


def _is_number(label):
    return isinstance(label, numbers.Number) and not isinstance(label, bool)


def _is_missing(label):
    """Tell None, NaN and pandas' NA, none of which equals itself as a plain True."""
    if label is None:
        return True
    if isinstance(label, numbers.Number):
        return label != label
    return type(label).__name__ in ("NAType", "NaTType")


def encode_labels(labels, classes):
    """Return all classes, sorted, and the position of each label among them."""
    found = np.unique(labels)
    all_classes = found if classes is None else np.unique(column_or_1d(classes))
    unknown = np.setdiff1d(found, all_classes)
    if len(unknown):
        raise ValueError(
            f"y contains labels {unknown.tolist()} that are not in classes "
            f"{all_classes.tolist()}. Name all classes in the first call of partial_fit; call "
            "clone(estimator).fit to start anew."
        )
    if len(all_classes) < 2:
        raise ValueError(
            f"y has only one class, {all_classes.tolist()[0]!r}: a classifier needs at least two "
            "classes among the source rows."
        )
    return all_classes, np.searchsorted(all_classes, labels).astype(np.int64)


def check_same_classes(classes, known):
    """Raise where a later call names other classes than the first."""
    if classes is not None and not np.array_equal(np.unique(classes), known):
        raise ValueError(f"classes={classes!r} is not the same as in the first call: {known!r}.")


def read_weight(sample_weight, n_rows):
    """Return float64 weights of the source rows, or None."""
    if sample_weight is None:
        return None
    if isinstance(sample_weight, numbers.Number) or getattr(sample_weight, "shape", None) == ():
        sample_weight = np.full(n_rows, sample_weight, dtype=np.float64)
    weight = check_array(
        sample_weight, dtype=np.float64, ensure_2d=False, input_name="sample_weight"
    )
    if weight.ndim != 1:
        raise ValueError("Sample weights must be 1D array or scalar")
    if weight.shape != (n_rows,):
        raise ValueError(
            f"sample_weight.shape == {weight.shape}, expected {(n_rows,)}: one weight for each "
            "row of X. Target rows have no weights."
        )
    if (weight < 0).any():
        raise ValueError(
            f"sample_weight has {int((weight < 0).sum())} negative values, the first in row "
            f"{int((weight < 0).argmax())}; weights must be >= 0."
        )
    if not weight.any():
        raise ValueError("sample_weight is zero for every row; at least one must be positive.")
    return weight


def label_weight(weight, class_weight, labels, codes, classes):
    """Return sample weight times class weight, with mean 1 over the rows."""
    if class_weight is None:
        return mean_one(weight)
    if class_weight == "balanced":
        # Classes that a chunk of partial_fit lacks keep weight 1: no row asks for it.
        of_class, present = np.ones(len(classes)), np.unique(codes)
        of_class[present] = compute_class_weight("balanced", classes=classes[present], y=labels)
    else:
        of_class = compute_class_weight(class_weight, classes=classes, y=classes)
    of_row = of_class[codes] if weight is None else of_class[codes] * weight
    if not np.isfinite(of_row).all():
        raise ValueError(f"class_weight={class_weight!r} gives weights that are not finite.")
    if (of_row < 0).any() or not of_row.any():
        raise ValueError(
            f"class_weight={class_weight!r} gives negative weights, or zero to every row of "
            "positive sample_weight; weights must be >= 0 and not all zero."
        )
    return mean_one(of_row)


def mean_one(weight):
    """Return float32 weights with mean 1, so that the scale of weights does not matter."""
    if weight is None:
        return None
    return (weight / weight.mean()).astype(np.float32)
