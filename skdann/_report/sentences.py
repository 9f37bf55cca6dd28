"""The findings of a report: which of its figures matter, in sentences."""

import numpy as np

from skdann._choosing.remarks import one_class_sentence, only_class

# A difference counts from this many standard deviations of its sampling noise. The folds share
# training rows, which widens the noise: differences of 2.3 deviations, the 1 % level of independent
# rows, occur by chance in 1 to 4 % of reports.
DEVIATIONS = 3.0

# If an accuracy this high can be chance, little can be said.
_VAGUE_LIMIT = 0.65

# Domains that overlap in a tenth of their rows at most.
_SEPARATE, _FEW_EFFECTIVE = 0.95, 0.1

# Shares this close cost at most five points of accuracy.
_SMALL_DISTANCE = 0.05


def chance_deviation(n_source, n_target):
    """Return the standard deviation of a guess's accuracy, both domains weighted equally."""
    return 0.25 * np.sqrt(1 / n_source + 1 / n_target)


def findings_of(report, width, *, weighted=False):
    """Return the findings of a report: dict of sentences by key.

    Parameters
    ----------
    report : AdaptationReport
        Its `findings` are not read.
    width : int
        Columns of the embedding of one network.
    weighted : bool
        Whether source rows are weighed by class shares of the target (`label_shift`).
    """
    return _on_domains(report, width, weighted) | _on_one_class(report)


def _on_domains(report, width, weighted):
    shares = _on_shares(report, weighted)
    rows = _on_unknown_shares(report) | _on_rows(report, width)
    shown = max(_above_chance(report, name) for name in ("inputs", "source_only"))
    if not shares and shown <= 0:
        return {
            "no_shift": "The domains do not differ measurably: there is nothing to adapt to."
        } | rows
    if not shares and _hidden_already(report):
        return {
            "hidden_already": (
                "The inputs differ between the domains, but the embedding of the source-only "
                "network hardly does: adaptation has little to gain."
            )
        } | rows
    if not report.adapts:
        effect = {"not_adapted": _what_would_change(report)}
    elif "class_shares" in shares:
        effect = {}
    else:
        effect = _on_effect(report)
    return shares | effect | rows


def _what_would_change(report):
    """Return what the adapted network does, where the classifier does not adapt."""
    return (
        f"The classifier does not adapt. {report.settings['adapted']} would change the predictions "
        f"for {1 - report.agreement:.0%} of the target rows. Accuracy on source rows is "
        f"{_before_after(report.source_accuracy)}; reverse validation is "
        f"{_before_after(report.reverse_validation)}."
    )


def _on_one_class(report):
    """Return the finding on predictions that are one class for nearly all target rows."""
    code = _only_class(report, report.predicted_shares)
    if code is None:
        return {}
    label = report.classes.tolist()[code]
    return {"one_class": one_class_sentence(label, report.source_shares[code])}


def _only_class(report, shares):
    """Return the class that nearly all target rows have by these shares, or None."""
    counts = np.round(shares * report.n_rows["target"]).astype(int)
    return only_class(np.repeat(np.arange(len(counts)), counts), report.source_shares)


def _on_shares(report, weighted):
    """Return the finding on class shares, none if they do not differ or are unknown."""
    same = report.share_distance <= max(report.share_limit, _SMALL_DISTANCE)
    if same or _only_class(report, report.target_shares) is not None:
        return {}
    source, target = _in_words(report.source_shares), _in_words(report.target_shares)
    # What predicts the domain once the source rows have the shares of the target.
    left = report.domain_accuracy["reweighted"] - 0.5
    mostly_gone = left <= (report.domain_accuracy["inputs"] - 0.5) / 4
    clear = report.chance_limit["reweighted"] <= _VAGUE_LIMIT
    if mostly_gone or (clear and _above_chance(report, "reweighted") <= 0):
        cure = "Use label_shift='estimate', or lambda_max=0."
        if weighted:
            cure = "The weights of label_shift make up for it."
        return {
            "class_shares": (
                f"The class shares differ (source {source}, target about {target}), and this "
                "explains how the domains differ. Features that hide the domain would have to "
                f"hide the label too. {cure}"
            )
        }
    return {
        "class_shares_open": (
            f"The class shares may differ (source {source}, target perhaps {target}), but this "
            "does not explain how the domains differ: the inputs have changed as well, and that "
            "can mislead the estimate. If you know that the shares differ, adaptation can do harm."
        )
    }


