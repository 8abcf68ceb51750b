"""Objects that a user has as mesh files."""

import numpy as np
import pytest
import trimesh

from ventral.errors import InputError
from ventral.stimuli.meshes import mesh_files, read_mesh


@pytest.fixture
def rod() -> trimesh.Trimesh:
    """A red rod, four times as long along y as across."""
    mesh = trimesh.creation.box(extents=[1, 4, 1])
    mesh.visual.vertex_colors = np.tile([200, 30, 20, 255], (len(mesh.vertices), 1)).astype(np.uint8)
    return mesh


@pytest.mark.parametrize(("suffix", "long_axis"), [("obj", 2), ("glb", 2), ("ply", 1)])
def test_a_mesh_is_read_upright_with_its_colours(tmp_path, rod, suffix, long_axis):
    rod.export(tmp_path / f"rod.{suffix}")
    surface = read_mesh(tmp_path / f"rod.{suffix}", "key")
    extent = np.ptp(surface.points, axis=0)
    assert extent.argmax() == long_axis
    assert extent[long_axis] == pytest.approx(4 * np.delete(extent, long_axis)[0], rel=1e-5)
    assert np.linalg.norm(surface.points, axis=1).max() == pytest.approx(1, abs=1e-6)
    np.testing.assert_allclose(surface.colours, np.tile([200, 30, 20], (len(surface.points), 1)), atol=1)
    # A box has sharp edges: every normal is that of a side.
    np.testing.assert_allclose(np.abs(surface.normals).max(axis=2), 1, atol=1e-6)


def test_a_mesh_without_colours_is_grey(tmp_path):
    trimesh.creation.icosphere(subdivisions=1).export(tmp_path / "ball.ply")
    colours = read_mesh(tmp_path / "ball.ply", "key").colours
    assert len(np.unique(colours)) == 1


def test_a_textured_mesh_has_the_colours_of_its_texture(tmp_path):
    from PIL import Image

    image = Image.fromarray(np.full((4, 4, 3), (10, 200, 30), np.uint8))
    mesh = trimesh.creation.box()
    mesh.visual = trimesh.visual.TextureVisuals(uv=np.full((len(mesh.vertices), 2), 0.5), image=image)
    mesh.export(tmp_path / "textured.glb")
    np.testing.assert_allclose(read_mesh(tmp_path / "textured.glb", "key").colours[0], [10, 200, 30], atol=2)


@pytest.mark.parametrize(("name", "content"), [("a.ply", b"no mesh"), ("a.glb", b"glTF"), ("a.obj", b"v 1 2 3\n")])
def test_an_unreadable_mesh_is_named(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=rf"^stimuli.s.render.categories.mine: .*{name}: "):
        read_mesh(tmp_path / name, "stimuli.s.render.categories.mine")


def test_a_folder_of_meshes_is_a_category(tmp_path, rod):
    for name in ("b.ply", "a.obj", "notes.txt"):
        (tmp_path / name).touch()
    files = mesh_files({"mine": str(tmp_path), "cars": None}, "key")
    assert [path.name for path in files["mine"]] == ["a.obj", "b.ply"]
    assert files["cars"] is None


@pytest.mark.parametrize(
    ("categories", "message"),
    [
        (["crs"], r"key: 'crs' is not made by code; did you mean `cars`\? allowed: animals"),
        ({"mine": "nowhere"}, "key.mine: no such folder: nowhere"),
    ],
)
def test_unknown_categories_are_named(categories, message):
    with pytest.raises(InputError, match=message):
        mesh_files(categories, "key")


def test_a_category_with_one_mesh_is_refused(tmp_path):
    (tmp_path / "only.ply").touch()
    with pytest.raises(InputError, match=r"key.mine: .* has 1 meshes .*; a category needs at least 2 objects"):
        mesh_files({"mine": str(tmp_path)}, "key")
