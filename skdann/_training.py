"""Training: the skorch net that runs the adversarial steps, and its callbacks.

The only room that knows skorch. skorch gives the loop over epochs, callbacks and pickling
across devices; the step is ours, and reads no number back from the device that the epoch's
record doesn't need.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from skorch import NeuralNet
from skorch.callbacks import Callback
from torch import Tensor, nn

from skdann._batches import Batch, DomainBatches, Rows, row_chunks
from skdann._callbacks import EpochClock, KeepBest, ProgressBar
from skdann._devices import threads_for
from skdann._inputs import TrainingData
from skdann._losses import accuracy, cross_entropy
from skdann._network import DomainAdversarialNetwork, may_draw_globally
from skdann._optimizers import OptimizerFactory
from skdann._randomness import RandomStreams
from skdann._schedules import Constant, Schedule

# Losses are read back, and looked at for NaN, once in so many steps.
_STEPS_PER_READING = 256


@dataclass(frozen=True)
class TrainingPlan:
    """How to train: the parameters of `DANNClassifier` that the loop needs, resolved.

    `patience` is the number of epochs without improvement after which training stops, or
    None without early stopping; `total_steps` is what progress p is measured against.
    """

    lambda_max: float
    lambda_schedule: Schedule
    optimizer: OptimizerFactory
    lr: float
    lr_schedule: Schedule
    total_steps: int
    patience: int | None
    verbose: bool


class StepResult(NamedTuple):
    """What one step tells: losses and the domain logits, on the device and detached."""

    label_loss: Tensor
    domain_loss: Tensor | None
    domain_accuracy: Tensor | None


class EpochData(NamedTuple):
    """The batches of training and the rows held out, as skorch's callbacks receive them."""

    train: DomainBatches
    valid: TrainingData | None


