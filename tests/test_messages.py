"""Messages: the argument at fault is named, the cure runs as printed, and all of it is short."""

import datetime
import inspect
import re
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest
import sklearn
from scipy import sparse
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.model_selection import GroupKFold, KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.utils.metadata_routing import get_routing_for_object

import skdann
from skdann import DANNClassifier, DANNClassifierCV, TargetScaleWarning
from skdann._data.labels import check_same_classes
from skdann._data.splits import folds_of
from skdann.pipeline import make_dann_pipeline

RNG = np.random.default_rng(0)
Y = np.arange(12) % 2
LONGEST = 600


def classifier(**parameters):
    return DANNClassifier(**{"lambda_max": 1.0, "max_epochs": 1, "random_state": 0, **parameters})


def rows(n_rows=12, n_columns=3):
    return RNG.normal(size=(n_rows, n_columns))


def message(call, *arguments, error=(ValueError, TypeError), **keywords):
    """The message of the error that a call raises."""
    with pytest.raises(error) as caught:
        call(*arguments, **keywords)
    assert len(str(caught.value)) <= LONGEST, str(caught.value)
    return str(caught.value)


def fit_message(X, y, X_tgt, **parameters):
    return message(classifier(**parameters).fit, X, y, X_tgt)


# -- nothing is too long ----------------------------------------------------------------------

N_WIDE = 1000
LONG = [f"a column with a name of {'very ' * 30}many words, number {i}" for i in range(N_WIDE)]


def wide(n_rows=12, columns=LONG, **changed):
    """A DataFrame of 1,000 columns with long names."""
    table = pd.DataFrame(rows(n_rows, len(columns)), columns=columns)
    return table.assign(**changed)


TEXT = {name: ["Bonn" * 100] * 12 for name in LONG}
DATES = {name: pd.date_range("2020", periods=12) for name in LONG[:50]}
MANY_LABELS = np.array([f"{'long ' * 50}{i % 400}" for i in range(1200)])
MANY_ROWS = rows(1200, 2)

# Arguments of `fit`: X, y, X_tgt.
TOO_WIDE = {
    "text": (pd.DataFrame(TEXT), Y, wide()),
    "text in polars": (pl.DataFrame(TEXT), Y, wide()),
    "text in X_tgt": (wide(), Y, pd.DataFrame(TEXT)),
    "dates": (wide(**DATES), Y, wide()),
    "dates in X_tgt": (wide(), Y, wide(**DATES)),
    "text and dates": (pd.DataFrame({**TEXT, **DATES}), Y, wide()),
    "text and dates in X_tgt": (wide(), Y, pd.DataFrame({**TEXT, **DATES})),
    "text cell": (np.array([["Bonn" * 1000] * 2] * 12), Y, rows()),
    "objects": (np.full((12, 2), {"a" * 1000: 1}, dtype=object), Y, rows()),
    "NaN": (wide(**{LONG[0]: np.nan}), Y, wide()),
    "NaN in X_tgt": (wide(), Y, wide(**{LONG[0]: np.nan})),
    "missing": (wide(), Y, wide(columns=LONG[:5])),
    "surplus": (wide(columns=LONG[:5]), Y, wide()),
    "other names": (wide(), Y, wide(columns=[f"{name} again" for name in LONG])),
    "order": (wide(), Y, wide(columns=LONG[::-1])),
    "several times": (wide(columns=["a", "b"]), Y, wide(columns=["a", "b", "b"])),
    "width": (wide(), Y, rows(9, 900)),
    "width in a tuple": (wide(), Y, (wide(), rows(9, 900))),
    "one dimension": (rows()[:, 0], Y, rows()),
    "one dimension, long": (MANY_ROWS[:, 0], MANY_LABELS, rows()),
    "one dimension in X_tgt": (rows(), Y, rows(1000)[:, 0]),
    "weights": (MANY_ROWS, np.arange(1200) % 2, np.ones(1200)),
    "series": (wide()[LONG[0]], Y, wide()),
    "series in X_tgt": (wide(), Y, wide().iloc[0]),
    "four dimensions": (rows()[..., None, None], Y, rows()),
    "ragged": ([[1.0] * 500, [2.0]] * 6, Y, rows()),
    "ragged X_tgt": (rows(), Y, [[1.0] * 500, [2.0]] * 6),
    "dtype dates": (np.full((12, 300), "2020-01-01", dtype="datetime64[D]"), Y, rows()),
    "several sources": ((rows(), rows()), (Y, Y), rows()),
    "several sources' labels": (np.vstack([rows(), rows()]), (Y, Y), rows()),
    "one-hot": (MANY_ROWS, np.eye(1200), MANY_ROWS),
    "continuous": (MANY_ROWS, MANY_ROWS[:, 0], MANY_ROWS),
    "one class": (rows(), np.full(12, "long" * 500), rows()),
    "labels of mixed types": (rows(), np.array([1, "a" * 5000] * 6, dtype=object), rows()),
    "labels too few": (MANY_ROWS, MANY_LABELS[:-1], MANY_ROWS),
}


