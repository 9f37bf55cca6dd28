"""`fit_together`: settings and records to trained networks, many at once and each as if alone.

A single fit is the case of one. What differs in lambda, learning rate, weight decay, input
scaling, class shares, seed or rows takes its steps together with the others.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from skdann._data.batches import DomainBatches
from skdann._data.inputs import domain_codes
from skdann._data.record import TrainingData, at_rows
from skdann._data.splits import split_validation
from skdann._data.tensors import Rows, RowTables
from skdann._network.custom_parts import refuse_scaled_codes
from skdann._network.denoising import InputDenoising
from skdann._network.input_layers import InputLayers
from skdann._network.network import DomainAdversarialNetwork, build_network
from skdann._torch.devices import resolve_device
from skdann._torch.randomness import RandomStreams, random_streams
from skdann._training import split_and_join
from skdann._training.checkpoints import Checkpoints
from skdann._training.net import AdversarialNet, EpochData
from skdann._training.optimizers import optimizer_factory
from skdann._training.plain_records import plain_record, record_of
from skdann._training.plan import TrainingPlan
from skdann._training.progress import Progress, work_of_steps
from skdann._training.settings import Settings, few_share, n_steps, passes, resolved


class Trained(NamedTuple):
    """A trained net, and the settings it was trained with, without any "auto".

    An ensemble of candidates has the settings of each; otherwise there is one.
    """

    net: AdversarialNet
    settings: tuple[Settings, ...]

    def plain(self) -> dict[str, Any]:
        """Return it as plain data, for a file."""
        return {"net": self.net.__getstate__(), "settings": plain_record(self.settings)}

    @classmethod
    def of_plain(cls, plain: dict[str, Any]) -> Trained:
        """Return what a file holds as plain data."""
        net = AdversarialNet.__new__(AdversarialNet)
        net.__setstate__(plain["net"])
        return cls(net, record_of(plain["settings"]))


@dataclass
class _Fit:
    """One fit, ready to train: lists have an element for each member of an ensemble."""

    settings: Settings
    streams: list[RandomStreams]
    networks: list[DomainAdversarialNetwork]
    batches: list[DomainBatches]
    held_out: list[TrainingData | None]
    length: float  # of the whole training: in steps, or for `train_on` in source rows
    denoising: InputDenoising | None = None  # rebuilds the rows before training

    @property
    def work(self) -> float:
        """How much the training is; see `Progress`."""
        epochs = self.settings.max_epochs
        return sum(epochs * work_of_steps(len(one), one.has_target) for one in self.batches)


def fit_together(
    settings: Sequence[Settings],
    records: Sequence[TrainingData],
    *,
    starts: Sequence[Sequence[DomainAdversarialNetwork] | None] | None = None,
    trial: bool = False,
    layers: InputLayers | None = None,
    progress: Progress | None = None,
    saved: Checkpoints | None = None,
) -> list[Trained]:
    """Train a network, or an ensemble, by each of the settings on its record.

    Parameters
    ----------
    settings : sequence of Settings
        For the same device; ``label_shift`` is None or shares, see `with_known_shares`.
    records : sequence of TrainingData
    starts : sequence, default=None
        Trained networks to go on from, a copy of which is trained; None for new ones.
    trial : bool, default=False
        Whether the fits only serve a choice or an estimate. Then an interrupt by the user is
        raised, where otherwise the weights so far are kept, and domain classifiers that nothing
        learns from (lambda 0) are not trained, in a third of the time.
    layers : InputLayers, default=None
        Where an earlier call on the same rows has left what it computed for them.
    progress : Progress, default=None
        Moves on by the `work_of` each fit.
    saved : Checkpoints, default=None
        Of this call: from where trainings go on, and where they leave files for that.

    Returns
    -------
    list of Trained
    """
    progress = Progress() if progress is None else progress
    saved = Checkpoints() if saved is None else saved
    device = resolve_device(settings[0].device)
    tables = RowTables(device)  # rows that several fits share are moved to the device once
    layers = InputLayers() if layers is None else layers
    starts = [None] * len(settings) if starts is None else starts
    fits = [
        _prepared(one, data, tables, layers, start, trial)
        for one, data, start in zip(settings, records, starts, strict=True)
    ]
    nets: list[Any] = [None] * len(fits)
    for group in _groups(fits):
        end = progress.done + sum(fits[i].work for i in group)
        trained = _train([fits[i] for i in group], device, trial, progress, saved)
        progress.advance_to(end)  # training may stop early
        for i, net in zip(group, trained, strict=True):
            _set_denoising(net.members_, fits[i].denoising, device)
            nets[i] = net
    return [Trained(net, (fit.settings,)) for net, fit in zip(nets, fits, strict=True)]


def train_on(
    earlier: Trained | None,
    settings: Settings,
    data: TrainingData,
    *,
    epochs_before: int = 0,
    total_rows: int | None = None,
    progress: Progress | None = None,
) -> Trained:
    """Return what one pass over a chunk of rows makes of a net, or of a new one.

    Parameters
    ----------
    earlier : Trained or None
        Left as it is. None starts a new net.
    settings : Settings
        With "auto" only where a new net starts; otherwise with the layers and the optimizer of
        the earlier ones.
    data : TrainingData
        The chunk.
    epochs_before : int, default=0
        Passes so far; each draws other rows and dropout.
    total_rows : int, default=None
        Source rows of all chunks, of which progress is a share; only for a new net. None expects
        as many chunks of this size as a fit has passes.
    progress : Progress, default=None
    """
    device = resolve_device(settings.device)
    streams = random_streams(settings.seed, device, epochs_before, settings.n_members)
    records = [data] * len(streams)
    nothing: list[TrainingData | None] = [None] * len(streams)
    if earlier is None:
        total_rows = total_rows or passes(settings) * len(data.y_source)
        settings = resolved(settings, data, total_rows=total_rows)
    layers = InputLayers()
    denoising = _denoising(settings, data, layers, earlier and earlier.net.members_)
    if denoising is not None:
        data = layers.rebuilt(data, denoising)
        records = [data] * len(streams)
    tables = RowTables(device)
    batches = [_batches(data, settings, one, tables, True) for one in streams]
    if earlier is None:
        networks = _new_networks(settings, records, streams, layers)
        assert total_rows is not None
        net = _new_net([_Fit(settings, streams, networks, batches, nothing, total_rows)], device)
    else:
        net = copy.deepcopy(earlier.net)
        if denoising is not None:
            for network in net.members_:
                network.input_scaling = None  # until the end of the training
        _set_shares(net.members_, settings)
        same = settings.callbacks == earlier.settings[0].callbacks
        net.follow(
            _plan([settings] * len(streams), net.plan.length),
            callbacks=None if same else copy.deepcopy(list(settings.callbacks)),
        )
    # The last batch of a chunk is filled up from a new shuffle: a step brings this many new rows.
    rows_of_a_step = len(data.y_source) / len(batches[0])
    data_of_epoch = EpochData(batches, nothing)
    net.train(data_of_epoch, streams, 1, step=rows_of_a_step, progress=progress)
    _set_denoising(net.members_, denoising, device)
    return Trained(net, (settings,))


def joined(several: Sequence[Trained]) -> Trained:
    """Return one ensemble of the networks of several nets that were trained on the same rows."""
    net = split_and_join.joined([one.net for one in several])
    return Trained(net, tuple(settings for one in several for settings in one.settings))


def work_of(settings: Settings, n_rows: int, *, trial: bool = False) -> float:
    """Return the work of a fit to so many source rows and a target; see `Progress`."""
    with_target = not trial or settings.learns_from_target
    return settings.n_members * work_of_steps(n_steps(settings, n_rows), with_target)


def class_probabilities(
    net: AdversarialNet, X: Rows, rows: np.ndarray | None = None, domain: Tensor | int | None = None
) -> np.ndarray:
    """Return the class probabilities of rows of a table, or of all."""
    return net.outputs(
        X, "label_logits", lambda logits: logits.softmax(dim=1), rows=rows, domain=domain
    )


def source_probabilities(
    net: AdversarialNet, data: TrainingData, positions: np.ndarray
) -> np.ndarray:
    """Return the class probabilities of some of a record's source rows."""
    rows, domain = at_rows(data.source_rows, positions), data.source_codes[positions]
    return class_probabilities(net, data.X_source, rows, torch.from_numpy(domain))


