"""Devices and threads: where a network is trained and run.

Small networks train on one thread, and torch's setting is as before afterwards. A step of a
small network takes a fraction of a millisecond: threads that wake up for it cost more than
they do, and where several fits share the cores they wait for each other.
"""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import torch

# Multiply-adds in one forward pass of a batch from which a second thread pays. Below, two
# threads gain little where cores are free, and lose tenfold where another process uses them.
_WORTH_A_SECOND_THREAD = 200_000_000

# Guards the two numbers below, and torch's setting while it is read and changed.
_LOCK = threading.Lock()

_threads_inside = 0

_setting_outside = 0


class _OfThisThread(threading.local):
    """How deep this thread is in `threads_for`, and the setting that it goes back to."""

    depth = 0
    before = 0


_mine = _OfThisThread()


def resolve_device(device: str | torch.device) -> torch.device:
    """Return the torch device, after having put a tensor on it; "auto" takes a GPU if any."""
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
        if device == "cpu" and torch.backends.mps.is_available():
            device = "mps"
    try:
        torch.empty(1, device=device)
        return torch.device(device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        usable = ["cpu"] + [f"cuda:{i}" for i in range(torch.cuda.device_count())]
        raise ValueError(
            f"device={device!r} can't be used here: {str(error).splitlines()[0]} Usable devices: "
            f"{', '.join(usable)}."
        ) from error


def device_at_hand(device: str) -> torch.device:
    """Return the device that a network was on, or the CPU, with a warning, where it is missing."""
    try:
        return resolve_device(device)
    except ValueError:
        warnings.warn(
            f"The network was on the device {device!r}, which can't be used here: it is loaded "
            "onto the CPU. To train on, set_params(device='cpu').",
            stacklevel=2,
        )
        return torch.device("cpu")


@contextmanager
def threads_for(multiply_adds: int) -> Iterator[None]:
    """Run the block on one thread if its steps are small, else on as many as torch has set.

    Parameters
    ----------
    multiply_adds : int
        Of one forward pass of a batch.
    """
    if multiply_adds >= _WORTH_A_SECOND_THREAD:
        yield
        return
    _enter()
    try:
        yield
    finally:
        _leave()


def _enter() -> None:
    """Remember this thread's setting, and set it to one.

    Torch's setting belongs to each Python thread, but a new thread starts with what was set last
    in any: where that was done here, the setting from before is what it goes back to.
    """
    global _threads_inside, _setting_outside
    with _LOCK:
        if _mine.depth == 0:
            setting = torch.get_num_threads()
            if _threads_inside == 0:
                _setting_outside = setting
            _mine.before = _setting_outside if setting == 1 else setting
            _threads_inside += 1
            torch.set_num_threads(1)
        _mine.depth += 1


def _leave() -> None:
    """Go back to this thread's setting, at the end of the outermost block only."""
    global _threads_inside
    with _LOCK:
        _mine.depth -= 1
        if _mine.depth == 0:
            _threads_inside -= 1
            torch.set_num_threads(_mine.before)
