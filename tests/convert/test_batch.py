"""A zoo to results: what is found, names, limits, what is done again and what is not, and what a killed run leaves."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Sequence
from pathlib import Path
from shutil import copyfile
from typing import Any

import numpy as np
import psutil
import pytest

from convert.batch.row import Results, Row
from convert.batch.zoo import Entry, read_zoo, select
from convert.cli import main
from convert.errors import UsageError

ROOT = Path(__file__).parents[2]
FIXTURES = ROOT / "fixtures"

#: What a factory may do to its process.
BAD = """
    import os, signal, subprocess, sys, time

    def crash():
        os.kill(os.getpid(), signal.SIGSEGV)

    def hang():
        subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1000)"], start_new_session=True)
        time.sleep(1000)

    def eat():
        held = []
        while True:
            held.append(bytearray(100_000_000))
"""


@pytest.fixture
def zoo(tmp_path: Path) -> Path:
    """Two models of one file name, a damaged one, one without its architecture, and what is no model."""
    folder = tmp_path / "zoo"
    (folder / "sub").mkdir(parents=True)
    (folder / ".hidden").mkdir()
    for source, place in (
        ("mlp.onnx", "mlp.onnx"),
        ("cnn.onnx", "sub/mlp.onnx"),
        ("mlp.onnx", "sub/no_suffix"),
        ("mlp.onnx", ".hidden/mlp.onnx"),
        ("mlp.samples.npz", "data.npz"),
    ):
        copyfile(FIXTURES / source, folder / place)
    (folder / "broken.onnx").write_bytes((FIXTURES / "mlp.onnx").read_bytes()[:300])
    (folder / "README.md").write_text("no model")
    return folder


def results(output: Path) -> dict[str, Row]:
    return dict(Results.read(output / "results.json").rows)


def batch(*arguments: str | Path) -> int:
    return main(["batch", "--jobs", "2", *map(str, arguments)])


def test_a_folder_twice(zoo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    assert batch(zoo, "--output", out, "--keep") == 7  # the damaged one
    rows = results(out)
    assert {n: r.status for n, r in rows.items()} == {
        "broken": "refused", "mlp": "converted", "sub_mlp": "converted", "no_suffix": "converted"}  # fmt: skip
    assert "[4/4]" in capsys.readouterr().err
    for name in ("mlp", "sub_mlp", "no_suffix"):
        row = rows[name]
        assert set(row.files) == {f"{name}{s}" for s in (".hxx", ".dat", ".exported.onnx", ".inputs.npz")}
        assert all((out / f).is_file() for f in row.files)
        assert f"SOFIE_{name}" in (out / f"{name}.hxx").read_text()
        assert row.sizes["header"] == (out / f"{name}.hxx").stat().st_size
        assert [s["name"] for s in row.stages] == ["load", "rewrite", "emit", "verify", "write"]
        assert all(s["peak_memory"] > 0 for s in row.stages)
        assert {e["edge"] for e in row.errors} == {"rules", "sofie", "header vs exported"}
        assert len(row.spread) == 1
        assert not row.kept
    assert rows["broken"].cause == "BadModel: the ONNX model cannot be parsed"

    told = ["compare", str(out / "results.json")]
    assert main([*told, "--against", "onnxruntime"]) == 0
    header = out / "sub_mlp.hxx"
    whole = header.read_text()
    header.write_text(
        whole.replace("tensor_relu[id] = ((tensor_getitem[id] > 0 )", "tensor_relu[id] = ((tensor_getitem[id] > 1 )")
    )
    assert header.read_text() != whole
    assert main([*told, "--against", "onnxruntime"]) == 7
    assert "sub_mlp: wrong" in capsys.readouterr().err
    header.write_text(whole)

    before = {p: p.stat().st_mtime_ns for p in out.glob("*.hxx")}
    assert batch(zoo, "--output", out, "--keep") == 7
    assert all(r.kept for r in results(out).values())
    assert "4 of them unchanged" in capsys.readouterr().err
    assert before == {p: p.stat().st_mtime_ns for p in out.glob("*.hxx")}

    # one model changes and is refused now, one header was touched, one model came
    (zoo / "mlp.onnx").write_bytes((zoo / "broken.onnx").read_bytes())
    (out / "sub_mlp.hxx").write_text("touched")
    copyfile(FIXTURES / "mlp.onnx", zoo / "later.onnx")
    assert batch(zoo, "--output", out, "--keep") == 7
    rows = results(out)
    assert {n for n, r in rows.items() if not r.kept} == {"mlp", "sub_mlp", "later"}
    assert rows["mlp"].status == "refused"
    assert not list(out.glob("mlp.*"))  # no header is left of what is not converted any more
    assert (out / "sub_mlp.hxx").read_text() != "touched"


def test_a_zoo_file(tmp_path: Path) -> None:
    (tmp_path / "bad.py").write_text(textwrap.dedent(BAD))
    copyfile(FIXTURES / "mlp.state.pt", tmp_path / "mlp.pt")
    np.savez(tmp_path / "events.npz", x=np.ones((3, 4), np.float32))
    zoo = tmp_path / "zoo.toml"
    zoo.write_text(f"""
        [[model]]
        path = "mlp.pt"
        model = "{FIXTURES}/models.py:mlp"
        inputs = ["x:float32[N,4]"]
        samples = "events.npz"
        tags = ["good"]

        [[model]]
        path = "mlp.pt"
        name = "without"
        expected = "refused"
        cause = "architecture"
        tags = ["good"]

        [[model]]
        path = "mlp.pt"
        name = "otherwise"
        expected = "refused"
        cause = "NonZero"
        tags = ["good"]

        [[model]]
        factory = "bad.py:crash"
        expected = "crashed"

        [[model]]
        factory = "bad.py:hang"
        expected = "timed out"

        [[model]]
        factory = "bad.py:eat"
        expected = "out of memory"

        [[model]]
        package = "not_installed_anywhere"
        path = "model.onnx"
    """)
    assert batch(zoo, "--output", tmp_path / "good", "--tag", "good") == 7
    assert {n: r.as_expected for n, r in results(tmp_path / "good").items()} == {
        "mlp": True, "without": True, "otherwise": False}  # fmt: skip
    assert results(tmp_path / "good")["mlp"].tags == ("good",)

    # a limit that the eater reaches before the time is over
    limits = ("--timeout", "60", "--memory", "1")
    assert batch(zoo, "--output", tmp_path / "bad", "--only", "crash", "--only", "eat", "--only", "model", *limits) == 0
    rows = results(tmp_path / "bad")
    assert {n: r.status for n, r in rows.items()} == {"crash": "crashed", "eat": "out of memory", "model": "skipped"}
    assert "SIGSEGV in the stage load" in rows["crash"].error["what"].replace(",", "")  # type: ignore[index]
    assert batch(zoo, "--output", tmp_path / "hang", "--only", "hang", "--timeout", "15") == 0
    assert not orphans()


def orphans() -> list[str]:
    return [
        " ".join(p.info["cmdline"])
        for p in psutil.process_iter(["cmdline"])
        if "time.sleep(1000)" in (p.info["cmdline"] or [""])[-1]
    ]


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_broken_off_and_resumed(how: signal.Signals, zoo: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.py").write_text(textwrap.dedent(BAD))
    out = tmp_path / "out"
    places = [str(zoo / "mlp.onnx"), f"{tmp_path}/bad.py:hang", f"{tmp_path}/bad.py:crash"]
    command = [sys.executable, "-m", "convert", "batch", *places, "--output", str(out), "--jobs", "2"]
    running = subprocess.Popen(  # a shell's background jobs ignore SIGINT, and what they start inherits that
        command, cwd=ROOT, stderr=subprocess.PIPE, text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip
    deadline = time.monotonic() + 300
    journal = out / ".results.jsonl"
    # a line on how it was begun, and two rows
    while time.monotonic() < deadline and not (journal.exists() and journal.read_text().count("\n") == 3):
        time.sleep(0.2)
    running.send_signal(how)
    _, told = running.communicate(timeout=60)
    if how == signal.SIGINT:
        assert running.returncode == 130, told
        assert "1 not reached: --resume goes on" in told
        assert set(results(out)) == {"mlp", "crash"}
        assert not orphans()
    resumed = [*command[:4], "--resume", "--output", str(out), "--jobs", "2"]
    (tmp_path / "bad.py").write_text(textwrap.dedent(BAD.replace("time.sleep(1000)", "time.sleep(0)")))
    subprocess.run(resumed, cwd=ROOT, check=False, capture_output=True)
    assert not orphans()
    rows = results(out)
    assert set(rows) == {"mlp", "hang", "crash"}
    assert rows["mlp"].kept
    assert rows["hang"].status == "refused"  # the factory gives no model


def test_one_batch_a_folder(tmp_path: Path, zoo: Path) -> None:
    from convert.batch.journal import Journal

    with Journal(tmp_path / "out", {}), pytest.raises(UsageError, match="another batch"), Journal(tmp_path / "out", {}):
        pass


def test_rows_of_a_killed_run_are_taken_up(tmp_path: Path) -> None:
    from convert.batch.journal import Journal, made_of

    with Journal(tmp_path, {"arguments": ["zoo"]}) as journal:
        journal.add(Row("a", "a.onnx", "refused", "load", key="1"))
        journal.add(Row("b", "b.onnx", "refused", "load", key="1"))
    with (tmp_path / ".results.jsonl").open("a") as file:
        file.write('{"name": "c", "source": "cut off')
    assert made_of(tmp_path) == {"arguments": ["zoo"]}
    with Journal(tmp_path, {"arguments": ["other"]}) as journal:
        assert made_of(tmp_path) == {"arguments": ["other"]}
        assert journal.unchanged("a", "1") is not None
        assert journal.unchanged("a", "2") is None
        assert journal.earlier("c") is None
        journal.add(Row("b", "b.onnx", "refused", "load", key="2"))
        journal.close(["a", "b"], {"arguments": ["closed"]})
    assert made_of(tmp_path) == {"arguments": ["closed"]}
    assert [r.key for r in results(tmp_path).values()] == ["2"]
    assert not (tmp_path / ".results.jsonl").exists()


def named(*entries: tuple[str, str]) -> list[str]:
    from convert.batch.zoo import _named

    return [e.name for e in _named([Entry(name, f"/zoo/{label}", label) for name, label in entries])]


def test_names_are_distinct() -> None:
    assert named(("", "a/model.onnx"), ("", "b/model.onnx"), ("", "c.onnx")) == ["a_model", "b_model", "c"]
    assert named(("", "x.onnx"), ("", "X.onnx")) == ["x", "X_2"]  # one file on some disks
    assert named(("m", "a.onnx"), ("m", "b.onnx")) == ["m", "m_2"]
    assert named(("", "models.py:net"), ("", "class.onnx")) == ["net", "class_x"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[[model]]\nname = 1\npath = 'a'", ["name is 1, and not a string"]),
        ("[[model]]\npath = 'a'\nfactory = 'b:c'\nbatsh = 1", ["a path or a factory", "unknown key 'batsh'"]),
        ("[[model]]\npath = 'a'\nexpected = 'good'", ["expected is 'good'"]),
        ("[[model]]\npath = 'a'\ninputs = ['x:flot32[N]']", ["unknown dtype 'flot32'"]),
        ("[defaults]\nrtol = '1'\n[models]\n", ["rtol is '1', and not a number", "no 'models' in a zoo file"]),
        ("[[model", ["cannot read the zoo"]),
    ],
)
def test_a_bad_zoo_file(tmp_path: Path, text: str, words: Sequence[str]) -> None:
    (tmp_path / "zoo.toml").write_text(text)
    with pytest.raises(UsageError) as caught:
        read_zoo([str(tmp_path / "zoo.toml")], {})
    assert all(w in str(caught.value) for w in words), str(caught.value)


def test_a_list(tmp_path: Path) -> None:
    (tmp_path / "zoo.txt").write_text("a.onnx  # the first\n\n# none\nmodels.py:net\npackage.module:net\n")
    entries = read_zoo([str(tmp_path / "zoo.txt")], {"batch": 1})
    assert [e.source for e in entries] == [
        str(tmp_path / "a.onnx"), f"{tmp_path}/models.py:net", "package.module:net"]  # fmt: skip
    assert [e.options for e in entries] == [{"batch": 1}] * 3
    assert [e.name for e in select(entries, tags=(), only=["*.onnx"])] == ["a"]


@pytest.mark.parametrize("arguments", [[], ["--resume", "--output", "nowhere"], ["zoo.toml", "--jobs", "0"]])
def test_bad_usage(arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["batch", *arguments]) == 1
    assert capsys.readouterr().err.startswith("error: ")


@pytest.mark.slow
def test_a_dask_cluster(zoo: Path, tmp_path: Path) -> None:
    """A scheduler and two workers, one of them killed halfway: every model has its result."""
    pytest.importorskip("distributed", reason="Dask is not installed (the extra [dask])")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    told = tmp_path / "scheduler.json"
    scheduler = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "distributed.cli.dask_scheduler",
            "--port",
            "0",
            "--no-dashboard",
            "--scheduler-file",
            str(told),
        ],
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 120
    while not told.exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    address = json.loads(told.read_text())["address"]
    worker = [
        sys.executable,
        "-m",
        "distributed.cli.dask_worker",
        address,
        "--nthreads",
        "1",
        "--no-dashboard",
        "--no-nanny",
    ]
    workers = [
        subprocess.Popen([*worker, "--name", n], stderr=subprocess.DEVNULL, env=environment, cwd=tmp_path) for n in "ab"
    ]
    try:
        out = tmp_path / "out"
        command = [sys.executable, "-m", "convert", "batch", str(zoo), "--output", str(out), "--scheduler", address]
        running = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)
        journal = out / ".results.jsonl"
        while time.monotonic() < deadline + 200 and not (journal.exists() and journal.stat().st_size):
            time.sleep(0.1)
        workers[0].kill()
        _, said = running.communicate(timeout=300)
        assert running.returncode == 7, said
        assert {n: r.status for n, r in results(out).items()} == {
            "broken": "refused", "mlp": "converted", "sub_mlp": "converted", "no_suffix": "converted"}  # fmt: skip
    finally:
        for process in (*workers, scheduler):
            process.kill()
            process.wait()


def test_no_scheduler_there(zoo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("distributed", reason="Dask is not installed (the extra [dask])")
    assert batch(zoo, "--output", tmp_path / "out", "--scheduler", "not-an-address") == 1
    assert "no Dask scheduler answers" in capsys.readouterr().err
