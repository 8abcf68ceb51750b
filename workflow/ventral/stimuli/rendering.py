"""Sets of rendered images: objects in many poses, on backgrounds that are unrelated to them.

The seed, object and number determine an image bit for bit, in any job, on one kind of processor.
"""

import hashlib
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ventral.errors import InputError
from ventral.outputs import writing
from ventral.running.progress import Progress
from ventral.shards import rows_of_shard
from ventral.stimuli import backgrounds, challenges, meshes
from ventral.stimuli.challenges import CLUTTER, NOISE, OCCLUSION
from ventral.stimuli.draws import named_generator
from ventral.stimuli.modality import FIRST, MODALITIES
from ventral.stimuli.store import ROWS_PER_CHUNK, complete_set, create_set

if TYPE_CHECKING:
    import pandas as pd

    from ventral.stimuli.scene import Scene

logger = logging.getLogger("ventral")

# Diameter of an object's sphere in image widths, before its size is varied.
DIAMETER = 0.72
# Levels of Majaj, Hong, Solomon and DiCarlo 2015 (J. Neurosci. 35:13402). Each has the largest shift of the object in
# half image widths, ratio of sizes, and rotation about each axis in degrees. All are drawn uniformly (log of sizes).
LEVELS = {"low": (0.0, 1.0, 0.0), "medium": (0.3, 1.3, 45.0), "high": (0.6, 1.6, 90.0)}
PLANNED = ("position_x", "position_y", "size", "rotation_x", "rotation_y", "rotation_z")
# Periods of the rotations about each axis, in degrees; the other properties are not circular.
PERIODS = {"rotation_x": 360.0, "rotation_y": 360.0, "rotation_z": 360.0}
# A table of more images would not fit into memory while the config is checked.
MOST_IMAGES = 5_000_000
MEASURED = ("centroid_x", "centroid_y", "box_left", "box_bottom", "box_width", "box_height", "area")
OCCLUDED = "occluded"


def plan(spec: dict, key: str = "render") -> "pd.DataFrame":
    """Return the object, pose and names of each image of a set, without rendering.

    Parameters
    ----------
    spec : dict
        Has `categories`, `exemplars`, `first_exemplar`, `images`, `variation`, `size`, `backgrounds` and `seed`, as in
        the config. The images of an object take the levels of `variation` in turn. `occlusion`, `clutter` and `noise`
        are optional.
    key : str
        Config key of `spec`, for messages.

    Returns
    -------
    DataFrame
        One row for each image, objects in order; the index `stimulus` has the names. Text columns are `object`,
        `category` and `variation`. The columns `position_x` (to the right), `position_y` (up) and `size` (diameter of
        the object's sphere) are in image widths. The columns `rotation_x`, `rotation_y` and `rotation_z` are in degrees
        about the object's own axes. `occlusion`, `clutter` and `noise` have the drawn levels of these options.

    Raises
    ------
    InputError
        If a category is unknown, or has fewer than two exemplars, no meshes in its folder, or fewer meshes than
        exemplars. Also if a background is missing.
    """
    import pandas as pd

    files = meshes.mesh_files(spec["categories"], f"{key}.categories")
    if spec["exemplars"] < meshes.FEWEST_OBJECTS:
        raise InputError(
            f"{key}.exemplars: {spec['exemplars']}; a category needs at least {meshes.FEWEST_OBJECTS} objects, or the "
            f"category and the object are the same thing"
        )
    backgrounds.check(_sources(spec), f"{key}.backgrounds")
    exemplars = range(spec["first_exemplar"], spec["first_exemplar"] + spec["exemplars"])
    n_images = len(files) * len(exemplars) * spec["images"]
    if n_images > MOST_IMAGES:
        raise InputError(
            f"{key}.images: {len(files)} categories, {len(exemplars)} exemplars of each and {spec['images']} images of "
            f"each make {n_images} images, {MOST_IMAGES} are the most; ask for fewer of one"
        )
    objects = []
    for category, of_category in files.items():
        if of_category is not None and len(of_category) < exemplars.stop:
            raise InputError(
                f"{key}.categories.{category}: {len(of_category)} meshes, where exemplars {exemplars.start} to "
                f"{exemplars.stop - 1} are asked for; add meshes, or set `exemplars` to "
                f"{max(0, len(of_category) - exemplars.start)} or less"
            )
        objects += [_views(spec, category, f"{category}_{exemplar:02d}") for exemplar in exemplars]
    columns = {column: np.concatenate([views[column] for views in objects]) for column in objects[0]}
    return pd.DataFrame(columns).set_index("stimulus")


