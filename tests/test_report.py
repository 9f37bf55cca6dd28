"""The report on an adaptation: right about made shifts, and about each figure."""

import re
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skdann import DANNClassifier, DANNClassifierCV, SourceOnlyWarning
from skdann._report import fitted_pair, measures
from skdann._report import report as report_module
from skdann._report.compared import compared
from skdann._report.report import AdaptationReport, adaptation_report
from skdann._report.sentences import findings_of
from skdann.datasets import make_rotated_moons
from skdann.metrics import _distances, estimate_class_shares
from skdann.pipeline import make_dann_pipeline

SEEDS = range(3)

HALF = {"max_epochs": 20}


@pytest.fixture(autouse=True)
def fewer_trees_and_draws(monkeypatch):
    monkeypatch.setattr(_distances, "_N_TREES", 10)
    monkeypatch.setattr(measures, "_N_BOOTSTRAP", 60)


def blobs(rng, share, n_rows=300):
    y = (rng.random(n_rows) < share).astype(int)
    X = rng.normal(size=(n_rows, 4))
    X[:, :2] += 1.06 * (2 * y[:, np.newaxis] - 1)
    return X, y


def no_shift(seed):
    rng = np.random.default_rng(seed)
    return *blobs(rng, 0.5), blobs(rng, 0.5)[0]


def other_shares(seed):
    rng = np.random.default_rng(seed)
    return *blobs(rng, 0.5), blobs(rng, 0.9)[0]


def moved_across(seed):
    """The target has moved over the boundary: the source-only network takes it for one class."""
    rng = np.random.default_rng(seed)
    return *blobs(rng, 0.5), blobs(rng, 0.5)[0] + 1.0


def turned(seed):
    return make_rotated_moons(300, random_state=seed)[:3]


def signal_gone(seed):
    """The column that tells the classes apart is near 0 in the target, for whatever class."""
    rng = np.random.default_rng(seed)
    y = rng.integers(2, size=300)
    X, X_tgt = rng.normal(size=(2, 300, 3))
    X[:, 0] = (2 * y - 1) * (1 + 0.3 * X[:, 0])
    X_tgt[:, 0] *= 0.2
    return X, y, X_tgt


def few_rows(seed):
    X, y, X_tgt = moved_across(seed)
    return X, y, X_tgt[:24]


def fitted(rows, **params):
    """Return a classifier that is fitted in one epoch: the report refits it by its settings."""
    params = {"lambda_max": 1.0, "lr": 0.004, "max_epochs": 40, "random_state": 0} | params
    return DANNClassifier(**params | {"max_epochs": 1}).fit(*rows).set_params(**params)


# -- findings on made shifts ---------------------------------------------------------------------

OF_SHIFTS = {"class_shares", "class_shares_open", "adversary_won", "adapted", "conditional"}


@pytest.mark.parametrize(
    ("shift", "params", "key", "never"),
    [
        (no_shift, HALF, "no_shift", OF_SHIFTS),
        (other_shares, HALF, "class_shares", {"no_shift", "adversary_won", "adapted"}),
        (turned, {"lambda_max": 10}, "adapted", {"no_shift", "class_shares", "conditional"}),
        (turned, {"lambda_max": 0.01}, "adversary_won", {"no_shift", "class_shares", "adapted"}),
        (
            moved_across,
            HALF | {"lambda_max": 0},
            "not_adapted",
            {"no_shift", "class_shares", "adapted"},
        ),
        (signal_gone, {"lambda_max": 10}, "conditional", {"no_shift", "class_shares", "adapted"}),
        (few_rows, HALF, "few_target_rows", {"class_shares", "adversary_won", "adapted"}),
    ],
)
def test_made_shifts_are_recognised(shift, params, key, never):
    found = []
    for seed in SEEDS:
        rows = shift(seed)
        classifier = fitted(rows, **params, random_state=seed)
        found.append(set(adaptation_report(classifier, *rows).findings))
    assert all(key in keys and not keys & never for keys in found), found


# -- findings on made figures --------------------------------------------------------------------


