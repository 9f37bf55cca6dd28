"""A fit as a plain torch module and as an ONNX file, compared with `predict_proba`."""

import io
import os
import sys

import numpy as np
import pytest
import sklearn
import torch
from scipy import sparse
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

from skdann import DANNClassifier, DANNClassifierCV
from skdann._serving import onnx_model
from skdann.pipeline import make_dann_pipeline

pytestmark = pytest.mark.filterwarnings("ignore::skdann.exceptions.DomainWarning")

ACTIVATIONS = "identity", "logistic", "tanh", "relu", "gelu"
SCALINGS = None, "source", "both", "domain", "balanced"


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(3)
    y = rng.permutation(np.arange(90) % 3)
    X = rng.normal(size=(90, 4)) * [1, 10, 0.1, 1] + y[:, None]
    return X.astype(np.float32), y, (X[::-1] * 1.5 + 3).astype(np.float32)


def classifier(**settings):
    settings = {"lambda_max": 1.0, "max_epochs": 2, "random_state": 0, **settings}
    return DANNClassifier(8, **{"domain_classifier": 4, **settings})


class Convolution(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(1, 3, 2, bias=False), nn.BatchNorm2d(3), nn.ReLU(), nn.Flatten()
        )

    def forward(self, X):
        return self.layers(X)


# Each row of the table: settings, what to do to the labels, and the target.
CASES = {
    "no scaling": {"input_scaling": None},
    **{f"scaling {one}": {"input_scaling": one} for one in SCALINGS[1:]},
    **{f"activation {one}": {"activation": one} for one in ACTIVATIONS},
    "members": {"n_members": 3, "input_scaling": "domain"},
    "layers": {"hidden_layer_sizes": (5, 4), "label_predictor": (3,), "dropout": 0.2},
    "conditioning": {"conditioning": "multilinear"},
    "custom": {"label_predictor": lambda n_inputs, n_classes: nn.Linear(n_inputs, n_classes)},
}
# Those that say most; the others are slow, as an export takes a second or two.
QUICK = ("members",)


def fitted_case(name, data):
    X, y, X_tgt = data
    settings = dict(CASES[name])
    sizes = settings.pop("hidden_layer_sizes", 8)
    return classifier(**settings).set_params(hidden_layer_sizes=sizes).fit(X, y, X_tgt)


def as_torch(estimator, rows, **how):
    return estimator.to_torch(**how)(torch.from_numpy(rows)).numpy()


def in_onnxruntime(model, rows):
    onnxruntime = pytest.importorskip("onnxruntime")
    model = model if isinstance(model, bytes) else os.fspath(model)
    return onnxruntime.InferenceSession(model).run(["label", "probabilities"], {"X": rows})


def close(found, expected):
    return abs(found - expected).max() < 2e-6


def needs_onnx():
    """Skip where ONNX's packages, or a torch that exports to it, are not installed."""
    pytest.importorskip("onnxscript")
    if onnx_model._torch_version() < onnx_model._OLDEST_TORCH:
        pytest.skip("torch is too old")


# -- torch -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", CASES)
def test_the_module_returns_probabilities_of_raw_rows(name, data):
    X, _, X_tgt = data
    clf, rows = fitted_case(name, data), np.concatenate([X, X_tgt])
    # Source rows are among them, and are recognised where domains are scaled apart.
    assert close(as_torch(clf, rows), clf.predict_proba(rows))
    for domain in ("source", "target", 1):
        found = as_torch(clf, rows, domain=domain)
        assert close(found, clf.predict_proba(rows, domain=domain))


def test_the_module_recognises_source_rows(data):
    X = data[0]
    clf = fitted_case("scaling domain", data)
    assert clf.domain_recognition_["source"] > 0.5
    recognised = clf.to_torch().source_rows(torch.from_numpy(X)).numpy()
    assert recognised.mean() > 0.5
    assert not close(as_torch(clf, X, domain="target"), clf.predict_proba(X))


def test_several_targets_and_sparse_rows(data):
    X, y, X_tgt = data
    clf = classifier(input_scaling="domain").fit(X, y, (X_tgt, X_tgt - 1))
    for domain in ("target", 0, 1, 2):
        found = as_torch(clf, X_tgt, domain=domain)
        assert close(found, clf.predict_proba(X_tgt, domain=domain))
    counts, counts_tgt = (sparse.csr_array(np.floor(np.abs(one))) for one in (X, X_tgt))
    clf = classifier(input_scaling="denoised").fit(counts, y, counts_tgt)
    found = as_torch(clf, counts_tgt.toarray().astype(np.float32))
    assert close(found, clf.predict_proba(counts_tgt))


