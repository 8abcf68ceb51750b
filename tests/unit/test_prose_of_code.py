"""Docstrings, comments and messages are in plain English: short sentences, the subject first."""

import pytest

from tests.documentation import ROOT
from tests.prose import offences, texts

FOLDERS = ["workflow/ventral", "workflow/snakemake_logger_plugin_ventral", "workflow/rules", "benchmarks"]
FILES = sorted(file for folder in FOLDERS for file in (ROOT / folder).rglob("*") if file.suffix in {".py", ".smk"})

LONG = "word " * 26


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_texts_of_code_are_plain(file):
    assert not [f"line {text.line}: {text.sentence}" for text in offences(file)]


@pytest.fixture
def found(tmp_path):
    """Return what breaks a rule in a source."""

    def offending(source: str, suffix: str = ".py") -> list[str]:
        file = tmp_path / f"source{suffix}"
        file.write_text(source, encoding="utf-8")
        return [text.kind for text in offences(file)]

    return offending


@pytest.mark.parametrize(
    ("source", "kind"),
    [
        (f'"""{LONG}."""', "module"),
        (f'"""Short.\n\n{LONG}.\n"""', "docstring"),
        (f'class A:\n    """{LONG}."""', "summary"),
        (f'def f(x):\n    """Do.\n\n    Parameters\n    ----------\n    x : int\n        {LONG}."""', "docstring"),
        (f'def f(x):\n    """Short.\n\n    Notes\n    -----\n    {LONG}."""', "docstring"),
        ('def f():\n    """Of two, the first."""', "summary"),
        ('def f():\n    """What a model is."""', "summary"),
        ('def f():\n    """Whether a model is."""', "summary"),
        (f"# {LONG}", "comment"),
        (f"# {LONG[:60]}\n# {LONG[60:]}", "comment"),
        ("x = 1  # Of two, the first.", "comment"),
        (f'raise InputError(f"{{path}}: {LONG}; right")', "message"),
        (f'logger.warning("%s: {LONG}", path)', "message"),
        (f'logger.info("{LONG[:60]}" "{LONG[60:]}")', "message"),
        (f'raise InputError("{LONG[:60]}" + "{LONG[60:]}")', "message"),
    ],
)
def test_a_text_that_is_not_plain_is_found(found, source, kind):
    assert found(source) == [kind]


@pytest.mark.parametrize(
    "source",
    [
        '"""What a model is."""',
        'def f():\n    """Short.\n\n    What follows is short, too.\n    """',
        f'def f():\n    """Short.\n\n    Examples\n    --------\n    {LONG}\n    """',
        f'def f():\n    """Short `{LONG}`."""',
        f'def f():\n    """Short.\n\n    As code:\n\n        {LONG}\n    """',
        f"# noqa {LONG}",
        f"# {LONG[:60]}\n\n# {LONG[60:]}",
        f'raise InputError("{LONG[:60]}: {LONG[60:]}")',
        f'raise InputError(f"{{{"a + " * 30}a}} is wrong")',
        f'text = "{LONG}"',
    ],
)
def test_code_and_short_sentences_are_plain(found, source):
    assert not found(source)


def test_texts_of_rules_are_found(found):
    rule = 'rule fit:\n    input:\n        "a.zarr",  # Of the layers.\n    shell:\n        "fit"\n'
    assert found(f'{rule}\n\ndef inputs_of(w):\n    """{LONG}."""\n', ".smk") == ["comment", "summary"]


def test_a_text_is_found_once():
    source = '"""A."""\n# B.\ndef f():\n    """C.\n\n    D.\n    """\n    logger.info("E: f")\n'
    assert sorted(text.sentence for text in texts(source)) == ["A.", "B.", "C.", "D.", "E:", "f"]
