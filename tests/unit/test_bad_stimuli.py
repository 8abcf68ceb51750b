"""Folders, zips and tables of stimuli as people have them: refused by name, or said once what is left out."""

import datetime
import decimal
import io
import logging
import os
import re
import socket
import struct
import warnings
import zipfile
import zlib
from contextlib import suppress

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import trimesh
from PIL import Image

from ventral.errors import InputError
from ventral.stimuli import backgrounds, meshes
from ventral.stimuli.ingestion import describe, ingest
from ventral.stimuli.rendering import assemble, plan
from ventral.store import read_dataset

KEY = "stimuli.mine"


def image(seed=0, size=(8, 6)):
    stream = io.BytesIO()
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    Image.fromarray(pixels).save(stream, "png")
    return stream.getvalue()


def fill(folder, *names):
    for seed, name in enumerate(names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(image(seed))
    return folder


@pytest.fixture
def folder(tmp_path):
    """Two images, a.png and b.png."""
    return fill(tmp_path / "images", "a.png", "b.png")


def zipped(path, *names):
    with warnings.catch_warnings(), zipfile.ZipFile(path, "w") as archive:
        warnings.simplefilter("ignore")  # of double members
        for seed, name in enumerate(names):
            archive.writestr(name, b"" if name.endswith("/") else image(seed))
    return path


def refusal(images, table=None):
    with pytest.raises(InputError) as caught:
        describe({"images": str(images), "table": table and str(table)}, KEY)
    said = str(caught.value)
    assert said.startswith(f"{KEY}.")
    assert said.isprintable()
    return said


def said_by_the_job(images, tmp_path, caplog, **spec):
    """Return the names of the stimuli, and the warnings of the job that takes them in."""
    spec = {"images": str(images), **spec}
    with caplog.at_level(logging.WARNING, logger="ventral"):
        names = list(describe(spec, KEY).index)
        assert caplog.records == []  # the check at the start of every run is silent
        ingest(spec, tmp_path / "s.zarr", name="mine", cores=1)
    assert list(read_dataset(tmp_path / "s.zarr")["stimulus"].values) == names
    return names, [record.getMessage().removeprefix(f"{KEY}.images: {images}: ") for record in caplog.records]


# Folders


def linked_twice(folder):
    fill(folder.parent / "elsewhere", "c.png")
    (folder.parent / "elsewhere" / "c.png").write_bytes(image(7))
    for name in ("linked", "once_more"):
        (folder / name).symlink_to(folder.parent / "elsewhere")


def upwards(folder):
    (folder / "up").symlink_to("..")


def loop(folder):
    (folder / "loop").symlink_to(folder)


@pytest.mark.parametrize(
    ("spoil", "expected"),
    [
        (lambda folder: fill(folder, "c.gif", "d.HEIC"), "left out, as the name does not end in .bmp,.*: 2 .c.gif, d."),
        (lambda folder: fill(folder, "more.zip"), r"left out, as the name does not end in .*: 1 \(more.zip\)"),
        (lambda folder: fill(folder, "image0003"), r"left out, as the name does not end in .*: 1 \(image0003\)"),
        (linked_twice, r"left out, behind a link to a folder that is taken already.*: 1 \(once_more\)"),
        (upwards, r"left out, behind a link to a folder .*, or that contains this one: 1 \(up\)"),
        (loop, r"left out, behind a link to a folder .*: 1 \(loop\)"),
        (lambda folder: (folder / "not/yet").mkdir(parents=True), r"folders without files: 1 \(not/yet\)"),
    ],
)
def test_what_is_left_out_of_a_folder_is_said_once(folder, tmp_path, caplog, spoil, expected):
    spoil(folder)
    names, (said,) = said_by_the_job(folder, tmp_path, caplog)
    assert names == ["a.png", "b.png", *(["linked/c.png"] if spoil is linked_twice else [])]
    assert re.match(expected, said)


def test_names_that_differ_only_in_capital_letters_are_said(folder, tmp_path, caplog):
    (folder / "A.png").write_bytes(image(7))
    names, (said,) = said_by_the_job(folder, tmp_path, caplog)
    assert names == ["A.png", "a.png", "b.png"]
    assert said.startswith("names that differ only in capital letters, and are one file on other systems: 2 (A.png, a.")


def test_what_systems_put_into_folders_is_not_worth_a_word(folder, tmp_path, caplog):
    fill(folder, ".DS_Store", "._a.png", "Thumbs.db", "desktop.ini", ".cache/c.png", "__MACOSX/d.png")
    assert said_by_the_job(folder, tmp_path, caplog) == (["a.png", "b.png"], [])


def pipe(folder):
    os.mkfifo(folder / "c.png")


def listener(folder):
    here = os.open(".", os.O_RDONLY)
    os.chdir(folder)  # the path of a socket is short
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("c.png")
    os.fchdir(here)
    os.close(here)


@pytest.mark.parametrize(
    "spoil",
    [
        pipe,
        listener,
        lambda folder: (folder / "c.png").symlink_to("nowhere"),
        lambda folder: (folder / "c.png").symlink_to("c.png"),
    ],
    ids=["pipe", "socket", "link to nothing", "link to itself"],
)
def test_an_image_that_is_no_file_is_refused_at_once(folder, spoil):
    spoil(folder)
    assert f"{folder}: c.png is a link to nothing, or a pipe or socket, no file" in refusal(folder)


def test_a_name_that_is_not_utf8_is_refused_in_letters_that_can_be_printed(folder):
    (folder / "a.png").rename(folder / os.fsdecode(b"caf\xe9.png"))
    assert r"the name b'caf\xe9.png' is not in UTF-8" in refusal(folder)


def test_a_folder_that_cannot_be_read_is_refused(folder, monkeypatch):
    (folder / "locked").mkdir()
    scandir = os.scandir

    def without_rights(path):
        if str(path).endswith("locked"):
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", without_rights)
    assert "locked: the folder cannot be read: Permission denied" in refusal(folder)


@pytest.mark.parametrize("name", ["nowhere", "x" * 300, "a\0b"])
def test_a_path_that_leads_nowhere_is_refused(tmp_path, name):
    with pytest.raises(InputError, match="no such file or folder"):
        describe({"images": str(tmp_path / name)}, KEY)


def test_linked_folders_are_taken(tmp_path, folder, caplog):
    (tmp_path / "other" / "deep").mkdir(parents=True)
    (tmp_path / "other" / "deep" / "linked").symlink_to(folder)
    (folder / "within").mkdir()
    (folder / "within" / "c.png").write_bytes(image(7))
    names, said = said_by_the_job(tmp_path / "other", tmp_path, caplog)
    assert names == ["a.png", "b.png", "within/c.png"]
    assert said == []


def test_a_folder_of_links_to_itself_alone_says_so(tmp_path):
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "linked").symlink_to(tmp_path)
    assert "no images in it (0 other files)" in refusal(tmp_path / "other")
    assert "behind a link to a folder" in refusal(tmp_path / "other")


