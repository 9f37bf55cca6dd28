"""Links that leave `docs/`, and references to other packages.

The Markdown pages have relative links that work in a checkout. A link to a file outside `docs/` is
turned into a link to its page, if it has one, and else to the file in the public repository.

References to other packages resolve by intersphinx if there is an inventory of the package. If not,
they become code. Either way the object must exist: a misspelled name is a warning. A reference to
an attribute leads to the page of its class.
"""

import inspect
import posixpath
import re
from pathlib import Path

from docutils import nodes
from sphinx.ext.autosummary import ImportExceptionGroup, import_by_name
from sphinx.util.nodes import get_node_source

REPOSITORY = "https://github.com/skdann/skdann/blob/main/"
PAGES = {
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "examples/GALLERY_HEADER.rst": "auto_examples/index.rst",
}
OUTSIDE = {"imblearn", "joblib", "matplotlib", "numpy", "pandas", "scipy", "sklearn", "skorch"}
OUTSIDE |= {"torch", "tqdm"}
EXAMPLE = re.compile(r"examples/(plot_\w+)\.py")
INCLUDE = re.compile(r"^```\{include\} \.\./(\S+)\n```\n", re.MULTILINE)
RELATIVE = re.compile(r"\]\((?![a-z]+:|#)")
BLANK_END = re.compile(r"^(```python\n.*?)\n+(?=^```$)", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((\.\./[^)#\s]*)(#[^)\s]*)?\)")


def link_inside(docname, path):
    """Return what a relative link of the page `docname` becomes, without its fragment."""
    from_docs = posixpath.normpath(posixpath.join(posixpath.dirname(docname), path))
    if not from_docs.startswith("../"):
        return path
    in_repository = from_docs.removeprefix("../")
    page = PAGES.get(in_repository) or EXAMPLE.sub(r"auto_examples/\1.rst", in_repository)
    if page == in_repository:
        return REPOSITORY + in_repository
    return posixpath.relpath(page, posixpath.dirname(docname) or ".")


def included(app, match):
    """Return the text of a file outside `docs/` that a page at the top of it includes."""
    path = Path(app.srcdir).parent / match[1]
    app.env.note_dependency(path)
    return RELATIVE.sub("](../", path.read_text(encoding="utf-8"))


def rewrite_links(app, docname, source):
    """Rewrite the links of a Markdown page that has just been read, and of what it includes."""
    if Path(app.env.doc2path(docname)).suffix == ".md":
        text = INCLUDE.sub(lambda match: included(app, match), source[0])
        # The blank line that ends an example for doctest is not for readers.
        text = BLANK_END.sub(r"\1\n", text)
        source[0] = LINK.sub(
            lambda match: f"]({link_inside(docname, match[1])}{match[2] or ''})", text
        )


def exists(name):
    """Return whether an object can be imported by its full name."""
    try:
        import_by_name(name)
    except ImportExceptionGroup:
        return False
    return True


def owner_of(target):
    """Return the class whose docstring lists an attribute of this full name, or None."""
    owner, _, attribute = target.rpartition(".")
    if not owner.startswith("skdann.") or not exists(owner):
        return None
    listed = re.search(rf"^ *\b{attribute}\b.* : ", inspect.getdoc(import_by_name(owner)[1]), re.M)
    return owner if listed else None


def resolve(app, env, node, contnode):
    """Return what a reference without a page of its own becomes, or None if it is a mistake."""
    target = node.get("reftarget", "")
    if "site-packages" in (get_node_source(node) or ""):
        return nodes.literal("", contnode.astext())  # in a docstring inherited from scikit-learn
    if owner := owner_of(target):
        python = env.domains.python_domain
        return python.resolve_xref(env, node["refdoc"], app.builder, "obj", owner, node, contnode)
    return contnode if target.split(".")[0] in OUTSIDE and exists(target) else None


def setup(app):
    """Register both."""
    app.connect("source-read", rewrite_links)
    app.connect("missing-reference", resolve, priority=900)  # after intersphinx
    return {"version": "1", "parallel_read_safe": True}
