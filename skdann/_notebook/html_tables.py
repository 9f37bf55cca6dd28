"""Tables of text as HTML that a notebook can show, in light and in dark."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

# Colours are those of the page around it: notebooks are light or dark, and say so in different
# ways. Only lines are drawn, in a pale version of the text's colour.
_STYLE = """<style>
.skdann-shown { color: inherit; max-width: 52em; overflow-x: auto; margin: 0.5em 0; }
.skdann-shown table {
  border: none; border-collapse: collapse; font-size: 0.9em; margin: 0 0 0.5em 0;
  table-layout: auto; width: auto;
}
.skdann-shown table caption {
  caption-side: top; color: inherit; font-weight: bold; padding: 0.3em 0; text-align: left;
}
.skdann-shown table tr, .skdann-shown table tbody tr:nth-child(odd) {
  background: none; border: none;
}
.skdann-shown table th, .skdann-shown table td {
  background: none; border: none; color: inherit; line-height: 1.4; max-width: none;
  padding: 0.25em 0.8em 0.25em 0; text-align: left; vertical-align: top; white-space: pre-line;
  border-top: 1px solid rgba(128, 128, 128, 0.4);
}
.skdann-shown table th { font-weight: 600; min-width: 9em; }
.skdann-shown table.skdann-figures td, .skdann-shown table.skdann-figures thead th {
  min-width: 0; text-align: right; font-variant-numeric: tabular-nums;
}
.skdann-shown table.skdann-figures th { white-space: pre; }
.skdann-shown table.skdann-figures thead th:first-child { text-align: left; }
</style>"""


def html_block(*tables: str) -> str:
    """Return tables with the style that they need.

    Parameters
    ----------
    *tables : str
        HTML from `html_table`.
    """
    return f'{_STYLE}<div class="skdann-shown">{"".join(tables)}</div>'


def html_table(
    rows: Iterable[Sequence[str]], *, caption: str = "", header: Sequence[str] = ()
) -> str:
    """Return a table whose first column is the heading of each row.

    Parameters
    ----------
    rows : iterable of sequences of str
        Any text: it is escaped, and its lines are kept.
    caption : str, default=""
    header : sequence of str, default=()
        Headings of the columns. A table that has them holds figures, which stand to the right.
    """
    parts = ['<table class="skdann-figures">' if header else "<table>"]
    if caption:
        parts.append(f"<caption>{escape(caption)}</caption>")
    if header:
        cells = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in header)
        parts.append(f"<thead><tr>{cells}</tr></thead>")
    parts.append("<tbody>")
    for title, *values in rows:
        cells = "".join(f"<td>{escape(value)}</td>" for value in values)
        parts.append(f'<tr><th scope="row">{escape(title)}</th>{cells}</tr>')
    parts.append("</tbody></table>")
    return "".join(parts)
