"""The built site, served on this machine, and a browser that opens it.

Not part of the ordinary suite: `make docs browser` builds the site and runs these tests. They need
Debian's packages chromium and chromium-driver, npm, and `pip install -e ".[docs]"`.
"""

import functools
import http.server
import shutil
import threading

import pytest

from browser.browser_page import SITE, Browser

AXE = SITE.parent / "axe" / "node_modules" / "axe-core" / "axe.min.js"
OPTIONS = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
]


def pytest_ignore_collect(collection_path, config):
    """Run these tests only where their folder is named."""
    named = any("browser" in str(argument) for argument in config.args)
    return None if named else True


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Serves files without a line for each."""

    def log_message(self, *args):
        pass


@pytest.fixture(scope="session")
def serve():
    """Return a function that serves a folder and returns its address."""
    servers = []

    def start(folder):
        handler = functools.partial(Quiet, directory=str(folder))
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_address[1]}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture(scope="session")
def site(serve):
    """The address of the built site."""
    if not (SITE / "index.html").exists():
        pytest.fail("There is no site in docs/_build/html: run `make docs` first.")
    return serve(SITE)


@pytest.fixture(scope="session")
def browser(tmp_path_factory):
    """A `Browser` that all tests share."""
    if not (program := shutil.which("chromium")) or not (driver := shutil.which("chromedriver")):
        pytest.fail("There is no browser: `apt-get install chromium chromium-driver`.")
    if not AXE.exists():
        pytest.fail("There is no axe-core in docs/_build/axe: `make browser` installs it by npm.")
    selenium = pytest.importorskip("selenium.webdriver", reason="the extra `docs` brings selenium")
    from selenium.webdriver.chrome.service import Service

    options = selenium.ChromeOptions()
    options.binary_location = program
    for option in [*OPTIONS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"]:
        options.add_argument(option)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    chrome = selenium.Chrome(options=options, service=Service(driver))
    chrome.set_script_timeout(30)
    yield Browser(chrome, AXE.read_text())
    chrome.quit()
