"""What a reader does on the site: search, copy code."""

import ast

import pytest
from selenium.webdriver import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

WITH_PROMPTS = ["guide/choosing.html", "api/skdann.DANNClassifier.html"]


def wait_for(browser, condition):
    return WebDriverWait(browser.chrome, 10).until(lambda chrome: condition(chrome))


def test_the_search_finds_the_classifier(site, browser):
    browser.emulate()
    browser.chrome.get(f"{site}/index.html")
    browser.chrome.find_element(By.CSS_SELECTOR, ".search-button__button").click()
    box = wait_for(
        browser, lambda chrome: chrome.find_element(By.CSS_SELECTOR, "dialog input[name=q]")
    )
    box.send_keys("DANNClassifier")
    box.submit()
    first = wait_for(
        browser, lambda chrome: chrome.find_elements(By.CSS_SELECTOR, "#search-results li a")
    )[0]
    assert "api/skdann.DANNClassifier.html" in first.get_attribute("href")


def copied(browser, block):
    """Return the text that the button of a block of code puts on the clipboard."""
    browser.chrome.execute_script("arguments[0].scrollIntoView({block: 'center'})", block)
    button = block.find_element(By.CSS_SELECTOR, "button.copybtn")
    ActionChains(browser.chrome).move_to_element(block).click(button).perform()
    wait_for(browser, lambda chrome: "success" in button.get_attribute("class"))
    return browser.chrome.execute_script("return navigator.clipboard.readText()")


@pytest.mark.parametrize("page", WITH_PROMPTS)
def test_copied_code_runs_without_prompts_and_output(page, site, browser):
    browser.emulate()
    permissions = {"origin": site, "permissions": ["clipboardReadWrite"]}
    browser.chrome.execute_cdp_cmd("Browser.grantPermissions", permissions)
    browser.chrome.get(f"{site}/{page}")
    blocks = [
        block
        for block in browser.chrome.find_elements(By.CSS_SELECTOR, "div.highlight")
        if ">>> " in block.text
    ]
    assert blocks
    for block in blocks:
        shown = [line for line in block.text.splitlines() if line.startswith((">>>", "..."))]
        text = copied(browser, block)
        assert text.strip().splitlines() == [line[4:] for line in shown]
        ast.parse(text)
