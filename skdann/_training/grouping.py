"""Grouping: which networks take their steps together, and with what."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, cast

import numpy as np
import torch
from torch import Tensor, nn

from skdann._data.batches import DomainBatches, StackedBatches
from skdann._data.record import TrainingData
from skdann._data.sparse_rows import pays_sparse
from skdann._network.network import DomainAdversarialNetwork
from skdann._network.scaling import InputScaling
from skdann._torch.randomness import RandomStreams
from skdann._training.autograd_objective import AutogradObjective, ObjectiveTerms, Strengths
from skdann._training.optimizers import JointAdam, can_be_joint
from skdann._training.plan import TrainingPlan
from skdann._training.stacked_objective import StackedObjective, can_be_stacked, step_bytes
from skdann._training.stacked_scaling import BatchScaling, rows_scaled_beforehand

# As many networks take a step together as need about this much memory: what a step touches should
# stay in the processor's cache.
_GROUP_BYTES = 16 * 2**20


class Group(NamedTuple):
    """Networks that take their steps together, and what a step needs.

    Attributes
    ----------
    members : list of int
        Positions of the networks.
    data : list of TrainingData
    adversarial : bool
        Whether target rows change feature extractor or label predictor.
    strengths : Strengths
        At the end of the schedule.
    objective : AutogradObjective or StackedObjective
    batches : StackedBatches
    scaling : BatchScaling or None
        None if the rows are scaled already.
    optimizer : Optimizer or JointAdam
        The optimizer of all networks, or one for this group alone.
    """

    members: list[int]
    data: list[TrainingData]
    adversarial: bool
    strengths: Strengths
    objective: AutogradObjective | StackedObjective
    batches: StackedBatches
    scaling: BatchScaling | None
    optimizer: torch.optim.Optimizer | JointAdam

    def release(self, optimizer: torch.optim.Optimizer | None) -> None:
        """Give each parameter memory of its own, and an optimizer of all the state of this one."""
        if isinstance(self.optimizer, JointAdam):
            if optimizer is not None:
                self.optimizer.hand_back(optimizer)
            for group in self.optimizer.param_groups:
                for parameter in group["params"]:
                    own = parameter.data.clone(memory_format=torch.contiguous_format)
                    parameter.data = own


class _Alike(NamedTuple):
    """What networks of one group have in common: the same step, at the same point of training."""

    adversarial: bool
    informed: bool
    steps_per_epoch: int
    done: float
    length: float
    n_source: int
    fields: tuple[int, ...]
    weighted_by_class: bool
    sparse_rows: bool  # whether they stay sparse; rebuilt rows of the same width may be dense
    # The network's position if it must take its steps alone, None if it can be stacked.
    alone: int | None


class Grouping:
    """Makes the groups of an epoch.

    Parameters
    ----------
    networks : sequence of k DomainAdversarialNetwork
    batches : sequence of k DomainBatches
    streams : sequence of k RandomStreams
    plan : TrainingPlan
    optimizer : Optimizer
        Of all networks' parameters.
    """

    def __init__(
        self,
        networks: Sequence[DomainAdversarialNetwork],
        batches: Sequence[DomainBatches],
        streams: Sequence[RandomStreams],
        plan: TrainingPlan,
        optimizer: torch.optim.Optimizer,
    ) -> None:
        self._networks = networks
        self._batches = batches
        self._streams = streams
        self._plan = plan
        self._optimizer = optimizer
        self._device = batches[0].tables.device
        # A callback may look for gradients in the parameters, and for the optimizer's state.
        self._joint = plan.unobserved and can_be_joint(optimizer)

    def groups(self, done: Sequence[float]) -> list[Group]:
        """Return the groups of networks that are `done` so far, each of bounded memory.

        The networks of a group have equal sizes (all networks of a net do) and are alike as
        `_Alike` says. Custom modules take their steps one by one.
        """
        alike: dict[_Alike, list[int]] = {}
        for i in range(len(self._networks)):
            alike.setdefault(self._alike(i, done[i]), []).append(i)
        groups = []
        # As many networks at once as fit into the memory of a group, in parts of about equal size.
        for key, members in alike.items():
            n_rows = 2 * key.n_source
            size = max(1, _GROUP_BYTES // step_bytes(self._networks[members[0]], n_rows))
            n_parts = -(-len(members) // size)
            for part in np.array_split(members, n_parts):
                groups.append(self._group(part.tolist(), key))
        return groups

    def _alike(self, i: int, done: float) -> _Alike:
        network, batches, plan = self._networks[i], self._batches[i], self._plan
        # Without anything to learn from the target, the step is the source-only one.
        learns = plan.lambda_max[i] > 0 or plan.target_information[i] > 0
        adversarial = learns and batches.has_target
        stacked = can_be_stacked(network)
        # Only `JointAdam` has the layout of weights for sparse rows, which know two domains.
        keeps_sparse = stacked and self._joint and batches.data.n_domains == 2
        return _Alike(
            adversarial=adversarial,
            informed=adversarial and plan.target_information[i] > 0,
            steps_per_epoch=len(batches),
            done=done,
            length=plan.length[i],
            n_source=batches.n_source,
            fields=batches.fields,
            weighted_by_class=network.target_shares is not None,
            sparse_rows=keeps_sparse and pays_sparse(batches.data.X_source, self._device),
            alone=None if stacked else i,
        )

    def _group(self, members: list[int], key: _Alike) -> Group:
        networks = [self._networks[i] for i in members]
        own = [self._batches[i] for i in members]
        terms = ObjectiveTerms(key.informed, self._plan.domain_label_smoothing)
        objective, optimizer = self._objective(members, key, terms)
        # Sharing rows is safe only for networks that stay together until the end.
        shared = self._plan.unobserved and key.alone is None
        # An `InputDenoising` is set after training only.
        scalings = [cast("InputScaling | None", network.input_scaling) for network in networks]
        rows = None
        if not key.sparse_rows and shared and len({one.rows_key for one in own}) == 1:
            rows = rows_scaled_beforehand(scalings, own)
        batches = StackedBatches(own, shared, rows, key.sparse_rows)
        return Group(
            members=members,
            data=[one.data for one in own],
            adversarial=key.adversarial,
            strengths=Strengths(
                reversal=self._of_members(members, self._plan.lambda_max),
                target_information=self._of_members(members, self._plan.target_information),
            ),
            objective=objective,
            batches=batches,
            scaling=None
            if rows is not None
            else BatchScaling(scalings, own[0].data.n_domains, batches.slots, self._device),
            optimizer=optimizer,
        )

    def _of_members(self, members: list[int], values: Sequence[float]) -> Tensor:
        return torch.tensor([values[i] for i in members], dtype=torch.float32, device=self._device)

    def _objective(
        self, members: list[int], key: _Alike, terms: ObjectiveTerms
    ) -> tuple[AutogradObjective | StackedObjective, torch.optim.Optimizer | JointAdam]:
        """Return the objective of a group, and the optimizer that takes its steps."""
        networks = [self._networks[i] for i in members]
        streams = [self._streams[i] for i in members]
        if key.alone is not None:
            return AutogradObjective(networks[0], streams[0], terms), self._optimizer
        stacked = StackedObjective(networks, streams, terms, shared=self._plan.unobserved)
        if not self._joint:
            return stacked, self._optimizer
        has_target = self._batches[members[0]].has_target
        gradients = stacked.take_gradients(domain=has_target, sparse_rows=key.sparse_rows)
        return stacked, self._joint_optimizer(members, gradients)

    def _joint_optimizer(
        self, members: list[int], gradients: list[tuple[nn.Parameter, Tensor]]
    ) -> JointAdam:
        """Return an optimizer for those parameters of some networks that get a gradient."""
        trained = {id(parameter) for parameter, _ in gradients}
        parameters = [
            [p for p in self._networks[i].parameters() if id(p) in trained] for i in members
        ]
        return JointAdam(self._plan.optimizer.of(members)(parameters), gradients)
