"""Attributes as the class docstring describes them.

numpydoc replaces what a class docstring says about a property by the first sentence of the
property's own docstring, and links to a page that the property doesn't have. This leaves all
attributes as they were written.
"""

from numpydoc.docscrape_sphinx import SphinxDocString

_process_param = SphinxDocString._process_param


def as_written(self, param, desc, fake_autosummary):
    """Return the name and the description for the list of attributes."""
    return _process_param(self, param, desc, fake_autosummary=False)


def setup(app):
    """Replace numpydoc's method."""
    SphinxDocString._process_param = as_written
    return {"version": "1", "parallel_read_safe": True}
