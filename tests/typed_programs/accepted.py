"""What users write, as a type checker sees it: `make types` accepts every line, and a test runs it.

Return types are asserted where the checker can know them.
"""

from __future__ import annotations

from typing import Any, assert_type

import numpy as np
import torch
from numpy.typing import NDArray

import skdann
from skdann import AdaptationReport, DANNClassifier, DANNClassifierCV
from skdann.datasets import make_rotated_moons
from skdann.metrics import InfoMaxScorer, WeightedScore, importance_weighted_accuracy
from skdann.model_selection import DomainKFold, adaptation_scoring, choose_adaptation
from skdann.pipeline import DANNPipeline, make_dann_pipeline
from skdann.schedules import Ramp


class Extractor(torch.nn.Module):
    """A feature extractor of the user's own."""

    def __init__(self, n_features: int) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(n_features, 8)

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        """Return the embedding."""
        return torch.relu(self.layer(rows))


def classifiers() -> DANNClassifier:
    """Parameters of every kind, and the methods of a fitted classifier."""
    X_src, y_src, X_tgt, y_tgt = make_rotated_moons(60, random_state=0)
    plain = DANNClassifier((16,), "gelu", lambda_max=1.0, max_epochs=2, random_state=0)
    assert_type(plain.fit(X_src, y_src, X_tgt), DANNClassifier)
    assert_type(plain.fit(X_src.tolist(), list(y_src), (X_tgt, X_tgt)), DANNClassifier)
    assert_type(plain.predict(X_tgt, domain="target"), NDArray[Any])
    assert_type(plain.predict_proba(X_tgt), NDArray[np.float32])
    assert_type(plain.fit_transform(X_src, y_src, X_tgt), NDArray[np.float32])
    assert_type(plain.score(X_tgt, y_tgt), float)
    assert_type(plain.history_, list[dict[str, Any]])
    DANNClassifier(
        feature_extractor=Extractor,
        label_predictor=torch.nn.Linear(8, 2),
        lambda_max=0.5,
        lambda_schedule=Ramp(gamma=5.0),
        lr_schedule=lambda progress: 1.0 - progress / 2,
        optimizer=torch.optim.SGD,
        batch_size=16,
        max_epochs=1,
        device=torch.device("cpu"),
        random_state=np.random.RandomState(0),
    ).partial_fit(X_src, y_src, X_tgt, classes=[0, 1], total_rows=120)
    DANNClassifier(input_scaling=["source", None], lambda_max=(0, 1), label_shift={0: 0.4, 1: 0.6})
    return plain


def choice_and_report(classifier: DANNClassifier) -> AdaptationReport:
    """A grid without target labels, and the report of a fitted classifier."""
    X_src, y_src, X_tgt, _ = make_rotated_moons(60, random_state=0)
    search = DANNClassifierCV(
        [0, 1], ["source"], cv=2, param_grid={"lr": [0.01]}, estimator=DANNClassifier(max_epochs=2)
    )
    assert_type(search.fit(X_src, y_src, X_tgt).best_estimator_, DANNClassifier)
    assert_type(choose_adaptation(search.cv_results_), int)
    report = skdann.adaptation_report(classifier, X_src, y_src, X_tgt)
    assert_type(report, AdaptationReport)
    assert_type(report.findings, dict[str, str])
    return report


def pipelines_and_scores(classifier: DANNClassifier) -> DANNPipeline:
    """The target through a Pipeline and folds, and scores as functions and as scorers."""
    X_src, y_src, X_tgt, _ = make_rotated_moons(60, random_state=0)
    pipe = make_dann_pipeline(classifier)
    assert_type(pipe.fit(X_src, y_src, X_tgt), DANNPipeline)
    aligned = DomainKFold(2, random_state=0).align_target(X_src, y_src, X_tgt)
    pipe.fit(X_src, y_src, aligned)
    assert_type(skdann.metrics.info_max(classifier.predict_proba(X_tgt)), float)
    assert_type(InfoMaxScorer(X_tgt=X_tgt)(classifier, X_src, y_src), float)
    accuracy = importance_weighted_accuracy(y_src, classifier.predict(X_src), np.ones(60))
    assert_type(accuracy, WeightedScore)
    assert sorted(adaptation_scoring((X_tgt,))) == ["confidence", "info_max", "reverse_validation"]
    return pipe


def main() -> None:
    """Run all of it."""
    classifier = classifiers()
    print(choice_and_report(classifier).n_rows, pipelines_and_scores(classifier))
