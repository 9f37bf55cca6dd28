"""Callbacks: what happens at the moments of training, as skorch calls them."""

from __future__ import annotations

import copy
import math
import time
from typing import Any

from skorch import NeuralNet
from skorch.callbacks import Callback
from tqdm import tqdm


class EpochClock(Callback):
    """Records the seconds of each epoch."""

    def on_epoch_begin(self, net: NeuralNet, **kwargs: Any) -> None:
        """Start the clock."""
        self._started = time.perf_counter()

    def on_epoch_end(self, net: NeuralNet, **kwargs: Any) -> None:
        """Record what it shows."""
        net.history.record("seconds", time.perf_counter() - self._started)


class KeepBest(Callback):
    """Stops when the held-out rows say so, and restores the weights of the best epoch.

    The figure is the paper's saddle-point objective of the features on held-out rows: label
    loss minus `lambda_max` times domain loss (JMLR 2016, equation 9). The label loss alone
    would always prefer the first epochs, before lambda has grown. A domain loss above that of
    a guess counts as a guess: a confused domain classifier is no merit of the features.

    Several networks each keep their own best epoch; training stops when all would stop.
    """

    def __init__(self, patience: int, lambda_max: tuple[float, ...]) -> None:
        self.patience = patience
        self.lambda_max = lambda_max

    def on_train_begin(self, net: NeuralNet, **kwargs: Any) -> None:
        """Forget an earlier fit."""
        n_members = len(self.lambda_max)
        self.best_, self.waited_ = [math.inf] * n_members, [0] * n_members
        self.weights_: list[dict[str, Any]] = [{}] * n_members

    def on_epoch_end(self, net: NeuralNet, **kwargs: Any) -> None:
        """Compare the epoch with the best one."""
        epoch = net.history[-1]
        if "valid_label_loss" not in epoch:  # partial_fit holds nothing out
            return
        for i, figures in enumerate(epoch.get("members", [epoch])):
            if self.waited_[i] >= self.patience:
                continue
            figure = self._figure(figures, self.lambda_max[i])
            if figure < self.best_[i] - 1e-4:
                self.best_[i], self.waited_[i] = figure, 0
                self.weights_[i] = copy.deepcopy(net.members_[i].state_dict())
            else:
                self.waited_[i] += 1
        net.stop_requested_ = min(self.waited_) >= self.patience

    def on_train_end(self, net: NeuralNet, **kwargs: Any) -> None:
        """Restore the best weights."""
        for i, weights in enumerate(self.weights_):
            if weights:
                net.members_[i].load_state_dict(weights)
        self.weights_ = []

    @staticmethod
    def _figure(figures: dict[str, float], lambda_max: float) -> float:
        if "valid_domain_loss" not in figures:
            return figures["valid_label_loss"]
        confusion = min(figures["valid_domain_loss"], math.log(2))
        return figures["valid_label_loss"] - lambda_max * confusion


class ProgressBar(Callback):
    """Shows a bar over the epochs with the running losses and domain accuracy."""

    _SHOWN = ("label_loss", "domain_loss", "domain_accuracy", "valid_accuracy")

    def on_train_begin(self, net: NeuralNet, X: Any, **kwargs: Any) -> None:
        """Open the bar."""
        self._bar = tqdm(total=self._epochs(net, X), desc="DANNClassifier", unit="epoch")

    def on_epoch_end(self, net: NeuralNet, **kwargs: Any) -> None:
        """Move it on."""
        epoch = net.history[-1]
        self._bar.set_postfix({k: f"{epoch[k]:.3f}" for k in self._SHOWN if k in epoch})
        self._bar.update()

    def on_train_end(self, net: NeuralNet, **kwargs: Any) -> None:
        """Close it; a bar holds a stream, which a pickle could not keep."""
        self._bar.close()
        del self._bar

    @staticmethod
    def _epochs(net: NeuralNet, data: Any) -> int:
        return max(1, round((net.plan.length[0] - net.steps_done_[0]) / len(data.train[0])))
