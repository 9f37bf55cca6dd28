"""The ready-made feature extractors: what they compute, and each as a part of the classifier."""

import io
import pickle
from functools import partial

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OrdinalEncoder, StandardScaler
from torch import nn

from skdann import DANNClassifier, DANNClassifierCV
from skdann.datasets import make_drifting_series
from skdann.networks import (
    MNISTFeatureExtractor,
    SVHNFeatureExtractor,
    TabularFeatureExtractor,
    TimeSeriesFeatureExtractor,
    TokenFeatureExtractor,
)

RNG = np.random.default_rng(0)
LABELS = np.arange(24) % 2


def codes(n_codes, *shape):
    return RNG.integers(n_codes, size=(24, *shape)).astype(np.float32)


def numbers(*shape):
    return RNG.uniform(size=(24, *shape)).astype(np.float32)


def shifted(X):
    return np.clip(X + 0.25, 0, 1)


Tabular = partial(TabularFeatureExtractor, n_categories={0: 4, 2: 3}, hidden_layer_sizes=(8,))
Tokens = partial(
    TokenFeatureExtractor, vocabulary_size=9, embedding_size=5, hidden_layer_sizes=(8,)
)

# Each part as a class or a partial of it, source rows, and target rows.
IMAGES, SMALL, SERIES = numbers(1, 16, 16), numbers(2, 7, 7), numbers(2, 20)
TABLE = np.column_stack([codes(4, 1), numbers(1), codes(3, 1)])
TEXTS = codes(9, 6)
PARTS = {
    "MNIST": (MNISTFeatureExtractor, IMAGES, shifted(IMAGES)),
    "SVHN": (SVHNFeatureExtractor, SMALL, shifted(SMALL)),
    "series": (TimeSeriesFeatureExtractor, SERIES, shifted(SERIES)),
    "table": (Tabular, TABLE, TABLE[:, [2, 1, 0]]),
    "tokens": (Tokens, TEXTS, TEXTS[:, ::-1] // 2),
}


def classifier(part, **parameters):
    settings = {
        "feature_extractor": part,
        "domain_classifier": (5,),
        "lambda_max": 1.0,
        "max_epochs": 2,
        "batch_size": 8,
        "random_state": 0,
    }
    return DANNClassifier(**{**settings, **parameters})


@pytest.fixture(params=PARTS)
def case(request):
    return PARTS[request.param]


def row_size(X):
    return X.shape[1] if X.ndim == 2 else X.shape[1:]


# -- what they compute -----------------------------------------------------------------------


def test_the_network_for_mnist_is_the_papers():
    extractor = MNISTFeatureExtractor((3, 28, 28))
    shapes = [tuple(parameter.shape) for parameter in extractor.parameters()]
    assert shapes == [(32, 3, 5, 5), (32,), (48, 32, 5, 5), (48,)]
    image = torch.rand(1, 3, 28, 28)
    first, second = (one for one in extractor.layers if isinstance(one, nn.Conv2d))
    x = nn.functional.max_pool2d(first(image).relu(), 2)
    assert x.shape == (1, 32, 12, 12)
    x = nn.functional.max_pool2d(second(x).relu(), 2)
    torch.testing.assert_close(extractor(image), x.reshape(1, 48 * 4 * 4))


def test_the_network_for_svhn_is_the_papers():
    extractor = SVHNFeatureExtractor((3, 32, 32)).eval()
    x = image = torch.rand(1, 3, 32, 32)
    convolutions = [one for one in extractor.layers if isinstance(one, nn.Conv2d)]
    assert [one.weight.shape for one in convolutions] == [
        (64, 3, 5, 5),
        (64, 64, 5, 5),
        (128, 64, 5, 5),
    ]
    for one in convolutions[:2]:
        x = nn.functional.max_pool2d(one(x).relu(), 3, stride=2)
    x = convolutions[2](x).relu()
    torch.testing.assert_close(extractor(image), x.reshape(1, 128 * 7 * 7))


def test_the_dropout_of_the_network_for_svhn():
    shares = [0.2, 0.3, 0.4, 0.6]
    extractor = SVHNFeatureExtractor((1, 9, 9), dropout=shares)
    kinds = [type(one).__name__ for one in extractor.layers if not isinstance(one, nn.ReLU)]
    block = ["Dropout", "Conv2d", "MaxPool2d"]
    assert kinds == [*block, *block, "Dropout", "Conv2d", "Dropout", "Flatten"]
    assert [one.p for one in extractor.layers if isinstance(one, nn.Dropout)] == shares
    with pytest.raises(ValueError, match=r"dropout must be 4 numbers.*got 0\.5"):
        SVHNFeatureExtractor((1, 9, 9), dropout=0.5)
    with pytest.raises(ValueError, match="less than 1"):
        SVHNFeatureExtractor((1, 9, 9), dropout=(0, 0, 0, 1))


@pytest.mark.parametrize("extractor", [MNISTFeatureExtractor, SVHNFeatureExtractor])
def test_pixels_are_divided_and_the_mean_is_taken_off(extractor):
    plain = extractor((3, 20, 18)).eval()
    scaled = extractor((3, 20, 18), max_value=255, mean=(0.1, 0.2, 0.3)).eval()
    scaled.load_state_dict({**scaled.state_dict(), **renumbered(plain)})
    image = torch.randint(256, (2, 3, 20, 18)).float()
    mean = torch.tensor([0.1, 0.2, 0.3]).reshape(3, 1, 1)
    torch.testing.assert_close(scaled(image), plain(image / 255 - mean))


def renumbered(extractor):
    """Return the weights of layers under the numbers they have behind one more layer."""
    state = extractor.state_dict()
    return {
        f"layers.{int(name.split('.')[1]) + 1}.{name.split('.')[2]}": state[name] for name in state
    }


def test_bytes_and_numbers_give_the_same_network():
    images = RNG.integers(256, size=(24, 1, 16, 16), dtype=np.uint8)
    part = partial(MNISTFeatureExtractor, max_value=255)
    of_bytes = classifier(part).fit(images, LABELS, 255 - images)
    of_numbers = classifier(MNISTFeatureExtractor).fit(
        images / np.float32(255), LABELS, (255 - images) / np.float32(255)
    )
    assert_allclose(
        of_bytes.predict_proba(images), of_numbers.predict_proba(images / 255), atol=1e-4
    )


@pytest.mark.parametrize(
    ("extractor", "shape", "message"),
    [
        (MNISTFeatureExtractor, 784, "channels, height, width.*got 784. Pass X of shape"),
        (MNISTFeatureExtractor, (28, 28), r"got \(28, 28\).*X\[:, None\]"),
        (MNISTFeatureExtractor, (28, 28, 3), r"Are channels the last axis\? Pass X\.transpose"),
        (MNISTFeatureExtractor, (3, 15, 40), "must be at least 16, got 15 and 40. Enlarge"),
        (MNISTFeatureExtractor, (8, 8, 8), "must be at least 16, got 8 and 8. Enlarge"),
        (SVHNFeatureExtractor, (3, 7, 6), "must be at least 7, got 7 and 6"),
        (TimeSeriesFeatureExtractor, 128, r"\(channels, steps\).*got 128.*X\[:, None\]"),
        (TimeSeriesFeatureExtractor, (1, 4, 4), r"got \(1, 4, 4\)\. Pass X of shape"),
        (Tabular, (3, 4), r"n_features must be the number of columns of X, got \(3, 4\)"),
        (Tokens, (3, 4), r"length must be the number of columns of X, got \(3, 4\)"),
    ],
)
def test_rows_of_another_shape_are_refused(extractor, shape, message):
    with pytest.raises(ValueError, match=message):
        extractor(shape)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (
            lambda: MNISTFeatureExtractor((1, 16, 16), max_value=0),
            "max_value must be.*255 for bytes",
        ),
        (lambda: SVHNFeatureExtractor((3, 9, 9), mean=(0, 1)), "each of the 3 channels, got 2"),
        (lambda: TimeSeriesFeatureExtractor((1, 9), channels=(4,)), "one number for each convol"),
        (
            lambda: TimeSeriesFeatureExtractor((1, 9), channels=(4,), kernel_sizes=(2,)),
            "kernel_sizes must be odd",
        ),
        (lambda: TabularFeatureExtractor(2, n_categories={2: 3}), "0 to 1, got 2"),
        (lambda: TabularFeatureExtractor(2, n_categories={"a": 3}), "0 to 1, got 'a'"),
        (lambda: TabularFeatureExtractor(2, n_categories={1: 0}), "at least 1, got 0 for column 1"),
        (lambda: TokenFeatureExtractor(2, vocabulary_size=4, padding_id=4), "ids 0 to 3, got 4"),
    ],
)
def test_options_that_cannot_be_are_refused(build, message):
    with pytest.raises(ValueError, match=message):
        build()


