"""The objects of a rendered set: made by code, or a user's mesh files."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ventral.errors import InputError, allowed_instead, shown
from ventral.objects import CATEGORIES, make_object
from ventral.stimuli.files import FOLDER, Listing, kind_of, list_files
from ventral.stimuli.images import SUFFIXES

if TYPE_CHECKING:
    from ventral.objects.surface import Surface

MESH_SUFFIXES = (".glb", ".obj", ".ply")
# Formats in which the y axis points up, by definition or by convention.
Y_UP = (".glb", ".obj")
# Suffixes of materials and textures, to which mesh files refer.
BESIDE_MESHES = {".mtl", ".bin", *SUFFIXES}
FEWEST_OBJECTS = 2
IN_A_FOLDER = "left out, in folders within that of the category"


def mesh_files(categories: Sequence[str] | Mapping[str, str | None], key: str) -> dict[str, list[Path] | None]:
    """Return the mesh files of each category, in the order of their names; None for a category that is made by code.

    Parameters
    ----------
    categories : sequence of str, or mapping of str to str or None
        Names of categories, with a folder of OBJ, PLY or GLB files for the user's own categories.
    key : str
        Config key of the categories, for messages.

    Raises
    ------
    InputError
        If a category is not known and has no folder. Also if its folder is missing, has too few meshes, or has two
        meshes whose names differ only in their suffix.
    """
    folders = dict(categories) if isinstance(categories, Mapping) else dict.fromkeys(categories)
    files: dict[str, list[Path] | None] = {}
    for category, folder in folders.items():
        if folder is None:
            if category not in CATEGORIES:
                raise InputError(
                    f"{key}: {category!r} is not made by code; {allowed_instead(category, CATEGORIES)}; or give a "
                    f"folder of meshes, `{category}: FOLDER`"
                )
            files[category] = None
            continue
        files[category] = [Path(folder, file) for file in _listed(folder, f"{key}.{category}").files]
    return files


def report_left_out(categories: Sequence[str] | Mapping[str, str | None], key: str) -> None:
    """Log a warning for the files that are left out of folders of a user's own meshes."""
    folders = categories if isinstance(categories, Mapping) else {}
    for category, folder in folders.items():
        if folder is not None:
            _listed(folder, f"{key}.{category}").warn(f"{key}.{category}: {folder}")


def _listed(folder: str, key: str) -> Listing:
    """List the meshes of a category, in the order of their names."""
    if kind_of(folder) != FOLDER:
        raise InputError(f"{key}: no such folder: {folder}")
    listing = list_files(Path(folder), MESH_SUFFIXES, key, "meshes", BESIDE_MESHES)
    if below := [file for file in listing.files if "/" in file]:
        listing.remarks[IN_A_FOLDER] = below
    listing.files = sorted(file for file in listing.files if "/" not in file)
    if len(listing.files) < FEWEST_OBJECTS:
        raise InputError(
            f"{key}: {folder} has {len(listing.files)} meshes ({', '.join(MESH_SUFFIXES)}); a category needs at least "
            f"{FEWEST_OBJECTS} objects, or the category and the object are the same thing"
        )
    counts = Counter(Path(file).stem for file in listing.files)
    if same := [file for file in listing.files if counts[Path(file).stem] > 1]:
        raise InputError(
            f"{key}: {folder}: {shown(same)} differ only in the ending of their names; keep one of each, or rename "
            f"them if they are different objects"
        )
    return listing


def load_object(category: str, exemplar: int, files: Sequence[Path] | None, key: str) -> "Surface":
    """Return an object, upright along +z, within a sphere of radius 1.

    Parameters
    ----------
    category, exemplar : str, int
        Category of the object, and its number within the category.
    files : sequence of paths, optional
        The category's mesh files; without them the object is made by code.
    key : str
        Config key of the category, for messages.

    Raises
    ------
    InputError
        If a mesh cannot be read, or has no surface.
    """
    return make_object(category, exemplar) if files is None else read_mesh(files[exemplar], key)


def read_mesh(path: Path, key: str) -> "Surface":
    """Return the surface of an OBJ, PLY or GLB file with its colours, or grey.

    The y axis of OBJ and GLB files, and the z axis of PLY files, points up.
    """
    import trimesh

    from ventral.objects.shapes import Part, assembled

    try:
        mesh = trimesh.load_mesh(path)
        points, triangles, area = np.asarray(mesh.vertices), np.asarray(mesh.faces), mesh.area
        visual = mesh.visual.to_color() if mesh.visual.kind == "texture" else mesh.visual
        colours = np.asarray(visual.vertex_colors)[:, :3]
    except Exception as error:  # a reader for each format, each with errors of its own
        raise InputError(f"{key}: {path}: cannot be read as a mesh: {type(error).__name__}: {error}") from error
    if not len(triangles) or not np.isfinite(points).all() or not area > 0:
        raise InputError(
            f"{key}: {path}: {len(points)} points and {len(triangles)} triangles make no surface; save it as triangles"
        )
    if path.suffix.lower() in Y_UP:
        points = points[:, [2, 0, 1]]
    return assembled([Part(points, triangles, np.broadcast_to(colours / 255, points.shape))])
