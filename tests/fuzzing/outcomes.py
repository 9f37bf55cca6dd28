"""One call with any input: what it may do, whether it did only that, and how often.

A call may work, or raise a documented class of error with a sentence that names an argument. It
may not change its input, nor, if it raises, the estimator; it may not hang.
"""

import contextlib
import re
import signal
import warnings
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import sklearn
import torch
from scipy import sparse
from sklearn.exceptions import DataConversionWarning, NotFittedError
from sklearn.utils._param_validation import InvalidParameterError

import skdann

SECONDS = 30  # the longest call; most take a hundredth of a second
LONGEST = 620  # characters of a message: 600, and what scikit-learn adds
USERS = Path(__file__).parent.parent  # callables and modules of the tests: a user's own
PLACES = (Path(skdann.__file__).parent, Path(sklearn.__file__).parent)

# Classes of errors, the most special first, and words of warnings of scikit-learn.
ERRORS = (InvalidParameterError, NotFittedError, ValueError, TypeError)
WORDS_OF_WARNINGS = (
    "does not have valid feature names",
    "feature names, but",
    "The predicted class is",
    "The least populated class in y",
)


class Hang(BaseException):
    """A call that took too long."""


class PlantedError(Exception):
    """What a user's own module or callable raises. It comes out as it is."""


TALLY: dict[str, Counter] = defaultdict(Counter)
WARNED: Counter = Counter()
CASES: Counter = Counter()


def attempt(call, kind, names, *, watched=(), estimator=None, foreign=False):
    """Call, check that nothing happened that is not allowed, and return the result or the error.

    Parameters
    ----------
    call : callable without arguments
    kind : str
        The row of the table that the call is counted in.
    names : iterable of str
        Arguments that may be at fault: an error has to name one of them.
    watched : iterable
        Input that must stay as it is.
    estimator : estimator, default=None
        What must stay as it was if the call raises.
    foreign : bool, default=False
        Whether the call goes through other packages first, whose errors are their own.

    Returns
    -------
    result : object or None
    error : Exception or None
    """
    before = [fingerprint(value) for value in watched]
    state = None if estimator is None else state_of(estimator)
    result, error = None, None
    with warnings.catch_warnings(record=True) as caught, _limited():
        warnings.simplefilter("always")
        try:
            result = call()
        except Exception as raised:  # whatever it is, it is looked at below
            error = raised
    assert [fingerprint(value) for value in watched] == before, "the call changed its input"
    for warning in caught:
        if not foreign:
            check_warning(warning)
        WARNED[warning.category.__name__] += 1
    if error is None:
        TALLY[kind]["worked"] += 1
        return result, None
    found = "of another package" if foreign and not _is_ours(error) else check_error(error, names)
    TALLY[kind][found] += 1
    if estimator is not None:
        assert state_of(estimator) == state, f"a failed call changed the estimator: {error}"
    return None, error


def _origin(error):
    """Return the file of the innermost frame of an error."""
    frame = error.__traceback__
    while frame.tb_next is not None:
        frame = frame.tb_next
    return Path(frame.tb_frame.f_code.co_filename)


def _is_ours(error):
    return _origin(error).is_relative_to(PLACES[0])


def check_error(error, names):
    """Check class, origin and text of an error, and return its class by name."""
    file = _origin(error)
    if file.is_relative_to(USERS) and not file.samefile(__file__):
        return "the user's own"
    said = f"{type(error).__name__}: {error}"
    known = next((known for known in ERRORS if isinstance(error, known)), None)
    assert known is not None, f"undocumented class, {said}"
    assert any(file.is_relative_to(place) for place in PLACES), f"raised in {file}, {said}"
    assert len(str(error).split()) >= 4, f"no sentence, {said}"
    lists_all = "Valid parameters are: [" in str(error)  # scikit-learn's set_params
    assert lists_all or len(str(error)) <= LONGEST, f"{len(str(error))} characters, {said}"
    named = [name for name in names if re.search(rf"(?<!\w){re.escape(name)}(?!\w)", str(error))]
    diverged = "became NaN or infinite" in str(error)  # documented, and names lr and lambda_max
    assert named or diverged or known is NotFittedError, f"names none of {sorted(names)}, {said}"
    return known.__name__


def check_warning(warning):
    """Check that a warning is one of the package's, or one of scikit-learn's about labels."""
    ours = warning.category.__module__.startswith("skdann.")
    if ours or issubclass(warning.category, DataConversionWarning):
        return
    known = any(words in str(warning.message) for words in WORDS_OF_WARNINGS)
    found = f"{warning.category.__name__}: {warning.message} ({warning.filename}:{warning.lineno})"
    assert known and warning.category is UserWarning, found