@pytest.mark.parametrize("case", TOO_WIDE)
def test_no_message_of_fit_is_longer_than_600_characters(case):
    fit_message(*TOO_WIDE[case])


@pytest.mark.parametrize(
    "weights",
    [
        dict.fromkeys(MANY_LABELS, np.nan),
        dict.fromkeys(MANY_LABELS, -1.0),
        {f"{'other ' * 100}{i}": 1 for i in range(400)},
    ],
    ids=["NaN", "negative", "unknown"],
)
def test_no_message_about_class_weights_is_too_long(weights):
    fit_message(MANY_ROWS, MANY_LABELS, MANY_ROWS, class_weight=weights)


@pytest.mark.filterwarnings("ignore:X does not have valid feature names")
def test_no_message_of_a_fitted_classifier_is_too_long():
    fitted = classifier().fit(wide(), Y, wide())
    for table in (
        wide(columns=LONG[::-1]),
        wide(columns=[f"{name} again" for name in LONG]),
        pd.DataFrame(TEXT),
        wide(**{LONG[0]: np.inf}),
        wide().iloc[0],
        rows(),
    ):
        message(fitted.predict, table)
    message(fitted.predict, wide(), domain=np.full(12, 7))
    message(fitted.predict, wide(), domain="x" * 5000)
    message(fitted.predict, wide(), domain=np.arange(5000))


def test_no_message_about_classes_or_groups_is_too_long():
    streamed = classifier()
    message(streamed.partial_fit, MANY_ROWS, MANY_LABELS, MANY_ROWS, classes=MANY_LABELS[:300])
    said = message(check_same_classes, MANY_LABELS[:300], np.unique(MANY_LABELS))
    assert "is not the same as on last call to partial_fit, was: ['long" in said
    check_same_classes(None, np.unique(Y))
    check_same_classes([1, 0, 1], np.unique(Y))


def test_warnings_are_short_too():
    raw = RNG.normal(5, size=(60, N_WIDE)).round(1) + 1e6 * (np.arange(N_WIDE) > 900)
    X = StandardScaler().fit_transform(raw)
    y = np.arange(60) % 2
    for target in (raw, raw[:3], 1e9 * RNG.normal(size=raw.shape), tuple([raw] * 12)):
        with pytest.warns(TargetScaleWarning) as caught:
            classifier().fit(X, y, target)
        assert len(str(caught[0].message)) <= LONGEST


# -- X_tgt is named when X_tgt is at fault ----------------------------------------------------

GOOD = rows()
BAD_TARGETS = {
    "array with NaN": np.full((9, 3), np.nan),
    "list with NaN": [[np.nan] * 3] * 9,
    "frame with NaN": pd.DataFrame(np.full((9, 3), np.nan)),
    "polars with NaN": pl.DataFrame(np.full((9, 3), np.nan)),
    "sparse with NaN": sparse.csr_array(np.full((9, 3), np.nan)),
    "series": pd.Series(np.zeros(9)),
    "polars series": pl.Series([0.0] * 9),
    "series of the source's length": pd.Series(np.zeros(12)),
    "one dimension": np.zeros(9),
    "weights": np.ones(12),
    "list of weights": [1.0] * 12,
    "number": 7.0,
    "three dimensions": rows()[None],
    "nested list": [[[1.0] * 3] * 2] * 9,
    "ragged": [[1.0, 2.0, 3.0], [1.0]],
    "text": [["a", "b", "c"]] * 9,
    "objects": np.full((9, 3), object(), dtype=object),
    "dicts": [{"a": 1}] * 9,
    "dates": np.full((9, 3), "2020-01-01", dtype="datetime64[D]"),
    "durations": np.full((9, 3), 5, dtype="timedelta64[s]"),
    "date objects": np.full((9, 3), datetime.date(2020, 1, 1), dtype=object),
    "frame of dates": pd.DataFrame({i: pd.date_range("2020", periods=9) for i in range(3)}),
    "frame of text": pd.DataFrame({i: ["a"] * 9 for i in range(3)}),
    "complex": np.full((9, 3), 1j),
    "width": np.zeros((9, 2)),
    "sparse width": sparse.csr_array((9, 2)),
    "empty": np.zeros((0, 3)),
    "no columns": np.zeros((9, 0)),
    "sparse in one dimension": sparse.coo_array(np.ones(9)),
    "text in one piece": "X_tgt.csv"[2:],
}


