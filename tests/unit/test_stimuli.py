import hashlib
import io
import json
import logging
import zipfile

import numpy as np
import pandas as pd
import pytest
import zarr
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tests.messages import message
from ventral.errors import InputError
from ventral.stimuli import ingestion as stimuli
from ventral.stimuli import store
from ventral.stimuli.files import natural
from ventral.stimuli.images import EXIF_ORIENTATION, decode, read_pixels
from ventral.stimuli.ingestion import describe, ingest, periods
from ventral.store import read_dataset

KEY = "stimuli.my_set"
SIZE = (8, 6)  # width, height


def noise(seed, size=SIZE):
    return np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)


def save(path, pixels, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, **options)


@pytest.fixture
def folder(tmp_path):
    """Twelve PNG images, image1.png to image12.png; image k is noise(k)."""
    for k in range(1, 13):
        save(tmp_path / "images" / f"image{k}.png", noise(k))
    return tmp_path / "images"


def write_table(path, **columns):
    pd.DataFrame(columns).to_csv(path, index=False)
    return str(path)


def names(count=12):
    return [f"image{k}" for k in range(1, count + 1)]


# describe: without decoding


def test_natural_order_of_a_folder(folder):
    assert list(describe({"images": str(folder)}).index) == [f"image{k}.png" for k in range(1, 13)]


@given(st.lists(st.integers(0, 10**12), min_size=2, unique=True))
def test_natural_order_is_that_of_the_numbers(numbers):
    ordered = sorted([f"Image{k}_b.png" for k in numbers], key=natural)
    assert ordered == [f"Image{k}_b.png" for k in sorted(numbers)]


def test_zip_and_folder_are_the_same_set(folder, tmp_path):
    with zipfile.ZipFile(tmp_path / "images.zip", "w") as archive:
        archive.mkdir("session")
        for file in folder.iterdir():
            archive.write(file, f"session/{file.name}")
        archive.writestr("__MACOSX/session/._image1.png", b"")
        archive.writestr("session/.hidden.png", b"")
        archive.writestr("session/notes.txt", b"")
    spec = {"images": str(tmp_path / "images.zip")}
    assert list(describe(spec).index) == list(describe({"images": str(folder)}).index)
    for name, images in (("a", folder), ("b", tmp_path / "images.zip")):
        ingest({"images": str(images)}, tmp_path / f"{name}.zarr", name=name)
    a, b = read_dataset(tmp_path / "a.zarr"), read_dataset(tmp_path / "b.zarr")
    assert a.equals(b)
    assert a.attrs["sha256"] == b.attrs["sha256"]


def test_hidden_files_and_sub_folders(tmp_path):
    for file in ("a/1.png", "b/1.JPG", "b/.2.png", ".cache/3.png", "__MACOSX/4.png", "b/5.txt"):
        save(tmp_path / file, noise(0), format="png")
    assert list(describe({"images": str(tmp_path)}).index) == ["a/1.png", "b/1.JPG"]


def test_no_image_is_opened(folder):
    for file in folder.iterdir():
        file.write_bytes(b"")
    assert len(describe({"images": str(folder)})) == 12


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_table_decides_order_and_types(folder, tmp_path, form):
    reverse = names()[::-1]
    table = pd.DataFrame(
        {
            "stimulus": [*reverse[:6], *(f"{name}.png" for name in reverse[6:])],
            "object": [1, 2, 3] * 4,
            "category": ["null", "NA", "nan"] * 4,
            "size": [1.5, None, *range(10)],
            "note": [None, *"abcdefghijk"],
        }
    )
    path = tmp_path / f"table.{form}"
    table.to_csv(path, index=False) if form == "csv" else table.to_parquet(path)
    described = describe({"images": str(folder), "table": str(path)})
    assert list(described.index) == list(table["stimulus"])
    assert list(described["object"]) == ["1", "2", "3"] * 4
    assert list(described["category"]) == ["null", "NA", "nan"] * 4
    np.testing.assert_array_equal(described["size"].to_numpy(), [1.5, np.nan, *range(10)])
    assert list(described["note"]) == ["", *"abcdefghijk"]


