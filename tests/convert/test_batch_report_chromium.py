"""The report's page in a headless Chromium: by keyboard, in both colour schemes, at all widths, and asking for nothing.

Skipped where playwright (``pip install playwright``) or a Chromium on PATH is missing.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from batch_rows import changes, run, zoo

from convert.batch.report import words
from convert.batch.report.page import page

QUIET = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
         "--disable-sync", "--no-first-run")  # fmt: skip

#: Text whose contrast with the ground under it is below WCAG's 4.5.
FAINT = """() => {
  const rgb = (c) => c.match(/[\\d.]+/g).map(Number);
  const light = (c) => {
    const [r, g, b] = c.map((v) => (v / 255 <= 0.04045 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = (e) => {
    for (; e; e = e.parentElement) {
      const c = rgb(getComputedStyle(e).backgroundColor);
      if (c.length === 3 || c[3] > 0) return c.slice(0, 3);
    }
  };
  const found = [];
  for (const e of document.querySelectorAll("body *")) {
    if (!e.checkVisibility() || ![...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim())) continue;
    const style = getComputedStyle(e);
    const colour = e instanceof SVGElement ? style.fill : style.color;
    const [a, b] = [light(rgb(colour).slice(0, 3)), light(ground(e))].sort((x, y) => x - y);
    if ((b + 0.05) / (a + 0.05) < 4.5) found.push(`${e.tagName} ${e.className} ${e.textContent.slice(0, 40)}`);
  }
  return found;
}"""


class Browser:
    """A page in Chromium, and all that it said and asked for."""

    def __init__(self, browser: Any, file: Path, *, width: int = 1280, scheme: str = "light", place: str = "") -> None:
        self.context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
        self.page = self.context.new_page()
        self.said: list[str] = []
        self.asked: list[str] = []
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("dialog", lambda dialog: self.said.append(dialog.message))
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.goto(file.as_uri() + place)

    def close(self) -> None:
        self.context.close()

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    @property
    def focused(self) -> str:
        """What has the focus: an element's id, or its text."""
        return str(self.page.evaluate("document.activeElement.id || document.activeElement.textContent.trim()"))

    def tab_to(self, what: str) -> None:
        """Go on by the tabulator alone, until there."""
        for _ in range(60):
            self.press("Tab")
            if self.focused == what:
                return
        raise AssertionError(f"no way to {what} by the keyboard")

    @property
    def names(self) -> list[str]:
        return [str(t) for t in self.page.locator("#table .open").all_text_contents()]

    @property
    def shown(self) -> str:
        return str(self.page.text_content("#shown"))


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    place = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if place is None:
        pytest.skip("there is no Chromium on this machine")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=place, args=list(QUIET))
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("report") / "report.html"
    place.write_bytes(page(run(), changes()).encode())
    return place


@pytest.fixture
def seen(chromium: Any, file: Path) -> Iterator[Browser]:
    """Ends with a look at what was said and asked for: nothing, and nothing but the file."""
    browser = Browser(chromium, file)
    yield browser
    browser.close()
    assert browser.said == []
    assert {url.partition("#")[0] for url in browser.asked} == {file.as_uri()}


def test_all_models_are_listed_what_needs_attention_first(seen: Browser) -> None:
    assert seen.shown == "80 of 80 models"
    assert sorted(seen.names) == sorted("".join("�" if c in "\x1b\u202e\ud800" else c for c in n) for n in run().rows)
    worse = {c.name for c in changes().regressions}
    assert set(seen.names[: len(worse & set(run().rows))]) <= {words.line(n) for n in worse}


def test_filters_by_keyboard(seen: Browser) -> None:
    seen.press("Tab")
    assert seen.focused == "Skip to the models"
    assert seen.page.locator(".skip").bounding_box()["x"] >= 0
    seen.press("Enter", "Tab")
    assert seen.focused == "text"
    seen.page.keyboard.type("NONMAXSUPPRESSION refused")
    refused = [r for r in run().rows.values() if r.status == "refused"]
    assert seen.shown == f"{len(refused)} of 80 models"
    seen.tab_to("unexpected")
    seen.press("Space")
    unexpected = [r for r in refused if not r.as_expected]
    assert seen.shown == f"{len(unexpected)} of 80 models"
    seen.tab_to("clear")
    seen.press("Enter")
    assert seen.shown == "80 of 80 models"


def test_filters_by_status_tag_and_change(seen: Browser) -> None:
    seen.page.check("#statuses input[value='crashed']")
    seen.page.check("#statuses input[value='timed out']")
    rows = list(run().rows.values())
    assert seen.shown.startswith(f"{sum(r.status in ('crashed', 'timed out') for r in rows)} of")
    seen.page.click("#clear")
    seen.page.select_option("#tag", "calorimeter")
    assert seen.shown.startswith(f"{sum('calorimeter' in r.tags for r in rows)} of")
    seen.page.click("#clear")
    seen.page.check("#changed")
    assert seen.shown.startswith(f"{len({c.name for c in changes().found} & set(run().rows))} of")


def test_sorts_by_keyboard(seen: Browser) -> None:
    head = seen.page.locator("th[data-key=error]")
    assert head.get_attribute("aria-sort") is None
    seen.tab_to("Max |Δ|")
    seen.press("Enter")
    assert (head.get_attribute("aria-sort"), seen.focused) == ("descending", "Max |Δ|")
    measured = sorted((r for r in run().rows.values() if r.errors), key=lambda r: -r.worst)
    assert set(seen.names[:3]) == {words.line(r.name) for r in measured[:3]}
    seen.press("Space")
    assert head.get_attribute("aria-sort") == "ascending"
    assert seen.names[0] == words.line(measured[-1].name)
    seen.tab_to("Time")
    seen.press("Enter")
    assert [h.get_attribute("data-key") for h in seen.page.locator("th[aria-sort]").all()] == ["seconds"]


def test_details_open_by_keyboard(seen: Browser) -> None:
    seen.page.fill("#text", "generator")
    name = seen.names[0]
    seen.tab_to(str(seen.page.locator("#table .open").first.get_attribute("id")))
    seen.press("Enter")
    opened = seen.page.locator("#table .more")
    heads = opened.locator("h3").all_text_contents()
    assert {"Model", "Stages", "Latency, batch 1, one thread", "Errors against each reference",
            "Header against reference", "Operators", "Rewrites"} <= set(heads)  # fmt: skip
    assert opened.locator("svg[role=img]").count() == 3 * len(run().rows[name].spread)
    label = str(opened.locator("svg[role=img]").first.get_attribute("aria-label"))
    assert f"{run().rows[name].spread[0]['histogram'][0]} equal" in label
    assert seen.page.locator("[aria-expanded=true]").get_attribute("aria-controls") == opened.get_attribute("id")
    assert "einsum_to_matmul" in str(opened.text_content())
    outline = seen.page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"
    seen.press("Space")
    assert opened.count() == 0


def test_every_model_opens(seen: Browser) -> None:
    seen.page.evaluate("document.querySelectorAll('#table .open').forEach((button) => button.click())")
    assert seen.page.locator("#table .more").count() == 80
    text = str(seen.page.locator("#table").text_content())
    assert "because SOFIE: operator NonMaxSuppression is not supported" in text
    assert "</script><script>alert(1)</script>: no way" in text
    assert "∞" in text
    assert not re.search(r"undefined|NaN|\[object|null", text)


def test_links_open_a_model_whatever_the_filter(seen: Browser) -> None:
    seen.page.fill("#text", "no model has this in it")
    assert seen.shown == "0 of 80 models"
    link = seen.page.locator("a.name").first
    link.click()
    assert seen.focused == str(link.get_attribute("href")).removeprefix("#")
    assert seen.page.locator("#table .more").count() == 1


def test_the_policy_holds(chromium: Any, file: Path) -> None:
    browser = Browser(chromium, file)
    stopped: list[str] = []
    browser.page.on("requestfailed", lambda request: stopped.append(request.failure))
    browser.page.evaluate("document.body.append(Object.assign(new Image(), {src: 'https://example.invalid/x.png'}))")
    browser.page.evaluate(
        "document.body.append(Object.assign(document.createElement('script'), {text: 'window.ran = 1'}))"
    )
    browser.page.wait_for_timeout(100)
    assert browser.page.evaluate("window.ran") is None
    assert stopped == ["csp"]
    assert len([s for s in browser.said if "Content Security Policy" in s]) == 2
    browser.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [400, 800, 1000, 1280, 1920])
def test_legible_in_both_schemes_at_any_width(chromium: Any, file: Path, scheme: str, width: int) -> None:
    browser = Browser(chromium, file, width=width, scheme=scheme)
    ground = browser.page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (max(map(int, re.findall(r"\d+", ground))) < 60) is (scheme == "dark")
    browser.page.fill("#text", "generator")
    browser.page.locator("#table .open").first.click()
    browser.page.fill("#text", "")
    browser.page.check("#statuses input[value=wrong]")
    browser.page.locator("#table .open").first.click()
    browser.page.click("#clear")
    assert browser.page.locator("#table .more").count() == 2
    assert browser.page.evaluate(FAINT) == []
    assert browser.page.evaluate("document.documentElement.scrollWidth") <= width
    browser.close()
    assert browser.said == []


def test_prints_on_white_without_controls(chromium: Any, file: Path) -> None:
    browser = Browser(chromium, file, scheme="dark")
    browser.page.emulate_media(media="print", color_scheme="dark")
    assert browser.page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert not browser.page.locator("#filter").is_visible()
    assert browser.page.evaluate(FAINT) == []
    browser.close()


def test_many_models_come_in_parts(chromium: Any, tmp_path: Path) -> None:
    place = tmp_path / "many.html"
    place.write_bytes(page(zoo(700)).encode())
    browser = Browser(chromium, place, place="#model-650")
    assert browser.focused == "model-650"
    browser.page.fill("#text", "_")
    assert browser.page.locator("#table .open").count() == 200
    assert ", the first 200 shown" in browser.shown
    browser.page.click("#more")
    assert browser.page.locator("#table .open").count() == 400
    assert browser.focused == browser.page.locator("#table .open").nth(200).get_attribute("id")
    browser.close()
    assert browser.said == []
