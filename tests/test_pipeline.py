"""The pipeline that takes the target along: the same with and without metadata routing."""

import copy
import pickle
import re
import threading

import numpy as np
import pandas as pd
import pytest
import sklearn
from scipy import sparse
from sklearn.base import BaseEstimator, clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import VotingClassifier
from sklearn.feature_selection import RFE, SelectKBest
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_validate
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import MaxAbsScaler, StandardScaler, TargetEncoder

from skdann import DANNClassifier, SourceOnlyWarning
from skdann.metrics._scorers import EntropyScorer
from skdann.model_selection import DomainKFold
from skdann.pipeline import DANNPipeline, make_dann_pipeline


class Recording(DANNClassifier):
    """Remembers what `fit` was given."""

    seen = []  # noqa: RUF012 - one list for all clones, emptied by the fixture

    def fit(self, X, y, X_tgt=None, *, sample_weight=None):
        Recording.seen.append((X, X_tgt, sample_weight))
        return super().fit(X, y, X_tgt, sample_weight=sample_weight)


@pytest.fixture(params=[False, True], ids=["no-routing", "routing"])
def either(request):
    """Metadata routing off, then on."""
    Recording.seen.clear()
    with sklearn.config_context(enable_metadata_routing=request.param):
        yield request.param


@pytest.fixture
def pipe():
    return make_dann_pipeline(StandardScaler(), Recording(max_epochs=1, random_state=0))


@pytest.fixture
def far(blobs):
    """The blobs, off any standard scale."""
    X, y, X_tgt = blobs
    return 100 + 50 * X, y, 100 + 50 * X_tgt[:40]


def test_the_target_passes_the_steps_fitted_to_the_source(either, pipe, far):
    X, y, X_tgt = far
    assert pipe.fit(X, y, X_tgt) is pipe
    expected = StandardScaler().fit(X).transform(X_tgt)
    (X_seen, seen, _) = Recording.seen[0]
    np.testing.assert_array_equal(seen[0], expected)
    np.testing.assert_array_equal(X_seen, StandardScaler().fit_transform(X))


def test_an_array_and_a_tuple_are_the_same(either, pipe, far):
    X, y, X_tgt = far
    bare = clone(pipe).fit(X, y, X_tgt).predict_proba(X_tgt)
    assert np.array_equal(bare, clone(pipe).fit(X, y, X_tgt=(X_tgt,)).predict_proba(X_tgt))


def test_it_equals_scikit_learns_pipeline_with_routing(far):
    X, y, X_tgt = far
    classifier = DANNClassifier(lambda_max=1.0, max_epochs=2, random_state=0)
    ours = make_dann_pipeline(StandardScaler(), classifier).fit(X, y, X_tgt).predict_proba(X_tgt)
    with sklearn.config_context(enable_metadata_routing=True):
        theirs = make_pipeline(StandardScaler(), clone(classifier), transform_input=["X_tgt"])
        assert np.array_equal(ours, theirs.fit(X, y, X_tgt=X_tgt).predict_proba(X_tgt))


def test_several_targets_and_sparse_rows(either, far):
    X, y, X_tgt = far
    pipe = make_dann_pipeline(MaxAbsScaler(), Recording(max_epochs=1, random_state=0))
    pipe.fit(sparse.csr_array(X), y, (sparse.csr_array(X_tgt), sparse.csr_array(X_tgt[:9])))
    assert pipe[-1].n_domains_ == 3
    assert [rows.shape[0] for rows in Recording.seen[0][1]] == [40, 9]


def test_without_a_target_it_is_the_source_only_network_with_a_warning(either, pipe, far):
    X, y, _ = far
    with pytest.warns(SourceOnlyWarning):
        pipe.fit(X, y)
    assert pipe[-1].n_domains_ == 1