def _on_unknown_shares(report):
    """Return the finding on an estimate that is only the source-only network's own collapse."""
    code = _only_class(report, report.target_shares)
    if code is None:
        return {}
    return {
        "class_shares_unknown": (
            "The class shares of the target can't be estimated: the source-only network takes "
            f"nearly all target rows for {report.classes.tolist()[code]!r}, and probably knows "
            "nothing of such rows."
        )
    }


def _on_effect(report):
    """Return the findings on what adaptation changed."""
    if report.chance_limit["adapted"] > _VAGUE_LIMIT:
        return {}  # the finding "few_target_rows" says so
    found = {}
    before, after = (report.own_domain_accuracy[name] for name in ("source_only", "adapted"))
    if after > report.chance_limit["adapted"] and after - 0.5 > (before - 0.5) / 2:
        found["adversary_won"] = (
            "The network's domain classifier still recognises the domains (accuracy "
            f"{before:.2f} without adaptation, {after:.2f} with it). Raise lambda_max, or use a "
            "smaller domain classifier, such as domain_classifier=(25,)."
        )
    if report.source_fall > DEVIATIONS or _fall_of_reverse_validation(report) > DEVIATIONS:
        source = _before_after(report.source_accuracy)
        back = _before_after(report.reverse_validation)
        found["conditional"] = (
            f"With adaptation, accuracy on source rows ({source}) or reverse validation ({back}) "
            "falls. What distinguishes the classes seems to differ between the domains, and hiding "
            "the domain cannot correct that."
        )
    if found:
        return found
    return {
        "adapted": (
            "The inputs differ between the domains, and the embedding hides it from the network's "
            f"domain classifier (accuracy {before:.2f} without adaptation, {after:.2f} with it). "
            f"Predictions changed for {1 - report.agreement:.0%} of the target rows."
        )
    }


def _on_rows(report, width):
    """Return the findings on the numbers of rows and the overlap of the domains."""
    found = {}
    if _few_target_rows(report, width):
        found["few_target_rows"] = (
            f"{report.n_rows['target']} target rows are few: the domain classifier may memorise "
            f"them, and its accuracy can reach {report.chance_limit['adapted']:.2f} by chance."
        )
    accuracy, share = report.domain_accuracy["inputs"], report.effective_share
    if accuracy >= _SEPARATE or share < _FEW_EFFECTIVE:
        found["little_overlap"] = (
            f"Few source rows resemble target rows (the domain is predicted with accuracy "
            f"{accuracy:.2f}, the effective share of the source rows is {share:.2f}): scores that "
            "weigh source rows are unreliable."
        )
    return found


def _few_target_rows(report, width):
    """Tell whether the target rows are so few that they can be memorised or prove little."""
    n = report.n_rows
    n_source = n["source"] - n["source_held_out"]
    n_target = n["target"] - n["target_held_out"]
    deviation = np.hypot(
        chance_deviation(n_source, n_target),
        chance_deviation(n["source_held_out"], n["target_held_out"]),
    )
    gap = report.own_domain_accuracy["trained"] - report.own_domain_accuracy["adapted"]
    # A linear classifier can separate as many points as it has weights: one for each column of the
    # embedding, and the bias.
    separable = n_target <= width + 1
    return (
        gap > DEVIATIONS * deviation or separable or report.chance_limit["adapted"] > _VAGUE_LIMIT
    )


def _hidden_already(report):
    """Tell whether source-only embeddings show no shift, and at most half as much as the inputs."""
    limit = report.chance_limit["source_only"]
    shown = max(report.domain_accuracy["source_only"], report.own_domain_accuracy["source_only"])
    half = (report.domain_accuracy["inputs"] - 0.5) / 2
    return shown <= limit <= _VAGUE_LIMIT and shown - 0.5 <= half


def _above_chance(report, name):
    return report.domain_accuracy[name] - report.chance_limit[name]


def _fall_of_reverse_validation(report):
    """Return how much reverse validation falls, in deviations of two independent samples."""
    before, after = (report.reverse_validation[name] for name in ("source_only", "adapted"))
    variance = before * (1 - before) + after * (1 - after)
    return (before - after) / np.sqrt(max(variance, 1e-12) / report.n_rows["source_held_out"])


def _before_after(scores):
    return f"{scores['source_only']:.2f} without, {scores['adapted']:.2f} with it"


def _in_words(shares):
    return "/".join(f"{share:.2f}".lstrip("0") for share in shares)
