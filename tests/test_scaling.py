import numpy as np
import pytest
import torch
from scipy import sparse
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from skdann import DANNClassifier
from skdann._data.inputs import read_training_data
from skdann._data.moments import column_moments
from skdann._network.scaling import fit_scaling

HOW = ["source", "both", "domain"]


@pytest.fixture
def raw():
    """Columns of very different size, one constant in the source; the target has other units."""
    rng = np.random.default_rng(0)
    X = rng.normal([1000, 0, 5], [30, 0.01, 0], size=(80, 3))
    X_tgt = rng.normal([1200, 0.05, 5], [60, 0.02, 1], size=(40, 3))
    return X.astype(np.float32), (X[:, 1] > 0).astype(int), X_tgt.astype(np.float32)


def classifier(how, **settings):
    settings = {"lambda_max": 1.0, "max_epochs": 3, "random_state": 0, **settings}
    return DANNClassifier(input_scaling=how, **settings)


def data_of(X, y, X_tgt, sample_weight=None):
    return read_training_data(
        X, y, X_tgt, sample_weight, class_weight=None, estimator=DANNClassifier()
    )


def by_hand(rows, statistics_of):
    mean, deviation = statistics_of.mean(axis=0), statistics_of.std(axis=0)
    varies = deviation > 1e-6 * abs(mean)
    return np.clip(np.where(varies, (rows - mean) / np.where(varies, deviation, 1), 0), -8, 8)


@pytest.mark.parametrize(
    ("how", "of_source", "of_target"),
    [("source", "S", "S"), ("both", "ST", "ST"), ("domain", "S", "T")],
)
def test_rows_are_scaled_by_the_statistics_that_the_name_says(raw, how, of_source, of_target):
    X, X_tgt = raw[0].astype(float), raw[2].astype(float)
    # Both domains have half the weight: the 40 target rows count twice.
    statistics = {"S": X, "T": X_tgt, "ST": np.concatenate([X, X_tgt, X_tgt])}
    scaling = fit_scaling(data_of(*raw), how)
    got = scaling(torch.from_numpy(raw[0]), 0).numpy()
    np.testing.assert_allclose(got, by_hand(X, statistics[of_source]), rtol=2e-4, atol=2e-4)
    got = scaling(torch.from_numpy(raw[2])).numpy()
    np.testing.assert_allclose(got, by_hand(X_tgt, statistics[of_target]), rtol=2e-4, atol=2e-4)


def test_a_constant_column_becomes_zero_and_outliers_are_cut(raw):
    scaling = fit_scaling(data_of(*raw), "source")
    scaled = scaling(torch.from_numpy(2 * raw[2])).numpy()
    assert (scaled[:, 2] == 0).all()
    assert abs(scaled).max() == 8


@pytest.mark.parametrize("how", HOW)
def test_scaling_inside_equals_scaling_in_front(raw, how):
    X, y, X_tgt = raw[0][:, :2], raw[1], raw[2][:, :2]
    scalers = {
        "source": (StandardScaler().fit(X),) * 2,
        "both": (StandardScaler().fit(np.concatenate([X, X_tgt, X_tgt])),) * 2,
        "domain": (StandardScaler().fit(X), StandardScaler().fit(X_tgt)),
    }[how]
    scaled = [
        np.clip(s.transform(rows), -8, 8) for s, rows in zip(scalers, (X, X_tgt), strict=True)
    ]
    inside = classifier(how).fit(X, y, X_tgt)
    front = classifier(None).fit(scaled[0], y, scaled[1])
    expected = front.predict_proba(scaled[1])
    np.testing.assert_allclose(inside.predict_proba(X_tgt), expected, rtol=1e-3, atol=1e-4)
    expected = front.predict_proba(scaled[0])
    got = inside.predict_proba(X, domain="source")
    np.testing.assert_allclose(got, expected, rtol=1e-3, atol=1e-4)
    if how == "domain":
        assert not np.allclose(inside.predict_proba(X, domain="target"), expected, atol=1e-3)


@pytest.mark.parametrize("how", HOW)
def test_it_makes_raw_tables_learnable(raw, how):
    X, y, X_tgt = raw
    settings = {"lambda_max": 0, "max_epochs": 100, "lr": 0.01}
    assert classifier(how, **settings).fit(X, y, X_tgt).score(X, y, domain="source") > 0.95
    assert classifier(None, **settings).fit(X, y, X_tgt).score(X, y) < 0.8


@pytest.mark.parametrize("how", HOW)
def test_general_path_and_stacked_path_agree(raw, how):
    losses = []
    for domain_classifier in ((), torch.nn.Linear):
        fitted = classifier(how, dropout=0.0, domain_classifier=domain_classifier).fit(*raw)
        losses.append([row["label_loss"] for row in fitted.history_])
    np.testing.assert_allclose(losses[0][0], losses[1][0], rtol=1e-4)


def test_several_targets_each_have_their_own(raw):
    X, y, X_tgt = raw
    second = X_tgt * 2
    fitted = classifier("domain").fit(X, y, (X_tgt, second))
    alike = fitted.predict_proba(X_tgt, domain=1), fitted.predict_proba(second, domain=2)
    np.testing.assert_allclose(*alike, rtol=1e-3, atol=1e-5)
    rows = np.concatenate([X, X_tgt])
    codes = np.repeat([0, 1], [80, 40])
    mixed = fitted.predict_proba(rows, domain=codes)
    np.testing.assert_allclose(mixed[80:], alike[0], rtol=1e-5)
    np.testing.assert_allclose(mixed[:80], fitted.predict_proba(X, domain="source"), rtol=1e-5)
    unknown = fitted.predict_proba(X_tgt)
    assert not np.allclose(unknown, alike[0], atol=1e-3)