@pytest.mark.parametrize(
    "shape", [(MNISTFeatureExtractor, (2, 16, 17)), (SVHNFeatureExtractor, (5, 7, 9))]
)
def test_the_smallest_images_fit(shape):
    extractor, image_shape = shape
    assert extractor(image_shape)(torch.zeros(2, *image_shape)).ndim == 2


def test_a_series_has_the_same_features_later_and_in_another_unit():
    extractor = TimeSeriesFeatureExtractor((2, 60), channels=(4, 3), kernel_sizes=(5, 3))
    X = torch.zeros(1, 2, 60)
    X[:, :, 20:30] = torch.rand(1, 2, 10)
    features = extractor(X)
    assert features.shape == (1, 3)
    torch.testing.assert_close(extractor(X.roll(15, dims=2)), features)
    first = extractor.layers[0]
    assert first.kernel_size == (5,)
    with torch.no_grad():
        first.bias.zero_()
    torch.testing.assert_close(extractor(50 * X), extractor(X), rtol=1e-2, atol=1e-3)
    torch.testing.assert_close(extractor(torch.cat([X, 9 + X]))[:1], extractor(X))


def test_unknown_categories_share_a_vector_that_starts_at_zero():
    extractor = TabularFeatureExtractor(3, n_categories={2: 4}, hidden_layer_sizes=())
    X = torch.tensor([[0.5, -2.0, code] for code in (0, 3, 4, -1, 1.5, 1e30)])
    features = extractor(X)
    assert features.shape == (6, 2 + 2)  # half of four categories, and two numbers
    table = extractor.embeddings[0].weight
    torch.testing.assert_close(features[0], torch.cat([table[0], X[0, :2]]))
    torch.testing.assert_close(features[1], torch.cat([table[3], X[1, :2]]))
    assert not features[2:, :2].any() and (features[:2, :2] != 0).all()
    features[2].sum().backward()
    assert table.grad[4].tolist() == [1, 1]  # it learns