def render(spec: dict, output: str | Path, *, name: str, shard: int, shards: int) -> None:
    """Render the images of one shard of a set.

    Parameters
    ----------
    spec : dict
        As for `plan`.
    output : path
        Store to write: `pixels` (rows, 3, size, size) uint8, `measured` (rows, `measured_columns`) float64,
        `background`.
    name : str
        Name of the set.
    shard, shards : int
        Number of the shard, from 0, and number of shards.

    Raises
    ------
    InputError
        As for `plan`, and if a mesh or photograph cannot be read.
    """
    from ventral.stimuli.scene import Scene, drawn_by
    from ventral.store import create_array, new_store

    key = f"stimuli.{name}.render"
    table = plan(spec, key)
    start, stop = rows_of_shard(len(table), shard, shards, f"{key}.shards")
    rows = table.iloc[start:stop]
    files = meshes.mesh_files(spec["categories"], f"{key}.categories")
    sources = backgrounds.Backgrounds(_sources(spec), f"{key}.backgrounds")
    size = spec["size"]
    progress = Progress(f"render {name} {start}-{stop}", len(rows), "images")
    pixels = np.empty((len(rows), 3, size, size), np.uint8)
    measured, names = np.empty((len(rows), len(measured_columns(spec)))), []
    shown, scene = None, None
    for row, (stimulus, view) in enumerate(rows.iterrows()):
        if view["object"] != shown:
            shown, exemplar = view["object"], int(view["object"].rpartition("_")[2])
            category = view["category"]
            surface = meshes.load_object(category, exemplar, files[category], f"{key}.categories.{category}")
            scene = Scene(surface, size)
        pixels[row], measured[row], background = _image(spec, stimulus, view, scene, sources)
        names.append(background)
        progress.advance()
    with writing(output) as unfinished, new_store(unfinished) as group:
        for array, values in (("pixels", pixels), ("measured", measured)):
            chunks = (ROWS_PER_CHUNK, *values.shape[1:])
            create_array(group, array, values.shape, values.dtype.name, chunks, chunks)[:] = values
        group.attrs.update(start=start, stop=stop, background=names, drawn_by=drawn_by())


def assemble(
    spec: dict, shards: Sequence[str | Path], output: str | Path, *, name: str, degrees: float | None = None
) -> None:
    """Join the shards of a rendered set into a store like that of an ingested one.

    Parameters
    ----------
    spec : dict
        As for `plan`.
    shards : sequence of paths
        Stores from `render` that together hold every image once.
    output : path
        Store to write, as `ventral.stimuli.store` describes. Besides the columns of `plan` it has `background`, the
        `measured_columns`, and the attribute `drawn_by`.
    name : str
        Name of the set.
    degrees : float, optional
        Degrees of visual angle that the side of an image spans.
    """
    import dask.array as da

    from ventral.store import open_store

    stores = sorted((open_store(shard) for shard in shards), key=lambda store: store.attrs["start"])
    key = f"stimuli.{name}.render"
    table = plan(spec, key)
    # Warn here, because there is one such job, and there are several that render.
    meshes.report_left_out(spec["categories"], f"{key}.categories")
    backgrounds.report_left_out(_sources(spec), f"{key}.backgrounds")
    table["background"] = [background for store in stores for background in store.attrs["background"]]
    table[measured_columns(spec)] = np.concatenate([store["measured"][:] for store in stores])
    digests, outlines = [], []
    with writing(output) as unfinished:
        pixels = create_set(unfinished, table, MODALITIES[FIRST], (3, spec["size"], spec["size"]))
        # A file of the store is written once, whole.
        step = pixels.shards[0]
        everything = da.concatenate([da.from_zarr(store["pixels"]) for store in stores])
        for start in range(0, len(table), step):
            block = everything[start : start + step].compute()
            pixels[start : start + len(block)] = block
            digests += [hashlib.sha256(image).digest() for image in block]
            outlines.append(MODALITIES[FIRST].outlines(block))
        drawn_by = sorted({store.attrs["drawn_by"] for store in stores})
        attributes = {"drawn_by": "; ".join(drawn_by), **MODALITIES[FIRST].kept({"degrees": degrees})}
        complete_set(unfinished, name, table, digests, np.concatenate(outlines), **attributes)


