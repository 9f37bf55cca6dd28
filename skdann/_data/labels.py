"""Labels, weights and groups: what the user passes to codes and weights of the source rows."""

import numbers

import numpy as np
from sklearn.utils import check_array, column_or_1d
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.multiclass import check_classification_targets

from skdann._data.columns import is_date_type
from skdann._data.listing import listed, shortened
from skdann._typing import reads_as_numpy


@reads_as_numpy
def read_labels(y, n_rows, estimator):
    """Return the labels of the source rows as they are, in one dimension, or raise."""
    if y is None:
        raise ValueError(
            f"{type(estimator).__name__} requires y to be passed, but the target y is None. y "
            "holds the labels of the source rows X."
        )
    _refuse_several(y)
    labels = _in_one_dimension(y)
    if len(labels) != n_rows:
        raise ValueError(
            f"y has {len(labels)} labels, but X has {n_rows} rows. y labels the source rows only; "
            "rows without labels go to X_tgt."
        )
    # A list of text and NaN has become the text "nan" in `labels`, so look at the list itself.
    _check_none_missing(y if isinstance(y, list | tuple) else labels)
    if labels.dtype.kind == "O":
        labels = _of_one_type(labels)
    _check_discrete(labels)
    return labels


@reads_as_numpy
def read_true_labels(y, n_rows):
    """Return the labels that predictions of `n_rows` rows are compared with, or raise."""
    labels = _in_one_dimension(y)
    if len(labels) != n_rows:
        raise ValueError(f"y has {len(labels)} labels, but X has {n_rows} rows.")
    _check_none_missing(y if isinstance(y, list | tuple) else labels, "Score rows with a label.")
    return _of_one_type(labels) if labels.dtype.kind == "O" else labels


def _in_one_dimension(y):
    """Return labels as a one-dimensional array, or raise."""
    try:
        labels = column_or_1d(y, warn=True)
    except (TypeError, ValueError) as error:
        _explain_dimensions(y, error)
        raise ValueError(
            f"y can't be read as labels: {shortened(error, 300)} It takes one label for each row "
            "of X, such as an array or a list."
        ) from error
    if labels.dtype.kind in "cV":
        raise ValueError(f"y has dtype {labels.dtype}. Labels are text, numbers or booleans.")
    return labels


def _refuse_several(y):
    """Raise where y is a tuple or list of arrays, one for each source."""
    if isinstance(y, list | tuple) and y:
        shapes = [getattr(part, "shape", None) for part in y]
        if all(shape is not None and len(shape) == 1 for shape in shapes):
            raise ValueError(
                f"y is a {type(y).__name__} of {len(y)} arrays. Labels of several sources are "
                "passed as one array: y=np.concatenate(y), with the rows of X in the same order."
            )


def _explain_dimensions(y, error):
    """Raise a better error for labels of two dimensions, such as one-hot labels."""
    try:
        values = np.asarray(y)
        is_one_hot = values.ndim == 2 and bool(
            np.isin(values, (0, 1)).all() and (values.sum(axis=1) == 1).all()
        )
    except (TypeError, ValueError):
        return
    if values.ndim == 0:
        return
    said = f"y should be a 1d array, got an array of shape {values.shape} instead."
    if is_one_hot:
        cure = "y.idxmax(axis=1)" if hasattr(y, "idxmax") else "y.argmax(axis=1)"
        if not hasattr(y, "argmax") and not hasattr(y, "idxmax"):
            cure = "np.argmax(y, axis=1)"
        raise ValueError(f"{said} These seem to be one-hot labels: pass {cure}.") from error
    raise ValueError(f"{said} It takes one label for each row of X.") from error


def _check_discrete(labels):
    """Check that the labels are classes, in scikit-learn's words and some of our own."""
    try:
        check_classification_targets(labels)
    except ValueError as error:
        raise ValueError(
            f"{shortened(error, 250)} There is no regressor here. To predict ranges of y instead, "
            "cut it into classes, for example y=np.digitize(y, np.quantile(y, [1/3, 2/3]))."
        ) from error
    except TypeError as error:  # bytes
        raise TypeError(f"y: {shortened(error, 500)}") from error


