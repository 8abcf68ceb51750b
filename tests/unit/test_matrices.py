"""Published dissimilarity matrices are read by name, and what is none is said."""

import numpy as np
import pytest
from scipy.spatial.distance import pdist, squareform

from tests.messages import message
from ventral.recordings.ingestion import check
from ventral.recordings.matrices import areas_of, read_matrices, upper_triangle

KEY = "recordings.fmri"
N = 12


def test_pairs_are_in_the_order_of_squareform():
    matrices = np.stack([squareform(pdist(np.random.default_rng(k).normal(size=(N, 3)))) for k in range(2)])
    for pairs, matrix in zip(upper_triangle(matrices), matrices, strict=True):
        np.testing.assert_array_equal(pairs, squareform(matrix))


@pytest.fixture
def matrices():
    rng = np.random.default_rng(0)
    return {
        "early": np.stack([squareform(pdist(rng.normal(size=(N, 3)))) for _ in range(3)]),
        "late": squareform(pdist(rng.normal(size=(N, 3)))),
    }


@pytest.fixture
def saved(tmp_path):
    """Save matrices, and return the recording's part of the config."""

    def save(arrays, **spec):
        path = tmp_path / ("matrices.npz" if isinstance(arrays, dict) else "matrices.npy")
        with path.open("wb") as file:
            if isinstance(arrays, dict):
                np.savez(file, **arrays)
            else:
                np.save(file, arrays)
        return {"stimuli": "my_set", "matrices": str(path), **spec}

    return save


def test_matrices_are_read_by_name(saved, matrices):
    found = read_matrices(saved(matrices), N)
    assert list(found) == ["early", "late"]
    np.testing.assert_array_equal(found["early"], matrices["early"])
    np.testing.assert_array_equal(found["late"], matrices["late"][None])


@pytest.mark.parametrize("name", ["early", "late"])
def test_a_single_array_is_called_like_its_file(saved, matrices, name):
    (found,) = read_matrices(saved(matrices[name]), N).items()
    assert found[0] == "matrices"
    np.testing.assert_array_equal(found[1], matrices[name].reshape(-1, N, N))


def test_matrices_in_single_precision_and_negative_dissimilarities_are_taken(saved, matrices):
    correlations = np.float32(1) - np.corrcoef(np.random.default_rng(0).normal(size=(N, 9))).astype(np.float32)
    correlations += np.triu(np.full((N, N), 1e-7, np.float32))
    crossvalidated = (matrices["late"] - 1) * (1 - np.eye(N))
    check(saved({"single": correlations, "crossvalidated": crossvalidated}), N, KEY)


def changed(matrix, *changes):
    matrix = matrix.copy()
    for *place, value in changes:
        matrix[tuple(place)] = value
    return matrix


@pytest.mark.parametrize(
    ("name", "change", "expected"),
    [
        ("late", lambda m: changed(m, (2, 4, np.nan)), "array `late`: row 3, column 5 is nan; every pair of stimuli "),
        ("early", lambda m: changed(m, (1, 0, 3, np.inf)), "array `early`, subject 2: row 1, column 4 is inf; "),
        ("late", lambda m: changed(m, (2, 4, 9.5)), "array `late`: row 3, column 5 is 9.5, but row 5, column 3 is "),
        ("early", lambda m: m + np.eye(N), "array `early`, subject 1: row 1, column 1 is 1, though a stimulus is not "),
        ("late", lambda m: changed(m, (3, 3, 0.2)), "array `late`: row 4, column 4 is 0.2, though a stimulus is not "),
        ("late", lambda m: m[:11, :11], "array `late`: dissimilarities of 11 stimuli, where the set 'my_set' has 12"),
        ("late", lambda m: m[:, :11], "array `late`: its shape is (12, 11); (stimuli, stimuli) or "),
        ("late", lambda m: m[None, None], "array `late`: its shape is (1, 1, 12, 12); "),
        ("early", lambda m: m[:0], "array `early`: its shape is (0, 12, 12); "),
        ("late", lambda m: m + 0j, "array `late`: its values are complex128; dissimilarities are numbers"),
        ("late", lambda m: 1 - np.eye(N), "array `late`: all pairs of stimuli are equally dissimilar"),
    ],
)
def test_what_is_no_dissimilarity_matrix_is_said(saved, matrices, name, change, expected):
    spec = saved({**matrices, name: change(matrices[name])})
    assert message(check, spec, N, KEY).startswith(f"{KEY}.matrices: {spec['matrices']}: {expected}")


