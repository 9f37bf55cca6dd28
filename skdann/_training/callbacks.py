"""Callbacks of the package's own: clock, early stopping, flags of best epochs."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Iterable
from typing import Any

from skorch import NeuralNet
from skorch.callbacks import Callback, PrintLog

from skdann._data.listing import shortened
from skdann._training.losses import guess_loss

# A figure must be lower by more than this to count as an improvement.
_TOLERANCE = 1e-4


class EpochClock(Callback):
    """Records the seconds of each epoch."""

    def on_epoch_begin(self, net: NeuralNet, **kwargs: Any) -> None:
        """Start the clock."""
        self._started = time.perf_counter()

    def on_epoch_end(self, net: NeuralNet, **kwargs: Any) -> None:
        """Record what it shows."""
        net.history.record("seconds", time.perf_counter() - self._started)


class KeepBest(Callback):
    """Stops when held-out rows show no improvement, and restores the weights of the best epoch.

    The figure is the paper's saddle-point objective of the features on held-out rows: label
    loss minus `lambda_max` times domain loss (JMLR 2016, equation 9). The label loss alone
    would always prefer the first epochs, before lambda has grown. The domain loss counts up to
    that of a guess (`guess_loss`): where it is higher, the domain classifier is wrong, which says
    nothing good about the features.

    Several networks each keep their own best epoch; training stops when all would stop.

    Parameters
    ----------
    patience : int
        Epochs without improvement before it stops.
    lambda_max : tuple of k floats
    """

    def __init__(self, patience: int, lambda_max: tuple[float, ...]) -> None:
        self.patience = patience
        self.lambda_max = lambda_max

    def on_train_begin(self, net: NeuralNet, X: Any, **kwargs: Any) -> None:
        """Forget an earlier fit."""
        n_members = len(self.lambda_max)
        self.guess_ = [
            guess_loss(batches.data.target_domain, batches.data.source_codes) for batches in X.train
        ]
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
            figure = self._figure(figures, i)
            if figure < self.best_[i] - _TOLERANCE:
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

    def _figure(self, figures: dict[str, float], i: int) -> float:
        if "valid_domain_loss" not in figures:
            return figures["valid_label_loss"]
        confusion = min(figures["valid_domain_loss"], self.guess_[i])
        return figures["valid_label_loss"] - self.lambda_max[i] * confusion


class BestFlags(Callback):
    """Records whether a figure is the best so far, as ``<figure>_best``, for other callbacks.

    Parameters
    ----------
    figures : list of str
        Names in the history. Of accuracies the highest is best, of losses the lowest.
    """

    # Whether high domain figures are good depends on lambda: there is no best one.
    KNOWN = "label_loss", "valid_label_loss", "valid_accuracy"

    def __init__(self, figures: list[str]) -> None:
        self.figures = figures

    def on_train_begin(self, net: NeuralNet, **kwargs: Any) -> None:
        """Forget an earlier fit."""
        self.best_: dict[str, float] = {}

    def on_epoch_end(self, net: NeuralNet, **kwargs: Any) -> None:
        """Compare the epoch with those before."""
        epoch = net.history[-1]
        for name in self.figures:
            if name not in epoch:
                continue
            loss = -epoch[name] if name.endswith("accuracy") else epoch[name]
            is_best = loss < self.best_.get(name, math.inf)
            if is_best:
                self.best_[name] = loss
            net.history.record(f"{name}_best", is_best)


def checked_callbacks(callbacks: Iterable[Any] | None) -> tuple[Any, ...]:
    """Return the callbacks that a user passes as a tuple, or raise where one of them is none."""
    for one in callbacks or ():
        pair = isinstance(one, tuple) and len(one) == 2 and isinstance(one[0], str)
        callback = one[1] if pair else one
        made = isinstance(callback, type) and issubclass(callback, Callback)
        if not made and not isinstance(callback, Callback):
            raise ValueError(
                f"callbacks holds {shortened(repr(one))}, which is not a callback. Pass instances "
                "of skorch.callbacks.Callback, or pairs of a name and such an instance."
            )
    return tuple(callbacks or ())


def best_monitored(callbacks: Iterable[Any] | None) -> list[str]:
    """Return the figures of which one of the callbacks monitors ``<figure>_best``."""
    monitored = {getattr(callback, "monitor", None) for callback in _unnamed(callbacks)}
    return [name for name in BestFlags.KNOWN if f"{name}_best" in monitored]


def has_print_log(callbacks: Iterable[Any] | None) -> bool:
    """Tell whether one of the callbacks, instances or classes, prints a table of the history."""
    return any(
        callback is PrintLog or isinstance(callback, PrintLog) for callback in _unnamed(callbacks)
    )


def _unnamed(callbacks: Iterable[Any] | None) -> list[Any]:
    """Return callbacks without the names that some may have, as skorch allows."""
    return [one[1] if isinstance(one, tuple) else one for one in callbacks or ()]
