"""Progress: one bar over a whole piece of work, in a terminal or a notebook."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import Any

# Figures of an epoch that the bar shows.
_SHOWN = "label_loss", "domain_loss", "domain_accuracy", "valid_accuracy"

# A step without target rows takes this share of the time of one with them.
_WITHOUT_TARGET = 1 / 3


def work_of_steps(n_steps: int, with_target: bool) -> float:
    """Return the work of a network's gradient steps."""
    return n_steps if with_target else _WITHOUT_TARGET * n_steps


class Progress:
    """How much of some work is done, as a bar.

    Work is counted in gradient steps of a network, see `work_of_steps`. How much there is may
    become known while it is being done: then the bar gets longer or shorter.

    Parameters
    ----------
    shown : bool, default=False
        Whether there is a bar to see.
    title : str, default=""
        What stands in front of it.
    """

    def __init__(self, shown: bool = False, title: str = "") -> None:
        self.total = self.done = 0.0
        self._title = title
        self._bar: Any = None
        if shown:
            from tqdm.auto import tqdm

            self._bar = tqdm(
                total=1,
                desc=title,
                bar_format="{desc}: {percentage:3.0f}%|{bar}| {elapsed}<{remaining}{postfix}",
            )

    def __enter__(self) -> Progress:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the bar; after an error where it stands."""
        if self._bar is not None:
            if error is None:
                self.total = max(self.done, 1.0)
                self._draw()
            self._bar.close()
            self._bar = None  # a bar holds a stream, which a pickle could not keep

    def expect(self, work: float) -> None:
        """Add work that is to come; a negative number takes some away."""
        self.total += work
        self._draw()

    def begin(self, what: str) -> None:
        """Say what is being done."""
        if self._bar is not None:
            self._bar.set_description_str(f"{self._title}, {what}", refresh=False)
            self._bar.set_postfix(refresh=True)

    def advance(self, work: float, figures: Mapping[str, Any] | None = None) -> None:
        """Move on, with the figures of the epoch that was done."""
        self.done += work
        if figures is not None and self._bar is not None:
            shown = {name: f"{figures[name]:.3f}" for name in _SHOWN if name in figures}
            self._bar.set_postfix(shown, refresh=False)
        self._draw()

    def advance_to(self, done: float) -> None:
        """Move on to where a part of the work ends: training may stop early."""
        self.advance(done - self.done)

    def _draw(self) -> None:
        if self._bar is not None:
            # Never beyond the end.
            self._bar.total = max(self.total, self.done, 1.0)
            self._bar.update(self.done - self._bar.n)