@pytest.fixture
def figures():
    """A shift that was hidden, of many rows."""
    two = {"source_only": 0.9, "adapted": 0.9}
    return AdaptationReport(
        findings={},
        settings={"source_only": "lambda_max=0", "adapted": "lambda_max=1.0"},
        adapts=True,
        domain_accuracy={"inputs": 0.8, "reweighted": 0.8, "source_only": 0.8, "adapted": 0.8},
        chance_limit=dict.fromkeys(("inputs", "reweighted", "source_only", "adapted"), 0.55),
        own_domain_accuracy={"source_only": 0.8, "adapted": 0.6, "trained": 0.61},
        classes=np.array(["ant", "bee"]),
        source_shares=np.array([0.5, 0.5]),
        target_shares=np.array([0.45, 0.55]),
        share_distance=0.05,
        share_limit=0.06,
        effective_share=0.5,
        predicted_shares=np.array([0.45, 0.55]),
        agreement=0.9,
        source_accuracy=two,
        reverse_validation=two,
        source_fall=0.0,
        n_rows={"source": 900, "target": 600, "source_held_out": 300, "target_held_out": 200},
    )


def domain(**accuracy):
    base = {"inputs": 0.8, "reweighted": 0.8, "source_only": 0.8, "adapted": 0.8}
    return {"domain_accuracy": base | accuracy}


def own(source_only, adapted, trained=None):
    trained = adapted if trained is None else trained
    return {"own_domain_accuracy": dict(source_only=source_only, adapted=adapted, trained=trained)}


DIFFER = {"target_shares": np.array([0.1, 0.9]), "share_distance": 0.4}
ALIKE = domain(inputs=0.54, source_only=0.54)


@pytest.mark.parametrize(
    ("changed", "keys"),
    [
        ({}, ["adapted"]),
        (ALIKE, ["no_shift"]),
        (ALIKE | DIFFER | domain(inputs=0.54, reweighted=0.54), ["class_shares"]),
        (domain(inputs=0.54, source_only=0.56), ["adapted"]),
        (domain(source_only=0.54) | own(0.54, 0.54), ["hidden_already"]),
        (domain(source_only=0.54) | own(0.6, 0.54), ["adapted"]),
        (domain(inputs=0.56, source_only=0.54) | own(0.54, 0.54), ["adapted"]),
        (DIFFER, ["class_shares_open", "adapted"]),
        (DIFFER | domain(reweighted=0.55), ["class_shares"]),
        (DIFFER | domain(reweighted=0.57), ["class_shares"]),
        (DIFFER | domain(reweighted=0.58), ["class_shares_open", "adapted"]),
        (DIFFER | {"share_limit": 0.41}, ["adapted"]),
        ({"share_distance": 0.049, "share_limit": 0.01}, ["adapted"]),
        (own(0.8, 0.66), ["adversary_won"]),
        (own(0.8, 0.64), ["adapted"]),
        (own(0.56, 0.54), ["adapted"]),
        ({"source_fall": 3.1}, ["conditional"]),
        ({"source_fall": 2.9}, ["adapted"]),
        ({"reverse_validation": {"source_only": 0.9, "adapted": 0.8}}, ["conditional"]),
        ({"reverse_validation": {"source_only": 0.9, "adapted": 0.83}}, ["adapted"]),
        (own(0.8, 0.7) | {"source_fall": 3.1}, ["adversary_won", "conditional"]),
        (own(0.8, 0.6, 0.72), ["adapted", "few_target_rows"]),
        (own(0.8, 0.6, 0.68), ["adapted"]),
        (domain(inputs=0.95), ["adapted", "little_overlap"]),
        ({"effective_share": 0.09}, ["adapted", "little_overlap"]),
    ],
)
def test_findings_by_hand(figures, changed, keys):
    assert list(findings_of(replace(figures, **changed), width=100)) == keys


@pytest.mark.parametrize(
    ("predicted", "source", "said"),
    [
        ([0.0, 1.0], [0.5, 0.5], True),
        ([0.005, 0.995], [0.5, 0.5], True),
        ([0.05, 0.95], [0.5, 0.5], False),
        ([0.0, 1.0], [0.01, 0.99], False),  # as in the source
    ],
)
def test_predictions_of_one_class_are_a_finding(figures, predicted, source, said):
    shares = {"predicted_shares": np.array(predicted), "source_shares": np.array(source)}
    findings = findings_of(replace(figures, **shares), width=100)
    assert ("one_class" in findings) == said
    assert not said or "'bee' for nearly all target rows" in findings["one_class"]


