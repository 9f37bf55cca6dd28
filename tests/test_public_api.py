"""What is public is what public_api.txt lists, so that nothing of it changes by accident."""

import difflib

import public_api
import pytest

WHAT_TO_DO = """What is public changed. If that was not meant, undo it. If it was, run `make api`,
and say in CHANGELOG.md what users gain or must change. Where something is gone or renamed, read
CONTRIBUTING.md, "What is public": it may need a deprecation first.
"""


def test_every_public_name_and_parameter_is_in_the_file():
    known, found = public_api.FILE.read_text().splitlines(), list(public_api.lines())
    different = [
        line
        for line in difflib.unified_diff(known, found, "public_api.txt", "the package", n=0)
        if not line.startswith("@@")
    ]
    assert not different, WHAT_TO_DO + "\n".join(different)


class Shown:
    """A class.

    Attributes
    ----------
    n_rows_ : int
    """

    __module__ = "skdann.shown"

    def __init__(self, lr=0.1, *, size=(1,), by=len):
        pass

    def fit(self, X: float, y=None) -> None:
        pass

    @property
    def net_(self):
        return None

    def _hidden(self):
        pass


@pytest.mark.parametrize(
    "line",
    [
        "class a.Shown(lr=0.1, *, size=(1,), by=len)",
        "a.Shown.n_rows_ is an attribute",
        "a.Shown.net_ is a property",
        "a.Shown.fit(self, X, y=None)",
    ],
)
def test_what_a_line_says(monkeypatch, line):
    monkeypatch.setattr(public_api, "_is_ours", lambda member: True)
    found = list(public_api._lines_of("a.Shown", Shown))
    assert line in found
    assert not any("_hidden" in one for one in found)
