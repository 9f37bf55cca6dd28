"""The displays of a choice: candidates, evidence and the path along lambda."""

import numpy as np
import pytest
from matplotlib.colors import to_rgba
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.preprocessing import StandardScaler

from skdann import DANNClassifier, DANNClassifierCV
from skdann._choosing.gain_model import LEAST_BOUND, LEAST_GAIN, SEARCH_GAIN, SEARCH_LEAST_GAIN
from skdann.datasets import make_rotated_moons
from skdann.displays import ChoiceDisplay, LambdaPathDisplay
from skdann.displays._style import CHOSEN
from skdann.model_selection import adaptation_scoring, choose_adaptation
from skdann.pipeline import make_dann_pipeline


@pytest.fixture(scope="module")
def moons():
    """Source and target; the target's second column is moved, which scaling can undo."""
    X, y, X_tgt, y_tgt = make_rotated_moons(90, rotation=10, random_state=0)
    return X, y, X_tgt + np.array([0.0, 4.0]), y_tgt


def small(**parameters):
    options = {"hidden_layer_sizes": (8,), "max_epochs": 10, "lr": 0.01, "random_state": 0}
    return DANNClassifier(**(options | parameters))


@pytest.fixture(scope="module")
def chosen(moons):
    """A classifier that chose a scaling of each domain by its own."""
    return small(input_scaling=("source", "domain"), max_epochs=30).fit(*moons[:3])


@pytest.fixture(scope="module")
def cross_validated(moons):
    estimator = small(n_members=2)
    return DANNClassifierCV([0, 1], ["source", "domain"], estimator=estimator, cv=2).fit(*moons[:3])


@pytest.fixture(scope="module")
def search(moons):
    X, y, X_tgt, _ = moons
    grid = {"dannclassifier__lambda_max": [1.0, 0], "dannclassifier__lr": [0.01]}
    return GridSearchCV(
        make_dann_pipeline(StandardScaler(), small()),
        grid,
        cv=3,
        scoring=adaptation_scoring((X_tgt,)),
        refit=choose_adaptation,
    ).fit(X, y, X_tgt=(X_tgt,))


def row_names(display):
    return [label.get_text() for label in display.axes_[0, 0].get_yticklabels()]


def legend_of(display):
    return [text.get_text() for text in display.axes_[0, -1].get_legend().get_texts()]


# -- choices -------------------------------------------------------------------------------------


def test_every_candidate_has_its_evidence(chosen):
    assert chosen.adapted_  # otherwise half of what is tested here is not there
    display, results = ChoiceDisplay.from_estimator(chosen), chosen.cv_results_
    panels = ["expected_gain", "reverse_validation", "reverse_probability", "info_max", "agreement"]
    assert list(display.marks_) == panels
    assert sorted(display.order_) == list(range(6))
    for name in panels:
        column = name if name == "expected_gain" else f"gain_{name}"
        drawn = [mark.get_xdata()[0] for mark in display.marks_[name]]
        assert_allclose(drawn, results[column][display.order_])
    lengths = [np.ptp(line.get_xdata()) / 2 for line in display.axes_[0, 1].lines[:12:2]]
    assert_allclose(lengths, results["error_reverse_validation"][display.order_], atol=1e-12)
    bounds = [line.get_xdata()[0] for line in display.bounds_]
    assert_allclose(bounds, results["gain_lower_bound"][display.order_])
    limits = {name: line.get_xdata()[0] for name, line in display.limit_lines_.items()}
    assert limits == {"least_gain": LEAST_GAIN, "least_bound": LEAST_BOUND}


def test_the_chosen_candidate_is_a_star_in_bold(chosen):
    display = ChoiceDisplay.from_estimator(chosen)
    assert display.candidates["candidate"][display.chosen] == (
        f"input_scaling={chosen.input_scaling_}, lambda_max={chosen.lambda_max_:g}"
    )
    row = display.order_.index(display.chosen)
    marks = [line.get_marker() for line in display.marks_["agreement"]]
    assert marks.count("*") == 1 and marks[row] == "*"
    labels = display.axes_[0, 0].get_yticklabels()
    assert [label.get_fontweight() == "bold" for label in labels].index(True) == row
    assert marks[display.order_.index(0)] == "s"  # the baseline
    assert "without adaptation" in legend_of(display)


