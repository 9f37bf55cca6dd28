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
    """

    def __init__(self, patience: int, lambda_max: float) -> None:
        self.patience = patience
        self.lambda_max = lambda_max

    def on_train_begin(self, net: NeuralNet, **kwargs: Any) -> None:
        """Forget an earlier fit."""
        self.best_, self.waited_ = math.inf, 0
        self.weights_: dict[str, Any] = {}

    def on_epoch_end(self, net: NeuralNet, **kwargs: Any) -> None:
        """Compare the epoch with the best one."""
        if "valid_label_loss" not in net.history[-1]:  # partial_fit holds nothing out
            return
        figure = self._figure(net.history[-1])
        if figure < self.best_ - 1e-4:
            self.best_, self.waited_ = figure, 0
            self.weights_ = copy.deepcopy(net.module_.state_dict())
        else:
            self.waited_ += 1
        net.stop_requested_ = self.waited_ >= self.patience

    def on_train_end(self, net: NeuralNet, **kwargs: Any) -> None:
        """Restore the best weights."""
        if self.weights_:
            net.module_.load_state_dict(self.weights_)
        self.weights_ = {}

    def _figure(self, epoch: dict[str, float]) -> float:
        if "valid_domain_loss" not in epoch:
            return epoch["valid_label_loss"]
        confusion = min(epoch["valid_domain_loss"], math.log(2))
        return epoch["valid_label_loss"] - self.lambda_max * confusion


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
        return max(1, round((net.plan.total_steps - net.steps_done_) / len(data.train)))
