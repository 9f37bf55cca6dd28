"""A browser that looks at a page at two widths and in two colour schemes."""

import json
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

SITE = Path(__file__).parents[2] / "docs" / "_build" / "html"
DESKTOP, PHONE = 1400, 375

BROKEN_PICTURES = """
return Promise.all([...document.images].map(picture => {
    picture.loading = "eager";
    return picture.decode().catch(() => null).then(() => picture);
})).then(all => all.filter(one => !(one.naturalWidth > 0)).map(one => one.src));
"""
# Text that leaves the screen, unless something around it can be scrolled to see it.
STICKING_OUT = """
const width = document.documentElement.clientWidth;
const page = document.documentElement.scrollWidth;
const scrolls = element => {
    for (let one = element; one && one !== document.body; one = one.parentElement)
        if (["auto", "scroll"].includes(getComputedStyle(one).overflowX)
            && one.scrollWidth > one.clientWidth) return true;
    return false;
};
const seen = {opacityProperty: true, visibilityProperty: true, contentVisibilityAuto: true};
const found = [...document.querySelectorAll("main *, .output *")].filter(one =>
    [...one.childNodes].some(node => node.nodeType === Node.TEXT_NODE && node.data.trim())
    && one.checkVisibility(seen) && one.getBoundingClientRect().width > 1
    && one.getBoundingClientRect().right > width + 1 && !scrolls(one));
return [...(page > width ? [`page of ${page} px`] : []),
    ...found.slice(0, 5).map(one => one.outerHTML.slice(0, 160))];
"""
LOW_CONTRAST = """
return axe.run(document, {runOnly: ["color-contrast"], resultTypes: ["violations"]}).then(
    found => found.violations.flatMap(rule => rule.nodes.map(
        node => node.html.slice(0, 160) + " " + node.any.map(one => one.message).join(" "))));
"""


@dataclass
class Findings:
    """What is wrong with a page: empty lists if nothing is."""

    console: list = field(default_factory=list)
    elsewhere: list = field(default_factory=list)
    broken_pictures: list = field(default_factory=list)
    sticking_out: list = field(default_factory=list)
    low_contrast: dict = field(default_factory=dict)


class Browser:
    """Opens pages in a Chrome of selenium, which it keeps as `chrome`."""

    def __init__(self, chrome, axe):
        self.chrome = chrome
        self._axe = axe
        self.look = cache(self.look)  # several tests ask for the findings of a page

    def emulate(self, *, width=DESKTOP, scheme="light"):
        """Take the width of a screen in CSS pixels, and "light" or "dark"."""
        screen = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width == PHONE}
        self.chrome.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
        features = [
            {"name": "prefers-color-scheme", "value": scheme},
            {"name": "prefers-reduced-motion", "value": "reduce"},
        ]
        self.chrome.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})

    def look(self, address):
        """Return the `Findings` of a page."""
        found = Findings()
        self._drain()
        self.emulate()
        self.chrome.get(address)
        found.broken_pictures = self.chrome.execute_script(BROKEN_PICTURES)
        self.chrome.execute_script(self._axe)
        for scheme in ("light", "dark"):
            self.emulate(scheme=scheme)
            found.low_contrast[scheme] = self.chrome.execute_script(LOW_CONTRAST)
        self.emulate(width=PHONE)
        found.sticking_out = self.chrome.execute_script(STICKING_OUT)
        found.console, requested = self._drain()
        host = address.split("/")[2]
        found.elsewhere = [
            one for one in requested if one.startswith("http") and one.split("/")[2] != host
        ]
        return found

    def _drain(self):
        """Return errors of the console and requested addresses since the last call."""
        errors = [one for one in self.chrome.get_log("browser") if one["level"] == "SEVERE"]
        events = [
            json.loads(one["message"])["message"] for one in self.chrome.get_log("performance")
        ]
        requested = [
            one["params"]["request"]["url"]
            for one in events
            if one["method"] == "Network.requestWillBeSent"
        ]
        return [one["message"] for one in errors], requested
