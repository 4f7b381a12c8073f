"""The report of a batch as a page, Markdown and JUnit XML: what is in it, and that nothing from models breaks out of it."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from batch_rows import NASTY, changes, converted, ended, results, run, save

import convert
from convert.batch.compare import compare
from convert.batch.report import words
from convert.batch.report.command import main
from convert.batch.report.facts import FEWEST, POINTS, STEPS, details, points_each, record
from convert.batch.report.junit import junit
from convert.batch.report.markdown import MOST, as_markdown, changes_as_markdown
from convert.batch.report.overview import overview
from convert.batch.report.page import page
from convert.batch.row import STATUSES, Results, Row
from convert.errors import UsageError

TEMPLATES = Path(convert.__file__).parent / "templates" / "report"


@cache
def whole() -> str:
    return page(run(), changes())


class Elements(HTMLParser):
    """The page's elements, their attributes, and the text in each of some tags."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[tuple[str, str]] = []
        self._open = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        self._open = tag

    def handle_endtag(self, tag: str) -> None:
        self._open = ""

    def handle_data(self, data: str) -> None:
        self.texts.append((self._open, data))

    def inside(self, tag: str) -> list[str]:
        return [t for name, t in self.texts if name == tag]


# ------------------------------------------------------------------------------------------------------- the page


def test_the_made_up_zoo_has_every_status_and_every_name() -> None:
    assert {r.status for r in run().rows.values()} == set(STATUSES)
    assert set(NASTY) <= set(run().rows)
    assert {r.as_expected for r in run().rows.values()} == {True, False}


def test_data_are_one_block_and_a_line_a_model() -> None:
    data, lines, _ = Elements(whole()).inside("script")
    rows = json.loads(data)["rows"]
    assert [r["name"] for r in rows] == list(run().rows)
    assert [json.loads(line)["source"] for line in lines.split("\n")] == [r.source for r in run().rows.values()]


def test_data_cannot_end_their_block() -> None:
    """No parser of HTML sees a tag in them, whatever it takes for one."""
    between = r'id="data">(.*)</script>\n<script type="application/json" id="lines">(.*)</script>\n<script>'
    (blocks,) = re.findall(between, whole(), re.DOTALL)
    assert not set("<>&") & set("".join(blocks))


def test_nothing_of_a_model_becomes_markup() -> None:
    seen = Elements(whole())
    assert [tag for tag, _ in seen.found if tag in ("script", "style", "img", "iframe", "link", "object")] == [
        "style", "script", "script", "script"]  # fmt: skip
    assert "alert(1)" not in "".join(seen.inside("script")[2:])
    assert not any(name.startswith("on") for _, attributes in seen.found for name in attributes)
    assert {(a.get("href") or "#")[0] for _, a in seen.found} == {"#"}
    assert not any("src" in a or "style" in a for _, a in seen.found)
    assert "\u202e" not in whole()
    assert "\x1b" not in whole()


def test_the_policy_allows_just_this_style_and_this_script() -> None:
    seen = Elements(whole())
    (policy,) = (a["content"] for tag, a in seen.found if a.get("http-equiv") == "Content-Security-Policy")
    hashes = [
        base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        for text in (seen.inside("style")[0], seen.inside("script")[2])
    ]
    assert policy == (
        f"default-src 'none'; style-src 'sha256-{hashes[0]}'; script-src 'sha256-{hashes[1]}'; "
        "base-uri 'none'; form-action 'none'"
    )


def test_nothing_is_fetched() -> None:
    sources = "".join(p.read_text(encoding="utf-8") for p in TEMPLATES.iterdir())
    known = sources.replace("http://www.w3.org/2000/svg", "")  # the name of SVG, not a place
    assert not re.findall(r"https?:|//[a-z]+\.|@import|url\(|fetch\(|XMLHttpRequest|innerHTML|eval\(", known)


