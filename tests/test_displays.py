"""The displays of rows, training, columns and class shares: what they draw, not how it looks."""

import sys

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.compose import make_column_transformer
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from skdann import DANNClassifier, displays
from skdann.datasets import make_rotated_moons
from skdann.displays import (
    ClassShareDisplay,
    DomainConfusionDisplay,
    EmbeddingDisplay,
    FeatureShiftDisplay,
    TrainingCurveDisplay,
)
from skdann.metrics import estimate_class_shares, feature_shift, proxy_a_distance
from skdann.pipeline import make_dann_pipeline


@pytest.fixture(scope="module")
def moons():
    X, y, X_tgt, y_tgt = make_rotated_moons(60, random_state=0)
    return X, np.where(y, "up", "down"), X_tgt, np.where(y_tgt, "up", "down")


def plain_dann(**parameters):
    options = {"lambda_max": 1.0, "max_epochs": 2, "random_state": 0, "hidden_layer_sizes": (8,)}
    return DANNClassifier(**(options | parameters))


@pytest.fixture(scope="module")
def fitted(moons):
    return plain_dann(input_scaling="domain").fit(*moons[:3])


@pytest.fixture(scope="module")
def frames():
    """A source and a target table with text and gaps; the target's weights are in pounds."""
    rng = np.random.default_rng(0)
    tables = []
    for unit, missing in ((1.0, 0.0), (2.2, 0.3)):
        table = pd.DataFrame({"age": rng.normal(50, 9, 60), "weight": unit * rng.normal(70, 5, 60)})
        table["ward"] = rng.choice(["north", "south"], 60)
        table.loc[rng.random(60) < missing, "age"] = np.nan
        tables.append(table)
    return tables[0], rng.choice(["ill", "well"], 60), tables[1]


@pytest.fixture(scope="module")
def pipeline(frames):
    columns = make_column_transformer(
        (SimpleImputer(), ["age", "weight"]), (OneHotEncoder(), ["ward"])
    )
    X, y, X_tgt = frames
    return make_dann_pipeline(columns, plain_dann(input_scaling="domain")).fit(X, y, X_tgt)


def entries(legend):
    return [text.get_text() for text in legend.get_texts()]


# -- all of them ---------------------------------------------------------------------------------


def every_display(fitted, moons):
    X, y, X_tgt, y_tgt = moons
    yield EmbeddingDisplay.from_estimator(fitted, X, y, X_tgt)
    yield TrainingCurveDisplay.from_estimator(fitted)
    yield FeatureShiftDisplay.from_estimator(fitted, X, X_tgt)
    yield DomainConfusionDisplay.from_estimator(fitted, X, X_tgt)
    yield ClassShareDisplay.from_estimator(fitted, X, y, X_tgt, y_tgt=y_tgt)


def test_nothing_changes_the_settings_of_matplotlib(fitted, moons):
    before = mpl.rcParams.copy()
    for display in every_display(fitted, moons):
        display.figure_.canvas.draw()
    assert mpl.rcParams == before


def test_plot_draws_again_in_axes_of_the_user_and_returns_the_display(fitted, moons):
    for display in every_display(fitted, moons):
        first = display.figure_
        figure, (left, right) = plt.subplots(1, 2, figsize=(12, 6))
        n_axes = len(figure.axes)
        assert display.plot(left) is display
        assert display.figure_ is figure is not first
        assert not right.lines and not right.collections
        assert len(figure.axes) >= n_axes
        figure.canvas.draw()


def test_an_array_of_axes_is_used_as_it_is(fitted, moons):
    axes = plt.subplots(1, 2)[1]
    display = TrainingCurveDisplay.from_estimator(
        fitted, curves=["label_loss", "domain_loss"], ax=axes
    )
    assert display.axes_.ravel().tolist() == axes.tolist()
    with pytest.raises(ValueError, match=r"ax has 2 axes, but 6 are needed. Pass ax=None"):
        TrainingCurveDisplay.from_estimator(fitted, ax=axes)


