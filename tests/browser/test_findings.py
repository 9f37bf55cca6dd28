"""A page with every fault: the browser must find them all, or the other tests prove nothing."""

BAD_PAGE = """<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>Bad</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
p { color: #999; background: #fff; }
@media (prefers-color-scheme: dark) { body, p { color: #333; background: #000; } }
</style></head><body><main>
<p>Grey on white.</p><img src="missing.png" alt="">
<table><tr><td><div style="width: 600px">wide</div></td></tr></table>
<script>console.error("oh no"); fetch("http://127.0.0.2:9/").catch(() => 0);</script>
</main></body></html>"""


def test_every_fault_is_found(browser, serve, tmp_path):
    (tmp_path / "bad.html").write_text(BAD_PAGE)
    found = browser.look(f"{serve(tmp_path)}/bad.html")
    assert any("oh no" in message for message in found.console)
    assert found.elsewhere == ["http://127.0.0.2:9/"]
    assert [address.split("/")[-1] for address in found.broken_pictures] == ["missing.png"]
    assert any("wide" in element for element in found.sticking_out)
    assert all("Grey on white" in found.low_contrast[scheme][0] for scheme in ("light", "dark"))


def test_text_that_is_cut_off_is_found(browser, serve, tmp_path):
    page = BAD_PAGE.replace("<table>", '<div style="overflow: hidden"><table>')
    (tmp_path / "cut.html").write_text(page)
    assert any("wide" in one for one in browser.look(f"{serve(tmp_path)}/cut.html").sticking_out)


def test_a_wide_table_may_scroll_by_itself(browser, serve, tmp_path):
    page = BAD_PAGE.replace("<table>", '<div style="overflow-x: auto"><table>')
    (tmp_path / "page.html").write_text(page)
    assert not browser.look(f"{serve(tmp_path)}/page.html").sticking_out
