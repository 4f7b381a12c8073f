from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sofie_bridge import process
from sofie_bridge.process import run_child


def _gone(pid: int) -> bool:
    for _ in range(200):
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return True
        if state == "Z":  # dead, and not reaped by whoever inherited it
            return True
        time.sleep(0.05)
    return False


def _pid_in(path: Path) -> int:
    for _ in range(200):
        if path.exists() and path.read_text().endswith("\n"):
            return int(path.read_text())
        time.sleep(0.05)
    raise AssertionError("the child did not start")


def test_output_code_and_input() -> None:
    done = run_child(["sh", "-c", "cat; echo $WORD >&2; exit 3"], time_limit=30, env={"WORD": "err"}, stdin=b"in")
    assert (done.returncode, done.stdout, done.stderr, done.timed_out) == (3, "in", "err\n", False)


def test_signal_and_missing_command() -> None:
    assert run_child(["sh", "-c", "kill -SEGV $$"], time_limit=30).signal_name == "SIGSEGV"
    missing = run_child(["no-such-command"], time_limit=30)
    assert missing.returncode == 127
    assert "cannot run no-such-command" in missing.stderr


def test_time_limit_ends_grandchildren_too(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    done = run_child(["sh", "-c", f"sleep 100 & echo $! > {pid_file}; wait"], time_limit=1)
    assert done.timed_out
    assert done.signal_name == "SIGKILL"
    assert _gone(_pid_in(pid_file))


def test_a_grandchild_left_behind_neither_hangs_nor_stays(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    start = time.monotonic()
    assert run_child(["sh", "-c", f"sleep 100 & echo $! > {pid_file}"], time_limit=60).returncode == 0
    assert time.monotonic() - start < 30
    assert _gone(_pid_in(pid_file))


def test_memory_limit() -> None:
    done = run_child([sys.executable, "-c", "bytearray(1 << 30)"], time_limit=60, memory_limit=256 << 20)
    assert done.returncode == 1
    assert "MemoryError" in done.stderr


def test_flood_is_cut_in_the_middle() -> None:
    done = run_child([sys.executable, "-c", "print('a' + 'x' * (5 << 20) + 'z')"], time_limit=60)
    assert len(done.stdout) < process.KEPT + 100
    assert done.stdout.startswith("ax")
    assert done.stdout.endswith("xz\n")


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGKILL])
def test_child_ends_with_its_parent(tmp_path: Path, sent: signal.Signals) -> None:
    pid_file = tmp_path / "pid"
    code = (
        "import sys; from sofie_bridge.process import run_child; "
        f"run_child(['sh', '-c', 'echo $$ > {pid_file}; exec sleep 100'], time_limit=90)"
    )
    root = str(Path(process.__file__).parents[1])
    parent = subprocess.Popen(  # a shell's background jobs ignore SIGINT, and what they start inherits that
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": root},
        stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    child = _pid_in(pid_file)
    parent.send_signal(sent)
    _, said = parent.communicate(timeout=60)
    assert _gone(child)
    if sent == signal.SIGINT:
        assert b"KeyboardInterrupt" in said