@pytest.mark.parametrize("domain", ["both", 2, -1, [0, 1], 0.5, None])
def test_a_wrong_domain_is_named(raw, domain):
    fitted = classifier("domain").fit(*raw)
    if domain is None:
        fitted.predict(raw[2], domain=domain)
        return
    with pytest.raises(ValueError, match="domain must be 'target', 'source', or the code"):
        fitted.predict(raw[2], domain=domain)


@pytest.mark.parametrize("how", HOW)
def test_sparse_rows_stay_sparse_and_equal_dense_without_a_shift(how):
    X, X_tgt = (
        sparse.csr_array(sparse.random(n, 8, density=0.3, random_state=n, dtype=np.float32))
        for n in (60, 30)
    )
    y = np.arange(60) % 2
    scaling = fit_scaling(data_of(X, y, X_tgt), how)
    assert (scaling.shift == 0).all()
    fitted = classifier(how).fit(X, y, X_tgt)
    deviation = X.toarray().std(axis=0)
    if how == "source":
        front = classifier(None).fit(X / deviation, y, X_tgt / deviation)
        np.testing.assert_allclose(
            fitted.predict_proba(X_tgt), front.predict_proba(X_tgt / deviation), atol=1e-4
        )


def test_weights_and_held_out_rows_count_in_the_statistics(raw):
    X, y, X_tgt = raw
    weight = np.r_[np.ones(40), np.zeros(40)]
    kept = fit_scaling(data_of(X, y, X_tgt, weight), "source")
    alone = fit_scaling(data_of(X[:40], y[:40], X_tgt), "source")
    np.testing.assert_allclose(kept.shift, alone.shift, rtol=1e-6)
    np.testing.assert_allclose(kept.factor, alone.factor, rtol=1e-4)
    classifier("domain", early_stopping=True).fit(X, y, X_tgt)


def test_without_target_rows_the_source_serves_for_all(raw):
    X, y, _ = raw
    probabilities = [
        classifier(how, lambda_max=0).fit(X, y).predict_proba(X, domain=domain)
        for how, domain in [("domain", None), ("both", "source"), ("source", None)]
    ]
    np.testing.assert_array_equal(probabilities[0], probabilities[1])
    np.testing.assert_array_equal(probabilities[0], probabilities[2])


def test_lambda_zero_is_the_source_only_network_whatever_the_target(raw):
    X, y, X_tgt = raw
    with_target = classifier("source", lambda_max=0).fit(X, y, X_tgt)
    without = classifier("source", lambda_max=0).fit(X, y)
    np.testing.assert_array_equal(with_target.predict_proba(X), without.predict_proba(X))


def test_partial_fit_keeps_the_scaling_of_its_first_chunk(raw):
    X, y, X_tgt = raw
    fitted = classifier("domain").partial_fit(X, y, X_tgt, classes=[0, 1])
    before = fitted.module_.input_scaling.shift.clone()
    fitted.partial_fit(X * 2, y, X_tgt * 3)
    assert torch.equal(fitted.module_.input_scaling.shift, before)


def test_warm_start_scales_anew_and_takes_a_part_of_the_classes(raw):
    X, y, X_tgt = raw
    fitted = classifier("source", warm_start=True).fit(X, y, X_tgt)
    before = fitted.module_.input_scaling.shift.clone()
    fitted.fit(X_tgt, np.ones(40, dtype=int), X)
    assert not torch.equal(fitted.module_.input_scaling.shift, before)
    assert fitted.classes_.tolist() == [0, 1]


def test_fit_transform_takes_its_rows_for_the_sources(raw):
    X, y, X_tgt = raw
    fitted = classifier("domain")
    embedding = fitted.fit_transform(X, y, X_tgt)
    np.testing.assert_array_equal(embedding, fitted.transform(X, domain="source"))
    assert not np.allclose(embedding, fitted.transform(X, domain="target"))


@pytest.mark.parametrize("rows", [None, np.arange(3, 50)])
@pytest.mark.parametrize("weighted", [False, True])
def test_moments_are_those_of_numpy(raw, rows, weighted):
    X = raw[0] + np.float32(1e4)
    chosen = X.astype(float) if rows is None else X[rows].astype(float)
    weight = np.arange(1.0, len(chosen) + 1) if weighted else None
    mean = np.average(chosen, axis=0, weights=weight)
    deviation = np.sqrt(np.average((chosen - mean) ** 2, axis=0, weights=weight))
    for kind in (np.asarray, sparse.csr_array):
        tolerance = {"rtol": 1e-6, "atol": 1e-9} if kind is np.asarray else {"atol": 1e-1}
        got = column_moments(kind(X), rows, weight)
        np.testing.assert_allclose(got[0], mean, rtol=1e-6)
        np.testing.assert_allclose(got[1], deviation, **tolerance)


def test_routing_passes_the_domain_on(raw, routing):
    X, y, X_tgt = raw
    settings = {"max_epochs": 60, "lambda_max": 0, "lr": 0.01}
    classifier_of = classifier("domain", **settings)
    pipe = make_pipeline(FunctionTransformer(), classifier_of, transform_input=["X_tgt"])
    pipe.fit(X, y, X_tgt=(X_tgt,))
    assert pipe.score(X, y, domain="source") > 0.9 > pipe.score(X, y, domain="target")
    np.testing.assert_array_equal(
        pipe.predict(X, domain="source"), pipe[-1].predict(X, domain="source")
    )