def test_columns_that_no_model_has_are_left_out() -> None:
    def columns(*rows: Row) -> list[str | None]:
        return [a["data-key"] for tag, a in Elements(page(results(rows))).found if tag == "th" and "data-key" in a]

    assert columns(ended("s", "skipped", tags=())) == ["name", "status", "seconds"]
    assert "latency" in columns(converted("m"))
    assert "latency" not in columns(converted("m", latency={}))


def test_how_the_run_was_made_is_told() -> None:
    told = page(results([converted("m")], arguments=["zoo.toml", "--jobs", "2"], seconds=91.1, unfinished=3))
    assert all(words in told for words in ("2026-05-04T03:02:01", "batch zoo.toml --jobs 2", "91 s", "3 models"))


def test_the_page_of_nothing() -> None:
    assert "All 0 models as expected" in page(results([]))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_colours_can_be_told_apart(scheme: str) -> None:
    """WCAG AA: 4.5 for text, 3 for lines of controls and bars."""
    css = (TEMPLATES / "page.css").read_text(encoding="utf-8")
    blocks = re.findall(r":root \{(.*?)\}", css, re.DOTALL)
    colours = dict(re.findall(r"--(\w+): #(\w+)", blocks[("light", "dark").index(scheme)]))

    def luminance(name: str) -> float:
        parts = [int(colours[name][k : k + 2], 16) / 255 for k in (0, 2, 4)]
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    for ground in ("paper", "panel"):
        for name, least in {**dict.fromkeys(("ink", "quiet", "link", "good", "warn", "bad"), 4.5),
                            **dict.fromkeys(("edge", "bar", "other"), 3.0)}.items():  # fmt: skip
            low, high = sorted((luminance(ground), luminance(name)))
            assert (high + 0.05) / (low + 0.05) >= least, f"{name} on {ground}"


# --------------------------------------------------------------------------------------------- what the script gets


def plot(points: list[tuple[float, float]], most: int = 200) -> dict[str, Any]:
    row = converted("m", spread=({"output": "y", "points": points, "histogram": [0] * 14},))
    (told,) = details(row, (), most)["spread"]
    assert all(0 <= s <= STEPS for s in told["points"])
    return {**told, "points": list(zip(*[iter(told["points"])] * 3, strict=True))}


def test_points_are_steps_along_their_axes() -> None:
    told = plot([(-1.0, -1.0), (0.0, 0.5), (3.0, 3.0)])
    assert told["points"] == [(0, 0, 500), (250, 375, STEPS), (STEPS, STEPS, 500)]
    assert (told["low"], told["high"], told["residual"], told["log"]) == (-1, 3, 0.5, False)


def test_wide_positive_numbers_have_logarithmic_axes() -> None:
    told = plot([(1e-6, 1e-6), (1e-3, 1e-3), (1.0, 1.0)])
    assert told["log"] is True
    assert [x for x, _, _ in told["points"]] == [0, 500, STEPS]


@pytest.mark.parametrize(
    "points",
    [
        [],
        [(0.0, 0.0)],
        [(5.0, 5.0)] * 3,
        [(1e308, -1e308)],
        [(5e-324, 5e-324)],
        [(float("inf"), 1.0), (float("nan"), 2.0)],
    ],
)
def test_odd_points(points: list[tuple[float, float]]) -> None:
    assert len(plot(points)["points"]) <= 1


def test_of_too_many_points_the_worst_are_kept() -> None:
    points = [(k / 100, k / 100) for k in range(500)] + [(2.0, 9.0)]
    told = plot(points, 40)
    assert len(told["points"]) <= 40
    assert told["residual"] == 7


def test_pages_of_many_models_have_fewer_points() -> None:
    rows = [converted("m", spread=({"output": "y", "points": [], "histogram": []},))]
    assert points_each(rows) == POINTS
    assert points_each(rows * 8000) == 50
    assert points_each(rows * POINTS) == FEWEST