@contextlib.contextmanager
def _limited():
    """Raise Hang in a call that takes longer than SECONDS."""

    def stop(_signal, _frame):
        raise Hang(f"longer than {SECONDS} seconds")

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def fingerprint(value):
    """Return what changes when the input changes: bytes, shapes and names."""
    if isinstance(value, tuple | list):
        return type(value), [fingerprint(part) for part in value]
    if isinstance(value, dict):
        return [(key, fingerprint(part)) for key, part in value.items()]
    if isinstance(value, torch.Tensor):
        if value.is_meta:
            return value.shape
        if value.layout != torch.strided:
            value = value.to_dense()
        return value.dtype, value.shape, repr(value.detach().tolist())
    if sparse.issparse(value):
        parts = ("data", "indices", "indptr", "row", "col", "offsets", "coords", "rows")
        arrays = [np.asarray(getattr(value, name)) for name in parts if hasattr(value, name)]
        entries = sorted(value.items()) if value.format == "dok" else None
        return value.format, value.shape, [fingerprint(array) for array in arrays], repr(entries)
    if isinstance(value, np.ndarray):
        content = value.tolist() if value.dtype.hasobject else value.tobytes()
        return value.dtype, value.shape, value.strides, repr(content)
    if type(value).__module__.startswith("polars"):
        return repr(value.to_dict(as_series=False)) if hasattr(value, "to_dict") else repr(value)
    if type(value).__module__.startswith("pandas") and hasattr(value, "dtypes"):
        table = value.to_frame() if value.ndim == 1 else value
        columns = [table.iloc[:, i].tolist() for i in range(table.shape[1])]
        return str(table.dtypes.tolist()), table.columns.tolist(), repr(columns)
    if isinstance(value, str | bytes | int | float | complex | type(None)):
        return repr(value)
    return type(value)


def state_of(estimator):
    """Return all attributes by identity, and the bytes of its weights."""
    attributes = {name: id(value) for name, value in vars(estimator).items()}
    weights = []
    if "_trained" in vars(estimator):
        state = estimator.module_.state_dict()
        weights = [(name, value.numpy().tobytes()) for name, value in state.items()]
    inside = {name: repr(value) for name, value in estimator.get_params(deep=False).items()}
    return attributes, weights, inside


def check_probabilities(proba, n_rows, classes):
    """Check shape, finite values, range and sum of class probabilities."""
    assert proba.shape == (n_rows, len(classes)), proba.shape
    assert np.isfinite(proba).all() and (proba >= 0).all() and (proba <= 1 + 1e-5).all()
    assert np.abs(proba.sum(axis=1, dtype=float) - 1).max(initial=0) < 1e-5


def check_fitted(classifier, X, n_rows):
    """Check what a fitted classifier says about rows: finite, of the right shape, and in order."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*valid feature names|.*too little for float32")
        warnings.simplefilter("ignore", skdann.DomainWarning)  # rows may look like the source
        _check_fitted(classifier, X, n_rows)


def _check_fitted(classifier, X, n_rows):
    classes = classifier.classes_
    assert len(classes) >= 2 and (classes[:-1] < classes[1:]).all(), classes
    proba = classifier.predict_proba(X)
    check_probabilities(proba, n_rows, classes)
    labels = classifier.predict(X)
    assert labels.shape == (n_rows,) and labels.dtype == classes.dtype
    assert np.array_equal(labels, classes[proba.argmax(axis=1)])
    assert np.isfinite(classifier.transform(X)).all()


def table():
    """Return the counts as a table in Markdown."""
    others = "the user's own", "of another package"
    columns = ["worked", *(known.__name__ for known in ERRORS), *others]
    lines = [
        "| calls | all | " + " | ".join(columns) + " |",
        "|---|---" + "|---" * len(columns) + "|",
    ]
    total = Counter()
    for kind, counts in sorted(TALLY.items()):
        total.update(counts)
        lines.append(_line(kind, counts, columns))
    lines.append(_line("all", total, columns))
    warned = ", ".join(f"{name} {count:,}" for name, count in WARNED.most_common()) or "none"
    lines.append(f"\nCases: {sum(CASES.values()):,}. Warnings: {warned}.")
    return "\n".join(lines)


def _line(kind, counts, columns):
    numbers = [sum(counts.values()), *(counts[name] for name in columns)]
    return f"| {kind} | " + " | ".join(f"{number:,}" for number in numbers) + " |"