def test_findings_on_rows_by_hand(figures):
    """400 target rows were trained on."""
    assert list(findings_of(figures, width=398)) == ["adapted"]
    assert list(findings_of(figures, width=399)) == ["adapted", "few_target_rows"]
    assert list(findings_of(replace(figures, adapts=False), width=100)) == ["not_adapted"]
    limits = {"source_only": 0.66, "adapted": 0.66}
    vague = replace(figures, chance_limit=figures.chance_limit | limits)
    assert list(findings_of(vague, width=100)) == ["few_target_rows"]
    vague = replace(vague, **domain(source_only=0.54), **own(0.54, 0.54))
    assert list(findings_of(vague, width=100)) == ["few_target_rows"]


def test_shares_that_few_rows_might_explain_stay_open(figures):
    """Half of what told the inputs apart is left, and of few rows that could be chance."""
    limit = figures.chance_limit
    changed = DIFFER | domain(reweighted=0.64)
    for reweighted, key in ((0.65, "class_shares"), (0.66, "class_shares_open")):
        report = replace(figures, **changed, chance_limit=limit | {"reweighted": reweighted})
        assert key in findings_of(report, width=100)


def test_sentences_and_table(figures):
    findings = findings_of(replace(figures, **DIFFER), width=100)
    assert "source .50/.50, target perhaps .10/.90" in findings["class_shares_open"]
    explained = replace(figures, **DIFFER | domain(reweighted=0.55))
    for weighted, cure in ((False, "Use label_shift='estimate', or"), (True, "make up for it")):
        sentence = findings_of(explained, width=100, weighted=weighted)["class_shares"]
        assert cure in sentence
    assert "accuracy 0.80 without adaptation, 0.60 with it" in findings["adapted"]
    assert "changed for 10% of" in findings["adapted"]
    report = replace(figures, findings=findings)
    assert repr(report) == "AdaptationReport(findings=['class_shares_open', 'adapted'])"
    lines = str(report).splitlines()
    assert max(map(len, lines)) <= 79
    cells = [line.split() for line in lines]
    assert ["own", "classifier's", "0.800", "0.600"] in cells
    assert ["proxy", "A-distance", "1.200", "1.200", "1.200"] in cells
    assert ["bee", "0.500", "0.550", "0.550"] in cells
    assert lines[-1].endswith("the target rows.")


@pytest.mark.parametrize(
    ("estimated", "source", "unknown"),
    [
        ([0.0, 1.0], [0.5, 0.5], True),
        (
            [0.0, 1.0],
            [0.048, 0.952],
            True,
        ),  # as on the bank data: close, and no estimate all the same
        ([0.1, 0.9], [0.5, 0.5], False),
    ],
)
def test_a_collapsed_network_tells_no_class_shares(figures, estimated, source, unknown):
    distance = abs(estimated[0] - source[0])
    shares = {"target_shares": np.array(estimated), "source_shares": np.array(source)}
    report = replace(figures, **shares, share_distance=distance, share_limit=0.01)
    findings = findings_of(report, width=100)
    assert ("class_shares_unknown" in findings) == unknown
    assert ("class_shares_open" in findings) != unknown and "class_shares" not in findings
    assert not unknown or "nearly all target rows for 'bee'" in findings["class_shares_unknown"]


def test_what_adaptation_would_do_is_said_where_there_is_none(figures):
    report = replace(figures, adapts=False, source_accuracy={"source_only": 0.93, "adapted": 0.8})
    findings = findings_of(report, width=100)
    assert list(findings) == ["not_adapted"]
    for said in ("lambda_max=1.0 would change", "for 10% of", "0.93 without, 0.80 with it"):
        assert said in findings["not_adapted"]
    lines = str(replace(report, findings=findings)).splitlines()
    assert lines[0].split() == ["inputs", "source-only", "if", "adapted"]
    assert "if adapted: lambda_max=1.0" in lines
    html = replace(report, findings=findings)._repr_html_()
    assert ">if adapted</th>" in html and findings["not_adapted"] in html


