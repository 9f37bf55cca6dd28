"""Mistakes that a type checker must find. `make types` fails if it no longer finds one of them.

Each line below carries the kind of error that mypy is to report there. mypy says so itself if such
a comment is not needed (`warn_unused_ignores`). Nothing here is ever run.
"""

from __future__ import annotations

import skdann
from skdann import DANNClassifier, DANNClassifierCV
from skdann.datasets import make_rotated_moons
from skdann.metrics import CoralScorer, proxy_a_distance
from skdann.model_selection import DomainKFold
from skdann.pipeline import make_dann_pipeline


def mistakes() -> None:
    """Call public names as they can't be called."""
    X_src, y_src, X_tgt, y_tgt = make_rotated_moons(60, random_state=0)
    clf = DANNClassifier()

    skdann.DANN()  # type: ignore[attr-defined]
    DANNClassifier(max_epoch=30)  # type: ignore[call-arg]
    DANNClassifier(lambda_max="strong")  # type: ignore[arg-type]
    DANNClassifier(activation="mish")  # type: ignore[arg-type]
    DANNClassifier(input_scaling="standard")  # type: ignore[arg-type]
    DANNClassifier(lambda_schedule=0.5)  # type: ignore[arg-type]
    DANNClassifier(random_state="0")  # type: ignore[arg-type]
    DANNClassifierCV(estimator=DANNClassifier)  # type: ignore[arg-type]
    DANNClassifierCV(refit="all")  # type: ignore[arg-type]

    clf.fit(X_src)  # type: ignore[call-arg]
    clf.fit(X_src, None, X_tgt)  # type: ignore[arg-type]
    clf.fit(X_src, y_src, X_tgt, y_tgt)  # type: ignore[call-arg]
    clf.fit(X_src, y_src, X_target=X_tgt)  # type: ignore[call-arg]
    clf.fit(X_src, y_src, {"target": X_tgt})  # type: ignore[arg-type]
    clf.predict(X_tgt, "target")  # type: ignore[call-arg]
    n_right: int = clf.score(X_tgt, y_tgt)  # type: ignore[assignment]

    make_dann_pipeline(clf).fit(X_src, y_src, {"target": X_tgt})  # type: ignore[arg-type]
    DomainKFold(n_splits="3")  # type: ignore[arg-type]
    proxy_a_distance(X_src)  # type: ignore[call-arg]
    CoralScorer(space="rows")  # type: ignore[arg-type]
    make_rotated_moons(samples=3)  # type: ignore[call-arg]
    print(n_right)