@pytest.mark.parametrize("case", BAD_TARGETS)
@pytest.mark.parametrize("in_tuple", [False, True], ids=["bare", "in a tuple"])
def test_a_bad_target_is_called_x_tgt(case, in_tuple):
    target = BAD_TARGETS[case]
    said = fit_message(GOOD, Y, (GOOD, target) if in_tuple else target)
    assert ("X_tgt[1]" if in_tuple else "X_tgt") in said
    assert not said.startswith("X ")


# -- columns ----------------------------------------------------------------------------------


def frame(columns):
    return pd.DataFrame(rows(12, len(columns)), columns=columns)


def test_missing_columns_come_first_and_at_most_ten_of_them():
    names = [f"c{i:02d}" for i in range(30)]
    said = fit_message(frame(names), Y, frame([*names[14:], "x", "y"]))
    assert said.startswith(
        "X_tgt lacks columns of X: ['c00', 'c01', 'c02', 'c03', 'c04', 'c05', 'c06', 'c07', "
        "'c08', 'c09'] and 4 more. It has columns that X lacks: ['x', 'y']. "
    )


@pytest.mark.parametrize("columns", ["cab", "abcd"], ids=["order", "surplus"])
@pytest.mark.parametrize("convert", [pd.DataFrame, pl.DataFrame], ids=["pandas", "polars"])
def test_the_cure_for_columns_runs_as_printed(columns, convert):
    X, X_tgt = frame(list("abc")), frame(list(columns))
    X, X_tgt = convert(X), convert(X_tgt)
    said = fit_message(X, Y, X_tgt)
    cure = re.search(r"Pass (X_tgt\[X\.columns\])[.,]", said).group(1)
    classifier().fit(X, Y, eval(cure))


def test_the_cure_for_columns_of_one_of_several_targets_runs_as_printed():
    X, X_tgt = frame(list("abc")), (frame(list("abc")), frame(list("cba")))
    cure = re.search(r"Pass (X_tgt\[1\]\[X\.columns\])\.", fit_message(X, Y, X_tgt)).group(1)
    classifier().fit(X, Y, (X_tgt[0], eval(cure)))


# -- text and dates -----------------------------------------------------------------------------


def towns(n_text=1, **more):
    text = {f"town {i}": ["Bonn", "Ulm", "Köln"] * 4 for i in range(n_text)}
    return pd.DataFrame({"age": rows()[:, 0], "income": rows()[:, 1], **text, **more})


@pytest.mark.parametrize("routing", [False, True])
@pytest.mark.parametrize("n_text", [1, 3, 40])
def test_the_cure_for_text_runs_as_printed(routing, n_text):
    X, X_tgt = towns(n_text), towns(n_text)
    said = fit_message(X, Y, X_tgt)
    cure = re.search(r"example with (skdann\..*)\.$", said).group(1)
    with sklearn.config_context(enable_metadata_routing=routing):
        eval(cure).set_params(dannclassifier__max_epochs=1).fit(X, Y, X_tgt)
    assert OneHotEncoder and StandardScaler and make_column_transformer and make_column_selector


def test_text_and_dates_are_both_named():
    X = towns(when=pd.date_range("2020", periods=12))
    said = fit_message(X, Y, X)
    assert "columns that are not numbers: ['town 0'] and columns of dates: ['when']" in said
    assert "OneHotEncoder(handle_unknown='ignore'), ['town 0'])" in said


@pytest.mark.parametrize(
    "when",
    [
        pd.date_range("2020", periods=12),
        pd.date_range("2020", periods=12, tz="Europe/Berlin"),
        pd.to_timedelta(np.arange(12), unit="h"),
    ],
    ids=["dates", "time zone", "durations"],
)
def test_the_cure_for_dates_runs_as_printed(when):
    X = pd.DataFrame({"age": rows()[:, 0], "when": when})
    said = fit_message(X, Y, X)
    assert "X has columns of dates: ['when']" in said and "OneHotEncoder" not in said
    cures = re.search(r"alike, such as (.*)\.$", said).group(1).split(" or ")
    for cure in cures:
        X_tgt = X.assign(when=eval(cure))
        classifier().fit(X_tgt, Y, X_tgt)