def test_the_html_has_all_figures_and_sentences_and_is_escaped(figures):
    classes = np.array(["<b>ant</b>", "bee & wasp"])
    report = replace(figures, classes=classes, findings={"few_target_rows": "1 < 2 & 3"})
    html = report._repr_html_()
    assert "<b>ant" not in html and "&lt;b&gt;ant" in html and "bee &amp; wasp" in html
    assert "few target rows" in html and "1 &lt; 2 &amp; 3" in html
    figures_of_text = re.findall(r"\d\.\d{3}", str(report))
    assert re.findall(r"<td>(\d\.\d{3})</td>", html) == figures_of_text and figures_of_text


def split(groups, seed):
    """Return the rows to train on, and those held out."""
    held_out = fitted_pair._third_of_each(groups, seed)
    return np.flatnonzero(~held_out), np.flatnonzero(held_out)


# -- figures -------------------------------------------------------------------------------------


@pytest.fixture
def rows():
    return turned(0)


def test_the_source_only_network_learns_nothing_from_the_target(rows):
    """The weight of information maximisation on target rows is 0 too."""
    classifier = fitted(rows, **short(), target_information=1.0)
    pair = fitted_pair.fit_pair(fitted_pair.ReportRows(classifier, *rows[:2], (rows[2],)), 0)
    source_only, adapted = pair.networks["source_only"], pair.networks["adapted"]
    assert source_only.target_information == source_only.lambda_max == 0
    assert adapted.target_information == adapted.lambda_max == 1
    other = DANNClassifier(**short(lr=0.004, random_state=0, lambda_max=0))
    other.fit(pair.trained.source, pair.trained.y, pair.trained.targets[0] + 5.0)
    for X in rows[0], rows[2]:
        assert_array_equal(source_only.predict_proba(X), other.predict_proba(X))
    assert not np.array_equal(adapted.predict_proba(X), other.predict_proba(X))


def test_what_was_chosen_is_reported(rows):
    """Of an "auto", the clones have what the fit took."""
    classifier = fitted(rows, **short())
    classifier.set_params(lambda_max="auto", input_scaling="auto")
    classifier.lambda_max_, classifier.input_scaling_ = 0.25, "both"
    pair = fitted_pair.fit_pair(fitted_pair.ReportRows(classifier, *rows[:2], (rows[2],)), 0)
    adapted, source_only = pair.networks["adapted"], pair.networks["source_only"]
    assert (adapted.lambda_max, adapted.input_scaling) == (0.25, "both")
    assert (source_only.lambda_max, source_only.input_scaling) == (0, "both")


RESULTS = {
    "params": np.array(
        [
            {"input_scaling": None, "lambda_max": 0.0},
            {"input_scaling": None, "lambda_max": 0.3},
            {"input_scaling": "both", "lambda_max": 0.0},
            {"input_scaling": "both", "lambda_max": 0.3},
        ]
    ),
    "split0_test_info_max": np.array([0.0, 0.0, 0.0, 0.0]),
    "split1_test_info_max": np.array([0.0, 0.0, 0.0, np.nan]),
    "expected_gain": np.array([0.0, 0.01, 0.02, 0.03]),  # the last was given up
    "mean_test_score": np.array([0.9, 0.8, 0.7, 0.6]),
}
NO_LAMBDA = {"lambda_max": 0, "target_information": 0}