def missing_values(values):
    """Return a mask of what is None, NaN, NaT or NA in a list or a one-dimensional array."""
    kind = values.dtype.kind if isinstance(values, np.ndarray) else "O"
    if kind in "fM":
        return np.isnan(values)
    if kind == "O":
        return np.array([_is_missing(value) for value in values], dtype=bool)
    return np.zeros(len(values), dtype=bool)


def _check_none_missing(labels, cure="Drop source rows without a label, or pass them in X_tgt."):
    is_float = isinstance(labels, np.ndarray) and labels.dtype.kind == "f"
    large = np.isinf(labels) if is_float else np.zeros(len(labels), dtype=bool)
    missing = missing_values(labels)
    if missing.any() or large.any():
        found = "NaN" if missing.any() else "infinity or a value too large for dtype('float64')"
        bad = missing | large
        raise ValueError(
            f"Input y contains {found}: {int(bad.sum())} of {len(bad)} labels, first in row "
            f"{int(bad.argmax())}. {cure}"
        )


def _of_one_type(labels, argument="y"):
    """Return objects that are all text as they are, all numbers or booleans as an array of them."""
    if all(isinstance(label, str) for label in labels):
        return labels
    kinds = sorted({type(label).__name__ for label in labels})
    if any(isinstance(label, list | tuple | set | dict | np.ndarray) for label in labels):
        raise ValueError(
            f"{argument} holds several values in the place of one ({', '.join(kinds)}). Make each "
            "of them one label, for example by str(label)."
        )
    if len(kinds) > 1 and not all(_is_number(label) for label in labels):
        raise ValueError(
            f"{argument} mixes labels that can't be sorted ({', '.join(kinds)}). Make them one "
            f"type, for example with {argument}.astype(str)."
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
    all_classes = found if classes is None else read_classes(classes)
    try:
        unknown = np.setdiff1d(found, all_classes)
    except TypeError as error:  # numbers here and dates there
        raise ValueError(
            f"classes have dtype {all_classes.dtype}, and can't be compared with the labels y of "
            f"dtype {found.dtype}. Make them one type."
        ) from error
    if len(unknown):
        raise ValueError(
            f"y contains labels {listed(unknown.tolist())} that are not in classes "
            f"{listed(all_classes.tolist())}. Name all classes in the first call of "
            "partial_fit; call clone(estimator).fit to start anew."
        )
    if len(all_classes) < 2:
        raise ValueError(
            f"y has only one class, {shortened(repr(all_classes.tolist()[0]))}: a classifier needs "
            "at least two classes among the source rows."
        )
    return all_classes, np.searchsorted(all_classes, labels).astype(np.int64)


@reads_as_numpy
def read_classes(classes):
    """Return all labels that may come, sorted, from what is passed as `classes`, or raise."""
    try:
        values = column_or_1d(classes)
        if missing_values(classes if isinstance(classes, list | tuple) else values).any():
            raise ValueError("some are missing.")
        values = _of_one_type(values, "classes") if values.dtype.kind == "O" else values
        return np.unique(values)
    except (TypeError, ValueError) as error:
        raise ValueError(
            "classes must hold all labels that may come, in one dimension and of one type: "
            f"{shortened(error, 300)}"
        ) from error


def check_same_classes(classes, known):
    """Check that a later call of `partial_fit` names the classes of the first, or none.

    Parameters
    ----------
    classes : array-like of shape (n_classes,) or None
        As passed to the later call.
    known : ndarray of shape (n_classes,)
        Those of the first call, sorted.
    """
    if classes is None:
        return
    given = read_classes(classes)
    if not np.array_equal(given, known):
        raise ValueError(
            f"`classes={listed(given.tolist())}` is not the same as on last call to partial_fit, "
            f"was: {listed(known.tolist())}. Name all classes in the first call, or call "
            "clone(estimator) to start anew."
        )


def read_groups(groups, n_rows, name="groups"):
    """Return the groups of the source rows as int64 codes, or None; `name` is for messages."""
    if groups is None:
        return None
    try:
        values = np.asarray(groups)
    except ValueError as error:
        raise ValueError(
            f"{name} must be one-dimensional, one value for each row of X: {shortened(error)}"
        ) from error
    if values.ndim != 1:
        raise ValueError(
            f"{name} must be one-dimensional, one value for each row of X, got an array of shape "
            f"{values.shape}."
        )
    if len(values) != n_rows:
        raise ValueError(
            f"{name} has {len(values)} values, but X has {n_rows} rows. It has one for each source "
            "row, and none for target rows."
        )
    missing = missing_values(groups if isinstance(groups, list | tuple) else values)
    if missing.any():
        raise ValueError(
            f"{name} has {int(missing.sum())} missing values, the first in row "
            f"{int(missing.argmax())}. Give such rows a value of their own."
        )
    kinds = sorted({type(value).__name__ for value in groups})
    if len(kinds) > 1 and ("str" in kinds or "str_" in kinds):
        raise ValueError(
            f"{name} mixes values that can't be sorted ({', '.join(kinds)}). Make them one type, "
            f"for example with [str(value) for value in {name}]."
        )
    try:
        return np.unique(values, return_inverse=True)[1].astype(np.int64)
    except TypeError as error:
        raise ValueError(
            f"{name} holds values that can't be sorted ({', '.join(kinds)}). Give each a number or "
            "a name."
        ) from error


def read_source_domain(source_domain, n_rows, n_targets):
    """Return int64 codes of the source rows' domains: 0, then those behind the targets'; or None.

    None where there is one source. The first source is the first when their names are sorted.
    """
    codes = read_groups(source_domain, n_rows, "source_domain")
    if codes is None or not codes.any():
        return None
    return np.where(codes > 0, codes + n_targets, 0)


@reads_as_numpy
def read_weight(sample_weight, n_rows):
    """Return float64 weights of the source rows, or None."""
    if sample_weight is None:
        return None
    if isinstance(sample_weight, numbers.Number) or getattr(sample_weight, "shape", None) == ():
        sample_weight = np.full(n_rows, sample_weight)
    try:
        if is_date_type(getattr(sample_weight, "dtype", None)):
            raise TypeError(f"dates and durations ({sample_weight.dtype}) are not numbers.")
        weight = check_array(
            sample_weight, dtype=np.float64, ensure_2d=False, input_name="sample_weight"
        )
    except (TypeError, ValueError) as error:
        if "sample_weight" in str(error):
            raise
        raise ValueError(
            "sample_weight must hold a number >= 0 for each row of X: "
            f"{shortened(str(error).splitlines()[0], 300)}"
        ) from error
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
        try:
            of_class = compute_class_weight(class_weight, classes=classes, y=classes)
        except (TypeError, ValueError) as error:
            said = shortened(error, 300)  # it lists all classes
            raise ValueError(
                f"class_weight={shortened(class_weight)} can't be used: {said}"
            ) from error
    with np.errstate(over="ignore"):
        of_row = of_class[codes] if weight is None else of_class[codes] * weight
    if not np.isfinite(of_row).all():
        raise ValueError(
            f"class_weight={shortened(class_weight)} gives weights that are not finite."
        )
    if (of_row < 0).any() or not of_row.any():
        raise ValueError(
            f"class_weight={shortened(class_weight)} gives negative weights, or zero to every "
            "row of positive sample_weight; weights must be >= 0 and not all zero."
        )
    return mean_one(of_row)


def mean_one(weight):
    """Return float32 weights with mean 1, so that the scale of weights does not matter."""
    if weight is None:
        return None
    with np.errstate(over="ignore"):
        mean = weight.mean()
    if not np.isfinite(mean) or mean < np.finfo(np.float64).tiny:  # near the limits of float64
        weight = weight / weight.max()
        mean = weight.mean()
    return (weight / mean).astype(np.float32)
