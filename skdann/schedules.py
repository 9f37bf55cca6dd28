"""Schedules: the progress p of training, from 0 to 1, to a factor of lambda or learning rate.

``lambda_schedule=Ramp(gamma=5.0)`` and ``lr_schedule=Annealed(beta=0.5)`` of
:class:`skdann.DANNClassifier` take them, or any function of p. p is the share of all gradient
steps that have been done.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

Schedule = Callable[[float], float]

__all__ = ["Annealed", "Constant", "Ramp"]


# With it, and lr or lambda at most 1e15, a product of two of these fits float32.
_LARGEST_FACTOR = 1e6


@dataclass(frozen=True)
class Constant:
    """Factor 1 throughout.

    See Also
    --------
    Ramp : A rising factor, for lambda.
    Annealed : A falling factor, for the learning rate.

    Examples
    --------
    >>> from skdann.schedules import Constant
    >>> Constant()(0.0), Constant()(1.0)
    (1.0, 1.0)
    """

    def __call__(self, progress: float) -> float:
        """Return 1."""
        return 1.0


@dataclass(frozen=True)
class Ramp:
    """The paper's factor of lambda, ``2 / (1 + exp(-gamma p)) - 1``: from 0 towards 1.

    The domain classifier knows nothing at first, so its reversed gradient would only be noise.

    Parameters
    ----------
    gamma : float > 0, default=10.0
        Steepness: with 10, the factor is 0.46 at a tenth of the training and 0.99 at half of it.

    See Also
    --------
    Constant : No schedule.
    Annealed : A falling factor, for the learning rate.

    References
    ----------
    Ganin, Y. et al. (2016). Domain-adversarial training of neural networks.
    Journal of Machine Learning Research 17(59), 1-35, section 5.2.2.

    Examples
    --------
    >>> from skdann.schedules import Ramp
    >>> [round(Ramp(gamma=10.0)(p), 3) for p in (0.0, 0.1, 1.0)]
    [0.0, 0.462, 1.0]
    """

    gamma: float = 10.0

    def __call__(self, progress: float) -> float:
        """Return the factor at `progress`."""
        # The same function as in the docstring, without an overflow for large gamma.
        return math.tanh(self.gamma * progress / 2.0)


@dataclass(frozen=True)
class Annealed:
    """The paper's factor of the learning rate, ``1 / (1 + alpha p) ** beta``.

    Parameters
    ----------
    alpha : float >= 0, default=10.0
        How soon the factor falls.
    beta : float, default=0.75
        How far it falls: at the end of the training it is ``(1 + alpha) ** -beta``, which is 0.166
        with both defaults.

    See Also
    --------
    Constant : No schedule.
    Ramp : A rising factor, for lambda.

    References
    ----------
    Ganin, Y. et al. (2016), as for `Ramp`, section 5.2.2.

    Examples
    --------
    >>> from skdann.schedules import Annealed
    >>> [round(Annealed()(p), 3) for p in (0.0, 0.5, 1.0)]
    [1.0, 0.261, 0.166]
    """

    alpha: float = 10.0
    beta: float = 0.75

    def __call__(self, progress: float) -> float:
        """Return the factor at `progress`."""
        return 1.0 / (1.0 + self.alpha * progress) ** self.beta


def lambda_schedule(schedule: str | Schedule) -> Schedule:
    """Return the function of p behind the parameter `lambda_schedule`."""
    return _resolved("lambda_schedule", schedule, {"ramp": Ramp(), "constant": Constant()})


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
        try:
            value = schedule(progress)
        except TypeError as error:
            raise ValueError(
                f"{parameter} must be a function of the progress p in [0, 1], but called with "
                f"{progress} it failed: {error}"
            ) from error
        try:
            usable = getattr(value, "ndim", 0) == 0 and 0 <= value <= _LARGEST_FACTOR
        except (TypeError, ValueError, OverflowError):
            usable = False
        if not usable:
            raise ValueError(
                f"{parameter} must be a function of the progress p in [0, 1] that returns a "
                f"number <= {_LARGEST_FACTOR:,.0f} and >= 0, but at p={progress} it returned "
                f"{value!r}."
            )
