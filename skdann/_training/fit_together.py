"""Fitting: a classifier's parameters and its training record to a trained net.

One fit and many are the same walk: what differs in lambda, learning rate, weight decay, input
scaling, seed or rows trains together, network by network as if alone.
"""

import copy
from dataclasses import dataclass

import numpy as np
from sklearn.base import clone

from skdann._data.batches import DomainBatches
from skdann._data.inputs import domain_codes
from skdann._data.record import at_rows, training_fold
from skdann._data.rows import RowTables
from skdann._data.splits import split_validation, stratified_folds
from skdann._network.network import build_network
from skdann._network.scaling import fit_scaling
from skdann._torch.devices import resolve_device
from skdann._torch.randomness import entropy_of, random_streams
from skdann._training import surgery
from skdann._training.class_weights import known_shares, shares_of_source
from skdann._training.net import AdversarialNet, EpochData
from skdann._training.optimizers import optimizer_factory
from skdann._training.plan import TrainingPlan
from skdann._training.settings import (
    _architecture,
    batch_size_for,
    n_epochs,
    n_passes,
    plain,
    with_settings,
)
from skdann._training.share_estimates import estimated_shares, estimates_shares
from skdann.schedules import lambda_schedule, lr_schedule

# What may differ between networks that train together.
_OF_A_NETWORK = {
    *("lambda_max", "target_entropy", "lr", "weight_decay", "input_scaling", "random_state"),
    *("n_members", "class_weight", "validation_fraction", "warm_start", "verbose"),
}


@dataclass
class Fit:
    """The fit of a classifier, ready to train; the lists have an element for each member.

    Attributes
    ----------
    settings : DANNClassifier
        Only its parameters are read.
    streams : list of RandomStreams
    networks : list of DomainAdversarialNetwork
    batches : list of DomainBatches
    valid : list of TrainingData or None
        The rows held out for early stopping.
    batch_size, epochs, total_steps : int
    """

    settings: object
    streams: list
    networks: list
    batches: list
    valid: list
    batch_size: int
    epochs: int
    total_steps: int


def mean_shares(networks):
    """Return the mean of the networks' class shares of the target, or None."""
    shares = [n.target_shares.numpy(force=True) for n in networks if n.target_shares is not None]
    return np.mean(shares, axis=0, dtype=np.float64) if shares else None


def joined(classifiers):
    """Return an ensemble of fitted classifiers: the first one, with the members of all.

    Parameters
    ----------
    classifiers : list of DANNClassifier
        Fitted on the same rows. What differs between them is in their networks.
    """
    ensemble = clone(classifiers[0])
    ensemble.__dict__.update(classifiers[0].__dict__)
    ensemble.net_ = surgery.joined([classifier.net_ for classifier in classifiers])
    ensemble.n_members = len(ensemble.net_.members_)
    ensemble.target_shares_ = mean_shares(ensemble.net_.members_)
    ensemble._n_features_out = sum(classifier._n_features_out for classifier in classifiers)
    return ensemble


def learns_from_target(classifier):
    """Tell whether target rows change the label predictor, by more than their input scaling."""
    return classifier.lambda_max > 0 or classifier.target_entropy > 0


def fit_together(classifiers, records, trial=False):
    """Fit each classifier on its record, together and as if alone.

    One that has `warm_start` and is fitted goes on from its weights. Fitted attributes are set at
    the end, all or none.

    Parameters
    ----------
    classifiers : list of DANNClassifier
    records : list of TrainingData
    trial : bool, default=False
        Whether the fits only serve a choice: an interrupt by the user is raised, and networks that
        learn nothing from the target train without target rows.
    """
    device = resolve_device(classifiers[0].device)
    tables = RowTables(device)
    fits = []
    shares = {}  # of each record and scaling
    for classifier, data in zip(classifiers, records, strict=True):
        goes_on = classifier.warm_start and hasattr(classifier, "net_")
        start = classifier.net_.members_ if goes_on else None
        settings = with_shares(plain(classifier, data), data, shares)
        with_target = not trial or learns_from_target(settings)
        fits.append(
            prepared_fit(settings, data, device, tables, start=start, with_target=with_target)
        )
    nets = trained(fits, device, trial)
    for classifier, data, fit, net in zip(classifiers, records, fits, nets, strict=True):
        classifier._keep(net, data, fit.settings, fit.batch_size)


def with_shares(settings, data, found):
    """Return the settings with the target's class shares in place of label_shift="estimate".

    `found` holds the estimates so far: candidates of a pool share them.
    """
    if not estimates_shares(settings):
        return settings
    shares = "ignore"
    if data.X_target is not None:
        key = id(data), settings.input_scaling
        if key not in found:
            found[key] = _estimate(settings, data)
        shares = found[key]
    return with_settings(settings, {"label_shift": shares})


def _estimate(settings, data):
    """Return the target's class shares by two networks, each on one half of the source alone.

    Neither adapted nor weighted: a network that is, on a wrong estimate, predicts what confirms
    it, and estimates that follow its training can run away.
    """
    entropy = entropy_of(settings.random_state)
    folds = stratified_folds(data.y_source, 2, np.random.default_rng(entropy))
    if not folds:
        return shares_of_source(data)
    alone = {
        **{"lambda_max": 0.0, "target_entropy": 0.0, "label_shift": "ignore", "n_members": 1},
        **{"early_stopping": False, "warm_start": False, "callbacks": None, "verbose": 0},
        **{"random_state": entropy},
    }
    networks = [clone(settings).set_params(**alone) for _ in folds]
    fit_together(networks, [training_fold(data, train) for train, _ in folds], trial=True)
    rows = np.concatenate([held_out for _, held_out in folds])
    of_source = [
        class_probabilities(network, data.X_source, at_rows(data.source_rows, held_out), 0)
        for network, (_, held_out) in zip(networks, folds, strict=True)
    ]
    of_target = [target_probabilities(network, data) for network in networks]
    return estimated_shares(np.concatenate(of_source), data, rows, np.mean(of_target, axis=0))