# Several folders


def test_several_folders_and_zips_are_one_set(tmp_path, caplog):
    places = [fill(tmp_path / "train", "b.png", "a.png"), zipped(tmp_path / "test.zip", "a.png", "c.png")]
    spec = {"images": list(map(str, places))}
    assert list(describe(spec, KEY).index) == ["train/a.png", "train/b.png", "test.zip/a.png", "test.zip/c.png"]
    (tmp_path / "t.csv").write_text("stimulus;x\nc;1\ntrain/a;2\ntest.zip/a.png;3\nb;4\n")
    spec["table"] = str(tmp_path / "t.csv")
    with caplog.at_level(logging.INFO, logger="ventral"):
        ingest(spec, tmp_path / "s.zarr", name="mine", cores=1)
    assert f"{KEY}.table: {tmp_path / 't.csv'}: read with a semicolon between columns" in caplog.messages
    stored = read_dataset(tmp_path / "s.zarr")
    assert stored["x"].values.tolist() == [1, 2, 3, 4]
    for row, (name, seed) in enumerate([("c", 1), ("a", 1), ("a", 0), ("b", 0)]):
        expected = np.asarray(Image.open(io.BytesIO(image(seed)))).transpose(2, 0, 1)
        np.testing.assert_array_equal(stored["pixels"].values[row], expected, err_msg=name)


