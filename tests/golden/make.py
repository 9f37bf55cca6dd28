"""Write the golden files of this version: small fits, and the probabilities that they predict.

`make golden` runs it before a release; see RELEASING.md. The files stay for good, and
tests/test_golden.py loads those of every version.
"""

import pickle
from pathlib import Path

import numpy as np
from scipy import sparse

import skdann
from skdann import DANNClassifier, DANNClassifierCV
from skdann.pipeline import make_dann_pipeline

HERE = Path(__file__).parent


def fits():
    """Yield names, fitted estimators, and rows to predict."""
    rng = np.random.default_rng(0)
    y = np.array(["no", "yes"])[np.arange(60) % 2]
    X = (rng.normal(size=(60, 3)) + (y == "yes")[:, None]).astype(np.float32)
    X_tgt = (rng.normal(size=(40, 3)) + 1.5).astype(np.float32)
    small = {"domain_classifier": 4, "max_epochs": 2, "random_state": 0, "batch_size": 16}

    def dann(**settings):
        return DANNClassifier(6, **small, **settings)

    yield "chosen", dann().fit(X, y, X_tgt), X_tgt
    apart = dann(lambda_max=0.5, input_scaling="domain", label_shift="estimate")
    yield "domain", apart.fit(X, y, (X_tgt, X_tgt + 1)), X_tgt
    several = dann(lambda_max=0.5, n_members=2, early_stopping=True, conditioning="multilinear")
    yield "ensemble", several.fit(X, y, X_tgt), X_tgt
    sgd = dann(lambda_max=0.5, optimizer="sgd", lr_schedule="annealed", input_scaling="both")
    yield "streamed", sgd.partial_fit(X, y, X_tgt).partial_fit(X, y, X_tgt), X_tgt
    counts, counts_tgt = (sparse.csr_array(np.floor(np.abs(one))) for one in (X, X_tgt))
    rebuilt = dann(lambda_max=0.5, input_scaling="denoised")
    yield "denoised", rebuilt.fit(counts, y, counts_tgt), counts_tgt
    grid = DANNClassifierCV([0, 1], ["source", "balanced"], estimator=dann(), cv=2, random_state=0)
    yield "grid", grid.fit(X, y, X_tgt), X_tgt
    yield "pipeline", make_dann_pipeline(dann(lambda_max=0.5)).fit(X, y, X_tgt), X_tgt


def main():
    folder = HERE / skdann.__version__
    folder.mkdir(exist_ok=True)
    for name, fitted, rows in fits():
        (folder / f"{name}.pkl").write_bytes(pickle.dumps(fitted, protocol=4))
        dense = rows.toarray() if sparse.issparse(rows) else rows
        expected = {"rows": dense[:10], "probabilities": fitted.predict_proba(rows[:10])}
        np.savez_compressed(folder / f"{name}.npz", **expected)
    print(f"{len(list(folder.glob('*.pkl')))} files in {folder.relative_to(Path.cwd())}")


if __name__ == "__main__":
    main()