def class_probabilities(classifier, X, rows=None, domain=None):
    """Return the class probabilities of rows of a record, or of all."""
    return classifier.net_.outputs(
        X, "label_logits", lambda logits: logits.softmax(dim=1), rows=rows, domain=domain
    )


def target_probabilities(classifier, data):
    """Return the class probabilities of a record's target rows."""
    domains = domain_codes(data.target_domain, len(data.target_domain), data.n_domains)
    return class_probabilities(classifier, data.X_target, data.target_rows, domains)


def prepared_fit(settings, data, device, tables, *, start=None, with_target=True):
    """Return the `Fit` of all epochs.

    Parameters
    ----------
    settings : DANNClassifier
    data : TrainingData
    device : torch.device
    tables : RowTables
        Shared by fits on the same rows.
    start : list of DomainAdversarialNetwork, default=None
        Trained networks, copies of which go on; None for new ones.
    with_target : bool, default=True
        Whether batches bring target rows.
    """
    streams = random_streams(settings.random_state, device, n_members=settings.n_members)
    train, valid = zip(*(_split(settings, data, one) for one in streams), strict=True)
    batch_size = batch_size_for(settings, n_passes(settings) * len(train[0].y_source))
    batches = member_batches(train, batch_size, streams, tables, with_target)
    epochs = n_epochs(settings, len(batches[0]))
    networks = new_networks(settings, train, streams, start)
    total_steps = epochs * len(batches[0])
    return Fit(settings, streams, networks, batches, list(valid), batch_size, epochs, total_steps)


def trained(fits, device, trial=False):
    """Return a trained net for each fit; those of a kind train together."""
    of_kind = {}
    for i, fit in enumerate(fits):
        of_kind.setdefault(_kind(fit), []).append(i)
    nets = [None] * len(fits)
    for positions in of_kind.values():
        together = [fits[i] for i in positions]
        net = new_net(together, device, trial)
        batches, valid, streams = (
            [one for fit in together for one in getattr(fit, name)]
            for name in ("batches", "valid", "streams")
        )
        net.train(EpochData(batches, valid), streams, together[0].epochs)
        first = 0
        for i, fit in zip(positions, together, strict=True):
            last = first + len(fit.networks)
            nets[i] = net if len(together) == 1 else surgery.taken_out(net, range(first, last))
            first = last
    return nets


def new_net(fits, device, trial=False):
    """Return the net of all members of some fits, before its training."""
    settings = fits[0].settings

    def of_members(name):
        return [getattr(fit.settings, name) for fit in fits for _ in fit.networks]

    plan = TrainingPlan(
        lambda_max=tuple(map(float, of_members("lambda_max"))),
        target_information=tuple(map(float, of_members("target_entropy"))),
        domain_label_smoothing=settings.domain_label_smoothing,
        lambda_schedule=lambda_schedule(settings.lambda_schedule, settings.gamma),
        optimizer=optimizer_factory(
            settings.optimizer, of_members("lr"), of_members("weight_decay")
        ),
        lr_schedule=lr_schedule(settings.lr_schedule),
        length=tuple(fit.total_steps for fit in fits for _ in fit.networks),
        patience=settings.n_iter_no_change if settings.early_stopping else None,
        verbose=any(fit.settings.verbose for fit in fits),
        unobserved=len(fits) > 1 and not settings.callbacks,
        trial=trial or len(fits) > 1,
    )
    networks = [network for fit in fits for network in fit.networks]
    callbacks = copy.deepcopy(list(settings.callbacks or ()))
    return AdversarialNet(networks, plan=plan, device=device, callbacks=callbacks)


def new_networks(settings, train, streams, start=None):
    """Return the networks to train, one for each record, with their input scaling."""
    if start is None:
        architecture = _architecture(settings)
        sizes = train[0].row_shape, len(train[0].classes), train[0].n_domains
        networks = [build_network(architecture, *sizes, one) for one in streams]
    else:
        networks = copy.deepcopy(start)
    for data, network in zip(train, networks, strict=True):
        network.input_scaling = fit_scaling(data, settings.input_scaling)
        network.target_shares = known_shares(settings.label_shift, data)
    return networks


def member_batches(train, batch_size, streams, tables, with_target=True):
    """Return the batches of each member."""
    batches = []
    for data, one in zip(train, streams, strict=True):
        orders = one.source_order, one.target_order
        batches.append(
            DomainBatches(data, batch_size, *orders, tables, one.key, with_target=with_target)
        )
    return batches


def _kind(fit):
    """Return what two fits must share to train together."""
    data, batches = fit.batches[0].data, fit.batches[0]
    settings = fit.settings.get_params(deep=False)
    shared = {name: value for name, value in settings.items() if name not in _OF_A_NETWORK}
    sizes = len(data.classes), data.n_domains, data.row_shape
    return fit.epochs, len(batches), batches.n_source, sizes, repr(sorted(shared.items()))


def _split(settings, data, streams):
    if not settings.early_stopping:
        return data, None
    return split_validation(
        data, settings.validation_fraction, streams.source_holdout, streams.target_holdout
    )