@pytest.mark.parametrize("dtype", ["datetime64[D]", "datetime64[ns]", "timedelta64[s]"])
def test_dates_in_an_array(dtype):
    X = np.arange(36).reshape(12, 3).astype(dtype)
    said = fit_message(X, Y, X)
    assert said.startswith(f"X has dtype {dtype}: dates and durations are not numbers.")
    cure = re.search(r"such as days: (.*)\.$", said).group(1)
    classifier().fit(eval(cure), Y, eval(cure))


def test_dates_as_objects_are_no_text():
    X = pd.DataFrame({"age": rows()[:, 0], "day": [datetime.date(2020, 1, 1)] * 12})
    assert "X has columns of dates: ['day']. Replace dates by numbers" in fit_message(X, Y, X)


# -- a fault of the target alone, behind steps that cured the source ---------------------------

WITH_NAN = np.where(rows() > 1, np.nan, rows())


@pytest.mark.parametrize(
    ("step", "raw"),
    [
        (SimpleImputer(), WITH_NAN),
        (make_column_transformer((OneHotEncoder(), ["town 0"]), remainder="passthrough"), towns()),
        (OneHotEncoder(handle_unknown="ignore"), np.array([["a"], ["b"]] * 6)),
        (OneHotEncoder(handle_unknown="ignore"), np.arange(12)[:, None] % 3),
    ],
    ids=["NaN", "text in a frame", "text in an array", "width"],
)
def test_in_a_pipeline_the_message_says_that_the_target_did_not_pass_the_steps(step, raw):
    pipe = make_pipeline(step, classifier())
    said = message(pipe.fit, raw, Y, dannclassifier__X_tgt=raw)
    assert said.startswith("X_tgt ")
    assert "Steps of a Pipeline transform X_tgt only in skdann.pipeline.make_dann_pipeline" in said
    assert "SimpleImputer" not in said and "OneHotEncoder" not in said
    # Both cures, as they are printed; "step, ..." stands for the pipeline's own steps.
    found = re.search(r"only in (skdann\..*), or after (sklearn\..*) in (make_pipeline.*)\.$", said)
    short, switch, long = (one.replace("...", "classifier()") for one in found.groups())
    eval(short).fit(raw, Y, raw)
    with sklearn.config_context():
        eval(switch)
        eval(long).fit(raw, Y, X_tgt=raw)


def test_the_cure_for_nan_runs_as_printed():
    said = fit_message(WITH_NAN, Y, WITH_NAN)
    cure = re.search(r"for example with (skdann\..*)\.$", said).group(1)
    assert SimpleImputer and skdann
    eval(cure).set_params(dannclassifier__max_epochs=1).fit(WITH_NAN, Y, WITH_NAN)


# -- shapes and labels --------------------------------------------------------------------------


def test_one_hot_labels():
    labels = np.eye(3)[np.arange(12) % 3]
    for y in (labels, labels.astype(int), pd.DataFrame(labels), labels.tolist()):
        said = fit_message(GOOD, y, GOOD)
        cure = re.search(r"one-hot labels: pass (.*)\.$", said).group(1)
        assert len(classifier().fit(GOOD, eval(cure), GOOD).classes_) == 3
    assert "one-hot" not in fit_message(GOOD, labels + 1, GOOD)


def test_regression_targets():
    y = GOOD[:, 0]
    said = fit_message(GOOD, y, GOOD)
    assert said.startswith("Unknown label type: continuous") and "There is no regressor" in said
    y = eval(re.search(r"for example y=(.*)\.$", said).group(1))
    assert len(classifier().fit(GOOD, y, GOOD).classes_) == 3


@pytest.mark.parametrize("container", [tuple, list])
@pytest.mark.parametrize(
    ("convert", "stack"),
    [
        (np.asarray, "np.vstack(X)"),
        (pd.DataFrame, "pd.concat(X)"),
        (sparse.csr_array, "scipy.sparse.vstack(X)"),
    ],
)
def test_several_sources(container, convert, stack):
    import scipy  # noqa: F401 - the cure names it

    X = container([convert(rows()), convert(rows(6))])
    y = container([Y, Y[:6]])
    said = fit_message(X, y, GOOD)
    found = re.search(r"X=(.*) and y=(.*)\.$", said)
    assert found.group(1) == stack
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        classifier().fit(eval(found.group(1)), eval(found.group(2)), GOOD)
    assert "y=np.concatenate(y)" in fit_message(rows(18), y, GOOD)


