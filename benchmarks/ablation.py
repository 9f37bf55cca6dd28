"""What each option of DANNClassifier does by itself, on the pairs of shifted_data.py.

    python benchmarks/ablation.py [--seeds 1] [--datasets ...] [--options ...] [--shift real]
        [--output FILE.md] [--cache FILE.csv]

prints a Markdown table with a row per option: its mean gain over the network without adaptation, in
points of target accuracy, on each data set and on all pairs; the share of pairs that lose more than
a point; and the worst pair. Options are added to plain DANN (lambda 1) unless the name says
otherwise. The scalers and embeddings in front of it need dense data. Target labels are used to
score and choose nothing. --seeds, --shift, --output and --cache are those of target_accuracy.py.
"""

import functools
import math

import numpy as np
import pandas as pd
import torch
from sklearn.preprocessing import QuantileTransformer, RobustScaler
from target_accuracy import (
    CONTESTANTS,
    REFERENCE,
    Contestant,
    dann,
    make_parser,
    markdown,
    pair_means,
    run,
)
from torch import nn

from skdann.pipeline import make_dann_pipeline


class PeriodicEmbedding(nn.Module):
    """Sines and cosines of each column, then a linear layer for it (Gorishniy et al. 2022, PLR)."""

    def __init__(self, n_features: int, n_frequencies: int = 8, width: int = 4) -> None:
        super().__init__()
        self.frequencies = nn.Parameter(0.1 * torch.randn(n_features, n_frequencies))
        self.weight = nn.Parameter(torch.randn(n_features, 2 * n_frequencies, width) * 0.25)
        self.bias = nn.Parameter(torch.zeros(n_features, width))

    def forward(self, X: torch.Tensor) -> torch.Tensor:
        angles = 2 * math.pi * self.frequencies * X[:, :, None]
        waves = torch.cat([angles.sin(), angles.cos()], dim=2)
        return torch.relu(torch.einsum("nfi,fio->nfo", waves, self.weight) + self.bias).flatten(1)


def embedded(n_features: int) -> nn.Module:
    return nn.Sequential(
        PeriodicEmbedding(n_features), nn.Linear(4 * n_features, 100), nn.ReLU(), nn.Dropout(0.5)
    )


def behind(scaler: type, seed: int, **settings: object) -> object:
    """A scaler that is fitted on the source, and plain DANN behind it."""
    options = {"output_distribution": "normal"} if scaler is QuantileTransformer else {}
    return make_dann_pipeline(scaler(**options), **{"random_state": seed, **settings})


PLAIN = "plain DANN"
OPTIONS = {
    PLAIN: {},
    "lambda 0.1": {"lambda_max": 0.1},
    "label_shift='estimate'": {"label_shift": "estimate"},
    "label_shift='estimate', lambda 0.1": {"label_shift": "estimate", "lambda_max": 0.1},
    "label_shift='estimate', lambda 0": {"label_shift": "estimate", "lambda_max": 0},
    "conditioning='multilinear'": {"conditioning": "multilinear"},
    "domain_label_smoothing=0.1": {"domain_label_smoothing": 0.1},
    "target_information=0.2": {"target_information": 0.2},
    "target_information=0.2, lambda 0": {"target_information": 0.2, "lambda_max": 0},
    "target_information=0.2, label_shift='estimate'": {
        "target_information": 0.2, "label_shift": "estimate",
    },
    "linear domain classifier": {"domain_classifier": ()},
    "weight_decay=0.01": {"weight_decay": 0.01},
    "lr_schedule='annealed'": {"lr_schedule": "annealed"},
    "annealed, target_information=0.2": {"lr_schedule": "annealed", "target_information": 0.2},
    "early_stopping": {"early_stopping": True},
    "n_members=5": {"n_members": 5},
    "input_scaling='both'": {"input_scaling": "both"},
    "input_scaling='domain'": {"input_scaling": "domain"},
}  # fmt: skip
IN_FRONT = {
    "quantiles, source only": functools.partial(behind, QuantileTransformer, lambda_max=0),
    "quantiles": functools.partial(behind, QuantileTransformer, lambda_max=1.0),
    "robust scaling": functools.partial(behind, RobustScaler, lambda_max=1.0),
    "periodic embeddings, source only": functools.partial(
        dann, feature_extractor=embedded, lambda_max=0
    ),
    "periodic embeddings": functools.partial(dann, feature_extractor=embedded, lambda_max=1.0),
}
ALL = {
    **{n: functools.partial(dann, **{"lambda_max": 1.0, **s}) for n, s in OPTIONS.items()},
    **IN_FRONT,
}
CONTESTANTS.update({name: Contestant(make) for name, make in ALL.items()})


def table(results: pd.DataFrame) -> str:
    """Return a table with a row per option, over the pairs that it was run on."""
    accuracy = pair_means(results, "accuracy", list(results["contestant"].unique()))
    gains = 100 * accuracy.sub(accuracy[REFERENCE], axis=0)
    datasets = list(gains.index.unique("dataset"))
    rows = []
    for name in (name for name in ("skdann", *ALL) if name in gains):
        gain = gains[name].dropna().round(6)
        of_sets = gain.groupby("dataset").mean()
        cells = [f"{of_sets[one]:+.1f}" if one in of_sets else "" for one in datasets]
        harmed = f"{np.mean(gain < -1):.0%}"
        rows.append([name, *cells, f"{gain.mean():+.1f}", harmed, f"{gain.min():+.1f}"])
    return markdown(["option", *datasets, "all its pairs", "worse by over 1", "worst"], rows)


def main() -> None:
    parser = make_parser(__doc__.splitlines()[0])
    parser.add_argument("--options", nargs="+", choices=[*ALL, "skdann"], default=[*OPTIONS])
    parser.set_defaults(seeds=1)
    options = parser.parse_args()
    options.contestants = [REFERENCE, *options.options]
    text = table(run(options))
    print(text)
    if options.output:
        options.output.write_text(text + "\n")


if __name__ == "__main__":
    main()