def test_folders_of_one_name_are_told_apart_by_the_ones_above(tmp_path):
    places = [fill(tmp_path / day / "images", "a.png") for day in ("monday", "tuesday")]
    names = list(describe({"images": list(map(str, places))}, KEY).index)
    assert names == ["monday/images/a.png", "tuesday/images/a.png"]


def test_what_is_ambiguous_among_several_folders_is_refused(tmp_path):
    places = [str(fill(tmp_path / name, "a.png")) for name in ("train", "test")]
    (tmp_path / "t.csv").write_text("stimulus,x\na,1\n")
    for spec, expected in [
        ({"images": [*places, places[0]]}, f"{places[0]} is {places[0]}, and its files would be taken twice"),
        ({"images": [str(tmp_path), places[0]]}, f"{places[0]} lies in {tmp_path}, and its files"),
        ({"images": [*places, "nowhere"]}, f"{KEY}.images: no such file or folder: nowhere"),
        ({"images": places, "table": str(tmp_path / "t.csv")}, "'a' may be any of train/a.png, test/a.png in "),
    ]:
        with pytest.raises(InputError) as caught:
            describe(spec, KEY)
        assert expected in str(caught.value)


ODD = ["a b.png", "-c.png", "q'\".png", "n\nl.png", "é.png", "{x}.png", "%s.png", "x" * 251 + ".png"]


@pytest.mark.parametrize("name", ODD)
def test_odd_names_are_taken_as_they_are(folder, tmp_path, caplog, name):
    (folder / name).write_bytes(image(7))
    names, said = said_by_the_job(folder, tmp_path, caplog)
    assert sorted(names) == sorted(["a.png", "b.png", name])
    assert said == []


@pytest.mark.parametrize("name", ["odd {folder}", "-dash", "é 'quoted\"", "new\nline", "<logs>"])
def test_odd_paths_are_read(tmp_path, name):
    fill(tmp_path / name, "a.png", "b.png")
    table = tmp_path / name / "table.csv"
    table.write_text("stimulus,x\nb,1\na,2\n")
    assert list(describe({"images": str(tmp_path / name), "table": str(table)}, KEY).index) == ["b", "a"]


def header_of_a_huge_png():
    def chunk(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", 50000, 50000, 8, 0, 0, 0, 0)
    data = chunk(b"IDAT", zlib.compress(bytes(1000)))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + data + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "not an image"),
        (b"text", "not an image"),
        (header_of_a_huge_png(), "exceeds limit"),
        (image()[:60], "cannot be decoded"),
        (image(0, (1, 1)), "1 x 1 pixels"),
    ],
    ids=["empty", "text", "huge", "cut", "one pixel"],
)
def test_an_image_that_cannot_be_used_is_named(folder, tmp_path, content, expected):
    (folder / "c.png").write_bytes(content)
    with pytest.raises(InputError, match=rf"1 of 3 images cannot be used; replace them:\n  c.png: .*{expected}"):
        ingest({"images": str(folder)}, tmp_path / "s.zarr", name="mine", cores=1)


def test_images_of_one_pixel_are_a_set(tmp_path):
    (tmp_path / "images").mkdir()
    for k in range(2):
        (tmp_path / "images" / f"{k}.png").write_bytes(image(k, (1, 1)))
    ingest({"images": str(tmp_path / "images")}, tmp_path / "s.zarr", name="mine", cores=1)
    assert read_dataset(tmp_path / "s.zarr")["pixels"].shape == (2, 3, 1, 1)


# Zips


