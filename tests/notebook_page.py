"""A page with what a notebook shows of fitted estimators and of a report.

``python tests/notebook_page.py FILE [light | dark]`` writes it, to be looked at; the browser tests
open the same page.
"""

import sys
from html import escape
from pathlib import Path

from sklearn.base import clone
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from skdann import DANNClassifier, DANNClassifierCV, adaptation_report
from skdann.datasets import make_hospitals, make_rotated_moons, make_tilted_digits
from skdann.pipeline import make_dann_pipeline

# Colours and rules of JupyterLab's output cells, as far as they matter to tables.
_PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>Estimators in a notebook</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
body {{ background: {background}; color: {colour}; font: 14px/1.5 sans-serif; margin: 1em; }}
.output tbody tr:nth-child(odd) {{ background: rgba(128, 128, 128, 0.15); }}
.output table {{ margin-left: auto; margin-right: auto; }}
.output td, .output th, .output tr {{ text-align: right; white-space: normal; padding: 0.5em; }}
.output {{ overflow-x: auto; }}
</style></head><body class="{theme}">{cells}</body></html>"""

_COLOURS = {"light": ("white", "#212121"), "dark": ("#111111", "#e0e0e0")}


def notebook_page(theme="light", shown=None):
    """Return the page as HTML.

    Parameters
    ----------
    theme : {"light", "dark"}
        Colours of the notebook.
    shown : dict, default=None
        What is shown, by its title; None means `shown_in_notebooks`.
    """
    cells = ""
    for title, one in (shown_in_notebooks() if shown is None else shown).items():
        html = getattr(one, "_repr_mimebundle_", None)
        html = html()["text/html"] if html else one._repr_html_()
        cells += f'<h2>{escape(title)}</h2><div class="output">{html}</div>'
    background, colour = _COLOURS[theme]
    return _PAGE.format(background=background, colour=colour, theme=theme, cells=cells)


def shown_in_notebooks():
    """Return what is shown, by its title: fitted on few rows, in few epochs."""
    digits = make_tilted_digits(n_source=300, random_state=0)[:3]
    moons = make_rotated_moons(200, random_state=0)[:3]
    short = DANNClassifier(max_epochs=10, random_state=0)
    hospitals = make_hospitals(random_state=0)[:3]
    columns = make_column_transformer(
        (
            make_pipeline(SimpleImputer(), StandardScaler()),
            make_column_selector(dtype_include="number"),
        ),
        (OneHotEncoder(handle_unknown="ignore"), make_column_selector(dtype_exclude="number")),
    )
    stays = DANNClassifier(
        lambda_max=(0, 0.3, 1.0), input_scaling="source", max_epochs=10, random_state=0
    ).fit(*moons)
    return {
        "Adapted": clone(short).fit(*digits),
        "Not adapted": stays,
        "Chosen from candidates of one's own": DANNClassifierCV(
            [0, 1.0], ["source", "domain"], cv=2, estimator=short, random_state=0
        ).fit(*digits),
        "A pipeline": make_dann_pipeline(columns, max_epochs=10, random_state=0).fit(*hospitals),
        "Not fitted": DANNClassifier(),
        "A report": adaptation_report(stays, *moons),
    }


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(notebook_page(*sys.argv[2:]), encoding="utf-8")