class AdversarialNet(NeuralNet):
    """A skorch net whose step trains feature extractor, label predictor and domain classifier.

    Its `history` has one row per epoch: ``epoch, label_loss, domain_loss, domain_accuracy,
    lambda, lr, seconds``, the domain figures only with target rows, and ``valid_label_loss,
    valid_accuracy, valid_domain_loss, valid_domain_accuracy`` with rows held out.
    """

    def __init__(
        self,
        module: DomainAdversarialNetwork,
        *,
        plan: TrainingPlan,
        device: torch.device,
        callbacks: list[Any],
    ) -> None:
        self.plan = plan
        super().__init__(
            module,
            criterion=nn.CrossEntropyLoss,  # skorch wants one; the losses are in `_losses`
            lr=plan.lr,
            callbacks=callbacks,
            train_split=None,
            verbose=0,
            device=str(device),
        )
        self.steps_done_ = 0
        self.stop_requested_ = False
        self.streams_: RandomStreams

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
        self.optimizer_ = self.plan.optimizer(list(self.module_.parameters()))
        return self

    def train(self, data: EpochData, streams: RandomStreams, epochs: int) -> AdversarialNet:
        """Train for `epochs` more epochs, drawing from `streams`."""
        if not self.initialized_:
            self.initialize()
        self.streams_, self.stop_requested_ = streams, False
        self._batch_listeners = _listening(self, "on_batch_begin", "on_batch_end")
        self._gradient_listeners = _listening(self, "on_grad_computed")
        with threads_for(self._multiply_adds(2 * data.train.n_source)):
            self.partial_fit(data, epochs=epochs)
        del self.streams_  # generators; not part of what was learned
        self.module_.eval()
        return self

    def _multiply_adds(self, n_rows: int) -> int:
        return n_rows * sum(parameter.numel() for parameter in self.module_.parameters())

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
        """Take one step per batch and record the means of the epoch."""
        self.module_.train()
        adversarial = self.plan.lambda_max > 0 and iterator.data.X_target is not None
        step = self._adversarial_step if adversarial else self._source_only_step
        means = _RunningMeans(epoch=len(self.history))
        for batch in iterator:
            self._schedule_lr()
            if self._batch_listeners:
                self.notify("on_batch_begin", batch=batch, training=True)
            result = step(batch)
            if self._batch_listeners:
                self.history.record_batch("train_loss", result.label_loss.item())
                self.notify("on_batch_end", batch=batch, training=True, loss=result.label_loss)
            means.add(result)
            self.steps_done_ += 1
        for key, value in means.result().items():
            self.history.record(key, value)
        self.history.record("lambda", self._lambda_at(self._progress(-1)))
        self.history.record("lr", float(self.optimizer_.param_groups[0]["lr"]))

    def _progress(self, offset: int = 0) -> float:
        """Return p, the share of all steps done, in [0, 1]."""
        return min(1.0, (self.steps_done_ + offset) / self.plan.total_steps)

    def _lambda_at(self, progress: float) -> float:
        return float(self.plan.lambda_max * self.plan.lambda_schedule(progress))

    def _schedule_lr(self) -> None:
        if isinstance(self.plan.lr_schedule, Constant):
            return  # a callback may set the rate
        factor = self.plan.lr_schedule(self._progress())
        for group in self.optimizer_.param_groups:
            group["lr"] = group.setdefault("initial_lr", group["lr"]) * factor

    # -- the steps ---------------------------------------------------------------------------

    def _adversarial_step(self, batch: Batch) -> StepResult:
        """Train all three parts with one update, as in Ganin et al. (2016), algorithm 1."""
        assert batch.domain is not None
        n_source = len(batch.y)
        coefficient = torch.tensor(self._lambda_at(self._progress()), device=self.device)
        self.optimizer_.zero_grad()
        with may_draw_globally(self.streams_.label_modules, *self.module_.children()):
            label_logits, domain_logits = self.module_(
                batch.X,
                n_source,
                coefficient,
                self.streams_.label_dropout,
                self.streams_.domain_dropout,
            )
        label_loss = cross_entropy(label_logits, batch.y, batch.label_weight)
        domain_loss = cross_entropy(domain_logits, batch.domain, batch.domain_weight)
        self._update(label_loss + domain_loss, batch)
        return _result(label_loss, domain_loss, domain_logits, batch)

    def _source_only_step(self, batch: Batch) -> StepResult:
        """Train feature extractor and label predictor as if there were no target.

        With target rows and lambda 0 the domain classifier learns too, from an embedding that
        it can't change. The label path is the same to the last bit in both cases.
        """
        n_source = len(batch.y)
        self.optimizer_.zero_grad()
        with may_draw_globally(self.streams_.label_modules, *self.module_.children()):
            embedding = self.module_.embed(batch.X[:n_source], self.streams_.label_dropout)
            label_logits = self.module_.label_logits(embedding, self.streams_.label_dropout)
        label_loss = cross_entropy(label_logits, batch.y, batch.label_weight)
        if batch.domain is None:
            self._update(label_loss, batch)
            return StepResult(label_loss.detach(), None, None)
        domain_logits = self._detached_domain_logits(batch.X)
        domain_loss = cross_entropy(domain_logits, batch.domain, batch.domain_weight)
        self._update(label_loss + domain_loss, batch)
        return _result(label_loss, domain_loss, domain_logits, batch)

    def _detached_domain_logits(self, X: Tensor) -> Tensor:
        feature_extractor = self.module_.feature_extractor
        feature_extractor.eval()  # no dropout drawn, no running statistics moved
        with torch.no_grad():
            embedding = self.module_.embed(X)
        feature_extractor.train()
        with may_draw_globally(self.streams_.domain_modules, self.module_.domain_classifier):
            return self.module_.domain_logits(embedding, self.streams_.domain_dropout)

    def _update(self, loss: Tensor, batch: Batch) -> None:
        loss.backward()
        if self._gradient_listeners:
            self.notify(
                "on_grad_computed",
                named_parameters=self.module_.named_parameters(),
                batch=batch,
                training=True,
            )
        self.optimizer_.step()

    # -- the network at work -----------------------------------------------------------------

    def _validate(self, data: TrainingData | None) -> None:
        """Record the figures of the rows held out."""
        if data is None:
            return
        source_label = self._logits(data.X_source, "label_logits")
        y = torch.from_numpy(data.y_source)
        self.history.record("valid_label_loss", _mean_loss(source_label, y, data.label_weight))
        self.history.record("valid_accuracy", float(accuracy(source_label, y)))
        if data.X_target is None:
            return
        source_domain = self._logits(data.X_source, "domain_logits")
        target_domain = self._logits(data.X_target, "domain_logits")
        source, target = torch.zeros_like(y), torch.from_numpy(data.target_domain)
        loss = _mean_loss(source_domain, source, data.domain_weight)
        self.history.record(
            "valid_domain_loss", (loss + _mean_loss(target_domain, target, None)) / 2
        )
        right = accuracy(source_domain, source) + accuracy(target_domain, target)
        self.history.record("valid_domain_accuracy", float(right) / 2)

    def _logits(self, X: Rows, of: str) -> Tensor:
        return torch.from_numpy(self.outputs(X, of))

    def outputs(self, X: Rows, of: str) -> np.ndarray:
        """Return the "embedding", "label_logits" or "domain_logits" of all rows, in chunks.

        Returns
        -------
        float32 ndarray of shape (n_rows, n_embedding or n_classes or n_domains)
        """
        if self.module_.training:
            self.module_.eval()
        result: Any = None
        with torch.inference_mode():
            for rows, chunk in row_chunks(X, torch.device(self.device)):
                output = self.module_.embed(chunk)
                if of != "embedding":
                    output = getattr(self.module_, of)(output)
                if result is None:
                    result = np.empty((X.shape[0], output.shape[1]), dtype=np.float32)
                result[rows] = output.cpu().numpy()
        return result