@pytest.mark.parametrize(
    ("names", "taken", "expected"),
    [
        (["a.png", "../b.png"], ["a.png"], "left out, as the path leads out of the zip: 1 (../b.png)"),
        (["a.png", "x\\..\\b.png"], ["a.png"], "left out, as the path leads out of the zip: 1 (x\\..\\b.png)"),
        (["a.png", "more.zip"], ["a.png"], "left out, as the name does not end in"),
        (["a.png", "b.gif"], ["a.png"], "left out, as the name does not end in"),
        (["a.png", "x/y/", "x/"], ["a.png"], "folders without files: 1 (x/y)"),
        (["a.png", "A.png"], ["A.png", "a.png"], "names that differ only in capital letters"),
        (["a.png", "/x/b.png"], ["a.png", "x/b.png"], None),
        (["/x/a.png", "/x/b.png"], ["a.png", "b.png"], None),
        (["x/", "x/a.png", ".hidden.png", "__MACOSX/._a.png"], ["a.png"], None),
        (["a.png", "7" * 5000 + ".png"], ["7" * 5000 + ".png", "a.png"], None),
    ],
)
def test_what_is_left_out_of_a_zip_is_said_once(tmp_path, caplog, names, taken, expected):
    found, said = said_by_the_job(zipped(tmp_path / "z.zip", *names), tmp_path, caplog)
    assert found == taken
    assert len(said) == (expected is not None)
    assert not said or said[0].startswith(expected)


@pytest.mark.parametrize(
    "names", [["a.png", "a.png"], ["a.png", "./a.png"], ["x/a.png", "x//a.png"], ["/x/a.png", "x/a.png"]]
)
def test_two_members_of_one_name_are_refused(tmp_path, names):
    assert "a.png more than once, and does not tell which was shown" in refusal(zipped(tmp_path / "z.zip", *names))


def edited(path, start, change):
    """Change the entries of a zip, each of which begins with some bytes."""
    content = bytearray(path.read_bytes())
    place = content.find(start)
    while place >= 0:
        change(content, place)
        place = content.find(start, place + 4)
    path.write_bytes(content)
    return path


def set_bit(byte, bit, value):
    def change(content, place):
        content[place + byte] = content[place + byte] & ~bit | bit * value

    return change


def test_an_encrypted_zip_is_refused(tmp_path):
    path = edited(zipped(tmp_path / "z.zip", "a.png", "b.png"), b"PK\x01\x02", set_bit(8, 1, True))
    assert f"{path}: a.png, b.png: encrypted; make the zip again without a password" in refusal(path)


def test_names_that_a_zip_does_not_say_the_letters_of_are_said(tmp_path, caplog):
    path = zipped(tmp_path / "z.zip", "é.png")
    edited(path, b"PK\x01\x02", set_bit(9, 8, False))
    edited(path, b"PK\x03\x04", set_bit(7, 8, False))
    names, (said,) = said_by_the_job(path, tmp_path, caplog)
    assert names == ["é.png".encode().decode("cp437")]
    assert said.startswith("names that the zip does not mark as UTF-8, and that are read in code page 437: 1 (")


def test_names_in_broken_utf8_are_refused(tmp_path):
    path = zipped(tmp_path / "z.zip", "é.png")
    path.write_bytes(path.read_bytes().replace("é".encode(), b"\xff\xfe"))
    assert "not a folder, nor a whole zip file" in refusal(path)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"PK\x05\x06" + bytes(17), b"\x1f\x8b" + bytes(50), bytes(99)])
def test_what_is_no_zip_is_refused(tmp_path, content):
    (tmp_path / "z.zip").write_bytes(content)
    assert f"{KEY}.images: {tmp_path / 'z.zip'}: not a folder, nor a whole zip file" in refusal(tmp_path / "z.zip")


