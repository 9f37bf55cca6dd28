"""One fit spread over a local cluster of dask and of ray, started and stopped here."""

import os

import numpy as np
import pytest
from joblib import parallel_config
from torch import nn

from skdann import DANNClassifier

# What clusters warn of is about this machine, not about the package.
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


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

    few = {"feature_extractor": features, "max_epochs": 3, "random_state": 0}
    here = DANNClassifier(**few).fit(X, y, X_tgt)
    with parallel_config(backend=request.getfixturevalue(cluster), n_jobs=-1):
        there = DANNClassifier(**few).fit(X, y, X_tgt)
    np.testing.assert_array_equal(there.predict_proba(X_tgt), here.predict_proba(X_tgt))
    assert there.verdict_ == here.verdict_
    # The candidates were trained elsewhere, and the final network here.
    assert {path.name for path in tmp_path.iterdir()} > {str(os.getpid())}