# -- helpers ---------------------------------------------------------------------------------


class _RunningMeans:
    """Means over the steps of an epoch, read back from the device in groups."""

    def __init__(self, epoch: int) -> None:
        self._epoch = epoch
        self._waiting: list[StepResult] = []
        self._sums: dict[str, float] = {}
        self._count = 0

    def add(self, result: StepResult) -> None:
        """Take in one step."""
        self._waiting.append(result)
        if len(self._waiting) == _STEPS_PER_READING:
            self._read()

    def result(self) -> dict[str, float]:
        """Return the means of all steps so far."""
        self._read()
        return {name: total / self._count for name, total in self._sums.items()}

    def _read(self) -> None:
        for name, values in self._columns():
            self._sums[name] = self._sums.get(name, 0.0) + float(torch.stack(values).sum())
        self._count += len(self._waiting)
        self._waiting = []
        if not all(math.isfinite(total) for total in self._sums.values()):
            raise ValueError(
                f"The loss became NaN or infinite in epoch {self._epoch}. Likely causes: "
                "columns that are not scaled (put a StandardScaler in front), a learning rate "
                "that is too large (lower lr), or too strong an adversary (lower lambda_max). "
                "The estimator is as it was before the call."
            )

    def _columns(self) -> Iterator[tuple[str, list[Tensor]]]:
        for name in StepResult._fields:
            values = [value for step in self._waiting if (value := getattr(step, name)) is not None]
            if values:
                yield name, values


def _result(
    label_loss: Tensor, domain_loss: Tensor, domain_logits: Tensor, batch: Batch
) -> StepResult:
    assert batch.domain is not None
    right = accuracy(domain_logits.detach(), batch.domain)
    return StepResult(label_loss.detach(), domain_loss.detach(), right)


def _mean_loss(logits: Tensor, codes: Tensor, weight: np.ndarray | None) -> float:
    if weight is None or not weight.any():
        return float(cross_entropy(logits, codes))
    return float(cross_entropy(logits, codes, torch.from_numpy(weight / weight.mean())))


def _listening(net: NeuralNet, *moments: str) -> bool:
    """Tell whether any callback does something at one of these moments."""
    return any(
        getattr(type(callback), moment) is not getattr(Callback, moment)
        for _, callback in net.callbacks_
        for moment in moments
    )
