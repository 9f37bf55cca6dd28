"""Snapshot: all that a training hangs on at the end of an epoch, kept in a file and put back."""

from __future__ import annotations

import pickle
import time
from collections.abc import Sequence
from typing import Any

import torch
from skorch import NeuralNet

from skdann._data.batches import DomainBatches
from skdann._torch.randomness import RandomStreams
from skdann._training.callbacks import KeepBest
from skdann._training.checkpoints import Checkpoints
from skdann._training.grouping import Group
from skdann._training.optimizers import JointAdam
from skdann._training.stacked_objective import can_be_stacked

# The file of a training that has lasted this long since the last one is written when it ends.
_SHORT_SECONDS = 1.0

# Attributes of a net that are not in files: its parameters, which are there again. The module is
# `module_` too.
_NOT_KEPT = "plan", "module"


class Snapshots:
    """The snapshots of one training, in a file of which there is the latest only.

    Without callbacks, custom modules or optimizers of the user's, a snapshot holds tensors, numbers
    and strings, and its loading runs no code. Otherwise it holds the net as it is, pickled: a
    callback may have changed anything in it.

    Parameters
    ----------
    net : AdversarialNet
        Initialized.
    batches : sequence of k DomainBatches
    streams : sequence of k RandomStreams
    saved : Checkpoints

    Attributes
    ----------
    epochs : int
        Epochs that are done.
    """

    def __init__(
        self,
        net: NeuralNet,
        batches: Sequence[DomainBatches],
        streams: Sequence[RandomStreams],
        saved: Checkpoints,
    ) -> None:
        self.epochs = 0
        self._net, self._batches, self._streams, self._saved = net, batches, streams, saved
        self._plain = bool(saved) and _is_plain(net)
        self._last, self._pause = time.monotonic(), saved.pause()
        if saved and not self._plain:
            check_pickles(net)

    def put_back(self) -> bool:
        """Put the latest snapshot back, if there is one, and tell whether there was."""
        state = self._saved.read(trusted=not self._plain, live=self._net)
        if state is None:
            return False
        if self._plain:
            _put_back_numbers(self._net, state["net"])
        else:
            self._net.__dict__.update(state["net"])
            self._net.module = self._net.module_
        for one, kept in zip(self._streams, state["streams"], strict=True):
            one.go_on_from(kept)
        for batches, kept in zip(self._batches, state["batches"], strict=True):
            batches.go_on_from(kept)
        self.epochs = state["epochs"]
        return True

    def put_back_moments(self, groups: Sequence[Group]) -> None:
        """Give the optimizers of groups what they take over from the net's."""
        for group in groups:
            if isinstance(group.optimizer, JointAdam):
                group.optimizer.take_over(self._net.optimizer_)

    def epoch_ends(self, groups: Sequence[Group], last: int) -> None:
        """Count an epoch, of which `last` is the last one, and write a snapshot if it is time."""
        self.epochs += 1
        if not self._saved:
            return
        started, pause = time.monotonic(), self._pause
        if self.epochs == last or self._net.stop_requested_:
            pause = min(pause, _SHORT_SECONDS)
        if started - self._last < pause:
            return
        self._write(groups)
        self._last = time.monotonic()
        self._pause = self._saved.pause(took=self._last - started)

    def interrupted(self) -> None:
        """Keep what there is: the fit will end as if it were complete."""
        self._saved.keep()

    def _write(self, groups: Sequence[Group]) -> None:
        joint = [one.optimizer for one in groups if isinstance(one.optimizer, JointAdam)]
        for optimizer in joint:
            optimizer.hand_back(self._net.optimizer_)
        kept = _numbers if self._plain else _objects
        state = {
            "epochs": self.epochs,
            "net": kept(self._net),
            "streams": [one.state() for one in self._streams],
            "batches": [one.state() for one in self._batches],
        }
        self._saved.write(state, live=None if self._plain else self._net)
        for optimizer in joint:
            optimizer.forget(self._net.optimizer_)


def _is_plain(net: NeuralNet) -> bool:
    """Tell whether numbers say all about a net."""
    own = net.plan.unobserved and all(map(can_be_stacked, net.members_))
    return bool(own) and type(net.optimizer_).__module__.startswith("torch.optim.")


def _numbers(net: NeuralNet) -> dict[str, Any]:
    """Return the state of a net without callbacks: tensors, numbers and strings."""
    return {
        "weights": {name: value.detach().clone() for name, value in _tensors(net).items()},
        "optimizer": net.optimizer_.state_dict(),
        "done": list(net.done_),
        "stop_requested": net.stop_requested_,
        "history": [dict(row) for row in net.history],
        "best": [_best(one) for one in _keep_best(net)],
    }


def _put_back_numbers(net: NeuralNet, state: dict[str, Any]) -> None:
    with torch.no_grad():
        for name, value in _tensors(net).items():
            value.copy_(state["weights"][name])
    net.optimizer_.load_state_dict(state["optimizer"])
    net.done_[:], net.stop_requested_ = state["done"], state["stop_requested"]
    net.history[:] = state["history"]
    for callback, kept in zip(_keep_best(net), state["best"], strict=True):
        callback.__dict__.update(kept)


def _keep_best(net: NeuralNet) -> list[KeepBest]:
    return [one for _, one in net.callbacks_ if isinstance(one, KeepBest)]


def _best(callback: KeepBest) -> dict[str, Any]:
    # Copies: a view would take the memory of all networks into the file.
    weights = [{name: one.clone() for name, one in of.items()} for of in callback.weights_]
    return {**vars(callback), "weights_": weights}


def _tensors(net: NeuralNet) -> dict[str, torch.Tensor]:
    """Return parameters and buffers."""
    return dict([*net.module_.named_parameters(), *net.module_.named_buffers()])


def _objects(net: NeuralNet) -> dict[str, Any]:
    """Return the state of any net."""
    return {name: value for name, value in vars(net).items() if name not in _NOT_KEPT}


def check_pickles(net: NeuralNet) -> None:
    """Raise if something of the user's can't be in a file, naming it."""
    things = [("callbacks", one) for _, one in net.callbacks_]
    things += [("optimizer", type(net.optimizer_))]
    names = "feature_extractor", "label_predictor", "domain_classifier"
    things += [(name, getattr(one, name)) for one in net.members_ for name in names]
    for name, thing in things:
        try:
            pickle.dumps(thing)
        except Exception as error:  # objects of the user's run code of the user's
            what = thing if isinstance(thing, type) else type(thing)
            raise ValueError(
                f"{name}: {what.__name__} can't be pickled, which checkpoint_dir needs: {error}. "
                "Define the class at the top of a module, keep no open file or lambda in it, or "
                "set checkpoint_dir=None."
            ) from error