def test_sample_weight_reaches_the_classifier_alone(either, pipe, far):
    X, y, X_tgt = far
    weights = np.linspace(0.1, 5, len(X))
    pipe.fit(X, y, X_tgt, sample_weight=weights)
    assert np.array_equal(Recording.seen[0][2], weights)
    np.testing.assert_allclose(pipe[0].mean_, X.mean(axis=0))


def test_a_step_that_was_told_gets_sample_weight_too(routing, far):
    X, y, X_tgt = far
    scaler = StandardScaler().set_fit_request(sample_weight=True)
    weights = np.linspace(0.1, 5, len(X))
    pipe = make_dann_pipeline(scaler, max_epochs=1).fit(X, y, X_tgt, sample_weight=weights)
    np.testing.assert_allclose(pipe[0].mean_, np.average(X, axis=0, weights=weights))


@pytest.mark.filterwarnings("ignore::skdann.DomainWarning")  # source folds, scored as they come
@pytest.mark.parametrize("n_rows", [40, 60, 90, 150])
def test_a_search_hands_each_fold_the_whole_target(either, pipe, far, n_rows):
    X, y, X_tgt = far
    target = np.resize(X_tgt, (n_rows, 5))
    search = GridSearchCV(pipe, {"recording__lr": [0.1, 0.01]}, cv=3, error_score="raise")
    search.fit(X, y, X_tgt=(target,))
    assert [seen[0].shape for _, seen, _ in Recording.seen] == [(n_rows, 5)] * 7
    assert all(abs(X_seen.mean()) < 1e-9 for X_seen, _, _ in Recording.seen)
    assert len({seen[0].mean() for _, seen, _ in Recording.seen}) == 4  # a scaler per fold


def test_the_choice_is_the_same_with_and_without_routing(pipe, far):
    X, y, X_tgt = far
    results = []
    for enabled in (False, True):
        with sklearn.config_context(enable_metadata_routing=enabled):
            search = GridSearchCV(pipe, {"recording__lr": [0.1, 0.001]}, cv=3)
            results.append(search.fit(X, y, X_tgt=(X_tgt,)))
    off, on = results
    assert off.best_params_ == on.best_params_
    assert np.array_equal(off.cv_results_["mean_test_score"], on.cv_results_["mean_test_score"])
    assert np.array_equal(off.predict_proba(X_tgt), on.predict_proba(X_tgt))


def test_a_search_with_sample_weight(either, pipe, far):
    X, y, X_tgt = far
    scoring = EntropyScorer() if either else None  # scikit-learn 1.6 needs a request for None
    search = GridSearchCV(
        pipe, {"recording__lr": [0.1]}, cv=3, scoring=scoring, error_score="raise"
    )
    search.fit(X, y, X_tgt=(X_tgt,), sample_weight=np.ones(90))
    assert [len(weights) for _, _, weights in Recording.seen] == [60, 60, 60, 90]


def test_folds_in_other_processes(either, far):
    X, y, X_tgt = far
    pipe = make_dann_pipeline(StandardScaler(), max_epochs=1, random_state=0)
    two, one = (
        cross_validate(pipe, X, y, params={"X_tgt": (X_tgt,)}, cv=2, n_jobs=n, error_score="raise")
        for n in (2, None)
    )
    assert np.array_equal(two["test_score"], one["test_score"])


def test_fit_leaves_the_configuration_alone_in_every_thread(pipe, far):
    X, y, X_tgt = far
    inside = []

    class Watching(StandardScaler):
        def fit(self, X, y=None, sample_weight=None):
            other = []
            thread = threading.Thread(target=lambda: other.append(sklearn.get_config()))
            thread.start()
            thread.join()
            inside.append(other[0]["enable_metadata_routing"])
            return super().fit(X, y, sample_weight)

    make_dann_pipeline(Watching(), max_epochs=1).fit(X, y, X_tgt)
    assert inside == [False]
    assert not sklearn.get_config()["enable_metadata_routing"]
    with pytest.raises(TypeError, match="nonsense"):
        pipe.fit(X, y, X_tgt, nonsense=1)
    assert not sklearn.get_config()["enable_metadata_routing"]