def test_tables_as_other_programs_write_them(folder, tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("\ufeffstimulus , size\n" + "".join(f"{name}, {k}\n" for k, name in enumerate(names())))
    assert list(describe({"images": str(folder), "table": str(path)})["size"]) == list(range(12))
    table = pd.DataFrame({"stimulus": names()[::-1], "shown": [True, False] * 6}).set_index("stimulus").sort_index()
    table.to_parquet(tmp_path / "table.parquet")
    described = describe({"images": str(folder), "table": str(tmp_path / "table.parquet")})
    assert list(described.index) == sorted(names())
    assert described["shown"].dtype == np.float64


def test_circular_columns_are_numeric_ones_of_the_table(folder, tmp_path):
    table = write_table(tmp_path / "table.csv", stimulus=names(), angle=range(12), object=["a"] * 12)
    spec = {"images": str(folder), "table": table, "circular": {"angle": 180}}
    assert "angle" in describe(spec)
    assert periods(spec) == {"angle": 180}
    for column in ("angl", "object"):
        with pytest.raises(
            InputError, match=rf"stimuli\.circular\.{column}: .* has no numeric column .* allowed: angle"
        ):
            describe(spec | {"circular": {column: 180}})
    with pytest.raises(InputError, match=r"stimuli\.circular\.angle: there is no table"):
        describe({"images": str(folder), "circular": {"angle": 180}})


def test_turns_of_rendered_objects_are_circular():
    assert periods({"render": {"images": 3}}) == {"rotation_x": 360, "rotation_y": 360, "rotation_z": 360}
    assert periods({"images": "folder", "circular": {}}) == {}


def test_table_names_images_in_sub_folders(tmp_path):
    for file in ("set/cat/a.png", "set/dog/a.png", "set/dog/b.png"):
        save(tmp_path / "images" / file, noise(0))
    path = write_table(tmp_path / "table.csv", stimulus=["b", "dog/a", "cat/a.png"])
    described, files, _ = stimuli._described({"images": str(tmp_path / "images"), "table": path}, KEY)
    assert list(described.index) == ["b", "dog/a", "cat/a.png"]
    assert files == ["set/dog/b.png", "set/dog/a.png", "set/cat/a.png"]
    write_table(tmp_path / "table.csv", stimulus=["b", "a", "cat/a"])
    said = message(describe, {"images": str(tmp_path / "images"), "table": path}, KEY)
    assert said.startswith(f"{KEY}.table: {path}: data row 2: 'a' may be any of set/cat/a.png, set/dog/a.png")


def test_absent_images_are_said(tmp_path):
    said = message(describe, {"images": str(tmp_path / "nowhere")}, KEY)
    assert said == f"{KEY}.images: no such file or folder: {tmp_path / 'nowhere'}"
    (tmp_path / "notes.txt").touch()
    said = message(describe, {"images": str(tmp_path)}, KEY)
    assert said.startswith(f"{KEY}.images: {tmp_path}: no images in it (1 other files)")


def test_damaged_zip_is_said(tmp_path):
    path = tmp_path / "images.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.png", bytes(1000))
    path.write_bytes(path.read_bytes()[:500])
    said = message(describe, {"images": str(path)}, KEY)
    assert said.startswith(f"{KEY}.images: {path}: not a folder, nor a whole zip file")


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({"image": names()}, "no column `stimulus`, which names the stimulus of each row; columns: image"),
        (
            {"stimulus": ["imag3", *names()[1:-1], "image13"]},
            "2 of 12 stimuli have no image in {images}: 'imag3' (data row 1), 'image13' (data row 12)",
        ),
        ({"stimulus": names(10)}, "2 of 12 images in {images} have no row: image11.png, image12.png; "),
        ({"stimulus": ["image2", *names()[1:]]}, "the stimulus 'image2' has more than one row: data rows 1, 2; "),
        ({"stimulus": ["image2.png", *names()[1:]]}, "the image image2.png has more than one row: data rows 1, 2; "),
        (
            {"stimulus": names(), "size": [1, 2, "large", *range(9)]},
            "column `size`, data row 3: 'large' is not a finite number",
        ),
        ({"stimulus": names(), "size": [1, np.inf, *range(10)]}, "column `size`, data row 2: 'inf' is not a finite"),
        ({"stimulus": names(), "object": ["a", None] * 6}, "column `object`, data row 2: no label (6 such rows)"),
        ({"stimulus": names(), "channel": range(12)}, "a column cannot be called `channel`; rename it"),
        ({"stimulus": names(), "a/b": range(12)}, "a column cannot be called `a/b`; rename it"),
        ({"stimulus": names(), "a": 1, " a": 2}, "two columns are called `a`; rename one"),
        ({"stimulus": []}, "the table has no rows"),
    ],
)
def test_wrong_tables_are_said(folder, tmp_path, columns, expected):
    path = write_table(tmp_path / "table.csv", **columns)
    said = message(describe, {"images": str(folder), "table": path}, KEY)
    assert said.startswith(f"{KEY}.table: {path}: {expected.format(images=folder)}")