@pytest.mark.parametrize(
    ("shape", "names"),
    [
        ((2, 40), ["TimeSeries"]),
        ((20, 20), ["TimeSeries", "MNIST"]),
        ((3, 16, 18), ["MNIST"]),
        ((1, 8, 7), ["SVHN"]),
        ((2, 6, 7), []),
        ((2, 8, 7, 8), []),
    ],
)
def test_series_and_images_are_told_a_feature_extractor_that_takes_them(shape, names):
    X = np.random.default_rng(0).normal(size=(12, *shape)).astype(np.float32)
    said = fit_message(X, Y, X)
    assert said.startswith(f"Found array with dim {X.ndim}: X has shape {X.shape}, but without a f")
    of_target = fit_message(GOOD, Y, X)
    assert of_target.startswith(f"Found array with dim {X.ndim}: X_tgt has shape {X.shape}, but X")
    named = re.findall(r"feature_extractor=(skdann\.networks\.(\w+)FeatureExtractor)", said)
    assert [name for _, name in named] == names
    for cure, name in named:
        assert cure in of_target
        rows_of_it = X[:, None] if (X.ndim, name) == (3, "MNIST") else X
        module = eval(cure)
        classifier(feature_extractor=module, max_epochs=1).fit(rows_of_it, Y, rows_of_it)
    flat = re.search(r"flatten them: (.*)\.$", said).group(1)
    classifier().fit(eval(flat), Y, eval(flat))


def test_weights_as_the_third_argument():
    for weights in (np.ones(12), [1.0] * 12):
        said = fit_message(GOOD, Y, weights)
        assert said.startswith("X_tgt is one-dimensional; pass weights as sample_weight=")


def test_a_row_of_a_frame():
    table = pd.DataFrame(GOOD, columns=list("abc"))
    fitted = classifier().fit(table, Y, table)
    sentence = "Expected a 2-dimensional container but got <class 'pandas"
    assert message(fitted.predict, table.iloc[0]).startswith(sentence)
    assert fit_message(table["a"], Y, table["a"]).startswith(sentence)
    assert "as X_tgt instead" in fit_message(table, Y, table["a"])


# -- names of arguments -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "make",
    [classifier, DANNClassifierCV, lambda: make_dann_pipeline(StandardScaler(), classifier())],
    ids=["classifier", "CV", "pipeline"],
)
def test_names_of_the_readme_are_explained(make):
    said = message(make().fit, X_src=GOOD, y_src=Y, X_tgt=GOOD, error=TypeError)
    assert said.startswith("fit() got an unexpected keyword argument 'X_src'.")
    assert "fit(X=X_src, y=y_src, ...)" in said
    said = message(make().fit, X=GOOD, y=Y, X_tgt=GOOD, y_target=Y, error=TypeError)
    assert "fit(y_tgt=y_target, ...)" in said


def test_partial_fit_and_other_mistakes():
    said = message(classifier().partial_fit, GOOD, Y, X_target=GOOD, error=TypeError)
    assert "partial_fit(X_tgt=X_target, ...)" in said
    said = message(classifier().fit, GOOD, Y, nonsense=1, error=TypeError)
    assert said.endswith("got an unexpected keyword argument 'nonsense'")


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_signatures_are_the_methods_own(method):
    names = list(inspect.signature(getattr(DANNClassifier, method)).parameters)
    assert names[:4] == ["self", "X", "y", "X_tgt"] and "kwargs" not in names
    requests = get_routing_for_object(DANNClassifier())
    passed = ["X_tgt", "X_src", "y_tgt", "y_target"]
    assert requests.consumes("fit", passed) == {"X_tgt", "y_tgt"}


# -- groups -------------------------------------------------------------------------------------


def test_a_splitter_of_groups_without_groups():
    said = message(folds_of, GroupKFold(3), Y)
    assert said.startswith("cv=GroupKFold(") and "fit(..., groups=...)" in said
    groups = np.arange(12) // 3
    assert len(folds_of(GroupKFold(3), Y, groups)) == len(folds_of(KFold(3), Y)) == 3
    said = message(folds_of, GroupKFold(30), Y, groups)
    assert "can't divide X" in said and "groups=" not in said