# Tables


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("stimulus,x\na,1,7\nb,2\n", "data row 1 (line 2): 3 fields, where the header has 2"),
        ("stimulus,x\na,1\n\nb,1,5\n", "data row 2 (line 4): 3 fields, where the header has 2"),
        ("stimulus,x,y\na,1,2\nb,2\n", "data row 2 (line 3): 2 fields, where the header has 3"),
        ('stimulus,x\na,"1,5"\nb,"2,5"\n', "column `x`, data row 1: '1,5' has a comma"),
        ('stimulus,x\na,"-1,5e3"\nb,2\n', "column `x`, data row 1: '-1,5e3' has a comma"),
        ('stimulus,x\na,3\nb,"1,234,567"\n', "column `x`, data row 2: '1,234,567' has a comma"),
        ("stimulus;x\na;1,5\nb;2,5\n", "column `x`, data row 1: '1,5' has a comma, and would not be a number (2 such"),
        ("stimulus\tx\na\t1,5\nb\t2\n", "column `x`, data row 1: '1,5' has a comma"),
        ("stimulus;x\na;1;2\nb;2\n", "data row 1 (line 2): 3 fields, where the header has 2; a semicolon within a"),
        ("stimulus,x,x\na,1,2\nb,2,3\n", "two columns are called `x`"),
        ("stimulus,x, x \na,1,2\nb,2,3\n", "two columns are called `x`"),
        ("stimulus,x,X\na,1,2\nb,2,3\n", "columns `x` and `X` differ only in capital letters"),
        ("stimulus,Object\na,1\nb,2\n", "a column is called `Object`, where `object` is looked for"),
        ("Stimulus,x\na,1\nb,2\n", "a column is called `Stimulus`, where `stimulus` is looked for"),
        ("stimulus,zarr.json\na,1\nb,2\n", "a column cannot be called `zarr.json`"),
        ("stimulus,pixels\na,1\nb,2\n", "a column cannot be called `pixels`"),
        ("stimulus,..\na,1\nb,2\n", "a column cannot be called `..`"),
        (f"stimulus,{'x' * 300}\na,1\nb,2\n", "a column cannot be called `xxxxxxxxxxxxxxxxxxxx... (300 characters)`"),
        ("stimulus,a\x01b\na,1\nb,2\n", r"a column cannot be called `a\x01b`"),
        ("stimulus,\u200b\na,1\nb,2\n", r"a column cannot be called `\u200b`"),
        ("stimulus,x\na,1\na,2\n", "the stimulus 'a' has more than one row"),
        ("stimulus,object\na,\nb,2\n", "column `object`, data row 1: no label"),
        ('stimulus,x\na,"1\nb,2\n', "line 3: cannot be read as CSV"),
        ("stimulus,x\na,\0\nb,2\n", "null bytes"),
        ("", "the table is empty"),
        ("\n \n", "the table is empty"),
        ("stimulus,x\n", "the table has no rows"),
        ("stimulus,x\na,é\nb,2\n".encode("latin1"), "not in UTF-8: byte 0xe9 in line 2"),
        ("stimulus,x\na,é\nb,2\n".encode("utf-16"), "in UTF-16; save it in UTF-8"),
        ("stimulus,x\na,1\nb,2\n".encode("utf-16-le"), "null bytes"),
        (image(), "not in UTF-8: byte 0x89 in line 1"),
        (b"PK\x03\x04" + bytes(99), "no CSV, but a workbook or zip"),
        (b"PAR1" + bytes(99), "no CSV, but a Parquet file"),
    ],
)
def test_a_csv_table_that_would_be_misread_is_refused(folder, tmp_path, text, expected):
    path = tmp_path / "t.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    said = refusal(folder, path)
    assert said.startswith(f"{KEY}.table: {path}: ")
    assert expected in said


@pytest.mark.parametrize("name", ["t.csv", "t.parquet"])
def test_a_folder_is_no_table(folder, tmp_path, name):
    (tmp_path / name).mkdir()
    assert "a folder; a table is a .csv, .tsv or .parquet file" in refusal(folder, tmp_path / name)


def test_a_pipe_is_no_table(folder, tmp_path):
    os.mkfifo(tmp_path / "t.csv")
    assert "no such file" in refusal(folder, tmp_path / "t.csv")


@pytest.mark.parametrize(
    "text", ["stimulus,x\na,1,\nb,2,\n", "stimulus,x\r\na,1\r\nb,2\r\n\r\n", "stimulus,x\ra,1\rb,2"]
)
def test_commas_and_lines_at_the_end_lose_nothing(folder, tmp_path, text):
    (tmp_path / "t.csv").write_bytes(text.encode())
    described = describe({"images": str(folder), "table": str(tmp_path / "t.csv")}, KEY)
    assert described.to_dict("list") == {"x": [1.0, 2.0]}


@pytest.mark.filterwarnings("ignore:coordinate .* has a space")
def test_a_column_without_a_name_is_said(folder, tmp_path, caplog):
    (tmp_path / "t.csv").write_text(",stimulus,x\n0,a,1\n1,b,2\n")
    _, (said,) = said_by_the_job(folder, tmp_path, caplog, table=str(tmp_path / "t.csv"))
    assert "1 columns have no name in the header, and are called `Unnamed: 0`" in said