def test_unreadable_tables_are_said(folder, tmp_path):
    spec = {"images": str(folder), "table": str(tmp_path / "table.csv")}
    assert message(describe, spec, KEY) == f"{KEY}.table: no such file: {tmp_path / 'table.csv'}"
    contents = {
        "a.csv": b"",
        "b.csv": b"stimulus\n\xff\xfe\xfa\n",
        "c.csv": b"stimulus,a\n1,2\n1,2,3,4\n",
        "d.parquet": b"PAR1",
        "e.xlsx": b"",
    }
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
        said = message(describe, {**spec, "table": str(tmp_path / name)}, KEY)
        assert said.startswith(f"{KEY}.table: {tmp_path / name}: ")


# ingest


def test_store_holds_pixels_and_properties(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(store, "ROWS_PER_CHUNK", 2)
    monkeypatch.setattr(store, "ROWS_PER_SHARD", 5)  # three shards of four
    table = write_table(
        tmp_path / "table.csv",
        stimulus=names()[::-1],
        object=["a", "b", "c"] * 4,
        size=[np.nan, *range(11)],
        note=["x"] * 12,
    )
    ingest({"images": str(folder), "table": table}, tmp_path / "s.zarr", name="my_set", cores=3)
    dataset = read_dataset(tmp_path / "s.zarr")
    assert dataset["pixels"].dims == ("stimulus", "channel", "pixel_row", "pixel_column")
    assert dataset["pixels"].dtype == np.uint8
    expected = np.stack([noise(k) for k in range(12, 0, -1)]).transpose(0, 3, 1, 2)
    np.testing.assert_array_equal(dataset["pixels"], expected)
    assert list(dataset["stimulus"].values) == names()[::-1]
    assert list(dataset["object"].values) == ["a", "b", "c"] * 4
    assert set(dataset.coords) == {"stimulus", "object", "size", "note"}
    np.testing.assert_array_equal(dataset["size"], [np.nan, *range(11)])
    assert dataset.attrs["name"] == "my_set"
    assert dataset.attrs["duplicates"] == []
    np.testing.assert_array_equal(read_pixels(tmp_path / "s.zarr", 3, 10), expected[3:10])
    assert len(list((tmp_path / "s.zarr" / "pixels").rglob("c/*/0/0/0"))) == 3


def test_a_flipped_bit_of_the_store_is_an_error(folder, tmp_path):
    ingest({"images": str(folder)}, tmp_path / "s.zarr", name="my_set")
    (shard,) = (tmp_path / "s.zarr" / "pixels").rglob("c/0/0/0/0")
    content = bytearray(shard.read_bytes())
    content[100] ^= 1
    shard.write_bytes(content)
    with pytest.raises(ValueError, match="checksum"):
        read_pixels(tmp_path / "s.zarr", 0, 12)


def test_checksum_covers_names_properties_and_pixels(folder, tmp_path):
    def sha256(**columns):
        table = write_table(tmp_path / "table.csv", **columns)
        ingest({"images": str(folder), "table": table}, tmp_path / "s.zarr", name="my_set")
        return zarr.open_group(tmp_path / "s.zarr", mode="r").attrs["sha256"]

    first = {"stimulus": names(), "size": [np.nan, *range(11)]}
    sums = [
        sha256(**first),
        sha256(**{**first, "size": range(12)}),
        sha256(**{**first, "stimulus": [f"{name}.png" for name in names()]}),
        sha256(stimulus=names(), width=first["size"]),
    ]
    assert sha256(**first) == sums[0]
    pixels = noise(7)
    pixels[0, 0, 0] ^= 1
    save(folder / "image7.png", pixels)
    assert len({*sums, sha256(**first)}) == 5


def test_all_bad_images_are_named_at_once(folder, tmp_path):
    stream = io.BytesIO()
    Image.fromarray(noise(3, (64, 64))).save(stream, "jpeg")
    save(folder / "image5.png", noise(5, (6, 8)))
    (folder / "image2.png").write_bytes((folder / "image2.png").read_bytes()[:-40])
    (folder / "image3.png").write_bytes(b"text")
    (folder / "image4.png").write_bytes(b"")
    said = message(ingest, {"images": str(folder)}, tmp_path / "s.zarr", name="my_set")
    lines = said.splitlines()
    assert lines[0] == f"{KEY}.images: {folder}: 4 of 12 images cannot be used; replace them:"
    assert [line.split(":")[0].strip() for line in lines[1:]] == [f"image{k}.png" for k in (2, 3, 4, 5)]
    assert "cannot be decoded" in lines[1]
    assert "not an image" in lines[2]
    assert "not an image" in lines[3]
    assert "6 x 8 pixels (width x height), where most have 8 x 6" in lines[4]
    assert [path.name for path in tmp_path.iterdir()] == ["images"]


def test_truncated_jpeg_is_refused(tmp_path):
    for k in range(3):
        save(tmp_path / "images" / f"{k}.jpg", noise(k, (64, 64)))
    file = tmp_path / "images" / "1.jpg"
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    said = message(ingest, {"images": str(tmp_path / "images")}, tmp_path / "s.zarr", name="my_set")
    assert "1 of 3 images cannot be used" in said
    assert "\n  1.jpg: cannot be decoded: image file is truncated" in said


def test_damage_within_a_zip_is_refused(tmp_path):
    path = tmp_path / "images.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for k in range(2):
            stream = io.BytesIO()
            Image.fromarray(noise(k)).save(stream, "bmp")
            archive.writestr(f"{k}.bmp", stream.getvalue())
    content = bytearray(path.read_bytes())
    content[150] ^= 1
    path.write_bytes(content)
    said = message(ingest, {"images": str(path)}, tmp_path / "s.zarr", name="my_set")
    assert "1 of 2 images cannot be used" in said
    assert "\n  0.bmp: cannot be decoded: Bad CRC-32" in said


def test_many_bad_images_are_counted(folder, tmp_path):
    for file in folder.iterdir():
        file.write_bytes(b"text")
    lines = message(ingest, {"images": str(folder)}, tmp_path / "s.zarr", name="my_set").splitlines()
    assert "12 of 12 images cannot be used" in lines[0]
    assert len(lines) == 12
    assert lines[-1].strip() == "and 2 more"


def test_a_failure_leaves_the_earlier_store(folder, tmp_path):
    ingest({"images": str(folder)}, tmp_path / "s.zarr", name="my_set")
    before = read_dataset(tmp_path / "s.zarr").load()
    (folder / "image3.png").write_bytes(b"text")
    message(ingest, {"images": str(folder)}, tmp_path / "s.zarr", name="my_set")
    assert read_dataset(tmp_path / "s.zarr").equals(before)


def test_duplicates_are_reported_by_name(folder, tmp_path, caplog):
    save(folder / "image4.png", noise(1))
    save(folder / "image9.bmp", noise(1))
    save(folder / "image7.png", noise(8))
    with caplog.at_level(logging.WARNING, logger="ventral"):
        ingest({"images": str(folder)}, tmp_path / "s.zarr", name="my_set")
    (record,) = caplog.records
    assert "image1.png = image4.png = image9.bmp, image7.png = image8.png" in record.getMessage()
    expected = [["image1.png", "image4.png", "image9.bmp"], ["image7.png", "image8.png"]]
    assert read_dataset(tmp_path / "s.zarr").attrs["duplicates"] == expected


def opaque(alpha):
    return np.dstack([noise(0), np.full(SIZE[::-1], alpha, dtype=np.uint8)])


def with_orientation(path, orientation):
    exif = Image.Exif()
    exif[EXIF_ORIENTATION] = orientation
    Image.fromarray(noise(0)).save(path, exif=exif)


def decoded(path):
    return decode({}, lambda file: (path.parent / file).open("rb"), path.name, (3, *SIZE[::-1]), None)


@pytest.mark.parametrize(
    ("suffix", "image"),
    [
        (".png", Image.fromarray(noise(0)[:, :, 0])),
        (".png", Image.fromarray(noise(0)[:, :, 0] > 127)),
        (".png", Image.fromarray(noise(0)).quantize(16)),
        (".png", Image.fromarray(opaque(255))),
        (".tif", Image.fromarray(noise(0))),
        (".bmp", Image.fromarray(noise(0))),
        (".webp", Image.fromarray(noise(0))),
        (".jpeg", Image.fromarray(noise(0)[:, :, 0])),
    ],
)
def test_eight_bit_images_become_rgb(tmp_path, suffix, image):
    path = tmp_path / f"image{suffix}"
    image.save(path)
    pixels = decoded(path)
    expected = np.asarray(Image.open(path).convert("RGB")).transpose(2, 0, 1)
    np.testing.assert_array_equal(pixels, expected)


def test_upright_orientation_is_accepted(tmp_path):
    with_orientation(tmp_path / "image.png", 1)
    np.testing.assert_array_equal(decoded(tmp_path / "image.png"), noise(0).transpose(2, 0, 1))


def sixteen_bit_rgb_png():
    import struct
    import zlib

    def chunk(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    width, height = SIZE
    rows = b"".join(b"\0" + bytes(6 * width) for _ in range(height))
    header = struct.pack(">IIBBBBB", width, height, 16, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("write", "expected"),
    [
        (lambda path: Image.fromarray(opaque(254)).save(path, "png"), "transparent pixels"),
        (
            lambda path: Image.fromarray(noise(0)).quantize(16).save(path, "png", transparency=0),
            "transparent pixels",
        ),
        (lambda path: Image.fromarray(noise(0)[:, :, 0].astype(np.uint16)).save(path, "png"), "16-bit"),
        (lambda path: path.write_bytes(sixteen_bit_rgb_png()), "16-bit"),
        (lambda path: Image.fromarray(noise(0)[:, :, 0].astype(np.float32)).save(path, "tiff"), "pixels are"),
        (lambda path: Image.fromarray(noise(0)).convert("CMYK").save(path, "jpeg"), "pixels are CMYK"),
        (lambda path: with_orientation(path, 6), "EXIF orientation"),
        (
            lambda path: Image.fromarray(noise(0)).save(
                path, "tiff", save_all=True, append_images=[Image.fromarray(noise(1))]
            ),
            "2 frames",
        ),
    ],
)
def test_ambiguous_images_are_refused(tmp_path, write, expected):
    path = tmp_path / "image.png"
    write(path)
    with pytest.raises(InputError, match=expected):
        decoded(path)


def test_shards_stay_small_for_large_images():
    assert store._rows_per_shard(3 * 224 * 224) == store.ROWS_PER_SHARD
    rows = store._rows_per_shard(3 * 1000 * 1000)
    assert rows % store.ROWS_PER_CHUNK == 0
    assert rows * 3 * 1000 * 1000 <= store.BYTES_PER_SHARD
    assert store._rows_per_shard(10**9) == store.ROWS_PER_CHUNK


def test_images_of_different_sizes_are_resized_where_the_user_says_so(folder, tmp_path):
    save(folder / "image5.png", noise(5, (9, 31)))
    ingest({"images": str(folder), "size": 8}, tmp_path / "s.zarr", name="my_set")
    pixels = read_dataset(tmp_path / "s.zarr")["pixels"].values
    assert pixels.shape == (12, 3, 8, 8)
    with Image.open(folder / "image5.png") as image:
        expected = np.asarray(image.resize((8, 8), Image.Resampling.BICUBIC))
    np.testing.assert_array_equal(pixels[4].transpose(1, 2, 0), expected)
    assert "image5.png: 9 x 31 pixels (width x height), where most have 8 x 6 (`size: N`" in message(
        ingest, {"images": str(folder)}, tmp_path / "t.zarr", name="my_set"
    )


def test_images_of_the_size_that_is_asked_for_stay_as_they_are(tmp_path):
    for k in range(2):
        save(tmp_path / f"image{k}.png", noise(k, (8, 8)))
    for name, spec in (("plain", {}), ("sized", {"size": 8})):
        ingest({"images": str(tmp_path), **spec}, tmp_path / f"{name}.zarr", name="my_set")
    plain, sized = (read_dataset(tmp_path / f"{name}.zarr") for name in ("plain", "sized"))
    assert plain.attrs["sha256"] == sized.attrs["sha256"]


# A table alone


def test_a_table_alone_is_a_store_without_pixels(tmp_path):
    table = write_table(
        tmp_path / "t.csv", stimulus=["b", "a", "c"], object=["x", "y", "x"], size=[1.5, np.nan, 2], pose=[0, 90, 180]
    )
    spec = {"table": table, "circular": {"pose": 360}}
    ingest(spec, tmp_path / "s.zarr", name="mine")
    dataset = read_dataset(tmp_path / "s.zarr")
    assert set(dataset.variables) == {"stimulus", "object", "size", "pose"}
    assert list(dataset["stimulus"].values) == list(describe(spec).index) == ["b", "a", "c"]
    np.testing.assert_array_equal(dataset["size"], [1.5, np.nan, 2])
    columns = {"object": ["x", "y", "x"], "size": [1.5, float("nan"), 2.0], "pose": [0.0, 90.0, 180.0]}
    expected = hashlib.sha256(json.dumps([["b", "a", "c"], columns], sort_keys=True).encode()).hexdigest()
    assert dataset.attrs == {"name": "mine", "sha256": expected, "duplicates": []}


def test_what_a_table_alone_must_be(tmp_path):
    for columns, expected in (
        ({"name": ["a", "b"]}, "no column `stimulus`"),
        ({"stimulus": ["a", ""], "size": [1, 2]}, "column `stimulus`, data row 2: no name"),
        ({"stimulus": ["a", "b", "a"]}, "the stimulus 'a' has more than one row: data rows 1, 3"),
    ):
        table = write_table(tmp_path / "t.csv", **columns)
        assert expected in message(describe, {"table": table}, KEY)
    table = write_table(tmp_path / "t.csv", stimulus=["a", "b"])
    assert "no numeric column of this name" in message(describe, {"table": table, "circular": {"pose": 360}}, KEY)


def test_a_store_of_files_keeps_its_digest(tmp_path):
    save(tmp_path / "images" / "one.png", np.zeros((2, 2, 3), dtype=np.uint8))
    ingest({"images": str(tmp_path / "images")}, tmp_path / "s.zarr", name="mine")
    expected = hashlib.sha256(b'[["one.png"], {}]' + hashlib.sha256(bytes(12)).digest()).hexdigest()
    assert read_dataset(tmp_path / "s.zarr").attrs["sha256"] == expected