def test_without_matplotlib_the_cure_is_told(fitted, moons, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(ImportError, match=r"from_estimator needs matplotlib.*skdann\[plots\]"):
        TrainingCurveDisplay.from_estimator(fitted)


def test_every_display_is_exported_in_alphabetical_order():
    assert displays.__all__ == sorted(displays.__all__)
    assert len(displays.__all__) == 7


def test_what_is_not_fitted_is_refused(moons):
    X, y, X_tgt, _ = moons
    with pytest.raises(NotFittedError):
        EmbeddingDisplay.from_estimator(plain_dann(), X, y, X_tgt)
    with pytest.raises(NotFittedError):
        TrainingCurveDisplay.from_estimator(make_dann_pipeline(StandardScaler()))


class LastTwo:
    def fit_transform(self, X, y=None):
        return X[:, -2:]


# -- embeddings ----------------------------------------------------------------------------------


def test_the_embedding_is_the_estimators_in_its_principal_plane(fitted, moons):
    X, y, X_tgt, y_tgt = moons
    display = EmbeddingDisplay.from_estimator(fitted, X, y, X_tgt, y_tgt=y_tgt)
    source = fitted.transform(X, domain="source")
    target = fitted.transform(X_tgt, domain="target")
    expected = PCA(2, random_state=0).fit_transform(np.concatenate([source, target]))
    after = np.concatenate(display.points["after: embedding, lambda 1"])
    assert_allclose(after, expected, atol=1e-4)
    drawn = display.scatters_[0, 1]
    assert_allclose(drawn["source"].get_offsets(), expected[:60], atol=1e-4)
    assert_allclose(drawn["target"].get_offsets(), expected[60:], atol=1e-4)


def test_two_input_columns_stay_as_they_are_but_for_the_sources_scale(fitted, moons):
    X, y, X_tgt, _ = moons
    source, target = EmbeddingDisplay.from_estimator(fitted, X, y, X_tgt).points["before: inputs"]
    scaler = StandardScaler().fit(X)
    assert_allclose(source, scaler.transform(X), atol=1e-6)
    assert_allclose(target, scaler.transform(X_tgt), atol=1e-6)


def test_classes_are_drawn_apart_by_color_and_by_mark(fitted, moons):
    X, y, X_tgt, y_tgt = moons
    display = EmbeddingDisplay.from_estimator(fitted, X, y, X_tgt, y_tgt=y_tgt)
    assert display.axes_.shape == (2, 2)
    marks = display.scatters_[1, 0]
    for label in ("down", "up"):
        assert len(marks["source", label].get_offsets()) == (y == label).sum()
        assert len(marks["target", label].get_offsets()) == (y_tgt == label).sum()
    down, up = marks["source", "down"], marks["source", "up"]
    assert not np.array_equal(down.get_facecolor(), up.get_facecolor())
    assert len(down.get_paths()[0].vertices) != len(up.get_paths()[0].vertices)
    assert len(marks["target", "up"].get_facecolor()) == 0  # open marks
    legend = entries(display.axes_[1, 1].get_legend())
    assert legend == ["down", "up", "source, 60 rows", "target, 60 rows,\ntrue labels"]


def test_target_classes_are_the_predicted_ones_without_labels(fitted, moons):
    X, y, X_tgt, _ = moons
    display = EmbeddingDisplay.from_estimator(fitted, X, y, X_tgt, color_by="class")
    assert display.axes_.shape == (1, 2)
    assert_array_equal(display.y_tgt, fitted.predict(X_tgt, domain="target"))
    assert entries(display.axes_[0, 1].get_legend())[-1].endswith("predicted labels")


def test_few_of_many_rows_are_drawn_and_the_legend_says_so(fitted, moons):
    X, y, X_tgt, _ = moons
    many = [np.tile(X, (40, 1)), np.tile(y, 40), (np.tile(X_tgt, (20, 1)), X_tgt)]
    drawn = EmbeddingDisplay.from_estimator(fitted, *many, max_points=50, reducer=LastTwo())
    source, target = drawn.points["after: embedding, lambda 1"]
    assert len(source) == 50 and 50 <= len(target) <= 51
    shown = entries(drawn.axes_[0, 1].get_legend())
    assert shown == ["source, 50 of 2,400 rows", f"target, {len(target)} of 1,260 rows"]
    everything = fitted.transform(X, domain="source")[:, -2:]
    for point, label in zip(source, drawn.y_src, strict=True):  # a point keeps its own label
        assert label in y[np.isclose(everything, point, atol=1e-5).all(axis=1)]
    # Target labels too, where there are two targets: those of the second are others here.
    y_tgt = np.tile(moons[3], 20), np.full(60, "second")
    labelled = EmbeddingDisplay.from_estimator(fitted, *many, y_tgt=y_tgt, max_points=50)
    assert (labelled.y_tgt == "second").sum() == round(50 * 60 / 1260)
    again = EmbeddingDisplay.from_estimator(fitted, *many, max_points=50, reducer=LastTwo())
    assert_array_equal(again.points["after: embedding, lambda 1"][0], source)


def test_a_baselines_embedding_is_before(fitted, moons):
    X, y, X_tgt, _ = moons
    baseline = plain_dann(lambda_max=0).fit(X, y, X_tgt)
    display = EmbeddingDisplay.from_estimator(fitted, X, y, X_tgt, baseline=baseline)
    assert list(display.points) == ["before: embedding, lambda 0", "after: embedding, lambda 1"]
    with pytest.raises(TypeError, match="baseline must have an embedding"):
        other = LogisticRegression().fit(X, y)
        EmbeddingDisplay.from_estimator(fitted, X, y, X_tgt, baseline=other)


def test_any_reducer_makes_the_plane(fitted, moons):
    X, y, X_tgt, _ = moons
    display = EmbeddingDisplay.from_estimator(fitted, X, y, X_tgt, reducer=LastTwo())
    expected = fitted.transform(X, domain="source")[:, -2:]
    assert_allclose(display.points["after: embedding, lambda 1"][0], expected, atol=1e-6)
    assert display.axes_[0, 1].get_xlabel() == "LastTwo 1"
    with pytest.raises(ValueError, match="reducer made an array of shape"):
        EmbeddingDisplay.from_estimator(fitted, X, y, X_tgt, reducer=PCA(1))


def test_frames_with_text_pass_the_steps_of_a_pipeline(pipeline, frames):
    X, y, X_tgt = frames
    display = EmbeddingDisplay.from_estimator(pipeline, X, y, X_tgt)
    assert list(display.points) == ["before: inputs", "after: embedding, lambda 1"]


def test_embeddings_at_hand_are_drawn_sparse_and_single_columns_too():
    rng = np.random.default_rng(0)
    words = sparse.csr_array(sparse.random(40, 30, density=0.2, random_state=0))
    panels = {"words": (words[:25], words[25:]), "one": (rng.random((25, 1)), rng.random((15, 1)))}
    display = EmbeddingDisplay.from_predictions(panels)
    assert display.axes_.shape == (1, 2)
    assert display.axes_[0, 1].get_ylabel() == "random"
    panels["one"] = panels["one"][0], np.ones((3, 1))
    with pytest.raises(ValueError, match=r"embeddings\['one'\] has \[25, 3\] rows"):
        EmbeddingDisplay.from_predictions(panels)


def test_many_classes_are_named_where_they_are():
    rng = np.random.default_rng(0)
    labels = np.arange(40) % 10
    display = EmbeddingDisplay.from_predictions(
        {"raw": rng.random((2, 40, 2))}, labels, labels, color_by="class"
    )
    assert [text.get_text() for text in display.axes_[0, 0].texts] == [str(i) for i in range(10)]
    names = np.array([f"a class with a long name {i}" for i in range(10)])[labels]
    display = EmbeddingDisplay.from_predictions(
        {"raw": rng.random((2, 40, 2))}, names, names, color_by="class"
    )
    assert display.axes_[0, 0].texts[0].get_text() == "1"
    assert entries(display.axes_[0, 0].get_legend())[0] == "1 a class with a long name 0"


def test_bad_arguments_of_embeddings(fitted, moons):
    X, y, X_tgt, _ = moons
    with pytest.raises(ValueError, match="color_by must be one of"):
        EmbeddingDisplay.from_estimator(fitted, X, y, X_tgt, color_by="label")
    with pytest.raises(ValueError, match="color_by='class' needs labels"):
        EmbeddingDisplay.from_estimator(fitted, X, None, X_tgt, color_by="class")
    with pytest.raises(ValueError, match="y_src has 59 labels, but there are 60 rows"):
        EmbeddingDisplay.from_estimator(fitted, X, y[1:], X_tgt)
    with pytest.raises(ValueError, match="X_src and X_tgt must be rows"):
        EmbeddingDisplay.from_estimator(fitted, X, y, None)


# -- training curves -----------------------------------------------------------------------------


def test_curves_are_those_of_the_history(fitted):
    display = TrainingCurveDisplay.from_estimator(fitted)
    assert list(display.lines_) == ["label_loss", "domain_loss", "domain_accuracy", "lambda", "lr"]
    for name, line in display.lines_.items():
        assert_array_equal(line.get_ydata(), [row[name] for row in fitted.history_])
        assert_array_equal(line.get_xdata(), [1, 2])
    assert_allclose(display.chance_lines_["domain_loss"].get_ydata(), np.log(2))
    assert_allclose(display.chance_lines_["domain_accuracy"].get_ydata(), 0.5)
    assert entries(display.axes_[0, -1].get_legend()) == ["training", "a guess"]


def test_rows_held_out_and_members_have_curves(moons):
    ensemble = plain_dann(n_members=2, early_stopping=True).fit(*moons[:3])
    display = TrainingCurveDisplay.from_estimator(ensemble)
    held_out = [row["valid_label_loss"] for row in ensemble.history_]
    assert_array_equal(display.lines_["valid_label_loss"].get_ydata(), held_out)
    assert {name: len(lines) for name, lines in display.member_lines_.items()} == {
        "label_loss": 2,
        "domain_loss": 2,
        "domain_accuracy": 2,
    }
    second = [row["members"][1]["label_loss"] for row in ensemble.history_]
    assert_array_equal(display.member_lines_["label_loss"][1].get_ydata(), second)
    assert "rows held out" in entries(display.axes_[0, -1].get_legend())


def test_without_a_target_there_is_nothing_of_adaptation(moons):
    source_only = plain_dann(lambda_max=0).fit(*moons[:2])
    display = TrainingCurveDisplay.from_estimator(source_only)
    assert list(display.lines_) == ["label_loss", "lr"]
    with pytest.raises(ValueError, match=r"curves must be of \['label_loss', 'lr'\]"):
        display.plot(curves="domain_loss")


def test_with_two_targets_no_loss_of_a_guess_is_drawn(moons):
    X, y, X_tgt, _ = moons
    display = TrainingCurveDisplay.from_estimator(plain_dann().fit(X, y, (X_tgt, X_tgt)))
    assert list(display.chance_lines_) == ["domain_accuracy"]


def test_what_keeps_no_history_is_refused(moons):
    with pytest.raises(TypeError, match="must be a DANNClassifier"):
        TrainingCurveDisplay.from_estimator(LogisticRegression().fit(*moons[:2]))


# -- columns -------------------------------------------------------------------------------------


def test_columns_stand_in_the_order_of_their_shift(frames):
    X, _, X_tgt = frames
    display = FeatureShiftDisplay.from_data(X, X_tgt)
    shifts = feature_shift(X, X_tgt)
    assert display.features_ == ["weight", "age", "ward"]
    widths = [bar.get_width() for bar in display.bars_]
    assert_allclose(widths, shifts["shift"][[1, 0, 2]])
    assert [label.get_text() for label in display.ax_.get_yticklabels()] == display.features_
    assert display.ax_.get_ylim()[0] > display.ax_.get_ylim()[1]  # the first is on top
    assert_allclose(display.chance_marks_.get_xdata(), shifts["chance"][[1, 0, 2]])
    assert [bar.get_alpha() < 1 for bar in display.bars_] == [False, True, True]
    assert [bar.get_hatch() is None for bar in display.bars_] == [True, True, False]


def test_missing_values_have_a_mark_of_their_own(frames):
    X, _, X_tgt = frames
    display = FeatureShiftDisplay.from_data(X, (X_tgt[:20], X_tgt[20:]))
    assert_allclose(display.missing_marks_.get_xdata(), [X_tgt["age"].isna().mean()])
    assert display.missing_marks_.get_ydata().tolist() == [1]
    assert "shares missing" in entries(display.ax_.get_legend())
    assert FeatureShiftDisplay.from_data(X, X).missing_marks_ is None


def test_a_column_of_names_does_not_come_first():
    source = pd.DataFrame({"name": [f"s{i}" for i in range(80)], "size": np.arange(80.0)})
    target = pd.DataFrame({"name": [f"t{i}" for i in range(80)], "size": np.arange(80.0) + 40})
    assert FeatureShiftDisplay.from_data(source, target).features_ == ["size", "name"]


def test_at_most_so_many_columns_are_shown_under_different_names():
    rng = np.random.default_rng(0)
    names = [f"a_very_long_beginning_of_a_name_{i}_and_a_very_long_end_of_it" for i in range(30)]
    source, target = (pd.DataFrame(rng.random((50, 30)), columns=names) for _ in range(2))
    display = FeatureShiftDisplay.from_data(source, target, max_features=7)
    labels = [label.get_text() for label in display.ax_.get_yticklabels()]
    assert len(labels) == len(set(labels)) == len(display.bars_) == 7
    assert max(map(len, labels)) <= 28
    assert "7 of 30 columns; 50 source rows, 50 target rows" in display.ax_.get_title()
    with pytest.raises(ValueError, match="max_features=0"):
        display.plot(max_features=0)


def test_scaling_each_domain_by_its_own_takes_the_shift_away(pipeline, frames):
    X, _, X_tgt = frames
    display = FeatureShiftDisplay.from_estimator(pipeline, X, X_tgt)
    assert display.features_[0] == "weight"  # without the names of the steps
    assert display.bars_[0].get_width() == 1.0
    assert display.scaled_shift[1] < 0.4
    order = [("age", "weight", "ward_north", "ward_south").index(n) for n in display.features_]
    assert_allclose(display.scaled_marks_.get_xdata(), display.scaled_shift[order])


def test_without_an_input_scaling_there_is_nothing_after_it(moons):
    X, y, X_tgt, _ = moons
    unscaled = plain_dann(input_scaling=None).fit(X, y, X_tgt)
    assert FeatureShiftDisplay.from_estimator(unscaled, X, X_tgt).scaled_marks_ is None


def test_several_targets_are_each_scaled_by_their_own(moons):
    X, y, X_tgt, _ = moons
    targets = X_tgt + 5, X_tgt - 5
    fitted = plain_dann(input_scaling="domain").fit(X, y, targets)
    display = FeatureShiftDisplay.from_estimator(fitted, X, targets)
    own = feature_shift(StandardScaler().fit_transform(X), StandardScaler().fit_transform(X_tgt))
    assert_allclose(display.scaled_shift, own["shift"], atol=0.04)


# -- domain confusion ----------------------------------------------------------------------------


def test_the_distance_is_the_proxy_a_distance(fitted, moons):
    X, _, X_tgt, _ = moons
    display = DomainConfusionDisplay.from_estimator(fitted, X, X_tgt)
    seed = np.random.RandomState(0).randint(2**31)
    embeddings = fitted.transform(X, domain="source"), fitted.transform(X_tgt, domain="target")
    assert_allclose(
        display.distances["embedding, lambda 1"], proxy_a_distance(*embeddings, random_state=seed)
    )


def test_inputs_are_told_apart_by_trees_where_lines_cannot(fitted):
    # Turned moons have the same means.
    X, _, X_tgt, _ = make_rotated_moons(200, random_state=0)
    display = DomainConfusionDisplay.from_estimator(fitted, X, X_tgt)
    assert display.distances["inputs"] > 1.0
    lines = DomainConfusionDisplay.from_estimator(fitted, X, X_tgt, classifier=LogisticRegression())
    assert lines.distances["inputs"] < 0.5


def test_histograms_are_shares_of_each_domain(fitted, moons):
    X, _, X_tgt, _ = moons
    display = DomainConfusionDisplay.from_estimator(fitted, X, X_tgt[:20])
    source, target = display.histograms_["inputs"]
    expected = np.histogram(display.proba["inputs"][0], source[1])[0] / 60
    assert_allclose(source[0], expected)
    assert_allclose(target[0].sum(), 1.0)
    assert len(display.proba["inputs"][1]) == 20
    assert "proxy A-distance" in display.axes_[0, 0].get_title()
    assert entries(display.axes_[0, -1].get_legend()) == ["source, 60 rows", "target, 20 rows"]
    assert target[2][0].get_hatch()  # told apart without colour


def test_domains_that_differ_clearly_lie_at_the_ends(fitted, moons):
    X, _, X_tgt, _ = moons
    display = DomainConfusionDisplay.from_estimator(fitted, X, X_tgt + 50, max_rows=40)
    source, target = display.proba["inputs"]
    assert source.max() < 0.5 < target.min() and len(source) == 40
    assert display.distances["inputs"] == 2.0


def test_a_baseline_is_a_panel_between(fitted, moons):
    X, y, X_tgt, _ = moons
    baseline = plain_dann(lambda_max=0).fit(X, y, X_tgt)
    display = DomainConfusionDisplay.from_estimator(fitted, X, X_tgt, baseline=baseline)
    titles = ["inputs", "baseline: embedding, lambda 0", "embedding, lambda 1"]
    assert list(display.distances) == titles


def test_probabilities_at_hand_are_checked(fitted, moons):
    X, _, X_tgt, _ = moons
    proba = fitted.predict_domain_proba(X), fitted.predict_domain_proba(X_tgt)
    display = DomainConfusionDisplay.from_predictions(*proba, name="own")
    assert list(display.distances) == ["own"]
    with pytest.raises(ValueError, match="proba_target must be one probability"):
        DomainConfusionDisplay.from_predictions([0.1], [1.2])


# -- class shares --------------------------------------------------------------------------------


def test_shares_are_counted_estimated_and_predicted(fitted, moons):
    X, y, X_tgt, y_tgt = moons
    X, y = X[:45], y[:45]
    display = ClassShareDisplay.from_estimator(fitted, X, y, X_tgt, y_tgt=y_tgt)
    assert list(display.marks_) == ["source", "estimated", "predicted", "true"]
    assert_allclose(display.shares["source"], [(y == label).mean() for label in ("down", "up")])
    assert_allclose(display.shares["true"], [0.5, 0.5])
    labels = fitted.predict(X_tgt, domain="target")
    assert_allclose(display.shares["predicted"][1], (labels == "up").mean())
    proba = fitted.predict_proba(X_tgt, domain="target"), fitted.predict_proba(X, domain="source")
    assert_allclose(display.shares["estimated"], estimate_class_shares(proba[0], y, proba[1]))
    for kind, container in display.marks_.items():
        assert_allclose(container.lines[0].get_xdata(), display.shares[kind])


def test_errors_are_those_of_sampling():
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1], [150, 50])
    proba = np.eye(2)[y] * 0.6 + 0.2
    display = ClassShareDisplay.from_predictions(y, proba, proba[rng.permutation(200)][:50])
    assert_allclose(display.errors["source"], np.sqrt(0.75 * 0.25 / 200))
    # The classifier is never wrong: the estimate is as unsure as the counted share of 50 rows.
    assert_allclose(display.errors["estimated"], np.sqrt(0.75 * 0.25 / 50), rtol=0.35)
    assert "true" not in display.marks_
    (bars,) = display.marks_["source"].lines[2]
    widths = [np.ptp(segment[:, 0]) for segment in bars.get_segments()]
    assert_allclose(widths, 4 * display.errors["source"])  # two to each side


def test_shares_that_the_network_was_fitted_with_are_shown(moons):
    X, y, X_tgt, _ = moons
    given = plain_dann(label_shift={"down": 0.2, "up": 0.8}).fit(X, y, X_tgt)
    display = ClassShareDisplay.from_estimator(given, X, y, X_tgt)
    assert_allclose(display.shares["estimated"], [0.2, 0.8])
    assert "estimated" not in display.errors


def test_the_most_frequent_of_many_classes_are_shown():
    y = np.repeat(np.arange(40), np.arange(1, 41))
    proba = np.eye(40)[y]
    display = ClassShareDisplay.from_predictions(y, proba, proba, max_classes=10)
    assert display.order_ == list(range(30, 40))
    assert display.ax_.get_ylabel() == "10 of 40 classes"
    with pytest.raises(ValueError, match="max_classes=0"):
        display.plot(max_classes=0)


def test_unknown_target_labels_are_refused(fitted, moons):
    X, y, X_tgt, y_tgt = moons
    with pytest.raises(ValueError, match=r"y_tgt has labels .* not know: \['left'\]"):
        ClassShareDisplay.from_estimator(
            fitted, X, y, X_tgt, y_tgt=np.where(y_tgt == "up", "left", y_tgt)
        )
