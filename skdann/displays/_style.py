"""What all displays share: colours and marks, the places for panels, matplotlib on demand.

Colours are those of Okabe and Ito, which colour-blind readers can tell apart. No figure depends on
colour alone: domains and classes differ in marks too, so that a black and white print can be read.
Nothing here changes matplotlib's settings.
"""

import importlib
import math
import os
import textwrap

import numpy as np

SOURCE, TARGET = "#0072B2", "#D55E00"
CHOSEN, OTHER, LINE = "#009E73", "#777777", "#222222"

# Of classes. Black and yellow are left out: black is for text, and yellow is too pale for print.
_COLORS = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00"
_MARKERS = "o", "s", "^", "D", "v", "P", "X"

# Of names beside an axis: longer ones are cut, or broken into lines.
LONGEST_NAME = 28

# Of a legend, in entries: more go into another column.
_LONGEST_LEGEND = 12


def check_matplotlib(caller):
    """Raise with the cure where matplotlib is not installed."""
    try:
        importlib.import_module("matplotlib.pyplot")
    except ImportError as error:
        raise ImportError(
            f'{caller} needs matplotlib. Install it with: pip install "skdann[plots]"'
        ) from error


def class_styles(n_classes):
    """Return a color and a marker for each class; pairs repeat after 42 classes."""
    return [(_COLORS[i % len(_COLORS)], _MARKERS[i % len(_MARKERS)]) for i in range(n_classes)]


def panels(ax, n_rows, n_columns, size):
    """Return an array of axes of shape (n_rows, n_columns), and their figure.

    Parameters
    ----------
    ax : None, matplotlib Axes or array of such
        None makes a figure. One axes is divided if more are needed; an array is used as it is.
    n_rows, n_columns : int
    size : tuple of float
        Width and height of a new figure, in inches.
    """
    import matplotlib.pyplot as plt

    if ax is None:
        figure, axes = plt.subplots(
            n_rows, n_columns, figsize=size, squeeze=False, layout="constrained"
        )
        return axes, figure
    given = np.asarray(ax, dtype=object)
    if given.size == n_rows * n_columns:
        axes = given.reshape(n_rows, n_columns)
        return axes, axes[0, 0].figure
    place = given.item().get_subplotspec() if given.size == 1 else None
    if place is None:
        raise ValueError(
            f"ax has {given.size} axes, but {n_rows * n_columns} are needed. Pass ax=None for a "
            f"new figure, one axes of plt.subplots(), or plt.subplots({n_rows}, {n_columns})[1]."
        )
    outer = given.item()
    outer.set_axis_off()
    grid = place.subgridspec(n_rows, n_columns, wspace=0.35, hspace=0.45)
    axes = np.empty((n_rows, n_columns), dtype=object)
    for i, j in np.ndindex(n_rows, n_columns):
        axes[i, j] = outer.figure.add_subplot(grid[i, j])
    return axes, outer.figure


def grid_of_panels(ax, n_panels, width, margin):
    """Return axes, their figure, and a place for each panel: three in a row, the rest hidden.

    Parameters
    ----------
    ax : None, matplotlib Axes or array of such
        As in `panels`; an array may have one axes for each panel.
    n_panels : int
    width, margin : float
        Of a new figure, in inches: of a panel, and of what stands beside them.
    """
    n_columns = min(3, n_panels)
    shape = math.ceil(n_panels / n_columns), n_columns
    if ax is not None and np.size(ax) == n_panels:
        shape = 1, n_panels
    axes, figure = panels(ax, *shape, (width * shape[1] + margin, 2.5 * shape[0]))
    places = list(axes.flat)
    for place in places[n_panels:]:
        place.set_axis_off()
    return axes, figure, places[:n_panels]


def legend_beside(ax, handles, title=None):
    """Put a legend to the right of an axes, where it covers no data and the layout leaves room.

    In a figure of the user's own, without a layout that would leave room, it goes inside.
    """
    beside = {"loc": "upper left", "bbox_to_anchor": (1.02, 1.0), "borderaxespad": 0.0}
    inside = {"loc": "best", "framealpha": 0.7}
    return ax.legend(
        handles=handles,
        frameon=ax.figure.get_layout_engine() is None,
        fontsize="small",
        title=title,
        title_fontsize="small",
        alignment="left",
        ncols=n_legend_columns(len(handles)),
        **(inside if ax.figure.get_layout_engine() is None else beside),
    )


def n_legend_columns(n_entries):
    """Return the columns of a legend of so many entries."""
    return math.ceil(n_entries / _LONGEST_LEGEND)


def entry(label, **style):
    """Return a legend entry, drawn as a line of this style."""
    from matplotlib.lines import Line2D

    return Line2D([], [], label=label, **style)


def plain(ax):
    """Take away the upper and the right edge of an axes."""
    ax.spines[["top", "right"]].set_visible(False)


def transparency(n_points):
    """Return the alpha of so many points: fewer than 100 are solid, thousands let light through."""
    return float(np.clip(8.0 / np.sqrt(max(n_points, 1)), 0.15, 0.8))


def mark_size(n_points):
    """Return the area of a mark, in square points: smaller where there are many."""
    return float(np.clip(600.0 / np.sqrt(max(n_points, 1)), 9.0, 36.0))


def shortened(name, longest=LONGEST_NAME):
    """Return a name of at most so many characters; what is left out in the middle is '…'."""
    name = str(name)
    if len(name) <= longest:
        return name
    tail = (longest - 1) // 3
    return f"{name[: longest - 1 - tail]}…{name[-tail:]}"


def shortened_apart(names, longest=LONGEST_NAME):
    """Return names that are shortened and still differ from each other.

    Where the ends of long names are the same, the common beginning is left out instead.
    """
    names = [str(name) for name in names]
    short = [shortened(name, longest) for name in names]
    if len(set(short)) < len(set(names)):
        start = len(os.path.commonprefix(names))  # noqa: RUF071 - of any strings
        short = [f"…{name[start:]}" for name in names]
        short = [name if len(name) <= longest else f"{name[: longest - 1]}…" for name in short]
    if len(set(short)) < len(set(names)):
        short = [f"{i}: {name}" for i, name in enumerate(short)]
    return short


def broken(name, width=LONGEST_NAME):
    """Return a long text in several lines."""
    return "\n".join(textwrap.wrap(str(name), width)) or str(name)


def counted(n_shown, n_all, what="rows"):
    """Return how many of all are shown, such as '1,000 of 27,690 rows'."""
    if n_shown == n_all:
        return f"{n_all:,} {what}"
    return f"{n_shown:,} of {n_all:,} {what}"
