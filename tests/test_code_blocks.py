"""No Python in the documents stands there unrun."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DOCUMENTS = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *(
        path
        for path in sorted((ROOT / "docs").rglob("*.md"))
        if not {"_build", "auto_examples"} & set(path.parts)
    ),
]
# Blocks that are no doctest, by page and first line, each with what runs it instead.
CLUSTERS = "needs a cluster: tests/test_clusters.py starts one and fits on it in the same way"
ELSEWHERE = {
    ("docs/guide/large_data.md", "from dask.distributed import Client"): CLUSTERS,
    ("docs/guide/large_data.md", "import ray"): CLUSTERS,
}

BLOCK = re.compile(
    r"^(?P<fence>[`~:]{3,}) *(?:\{code-block\} *)?(?:python|pycon|py)\b[^\n]*\n"
    r"(?P<code>.*?)^(?P=fence)",
    re.MULTILINE | re.DOTALL,
)


def blocks_of(document):
    """Return the Python blocks of a document, without options such as ``:caption:``."""
    text = document.read_text()
    return [re.sub(r"\A(:.*\n)+\n*", "", block) for _, block in BLOCK.findall(text)]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_python_block_is_a_doctest(document):
    page = str(document.relative_to(ROOT))
    unrun = [
        block
        for block in blocks_of(document)
        if not block.startswith(">>> ") and (page, block.splitlines()[0]) not in ELSEWHERE
    ]
    assert not unrun


def test_every_entry_of_the_ledger_is_needed():
    first_lines = {
        (str(document.relative_to(ROOT)), block.splitlines()[0])
        for document in DOCUMENTS
        for block in blocks_of(document)
    }
    assert set(ELSEWHERE) <= first_lines


def test_blocks_are_found_in_all_their_forms():
    text = (
        "```python\na\n```\n````{code-block} python\n:caption: b\n\nc\n````\n"
        ":::{code-block} pycon\nd\n:::\n```bash\ne\n```\n"
    )
    assert [block for _, block in BLOCK.findall(text)] == ["a\n", ":caption: b\n\nc\n", "d\n"]


def test_every_program_that_a_page_shows_is_there():
    """The peers' programs are files; what runs them is said on the page."""
    shown = {
        (document.parent / name).resolve()
        for document in DOCUMENTS
        for name in re.findall(r"\{literalinclude\} *(\S+)", document.read_text())
    }
    programs = set((ROOT / "docs" / "programs").glob("*.py"))
    assert all(path.is_file() for path in shown)
    assert programs <= shown
