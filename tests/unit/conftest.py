"""Fixtures that unit tests share."""

import logging
import sys

import pytest


@pytest.fixture(autouse=True)
def logging_as_before():
    """Take back what a command run in this process did to logging."""
    root, ventral = logging.getLogger(), logging.getLogger("ventral")
    handlers, level, raised = list(root.handlers), ventral.level, logging.raiseExceptions
    yield
    for handler in [handler for handler in root.handlers if handler not in handlers]:
        root.removeHandler(handler)
        handler.close()
    ventral.setLevel(level)
    logging.raiseExceptions = raised


@pytest.fixture
def importable(tmp_path, monkeypatch):
    """A function that makes a module of one's own of a text, for the time of a test, and returns its name."""
    made = []

    def make(name: str, text: str) -> str:
        (tmp_path / f"{name}.py").write_text(text)
        monkeypatch.syspath_prepend(tmp_path)
        made.append(name)
        return name

    yield make
    for name in made:
        sys.modules.pop(name, None)


@pytest.fixture(params=["float32", "float64"], scope="module")
def precision(request):
    """Inner errors of ridge regression in either precision, whatever the number of stimuli."""
    from ventral.mappings import held_out

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(held_out, "FLOAT32_FROM", 0 if request.param == "float32" else 10**9)
        yield request.param
