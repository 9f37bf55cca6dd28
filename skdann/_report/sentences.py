"""Verdicts: the figures of an adaptation report to sentences."""

import numpy as np

# Deviations of sampling noise. Folds share their training rows, so that 2.3 deviations, the 1 %
# level of independent rows, are passed by chance in 1 to 4 %.
DEVIATIONS = 3.0

_VAGUE_LIMIT = 0.65  # A chance limit above says little.

_SEPARATE, _FEW_EFFECTIVE = 0.95, 0.1  # Domains that overlap in a tenth at most.

_SMALL_DISTANCE = 0.05  # Shares this close cost at most five points of accuracy.


def chance_deviation(n_source, n_target):
    """Return the deviation of a guess's accuracy, domains weighted alike."""
    return 0.25 * np.sqrt(1 / n_source + 1 / n_target)


def verdicts_of(report, lambda_max, width):
    """Return the sentences by their keys; `width` is that of the embedding."""
    shares = _on_shares(report)
    found = _on_rows(report, width)
    above = max(_above_chance(report, name) for name in ("inputs", "source_only"))
    if not shares and above <= 0:
        return {"no_shift": "The domains were already alike: nothing to gain."} | found
    if not shares and _hidden_already(report):
        return {"hidden_already": (
            "The inputs differ, but what the source-only network makes of them does not: hardly "
            "anything to gain."
        )} | found  # fmt: skip
    effect = {"not_adapted": "lambda_max is 0: nothing was done against the shift."}
    if lambda_max > 0:
        effect = {} if "class_shares" in shares else _on_effect(report)
    return shares | effect | found


def _on_shares(report):
    """Return what the class shares say, or nothing where they don't differ."""
    if report.share_distance <= max(report.share_limit, _SMALL_DISTANCE):
        return {}
    source, target = map(_in_words, (report.source_shares, report.target_shares))
    left = report.domain_accuracy["reweighted"] - 0.5
    mostly_gone = left <= (report.domain_accuracy["inputs"] - 0.5) / 4
    telling = report.chance_limit["reweighted"] <= _VAGUE_LIMIT
    if mostly_gone or (telling and _above_chance(report, "reweighted") <= 0):
        return {"class_shares": (
            f"Class shares differ (source {source}, target about {target}), and that explains the "
            "shift: adaptation that hides the domain must hide the label too. Use "
            "label_shift='estimate', or lambda_max=0."
        )}  # fmt: skip
    return {"class_shares_open": (
        f"Class shares may differ (source {source}, target perhaps {target}), but that does not "
        "explain the shift: inputs have moved, which can mislead the estimate. If you know that "
        "shares differ, adaptation can do harm."
    )}  # fmt: skip


def _on_effect(report):
    """Return what adaptation did."""
    before, after = (report.own_domain_accuracy[name] for name in ("source_only", "adapted"))
    found = {}
    if after > report.chance_limit["adapted"] and after - 0.5 > (before - 0.5) / 2:
        found["adversary_won"] = (
            f"The domains are still told apart (accuracy {before:.2f} before, {after:.2f} after): "
            "raise lambda_max or shorten domain_classifier."
        )
    source, back = (
        _before_after(one) for one in (report.source_accuracy, report.reverse_validation)
    )
    if report.chance_limit["adapted"] > _VAGUE_LIMIT:
        return {}  # few_target_rows says so
    if report.source_fall > DEVIATIONS or _fall_back(report) > DEVIATIONS:
        return found | {"conditional": (
            f"Adaptation costs source accuracy ({source}) or reverse validation ({back}): what "
            "tells the classes apart seems to differ between the domains, and hiding the domain "
            "can't help there."
        )}  # fmt: skip
    return found or {"adapted": (
        "The inputs have moved and the embedding hides it from the domain classifier (accuracy "
        f"{before:.2f} before, {after:.2f} after); predictions changed on "
        f"{1 - report.agreement:.0%} of the target rows."
    )}  # fmt: skip


def _on_rows(report, width):
    """Return what the numbers of rows, and their overlap, say."""
    n, found = report.n_rows, {}
    trained = {name: n[name] - n[f"{name}_held_out"] for name in ("source", "target")}
    held_out = n["source_held_out"], n["target_held_out"]
    gap = report.own_domain_accuracy["trained"] - report.own_domain_accuracy["adapted"]
    by_heart = gap > DEVIATIONS * np.hypot(
        chance_deviation(*trained.values()), chance_deviation(*held_out)
    )
    vague = report.chance_limit["adapted"] > _VAGUE_LIMIT
    if by_heart or vague or trained["target"] <= width + 1:
        found["few_target_rows"] = (
            f"{n['target']} target rows are few: the domain classifier may learn them by heart, "
            f"and accuracies of it up to {report.chance_limit['adapted']:.2f} can be chance."
        )
    accuracy, share = report.domain_accuracy["inputs"], report.effective_share
    if accuracy >= _SEPARATE or share < _FEW_EFFECTIVE:
        found["little_overlap"] = (
            f"Few source rows look like target rows (told apart with accuracy {accuracy:.2f}, "
            f"effective share {share:.2f}): scores that weigh source rows can't be trusted."
        )
    return found


def _hidden_already(report):
    """Tell whether the source-only network shows a half at most of the inputs' shift, if any."""
    limit = report.chance_limit["source_only"]
    shown = max(report.domain_accuracy["source_only"], report.own_domain_accuracy["source_only"])
    half = (report.domain_accuracy["inputs"] - 0.5) / 2
    return shown <= limit <= _VAGUE_LIMIT and shown - 0.5 <= half


def _above_chance(report, name):
    return report.domain_accuracy[name] - report.chance_limit[name]


def _fall_back(report):
    """Return the fall of reverse validation, in deviations of two independent samples."""
    before, after = (report.reverse_validation[name] for name in ("source_only", "adapted"))
    variance = before * (1 - before) + after * (1 - after)
    return (before - after) / np.sqrt(max(variance, 1e-12) / report.n_rows["source_held_out"])


def _before_after(scores):
    return f"{scores['source_only']:.2f} to {scores['adapted']:.2f}"


def _in_words(shares):
    return "/".join(f"{share:.2f}".lstrip("0") for share in shares)
