"""Devices and threads: where a network is trained and run.

Small networks train on one thread, and torch's setting is as before afterwards. A step of a
small network takes a fraction of a millisecond: threads that wake up for it cost more than
they do, and where several fits share the cores they wait for each other.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import torch

# Multiply-adds in one forward pass of a batch from which a second thread pays. Below, two
# threads gain little where cores are free, and lose tenfold where another process uses them.
_WORTH_A_SECOND_THREAD = 200_000_000

_LOCK = threading.Lock()

_inside = 0

_before = 0


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


@contextmanager
def threads_for(multiply_adds: int) -> Iterator[None]:
    """Run the block on one thread if a step is that small, else on as many as torch has set."""
    if multiply_adds >= _WORTH_A_SECOND_THREAD:
        yield
        return
    _enter()
    try:
        yield
    finally:
        _leave()


def _enter() -> None:
    """Remember the setting, unless another fit in this process already has."""
    global _inside, _before
    with _LOCK:
        if _inside == 0:
            _before = torch.get_num_threads()
        _inside += 1
    torch.set_num_threads(1)


def _leave() -> None:
    global _inside
    with _LOCK:
        _inside -= 1
    torch.set_num_threads(_before)