def target_probabilities(net: AdversarialNet, data: TrainingData) -> np.ndarray:
    """Return the class probabilities of a record's target rows."""
    assert data.target_domain is not None
    domains = domain_codes(data.target_domain, len(data.target_domain), data.n_domains)
    return class_probabilities(net, data.X_target, data.target_rows, domains)


# -- one fit, prepared ---------------------------------------------------------------------------


def _prepared(
    settings: Settings,
    data: TrainingData,
    tables: RowTables,
    layers: InputLayers,
    start: Sequence[DomainAdversarialNetwork] | None,
    trial: bool,
) -> _Fit:
    denoising = _denoising(settings, data, layers, start)
    if denoising is not None:
        data = layers.rebuilt(data, denoising)
    streams = random_streams(settings.seed, tables.device, n_members=settings.n_members)
    # Each member of an ensemble holds out rows of its own, but as many as the others.
    splits = [_split(settings, data, one) for one in streams]
    train = [kept for kept, _ in splits]
    settings = resolved(settings, data, n_rows=len(train[0].y_source))
    # In a trial nobody looks at a domain classifier that the features do not learn from. But only
    # batches with target rows know that there are several sources.
    with_target = settings.learns_from_target or not trial or data.source_domain is not None
    batches = [
        _batches(one, settings, stream, tables, with_target)
        for one, stream in zip(train, streams, strict=True)
    ]
    return _Fit(
        settings=settings,
        streams=streams,
        networks=_new_networks(settings, train, streams, layers, start),
        batches=batches,
        held_out=[held_out for _, held_out in splits],
        length=settings.max_epochs * len(batches[0]),
        denoising=denoising,
    )


