"""The public names of the package, and a default role that links them.

A docstring says `proxy_a_distance` in single backticks: that becomes a link if the name is public,
and code otherwise. No word is looked up by its ending, so nothing can be ambiguous.
"""

import importlib

from docutils import nodes
from sphinx.util.docutils import SphinxRole


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


class PublicName(SphinxRole):
    """Link a public name of the package; show anything else as code."""

    homes = None

    def run(self):
        """Return the node, and no system messages."""
        type(self).homes = self.homes or home_of_public_names()
        head, _, member = self.text.partition(".")
        if self.text.startswith("skdann."):
            target = self.text if self.text in self.homes.values() else None
        else:
            target = self.homes.get(head)
            if target and member:
                target = f"{target}.{member}"
        if target is None:
            return [nodes.literal(self.rawtext, self.text)], []
        return self.env.domains.python_domain.role("obj")(
            "obj", self.rawtext, f"{self.text} <{target}>", self.lineno, self.inliner
        )


def setup(app):
    """Register the role."""
    app.add_role("public", PublicName())
    return {"version": "1", "parallel_read_safe": True}
