"""The net: the loop over epochs and gradient steps, as a skorch net.

From skorch come callbacks, their contract and pickling across devices. The loop is written here,
and reads no number back from the device but for the epoch's figures.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any, NamedTuple, NoReturn

import numpy as np
import torch
from scipy import sparse
from sklearn.base import ClassifierMixin
from skorch import NeuralNet
from skorch.callbacks import Callback
from skorch.utils import to_device
from torch import Tensor, nn

from skdann._data.batches import DomainBatches
from skdann._data.matrices import BYTES
from skdann._data.record import TrainingData
from skdann._data.tensors import Rows, row_chunks
from skdann._network.custom_parts import explains_single_rows
from skdann._network.network import DomainAdversarialNetwork, Ensemble
from skdann._torch.devices import device_at_hand, threads_for
from skdann._torch.randomness import RandomStreams
from skdann._training.autograd_objective import Strengths
from skdann._training.callbacks import (
    BestFlags,
    EpochClock,
    KeepBest,
    best_monitored,
    has_print_log,
)
from skdann._training.checkpoints import Checkpoints
from skdann._training.class_weights import ClassWeights
from skdann._training.epoch_means import RunningMeans, check_weights, record_figures
from skdann._training.grouping import Group, Grouping
from skdann._training.inference import held_out_figures, outputs
from skdann._training.notifications import Notifications
from skdann._training.optimizers import JointAdam
from skdann._training.plain_networks import networks_of, plain_networks
from skdann._training.plain_records import plain_record, plain_rows, record_of, rows_of
from skdann._training.plan import TrainingPlan
from skdann._training.progress import Progress, work_of_steps
from skdann._training.snapshot import Snapshots
from skdann.schedules import Constant


class EpochData(NamedTuple):
    """Of each network its batches, and the rows held out or None."""

    train: list[DomainBatches]
    valid: list[TrainingData | None]


class AdversarialNet(ClassifierMixin, NeuralNet):
    """A skorch net whose step trains feature extractor, label predictor and domain classifier.

    It trains k networks as one module: a `DomainAdversarialNetwork`, or for k > 1 an `Ensemble` of
    them. Each takes its own steps on its own batches, as if alone. It is trained by `train` only,
    and predicts codes of classes, 0, 1 and so on.

    Its `history` has one row per epoch: ``epoch, label_loss, domain_loss, domain_accuracy,
    lambda, lr, seconds``, the domain figures only with target rows, and ``valid_label_loss,
    valid_accuracy, valid_domain_loss, valid_domain_accuracy`` with rows held out. For k > 1
    the figures are means over the networks, and ``members`` has a dict for each.

    Parameters
    ----------
    members : sequence of k DomainAdversarialNetwork
    plan : TrainingPlan
    device : torch.device
    callbacks : list of skorch callbacks

    Attributes
    ----------
    done_ : list of k floats
        How much of ``plan.length`` each network has been trained.
    classes_ : ndarray of shape (n_classes,)
        The codes that `predict` returns.
    stop_requested_ : bool
        A callback may set it in ``on_epoch_end``: then this epoch was the last.
    """

    def __init__(
        self,
        members: Sequence[DomainAdversarialNetwork],
        *,
        plan: TrainingPlan,
        device: torch.device | str,
        callbacks: list[Any],
    ) -> None:
        self.plan = plan
        super().__init__(
            members[0] if len(members) == 1 else Ensemble(members),
            criterion=nn.CrossEntropyLoss,  # skorch requires one; `losses` has what is trained
            callbacks=callbacks,
            train_split=None,
            verbose=int(has_print_log(callbacks)),  # where this is 0, a PrintLog prints nothing
            device=str(device),
        )
        self.done_: list[float] = [0] * len(members)
        self.stop_requested_ = False
        self.classes_: np.ndarray

    @property
    def members_(self) -> list[DomainAdversarialNetwork]:
        """The networks."""
        return [*self.module_] if isinstance(self.module_, nn.ModuleList) else [self.module_]

    # -- in files ----------------------------------------------------------------------------

    def __getstate__(self) -> dict[str, Any]:
        """Return plain data, as far as callbacks and modules are not the user's own."""
        if not self.initialized_:
            state: dict[str, Any] = super().__getstate__()
            return state
        attributes = vars(self)
        return {
            "plan": plain_record(self.plan),
            "networks": plain_networks(self.members_, self.optimizer_, self.plan.optimizer),
            "history": plain_rows(self.history),
            "done_": self.done_,
            "classes_": attributes.get("classes_"),
            "numbers": {k: v for k, v in attributes.items() if isinstance(v, str | int | float)},
            "of_callbacks": self._set_by_callbacks() if self.callbacks else {},
        }

    def _set_by_callbacks(self) -> dict[str, Any]:
        """Return the callbacks, and what they have added to the net."""
        usual = AdversarialNet(self.members_, plan=self.plan, device=self.device, callbacks=[])
        added = vars(self).keys() - vars(usual.initialize()).keys() - {"classes_"}
        return {name: getattr(self, name) for name in ("callbacks", "callbacks_", *sorted(added))}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Make the net anew, on the device that it was on, or on the CPU where that is missing."""
        if "networks" not in state:  # not initialized
            super().__setstate__(state)
            return
        plan = record_of(state["plan"])
        device = device_at_hand(state["numbers"]["device"])
        networks, optimizer = networks_of(state["networks"], plan.optimizer, device)
        self.__init__(networks, plan=plan, device=device, callbacks=[])  # type: ignore[misc]
        self.initialize()
        self.__dict__.update(state["numbers"], device=str(device), **state["of_callbacks"])
        self.optimizer_ = optimizer
        self.history.extend(rows_of(state["history"]))
        self.done_ = list(state["done_"])
        if state["classes_"] is not None:
            self.classes_ = state["classes_"]
        self.module_.eval()

    # -- set-up ------------------------------------------------------------------------------

    @property
    def _default_callbacks(self) -> list[tuple[str, Callback]]:
        callbacks: list[tuple[str, Callback]] = [("epoch_clock", EpochClock())]
        if self.plan.patience is not None:
            callbacks.append(("keep_best", KeepBest(self.plan.patience, self.plan.lambda_max)))
        if names := best_monitored(self.callbacks):
            callbacks.append(("best_flags", BestFlags(names)))
        return callbacks

    def initialize_optimizer(self, triggered_directly: Any = None) -> AdversarialNet:
        """Make the optimizer from the plan's factory."""
        self.optimizer_ = self.plan.optimizer([list(m.parameters()) for m in self.members_])
        return self

    def follow(self, plan: TrainingPlan, callbacks: list[Any] | None) -> None:
        """Go on by another plan, for the same networks and the same kind of optimizer.

        The optimizer keeps its state. A learning rate or weight decay that differs between the
        plans is set; the others stay as a callback or a schedule has left them. `callbacks` take
        the place of those so far; None keeps them, in the state that they are in.
        """
        before, now = self.plan.optimizer.arguments[0], plan.optimizer.arguments[0]
        changed = {name: value for name, value in now.items() if value != before[name]}
        for group in self.optimizer_.param_groups:
            group.update(changed)
            if "lr" in changed:
                group.pop("initial_lr", None)  # the start that a schedule multiplies
        self.plan = replace(plan, length=self.plan.length)
        if callbacks is not None:
            self.callbacks = callbacks
            self.initialize_callbacks()

    def fit(self, X: Any, y: Any = None, **fit_params: Any) -> NoReturn:
        """Raise: a net is trained by its classifier."""
        raise TypeError(
            "This net needs source and target rows side by side, and cannot be trained by fit, "
            "partial_fit or fit_loop of its own. Train the classifier that it belongs to: "
            "DANNClassifier.fit(X, y, X_tgt), or its partial_fit to go on."
        )

    partial_fit = fit_loop = fit

    def __sklearn_clone__(self) -> NoReturn:
        """Raise: parameters of the net are networks that have been made already."""
        raise TypeError(
            "A net cannot be cloned: its networks are made by the classifier, for the data. Clone "
            "the classifier, clone(classifier), or copy the trained net, copy.deepcopy(net)."
        )

    # -- the loop ----------------------------------------------------------------------------

    def train(
        self,
        data: EpochData,
        streams: list[RandomStreams],
        epochs: int,
        *,
        step: float = 1.0,
        progress: Progress | None = None,
        saved: Checkpoints | None = None,
    ) -> AdversarialNet:
        """Train for `epochs` more epochs.

        Parameters
        ----------
        data : EpochData
        streams : list of k RandomStreams
            The random generators of each network.
        epochs : int
        step : float, default=1.0
            By how much a gradient step brings each network closer to ``plan.length``: 1 if that is
            a number of steps, the source rows of a step if it is a number of rows.
        progress : Progress, default=None
            Moves on with each epoch.
        saved : Checkpoints, default=None
            From where to go on, and where to leave a file for that.
        """
        if not self.initialized_:
            self.initialize()
        self.stop_requested_ = False
        self.max_epochs = epochs  # of this call, as skorch has it
        self.classes_ = np.arange(len(data.train[0].data.classes))
        self.module_.train()  # all parts of it: a custom one comes as it was tried, in eval mode
        progress = Progress() if progress is None else progress
        snapshots = Snapshots(self, data.train, streams, Checkpoints() if saved is None else saved)
        went_on = snapshots.put_back()
        grouping = Grouping(self.members_, data.train, streams, self.plan, self.optimizer_)
        n_rows = 2 * data.train[0].n_source  # half of a batch is the target's
        with threads_for(n_rows * self.members_[0].multiply_adds), explains_single_rows():
            if not went_on:  # callbacks are as they were
                self.notify("on_train_begin", X=data, y=None)
            self._run_epochs(data, grouping, epochs, step, progress, snapshots)
            self.notify("on_train_end", X=data, y=None)
        check_weights(self.module_)
        self.module_.eval()
        return self

    def _run_epochs(
        self,
        data: EpochData,
        grouping: Grouping,
        epochs: int,
        step: float,
        progress: Progress,
        snapshots: Snapshots,
    ) -> None:
        """Run the epochs; stop early where a callback asks for it or the user interrupts."""
        notifications = Notifications(self)
        # Otherwise made anew in each epoch: a callback may have frozen layers or set hooks.
        for_good = grouping.groups(self.done_) if self.plan.unobserved else None
        if snapshots.epochs:
            snapshots.put_back_moments(for_good or ())
        datasets = {"dataset_train": data.train, "dataset_valid": _if_any(data.valid)}
        work = sum(work_of_steps(len(one), one.has_target) for one in data.train)  # of an epoch
        progress.advance(snapshots.epochs * work)
        try:
            while snapshots.epochs < epochs and not self.stop_requested_:
                self.notify("on_epoch_begin", **datasets)
                self._run_epoch(for_good or grouping.groups(self.done_), notifications, step)
                self._validate(data.valid, notifications)
                self._end_epoch(datasets)
                progress.advance(work, self.history[-1])
                snapshots.epoch_ends(for_good or (), last=epochs)
        except KeyboardInterrupt:
            if self.plan.trial:
                raise
            snapshots.interrupted()
            warnings.warn(
                f"Training was interrupted in epoch {len(self.history)}; the weights so far are "
                "kept, and the classifier can be used as it is.",
                stacklevel=3,
            )
        finally:
            for group in for_good or ():
                group.release(None if self.plan.trial else self.optimizer_)

    def _end_epoch(self, datasets: dict[str, Any]) -> None:
        row = self.history[-1]
        if not row["batches"]:  # skorch's Checkpoint reads the last batch of an epoch
            self.history.new_batch()
            self.history.record_batch("train_loss", row["label_loss"])
        try:
            self.notify("on_epoch_end", **datasets)
        except KeyboardInterrupt:
            # So skorch's callbacks ask for a stop. Without any of the user's it was the user.
            if not self.callbacks:
                raise
            self.stop_requested_ = True

    def _run_epoch(self, groups: list[Group], notifications: Notifications, step: float) -> None:
        """Let each group of networks take its steps, and record the means of the epoch."""
        if not (self.plan.unobserved and self.module_.training):
            self.module_.train()
        figures: dict[int, dict[str, float]] = {}
        for group in groups:
            try:
                means = self._run_group(group, notifications, step)
            finally:
                if group.optimizer is self.optimizer_:
                    self.module_.zero_grad()  # so that it takes no step of the next group's
            figures.update(zip(group.members, means, strict=True))
        rates = self._learning_rates()
        # Lambda as it was in the epoch's last step: one step back from what is done.
        for i, row in figures.items():
            row["lambda"] = self.plan.lambda_max[i] * self._lambda_factor(self._progress(i, -step))
            row["lr"] = rates[i]
        record_figures(self.history, [figures[i] for i in range(len(figures))])

    def _run_group(
        self, group: Group, notifications: Notifications, step: float
    ) -> list[dict[str, float]]:
        """Take an epoch's steps with some of the networks; return the figures of each."""
        means = RunningMeans(epoch=len(self.history))
        weigh = self._class_weights(group)
        for batch in group.batches:
            progress = self._progress(group.members[0])
            self._schedule_lr(group.optimizer, progress)
            notifications.batch_begins(group, batch)
            # Weights of classes, then the input scaling; both for all networks of the group.
            scaled = batch if weigh is None else weigh(batch)
            if group.scaling is not None:
                scaled = group.scaling(scaled)
            if group.adversarial:
                # lambda_p = lambda_max * schedule(p), for each network of the group
                factor = self._lambda_factor(progress)
                strengths = Strengths(*(values * factor for values in group.strengths))
                logits = group.objective.adversarial(scaled, strengths)
            else:
                logits = group.objective.source_only(scaled)
            notifications.gradients(group, batch)
            group.optimizer.step()
            means.add(logits, scaled)
            notifications.batch_ends(group, batch, logits)
            for i in group.members:
                self.done_[i] += step
        return means.result()

    def _class_weights(self, group: Group) -> ClassWeights | None:
        """Return what weighs the source rows of a group's networks in this epoch."""
        shares = [self.members_[i].target_shares for i in group.members]
        known = [one for one in shares if one is not None]
        return ClassWeights(known, group.data) if known else None

    def _validate(self, held_out: list[TrainingData | None], notifications: Notifications) -> None:
        """Record the figures of the rows held out, if any."""
        figures = []
        for network, rows in zip(self.members_, held_out, strict=True):
            if rows is None:
                return
            self.module_.eval()
            of_rows, logits = held_out_figures(network, rows, torch.device(self.device))
            figures.append(of_rows)
            notifications.held_out(rows, logits)
        record_figures(self.history, figures)

    # -- schedules ---------------------------------------------------------------------------

    def _progress(self, member: int, offset: float = 0) -> float:
        """Return p, the share of a network's training that is done, in [0, 1]."""
        return min(1.0, (self.done_[member] + offset) / self.plan.length[member])

    def _lambda_factor(self, progress: float) -> float:
        return float(self.plan.lambda_schedule(progress))

    def _learning_rates(self) -> list[float]:
        """Return the rate of each network's first parameter."""
        rates = {id(p): g["lr"] for g in self.optimizer_.param_groups for p in g["params"]}
        return [float(rates[id(next(network.parameters()))]) for network in self.members_]

    def _schedule_lr(self, optimizer: torch.optim.Optimizer | JointAdam, progress: float) -> None:
        if isinstance(self.plan.lr_schedule, Constant):
            return  # a callback may set the rate
        # The rate that a group started with is kept beside it, as torch's schedulers do.
        factor = self.plan.lr_schedule(progress)
        # The history shows the rates of the net's own optimizer, also where it takes no step.
        for one in {optimizer, self.optimizer_}:
            for group in one.param_groups:
                group["lr"] = group.setdefault("initial_lr", group["lr"]) * factor

    # -- the networks at work ----------------------------------------------------------------

    def outputs(
        self,
        X: Rows,
        of: str,
        finish: Callable[[Tensor], Tensor] = lambda output: output,
        *,
        rows: np.ndarray | None = None,
        domain: Tensor | int | None = None,
    ) -> np.ndarray:
        """Return an output of all networks together; see `inference.outputs`."""
        if self.module_.training:
            self.module_.eval()
        device = torch.device(self.device)
        return outputs(self.members_, X, of, finish, device=device, rows=rows, domain=domain)

    def forward_iter(self, X: Any, training: bool = False, device: str = "cpu") -> Iterator[Tensor]:
        """Yield label logits, a chunk of rows at a time; see `skorch.NeuralNet.forward_iter`.

        Parameters
        ----------
        X : array-like, sparse matrix or Tensor of shape (n_rows, ...)
            Converted to float32, images of uint8 in chunks. Counts as target rows for the input
            scaling.
        training : bool, default=False
            Whether the networks are in training mode.
        device : str, default="cpu"
            Where to put the logits.
        """
        for _, chunk in row_chunks(_float32(X), torch.device(self.device)):
            yield to_device(self.evaluation_step((chunk, None), training=training), device=device)

    def predict_proba(self, X: Any) -> np.ndarray:
        """Return float32 class probabilities of shape (n_rows, n_classes); see `forward_iter`."""
        chunks = [logits.softmax(dim=1).numpy(force=True) for logits in self.forward_iter(X)]
        return np.concatenate(chunks)

    def predict(self, X: Any) -> np.ndarray:
        """Return the code of each row's most probable class, a position in `classes_`."""
        return self.predict_proba(X).argmax(axis=1)


def _float32(X: Any) -> Rows:
    """Return rows as `row_chunks` takes them."""
    if sparse.issparse(X):
        return sparse.csr_array(X, dtype=np.float32)
    if isinstance(X, Tensor):
        X = X.numpy(force=True)
    rows = np.asarray(X)
    return rows if rows.dtype == BYTES else rows.astype(np.float32, copy=False)


def _if_any(held_out: list[TrainingData | None]) -> list[TrainingData | None] | None:
    """Return the rows held out, or None, as skorch has it, if there are none."""
    return None if held_out[0] is None else held_out