@pytest.mark.parametrize(
    ("used", "chooser", "source_only", "adapted", "adapts"),
    [
        (("both", 0.3), {}, {"input_scaling": "both"} | NO_LAMBDA, None, True),
        (("both", 0.3), RESULTS, {"input_scaling": "both"} | NO_LAMBDA, None, True),
        (("both", 0), {}, None, {"input_scaling": "both", "lambda_max": 1.0}, False),
        # Nothing but a scaling was chosen: beside it stands the choice's own baseline.
        (("both", 0), RESULTS | {"adapted": True}, {"input_scaling": None} | NO_LAMBDA, None, True),
        # The closest, and the closest by another score.
        ((None, 0), RESULTS, None, {"input_scaling": "both"} | NO_LAMBDA, False),
        (
            (None, 0),
            {name: values for name, values in RESULTS.items() if name != "expected_gain"},
            None,
            {"input_scaling": None, "lambda_max": 0.3},
            False,
        ),
    ],
    ids=["given", "chosen", "nothing chosen", "scaling", "closest", "closest by score"],
)
def test_what_is_compared(used, chooser, source_only, adapted, adapts):
    scaling, lambda_max = used
    trained = SimpleNamespace(settings=[SimpleNamespace(target_information=0.0)])
    fitted = SimpleNamespace(input_scaling_=scaling, lambda_max_=lambda_max, _trained=trained)
    if chooser:
        is_adapted = adapts or "adapted" in chooser
        chooser = SimpleNamespace(cv_results_=chooser, adapted_=is_adapted)
    found = compared(fitted, chooser)
    own = {"input_scaling": scaling, "lambda_max": lambda_max}
    if source_only is None:
        source_only = own | NO_LAMBDA
    if adapted is None:
        adapted = own if lambda_max else own | NO_LAMBDA
    assert (found.source_only, found.adapted, found.adapts) == (source_only, adapted, adapts)


@pytest.mark.parametrize("kind", ["classifier", "CV", "pipeline"])
def test_the_candidate_that_came_closest_stands_beside_a_classifier_that_does_not_adapt(kind):
    rows = no_shift(0)
    single = DANNClassifier(lambda_max=(0, 0.5), input_scaling="both", **short(random_state=0))
    search = DANNClassifierCV([0, 0.5], ["both"], cv=2, estimator=single, random_state=0)
    classifier = {
        "classifier": single,
        "CV": search,
        "pipeline": make_dann_pipeline(StandardScaler(), search),
    }[kind].fit(*rows)
    assert not classifier.adapted_
    report = adaptation_report(classifier, *rows)
    assert not report.adapts and report.agreement < 1
    assert report.settings["source_only"] == "input_scaling='both', lambda_max=0"
    assert report.settings["adapted"] == "input_scaling='both', lambda_max=0.5"
    assert f"{report.settings['adapted']} comes closest" in classifier.verdict_


def short(**params):
    return {"max_epochs": 8, "hidden_layer_sizes": 12, **params}


def test_figures_are_of_clones_without_a_third_of_the_rows(rows):
    X, y, X_tgt = rows
    classifier = fitted(rows, **short(lambda_max=2.0))
    report = adaptation_report(classifier, *rows, random_state=7)
    seed = np.random.RandomState(7).randint(2**31)
    train, test = split(y, seed)
    tgt = split(np.zeros(300), seed + 1)
    found = {}
    for name, lambda_max in (("source_only", 0), ("adapted", 2.0)):
        params = {**short(), "lr": 0.004, "random_state": 0, "lambda_max": lambda_max}
        clf = DANNClassifier(**params).fit(X[train], y[train], X_tgt[tgt[0]])
        found[name] = clf
        assert report.source_accuracy[name] == clf.score(X[test], y[test])
        is_target = clf.predict_domain_proba(X[test]), clf.predict_domain_proba(X_tgt[tgt[1]])
        expected = ((is_target[0] < 0.5).mean() + (is_target[1] >= 0.5).mean()) / 2
        assert_allclose(report.own_domain_accuracy[name], expected)
    is_target = [found["adapted"].predict_domain_proba(part) for part in (X[train], X_tgt[tgt[0]])]
    expected = ((is_target[0] < 0.5).mean() + (is_target[1] >= 0.5).mean()) / 2
    assert_allclose(report.own_domain_accuracy["trained"], expected)
    twin = found["source_only"]
    probas = twin.predict_proba(X_tgt), y[test], twin.predict_proba(X[test])
    assert_allclose(report.target_shares, estimate_class_shares(*probas))
    assert_allclose(report.share_distance, abs(report.target_shares[0] - y.mean()))
    same = found["adapted"].predict(X_tgt) == found["source_only"].predict(X_tgt)
    assert report.agreement == same.mean() < 1
    right = [clf.predict(X[test]) == y[test] for clf in found.values()]
    lost, won = (right[0] & ~right[1]).sum(), (right[1] & ~right[0]).sum()
    assert_allclose(report.source_fall, (lost - won) / max(1, lost + won) ** 0.5)
    assert report.n_rows == dict(source=300, target=300, source_held_out=100, target_held_out=100)
    assert_allclose(report.chance_limit["adapted"], 0.5 + 0.75 * (2 / 100) ** 0.5)
    assert_allclose(report.chance_limit["inputs"], 0.5 + 0.75 * (2 / 300) ** 0.5)
    for name, distance in report.proxy_a_distance.items():
        assert_allclose(distance, 2 * (1 - 2 * (1 - report.domain_accuracy[name])))


