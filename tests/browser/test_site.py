"""Every page of the site as a reader meets it, on a desktop and on a phone."""

import pytest

from browser.browser_page import SITE

PAGES = sorted(
    str(path.relative_to(SITE))
    for path in SITE.rglob("*.html")
    if "_static" not in path.parts  # templates of the theme
)


@pytest.fixture(params=PAGES)
def found(request, site, browser):
    """What is wrong with a page."""
    return browser.look(f"{site}/{request.param}")


def test_no_errors_on_the_console(found):
    assert not found.console


def test_nothing_comes_from_elsewhere(found):
    assert not found.elsewhere


def test_pictures_load(found):
    assert not found.broken_pictures


def test_no_horizontal_scrolling_on_a_phone(found):
    assert not found.sticking_out


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_has_contrast(found, scheme):
    assert not found.low_contrast[scheme]


def test_the_gallery_has_pictures():
    pages = [page for page in PAGES if page.startswith("auto_examples/plot_")]
    assert len(pages) >= 8
    without = [page for page in pages if "sphx_glr_plot_" not in (SITE / page).read_text()]
    assert not without
