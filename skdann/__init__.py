"""Domain-adversarial classification for people who live in scikit-learn."""

from skdann._classifier import DANNClassifier
from skdann._classifier_cv import DANNClassifierCV
from skdann._report.report import AdaptationReport, adaptation_report
from skdann.exceptions import DomainWarning, SourceOnlyWarning, TargetScaleWarning

__version__ = "0.1.0.dev0"

__all__ = [
    "AdaptationReport",
    "DANNClassifier",
    "DANNClassifierCV",
    "DomainWarning",
    "SourceOnlyWarning",
    "TargetScaleWarning",
    "adaptation_report",
]