def test_aligned_targets_pass_whole_and_not_for_other_rows(either, pipe, far):
    X, y, X_tgt = far
    aligned = DomainKFold(2, random_state=0).align_target(X, y, X_tgt)
    pipe.fit(X, y, aligned)
    assert Recording.seen[0][1][0].shape == X_tgt.shape
    with pytest.raises(ValueError, match="aligned with the folds of 90 source rows, but X has 50"):
        pipe.fit(X[:50], y[:50], aligned)


def test_predictions_take_the_domain(either, blobs):
    X, y, X_tgt = blobs
    classifier = DANNClassifier(
        input_scaling="domain", lambda_max=1.0, max_epochs=1, random_state=0
    )
    target = 2 * X_tgt + 1
    pipe = make_dann_pipeline(StandardScaler(), classifier).fit(X, y, target)
    for method in ("predict_proba", "decision_function", "transform"):
        call = getattr(pipe, method)
        assert np.array_equal(call(target), call(target, domain="target"))
        assert not np.array_equal(call(X, domain="target"), call(X, domain="source"))
    right = pipe.predict(X, domain="source") == y
    assert pipe.score(X, y, domain="source") == right.mean()
    weights = np.arange(90.0)
    weighted = pipe.score(X, y, sample_weight=weights, domain="source")
    assert weighted == pytest.approx(np.average(right, weights=weights))
    assert pipe.score(target, y, weights) == pipe.score(target, y, weights, domain="target")


def test_fit_transform_is_fit_and_transform(either, pipe, far):
    X, y, X_tgt = far
    embedding = clone(pipe).fit_transform(X, y, X_tgt)
    assert np.array_equal(embedding, pipe.fit(X, y, X_tgt).transform(X))
    assert len(Recording.seen[0][1][0]) == len(X_tgt)


def test_parameters_clones_and_copies(either, pipe, far):
    X, y, X_tgt = far
    pipe.set_params(recording__lambda_max=0.5, standardscaler__with_mean=False)
    assert clone(pipe).get_params()["recording__lambda_max"] == 0.5
    assert pipe.get_params()["transform_input"] == ("X_tgt",)
    expected = pipe.fit(X, y, X_tgt).predict_proba(X_tgt)
    for twin in (copy.deepcopy(pipe), pickle.loads(pickle.dumps(pipe))):
        assert isinstance(twin, DANNPipeline)
        assert np.array_equal(twin.predict_proba(X_tgt), expected)


def test_slices(pipe, far):
    X, y, X_tgt = far
    pipe.set_params(transform_input=["X_tgt", "X_val"]).fit(X, y, X_tgt)
    assert type(pipe[:-1]) is Pipeline and pipe[:-1][0] is pipe[0]
    np.testing.assert_array_equal(pipe[:-1].transform(X), pipe[0].transform(X))
    assert type(pipe[1:]) is DANNPipeline and pipe[1:].transform_input == ["X_tgt", "X_val"]
    assert pipe["recording"] is pipe[1] is pipe[-1]


def test_frames_and_feature_names(either, pipe, far):
    X, y, X_tgt = (pd.DataFrame(far[0], columns=list("abcde")), far[1], far[2])
    pipe.set_output(transform="pandas").fit(X, y, pd.DataFrame(X_tgt, columns=list("abcde")))
    assert list(pipe.feature_names_in_) == list("abcde")
    assert list(Recording.seen[0][1][0].columns) == list("abcde")
    assert list(pipe.transform(X).columns) == list(pipe.get_feature_names_out())