def _denoising(
    settings: Settings,
    data: TrainingData,
    layers: InputLayers,
    start: Sequence[DomainAdversarialNetwork] | None,
) -> InputDenoising | None:
    """Return what rebuilds the rows: networks at hand keep what they were trained behind."""
    if settings.input_scaling != "denoised":
        return None
    known = None if start is None else start[0].input_scaling
    return known if isinstance(known, InputDenoising) else layers.denoising(data)


def _set_denoising(
    networks: Sequence[DomainAdversarialNetwork],
    denoising: InputDenoising | None,
    device: torch.device,
) -> None:
    """Set what stands in front of networks that were trained on rebuilt rows."""
    if denoising is not None:
        for network in networks:
            network.input_scaling = denoising.to(device)


def _split(
    settings: Settings, data: TrainingData, streams: RandomStreams
) -> tuple[TrainingData, TrainingData | None]:
    """Return the rows to train on, and those held out for early stopping."""
    if not settings.early_stopping:
        return data, None
    return split_validation(
        data, settings.validation_fraction, streams.source_holdout, streams.target_holdout
    )


def _batches(
    data: TrainingData,
    settings: Settings,
    streams: RandomStreams,
    tables: RowTables,
    with_target: bool,
) -> DomainBatches:
    return DomainBatches(
        data,
        settings.batch_size,
        streams.source_order,
        streams.target_order,
        tables,
        streams.key,
        with_target=with_target,
        few_order=streams.few_order,
        few_share=few_share(settings, data),
    )


def _new_networks(
    settings: Settings,
    train: Sequence[TrainingData],
    streams: Sequence[RandomStreams],
    layers: InputLayers,
    start: Sequence[DomainAdversarialNetwork] | None = None,
) -> list[DomainAdversarialNetwork]:
    """Return the networks to train, new or copied, with the scaling of each record's rows."""
    if start is None:
        first = train[0]
        sizes = first.row_shape, len(first.classes), first.n_domains
        networks = [build_network(settings.architecture(), *sizes, one) for one in streams]
    else:
        networks = copy.deepcopy(list(start))
    for data, network in zip(train, networks, strict=True):
        refuse_scaled_codes(network.feature_extractor, settings.input_scaling)
        network.input_scaling = layers.scaling(data, settings.input_scaling)
    _set_shares(networks, settings)
    return networks