def test_candidates_that_pass_and_others_are_told_apart(chosen):
    display, results = ChoiceDisplay.from_estimator(chosen), chosen.cv_results_
    for row, i in enumerate(display.order_):
        mark = display.marks_["info_max"][row]
        if i in (0, display.chosen):
            continue
        if results["passes"][i]:
            assert mark.get_marker() == "o" and to_rgba(mark.get_color()) == to_rgba(CHOSEN)
        elif np.isnan(results["split1_test_agreement"][i]):
            assert mark.get_marker() == "x"
        else:
            assert mark.get_markerfacecolor() == "white"


def test_target_accuracy_is_that_of_each_candidate_fitted_alone(chosen, moons):
    X, y, X_tgt, y_tgt = moons
    display = ChoiceDisplay.from_estimator(chosen, X, y, (X_tgt[:40], X_tgt[40:]), y_tgt)
    assert list(display.marks_)[-1] == "target_accuracy"
    display = ChoiceDisplay.from_estimator(chosen, *moons)
    accuracy = display.candidates["target_accuracy"]
    assert accuracy[display.chosen] == chosen.score(X_tgt, y_tgt, domain="target")
    baseline = small(max_epochs=30, input_scaling="source", lambda_max=0).fit(X, y, X_tgt)
    assert accuracy[0] == baseline.score(X_tgt, y_tgt, domain="target")
    assert accuracy[display.chosen] > accuracy[0] + 0.1
    shown = [mark.get_xdata()[0] for mark in display.marks_["target_accuracy"]]
    assert_allclose(shown, accuracy[display.order_])


def test_the_baseline_of_a_pool_learns_nothing_from_the_target_that_of_a_search_may(
    chosen, search, moons, monkeypatch
):
    fitted_with = []
    monkeypatch.setattr(
        "skdann.displays._choice.refitted_accuracies",
        lambda template, params, *rows: fitted_with.append(params) or np.zeros(len(params)),
    )
    ChoiceDisplay.from_estimator(chosen, *moons)
    ChoiceDisplay.from_search(search, *moons)
    of_pool, of_search = fitted_with
    informed = [one.get("target_information", "as given") for one in of_pool]
    assert informed == [0.0, "as given", "as given"] * 2
    assert of_search == search.cv_results_["params"]


def test_candidates_of_a_pipeline_are_fitted_on_transformed_rows(moons):
    X, y, X_tgt, y_tgt = moons
    pipe = make_dann_pipeline(StandardScaler(), small(input_scaling="source", lambda_max=(0, 1)))
    display = ChoiceDisplay.from_estimator(pipe.fit(X, y, X_tgt), *moons)
    scaler = StandardScaler().fit(X)
    alone = small(input_scaling="source", lambda_max=0)
    alone.fit(scaler.transform(X), y, scaler.transform(X_tgt))
    expected = alone.score(scaler.transform(X_tgt), y_tgt)
    assert display.candidates["target_accuracy"][0] == expected


def test_all_of_a_cross_validated_pool_are_shown(cross_validated, moons):
    display = ChoiceDisplay.from_estimator(cross_validated)
    results = cross_validated.cv_results_
    assert display.chosen == cross_validated.best_index_
    assert_array_equal(display.order_, np.argsort(-results["expected_gain"], kind="stable"))
    assert "dropped after one fold" not in legend_of(display)
    display.plot(max_candidates=2)
    assert set(display.order_) == {0, display.chosen} or len(display.order_) == 2
    assert display.axes_[0, 0].get_ylabel() == "2 of 4 candidates"
    accuracy = ChoiceDisplay.from_estimator(cross_validated, *moons).candidates["target_accuracy"]
    assert accuracy[display.chosen] == cross_validated.score(*moons[2:], domain="target")


def test_a_choice_by_one_signal_has_no_expected_gain(moons):
    pool = DANNClassifierCV([0, 1], ["source"], estimator=small(), cv=2, scoring="confidence")
    display = ChoiceDisplay.from_estimator(pool.fit(*moons[:3]))
    assert "expected_gain" not in display.marks_ and "confidence" in display.marks_
    assert not display.limit_lines_