@pytest.mark.filterwarnings("ignore:coordinate .* has a space")
def test_a_property_with_a_space_in_its_name_is_said_not_to_be_predicted(folder, tmp_path, caplog):
    (tmp_path / "t.csv").write_text("stimulus,rf size\na,1\nb,2\n")
    _, (said,) = said_by_the_job(folder, tmp_path, caplog, table=str(tmp_path / "t.csv"))
    assert said.endswith(
        "columns with a space in the name are not predicted: `rf size`; rename them, such as `rf_size`"
    )


def test_what_a_column_was_taken_for_is_in_the_log(folder, tmp_path, caplog):
    (tmp_path / "t.csv").write_text("stimulus,x,y\na,1,1 mm\nb,2,3 mm\n")
    with caplog.at_level(logging.INFO, logger="ventral"):
        ingest({"images": str(folder), "table": str(tmp_path / "t.csv")}, tmp_path / "s.zarr", name="mine", cores=1)
    assert f"{KEY}.table: {tmp_path / 't.csv'}: numbers: x; text: y" in caplog.messages


def parquet(path, **columns):
    pq.write_table(pa.table({"stimulus": ["a", "b"], **columns}), path)
    return path


@pytest.mark.parametrize(
    ("values", "kind"),
    [([[1], [2]], "list<"), ([{"q": 1}, {"q": 2}], "struct<"), ([b"\xff", b"1"], "binary")],
)
def test_parquet_columns_of_other_than_numbers_and_text_are_refused(folder, tmp_path, values, kind):
    path = parquet(tmp_path / "t.parquet", x=values)
    assert refusal(folder, path).startswith(f"{KEY}.table: {path}: column `x` has values of type {kind}")


def test_two_parquet_columns_of_one_name_are_refused(folder, tmp_path):
    columns = [pa.array(["a", "b"]), pa.array([1, 2]), pa.array([1, 3])]
    pq.write_table(pa.Table.from_arrays(columns, ["stimulus", "x", "x"]), tmp_path / "t.parquet")
    assert "two columns are called `x`" in refusal(folder, tmp_path / "t.parquet")


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (pa.array(["u", None]).dictionary_encode(), ["u", ""]),
        (pa.array([3, None]).dictionary_encode(), [3.0, np.nan]),
        ([datetime.date(2020, 1, 31), None], ["2020-01-31", ""]),
        ([decimal.Decimal("1.5"), None], [1.5, np.nan]),
        ([True, None], [1.0, np.nan]),
    ],
)
def test_parquet_columns_are_what_they_say(folder, tmp_path, values, expected):
    path = parquet(tmp_path / "t.parquet", x=values)
    np.testing.assert_array_equal(describe({"images": str(folder), "table": str(path)}, KEY)["x"].tolist(), expected)


def test_a_missing_label_in_parquet_is_refused(folder, tmp_path):
    path = parquet(tmp_path / "t.parquet", category=["u", None])
    assert "column `category`, data row 2: no label" in refusal(folder, path)


def test_a_damaged_parquet_is_refused_or_read_and_never_a_traceback(folder, tmp_path):
    path = parquet(tmp_path / "t.parquet", x=np.arange(2.0))
    content = path.read_bytes()
    for size in (0, 3, 100, len(content) - 10):
        path.write_bytes(content[:size])
        assert "cannot be read as a table, damaged or no Parquet file" in refusal(folder, path)
    for place in range(4, len(content), 13):
        path.write_bytes(content[:place] + bytes([content[place] ^ 0xFF]) + content[place + 1 :])
        with suppress(InputError):
            describe({"images": str(folder), "table": str(path)}, KEY)


# Meshes and photographs


@pytest.fixture
def mesh_folder(tmp_path):
    (tmp_path / "meshes").mkdir()
    for name in ("a.obj", "b.obj"):
        trimesh.creation.box().export(tmp_path / "meshes" / name)
    return tmp_path / "meshes"


