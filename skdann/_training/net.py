"""Training: the skorch net that runs the adversarial steps, and its callbacks.

The only room that knows skorch. skorch gives the loop over epochs, callbacks and pickling
across devices; the step is ours, and reads no number back from the device that the epoch's
record doesn't need.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import torch
from skorch import NeuralNet
from skorch.callbacks import Callback
from torch import Tensor, nn

from skdann._data.batches import Batch, DomainBatches, StackedBatches
from skdann._data.record import TrainingData
from skdann._data.rows import Rows, row_chunks
from skdann._network.layers import is_ours
from skdann._network.network import DomainAdversarialNetwork, joint_output
from skdann._torch.devices import threads_for
from skdann._torch.randomness import RandomStreams
from skdann._training.autograd_objective import AutogradObjective, Logits, ObjectiveTerms, Strengths
from skdann._training.callbacks import EpochClock, KeepBest, ProgressBar
from skdann._training.class_weights import ClassWeights, class_weights
from skdann._training.epoch_means import RunningMeans, mean_loss
from skdann._training.losses import hits, row_losses
from skdann._training.optimizers import JointAdam, OptimizerFactory, can_be_joint
from skdann._training.stacked_objective import StackedObjective, can_be_stacked, step_bytes
from skdann._training.stacked_scaling import BatchScaling
from skdann.schedules import Constant, Schedule

# Weights and passing values of the networks of one step: as many networks as this go together.
_GROUP_BYTES = 16 * 2**20


@dataclass(frozen=True)
class TrainingPlan:
    """How to train: the parameters of `DANNClassifier` that the loop needs, resolved.

    `lambda_max`, `target_information` and `length`, which progress p is measured against, have a
    value for each of the k networks, and `optimizer` makes one optimizer of the parameters of all.
    `patience` is the number of epochs without improvement after which training stops, or None
    without early stopping. `lasting` tells that nobody will look at gradients or optimizer, or
    change what is trained, before the end: then networks that take their steps together share what
    they draw.
    """

    lambda_max: tuple[float, ...]
    target_information: tuple[float, ...]
    domain_label_smoothing: float
    lambda_schedule: Schedule
    optimizer: OptimizerFactory
    lr_schedule: Schedule
    length: tuple[float, ...]
    patience: int | None
    verbose: bool
    unobserved: bool = False
    trial: bool = False

    def of(self, networks: Sequence[int]) -> TrainingPlan:
        """Return the plan of some of the networks."""
        return replace(
            self,
            lambda_max=tuple(self.lambda_max[i] for i in networks),
            target_information=tuple(self.target_information[i] for i in networks),
            length=tuple(self.length[i] for i in networks),
            optimizer=self.optimizer.of(networks),
            unobserved=False,
        )


class EpochData(NamedTuple):
    """Of each network its batches and the rows held out, as skorch's callbacks receive them."""

    train: list[DomainBatches]
    valid: list[TrainingData | None]


class _Group(NamedTuple):
    """Networks that take their steps together: their positions, and what a step needs."""

    members: list[int]
    data: list[TrainingData]
    adversarial: bool
    strengths: Strengths
    objective: AutogradObjective | StackedObjective
    batches: StackedBatches
    scaling: BatchScaling
    optimizer: torch.optim.Optimizer | JointAdam