def test_cached_transformers(either, far, tmp_path):
    X, y, X_tgt = far
    make = {"max_epochs": 1, "random_state": 0}
    cached = make_dann_pipeline(StandardScaler(), memory=str(tmp_path), **make).fit(X, y, X_tgt)
    plain = make_dann_pipeline(StandardScaler(), **make).fit(X, y, X_tgt)
    assert any(tmp_path.iterdir())
    assert np.array_equal(cached.predict_proba(X_tgt), plain.predict_proba(X_tgt))


def test_the_classifier_comes_from_parameters_or_is_given():
    pipe = make_dann_pipeline(StandardScaler(), SelectKBest(k=2), lambda_max=0.3, verbose=True)
    assert [name for name, _ in pipe.steps] == ["standardscaler", "selectkbest", "dannclassifier"]
    assert pipe[-1].lambda_max == 0.3 and pipe.verbose is True
    assert [name for name, _ in make_dann_pipeline().steps] == ["dannclassifier"]
    given = Recording()
    assert make_dann_pipeline("passthrough", given)[-1] is given


def test_a_classifier_around_ours_may_be_the_last_step(either, far):
    X, y, X_tgt = far
    around = CalibratedClassifierCV(Recording(max_epochs=1, random_state=0), cv=2)
    pipe = make_dann_pipeline(StandardScaler(), around).fit(X, y, X_tgt)
    assert [seen[0].shape for _, seen, _ in Recording.seen] == [(40, 5)] * 2
    assert pipe.predict(X_tgt).shape == (40,)


def test_a_classifier_and_parameters_for_one_are_refused():
    with pytest.raises(TypeError, match=r"both the classifier LogisticRegression and .*, lr"):
        make_dann_pipeline(LogisticRegression(), lambda_max=1, lr=2)
    with pytest.raises(TypeError, match=r"the class DANNClassifier: write DANNClassifier\(\)"):
        make_dann_pipeline(StandardScaler(), DANNClassifier)


# -- steps -----------------------------------------------------------------------------------


class FakeSampler(BaseEstimator):
    """Has what a sampler of imbalanced-learn has."""

    def fit_resample(self, X, y):
        return X, y


def test_steps_may_bring_names_of_their_own(either, far):
    X, y, X_tgt = far
    pipe = make_dann_pipeline(("scale", StandardScaler()), PCA(2), ("dann", Recording()))
    assert [name for name, _ in pipe.steps] == ["scale", "pca", "dann"]
    pipe.set_params(dann__max_epochs=1).fit(X, y, X_tgt)
    assert Recording.seen[0][1][0].shape == (40, 2)
    assert [name for name, _ in make_dann_pipeline(("scale", StandardScaler()), lr=0.1).steps] == [
        "scale",
        "dannclassifier",
    ]


@pytest.mark.parametrize(
    "step",
    [
        None,
        "passthrough",
        RFE(LinearDiscriminantAnalysis(), n_features_to_select=2),
        LinearDiscriminantAnalysis(),
        SelectKBest(k=2),
    ],
    ids=["None", "passthrough", "RFE", "LDA", "SelectKBest"],
)
@pytest.mark.filterwarnings("ignore::skdann.TargetScaleWarning")
def test_what_stands_in_front_of_the_classifier(either, far, step):
    X, y, X_tgt = far
    pipe = make_dann_pipeline(step, max_epochs=1, random_state=0)
    assert len(pipe.steps) == 2 and type(pipe[-1]) is DANNClassifier
    assert pipe.fit(X, y, X_tgt).predict(X_tgt).shape == (40,)


def test_a_classifier_that_transforms_and_takes_the_target_is_the_last_step(either, far):
    vote = VotingClassifier([("dann", Recording(max_epochs=1))], voting="soft")
    assert make_dann_pipeline(StandardScaler(), vote)[-1] is vote