def test_a_search_is_shown_by_its_scores(search, moons):
    display = ChoiceDisplay.from_search(search)
    results = search.cv_results_
    assert display.baseline == 1 and display.chosen == search.best_index_
    assert list(display.marks_) == ["expected_gain", "reverse_validation", "info_max", "confidence"]
    gains = {n: np.diff(results[f"mean_test_{n}"][::-1])[0] for n in SEARCH_GAIN}
    expected = sum(weight * gains[name] for name, weight in SEARCH_GAIN.items())
    assert_allclose(display.candidates["expected_gain"], [expected, 0.0], atol=1e-9)
    assert_allclose(display.limit_lines_["least_gain"].get_xdata()[0], SEARCH_LEAST_GAIN)
    folds = [results[f"split{i}_test_info_max"] for i in range(3)]
    over = np.array([fold[0] - fold[1] for fold in folds])
    assert_allclose(display.candidates["error_info_max"], [over.std(ddof=1) / np.sqrt(3), 0.0])
    assert set(row_names(display)) == {"lambda_max=1", "lambda_max=0"}


def test_candidates_of_a_search_are_fitted_again_for_their_accuracy(search, moons):
    X, y, X_tgt, y_tgt = moons
    accuracy = ChoiceDisplay.from_search(search, *moons).candidates["target_accuracy"]
    for i, params in enumerate(search.cv_results_["params"]):
        alone = make_dann_pipeline(StandardScaler(), small()).set_params(**params)
        assert accuracy[i] == alone.fit(X, y, X_tgt).score(X_tgt, y_tgt)


def test_where_nothing_was_chosen_the_cure_is_told(moons, search):
    X, y, X_tgt, _ = moons
    plain = small(lambda_max=1.0).fit(X, y, X_tgt)
    for display in (ChoiceDisplay, LambdaPathDisplay):
        with pytest.raises(ValueError, match=r"chose nothing.*lambda_max='auto'"):
            display.from_estimator(plain)
    with pytest.raises(ValueError, match="chose nothing"):
        ChoiceDisplay.from_estimator(search)  # its best estimator is plain: from_search
    with pytest.raises(ValueError, match="go together"):
        ChoiceDisplay.from_search(search, X, y)
    other = GridSearchCV(LogisticRegression(), {"C": [1]}, cv=2).fit(X, y)
    with pytest.raises(ValueError, match="No candidate of the search has lambda_max=0"):
        ChoiceDisplay.from_search(other)
    with pytest.raises(ValueError, match="max_candidates=1"):
        ChoiceDisplay.from_search(search, max_candidates=1)


# -- the path along lambda -----------------------------------------------------------------------


def test_the_path_has_the_scores_of_the_table(cross_validated):
    display = LambdaPathDisplay.from_estimator(cross_validated)
    path = cross_validated.lambda_path_
    assert display.lambdas.tolist() == path["lambda_max"].tolist() == [0.0, 1.0]
    for name, line in display.lines_.items():
        assert_allclose(line.get_ydata(), path[name])
        assert_array_equal(line.get_xdata(), [0, 1])  # 0 has a place of its own
    assert len(display.lines_) == 6
    results = cross_validated.cv_results_
    of_chosen = [results[f"split{i}_test_info_max"][cross_validated.best_index_] for i in (0, 1)]
    row = display.lambdas.tolist().index(cross_validated.best_params_["lambda_max"])
    assert_allclose(display.scores["info_max"][row], of_chosen)
    star = display.chosen_marks_["info_max"]
    assert star.get_xdata()[0] == row and star.get_ydata()[0] == pytest.approx(np.mean(of_chosen))
    assert [label.get_text() for label in display.axes_[0, 0].get_xticklabels()] == ["0", "1"]


def test_the_path_of_a_default_fit_has_gaps_where_candidates_were_dropped(chosen):
    display = LambdaPathDisplay.from_estimator(chosen, scores=["agreement", "info_max"])
    assert display.lambdas.tolist() == [0.0, 0.1, 1.0]
    assert display.chosen == chosen.lambda_max_
    assert list(display.lines_) == ["agreement", "info_max"]
    assert np.isfinite(display.lines_["agreement"].get_ydata()).all()
    title = display.axes_[0, -1].get_legend().get_title().get_text()
    assert title == f"input_scaling: {chosen.input_scaling_}"
    with pytest.raises(ValueError, match=r"scores must be of .* got \['accuracy'\]"):
        display.plot(scores="accuracy")