def test_zeros_are_told_and_what_is_unknown_is_not() -> None:
    known = record(converted("m", errors=()), ())
    assert "error" not in known
    exact = {
        "output": "y",
        "edge": "header vs exported",
        "absolute": 0.0,
        "relative": 0.0,
        "tolerance": {"rtol": 0, "atol": 0},
    }
    assert record(converted("m", errors=(exact,)), ())["error"] == 0


# ------------------------------------------------------------------------------------------------- causes and advice


def test_causes_are_grouped_with_the_nearest_way_out() -> None:
    rows = [ended(f"m{k}", "refused") for k in range(3)] + [ended("c", "crashed"), ended("x", "refused", cause="other")]
    rows += [ended("f", "refused", cause="no file", stage="load", error={"what": "no file"})]
    groups = overview(results(rows)).groups
    assert (groups[0].status, groups[0].models) == ("refused", ("m0", "m1", "m2"))
    assert groups[0].advice == "cut the model before NonMaxSuppression, and run it in your own code"
    assert next(g for g in groups if g.status == "crashed").advice.startswith("convert it alone")
    assert next(g for g in groups if g.cause == "no file").advice.startswith("run it in its own framework")


def test_what_was_expected_comes_after_what_was_not() -> None:
    rows = [ended(f"m{k}", "refused", expected="refused") for k in range(3)] + [ended("c", "crashed")]
    assert [g.status for g in overview(results(rows)).groups] == ["crashed", "refused"]


# ---------------------------------------------------------------------------------------------------------- Markdown


def test_markdown_tells_counts_causes_and_changes() -> None:
    told = as_markdown(run(), changes())
    count = sum(not r.as_expected for r in run().rows.values())
    assert told.startswith(f"## Conversion: {count} of 80 models not as expected\n")
    assert "### Regression: " in told
    assert "| crashed | " in told
    assert "cut the model before NonMaxSuppression" in told
    assert as_markdown(results([converted("a")])).startswith("## Conversion: all 1 models as expected\n")


def test_markdown_of_no_regression() -> None:
    assert changes_as_markdown(compare(run(), run())).startswith("## No regression\n")


@pytest.mark.parametrize("name", [*NASTY, "a\\|b", "``", "`", "a``b`", "x\n# y\n| z |"])
def test_names_in_markdown_are_code_in_one_cell(name: str) -> None:
    told = as_markdown(results([ended(name, "crashed")]))
    lines = [t for t in told.splitlines() if t.startswith("| `") and "converted" in t]
    assert len(lines) == 1
    assert len(re.findall(r"(?<!\\)\|", lines[0])) == 5
    fence, inside = re.fullmatch(r"\| (`+)(.+?)\1 \| converted \| crashed \| .* \|", lines[0]).groups()  # type: ignore[union-attr]
    assert fence not in inside
    assert inside.replace("\\|", "|").strip() == words.line(name).replace("\\|", "\\¦").strip()


def test_markdown_fits_into_a_comment() -> None:
    rows = [ended(f"{'long' * 60}_{k}", "crashed", cause=f"{'why' * 99} {k}") for k in range(500)]
    told = as_markdown(results(rows), compare(results([converted(r.name) for r in rows]), results(rows)))
    assert len(told) < 65_536
    assert f"and {500 - MOST} more" in told


# --------------------------------------------------------------------------------------------------------- JUnit XML