def rendered(mesh_folder, photographs="noise"):
    return {
        "categories": {"mine": str(mesh_folder)},
        "exemplars": 2,
        "first_exemplar": 0,
        "images": 1,
        "variation": ["low"],
        "size": 16,
        "backgrounds": [str(photographs)],
        "seed": 0,
        "shards": 1,
    }


def test_what_is_left_out_of_meshes_and_photographs_is_said_by_one_job(mesh_folder, folder, tmp_path, caplog):
    from ventral.stimuli.rendering import render

    fill(mesh_folder, "below/c.obj", "d.stl", "a.mtl", "texture.png", "._a.obj")
    fill(folder, "c.gif")
    spec = rendered(mesh_folder, folder)
    with caplog.at_level(logging.WARNING, logger="ventral"):
        assert len(plan(spec, f"{KEY}.render")) == 2
        render(spec, tmp_path / "0.zarr", name="mine", shard=0, shards=1)
        assert caplog.messages == []
        assemble(spec, [tmp_path / "0.zarr"], tmp_path / "s.zarr", name="mine")
    place = f"{KEY}.render.categories.mine: {mesh_folder}"
    assert caplog.messages == [
        f"{place}: left out, as the name does not end in .glb, .obj, .ply: 1 (d.stl)",
        f"{place}: left out, in folders within that of the category: 1 (below/c.obj)",
        f"{KEY}.render.backgrounds: {folder}: left out, as the name does not end in .bmp, .jpeg, .jpg, .png, .tif, "
        ".tiff, .webp: 1 (c.gif)",
    ]


def mesh_refusal(folder):
    with pytest.raises(InputError) as caught:
        meshes.mesh_files({"mine": str(folder)}, "key")
    return str(caught.value)


def test_two_files_of_one_mesh_are_refused(mesh_folder):
    fill(mesh_folder, "a.ply")
    assert "a.obj, a.ply differ only in the ending of their names" in mesh_refusal(mesh_folder)


def test_a_mesh_that_is_no_file_is_refused(mesh_folder):
    os.mkfifo(mesh_folder / "c.obj")
    assert "c.obj is a link to nothing, or a pipe or socket, no file" in mesh_refusal(mesh_folder)


def test_a_mesh_without_an_area_is_refused(mesh_folder):
    (mesh_folder / "a.obj").write_text("v 0 0 0\nv 1 0 0\nv 2 0 0\nf 1 2 3\n")
    with pytest.raises(InputError, match="3 points and 1 triangles make no surface"):
        meshes.read_mesh(mesh_folder / "a.obj", "key")


def test_photographs_of_one_name_are_refused(tmp_path):
    fill(tmp_path, "x/a.png", "y/a.png", "b.png")
    with pytest.raises(InputError, match=r"photographs of one name: x/a.png, y/a.png; rename them"):
        backgrounds.check([str(tmp_path)], "key")


def sixteen_bits():
    stream = io.BytesIO()
    Image.fromarray(np.full((8, 8), 30000, np.uint16)).save(stream, "png")
    return stream.getvalue()


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "cannot be read as an image"),
        (image()[:60], "cannot be read as an image"),
        (header_of_a_huge_png(), "cannot be read as an image: .* exceeds limit"),
        (image(0, (1, 1)), "1 x 1 pixels are too few"),
        (sixteen_bits(), "its pixels are I;16"),
    ],
    ids=["empty", "cut", "huge", "one pixel", "16 bits"],
)
def test_a_photograph_that_cannot_be_used_is_named(folder, content, expected):
    (folder / "c.png").write_bytes(content)
    with pytest.raises(InputError, match=rf"^key: {folder}/c.png: {expected}"):
        backgrounds.Backgrounds([str(folder)], "key")


@pytest.mark.filterwarnings("ignore:coordinate .* has a space")
def test_labels_that_look_missing_are_said(folder, tmp_path, caplog):
    (tmp_path / "t.csv").write_text("stimulus,object\na,NA\nb,car\n")
    _, (said,) = said_by_the_job(folder, tmp_path, caplog, table=str(tmp_path / "t.csv"))
    assert "column `object`: 1 stimuli have the label `NA`, which is taken for a name like any other" in said
