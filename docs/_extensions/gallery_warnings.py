"""Warnings are errors in the scripts of the gallery, and nowhere else in the build."""

import contextlib
import warnings

_script = contextlib.ExitStack()


def warnings_are_errors(gallery_conf, fname, when):
    """Switch errors on before a script and off after it; sphinx-gallery calls this."""
    _script.close()
    if when == "before":
        _script.enter_context(warnings.catch_warnings())
        warnings.simplefilter("error")
        # plt.show() of a script, where there is no screen.
        warnings.filterwarnings("ignore", message="FigureCanvasAgg is non-interactive")