def suite(text: str) -> ET.Element:
    """The one suite, after a look at what the schemas ask of it."""
    root = ET.fromstring(text)
    (found,) = root
    assert (root.tag, found.tag) == ("testsuites", "testsuite")
    assert not root.attrib
    assert set(found.attrib) == {
        "name", "package", "id", "hostname", "timestamp", "tests", "time", "failures", "errors", "skipped"}  # fmt: skip
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", found.attrib["timestamp"])
    tags = [child.tag for child in found]
    assert tags == ["properties", *["testcase"] * (len(tags) - 3), "system-out", "system-err"]
    for case in found.iter("testcase"):
        assert set(case.attrib) == {"name", "classname", "time"}
        assert re.fullmatch(r"\d+\.\d{3}", case.attrib["time"])
        assert all(case.attrib[a] and case.attrib[a] == " ".join(case.attrib[a].split()) for a in ("name", "classname"))
        assert len(case) <= 1
        assert all(set(end.attrib) == {"failure": {"type", "message"}, "error": {"type", "message"},
                                       "skipped": {"message"}}[end.tag] for end in case)  # fmt: skip
    for tag, count in (("failure", "failures"), ("error", "errors"), ("skipped", "skipped"), ("testcase", "tests")):
        assert len(list(found.iter(tag))) == int(found.attrib[count])
    return found


def test_junit_of_a_run() -> None:
    found = suite(junit(run()))
    ends = {c.attrib["name"]: [e.tag for e in c] for c in found.iter("testcase")}
    for name, row in run().rows.items():
        unexpected = ["error"] if row.status in ("crashed", "timed out", "out of memory") else ["failure"]
        wanted = ["skipped"] if row.status == "skipped" else [] if row.as_expected else unexpected
        assert ends[words.line(name).strip()] == wanted
    assert found.attrib["timestamp"] == "2026-05-04T03:02:01"


def test_junit_says_why_and_what_to_do() -> None:
    row = ended("m", "refused", expected="converted")
    (end,) = suite(junit(results([row]))).iter("failure")
    assert end.attrib["message"] == "refused, expected converted: 2 nodes have no way"
    assert "SOFIE: operator NonMaxSuppression is not supported" in str(end.text)
    assert "try: write a translation of your own" in str(end.text)


def test_junit_of_changes() -> None:
    old, new = (
        results([converted("a"), ended("b", "wrong"), converted("gone")]),
        results([ended("a", "refused"), ended("b", "wrong")]),
    )
    found = suite(junit(new, compare(old, new), only_changes=True))
    assert [(c.attrib["name"], len(c)) for c in found.iter("testcase")] == [("a", 1), ("b", 0)]
    assert [(c.attrib["name"], len(c)) for c in suite(junit(new, compare(old, new))).iter("testcase")] == [
        ("a", 1),
        ("b", 1),
    ]


@pytest.mark.parametrize("name", [*NASTY, "\0\ufffe\x0b", " ", "\r\n"])
def test_names_in_junit(name: str) -> None:
    row = ended(name, "failed", cause=name, error={"what": name, "why": name, "findings": [{"what": name}]})
    suite(junit(results([row])))


# ------------------------------------------------------------------------------------------------------- the command


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    new, old = save(run(), tmp_path / "new.json"), save(results([converted("gone")]), tmp_path / "old.json")
    places = [tmp_path / "out" / f"report{suffix}" for suffix in (".html", ".md", ".xml")]
    assert main([str(new), "--against", str(old), *(x for p in places for x in ("-o", str(p)))]) == 0
    assert capsys.readouterr().out.split() == [str(p) for p in places]
    html, markdown, xml = (p.read_text(encoding="utf-8") for p in places)
    assert html.startswith("<!DOCTYPE html>")
    assert "πρότυπο_モデル_🙂" in html
    assert "What changed" in html
    assert "Otherwise changed" in markdown
    suite(xml)


def test_unknown_suffixes_and_bad_files_are_refused(tmp_path: Path) -> None:
    good = str(save(run(), tmp_path / "good.json"))
    for bad in (["-o", str(tmp_path / "r.pdf")], ["--against", str(tmp_path / "none.json")]):
        with pytest.raises(UsageError):
            main([good, "-o", str(tmp_path / "r.md"), *bad])
    assert not (tmp_path / "r.md").exists()


def test_what_json_tells_is_what_the_row_has(tmp_path: Path) -> None:
    """Through a file and back, the page is the same."""
    assert page(Results.read(save(run(), tmp_path / "new.json"))) == page(run())
