"""Settings of the site. `make docs` builds all of it, `make docs-fast` without the gallery.

The build needs no network. For links into other packages' documentation set SKDANN_INVENTORIES:
either a folder with files such as `sklearn.inv`, or `online`, which fetches them.
"""

import os
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent), str(HERE / "_extensions")]

# One thread, for the scripts of the gallery. Several wait for each other where cores are busy: a
# fit by default then took ten times as long. The libraries read this when they are imported.
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

from sphinx_gallery.sorting import ExplicitOrder  # noqa: E402

import skdann  # noqa: E402

project = "skdann"
author = "The skdann developers"
copyright = f"2026, {author}"
version = release = skdann.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.intersphinx",
    "numpydoc",
    "myst_parser",
    "sphinx_copybutton",
    "sphinx_design",
    "sphinx_gallery.gen_gallery",
    "attribute_lists",
    "links",
    "public_names",
]
exclude_patterns = ["_build", "**/*.ipynb", "programs", "auto_examples/README*", "conftest.py"]
templates_path = ["_templates"]
nitpicky = True
default_role = "public"

# --- Markdown
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

# --- the reference
autosummary_generate = True
autodoc_typehints = "none"  # the docstrings state types, with shapes and ranges
autodoc_member_order = "groupwise"
toc_object_entries_show_parents = "hide"
numpydoc_show_class_members = False  # the template lists methods; docstrings list attributes

# --- other packages
HOMES = {
    "imblearn": "https://imbalanced-learn.org/stable/",
    "joblib": "https://joblib.readthedocs.io/en/latest/",
    "matplotlib": "https://matplotlib.org/stable/",
    "numpy": "https://numpy.org/doc/stable/",
    "pandas": "https://pandas.pydata.org/docs/",
    "python": "https://docs.python.org/3/",
    "sklearn": "https://scikit-learn.org/stable/",
    "skorch": "https://skorch.readthedocs.io/en/stable/",
    "torch": "https://docs.pytorch.org/docs/stable/",
}
_inventories = os.environ.get("SKDANN_INVENTORIES", "")
intersphinx_mapping = {
    name: (home, None if _inventories == "online" else str(Path(_inventories, f"{name}.inv")))
    for name, home in HOMES.items()
    if _inventories == "online" or (_inventories and Path(_inventories, f"{name}.inv").is_file())
}

# --- code
copybutton_prompt_text = r">>> |\.\.\. ?"
copybutton_prompt_is_regexp = True

# --- the gallery
sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "auto_examples",
    "filename_pattern": r"/plot_",
    "ignore_pattern": r"^(?!plot_)",
    "within_subsection_order": ExplicitOrder(
        [
            f"plot_{name}.py"
            for name in (
                "hospitals",
                "moons",
                "digits",
                "feature_shift",
                "choice",
                "label_shift",
                "domain_confusion",
                "callbacks",
                "own_modules",
                "adapter_for_any_classifier",
            )
        ]
    ),
    "backreferences_dir": "api/used_in",
    "doc_module": ("skdann",),
    "reference_url": {"skdann": None},
    "abort_on_example_error": True,
    "run_stale_examples": True,
    "reset_modules": ("matplotlib", "gallery_warnings.warnings_are_errors"),
    "reset_modules_order": "both",
    "remove_config_comments": True,
    "download_all_examples": False,
    "write_computation_times": False,
    "show_signature": False,
    "log_level": {"backreference_missing": "debug"},
}

# --- pages
html_theme = "pydata_sphinx_theme"
html_title = "skdann"
html_static_path = ["_static"]
html_css_files = ["skdann.css"]
html_favicon = html_logo = "_static/skdann.svg"
html_context = {"default_mode": "auto"}
html_baseurl = "https://skdann.readthedocs.io/en/stable/"
html_show_sourcelink = False
html_copy_source = False
html_sidebars = {name: [] for name in ("start", "changelog", "contributing", "glossary")}
html_theme_options = {
    "github_url": "https://github.com/skdann/skdann",
    "logo": {"text": "skdann"},
    "navbar_align": "left",
    "navigation_with_keys": False,
    "header_links_before_dropdown": 6,
    "show_toc_level": 2,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
}
