"""Workers: independent tasks through joblib, in this process or many, on this machine or others."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol

import joblib
import sklearn
from joblib import effective_n_jobs
from joblib.parallel import get_active_backend
from sklearn.utils import parallel as of_sklearn

from skdann._training.checkpoints import Checkpoints
from skdann._training.progress import Progress


class Task(Protocol):
    """Something to do."""

    @property
    def work(self) -> float:
        """How much it is; see `Progress`."""

    def __call__(self, progress: Progress | None = None) -> Any:
        """Do it here, and return the result."""

    def elsewhere(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        """Return a function and arguments that do it in another process."""


class Workers:
    """Where the tasks of a fit are done.

    What a task returns must hang on its arguments alone: then the results are the same for every
    number of workers.

    Parameters
    ----------
    n_jobs : int, default=None
        As everywhere in scikit-learn: None is 1, or what `joblib.parallel_config` says.
    progress : Progress, default=None
        Moves on as tasks are done.
    saved : Checkpoints, default=None
        Where tasks leave what they have done, each in a part of its own.
    """

    def __init__(
        self,
        n_jobs: int | None = None,
        progress: Progress | None = None,
        saved: Checkpoints | None = None,
    ) -> None:
        if n_jobs == 0:
            raise ValueError(
                "n_jobs must not be 0. Give the number of processes, such as n_jobs=2, -1 for all "
                "processors, or None."
            )
        self._n_jobs = n_jobs
        self.progress = Progress() if progress is None else progress
        self.saved = Checkpoints() if saved is None else saved

    def results(self, tasks: Sequence[Task]) -> list[Any]:
        """Return what each task returns, in order.

        Large arrays among the arguments, also inside of others, reach worker processes of this
        machine as memory maps.
        """
        if len(tasks) == 1 or effective_n_jobs(self._n_jobs) == 1:
            return [task(self.progress) for task in tasks]
        results = []
        for task, result in zip(tasks, self._parallel(tasks), strict=True):
            results.append(result)
            self.progress.advance(task.work)
        return results

    def _parallel(self, tasks: Iterable[Task]) -> Iterable[Any]:
        parallel, delayed = of_sklearn.Parallel, of_sklearn.delayed
        if getattr(get_active_backend()[0], "supports_sharedmem", False):
            # In threads scikit-learn's would set the filters of warnings anew in each, which all
            # threads share, and where two overlap those of one would stay.
            parallel, delayed = joblib.Parallel, _delayed_with_settings
        calls = []
        for task in tasks:
            function, arguments = task.elsewhere()
            calls.append(delayed(function)(*arguments))
        # joblib 1.3 takes None for 1, whatever the context says.
        n_jobs = effective_n_jobs(None) if self._n_jobs is None else self._n_jobs
        try:
            ready = parallel(n_jobs=n_jobs, return_as="generator")
        except ValueError:  # a backend that returns all results at once
            ready = parallel(n_jobs=n_jobs)
        return ready(calls)


def _delayed_with_settings(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return `joblib.delayed` of a function, to be called with scikit-learn's settings of here."""
    settings = sklearn.get_config()

    def with_settings(*arguments: Any) -> Any:
        with sklearn.config_context(**settings):
            return function(*arguments)

    return joblib.delayed(with_settings)
