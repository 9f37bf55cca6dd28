"""The figures of a report: what is measured on the rows and the two networks."""

from dataclasses import replace

import numpy as np
from scipy import sparse

from skdann._report.fitted_pair import MIN_ROWS
from skdann._report.sentences import DEVIATIONS, chance_deviation
from skdann._sklearn_compat import num_samples, safe_indexing
from skdann.metrics._class_shares import estimate_class_shares
from skdann.metrics._distances import domain_forest, proxy_a_distance
from skdann.metrics._domain_rows import with_short_indices
from skdann.metrics._importance import density_ratio_weights, effective_sample_size
from skdann.metrics._reverse_validation import ReverseValidation

_MAX_ROWS = 2000  # of each domain, for classifiers that predict the domain

# Bootstrap samples of the distance between class shares.
_N_BOOTSTRAP = 200


def domain_measures(rows, pair, seed):
    """Return how the domains differ, in inputs, embeddings and class shares.

    Parameters
    ----------
    rows : ReportRows
        All rows.
    pair : FittedPair
    seed : int

    Returns
    -------
    dict
        Fields of `AdaptationReport` by name.
    """
    shares = _share_measures(rows, pair, seed)
    source, target = rows.seen_by(rows.fitted).rows()
    drawn = _drawn_by_shares(rows.y, shares["target_shares"], rows.fitted.classes_, seed)
    # Pairs of a source and a target matrix, from which the domain of a row is predicted.
    matrices = {"inputs": (_matrix(source, seed), _matrix(target, seed))}
    matrices["reweighted"] = _matrix(source, seed, drawn), matrices["inputs"][1]
    own_accuracy = {}
    # Embeddings only of rows that the networks have not seen: a network can memorise its rows.
    for name, network in pair.networks.items():
        outputs = pair.held_out.seen_by(network)
        embeddings = outputs.features("embedding")
        matrices[name] = tuple(_matrix(embedding, seed) for embedding in embeddings)
        own_accuracy[name] = _own_domain_accuracy(outputs)
    own_accuracy["trained"] = _own_domain_accuracy(pair.trained.seen_by(pair.networks["adapted"]))
    # Without any difference the accuracy is 0.5, up to sampling noise.
    accuracy, chance_limit = {}, {}
    for name, (of_source, of_target) in matrices.items():
        with_forest = name not in pair.networks
        accuracy[name] = _domain_accuracy(of_source, of_target, seed, with_forest)
        deviation = chance_deviation(num_samples(of_source), num_samples(of_target))
        chance_limit[name] = 0.5 + DEVIATIONS * deviation
    weights = density_ratio_weights(*matrices["inputs"], random_state=seed)
    return shares | {
        "domain_accuracy": accuracy,
        "chance_limit": chance_limit,
        "own_domain_accuracy": own_accuracy,
        "effective_share": effective_sample_size(weights) / len(weights),
        "n_rows": {
            "source": len(rows.y),
            "target": _n_target(rows),
            "source_held_out": len(pair.held_out.y),
            "target_held_out": _n_target(pair.held_out),
        },
    }


def prediction_measures(rows, pair):
    """Return what adaptation changed in the predictions, as fields of `AdaptationReport`.

    Parameters
    ----------
    rows : ReportRows
        All rows.
    pair : FittedPair
    """
    tested = _held_out_source_and_all_targets(rows, pair)
    held_out, labels, right, reverse = pair.held_out, {}, {}, {}
    for name, network in pair.networks.items():
        outputs = tested.seen_by(network)
        labels[name] = outputs.target("predict")
        right[name] = outputs.source("predict") == held_out.y
        reverse[name] = ReverseValidation()(network, held_out.source, held_out.y, rows.targets)
    # 1 for a row that only the source-only network has right, -1 for one that only the adapted has.
    lost = right["source_only"].astype(int) - right["adapted"]
    # If both signs are equally likely, n of them have a sum with variance n (a sign test).
    deviation = np.sqrt(np.abs(lost).sum())
    predicted = labels[pair.own]
    return {
        "predicted_shares": np.array([np.mean(predicted == one) for one in rows.fitted.classes_]),
        "agreement": float((labels["source_only"] == labels["adapted"]).mean()),
        "source_accuracy": {name: float(one.mean()) for name, one in right.items()},
        "source_fall": float(lost.sum() / max(1.0, deviation)),
        "reverse_validation": reverse,
    }