@pytest.mark.parametrize(
    ("n", "given", "size"), [(1, None, 1), (9, None, 5), (999, None, 50), (9, 7, 7)]
)
def test_the_length_of_the_categories_vectors(n, given, size):
    extractor = TabularFeatureExtractor(1, n_categories={0: n}, embedding_size=given)
    assert extractor.embeddings[0].embedding_dim == size


def test_the_mean_of_tokens_leaves_padding_out():
    extractor = TokenFeatureExtractor(
        4, vocabulary_size=6, padding_id=1, embedding_size=3, hidden_layer_sizes=()
    )
    table = extractor.embedding.weight
    texts = [[2.0, 5, 1, 1], [1, 1, 1, 1], [0, 6, -3, 1], [3, 1, 3, 4], [4, 1, 1, 1]]
    sums = [table[2] + table[5], 0 * table[0], table[0], 2 * table[3] + table[4], table[4]]
    counts = torch.tensor([2, 1, 3, 3, 1]).unsqueeze(1)
    expected = torch.stack(sums) / counts
    torch.testing.assert_close(extractor(torch.tensor(texts)), expected)


def test_hidden_layers_follow_the_vectors():
    extractor = TokenFeatureExtractor(4, vocabulary_size=6, hidden_layer_sizes=(7, 5), dropout=0.25)
    assert [type(one) for one in extractor.layers] == 2 * [nn.Linear, nn.ReLU, nn.Dropout]
    assert extractor.layers[2].p == 0.25
    assert extractor(torch.ones(2, 4)).shape == (2, 5)


