"""A header run in a process of its own, which may crash, hang or eat memory without harm."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from convert.errors import BadSamples, RunFailed, VerifyError
from sofie_bridge.header import Built, Header, build
from sofie_bridge.library import Array
from sofie_bridge.memory import checked_memory
from sofie_bridge.process import Completed, run_child
from sofie_bridge.signature import Signature
from sofie_bridge.toolchain import Toolchain

_KINDS: dict[str, type[VerifyError]] = {"RunFailed": RunFailed, "BadSamples": BadSamples}


def run_header(
    header_path: str | Path,
    weights: str | Path | None,
    samples: Sequence[Mapping[str, Array]],
    *,
    toolchain: Toolchain | None = None,
    optimise: str = "-O2",
    definitions: Sequence[str] = (),
    includes: Sequence[Path] = (),
    time_limit: float = 300.0,
    memory_limit: int | None = None,
) -> list[dict[str, Array]]:
    """Compile a header and run it on all samples in turn, with one session, in a process of its own.

    After the last sample the first is run again and has to give the same bits: a session must not remember.

    :param samples: inputs by the header's names, see :class:`sofie_bridge.header.Header`.
    :param time_limit: seconds for all samples together; compiling has a limit of its own.
    :param memory_limit: bytes of writable memory, Python's included (about 50 MB).
    :returns: outputs of each sample, by name.
    :raises RunFailed: a crash, an exception, a limit, or an answer that changes.
    :raises BadSamples: the samples do not fit the header.
    :raises CompileFailed: the header does not compile.
    :raises NoCompiler: no compiler or BLAS.
    """
    if not samples:
        raise BadSamples("no samples to run the header on", where=str(header_path))
    built = build(
        header_path, weights, toolchain=toolchain, optimise=optimise, definitions=definitions, includes=includes
    )
    with tempfile.TemporaryDirectory(prefix="sofie-run-") as name:
        folder = Path(name)
        for index, sample in enumerate(samples):
            _save(folder / f"in{index}.npz", sample)
        request = {"library": str(built.library), "names": asdict(built.names), "weights": built.weights}
        (folder / "request.json").write_text(json.dumps({**request, "samples": len(samples)}))
        # found from wherever the parent was started, and nothing else found there
        path = str(Path(__file__).parents[1])
        done = run_child(
            [sys.executable, "-c", _START, path, name],
            time_limit=time_limit,
            memory_limit=memory_limit,
            env={"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "PYTHONSAFEPATH": "1", **checked_memory()},
        )
        _raise(done, folder / "outcome.json", built.names.name, time_limit, memory_limit)
        return [_read(folder / f"out{index}.npz") for index in range(len(samples))]


#: ``python -m`` would put the current folder first in the search path, whatever modules lie there.
_START = "import sys; sys.path.insert(0, sys.argv[1]); from sofie_bridge.isolate import main; main(sys.argv[2])"


def _save(path: Path, arrays: Mapping[str, Array]) -> None:
    """As .npz; the arrays are numbered, since some names (``file``) cannot be keys."""
    numbered: dict[str, Any] = {str(i): a for i, a in enumerate(arrays.values())}
    np.savez(path, names=np.array(list(arrays), dtype=np.str_), **numbered)


def _read(path: Path) -> dict[str, Array]:
    with np.load(path, allow_pickle=False) as stored:
        return {str(name): stored[str(i)] for i, name in enumerate(stored["names"])}


def _raise(done: Completed, outcome: Path, name: str, time_limit: float, memory_limit: int | None) -> None:
    """Turn a child that did not come through into an error."""
    told = json.loads(outcome.read_text()) if outcome.exists() else None
    limit = f"{memory_limit / 2**20:.0f} MB" if memory_limit else "what this machine has"
    said = "\n".join(done.stderr.strip().splitlines()[-3:])
    if done.timed_out:
        raise RunFailed(f"the header did not finish in {time_limit:g} s", where=name, advice="raise the time limit")
    if "bad_alloc" in (told or {}).get("why", "") or (told is None and "MemoryError" in said):
        raise RunFailed(f"the header needs more memory than {limit}", where=name, advice="raise the memory limit")
    if done.signal_name:
        killed = "the system may have run out of memory" if done.signal_name == "SIGKILL" else said
        raise RunFailed(f"the header crashed with {done.signal_name}", where=name, why=killed)
    if told is None or done.returncode != 0:
        raise RunFailed(f"the process that runs the header ended with code {done.returncode}", where=name, why=said)
    if told["kind"] != "ok":
        raise _KINDS[told["kind"]](told["what"], where=told["where"] or name, why=told["why"], advice=told["advice"])


def main(name: str) -> None:
    """The child: run what ``name``/request.json asks for; the outcome goes to outcome.json."""
    folder = Path(name)
    request = json.loads((folder / "request.json").read_text())
    names: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in request["names"].items()}
    outcome: dict[str, Any] = {"kind": "ok"}
    try:
        with Header(Built(Path(request["library"]), Signature(**names), request["weights"])) as header:
            for index in range(request["samples"]):
                _save(folder / f"out{index}.npz", header(**_read(folder / f"in{index}.npz")))
            _repeat(header, folder)
    except (RunFailed, BadSamples) as error:
        outcome = error.as_json()
    (folder / "outcome.json").write_text(json.dumps(outcome))


def _repeat(header: Header, folder: Path) -> None:
    before, after = _read(folder / "out0.npz"), header(**_read(folder / "in0.npz"))
    changed = [n for n in before if before[n].tobytes() != after[n].tobytes() or before[n].shape != after[n].shape]
    if changed:
        raise RunFailed(
            "the header keeps state between calls",
            why=f"the first sample, run again after the last, gave other bits in {', '.join(changed)}",
        )