def _domain_accuracy(source, target, seed, with_forest):
    """Return the cross-validated accuracy of the better classifier of the domain of a row."""
    classifiers = [None]  # logistic regression
    if with_forest:
        classifiers.append(domain_forest(seed))
    distances = []
    for classifier in classifiers:
        distances.append(proxy_a_distance(source, target, classifier=classifier, random_state=seed))
    return 0.5 + max(distances) / 4  # distance = 4 * accuracy - 2


def _own_domain_accuracy(outputs):
    """Return the accuracy of a network's own domain classifier, both domains weighted equally."""
    source = outputs.source("predict_domain_proba")
    target = outputs.target("predict_domain_proba")
    # The probability is that of a target row.
    return float(((source < 0.5).mean() + (target >= 0.5).mean()) / 2)


def _share_measures(rows, pair, seed):
    """Return the class shares of both domains, their distance, and what it can be by chance."""
    outputs = _held_out_source_and_all_targets(rows, pair).seen_by(pair.networks["source_only"])
    proba_target, proba_source = outputs.target("predict_proba"), outputs.source("predict_proba")
    classes, y_held_out = rows.fitted.classes_, pair.held_out.y
    shares = np.unique(rows.y, return_counts=True)[1] / len(rows.y)
    found = estimate_class_shares(proba_target, y_held_out, proba_source, classes=classes)
    chance = _share_distances_by_chance(
        proba_source, y_held_out, classes, shares, len(proba_target), len(rows.y), seed
    )
    return {
        "classes": classes,
        "source_shares": shares,
        "target_shares": found,
        # Total variation: half the sum of the absolute differences.
        "share_distance": float(np.abs(found - shares).sum() / 2),
        "share_limit": float(np.mean(chance) + DEVIATIONS * np.std(chance)),
    }


def _share_distances_by_chance(proba_source, y, classes, shares, n_target, n_source, seed):
    """Return bootstrapped distances between class shares of two domains that have the same.

    Source rows, drawn with replacement, are used as the target. The labelled rows that show the
    errors of the classifier are drawn again too, and so are the source's own shares. So the
    distances vary as much as sampling alone makes them.
    """
    rng = np.random.default_rng(seed)
    rows_of_class = [np.flatnonzero(y == label) for label in classes]
    distances = []
    for _ in range(_N_BOOTSTRAP):
        # Within each class, so that no class is without rows.
        measured = np.concatenate(
            [rng.choice(of_class, len(of_class)) for of_class in rows_of_class]
        )
        as_target = proba_source[rng.choice(len(proba_source), n_target)]
        estimated = estimate_class_shares(
            as_target, y[measured], proba_source[measured], classes=classes
        )
        counted = rng.multinomial(n_source, shares) / n_source
        distances.append(np.abs(estimated - counted).sum() / 2)
    return distances


def _drawn_by_shares(y, shares, classes, seed):
    """Return the numbers of as many source rows as can be drawn with the given class shares.

    No row is drawn twice. If there are fewer than 15, all rows are returned.
    """
    rng = np.random.default_rng(seed)
    rows_of_class = [rng.permutation(np.flatnonzero(y == label)) for label in classes]
    # The class with the fewest rows for its share limits the number of rows.
    size = np.inf
    for of_class, share in zip(rows_of_class, shares, strict=True):
        if share > 0:
            size = min(size, len(of_class) / share)
    counts = np.round(size * shares).astype(int)
    if counts.sum() < MIN_ROWS:
        return np.arange(len(y))
    return np.concatenate([of[:n] for of, n in zip(rows_of_class, counts, strict=True)])


def _held_out_source_and_all_targets(rows, pair):
    # Networks have seen the labels of source rows only, so every target row can be predicted.
    return replace(rows, source=pair.held_out.source, y=pair.held_out.y)


def _n_target(rows):
    return sum(num_samples(target) for target in rows.targets)


def _matrix(rows, seed, chosen=None):
    """Return the chosen rows, or all, as a matrix of at most 2000 rows."""
    chosen = np.arange(num_samples(rows)) if chosen is None else chosen
    if len(chosen) > _MAX_ROWS:
        chosen = np.random.default_rng(seed).permutation(chosen)[:_MAX_ROWS]
    matrix = safe_indexing(rows, chosen)
    if not sparse.issparse(matrix):
        return np.asarray(matrix).reshape(len(chosen), -1)  # images become rows
    return with_short_indices(sparse.csr_array(matrix))
