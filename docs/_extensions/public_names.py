"""Links from the public names of the package, wherever they stand as code.

In a docstring that is `proxy_a_distance` in single backticks, the default role; on a Markdown page
it is inline code. Other code stays code. No word is looked up by its ending, so nothing can be
ambiguous. A name doesn't link to the page that it stands on, nor from a heading.
"""

import functools
import importlib
from pathlib import Path

from docutils import nodes
from sphinx import addnodes
from sphinx.transforms import SphinxTransform
from sphinx.util.docutils import SphinxRole

NO_LINK = (nodes.title, nodes.reference, addnodes.pending_xref)


def public_modules():
    """Return the package and its public modules by name, in the order of the reference."""
    package = importlib.import_module("skdann")
    names = ["skdann", *(f"skdann.{name}" for name in package._SUBMODULES)]
    return {name: importlib.import_module(name) for name in names}


def home_of_public_names():
    """Return a dict from each public name to the full name under which it is documented.

    A warning can be imported from `skdann` too; its home is `skdann.exceptions`.
    """
    homes = {}
    for module_name, module in public_modules().items():
        homes.update({name: f"{module_name}.{name}" for name in module.__all__})
    return homes


@functools.cache
def target_of(text):
    """Return the full name that a piece of code stands for, or None."""
    homes = home_of_public_names()
    if text in homes.values():
        return text
    name, _, member = text.removesuffix("()").partition(".")
    if name not in homes:
        return None
    return f"{homes[name]}.{member}" if member else homes[name]


def reference(text, docname):
    """Return code that links to a public name, or plain code."""
    code = nodes.literal("", text)
    target = target_of(text)
    if target is None:
        return code
    xref = addnodes.pending_xref(
        "", code, refdomain="py", reftype="obj", reftarget=target, refdoc=docname, refexplicit=True
    )
    code["classes"] += ["xref", "py", "py-obj"]
    return xref


class PublicName(SphinxRole):
    """Link a public name of the package; show anything else as code."""

    def run(self):
        """Return the node, and no system messages."""
        return [reference(self.text, self.env.current_document.docname)], []


class CodeOfPages(SphinxTransform):
    """Link the public names in the inline code of Markdown pages."""

    default_priority = 400

    def apply(self, **kwargs):
        """Replace the nodes."""
        docname = self.env.current_document.docname
        if Path(self.env.doc2path(docname)).suffix != ".md":
            return
        for node in list(self.document.findall(nodes.literal)):
            plain = not node["classes"] or node["classes"] == ["code"]
            if plain and not isinstance(node.parent, NO_LINK) and target_of(node.astext()):
                node.replace_self(reference(node.astext(), docname))


def setup(app):
    """Register the role and the transform."""
    app.add_role("public", PublicName())
    app.add_transform(CodeOfPages)
    return {"version": "1", "parallel_read_safe": True}