# -- each as a part of the classifier ----------------------------------------------------------


def test_the_same_seed_gives_the_same_model(case):
    part, X, X_tgt = case
    one, same, other = (
        classifier(part, random_state=seed).fit(X, LABELS, X_tgt).predict_proba(X_tgt)
        for seed in (0, 0, 1)
    )
    assert_array_equal(one, same)
    assert not np.allclose(one, other, atol=1e-5)


def test_an_instance_is_the_start_and_is_left_alone(case):
    part, X, X_tgt = case
    torch.manual_seed(0)
    given = part(row_size(X))
    before = {name: value.clone() for name, value in given.state_dict().items()}
    fitted = classifier(given, lr=1e-9, weight_decay=0.0).fit(X, LABELS, X_tgt)
    for name, value in fitted.module_.feature_extractor.state_dict().items():
        torch.testing.assert_close(value, before[name], atol=1e-5, rtol=0)
        torch.testing.assert_close(given.state_dict()[name], before[name], atol=0, rtol=0)


def test_the_domain_reaches_every_weight(case):
    """With lambda the feature extractor differs, and from the first layer on."""
    part, X, X_tgt = case
    states = [
        classifier(part, lambda_max=lam)
        .fit(X, LABELS, X_tgt)
        .module_.feature_extractor.state_dict()
        for lam in (0.0, 1.0)
    ]
    for name in states[0]:
        assert not torch.equal(states[0][name], states[1][name]), name


def test_it_survives_clone_pickle_and_another_module(case):
    part, X, X_tgt = case
    fitted = clone(classifier(part)).fit(X, LABELS, X_tgt)
    expected = fitted.predict_proba(X_tgt)
    assert_array_equal(pickle.loads(pickle.dumps(fitted)).predict_proba(X_tgt), expected)
    extractor = part(row_size(X)).eval()
    file = io.BytesIO()
    torch.save(fitted.module_.feature_extractor.state_dict(), file)
    file.seek(0)
    extractor.load_state_dict(torch.load(file, weights_only=True))
    embedding = extractor(torch.from_numpy(X_tgt.copy())).detach().numpy()
    assert_allclose(embedding, fitted.transform(X_tgt), atol=1e-6)


def test_it_is_an_ensemble_and_trains_on(case):
    part, X, X_tgt = case
    fitted = classifier(part, n_members=2).fit(X, LABELS, X_tgt)
    width = part(row_size(X))(torch.zeros(1, *X.shape[1:])).shape[1]
    assert fitted.transform(X).shape == (24, 2 * width)
    before = fitted.predict_proba(X_tgt)
    assert not np.array_equal(fitted.partial_fit(X, LABELS, X_tgt).predict_proba(X_tgt), before)


def test_it_is_served_as_a_module(case):
    part, X, X_tgt = case
    fitted = classifier(part).fit(X, LABELS, X_tgt)
    found = fitted.to_torch()(torch.from_numpy(X_tgt.copy()))
    assert_allclose(found, fitted.predict_proba(X_tgt), atol=1e-6)


@pytest.mark.slow
def test_torch_exports_it(case):
    part, X, X_tgt = case
    fitted = classifier(part).fit(X, LABELS, X_tgt)
    rows = torch.from_numpy(X_tgt.copy())
    dynamic = ({0: torch.export.Dim("rows")},)
    program = torch.export.export(fitted.to_torch(), (rows,), dynamic_shapes=dynamic)
    assert_allclose(program.module()(rows[:5]), fitted.predict_proba(X_tgt[:5]), atol=1e-6)


