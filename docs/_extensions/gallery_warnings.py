"""Warnings are errors in the scripts of the gallery, and nowhere else in the build."""

import warnings

_before = []


def warnings_are_errors(gallery_conf, fname, when):
    """Switch errors on before a script and off after it; sphinx-gallery calls this."""
    if when == "before":
        _before.append(warnings.filters[:])
        warnings.simplefilter("error")
        # plt.show() of a script, where there is no screen.
        warnings.filterwarnings("ignore", message="FigureCanvasAgg is non-interactive")
    elif _before:
        warnings.filters[:] = _before.pop()
        warnings._filters_mutated() if hasattr(warnings, "_filters_mutated") else None
