"""Continuing: with which settings a trained net can go on, and which are refused."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from skdann._network.scaling import SCALINGS
from skdann._training.settings import Settings, is_auto


def check_continues(settings: Settings, earlier: Sequence[Settings], by: str) -> None:
    """Raise if new networks would be needed, naming the parameter; `by` is the method or option."""
    if len(earlier) > 1:
        raise ValueError(
            f"{by} can't go on with an ensemble of different candidates. Fit a DANNClassifier with "
            "the parameters of one of them, such as best_params_."
        )
    for name in settings.differs_in_network(earlier[0]):
        raise ValueError(
            f"{name} is {getattr(settings, name)!r}, but {by} goes on with networks that were made "
            f"with {getattr(earlier[0], name)!r}. Set it back, or call clone(estimator).fit to "
            "start anew."
        )


def continued(settings: Settings, earlier: Sequence[Settings], *, chosen: bool) -> Settings:
    """Return the settings for a warm start: what was chosen before stays chosen.

    Parameters
    ----------
    settings : Settings
    earlier : sequence of Settings
        Those that the networks at hand were trained with.
    chosen : bool
        Whether the earlier fit has made a choice.
    """
    before = earlier[0]
    if settings.leaves_a_choice and not chosen:
        if before.input_scaling == "denoised":  # another layer in front would need new networks
            return replace(settings, input_scaling=before.input_scaling)
        return settings
    if settings.leaves_a_choice:
        settings = replace(
            settings, lambda_max=before.lambda_max, target_information=before.target_information
        )
    settings = _with_scaling_of(settings, before)
    if (settings.input_scaling == "denoised") != (before.input_scaling == "denoised"):
        raise ValueError(
            f"input_scaling is {settings.input_scaling!r}, but warm_start goes on with networks "
            f"for {before.input_scaling!r}: rebuilt rows have other columns. Set it back, or call "
            "clone(estimator).fit to start anew."
        )
    return settings


def check_streams(settings: Settings) -> None:
    """Raise for settings that need all rows at once, which `partial_fit` never sees."""
    for name in ("lambda_max", "input_scaling"):
        if isinstance(getattr(settings, name), tuple):
            raise ValueError(
                f"{name}={getattr(settings, name)!r} gives candidates, but partial_fit can't "
                f"choose among them. Give a single {name}."
            )
    if settings.label_shift == "estimate":
        raise ValueError(
            "label_shift='estimate' needs all rows at once, which partial_fit never sees. Give "
            "the target's class shares, such as label_shift={'no': 0.8, 'yes': 0.2}, or None."
        )


def streamed(settings: Settings, earlier: Sequence[Settings]) -> Settings:
    """Return the settings for another chunk, or raise where training can't go on with them."""
    before = earlier[0]
    if settings.leaves_a_choice:
        settings = replace(settings, lambda_max=before.lambda_max)
    settings = _with_scaling_of(settings, before)
    # Statistics of columns come from the first chunk; an optimizer keeps a state for each weight.
    for name in ("input_scaling", "optimizer"):
        if getattr(settings, name) != getattr(before, name):
            raise ValueError(
                f"{name} is {getattr(settings, name)!r}, but partial_fit goes on with "
                f"{getattr(before, name)!r}. Set it back, or call clone(estimator).partial_fit to "
                "start anew."
            )
    batch_size = before.batch_size if is_auto(settings.batch_size) else settings.batch_size
    return replace(settings, batch_size=batch_size, max_epochs=before.max_epochs)


def _with_scaling_of(settings: Settings, before: Settings) -> Settings:
    """Return the settings with the earlier scaling, unless they name one."""
    named = settings.input_scaling is None or settings.input_scaling in SCALINGS
    return settings if named else replace(settings, input_scaling=before.input_scaling)
