"""The plan of a training: what the loop needs to know, as one value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from skdann._training.optimizers import OptimizerFactory
from skdann.schedules import Schedule


@dataclass(frozen=True)
class TrainingPlan:
    """How to train k networks: the parameters of `DANNClassifier` that the loop needs, resolved.

    Attributes
    ----------
    lambda_max, target_information : tuple of k floats
        Strengths at the end of `lambda_schedule`: of the gradient reversal, and of the mutual
        information of target rows and their predicted labels.
    domain_label_smoothing : float in [0, 1)
    lambda_schedule, lr_schedule : callable
        Progress p, the share of the training that is done, to what multiplies the strengths and
        the learning rate.
    optimizer : OptimizerFactory
        Makes one optimizer for the parameters of all networks.
    length : tuple of k floats
        The whole training of each network, in the unit of ``step`` in `AdversarialNet.train`:
        gradient steps or, where the number of steps is not known beforehand, source rows.
    patience : int or None
        Epochs without improvement after which training stops; None without early stopping.
    unobserved : bool, default=False
        Whether no callback can see or change the training. Then networks that train together stay
        together to the end, and may share rows and dropout masks.
    trial : bool, default=False
        Whether this training only serves a choice. Then an interrupt by the user is raised;
        otherwise the weights so far are kept, with a warning.
    """

    lambda_max: tuple[float, ...]
    target_information: tuple[float, ...]
    domain_label_smoothing: float
    lambda_schedule: Schedule
    optimizer: OptimizerFactory
    lr_schedule: Schedule
    length: tuple[float, ...]
    patience: int | None
    unobserved: bool = False
    trial: bool = False

    def of(self, networks: Sequence[int]) -> TrainingPlan:
        """Return the plan of some of the networks, to be trained on by themselves."""
        return replace(
            self,
            lambda_max=tuple(self.lambda_max[i] for i in networks),
            target_information=tuple(self.target_information[i] for i in networks),
            length=tuple(self.length[i] for i in networks),
            optimizer=self.optimizer.of(networks),
            unobserved=False,
            trial=False,
        )

    def with_others(self, others: Sequence[TrainingPlan]) -> TrainingPlan:
        """Return the plan for these networks and those of others; what is shared is this one's."""
        plans = [self, *others]
        return replace(
            self,
            lambda_max=tuple(value for plan in plans for value in plan.lambda_max),
            target_information=tuple(value for plan in plans for value in plan.target_information),
            length=tuple(value for plan in plans for value in plan.length),
            optimizer=self.optimizer.with_others([plan.optimizer for plan in others]),
            unobserved=False,
            trial=False,
        )