def _set_shares(networks: Sequence[DomainAdversarialNetwork], settings: Settings) -> None:
    shares = settings.label_shift
    for network in networks:
        # float32, whatever torch's default is.
        known = None if shares is None else torch.tensor(shares, dtype=torch.float32)
        network.target_shares = known


# -- many fits, trained --------------------------------------------------------------------------


def _groups(fits: Sequence[_Fit]) -> list[list[int]]:
    """Return the positions of fits that can take their steps together.

    By comparing, not by a dict: settings may hold values that have no hash.
    """
    groups: list[list[int]] = []
    for i, fit in enumerate(fits):
        for group in groups:
            if _can_train_together(fits[group[0]], fit):
                group.append(i)
                break
        else:
            groups.append([i])
    return groups


def _can_train_together(one: _Fit, other: _Fit) -> bool:
    return one.settings.can_train_with(other.settings) and _sizes(one) == _sizes(other)


def _sizes(fit: _Fit) -> tuple[Any, ...]:
    """Return the numbers that networks of one module list have in common."""
    batches = fit.batches[0]
    data = batches.data
    return len(batches), batches.n_source, len(data.classes), data.n_domains, data.row_shape


def _train(
    fits: Sequence[_Fit],
    device: torch.device,
    trial: bool,
    progress: Progress,
    saved: Checkpoints,
) -> list[AdversarialNet]:
    """Return the trained net of each fit; their networks are trained as one module."""
    net = _new_net(fits, device, trial)
    batches = [one for fit in fits for one in fit.batches]
    held_out = [one for fit in fits for one in fit.held_out]
    streams = [one for fit in fits for one in fit.streams]
    epochs = fits[0].settings.max_epochs
    saved = saved.part("training", [fit.settings for fit in fits], str(device))
    net.train(EpochData(batches, held_out), streams, epochs, progress=progress, saved=saved)
    if len(fits) == 1:
        return [net]
    nets, first = [], 0
    for fit in fits:  # networks of one fit lie side by side in the net
        members = range(first, first + len(fit.networks))
        nets.append(split_and_join.taken_out(net, members))
        first = members.stop
    return nets


def _new_net(fits: Sequence[_Fit], device: torch.device, trial: bool = False) -> AdversarialNet:
    """Return the net of all networks of some fits, before its training."""
    of_each = [fit.settings for fit in fits for _ in fit.networks]
    length = tuple(fit.length for fit in fits for _ in fit.networks)
    plan = _plan(of_each, length)
    callbacks = copy.deepcopy(list(of_each[0].callbacks))
    # An interrupt would leave several fits half done, of which the caller could use none.
    return AdversarialNet(
        [network for fit in fits for network in fit.networks],
        plan=replace(plan, unobserved=not callbacks, trial=trial or len(fits) > 1),
        device=device,
        callbacks=callbacks,
    )


def _plan(settings: Sequence[Settings], length: tuple[float, ...]) -> TrainingPlan:
    """Return how to train networks of these settings, one for each network.

    What is not the same for all of them has a value for each; see `Settings.can_train_with`.
    """
    first = settings[0]
    return TrainingPlan(
        lambda_max=tuple(one.lambda_max for one in settings),
        target_information=tuple(one.target_information for one in settings),
        domain_label_smoothing=first.domain_label_smoothing,
        lambda_schedule=first.lambda_schedule,
        optimizer=optimizer_factory(
            first.optimizer,
            [one.lr for one in settings],
            [one.weight_decay for one in settings],
        ),
        lr_schedule=first.lr_schedule,
        length=length,
        patience=first.n_iter_no_change if first.early_stopping else None,
    )
