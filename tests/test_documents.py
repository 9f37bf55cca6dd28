"""What the documents claim about the repository."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [page for page in (ROOT / "docs").rglob("*.md") if "_build" not in page.parts]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *PAGES])


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_to_files_that_exist(document):
    for target in re.findall(r"\]\((?!http)([^)#]+)", document.read_text()):
        assert (document.parent / target).exists(), target


def test_the_table_of_rooms_names_every_file():
    rooms = re.findall(r"^\| `(\w+\.py)`", (ROOT / "docs/architecture.md").read_text(), re.M)
    files = {path.name for path in (ROOT / "skdann").glob("*.py")} - {"__init__.py"}
    assert set(rooms) == files and len(rooms) == len(files)


def test_the_readme_has_two_commands_for_ci():
    text = (ROOT / "README.md").read_text()
    assert re.findall(r"<!-- ci: (\w+) -->\n```bash\n", text) == ["demo", "tests"]