def test_the_pairs_alone_are_refused_with_a_way_to_the_matrix(saved, matrices):
    assert "squareform makes a matrix" in message(check, saved(upper_triangle(matrices["late"])), N, KEY)


def test_too_few_stimuli_to_compare(saved):
    assert "all pairs of stimuli are equally dissimilar" in message(check, saved(np.array([[0, 1.0], [1, 0]])), 2, KEY)


@pytest.mark.parametrize("damage", ["empty", "text", "cut", "cut inside", "objects", "no arrays"])
def test_damaged_files_are_said(saved, matrices, tmp_path, damage):
    spec = saved({} if damage == "no arrays" else matrices)
    path = tmp_path / "matrices.npz"
    content = path.read_bytes()
    if damage == "objects":
        np.savez(path, late=np.array([[None]]))
    elif damage != "no arrays":
        middle = len(content) // 2
        damaged = {"empty": b"", "text": b"0,1\n", "cut": content[:-40]}
        path.write_bytes(damaged.get(damage, content[:middle] + b"\x00\xff" * 20 + content[middle + 40 :]))
    assert message(check, spec, N, KEY).startswith(f"{KEY}.matrices: {path}: ")


def test_an_archive_with_something_else_in_it_is_said(saved, matrices, tmp_path):
    import zipfile

    spec = saved(matrices)
    with zipfile.ZipFile(tmp_path / "matrices.npz", "a") as archive:
        archive.writestr("readme.txt", "text")
    assert "array `readme.txt`: its values are no array" in message(check, spec, N, KEY)


def test_absent_files_are_said(tmp_path):
    spec = {"stimuli": "my_set", "matrices": str(tmp_path / "nowhere.npz")}
    assert message(check, spec, N, KEY) == f"{KEY}.matrices: no such file: {tmp_path / 'nowhere.npz'}"


def test_areas_are_those_given_else_the_names():
    assert areas_of({}, ["a", "b"]) == ["a", "b"]
    assert areas_of({"area": "IT"}, ["a", "b"]) == ["IT", "IT"]
    assert areas_of({"area": {"b": "IT"}}, ["a", "b"]) == ["a", "IT"]


def test_an_area_of_no_matrix_is_said(saved, matrices):
    spec = saved(matrices, area={"eerly": "V1"})
    assert message(check, spec, N, KEY) == (
        f"{KEY}.area: no matrix in {spec['matrices']} is called 'eerly'; did you mean `early`? allowed: early, late"
    )


def test_a_file_for_each_name(matrices, tmp_path):
    paths = {name: str(tmp_path / f"{name}.npz") for name in matrices}
    for name, array in matrices.items():
        np.savez(paths[name], arr_0=array)
    spec = {"stimuli": "my_set", "matrices": paths, "area": {"early": "V1"}}
    found = read_matrices(spec, N)
    assert list(found) == ["early", "late"]
    np.testing.assert_array_equal(found["early"], matrices["early"])
    assert message(areas_of, spec | {"area": {"lat": "IT"}}, list(found), KEY) == (
        f"{KEY}.area: no matrix in {paths['early']}, {paths['late']} is called 'lat'; did you mean `late`? "
        "allowed: early, late"
    )
    np.savez(paths["late"], **matrices)
    assert message(check, spec, N, KEY) == (
        f"{KEY}.matrices.late: {paths['late']}: it has 2 arrays, early, late; a file of one name has one, or name "
        "the file alone: its arrays bring their own names"
    )
    np.savez(paths["late"], arr_0=matrices["late"][:5, :5])
    assert message(check, spec, N, KEY).startswith(
        f"{KEY}.matrices.late: {paths['late']}: dissimilarities of 5 stimuli"
    )
    (tmp_path / "late.npz").unlink()
    assert message(check, spec, N, KEY) == f"{KEY}.matrices.late: no such file: {paths['late']}"