@pytest.mark.slow
def test_it_is_served_by_onnx(case, tmp_path):
    pytest.importorskip("onnxscript")
    onnxruntime = pytest.importorskip("onnxruntime")
    part, X, X_tgt = case
    fitted = classifier(part).fit(X, LABELS, X_tgt)
    fitted.to_onnx(tmp_path / "model.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    for rows in (X_tgt, X_tgt[:1]):
        _, probabilities = session.run(None, {"X": np.ascontiguousarray(rows)})
        assert_allclose(probabilities, fitted.predict_proba(rows), atol=1e-5)


def test_a_search_chooses_among_parts():
    grid = {"feature_extractor": [Tokens, partial(Tokens, embedding_size=3)], "max_epochs": [1]}
    search = GridSearchCV(classifier(Tokens), grid, cv=2).fit(TEXTS, LABELS, X_tgt=(TEXTS // 2,))
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert search.best_params_["feature_extractor"] in grid["feature_extractor"]


def test_the_default_chooses_lambda_alone(case):
    part, X, X_tgt = case
    fitted = classifier(part, lambda_max="auto", max_epochs=1).fit(X, LABELS, X_tgt)
    assert fitted.input_scaling_ is None
    assert {row for row in fitted.cv_results_["param_lambda_max"]} >= {0.0, 1.0}


@pytest.mark.parametrize("kind", ["table", "tokens"])
def test_sparse_codes_are_dense_codes(kind):
    part, X, X_tgt = PARTS[kind]
    dense = classifier(part).fit(X, LABELS, X_tgt)
    few = classifier(part).fit(sparse.csr_array(X), LABELS, sparse.csr_array(X_tgt))
    assert_allclose(few.predict_proba(X_tgt), dense.predict_proba(X_tgt), atol=1e-6)


@pytest.mark.parametrize("dtype", [np.int64, np.uint16, np.float64])
def test_token_ids_may_be_integers(dtype):
    ids, ids_tgt = TEXTS.astype(dtype), (TEXTS // 2).astype(dtype)
    fitted = classifier(Tokens).fit(ids, LABELS, ids_tgt)
    expected = classifier(Tokens).fit(TEXTS, LABELS, TEXTS // 2).predict_proba(TEXTS)
    assert_array_equal(fitted.predict_proba(ids), expected)


def test_a_list_of_images_is_told_to_be_an_array():
    X, X_tgt = list(IMAGES), list(shifted(IMAGES))
    with pytest.raises(ValueError, match=r"such as images, are passed as one array: numpy\.stack"):
        classifier(MNISTFeatureExtractor).fit(X, LABELS, X_tgt)
    fitted = classifier(MNISTFeatureExtractor).fit(X, LABELS, np.stack(X_tgt))
    assert len(fitted.predict(X_tgt)) == 24


def test_what_a_part_needs_to_know_is_asked_for():
    with pytest.raises(ValueError, match=r"TokenFeatureExtractor requires 2 arguments: length, v"):
        classifier(TokenFeatureExtractor).fit(TEXTS, LABELS, TEXTS)


@pytest.mark.parametrize("kind", ["table", "tokens"])
@pytest.mark.parametrize("inside", [False, True], ids=["itself", "inside another module"])
def test_codes_are_not_scaled(kind, inside):
    part, X, X_tgt = PARTS[kind]
    built = (lambda width: nn.Sequential(part(width), nn.ReLU())) if inside else part
    with pytest.raises(ValueError, match=r"input_scaling='source' would scale the codes that T"):
        classifier(built, input_scaling="source").fit(X, LABELS, X_tgt)
    with pytest.raises(ValueError, match="would scale the codes"):
        classifier(built, input_scaling="both").partial_fit(X, LABELS, X_tgt)
    pool = DANNClassifierCV([0, 1], [None, "domain"], estimator=classifier(built), cv=2)
    with pytest.raises(ValueError, match="would scale the codes"):
        pool.fit(X, LABELS, X_tgt)


def test_torchs_default_dtype_does_not_matter(case):
    part, X, X_tgt = case
    torch.set_default_dtype(torch.float64)
    try:
        fitted = classifier(part, max_epochs=1).fit(X, LABELS, X_tgt)
        assert fitted.transform(X).dtype == np.float32
    finally:
        torch.set_default_dtype(torch.float32)


# -- end to end ------------------------------------------------------------------------------


def test_adaptation_undoes_a_drift_of_series():
    """Another speed, gain and noise cost half of the accuracy; most of it comes back."""
    X, y, X_tgt, y_tgt = make_drifting_series(random_state=0)
    accuracy = {}
    for lam in (0.0, 1.0):
        settings = {"lambda_max": lam, "max_epochs": 12, "lr": 0.005, "batch_size": 32}
        fitted = DANNClassifier(
            feature_extractor=TimeSeriesFeatureExtractor, random_state=0, **settings
        ).fit(X, y, X_tgt)
        assert fitted.score(X, y) > 0.9
        accuracy[lam] = fitted.score(X_tgt, y_tgt)
    assert accuracy[0.0] < 0.65
    assert accuracy[1.0] > accuracy[0.0] + 0.15


def test_the_drift_of_series_is_what_its_parameters_say():
    still = {"speed": 1.0, "gain": (1.0, 1.0), "noise": 0.15}
    X, y, X_tgt, y_tgt = make_drifting_series(2000, **still, random_state=0)
    assert X.dtype == X_tgt.dtype == np.float32
    assert set(y) == set(y_tgt) == {0, 1, 2}
    assert_allclose(X_tgt.std(axis=(0, 2)), X.std(axis=(0, 2)), rtol=0.05)
    _, _, louder, _ = make_drifting_series(2000, **{**still, "gain": (2.0, 0.5)}, random_state=0)
    assert_allclose(louder, X_tgt * np.array([[2.0], [0.5]]), rtol=1e-5)
    _, _, noisier, _ = make_drifting_series(2000, **{**still, "noise": 0.6}, random_state=0)
    assert (noisier - X_tgt).std() == pytest.approx(0.45, rel=0.1)
    # The shaft's turns: the frequency that is strongest in a sound machine, in turns per window.
    quiet = {**still, "noise": 0.0, "speed": 1.5}
    X, y, X_tgt, y_tgt = make_drifting_series(500, **quiet, random_state=0)
    turns = [np.abs(np.fft.rfft(one[:, 0])).argmax(1) for one in (X[y == 0], X_tgt[y_tgt == 0])]
    assert np.mean(turns[0]) == pytest.approx(4, abs=0.4)
    assert np.mean(turns[1]) == pytest.approx(6, abs=0.4)


def test_a_data_frame_of_text_and_numbers_goes_through_a_pipeline():
    """The target's unknown city is an unknown category, and an age in other units is scaled."""
    rng = np.random.default_rng(0)
    city = rng.choice(["Bonn", "Oslo", "Rome"], size=90)
    y = (city == "Oslo").astype(int)
    X = pd.DataFrame({"age": rng.normal(50, 9, size=90), "city": city})
    X_tgt = X.iloc[::-1].reset_index(drop=True)
    X_tgt.loc[:9, "city"] = "Lyon"
    encode = make_column_transformer(
        (OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1), ["city"]),
        (StandardScaler(), ["age"]),
    )
    part = partial(TabularFeatureExtractor, n_categories={0: 3})
    settings = {"max_epochs": 20, "lr": 0.03, "batch_size": 30}
    rows, rows_tgt = encode.fit_transform(X), encode.transform(X_tgt)
    model = classifier(part, **settings).fit(rows, y, rows_tgt)
    assert model.score(rows, y) == 1.0
    assert model.score(rows_tgt[10:], y[::-1][10:]) == 1.0
    bound = make_pipeline(encode, classifier(part, **settings).with_target(rows_tgt))
    assert_array_equal(bound.fit(X, y).predict(X_tgt), model.predict(rows_tgt))
