"""Schedules: the progress p of training, from 0 to 1, to a factor of lambda or learning rate.

Each is a pure, picklable function of p alone. A schedule knows nothing of steps or epochs;
p is the share of all gradient steps that have been done.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

Schedule = Callable[[float], float]


@dataclass(frozen=True)
class Constant:
    """Factor 1 throughout."""

    def __call__(self, progress: float) -> float:
        """Return 1."""
        return 1.0


@dataclass(frozen=True)
class Ramp:
    """The paper's lambda, ``2 / (1 + exp(-gamma p)) - 1``: from 0 towards 1.

    The domain classifier knows nothing at first, and its reversed gradient would only be
    noise to the features; gamma says how soon it is listened to (JMLR 2016, section 5.2.2).
    """

    gamma: float = 10.0

    def __call__(self, progress: float) -> float:
        """Return the factor at `progress`."""
        # The same function as in the docstring, without an overflow for large gamma.
        return math.tanh(self.gamma * progress / 2.0)


@dataclass(frozen=True)
class Annealed:
    """The paper's learning rate, ``1 / (1 + alpha p) ** beta`` (JMLR 2016, section 5.2.2)."""

    alpha: float = 10.0
    beta: float = 0.75

    def __call__(self, progress: float) -> float:
        """Return the factor at `progress`."""
        return 1.0 / (1.0 + self.alpha * progress) ** self.beta


def lambda_schedule(schedule: str | Schedule, gamma: float) -> Schedule:
    """Return the function of p behind the parameters `lambda_schedule` and `gamma`.

    Examples
    --------
    >>> from skdann._schedules import lambda_schedule
    >>> ramp = lambda_schedule("ramp", gamma=10.0)
    >>> [round(ramp(p), 3) for p in (0.0, 0.1, 1.0)]
    [0.0, 0.462, 1.0]
    """
    named: dict[str, Schedule] = {"ramp": Ramp(gamma), "constant": Constant()}
    return _resolved("lambda_schedule", schedule, named)


def lr_schedule(schedule: str | Schedule) -> Schedule:
    """Return the function of p behind the parameter `lr_schedule`."""
    return _resolved("lr_schedule", schedule, {"constant": Constant(), "annealed": Annealed()})


def _resolved(parameter: str, schedule: str | Schedule, named: dict[str, Schedule]) -> Schedule:
    if isinstance(schedule, str):
        return named[schedule]
    _check_values(parameter, schedule)
    return schedule


def _check_values(parameter: str, schedule: Schedule) -> None:
    """Try a user's schedule before training: a mistake should not wait for the last epoch."""
    for progress in (0.0, 0.5, 1.0):
        value = schedule(progress)
        try:
            usable = math.isfinite(value) and value >= 0
        except TypeError:
            usable = False
        if not usable:
            raise ValueError(
                f"{parameter} must be a function of the progress p in [0, 1] that returns a "
                f"finite number >= 0, but at p={progress} it returned {value!r}."
            )
