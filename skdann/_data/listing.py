"""Pieces of messages: long lists and texts cut short, and the cure that several messages share."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

# A message has at most 600 characters, however many columns there are and whatever their names.
_MAX_ITEMS, _MAX_ITEM, _MAX_LIST = 10, 40, 140

TAKE_TARGET_ALONG = (
    "Steps of a Pipeline transform X_tgt only in skdann.pipeline.make_dann_pipeline(step, ...), "
    "or after sklearn.set_config(enable_metadata_routing=True) in "
    "make_pipeline(step, ..., transform_input=['X_tgt'])."
)


def listed(items: Iterable[Any], at_most: int = _MAX_LIST) -> str:
    """Return at most ten items as a list literal, and how many more there are.

    Fewer are shown where their texts together are longer than `at_most` characters.

    >>> listed(["age", "income"])
    "['age', 'income']"
    >>> listed(range(1000))
    '[0, 1, 2, 3, 4, 5, 6, 7, 8, 9] and 990 more'
    """
    items = list(items)
    shown: list[str] = []
    for item in items[:_MAX_ITEMS]:
        text = shortened(repr(item), _MAX_ITEM)
        if shown and sum(map(len, shown)) + len(text) > at_most:
            break
        shown.append(text)
    more = len(items) - len(shown)
    return f"[{', '.join(shown)}]" + (f" and {more} more" if more else "")


def is_listed_whole(items: Iterable[Any]) -> bool:
    """Whether `listed` shows every item as it is, so that the list can be copied from a message."""
    items = list(items)
    return listed(items) == f"[{', '.join(map(repr, items))}]"


def shortened(text: object, at_most: int = 120) -> str:
    """Return a text, cut in the middle where it is longer than `at_most` characters.

    >>> shortened("abcdefghijklmno", 9)
    'abc...mno'
    """
    text = str(text)
    if len(text) <= at_most:
        return text
    kept = (at_most - 3) // 2
    return f"{text[:kept]}...{text[-kept:]}"