@pytest.mark.parametrize(
    ("params", "weighted"), [({"n_members": 2}, False), ({"label_shift": [0.4, 0.6]}, True)]
)
def test_findings_know_the_width_of_one_network_and_whether_it_weighs(
    rows, monkeypatch, params, weighted
):
    seen = []
    monkeypatch.setattr(
        report_module,
        "findings_of",
        lambda report, width, weighted: seen.append((width, weighted)),
    )
    adaptation_report(fitted(rows, **short(max_epochs=2, **params)), *rows)
    assert seen == [(12, weighted)]


def test_inputs_are_seen_beyond_their_means(rows):
    report = adaptation_report(fitted(rows, **short()), *rows)
    assert report.domain_accuracy["inputs"] > 0.75
    assert report.effective_share > 0.95


def test_a_third_of_each_class_is_held_out():
    y = np.random.default_rng(0).permutation(np.repeat(["a", "b", "c"], [3, 60, 237]))
    train, test = split(y, 0)
    assert_array_equal(np.sort(np.concatenate([train, test])), np.arange(300))
    assert_array_equal(np.unique(y[test], return_counts=True)[1], [1, 20, 79])
    assert not np.array_equal(test, split(y, 1)[1])


def test_source_rows_are_drawn_once_and_by_the_shares():
    y = np.repeat(["a", "b", "c"], [60, 30, 10])
    drawn = measures._drawn_by_shares(y, np.array([0.2, 0.8, 0.0]), ["a", "b", "c"], 0)
    assert len(set(drawn)) == len(drawn)
    assert_array_equal(np.unique(y[drawn], return_counts=True)[1], [8, 30])
    too_few = measures._drawn_by_shares(y, np.array([0.0, 0.1, 0.9]), ["a", "b", "c"], 0)
    assert_array_equal(too_few, np.arange(100))


def test_many_rows_are_thinned_out():
    rows = np.arange(3000)[:, np.newaxis]
    assert_array_equal(measures._matrix(rows, 0, np.arange(2000)), rows[:2000])
    thinned = measures._matrix(rows, 0).ravel()
    assert len(set(thinned.tolist())) == 2000
    assert abs(thinned.mean() - 1500) < 60


# -- what it is given ----------------------------------------------------------------------------


def test_same_call_same_report_and_nothing_else_changes(rows):
    classifier = fitted(rows, **short(max_epochs=3, random_state=None))
    before = classifier.predict_proba(rows[2])
    numpy_state, torch_state = np.random.get_state()[1].copy(), torch.get_rng_state()
    reports = [adaptation_report(classifier, *rows) for _ in range(2)]
    assert str(reports[0]) == str(reports[1])
    assert str(reports[0]) != str(adaptation_report(classifier, *rows, random_state=1))
    assert_array_equal(np.random.get_state()[1], numpy_state)
    assert torch.equal(torch.get_rng_state(), torch_state)
    assert_array_equal(classifier.predict_proba(rows[2]), before)
    assert classifier.random_state is None


