"""Labels, weights and groups: what the user passes to codes and weights of the source rows."""

import numbers

import numpy as np
from sklearn.utils import check_array, column_or_1d
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.multiclass import check_classification_targets

from skdann._data.listing import listed, shortened


def read_labels(y, n_rows, estimator):
    """Return the labels of the source rows as they are, in one dimension, or raise."""
    if y is None:
        raise ValueError(
            f"{type(estimator).__name__} requires y to be passed, but the target y is None. y "
            "holds the labels of the source rows X."
        )
    _refuse_several(y)
    try:
        labels = column_or_1d(y, warn=True)
    except ValueError as error:
        _explain_dimensions(y, error)
        raise
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


def missing_values(values):
    """Return a mask of what is None, NaN, NaT or NA in a list or a one-dimensional array."""
    kind = values.dtype.kind if isinstance(values, np.ndarray) else "O"
    if kind in "fM":
        return np.isnan(values)
    if kind == "O":
        return np.array([_is_missing(value) for value in values], dtype=bool)
    return np.zeros(len(values), dtype=bool)


def _check_none_missing(labels):
    is_float = isinstance(labels, np.ndarray) and labels.dtype.kind == "f"
    large = np.isinf(labels) if is_float else np.zeros(len(labels), dtype=bool)
    missing = missing_values(labels)
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
    given = np.unique(column_or_1d(classes))
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
    values = np.asarray(groups)
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
    return np.unique(values, return_inverse=True)[1].astype(np.int64)


def read_source_domain(source_domain, n_rows, n_targets):
    """Return int64 codes of the source rows' domains: 0, then those behind the targets'; or None.

    None where there is one source. The first source is the first when their names are sorted.
    """
    codes = read_groups(source_domain, n_rows, "source_domain")
    if codes is None or not codes.any():
        return None
    return np.where(codes > 0, codes + n_targets, 0)


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
        try:
            of_class = compute_class_weight(class_weight, classes=classes, y=classes)
        except ValueError as error:
            raise ValueError(shortened(error, 500)) from error  # it lists all classes
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
    return (weight / weight.mean()).astype(np.float32)
