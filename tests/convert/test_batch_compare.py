"""Two runs held against each other: what counts as a change, and which changes are regressions."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from batch_rows import VERSIONS, converted, ended, error, results, save

from convert.batch.compare import KINDS, REGRESSION, Change, compare, main, used
from convert.batch.limits import Limits
from convert.batch.row import Row
from convert.errors import UsageError

MIB = 2**20


def between(old: Row | None, new: Row | None, limits: Limits | None = None) -> tuple[Change, ...]:
    return compare(results([old] if old else []), results([new] if new else []), limits).found


def told(changes: tuple[Change, ...]) -> list[tuple[str, str, bool]]:
    return [(c.kind, c.what, c.regression) for c in changes]


def with_error(absolute: float | str, relative: float = 0.0, **tolerance: float) -> Row:
    allowed = {"rtol": 1e-4, "atol": 1e-5} | tolerance
    return converted("m", errors=(error("y", "sofie", absolute, relative, tolerance=allowed),))


def with_stage(seconds: float, **others: Any) -> Row:
    return converted("m", stages=({"name": "emit", "state": "done", "seconds": seconds, "summary": ""},), **others)


# ---------------------------------------------------------------------------------------------------- statuses


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (converted("m"), converted("m"), []),
        (converted("m"), ended("m", "refused"), [("newly failing", "status", True)]),
        (converted("m"), ended("m", "crashed"), [("newly failing", "status", True)]),
        (ended("m", "wrong"), converted("m"), [("newly passing", "status", False)]),
        (ended("m", "refused"), ended("m", "refused"), []),
        (ended("m", "refused"), ended("m", "refused", cause="other"), [("another reason", "status", False)]),
        (ended("m", "refused"), ended("m", "crashed"), [("another reason", "status", True)]),
        (ended("m", "refused"), ended("m", "wrong"), [("another reason", "status", True)]),
        (ended("m", "crashed"), ended("m", "timed out"), [("another reason", "status", False)]),
        (ended("m", "wrong"), ended("m", "refused"), [("another reason", "status", False)]),
        (ended("m", "refused"), ended("m", "refused", stage="emit"), [("another reason", "status", False)]),
        (None, ended("m", "crashed"), [("came", "status", False)]),
        (converted("m"), None, [("went", "status", False)]),
        (ended("m", "skipped"), converted("m"), [("came", "status", False)]),
        (converted("m"), ended("m", "skipped"), [("went", "status", False)]),
        (ended("m", "skipped"), ended("m", "skipped"), []),
    ],
)
def test_statuses(old: Row | None, new: Row | None, expected: list[tuple[str, str, bool]]) -> None:
    assert told(between(old, new)) == expected


def test_a_refusal_for_another_reason_than_the_zoo_expects_is_a_regression() -> None:
    old = ended("m", "refused", expected="refused", expected_cause="NonMaxSuppression")
    new = replace(old, cause="BadModel", error={"what": "the file is damaged"})
    assert told(between(old, new)) == [("another reason", "status", True)]


def test_a_model_that_went_is_a_regression_where_all_are_asked_for() -> None:
    limits = Limits(complete=True)
    assert [c.regression for c in between(converted("m"), None, limits)] == [True]
    assert [c.regression for c in between(converted("m"), ended("m", "skipped"), limits)] == [True]
    assert [c.regression for c in between(None, converted("m"), limits)] == [False]


# ------------------------------------------------------------------------------------------------------ errors


@pytest.mark.parametrize(
    ("old", "new", "grown"),
    [
        (with_error(1e-9), with_error(1e-7), False),  # 100 times, and noise: 1 % of the tolerance
        (with_error(0.0), with_error(9e-7), False),
        (with_error(0.0), with_error(1.1e-6), True),  # more than 10 times the floor
        (with_error(3e-7), with_error(2.9e-6), False),
        (with_error(3e-7), with_error(3.1e-6), True),
        (with_error(1e-6, 1e-9), with_error(1e-4, 1e-8), False),  # large numbers: relative to them it is noise
        (with_error(1e-6, 1e-6), with_error(1e-4, 1e-3), True),
        (with_error(1e-6), with_error("inf"), True),
        (with_error("inf"), with_error("inf"), False),
        (with_error(0.0, rtol=0, atol=0), with_error(1.0, rtol=0, atol=0), True),  # integers are equal or not
        (with_error(1e-6, rtol=1.0, atol=1.0), with_error(1e-6), False),  # by the new run's tolerance
    ],
)
def test_errors(old: Row, new: Row, *, grown: bool) -> None:
    assert told(between(old, new)) == ([("error grown", "y, sofie", True)] if grown else [])


def test_the_factor_is_the_users() -> None:
    assert between(with_error(3e-7), with_error(2e-6), Limits(error_factor=5))
    assert not between(with_error(3e-7), with_error(1e-5), Limits(error_factor=100))


def test_outputs_and_comparisons_are_held_apart() -> None:
    old = converted("m", errors=(error("a", "sofie", 1e-9), error("b", "sofie", 1e-6), error("b", "rules", 1e-9)))
    new = converted("m", errors=(error("a", "sofie", 1e-9), error("b", "sofie", 1e-6), error("b", "rules", 1e-5)))
    assert told(between(old, new)) == [("error grown", "b, rules", True)]


def test_a_reference_that_is_not_compared_with_any_more_is_told() -> None:
    old = converted("m", errors=(error("y", "sofie", 0.0), error("y", "header vs framework", 0.0)))
    new = replace(old, errors=old.errors[:1])
    assert told(between(old, new)) == [("less compared", "y, header vs framework", False)]
    assert [c.regression for c in between(old, new, Limits(complete=True))] == [True]
    assert not between(new, old)


@pytest.mark.parametrize(
    ("absolute", "relative", "share"),
    [
        (0.0, 0.0, 0.0),
        (1e-6, 0.0, 0.1),  # near zero only
        (1e-5, 1e-4, 0.5),  # an element of 0.1, of which 2e-5 is allowed
        (1e-6, 1e-1, 0.1),
        (1e-4, 1e-9, 1e-5),  # elements of 1e5
        (3e-4, 1e-3, 1.0),  # not of one element: none was wrong
        ("inf", 0.0, float("inf")),
        ("nan", 0.0, float("inf")),
    ],
)
def test_how_much_of_its_tolerance_an_error_uses(absolute: float | str, relative: float, share: float) -> None:
    assert used(error("y", "sofie", absolute, relative)) == pytest.approx(share, rel=2e-3)


def test_what_is_wrong_uses_up_all_of_its_tolerance() -> None:
    assert used(error("y", "sofie", 1e-3, 1e-6, wrong=1)) == 1
    assert used(error("y", "sofie", 1.0, 1.0, wrong=1)) > 1000
    assert used(error("y", "sofie", 0.0, problem="shape [1] instead of [2]")) == float("inf")


# ------------------------------------------------------------------------------------------- seconds and bytes


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (with_stage(0.1), with_stage(0.55), []),  # 5 times, but not half a second
        (with_stage(0.1), with_stage(0.65), [("slower", "stage emit", True)]),
        (with_stage(10), with_stage(14), []),
        (with_stage(10), with_stage(16), [("slower", "stage emit", True)]),
        (with_stage(10), with_stage(100, kept=True), []),  # the times are of another run
    ],
)
def test_stages(old: Row, new: Row, expected: list[tuple[str, str, bool]]) -> None:
    assert told(between(old, new)) == expected


def test_a_stage_that_ran_again_counts_as_one() -> None:
    once, twice = with_stage(10), with_stage(10)
    assert told(between(once, replace(twice, stages=twice.stages * 2))) == [("slower", "stage emit", True)]


@pytest.mark.parametrize(
    ("old", "new", "slower"),
    [
        ({"header": 1e-4}, {"header": 2e-4}, True),
        ({"header": 1e-6}, {"header": 2e-6}, False),  # a microsecond
        ({"header": 1e-4, "onnxruntime": 1e-4}, {"header": 2e-4, "onnxruntime": 2e-4}, False),  # the machine
        ({"header": 1e-4, "onnxruntime": 1e-4}, {"header": 2e-4, "onnxruntime": 1e-4}, True),
        ({"header": 1e-4}, {}, False),
    ],
)
def test_latencies(old: Mapping[str, float], new: Mapping[str, float], *, slower: bool) -> None:
    changes = between(converted("m", latency=old), converted("m", latency=new))
    assert told(changes) == ([("slower", "latency of the header", True)] if slower else [])


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ({"header": 1000}, {"header": 2000}, []),  # less than a KiB
        ({"header": 100_000}, {"header": 109_000}, []),
        ({"header": 100_000}, {"header": 112_000}, [("larger", "header", True)]),
        ({"weights": 100_000}, {"weights": 112_000}, [("larger", "weights", True)]),
        ({}, {"weights": 112_000}, []),
    ],
)
def test_sizes(old: Mapping[str, int], new: Mapping[str, int], expected: list[tuple[str, str, bool]]) -> None:
    assert told(between(converted("m", sizes=old), converted("m", sizes=new))) == expected


@pytest.mark.parametrize(("old", "new", "larger"), [(100, 160, False), (1000, 1090, False), (1000, 1200, True)])
def test_memory(old: int, new: int, *, larger: bool) -> None:
    before, after = converted("m", peak_memory=old * MIB), converted("m", peak_memory=new * MIB)
    assert told(between(before, after)) == ([("larger", "peak memory", True)] if larger else [])
    assert not between(before, replace(after, kept=True))


# ------------------------------------------------------------------------------------------------------- whole


def test_the_worst_comes_first_and_models_are_counted_once() -> None:
    old = results([converted("a"), converted("b", sizes={"header": 10_000, "weights": 10_000}), ended("c", "wrong")])
    new = results(
        [
            ended("a", "failed"),
            converted("b", sizes={"header": 90_000, "weights": 90_000}),
            converted("c"),
            converted("d"),
        ]
    )
    changes = compare(old, new)
    assert [c.kind for c in changes.found] == ["newly failing", "larger", "larger", "newly passing", "came"]
    assert changes.counts == {"newly failing": 1, "larger": 1, "newly passing": 1, "came": 1}
    assert list(changes.counts) == [k for k in KINDS if k in changes.counts]
    assert changes.compared == 3
    assert [c.kind for c in changes.by_model["b"]] == ["larger", "larger"]


def test_versions_that_changed_are_told() -> None:
    old = results([converted("a"), converted("b")])
    new = results([converted("a", versions=VERSIONS | {"onnx": "1.24.0"}), converted("b")])
    assert compare(old, new).versions == {"onnx": ("1.23.0", "1.23.0, 1.24.0")}


@pytest.fixture
def runs(tmp_path: Path) -> tuple[str, str]:
    old = results([converted("a"), ended("b", "wrong"), converted("c", errors=(error("y", "sofie", 1e-6),))])
    new = results([ended("a", "refused"), converted("b"), converted("c", errors=(error("y", "sofie", "inf"),))])
    return str(save(old, tmp_path / "old.json")), str(save(new, tmp_path / "new.json"))


def test_the_command(runs: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written = [tmp_path / name for name in ("c.json", "c.md", "c.xml")]
    options = [
        x
        for option, place in zip(("--json", "--markdown", "--junit"), written, strict=True)
        for x in (option, str(place))
    ]
    assert main([*runs, *options]) == REGRESSION == 7
    printed = capsys.readouterr().out
    assert "REGRESSION: 2 models got worse" in printed
    assert "newly failing" in printed
    assert "∞" in printed
    told = json.loads(written[0].read_text(encoding="utf-8"))
    assert told["regression"] is True
    assert told["counts"] == {"newly failing": 1, "error grown": 1, "newly passing": 1}
    assert told["found"][1]["after"] == "inf"
    assert "### Worse" in written[1].read_text(encoding="utf-8")
    assert 'failures="2"' in written[2].read_text(encoding="utf-8")


def test_no_regression_is_exit_code_0(runs: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([runs[0], runs[0]]) == 0
    assert "nothing changed" in capsys.readouterr().out
    assert main([runs[1], runs[0]]) == REGRESSION


def test_limits_from_the_command_line(tmp_path: Path) -> None:
    old, new = (str(save(results([with_stage(s)]), tmp_path / f"{s}.json")) for s in (10, 18))
    assert main([old, new]) == REGRESSION
    assert main([old, new, "--slower", "2"]) == 0


@pytest.mark.parametrize("ratio", ["1", "0.5", "nan", "much"])
def test_limits_that_make_no_sense(ratio: str, runs: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main([*runs, "--larger", ratio])
    assert f"{ratio} is no number above 1" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"rows": [], "schema": 99}', "\0"])
def test_bad_files_are_refused(text: str, tmp_path: Path, runs: tuple[str, str]) -> None:
    bad = tmp_path / "bad.json"
    bad.write_text(text)
    for pair in ([str(bad), runs[0]], [runs[0], str(bad)], [runs[0], str(tmp_path / "none.json")]):
        with pytest.raises(UsageError):
            main(pair)


def test_terminals_get_no_escape_sequences(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    old, new = (
        save(results([r]), tmp_path / f"{k}.json")
        for k, r in enumerate((converted("\x1b[2J[bold]x"), ended("\x1b[2J[bold]x", "wrong")))
    )
    assert main([str(old), str(new)]) == REGRESSION
    printed = capsys.readouterr().out
    assert "\x1b" not in printed
    assert "[bold]x" in printed
