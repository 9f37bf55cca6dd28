"""Devices and threads: where a network is trained and run.

Small networks train on one thread, and torch's setting is as before afterwards. A step of a
small network takes a fraction of a millisecond: threads that wake up for it cost more than
they do, and where several fits share the cores they wait for each other.
"""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch

# Multiply-adds in one forward pass of a batch from which a second thread pays. Below, two
# threads gain little where cores are free, and lose tenfold where another process uses them.
_WORTH_A_SECOND_THREAD = 200_000_000

# Held while a setting is changed, so that no other fit reads one that is on its way back.
_LOCK = threading.Lock()


def resolve_device(device: str | torch.device) -> torch.device:
    """Return the torch device, after having put a tensor on it; "auto" takes a GPU if any."""
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
        if device == "cpu" and torch.backends.mps.is_available():
            device = "mps"
    try:
        torch.empty(1, device=device).cpu()  # fails for "meta", which holds no values
        return torch.device(device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        usable = ["cpu"] + [f"cuda:{i}" for i in range(torch.cuda.device_count())]
        said = str(error).splitlines()[0][:300]
        raise ValueError(
            f"device={device!r} can't be used here: {said} Usable devices: {', '.join(usable)}."
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

    Only this Python thread's setting is changed, whatever other threads do meanwhile.

    Parameters
    ----------
    multiply_adds : int
        Of one forward pass of a batch.
    """
    with _LOCK:
        before = torch.get_num_threads()
    if multiply_adds >= _WORTH_A_SECOND_THREAD or before == 1:
        yield
        return
    try:
        _set_in_this_thread(1)
        yield
    finally:
        _set_in_this_thread(before)


def _set_in_this_thread(number: int) -> None:
    """Set how many threads torch uses where this Python thread calls it.

    Each Python thread has a setting of its own, but a new one starts with what was set last in any.
    So a thread that ends at once sets again what new ones started with before.
    """
    with _LOCK:
        of_new_threads = _in_a_new_thread(torch.get_num_threads)
        try:
            torch.set_num_threads(number)
        finally:
            _in_a_new_thread(lambda: torch.set_num_threads(of_new_threads))


def _in_a_new_thread(function: Callable[[], Any]) -> Any:
    """Return what a function returns in a thread that has used nothing of torch."""
    results: list[Any] = []
    thread = threading.Thread(target=lambda: results.append(function()))
    thread.start()
    thread.join()
    return results[0]
