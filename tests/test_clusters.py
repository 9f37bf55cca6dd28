"""One fit spread over a local cluster of dask and of ray, started and stopped here."""

import os

import numpy as np
import pytest
from joblib import parallel_config
from sklearn.base import clone
from torch import nn

from skdann import DANNClassifier, DANNClassifierCV

# What clusters warn of is about this machine, not about the package.
pytestmark = pytest.mark.filterwarnings("ignore")

FEW = {"hidden_layer_sizes": 8, "domain_classifier": 8, "max_epochs": 3, "random_state": 0}


@pytest.fixture
def dask_cluster():
    distributed = pytest.importorskip("distributed", reason="the extra `clusters` brings dask")
    options = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": None}
    with distributed.LocalCluster(**options) as cluster, distributed.Client(cluster):
        yield "dask"


@pytest.fixture
def ray_cluster():
    ray = pytest.importorskip("ray", reason="the extra `clusters` brings ray")
    from ray.util.joblib import register_ray

    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    register_ray()
    yield "ray"
    ray.shutdown()


@pytest.mark.parametrize("cluster", ["dask_cluster", "ray_cluster"])
def test_a_fit_over_a_cluster_is_the_fit_of_one_process_to_the_bit(
    cluster, request, blobs, tmp_path
):
    X, y, X_tgt = blobs

    def features(width):
        (tmp_path / str(os.getpid())).touch()
        return nn.Linear(width, 4)

    search = DANNClassifierCV([0, 1], cv=2, estimator=DANNClassifier(**FEW), random_state=0)
    here = [DANNClassifier(**FEW).fit(X, y, X_tgt), clone(search).fit(X, y, X_tgt)]
    expected = [one.predict_proba(X_tgt) for one in here]
    with parallel_config(backend=request.getfixturevalue(cluster), n_jobs=-1):
        there = [DANNClassifier(**FEW).fit(X, y, X_tgt), search.fit(X, y, X_tgt)]
        DANNClassifier(feature_extractor=features, max_epochs=1).fit(X, y, X_tgt)
    processes = {path.name for path in tmp_path.iterdir()}
    assert processes > {str(os.getpid())}  # the candidates elsewhere, the final fit here
    for one, proba in zip(there, expected, strict=True):
        np.testing.assert_array_equal(one.predict_proba(X_tgt), proba)
    np.testing.assert_array_equal(
        there[1].cv_results_["expected_gain"], here[1].cv_results_["expected_gain"]
    )
