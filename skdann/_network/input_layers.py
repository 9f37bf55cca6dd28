"""Input layers of many networks: each computed once, however many networks need it."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from dataclasses import replace

from skdann._data.denoising import DenoisedRows, fit_denoising
from skdann._data.record import TrainingData
from skdann._data.tensors import Rows
from skdann._network.denoising import InputDenoising
from skdann._network.scaling import InputScaling, fit_scaling


class InputLayers:
    """What stands in front of networks, for the records that they are trained on."""

    def __init__(self) -> None:
        # What a layer was computed from is kept with it, so that nothing else can get its id.
        self._scalings: dict[tuple[int, str], tuple[TrainingData, InputScaling | None]] = {}
        self._denoisings: dict[tuple[int, ...], tuple[TrainingData, InputDenoising]] = {}
        self._rows: dict[tuple[int, int], tuple[Rows, DenoisedRows]] = {}

    def known(
        self, data: TrainingData, kinds: Iterable[str | InputScaling | None]
    ) -> tuple[dict[str, InputScaling | None], InputDenoising | None]:
        """Return the layers of these kinds for a record, to be sent elsewhere; see `knowing`."""
        named = {how for how in kinds if isinstance(how, str)}
        denoising = self.denoising(data) if "denoised" in named else None
        return {how: self.scaling(data, how) for how in sorted(named)}, denoising

    @classmethod
    def knowing(
        cls,
        data: TrainingData,
        scalings: dict[str, InputScaling | None],
        denoising: InputDenoising | None,
    ) -> InputLayers:
        """Return layers that were computed elsewhere for a record."""
        layers = cls()
        for how, scaling in scalings.items():
            layers._scalings[id(data), how] = data, scaling
        if denoising is not None:
            layers._denoisings[_arrays(data)] = data, denoising
        return layers

    def scaling(self, data: TrainingData, how: str | InputScaling | None) -> InputScaling | None:
        """Return a network's own scaling, fitted to the record or a copy of the one given.

        Rebuilt rows are not scaled.
        """
        if how is None or how == "denoised":
            return None
        if isinstance(how, InputScaling):
            return copy.deepcopy(how)
        key = id(data), how
        if key not in self._scalings:
            self._scalings[key] = data, fit_scaling(data, how)
        return copy.deepcopy(self._scalings[key][1])

    def denoising(self, data: TrainingData) -> InputDenoising:
        """Return the denoising of the record's arrays, the same for all records that share them."""
        key = _arrays(data)
        if key not in self._denoisings:
            self._denoisings[key] = data, InputDenoising(fit_denoising(data))
        return self._denoisings[key][1]

    def rebuilt(self, data: TrainingData, denoising: InputDenoising) -> TrainingData:
        """Return the record with rebuilt rows, shared by all records with its arrays."""

        def rows(X: Rows) -> DenoisedRows:
            key = id(X), id(denoising)
            if key not in self._rows:
                self._rows[key] = X, DenoisedRows(X, denoising.numbers())
            return self._rows[key][1]

        X_target = None if data.X_target is None else rows(data.X_target)
        return replace(data, X_source=rows(data.X_source), X_target=X_target)


def _arrays(data: TrainingData) -> tuple[int, ...]:
    """Return a key for the arrays of a record, also for one of the way back."""
    return tuple(sorted(map(id, (data.X_source, data.X_target))))