def test_images_and_the_pool(data):
    X, y, X_tgt = data
    images, images_tgt = (one.reshape(-1, 1, 2, 2) for one in (X, X_tgt))
    clf = classifier(feature_extractor=Convolution).fit(images, y, images_tgt)
    assert close(as_torch(clf, images_tgt), clf.predict_proba(images_tgt))
    pool = DANNClassifierCV([0, 1], ["domain"], estimator=classifier(), cv=2, refit="ensemble")
    pool.fit(X, y, X_tgt)
    assert close(as_torch(pool, X_tgt), pool.predict_proba(X_tgt))


def test_the_module_is_a_copy_in_evaluation_mode(data):
    clf = fitted_case("layers", data)
    before = clf.predict_proba(data[2])
    module = clf.to_torch()
    assert not any(one.training for one in module.modules())
    assert not any(one.requires_grad for one in module.parameters())
    for one in module.parameters():
        one.zero_()
    assert np.array_equal(clf.predict_proba(data[2]), before)


@pytest.mark.parametrize("domain", ["somewhere", 7, -1])
def test_an_unknown_domain_is_refused(domain, data):
    with pytest.raises(ValueError, match="domain must be"):
        fitted_case("no scaling", data).to_torch(domain=domain)


def test_torch_export_takes_the_module_and_module_(data):
    _, _, X_tgt = data
    clf, rows = fitted_case("members", data), torch.from_numpy(X_tgt)
    for module, finish in ((clf.to_torch(), nn.Identity()), (clf.module_, nn.Softmax(dim=1))):
        dynamic = ({0: torch.export.Dim("rows")},)
        program = torch.export.export(module, (rows,), dynamic_shapes=dynamic)
        file = io.BytesIO()
        torch.export.save(program, file)
        file.seek(0)
        found = finish(torch.export.load(file).module()(rows[:5])).detach().numpy()
        assert close(found, clf.predict_proba(X_tgt[:5], domain="target"))


# -- ONNX ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", [one if one in QUICK else pytest.param(one, marks=pytest.mark.slow) for one in CASES]
)
def test_the_onnx_file_predicts_like_the_classifier(name, data, tmp_path):
    needs_onnx()
    X, _, X_tgt = data
    clf, rows = fitted_case(name, data), np.concatenate([X, X_tgt])
    clf.to_onnx(tmp_path / "model.onnx")
    assert [one.name for one in tmp_path.iterdir()] == ["model.onnx"]
    for some in (rows, rows[:1], rows[:17]):
        labels, probabilities = in_onnxruntime(tmp_path / "model.onnx", some)
        assert close(probabilities, clf.predict_proba(some))
        assert labels.tolist() == clf.predict(some).tolist()


@pytest.mark.slow
@pytest.mark.parametrize(
    "kind", ["text", "bool", "float", "two targets", "denoised", "images", "domain", "pool"]
)
def test_other_labels_and_rows_in_onnx(kind, data, tmp_path):
    needs_onnx()
    X, y, X_tgt = data
    clf, how = classifier(), {"domain": "target"} if kind == "domain" else {}
    targets = (X_tgt, X_tgt - 1) if kind == "two targets" else X_tgt
    if kind in ("two targets", "domain"):
        clf.set_params(input_scaling="domain")
    if kind == "denoised":
        X, targets = (sparse.csr_array(np.floor(np.abs(one))) for one in (X, X_tgt))
        clf.set_params(input_scaling="denoised")
    if kind == "images":
        X, targets = (one.reshape(-1, 1, 2, 2) for one in (X, X_tgt))
        clf.set_params(feature_extractor=Convolution)
    if kind == "pool":
        clf = DANNClassifierCV([0, 1], ["domain"], estimator=clf, cv=2, random_state=0)
    labels = {"text": np.array(["a", "b", "c"])[y], "bool": y > 0, "float": y * 1.0}.get(kind, y)
    clf.fit(X, labels, targets)
    rows = targets[0] if isinstance(targets, tuple) else targets
    rows = (rows.toarray() if sparse.issparse(rows) else rows).astype(np.float32)
    clf.to_onnx(tmp_path / "model.onnx", **how)
    found, probabilities = in_onnxruntime(tmp_path / "model.onnx", rows)
    assert close(probabilities, clf.predict_proba(rows, **how))
    assert found.tolist() == clf.predict(rows, **how).tolist()


