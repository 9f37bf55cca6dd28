"""What a notebook shows of fitted estimators, in a light and in a dark one."""

import pytest
from notebook_page import notebook_page, shown_in_notebooks


@pytest.fixture(scope="module")
def shown():
    return shown_in_notebooks()


@pytest.fixture(scope="module", params=["light", "dark"])
def theme(request):
    return request.param


@pytest.fixture(scope="module")
def found(theme, shown, browser, serve, tmp_path_factory):
    """What is wrong with the page."""
    folder = tmp_path_factory.mktemp(theme)
    (folder / "favicon.ico").touch()
    (folder / "page.html").write_text(notebook_page(theme, shown), encoding="utf-8")
    return browser.look(f"{serve(folder)}/page.html")


def test_no_errors_and_nothing_from_elsewhere(found):
    assert not found.console
    assert not found.elsewhere


def test_no_horizontal_scrolling_on_a_phone(found):
    assert not found.sticking_out


def test_text_has_contrast(found, theme):
    assert not found.low_contrast[theme]
