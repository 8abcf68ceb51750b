"""Pickles are read without executing code: arrays, text and numbers as NumPy wrote them, all else refused by name."""

import collections
import datetime
import os
import pickle

import numpy as np
import pytest

from ventral.datasets.pickles import read_pickle
from ventral.errors import InputError


def message(path):
    with pytest.raises(InputError) as caught:
        read_pickle(path, "mine")
    return str(caught.value)


def saved(path, value, protocol=4):
    path.write_bytes(pickle.dumps(value, protocol=protocol))
    return path


CONTENT = {
    "floats": np.arange(24, dtype=np.float32).reshape(2, 3, 4),
    "by columns": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    "other order of bytes": np.arange(3, dtype=">i4"),
    "truths": np.array([True, False]),
    "text": np.array([["original"], ["conv1"]]),
    "bytes": np.array([b"a", b"bc"]),
    "objects": np.array([["original", b"conv1"], [3, 1.5]], dtype=object),
    "arrays in arrays": [np.array([1, 2]), (np.array([3.5]),), {"k": np.array([4])}],
    "empty": np.zeros((0, 3)),
    "none": None,
    "numbers": [1, 2.5, True, "text", b"bytes", np.float64(3.5), np.int16(4)],
}


def assert_same(found, expected):
    assert type(found) is type(expected)
    if isinstance(expected, dict):
        assert list(found) == list(expected)
        found, expected = list(found.values()), list(expected.values())
    if isinstance(expected, np.ndarray):
        assert found.dtype == expected.dtype
        np.testing.assert_array_equal(found, expected)
    elif isinstance(expected, list | tuple):
        for one, other in zip(found, expected, strict=True):
            assert_same(one, other)
    else:
        assert found == expected


@pytest.mark.parametrize("protocol", range(6))
def test_what_numpy_pickles_is_read_as_numpy_reads_it(tmp_path, protocol):
    path = saved(tmp_path / "data.pkl", CONTENT, protocol)
    assert_same(read_pickle(path, "mine"), CONTENT)


def test_names_of_other_versions_of_numpy_are_known(tmp_path):
    text = pickle.dumps(np.arange(3.0), protocol=0)
    here = b"numpy._core" if b"numpy._core" in text else b"numpy.core"
    for there in (b"numpy.core", b"numpy._core"):
        path = tmp_path / "data.pkl"
        path.write_bytes(text.replace(here, there))
        np.testing.assert_array_equal(read_pickle(path, "mine"), [0, 1, 2])


def test_a_pickle_of_python_2_is_read(tmp_path):
    # Of `pickle.dumps({"a": numpy.array([1.5])}, 0)` in Python 2: text of bytes.
    path = tmp_path / "data.pkl"
    path.write_bytes(
        b"(dp0\nS'a'\np1\ncnumpy.core.multiarray\n_reconstruct\np2\n(cnumpy\nndarray\np3\n(I0\ntp4\nS'b'\np5\ntp6\nRp7\n"
        b"(I1\n(I1\ntp8\ncnumpy\ndtype\np9\n(S'f8'\np10\nI0\nI1\ntp11\nRp12\n(I3\nS'<'\np13\nNNNI-1\nI-1\nI0\ntp14\nb"
        b"I00\nS'\\x00\\x00\\x00\\x00\\x00\\x00\\xf8?'\np15\ntp16\nbs."
    )
    found = read_pickle(path, "mine")
    np.testing.assert_array_equal(found["a"], [1.5])


class Malicious:
    """What makes a file when it is loaded by Python."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return os.mkdir, (self.path,)


@pytest.mark.parametrize("protocol", range(6))
def test_a_malicious_pickle_executes_nothing_and_is_refused_by_name(tmp_path, protocol):
    made = tmp_path / "made"
    path = saved(tmp_path / "data.pkl", {"images": np.zeros(2), "responses": Malicious(made)}, protocol)
    said = message(path)
    assert said == (
        f"mine: {path}: it has `{os.mkdir.__module__}.mkdir`, which is not read, as it could run any code; arrays of "
        f"NumPy, dict, list, tuple, text and numbers are right"
    )
    assert not made.exists()
    # The same file does harm where it is loaded.
    pickle.loads(path.read_bytes())
    assert made.exists()


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (print, "`builtins.print`"),
        (collections.OrderedDict(a=1), "`collections.OrderedDict`"),
        (datetime.date(2019, 1, 1), "`datetime.date`"),
        (np.zeros(2, dtype=[("a", "f8"), ("b", "O")]), "an array of type 'V16'"),
        (np.zeros(2, dtype="M8[D]"), "an array of type 'M8'"),
        (np.ma.array([1.0]), "`numpy.ma"),
        (np.random.default_rng(0), "`numpy.random._pickle.__"),
    ],
)
def test_everything_else_is_refused_by_name(tmp_path, value, name):
    path = saved(tmp_path / "data.pkl", value)
    assert f"it has {name}" in message(path)


def array_of(kind, state, content):
    """The text of a pickle of an array of a type with some state, which NumPy itself would trust."""
    return (
        b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntS'b'\ntR(I1\n(I1\ntcnumpy\ndtype\n(S'"
        + kind
        + b"'\nI0\nI1\ntR"
        + state
        + b"bI00\n"
        + content
        + b"tb."
    )


PLAIN = b"(I3\nS'<'\nNNNI-1\nI-1\nI0\nt"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # Bytes that would be taken for addresses of objects.
        (
            array_of(b"O8", b"(I3\nS'|'\nNNNI-1\nI-1\nI63\nt", b"S'\\x01\\x02\\x03\\x04\\x05\\x06\\x07\\x08'\n"),
            "an array of objects that is not a list",
        ),
        (array_of(b"V8", b"(I3\nS'|'\nN(S'a'\nt(dI8\nI1\nI0\nt", b"S'12345678'\n"), "an array of type 'V8'"),
        (array_of(b"f8", b"(I3\nS'<'\nN(S'a'\nt(dI8\nI1\nI0\nt", b"S'12345678'\n"), "an array of type 'f8'"),
        (array_of(b"f8,O8", PLAIN, b"S'1234567812345678'\n"), "an array of type 'f8,O8'"),
        (array_of(b"f8", PLAIN, b"S'1234'\n"), "cannot be read, or cut short: ValueError"),
        (b"c_codecs\nencode\n(S'ab'\nS'rot13'\ntR.", "it has bytes in 'rot13'"),
        (b"cos\nsystem\n(S'true'\ntR.", "it has `os.system`"),
        (b"Pelsewhere\n.", "cannot be read, or cut short: UnpicklingError"),
        (b"\x80\x04\x8c\x08builtins\x8c\x04eval\x93.", "it has `builtins.eval`"),
        (b"\x80\x04", "cannot be read, or cut short: EOFError"),
        (b"", "cannot be read, or cut short: EOFError"),
        (b"no pickle", "cannot be read, or cut short: "),
    ],
)
def test_pickles_that_are_made_to_do_harm_or_damaged_are_refused(tmp_path, text, expected):
    path = tmp_path / "data.pkl"
    path.write_bytes(text)
    said = message(path)
    assert said.startswith(f"mine: {path}: ")
    assert expected in said


def test_a_pickle_that_is_not_there_is_said(tmp_path):
    path = tmp_path / "data.pkl"
    assert message(path) == f"mine: {path}: no such file; a pickle of Python is right"