def test_what_cannot_be_exported_is_said_and_leaves_the_file_as_it_was(data, tmp_path, monkeypatch):
    needs_onnx()
    X, y, X_tgt = data
    path = tmp_path / "model.onnx"
    path.write_bytes(b"before")

    class Rude(nn.Module):
        def forward(self, X):
            return X if X.detach().numpy().sum() < 1e9 else -X

    clf = classifier(feature_extractor=Rude()).fit(X, y, X_tgt)
    with pytest.raises(ValueError, match=r"torch\.onnx can't export.*custom part"):
        clf.to_onnx(path)
    mixed = classifier().fit(X, y, X_tgt)
    mixed.classes_ = np.array([1, "b", None], dtype=object)
    with pytest.raises(ValueError, match=r"ONNX has no labels.*y\.astype\(str\)"):
        mixed.to_onnx(path)
    with monkeypatch.context() as patched, pytest.raises(ImportError, match=r"torch 99\.0 or"):
        patched.setattr(onnx_model, "_OLDEST_TORCH", (99, 0))
        mixed.to_onnx(path)
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(ImportError, match=r'onnxscript.*pip install "skdann\[onnx\]"'):
        clf.to_onnx(path)
    assert path.read_bytes() == b"before"
    assert [one.name for one in tmp_path.iterdir()] == ["model.onnx"]


# -- skl2onnx --------------------------------------------------------------------------------


def pipelines(X, y, X_tgt):
    yield make_dann_pipeline(StandardScaler(), classifier(input_scaling="domain")).fit(X, y, X_tgt)
    with sklearn.config_context(enable_metadata_routing=True):
        pipe = make_pipeline(StandardScaler(), classifier(), transform_input=["X_tgt"])
        yield pipe.fit(X, y, X_tgt=(X_tgt,))
    pool = DANNClassifierCV([0, 1], ["source"], estimator=classifier(), cv=2, random_state=0)
    yield pool.fit(X, y, X_tgt)


@pytest.mark.parametrize(
    "position",
    [0, pytest.param(1, marks=pytest.mark.slow), pytest.param(2, marks=pytest.mark.slow)],
)
def test_skl2onnx_converts_pipelines(position, data):
    needs_onnx()
    skl2onnx = pytest.importorskip("skl2onnx")
    from skdann.serving import register_skl2onnx

    register_skl2onnx()
    X, y, X_tgt = data
    pipe = list(pipelines(X, np.array(["a", "b", "c"])[y], X_tgt))[position]
    model = skl2onnx.to_onnx(pipe, X_tgt[:1], options={"zipmap": False})
    for rows in (X_tgt, X, X[:1]):
        labels, probabilities = in_onnxruntime(model.SerializeToString(), rows)
        assert close(probabilities, pipe.predict_proba(rows))
        assert labels.tolist() == pipe.predict(rows).tolist()


@pytest.mark.slow
def test_skl2onnx_with_its_other_options_and_float64(data):
    needs_onnx()
    skl2onnx = pytest.importorskip("skl2onnx")
    from skdann.serving import register_skl2onnx

    register_skl2onnx()
    pipe = next(pipelines(*data))
    X_tgt = data[2]
    # Without options the probabilities come as a dict for each row.
    model = skl2onnx.to_onnx(pipe, X_tgt[:1])
    onnxruntime = pytest.importorskip("onnxruntime")
    session = onnxruntime.InferenceSession(model.SerializeToString())
    _, dicts = session.run(None, {"X": X_tgt})
    found = np.array([[row[label] for label in pipe.classes_.tolist()] for row in dicts])
    assert close(found, pipe.predict_proba(X_tgt))
    model = skl2onnx.to_onnx(pipe, X_tgt[:1].astype(np.float64), options={"zipmap": False})
    _, found = in_onnxruntime(model.SerializeToString(), X_tgt.astype(np.float64))
    assert close(found, pipe.predict_proba(X_tgt))


def test_without_skl2onnx_the_extra_is_named(monkeypatch):
    from skdann.serving import register_skl2onnx

    monkeypatch.setitem(sys.modules, "skl2onnx", None)
    with pytest.raises(ImportError, match=r'skl2onnx.*pip install "skdann\[onnx\]"'):
        register_skl2onnx()