def test_rows_are_those_that_the_classifier_gets_in_pipelines_and_searches(rows, routing):
    X, y, X_tgt = 100 * rows[0], np.array(["no", "yes"])[rows[1]], 100 * rows[2]
    scaler = StandardScaler().fit(X)
    scaled = scaler.transform(X), y, scaler.transform(X_tgt)
    classifier = fitted(scaled, **short(max_epochs=1))
    search = DANNClassifierCV(
        [1], ["source"], estimator=DANNClassifier(max_epochs=1), cv=2, random_state=0
    ).fit(*scaled)
    pipe = make_pipeline(scaler, classifier, transform_input=["X_tgt"])
    for reported, last, given in (
        (classifier, classifier, scaled),
        (pipe, classifier, (X, y, (X_tgt,))),
        (search, search.best_estimator_, scaled),
        (make_pipeline(scaler, search), search.best_estimator_, (X, y, X_tgt)),
    ):
        read = fitted_pair.read_rows_of_report(reported, *given)
        assert read.fitted is last and len(read.targets) == 1
        for got, expected in zip((read.source, read.y, *read.targets), scaled, strict=True):
            assert_array_equal(got, expected)


def test_frames_have_the_report_of_arrays(rows):
    X, y, X_tgt = rows[0], np.array(["no", "yes"])[rows[1]], rows[2]
    arrays = X, y, X_tgt
    frames = [pd.DataFrame(part, columns=["a", "b"]) for part in (X, X_tgt)]
    frames = frames[0], pd.Series(y, index=np.arange(300)[::-1]), frames[1]
    of_arrays, of_frames = (
        adaptation_report(fitted(one, **short(max_epochs=2)), *one) for one in (arrays, frames)
    )
    assert str(of_arrays) == str(of_frames)


def test_several_targets_sparse_rows_and_images(rows):
    X, y, X_tgt = rows
    two = X, y, (X_tgt[:200], X_tgt[200:] + 1)
    report = adaptation_report(
        fitted(two, **short(max_epochs=2, n_members=2, input_scaling="domain")), *two
    )
    assert report.n_rows["target_held_out"] == 67 + 33
    coo = sparse.coo_array(X), y, sparse.coo_array(X_tgt)
    assert (
        adaptation_report(fitted(coo, **short(max_epochs=2)), *coo).n_rows["source_held_out"] == 100
    )
    images = X.reshape(-1, 1, 2), y, X_tgt.reshape(-1, 1, 2)
    classifier = fitted(images, max_epochs=2, feature_extractor=torch.nn.Flatten())
    assert adaptation_report(classifier, *images).domain_accuracy["inputs"] > 0.75


def test_unfitted_and_other_estimators(rows):
    with pytest.raises(NotFittedError):
        adaptation_report(DANNClassifier(), *rows)
    with pytest.raises(TypeError, match=r"classifier must be .* got LogisticRegression"):
        adaptation_report(LogisticRegression().fit(*rows[:2]), *rows)
    with pytest.warns(SourceOnlyWarning):
        classifier = DANNClassifier(max_epochs=1).fit(*rows[:2])
    with pytest.raises(ValueError, match=r"was fitted with 0\. Pass the X_tgt"):
        adaptation_report(classifier, *rows)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"y": np.zeros(299)}, "X has 300 rows, but y has 299 labels"),
        ({"y": np.arange(300) % 3}, r"each class in \[0, 1\], got {0: 100, 1: 100, 2: 100}"),
        ({"y": (np.arange(300) < 2).astype(int)}, r"three rows or more .* got {0: 298, 1: 2}"),
        ({"X_tgt": None}, "X_tgt is None or empty"),
        ({"X_tgt": ()}, "X_tgt is None or empty"),
        ({"X": np.zeros((14, 2)), "y": np.arange(14) % 2}, "X has 14 rows, .* 15 of each domain"),
        ({"X_tgt": np.zeros((14, 2))}, "X_tgt has 14 rows, .* 15 of each domain"),
        ({"X_tgt": (np.zeros((50, 2)),) * 2}, "2 target domains, .* was fitted with 1"),
        ({"X_tgt": np.zeros((50, 3))}, "X has 3 features, but .* expecting 2"),
        ({"X": np.zeros((300, 1))}, "X has 1 features, but .* expecting 2"),
    ],
)
def test_bad_rows(rows, changed, message):
    arguments = dict(zip(("X", "y", "X_tgt"), rows, strict=True)) | changed
    with pytest.raises(ValueError, match=message):
        adaptation_report(fitted(rows, **short()), **arguments)
