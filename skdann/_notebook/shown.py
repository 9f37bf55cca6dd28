"""How scikit-learn's notebook diagram is extended: a table below it, and links to our site."""

from __future__ import annotations

from typing import Any

from sklearn.utils import estimator_html_repr

from skdann._notebook.facts import facts_of
from skdann._notebook.html_tables import html_block, html_table


class DocumentedMixin:
    """An estimator of this package, whose diagram links to its page on our site.

    scikit-learn makes the link only for classes of the module named here, so a subclass that a
    user writes has none.
    """

    _doc_link_module = "skdann"
    _doc_link_template = (
        "https://skdann.readthedocs.io/en/stable/api/{estimator_module}.{estimator_name}.html"
    )


class ShownMixin(DocumentedMixin):
    """An estimator with a table of what happened in `fit` below scikit-learn's diagram.

    It must stand before BaseEstimator among the bases. scikit-learn 1.6 calls
    ``_repr_html_inner`` and ``_repr_mimebundle_``, later versions call ``_html_repr`` in both.
    """

    def _html_repr(self) -> str:
        diagram = estimator_html_repr(self)
        facts = facts_of(self)
        if not facts:
            return diagram
        return diagram + html_block(html_table(facts, caption="What happened in fit"))

    def _repr_html_inner(self) -> str:
        return self._html_repr()

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, str]:
        bundle = super()._repr_mimebundle_(**kwargs)  # type: ignore[misc]
        if "text/html" in bundle:  # not with the setting display="text"
            bundle["text/html"] = self._html_repr()
        return bundle
