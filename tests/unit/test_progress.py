"""Lines that say how far a long computation is."""

import logging
from types import SimpleNamespace

import pytest

from ventral.running import progress
from ventral.running.progress import Progress


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (20.0, "extract net: 40/80 images, 2.0 images/s, 20 s left"),
        (400.0, "extract net: 40/80 images, 10.0 s each, 400 s left"),
    ],
)
def test_a_unit_that_takes_longer_than_a_second_is_told_in_seconds(monkeypatch, caplog, seconds, said):
    with caplog.at_level(logging.INFO, logger="ventral"):
        monkeypatch.setattr(progress, "time", SimpleNamespace(monotonic=lambda: 0.0))
        lines = Progress("extract net", 80, "images")
        monkeypatch.setattr(progress, "time", SimpleNamespace(monotonic=lambda: seconds))
        lines.advance(40)
    assert caplog.messages[-1] == said
