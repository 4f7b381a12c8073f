from __future__ import annotations

from pathlib import Path

import pytest

from sofie_bridge import cache


def test_key_separates_its_parts() -> None:
    assert cache.key("ab", "c") != cache.key("a", "bc")
    assert cache.key("ab", b"c") == cache.key(b"ab", "c")


def test_publish_is_all_or_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(cache.VARIABLE, str(tmp_path / "here"))
    path = cache.entry("text", cache.key("x"))
    assert path.is_relative_to(tmp_path / "here")
    with pytest.raises(UnicodeEncodeError), cache.publish(path) as scratch:
        scratch.write_text("half\udc80", encoding="utf-8")
    assert not list(path.parent.iterdir())
    for text in ("first", "second"):
        with cache.publish(path) as scratch:
            scratch.write_text(text)
    assert path.read_text() == "second"
    assert list(path.parent.iterdir()) == [path]