class AdversarialNet(NeuralNet):
    """A skorch net whose step trains feature extractor, label predictor and domain classifier.

    It trains k networks as one module: a `DomainAdversarialNetwork`, or for k > 1 a
    `torch.nn.ModuleList` of them. Each takes its own steps on its own batches, as if alone.

    Its `history` has one row per epoch: ``epoch, label_loss, domain_loss, domain_accuracy,
    lambda, lr, seconds``, the domain figures only with target rows, and ``valid_label_loss,
    valid_accuracy, valid_domain_loss, valid_domain_accuracy`` with rows held out. For k > 1
    the figures are means over the networks, and ``members`` has a dict for each.
    """

    def __init__(
        self,
        members: Sequence[DomainAdversarialNetwork],
        *,
        plan: TrainingPlan,
        device: torch.device,
        callbacks: list[Any],
    ) -> None:
        self.plan = plan
        super().__init__(
            members[0] if len(members) == 1 else nn.ModuleList(members),
            criterion=nn.CrossEntropyLoss,  # skorch wants one; the losses are in `_losses`
            callbacks=callbacks,
            train_split=None,
            verbose=0,
            device=str(device),
        )
        self.steps_done_: list[float] = [0] * len(members)
        self.stop_requested_ = False
        self.streams_: list[RandomStreams]

    @property
    def members_(self) -> list[DomainAdversarialNetwork]:
        """The networks."""
        return [*self.module_] if isinstance(self.module_, nn.ModuleList) else [self.module_]

    def taken_out(self, members: range) -> AdversarialNet:
        """Return some of the networks as a net of their own, as if trained without the others.

        Their optimizer starts anew if they are trained on.
        """
        networks = [self.members_[i] for i in members]
        for parameter in (p for network in networks for p in network.parameters()):
            parameter.data = parameter.data.clone()  # no longer a view of all networks' memory
            parameter.grad = None
        plan, device = self.plan.of(members), torch.device(self.device)
        net = AdversarialNet(networks, plan=plan, device=device, callbacks=[])
        net.initialize()
        net.steps_done_ = [self.steps_done_[i] for i in members]
        for row in self.history:
            net.history.new_epoch()
            net.history.record("epoch", row["epoch"])
            if "members" in row:
                net._record([row["members"][i] for i in members])
                net.history.record("seconds", row["seconds"])
        net.module_.eval()
        return net

    @classmethod
    def joined(cls, nets: Sequence[AdversarialNet]) -> AdversarialNet:
        """Return the networks of several trained nets as those of one; the first one's plan."""
        first, networks = nets[0], [network for net in nets for network in net.members_]
        plan = replace(
            first.plan,
            lambda_max=tuple(value for net in nets for value in net.plan.lambda_max),
            target_information=tuple(
                value for net in nets for value in net.plan.target_information
            ),
            length=tuple(value for net in nets for value in net.plan.length),
            optimizer=first.plan.optimizer.with_others([net.plan.optimizer for net in nets[1:]]),
        )
        joined = cls(networks, plan=plan, device=torch.device(first.device), callbacks=[])
        joined.initialize()
        joined.steps_done_ = [steps for net in nets for steps in net.steps_done_]
        joined.history = copy.deepcopy(first.history)
        joined.module_.eval()
        return joined

    # -- set-up ------------------------------------------------------------------------------

    @property
    def _default_callbacks(self) -> list[tuple[str, Callback]]:
        callbacks: list[tuple[str, Callback]] = [("epoch_clock", EpochClock())]
        if self.plan.patience is not None:
            callbacks.append(("keep_best", KeepBest(self.plan.patience, self.plan.lambda_max)))
        if self.plan.verbose:
            callbacks.append(("progress_bar", ProgressBar()))
        return callbacks

    def initialize_optimizer(self, triggered_directly: Any = None) -> AdversarialNet:
        """Make the optimizer from the plan's factory."""
        self.optimizer_ = self.plan.optimizer([list(m.parameters()) for m in self.members_])
        return self

    def train(
        self, data: EpochData, streams: list[RandomStreams], epochs: int, *, step: float = 1
    ) -> AdversarialNet:
        """Train for `epochs` more epochs, drawing from `streams`, one for each network."""
        if not self.initialized_:
            self.initialize()
        self.streams_, self.stop_requested_, self._step = streams, False, step
        self._batch_listeners = _listening(self, "on_batch_begin", "on_batch_end")
        self._gradient_listeners = _listening(self, "on_grad_computed")
        n_rows = 2 * data.train[0].n_source
        n_weights = sum(parameter.numel() for parameter in self.members_[0].parameters())
        self._lasting_groups = self._groups(data.train) if self.plan.unobserved else None
        self._interrupted = False
        with threads_for(n_rows * n_weights):
            self.partial_fit(data, epochs=epochs)
        if self._interrupted:  # networks that are trained in part tell nothing about settings
            raise KeyboardInterrupt
        # Not part of what was learned.
        del self.streams_, self._lasting_groups, self._interrupted
        self.module_.eval()
        return self

    def _groups(self, data: list[DomainBatches]) -> list[_Group]:
        """Return the networks that can take a step together, a memory's worth at a time.

        They have equal modules and equally many steps, done and to come; those at lambda 0 take
        another step than the others. Modules that aren't ours take theirs one by one.
        """
        alike: dict[Any, list[int]] = {}
        for i, network in enumerate(self.members_):
            strengths = self.plan.lambda_max[i], self.plan.target_information[i]
            adversarial = any(strengths) and data[i].has_target
            stackable = can_be_stacked(network)
            steps = len(data[i]), self.steps_done_[i], self.plan.length[i]
            informed = adversarial and strengths[1] > 0
            weighted = network.target_shares is not None
            of_batches = data[i].n_source, data[i].kind, weighted
            kind = (adversarial, stackable, informed, steps, *of_batches)
            alike.setdefault((*kind, None if stackable else i), []).append(i)
        groups = []
        for (adversarial, stackable, informed, *_), members in alike.items():
            terms = ObjectiveTerms(informed, self.plan.domain_label_smoothing)
            n_rows = 2 * data[members[0]].n_source
            size = max(1, _GROUP_BYTES // step_bytes(self.members_[members[0]], n_rows))
            for some in np.array_split(members, -(-len(members) // size)):
                groups.append(self._group(some.tolist(), data, terms, stackable, adversarial))
        return groups

    def _group(
        self,
        members: list[int],
        data: list[DomainBatches],
        terms: ObjectiveTerms,
        stackable: bool,
        adversarial: bool,
    ) -> _Group:
        networks = [self.members_[i] for i in members]
        streams = [self.streams_[i] for i in members]
        lasting = self.plan.unobserved and stackable
        optimizer: torch.optim.Optimizer | JointAdam = self.optimizer_
        objective: AutogradObjective | StackedObjective
        if stackable:
            objective = StackedObjective(networks, streams, terms, lasting)
            if lasting and can_be_joint(self.optimizer_):
                optimizer = self._joint_optimizer(
                    members, objective.take_gradients(data[members[0]].has_target)
                )
        else:
            objective = AutogradObjective(networks[0], streams[0], terms)
        strengths = Strengths(
            *(
                torch.tensor([values[i] for i in members], device=self.device)
                for values in (self.plan.lambda_max, self.plan.target_information)
            )
        )
        batches = StackedBatches([data[i] for i in members], lasting)
        scalings = [network.input_scaling for network in networks]
        n_domains = data[members[0]].data.n_domains
        return _Group(
            members=members,
            data=[data[i].data for i in members],
            adversarial=adversarial,
            strengths=strengths,
            objective=objective,
            batches=batches,
            scaling=BatchScaling(scalings, n_domains, batches.lines, torch.device(self.device)),
            optimizer=optimizer,
        )

    def _joint_optimizer(
        self, members: list[int], gradients: list[tuple[nn.Parameter, Tensor]]
    ) -> JointAdam:
        """Return an optimizer for those parameters of some networks that get a gradient."""
        trained = {id(parameter) for parameter, _ in gradients}
        parameters = [
            [p for p in self.members_[i].parameters() if id(p) in trained] for i in members
        ]
        return JointAdam(self.plan.optimizer.of(members)(parameters), gradients)

    def follow(self, plan: TrainingPlan) -> None:
        """Train on by another plan, for the same networks and optimizer."""
        self.plan = plan

    # -- the loop ----------------------------------------------------------------------------

    def fit_loop(self, X: EpochData, y: Any = None, epochs: int | None = None, **_: Any) -> Any:
        """Run the epochs; stop early where a callback asks for it or the user interrupts."""
        try:
            for _epoch in range(epochs or 0):
                self.notify("on_epoch_begin", dataset_train=X.train, dataset_valid=X.valid)
                self.run_single_epoch(X.train, training=True, prefix="train", step_fn=None)
                self._validate(X.valid)
                self._end_epoch(X)
                if self.stop_requested_:
                    break
        except KeyboardInterrupt:
            self._interrupted = self.plan.unobserved or self.plan.trial
            if self._interrupted:
                return self  # skorch would stop the exception: `train` raises it
            warnings.warn(
                f"Training was interrupted in epoch {len(self.history)}; the weights so far are "
                "kept, and the classifier can be used as it is.",
                stacklevel=2,
            )
        return self

    def _end_epoch(self, data: EpochData) -> None:
        try:
            self.notify("on_epoch_end", dataset_train=data.train, dataset_valid=data.valid)
        except KeyboardInterrupt:  # how skorch's own callbacks ask for a stop
            self.stop_requested_ = True

    def run_single_epoch(
        self, iterator: Any, training: bool, prefix: str, step_fn: Any, **_: Any
    ) -> None:
        """Let each group of networks take its steps, and record the means of the epoch."""
        if not (self._lasting_groups and self.module_.training):
            self.module_.train()
        figures: dict[int, dict[str, float]] = {}
        for group in self._lasting_groups or self._groups(iterator):
            try:
                means = self._run_group(group)
            finally:
                if group.optimizer is self.optimizer_:
                    self.module_.zero_grad()  # it leaves alone what has no gradient
            figures.update(zip(group.members, means, strict=True))
        rates = self._learning_rates()
        for i, row in figures.items():
            row["lambda"] = self.plan.lambda_max[i] * self._lambda_factor(self._progress(i, -1))
            row["lr"] = rates[i]
        self._record([figures[i] for i in range(len(figures))])

    def _run_group(self, group: _Group) -> list[dict[str, float]]:
        """Take an epoch's steps with some of the networks; return the figures of each."""
        means = RunningMeans(epoch=len(self.history))
        weigh = self._class_weights(group)
        for batch in group.batches:
            progress = self._progress(group.members[0])
            self._schedule_lr(group.optimizer, progress)
            first = batch.of(0) if self._batch_listeners else batch
            if self._batch_listeners:
                self.notify("on_batch_begin", batch=first, training=True)
            scaled = group.scaling(batch if weigh is None else weigh(batch))
            if group.adversarial:
                factor = self._lambda_factor(progress)
                strengths = Strengths(*(values * factor for values in group.strengths))
                logits = group.objective.adversarial(scaled, strengths)
            else:
                logits = group.objective.source_only(scaled)
            if self._gradient_listeners:
                self._notify_gradients(group, batch)
            group.optimizer.step()
            means.add(logits, scaled)
            if self._batch_listeners:
                self._notify_batch_end(logits, batch, first)
            for i in group.members:
                self.steps_done_[i] += self._step
        return means.result()

    def _class_weights(self, group: _Group) -> ClassWeights | None:
        """Return what weighs the source rows of a group's networks in this epoch."""
        shares = [self.members_[i].target_shares for i in group.members]
        known = [one for one in shares if one is not None]
        return ClassWeights(known, group.data) if known else None

    def _notify_batch_end(self, logits: Logits, batch: Batch, first: Batch) -> None:
        loss = row_losses(logits.label, batch.y, batch.label_weight).mean()
        self.history.record_batch("train_loss", loss.item())
        self.notify("on_batch_end", batch=first, training=True, loss=loss)

    def _notify_gradients(self, group: _Group, batch: Batch) -> None:
        """Notify once for each network: what clips a gradient's norm means that of one."""
        for i, line in enumerate(group.batches.lines):
            parameters = self.members_[group.members[i]].named_parameters()
            own = batch.of(i, line)
            self.notify("on_grad_computed", named_parameters=parameters, batch=own, training=True)

    def _record(self, members: list[dict[str, float]]) -> None:
        """Record figures of all networks: their means, and for several those of each."""
        for name in members[0]:
            values = [row[name] for row in members if name in row]
            self.history.record(name, sum(values) / len(values))
        if len(members) > 1:
            before = self.history[-1].get("members", [{} for _ in members])
            both = [{**old, **new} for old, new in zip(before, members, strict=True)]
            self.history.record("members", both)

    def _progress(self, member: int, offset: int = 0) -> float:
        """Return p, the share of all steps of a network that are done, in [0, 1]."""
        return min(1.0, (self.steps_done_[member] + offset * self._step) / self.plan.length[member])

    def _lambda_factor(self, progress: float) -> float:
        return float(self.plan.lambda_schedule(progress))

    def _learning_rates(self) -> list[float]:
        """Return the rate of each network's first parameter."""
        rates = {id(p): g["lr"] for g in self.optimizer_.param_groups for p in g["params"]}
        return [float(rates[id(next(network.parameters()))]) for network in self.members_]

    def _schedule_lr(self, optimizer: torch.optim.Optimizer | JointAdam, progress: float) -> None:
        if isinstance(self.plan.lr_schedule, Constant):
            return  # a callback may set the rate
        factor = self.plan.lr_schedule(progress)
        # The record shows the rates of the net's own optimizer, also where it takes no step.
        for one in {optimizer, self.optimizer_}:
            for group in one.param_groups:
                group["lr"] = group.setdefault("initial_lr", group["lr"]) * factor

    # -- the network at work -----------------------------------------------------------------

    def _validate(self, data: list[TrainingData | None]) -> None:
        """Record the figures of the rows held out."""
        held_out = [rows for rows in data if rows is not None]
        if held_out:
            members = zip(self.members_, held_out, strict=True)
            self._record([self._valid_figures(network, rows) for network, rows in members])

    def _valid_figures(
        self, network: DomainAdversarialNetwork, data: TrainingData
    ) -> dict[str, float]:
        def logits(X: Rows, rows: np.ndarray | None, of: str, domain: Tensor | int) -> Tensor:
            output = self.outputs(X, of, rows=rows, networks=[network], domain=domain)
            return torch.from_numpy(output)

        source_label = logits(data.X_source, data.source_rows, "label_logits", 0)
        y, weight = torch.from_numpy(data.y_source), data.label_weight
        if network.target_shares is not None:
            of_class = class_weights(network.target_shares, data).numpy(force=True)[data.y_source]
            weight = of_class if weight is None else weight * of_class
        figures = {
            "valid_label_loss": mean_loss(source_label, y, weight),
            "valid_accuracy": float(hits(source_label, y).mean()),
        }
        if data.X_target is None:
            return figures
        source, target = torch.zeros_like(y), torch.from_numpy(data.target_domain)
        source_domain = logits(data.X_source, data.source_rows, "domain_logits", 0)
        target_domain = logits(data.X_target, data.target_rows, "domain_logits", target)
        loss = mean_loss(source_domain, source, data.domain_weight)
        figures["valid_domain_loss"] = (loss + mean_loss(target_domain, target, None)) / 2
        right = hits(source_domain, source).mean() + hits(target_domain, target).mean()
        figures["valid_domain_accuracy"] = float(right) / 2
        return figures

    def outputs(
        self,
        X: Rows,
        of: str,
        finish: Callable[[Tensor], Tensor] = lambda output: output,
        *,
        rows: np.ndarray | None = None,
        networks: Sequence[DomainAdversarialNetwork] | None = None,
        domain: Tensor | int | None = None,
    ) -> np.ndarray:
        """Return what the networks make of all rows, in chunks of bounded size.

        Parameters
        ----------
        X : float32 ndarray or CSR array
        of : {"embedding", "label_logits", "domain_logits"}
            The embeddings of several networks stand side by side; their logits become one, whose
            softmax is the mean of their probabilities.
        finish : callable, default=identity
            What to make of a chunk's output.
        rows : int64 ndarray, default=None
            Which rows; None for all.
        networks : sequence of DomainAdversarialNetwork, default=None
            Which networks; None for all.
        domain : int64 Tensor of shape (n_rows,) or int, default=None
            Codes of the rows' domains, for their scaling: 0 for the source. None for new rows of
            the target.

        Returns
        -------
        ndarray of shape (n_rows, ...)
        """
        if self.module_.training:
            self.module_.eval()
        networks = self.members_ if networks is None else networks
        foreign = not all(is_ours(network.feature_extractor) for network in networks)
        chunks = row_chunks(X, torch.device(self.device), rows, copy=foreign)
        result: Any = None
        with torch.inference_mode():
            for positions, chunk in chunks:
                code = domain[positions] if isinstance(domain, Tensor) else domain
                output = finish(joint_output(networks, chunk, of, code))
                if result is None:
                    n_rows = X.shape[0] if rows is None else len(rows)
                    result = torch.empty((n_rows, *output.shape[1:]), dtype=output.dtype)
                result[positions] = output
        return result.numpy()


def _listening(net: NeuralNet, *moments: str) -> bool:
    """Tell whether any callback does something at one of these moments."""
    return any(
        getattr(type(callback), moment) is not getattr(Callback, moment)
        for _, callback in net.callbacks_
        for moment in moments
    )