def background_of(
    spec: dict, stimulus: str, sources: backgrounds.Backgrounds, size: int
) -> tuple[NDArray[np.uint8], str]:
    """Return the background (3, size, size) of a stimulus, which depends on its name alone, and its own name."""
    return sources.draw(size, named_generator(spec["seed"], stimulus, "background"))


def measured_columns(spec: dict) -> list[str]:
    """Return the names of the properties that are measured in the images of a set."""
    return [*MEASURED, *([OCCLUDED] if OCCLUSION in spec else [])]


def measures(coverage: NDArray) -> NDArray[np.float64]:
    """Return the measures `MEASURED` of the part of an object in the image, in image widths from the image's centre.

    Parameters
    ----------
    coverage : (size, size) array
        Share of each pixel that the object covers. Pixels with at least a half belong to the object.

    Returns
    -------
    (7,) array
        Centroid to the right and up; left and lower edge, width and height of the bounding box; area as a share of the
        image. All but the area are NaN if no pixel belongs to the object.
    """
    mask = coverage >= 0.5
    if not mask.any():
        return np.array([np.nan] * 6 + [0.0])
    size = len(mask)
    rows, columns = np.nonzero(mask)
    left, right, top, bottom = columns.min(), columns.max() + 1, rows.min(), rows.max() + 1
    return np.array(
        [
            (columns.mean() + 0.5) / size - 0.5,
            0.5 - (rows.mean() + 0.5) / size,
            left / size - 0.5,
            0.5 - bottom / size,
            (right - left) / size,
            (bottom - top) / size,
            mask.mean(),
        ]
    )


def folders(spec: dict) -> list[str]:
    """Return the folders of meshes and photographs from which a set is rendered."""
    meshes_of = spec["categories"].values() if isinstance(spec["categories"], dict) else []
    known = (backgrounds.PHOTOGRAPHS, backgrounds.NOISE)
    return [folder for folder in meshes_of if folder is not None] + [
        source for source in _sources(spec) if source not in known
    ]


def _image(
    spec: dict, stimulus: str, view: "pd.Series", scene: "Scene", sources: backgrounds.Backgrounds
) -> tuple[NDArray[np.uint8], list[float], str]:
    """Return a stimulus (3, size, size), its `measured_columns`, and the name of its background."""

    def random(challenge: str) -> np.random.Generator:
        return named_generator(spec["seed"], stimulus, challenge)

    position = (view["position_x"], view["position_y"])
    drawn = scene.draw(position, view["size"], (view["rotation_x"], view["rotation_y"], view["rotation_z"]))
    behind, background = background_of(spec, stimulus, sources, spec["size"])
    measured = [*measures(drawn[3])]
    if CLUTTER in spec:
        behind = challenges.cluttered(behind, int(view[CLUTTER]), position, random(CLUTTER))
    pixels = challenges.composed(drawn, behind)
    if OCCLUSION in spec:
        pixels, share = challenges.occluded(pixels, drawn[3], view[OCCLUSION], sources, random(OCCLUSION))
        measured.append(share)
    if NOISE in spec:
        pixels = challenges.noisy(pixels, view[NOISE], random(NOISE))
    return pixels, measured, background


def _sources(spec: dict) -> list[str]:
    return [spec["backgrounds"]] if isinstance(spec["backgrounds"], str) else spec["backgrounds"]


def _views(spec: dict, category: str, name: str) -> dict[str, NDArray]:
    """Return the columns of one object's rows."""
    number = np.arange(spec["images"])
    variation = np.array(spec["variation"])[number % len(spec["variation"])]
    shift, ratio, turn = np.array([LEVELS[level] for level in variation]).T
    # Draw row by row, so that the first images do not depend on the number of images.
    drawn = named_generator(spec["seed"], name, "pose").uniform(-1, 1, (len(number), len(PLANNED)))
    scale = np.stack([shift / 2, shift / 2, np.log(ratio), turn, turn, turn], axis=1)
    values = drawn * scale
    values[:, 2] = DIAMETER * np.exp(values[:, 2])
    digits = len(str(len(number) - 1))
    return {
        "stimulus": np.array([f"{name}_{level}_{k:0{digits}d}" for k, level in zip(number, variation, strict=True)]),
        "object": np.repeat(name, len(number)),
        "category": np.repeat(category, len(number)),
        "variation": variation,
        **dict(zip(PLANNED, values.T, strict=True)),
        **challenges.drawn_levels(spec, name, len(number)),
    }