@pytest.mark.parametrize(
    ("steps", "said"),
    [
        (([StandardScaler(), PCA(2)],), r"got a list: write make_dann_pipeline\(\*steps\)"),
        ((("a", "b", PCA(2)),), "tuples of a name and an estimator, got a tuple of 3"),
        ((("scale", StandardScaler),), r"the class StandardScaler: write StandardScaler\(\)"),
        ((StandardScaler, Recording()), r"the class StandardScaler: write StandardScaler\(\)"),
        ((0.3,), "takes transformers and a classifier, got float"),
        ((FakeSampler(),), r"make_pipeline\(FakeSampler\(\), make_dann_pipeline\(\.\.\.\)\)"),
        ((StandardScaler(), FakeSampler(), Recording()), "FakeSampler changes the rows of X"),
    ],
    ids=["list", "triple", "named class", "class", "number", "sampler", "sampler in between"],
)
def test_steps_that_can_not_be_are_refused(steps, said):
    with pytest.raises(TypeError, match=said) as caught:
        make_dann_pipeline(*steps)
    assert len(str(caught.value)) <= 600


def test_the_cure_for_samplers_runs_as_printed(far):
    imblearn = pytest.importorskip("imblearn")
    smote = pytest.importorskip("imblearn.over_sampling").SMOTE
    with pytest.raises(TypeError) as caught:
        make_dann_pipeline(smote(), Recording())
    found = re.search(r"with (sklearn\..*): (imblearn.*)\.$", str(caught.value))
    switch, cure = (one.replace("...", "Recording(max_epochs=1)") for one in found.groups())
    named = {
        "imblearn": imblearn,
        "SMOTE": smote,
        **dict(zip(("X", "y", "X_tgt"), far, strict=True)),
    }
    with sklearn.config_context():
        eval(switch)
        fitted = eval(cure, globals() | named)
    assert fitted.predict(far[2]).shape == (40,)


def test_the_verdict_is_that_of_the_last_step(either, far):
    X, y, X_tgt = far
    pipe = make_dann_pipeline(StandardScaler(), max_epochs=1, random_state=0)
    for name in ("verdict_", "adapted_"):
        assert not hasattr(pipe, name)
        with pytest.raises(AttributeError, match=f"{name}: it is not fitted yet. Call fit"):
            getattr(pipe, name)
    pipe.fit(X, y, X_tgt)
    assert pipe.verdict_ == pipe[-1].verdict_ and pipe.adapted_ is pipe[-1].adapted_
    assert pipe[1:].verdict_ == pipe.verdict_


@pytest.mark.filterwarnings("ignore::skdann.SourceOnlyWarning")
@pytest.mark.parametrize(
    ("last", "target", "said"),
    [
        (DANNClassifier(lambda_max=0.5, max_epochs=1), True, "lambda_max=0.5 nothing was chosen"),
        (DANNClassifier(max_epochs=1), False, "fit got no X_tgt"),
        (LogisticRegression(), None, "LogisticRegression does not decide whether to adapt"),
    ],
    ids=["given", "no target", "another classifier"],
)
def test_without_a_verdict_the_pipeline_says_why(far, last, target, said):
    X, y, X_tgt = far
    pipe = DANNPipeline([("scale", StandardScaler()), ("last", last)])
    pipe.fit(X, y, X_tgt if target else None)
    for name in ("verdict_", "adapted_"):
        assert not hasattr(pipe, name)
        with pytest.raises(AttributeError, match=said):
            getattr(pipe, name)


def test_the_error_of_scikit_learns_target_encoder_is_explained():
    """scikit-learn 1.9.1 fails here; where it does not, the fit works."""
    words, y = np.array([["a"], ["b"]] * 20), np.arange(40) % 2
    pipe = make_dann_pipeline(TargetEncoder(), lambda_max=0.1, max_epochs=1)
    if sklearn.__version__ == "1.9.1":
        with pytest.raises(ValueError, match=r"TargetEncoder of scikit-learn .* switches it off"):
            pipe.fit(words, y, words[:10])
    else:
        pipe.fit(words, y, words[:10])
