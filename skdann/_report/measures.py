"""Measures of an adaptation: its figures, all without target labels."""

from dataclasses import dataclass, replace

import numpy as np
from scipy import sparse
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.utils import _safe_indexing
from sklearn.utils.validation import _num_samples

from skdann._classifier import DANNClassifier
from skdann._report.sentences import DEVIATIONS, chance_deviation
from skdann.metrics._class_shares import estimate_class_shares
from skdann.metrics._distances import proxy_a_distance
from skdann.metrics._importance import density_ratio_weights, effective_sample_size
from skdann.metrics._reverse_validation import ReverseValidation
from skdann.metrics._scorer_base import ScoredDomains

_MIN_ROWS = 15  # Of a domain. A third is held out: a row for each of five folds.

_MAX_ROWS = 2000  # Of each domain, to tell the domains apart.

_N_BOOTSTRAP = 200


@dataclass(frozen=True)
class _Rows:
    """A fitted classifier, and rows as the steps in front of it make them."""

    fitted: DANNClassifier
    source: object
    y: np.ndarray
    targets: tuple

    def seen_by(self, network):
        return ScoredDomains(network, self.source, self.y, self.targets, needed_by="The report")


def _domain_measures(rows, networks, trained, held_out, seed):
    shares = _share_measures(rows, held_out, networks["source_only"], seed)
    source, target = rows.seen_by(rows.fitted).rows()
    drawn = _drawn(rows.y, shares["target_shares"], rows.fitted.classes_, seed)
    inputs = _table(source, seed), _table(target, seed)
    tables = {"inputs": inputs, "reweighted": (_table(source, seed, drawn), inputs[1])}
    seen = {name: held_out.seen_by(network) for name, network in networks.items()}
    for name, one in seen.items():
        tables[name] = [_table(part, seed) for part in one.features("embedding")]
    own = {name: _own_accuracy(one) for name, one in seen.items()}
    own["trained"] = _own_accuracy(trained.seen_by(networks["adapted"]))
    weights = density_ratio_weights(*inputs, random_state=seed)
    return shares | {
        "domain_accuracy": {
            name: _told_apart(*pair, seed, with_forest=name not in networks)
            for name, pair in tables.items()
        },
        "chance_limit": {
            n: 0.5 + DEVIATIONS * chance_deviation(*map(_num_samples, tables[n])) for n in tables
        },
        "own_domain_accuracy": own,
        "effective_share": effective_sample_size(weights) / len(weights),
        "n_rows": {
            "source": len(rows.y),
            "target": sum(map(_num_samples, rows.targets)),
            "source_held_out": len(held_out.y),
            "target_held_out": sum(map(_num_samples, held_out.targets)),
        },
    }


def _told_apart(source, target, seed, with_forest):
    """Return the accuracy of the better classifier that tells the domains apart."""
    classifiers = [None]
    if with_forest:
        forest = ExtraTreesClassifier(30, min_samples_leaf=5, random_state=seed)
        classifiers.append(forest.set_params(class_weight="balanced"))
    distances = [
        proxy_a_distance(source, target, classifier=one, random_state=seed) for one in classifiers
    ]
    return 0.5 + max(distances) / 4


def _own_accuracy(seen):
    source, target = seen.source("predict_domain_proba"), seen.target("predict_domain_proba")
    return float(((source < 0.5).mean() + (target >= 0.5).mean()) / 2)


def _share_measures(rows, held_out, network, seed):
    classes, rng = rows.fitted.classes_, np.random.default_rng(seed)
    target = replace(rows, source=held_out.source, y=held_out.y).seen_by(network)
    proba, source_proba = target.target("predict_proba"), target.source("predict_proba")
    shares = np.unique(rows.y, return_counts=True)[1] / len(rows.y)
    found = estimate_class_shares(proba, held_out.y, source_proba, classes=classes)
    by_class = [np.flatnonzero(held_out.y == label) for label in classes]
    chance = []
    for _ in range(_N_BOOTSTRAP):
        again = np.concatenate([rng.choice(of_class, len(of_class)) for of_class in by_class])
        like_source = source_proba[rng.choice(len(source_proba), len(proba))]
        drawn = estimate_class_shares(
            like_source, held_out.y[again], source_proba[again], classes=classes
        )
        counted = rng.multinomial(len(rows.y), shares) / len(rows.y)
        chance.append(np.abs(drawn - counted).sum() / 2)
    return {
        "classes": classes,
        "source_shares": shares,
        "target_shares": found,
        "share_distance": float(np.abs(found - shares).sum() / 2),
        "share_limit": float(np.mean(chance) + DEVIATIONS * np.std(chance)),
    }


def _drawn(y, shares, classes, seed):
    """Return as many source rows as can be drawn, none twice, with the given class shares.

    Or all rows, in their own shares, where that is too few to tell them from target rows.
    """
    rng = np.random.default_rng(seed)
    by_class = [rng.permutation(np.flatnonzero(y == label)) for label in classes]
    size = min(len(of) / share for of, share in zip(by_class, shares, strict=True) if share > 0)
    counts = np.round(size * shares).astype(int)
    if counts.sum() < _MIN_ROWS:
        return np.arange(len(y))
    return np.concatenate([of[:n] for of, n in zip(by_class, counts, strict=True)])


def _prediction_measures(rows, networks, held_out):
    # All target rows, and source rows held out.
    tested = replace(rows, source=held_out.source, y=held_out.y)
    seen = {name: tested.seen_by(network) for name, network in networks.items()}
    right = {name: one.source("predict") == held_out.y for name, one in seen.items()}
    labels = [one.target("predict") for one in seen.values()]
    back = ReverseValidation()
    lost = right["source_only"].astype(int) - right["adapted"]
    return {
        "agreement": float((labels[0] == labels[1]).mean()),
        "source_accuracy": {name: float(one.mean()) for name, one in right.items()},
        "source_fall": float(lost.sum() / max(1.0, np.sqrt(np.abs(lost).sum()))),
        "reverse_validation": {
            name: back(network, held_out.source, held_out.y, rows.targets)
            for name, network in networks.items()
        },
    }


def _table(rows, seed, chosen=None):
    """Return chosen rows, or all, but no more than the limit, as a matrix."""
    chosen = np.arange(_num_samples(rows)) if chosen is None else chosen
    if len(chosen) > _MAX_ROWS:
        chosen = np.random.default_rng(seed).permutation(chosen)[:_MAX_ROWS]
    table = _safe_indexing(rows, chosen)
    if not sparse.issparse(table):
        return np.asarray(table).reshape(len(chosen), -1)
    table = sparse.csr_array(table)
    table.indices, table.indptr = (one.astype(np.int32) for one in (table.indices, table.indptr))
    return table
