"""The figures of a report as tables, for print and for a notebook."""

import textwrap
from typing import NamedTuple

from skdann._notebook.html_tables import html_block, html_table

_WIDTH = 79


class Table(NamedTuple):
    """A table of text.

    Attributes
    ----------
    header : list of str
    rows : list of lists of str
        The first is the title of a row. There may be fewer cells than in the header.
    """

    header: list
    rows: list


def tables_of(report):
    """Return the figures of a report as two `Table`: of the networks, and of the class shares."""
    networks = "inputs", "source_only", "adapted"
    figures = []
    for title, values in (
        ("domain accuracy", report.domain_accuracy),
        ("  chance is up to", report.chance_limit),
        ("  own classifier's", report.own_domain_accuracy),
        ("proxy A-distance", report.proxy_a_distance),
        ("source accuracy", report.source_accuracy),
        ("reverse validation", report.reverse_validation),
    ):
        figures.append([title, *(_number(values.get(name)) for name in networks)])
    shares = report.source_shares, report.target_shares, report.predicted_shares
    by_class = []
    for label, *of_class in zip(report.classes.tolist(), *shares, strict=True):
        by_class.append([f"  {label}", *map(_number, of_class)])
    by_class += [
        ["  distance, chance", _number(report.share_distance), _number(report.share_limit)],
        ["effective share", _number(report.effective_share)],
        ["agreement", _number(report.agreement)],
    ]
    found = report.target_accuracy
    if found is not None:
        by_class.append(
            ["target accuracy", *(_number(found[name]) for name in ("accuracy", "low", "high"))]
        )
    return (
        Table(["", "inputs", "source-only", _adapted(report)], figures),
        Table(["class shares", "source", "target, est.", "predicted"], by_class),
    )


def as_text(report):
    """Return the tables, what was compared, and the findings below, of at most 79 columns."""
    lines = []
    for table in tables_of(report):
        lines += [_line(*cells) for cells in (table.header, *table.rows)] + [""]
    for title, text in [*_compared(report), *report.findings.items()]:
        lines += textwrap.wrap(f"{title}: {text}", _WIDTH, subsequent_indent="    ")
    return "\n".join(lines)


def as_html(report):
    """Return the findings, what was compared, and the tables, for a notebook."""
    findings = [(key.replace("_", " "), text) for key, text in report.findings.items()]
    parts = [html_table([*findings, *_compared(report)], caption="Adaptation report")]
    for table in tables_of(report):
        width = len(table.header)
        rows = [[*cells, *[""] * (width - len(cells))] for cells in table.rows]
        parts.append(html_table(rows, header=table.header))
    return html_block(*parts)


def _compared(report):
    """Return what each network was fitted with, as titles and texts."""
    settings = report.settings
    return [("source-only", settings["source_only"]), (_adapted(report), settings["adapted"])]


def _adapted(report):
    """Return the title of the network that adapts, or would."""
    return "adapted" if report.adapts else "if adapted"


def _number(value):
    return "" if value is None else f"{value:.3f}"


def _line(title, *cells):
    return (f"{title:<20}" + "".join(f"{cell:>14}" for cell in cells)).rstrip()
