"""Domain-adversarial neural networks with the scikit-learn interface."""

import importlib
from typing import TYPE_CHECKING

from skdann.exceptions import (
    CheckpointWarning,
    DomainWarning,
    IgnoredRowsWarning,
    OneClassWarning,
    PrecisionWarning,
    SourceOnlyWarning,
    TargetCutWarning,
    TargetScaleWarning,
)

if TYPE_CHECKING:  # for editors and type checkers, which don't run __getattr__
    from skdann import datasets as datasets
    from skdann import displays as displays
    from skdann import estimator_checks as estimator_checks
    from skdann import exceptions as exceptions
    from skdann import labelling as labelling
    from skdann import metrics as metrics
    from skdann import model_selection as model_selection
    from skdann import networks as networks
    from skdann import pipeline as pipeline
    from skdann import schedules as schedules
    from skdann import serving as serving
    from skdann import sources as sources
    from skdann._classifier import DANNClassifier
    from skdann._classifier_cv import DANNClassifierCV
    from skdann._report.report import AdaptationReport, adaptation_report
    from skdann._target_bound.estimator import TargetBound

__version__ = "0.1.0.dev0"

__all__ = [
    "AdaptationReport",
    "CheckpointWarning",
    "DANNClassifier",
    "DANNClassifierCV",
    "DomainWarning",
    "IgnoredRowsWarning",
    "OneClassWarning",
    "PrecisionWarning",
    "SourceOnlyWarning",
    "TargetBound",
    "TargetCutWarning",
    "TargetScaleWarning",
    "adaptation_report",
]

# These names need torch, which takes seconds to import. They are imported when they are first used,
# so that `skdann.metrics` and the other modules without torch load without it.
_MODULE_OF = {
    "AdaptationReport": "skdann._report.report",
    "DANNClassifier": "skdann._classifier",
    "DANNClassifierCV": "skdann._classifier_cv",
    "TargetBound": "skdann._target_bound.estimator",
    "adaptation_report": "skdann._report.report",
}

_SUBMODULES = (
    "datasets",
    "displays",
    "estimator_checks",
    "exceptions",
    "labelling",
    "metrics",
    "model_selection",
    "networks",
    "pipeline",
    "schedules",
    "serving",
    "sources",
)


if not TYPE_CHECKING:  # with it, type checkers would take any name for one of the package

    def __getattr__(name):
        """Import a public name or submodule on its first use (PEP 562)."""
        if name in _MODULE_OF:
            value = getattr(importlib.import_module(_MODULE_OF[name]), name)
            globals()[name] = value  # the next use finds it without coming here
            return value
        if name in _SUBMODULES:
            return importlib.import_module(f"skdann.{name}")
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """List the public names, imported yet or not."""
    return sorted({*globals(), *__all__, *_SUBMODULES})
