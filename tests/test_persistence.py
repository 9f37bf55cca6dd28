"""Files of fitted estimators: what loads them, what is in them, and how large they are."""

import io
import pickle
import subprocess
import sys
import zipfile

import cloudpickle
import joblib
import numpy as np
import pytest
import skops.io
import torch
from scipy import sparse
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

import skdann
from skdann import DANNClassifier, DANNClassifierCV, adaptation_report
from skdann._training import plain_records
from skdann.exceptions import SavedVersionWarning
from skdann.pipeline import make_dann_pipeline

pytestmark = pytest.mark.filterwarnings("ignore::skdann.exceptions.DomainWarning")

CLASSIFIER = "skdann._classifier.DANNClassifier"
UNCHECKED = "skdann._training.plain_networks.UncheckedParts"


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(7)
    y = rng.permutation(np.arange(80) % 2)
    return rng.normal(size=(80, 4)) + y[:, None], y, rng.normal(size=(60, 4)) + 0.7


def classifier(**settings):
    settings = {"lambda_max": 1.0, "max_epochs": 2, "random_state": 0, **settings}
    return DANNClassifier(8, **{"domain_classifier": 4, **settings})


class OwnExtractor(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.layer = nn.Linear(width, 5)

    def forward(self, X):
        return self.layer(X).tanh()


def by_joblib(estimator):
    file = io.BytesIO()
    joblib.dump(estimator, file)
    file.seek(0)
    return joblib.load(file)


def by_skops(estimator):
    file = skops.io.dumps(estimator)
    return skops.io.loads(file, trusted=skops.io.get_untrusted_types(data=file))


WAYS = {
    "pickle": lambda estimator: pickle.loads(pickle.dumps(estimator)),
    "joblib": by_joblib,
    "cloudpickle": lambda estimator: pickle.loads(cloudpickle.dumps(estimator)),
    "skops": by_skops,
}

SETTINGS = {
    "plain": {},
    "domain": {"input_scaling": "domain", "label_shift": [0.4, 0.6]},
    "ensemble": {"n_members": 2, "early_stopping": True, "conditioning": "multilinear"},
    "sgd": {"optimizer": "sgd", "lr_schedule": "annealed", "lambda_schedule": "constant"},
    "rmsprop": {"optimizer": torch.optim.RMSprop},
    "custom": {"feature_extractor": OwnExtractor},
}

# -- they load -------------------------------------------------------------------------------


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
def test_a_loaded_fit_predicts_the_same_and_trains_on_the_same(way, settings, data):
    X, y, X_tgt = data
    fitted = classifier(**settings).fit(X, y, X_tgt)
    for _ in range(2):  # of the fit, then of a fit that was trained on
        loaded = WAYS[way](fitted)
        assert np.array_equal(loaded.predict_proba(X_tgt), fitted.predict_proba(X_tgt))
        assert loaded.history_ == fitted.history_
        # Rows that are recognised as source rows are so again.
        assert np.array_equal(loaded.predict_proba(X), fitted.predict_proba(X))
        for one in (fitted, loaded):
            one.partial_fit(X, y, X_tgt)
        assert np.array_equal(loaded.predict_proba(X_tgt), fitted.predict_proba(X_tgt))


@pytest.mark.filterwarnings("ignore::skdann.exceptions.SourceOnlyWarning")
@pytest.mark.parametrize("way", WAYS)
def test_pipelines_and_searches_load(way, data):
    X, y, X_tgt = data
    search = GridSearchCV(classifier(), {"lr": [0.001, 0.01]}, cv=2).fit(X, y, X_tgt=(X_tgt,))
    pool = DANNClassifierCV([0, 1], ["source"], estimator=classifier(), cv=2, random_state=0)
    for fitted in (
        make_pipeline(StandardScaler(), classifier(lambda_max=0.0)).fit(X, y),
        make_dann_pipeline(StandardScaler(), classifier()).fit(X, y, X_tgt),
        pool.fit(X, y, X_tgt),
        search,
    ):
        loaded = WAYS[way](fitted)
        assert np.array_equal(loaded.predict_proba(X_tgt), fitted.predict_proba(X_tgt))


def test_another_process_loads_it(data, tmp_path):
    X, y, X_tgt = data
    fitted = classifier(input_scaling="domain").fit(X, y, X_tgt)
    (tmp_path / "model.pkl").write_bytes(pickle.dumps(fitted))
    np.save(tmp_path / "rows.npy", X_tgt)
    program = (
        "import pickle, numpy as np\n"
        "model = pickle.load(open('model.pkl', 'rb'))\n"
        "np.save('found.npy', model.predict_proba(np.load('rows.npy'), domain='target'))\n"
    )
    subprocess.run([sys.executable, "-c", program], cwd=tmp_path, check=True)
    found = np.load(tmp_path / "found.npy")
    assert np.array_equal(found, fitted.predict_proba(X_tgt, domain="target"))


@pytest.mark.parametrize("settings", [{}, {"feature_extractor": OwnExtractor}])
def test_a_fit_from_a_device_that_is_missing_comes_to_the_cpu(settings, data):
    X, y, X_tgt = data
    fitted = classifier(**settings).fit(X, y, X_tgt)
    expected = fitted.predict_proba(X_tgt)
    fitted.net_.device = "cuda:99"  # as if it had been fitted there
    file = pickle.dumps(fitted)
    with pytest.warns(UserWarning, match=r"'cuda:99'.*loaded onto the CPU"):
        loaded = pickle.loads(file)
    assert loaded.net_.device == "cpu"
    assert np.array_equal(loaded.predict_proba(X_tgt), expected)
    loaded.partial_fit(X, y, X_tgt)


def test_frozen_layers_stay_frozen(data):
    X, y, X_tgt = data
    fitted = classifier().fit(X, y, X_tgt)
    fitted.module_.feature_extractor.layers[0].weight.requires_grad_(False)
    loaded = pickle.loads(pickle.dumps(fitted))
    frozen = [name for name, one in loaded.module_.named_parameters() if not one.requires_grad]
    assert frozen == ["feature_extractor.layers.0.weight"]


# -- what skops trusts -----------------------------------------------------------------------


@pytest.mark.parametrize("name", ["plain", "domain", "ensemble", "sgd"])
def test_skops_asks_to_trust_one_type(name, data):
    X, y, X_tgt = data
    fitted = classifier(**SETTINGS[name]).fit(X, y, X_tgt).partial_fit(X, y, X_tgt)
    assert skops.io.get_untrusted_types(data=skops.io.dumps(fitted)) == [CLASSIFIER]


def test_skops_names_the_pickle_inside_the_file_of_a_custom_module(data):
    X, y, X_tgt = data
    file = skops.io.dumps(classifier(feature_extractor=OwnExtractor).fit(X, y, X_tgt))
    asked = skops.io.get_untrusted_types(data=file)
    assert UNCHECKED in asked
    with pytest.raises(skops.io.exceptions.UntrustedTypesFoundException):
        skops.io.loads(file, trusted=[CLASSIFIER])


# -- sizes -----------------------------------------------------------------------------------


def test_a_hundred_units_on_fifty_columns_take_less_than_200_kb():
    rng = np.random.default_rng(0)
    y = np.arange(64) % 2
    X, X_tgt = rng.normal(size=(64, 50)) + y[:, None], rng.normal(size=(64, 50))
    # Few rows make for the longest history, 300 epochs; "domain" keeps a recognition too.
    fitted = DANNClassifier(lambda_max=1.0, input_scaling="domain", random_state=0)
    fitted.fit(X, y, X_tgt)
    assert fitted.n_iter_ == 300
    buffer = io.BytesIO()
    joblib.dump(fitted, buffer)
    sizes = {
        "pickle": len(pickle.dumps(fitted)),
        "joblib": len(buffer.getvalue()),
        "skops": len(skops.io.dumps(fitted, compression=zipfile.ZIP_DEFLATED, compresslevel=9)),
    }
    assert max(sizes.values()) < 200_000, sizes


def test_large_arrays_are_kept_as_they_are(monkeypatch):
    tensors = {"a": torch.arange(6.0).reshape(2, 3), "b": torch.tensor(2), "c": torch.zeros(0, 3)}
    for limit in (0, 1000):
        monkeypatch.setattr(plain_records, "_COMPRESSED_BYTES", limit)
        packs = plain_records.packed(tensors)
        assert isinstance(packs[0]["numbers"], np.ndarray if limit == 0 else bytes)
        for name, found in plain_records.unpacked(packs).items():
            assert found.dtype == tensors[name].dtype
            assert torch.equal(found, tensors[name])


@pytest.mark.parametrize(
    "rows",
    [
        [],
        [{"a": 1, "b": 0.5}, {"a": 2, "b": float("inf")}],
        [{"a": 1}, {"a": 0.5}],
        [{"a": 1}, {"b": 1}],
        [{"batches": []}, {"batches": []}],
        [{"m": [{"x": 1.0}, {"x": 2.0}], "n": None}, {"m": [{"x": 3.0}, {"x": 4.0}], "n": "t"}],
        [{"m": [{"x": 1.0}]}, {"m": []}],
        [{"flag": True}, {"flag": False}],
    ],
)
def test_rows_of_figures_come_back_as_they_were(rows):
    found = plain_records.rows_of(plain_records.plain_rows(rows))
    assert found == rows
    assert repr(found) == repr(rows)  # types too


# -- no data ---------------------------------------------------------------------------------


def fits_of_everything(X, y, X_tgt):
    """Yield names and what each estimator of the package keeps of a fit."""
    counts, counts_tgt = (sparse.csr_array(np.abs(one)) for one in (X, X_tgt))
    for name, settings in SETTINGS.items():
        yield name, classifier(**settings).fit(X, y, X_tgt)
    yield "streamed", classifier().partial_fit(X, y, X_tgt).partial_fit(X, y, X_tgt)
    yield "chosen", classifier(lambda_max="auto", n_jobs=1).fit(X, y, X_tgt)
    balanced = classifier(input_scaling="balanced").fit(X, y, X_tgt)
    yield "balanced", balanced
    yield "report", adaptation_report(balanced, X, y, X_tgt)
    yield "denoised", classifier(input_scaling="denoised").fit(counts, y, counts_tgt)
    grid = DANNClassifierCV([0, 1], ["both"], estimator=classifier(), cv=2, random_state=0)
    yield "grid", grid.fit(X, y, X_tgt)
    yield "pipeline", make_dann_pipeline(classifier()).fit(X, y, X_tgt)


def found_in(file, X, y, X_tgt):
    """Return which rows or labels a file holds, as neighbours in float32 or float64."""
    found = []
    for name, rows in {"X": X, "X_tgt": X_tgt}.items():
        for dtype in (np.float32, np.float64):
            for row in np.abs(rows.astype(dtype)), rows.astype(dtype):
                found += [name for pair in row[:, :2] if pair.tobytes() in file]
    for dtype in (np.int8, np.int32, np.int64, np.float32):
        found += ["y"] if y[:24].astype(dtype).tobytes() in file else []
    return found


def test_files_hold_no_rows_and_no_labels(data, monkeypatch):
    X, y, X_tgt = data
    # Nothing is compressed, or nothing would be found.
    monkeypatch.setattr(plain_records, "_COMPRESSED_BYTES", 0)
    for name, fitted in fits_of_everything(X, y, X_tgt):
        assert not found_in(pickle.dumps(fitted), X, y, X_tgt), name


def test_rows_in_a_file_would_be_found(data, monkeypatch):
    X, y, X_tgt = data
    monkeypatch.setattr(plain_records, "_COMPRESSED_BYTES", 0)
    fitted = classifier().fit(X, y, X_tgt)
    for secret in (X, X_tgt.astype(np.float32), y, torch.from_numpy(X)):
        fitted.secret_ = secret
        assert found_in(pickle.dumps(fitted), X, y, X_tgt)


# -- versions --------------------------------------------------------------------------------


def test_a_file_of_another_version_warns(data, monkeypatch):
    X, y, X_tgt = data
    fitted = classifier().fit(X, y, X_tgt)
    file = pickle.dumps(fitted)
    monkeypatch.setattr(skdann, "__version__", "7.8.9")
    with pytest.warns(SavedVersionWarning, match=r"saved by skdann 0.* loaded by skdann 7\.8\.9"):
        loaded = pickle.loads(file)
    assert np.array_equal(loaded.predict_proba(X_tgt), fitted.predict_proba(X_tgt))


def test_a_file_in_an_unknown_form_is_refused(data):
    estimator = classifier()
    state = {**estimator.__getstate__(), "_skdann_version": "9.1.0", "_skdann_format": 99}
    with pytest.raises(ValueError, match=rf"saved by skdann 9\.1\.0.*{skdann.__version__}"):
        classifier().__setstate__(state)
    del state["_skdann_version"], state["_skdann_format"]
    with pytest.raises(ValueError, match=r"before 0\.1\.0.*Fit it again"):
        classifier().__setstate__(state)
