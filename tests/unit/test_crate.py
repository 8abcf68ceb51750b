"""What a crate has inside, what it says of itself, and what it refuses."""

import json
import shutil
import zipfile
from pathlib import Path

import pytest
import yaml

from ventral.crate.inputs import moved, own_files
from ventral.crate.jobs import jobs_behind, raw_inputs
from ventral.crate.packing import CHECKOUT, crate, placed
from ventral.datasets.registry import DOWNLOADS
from ventral.errors import InputError
from ventral.outputs import sha256
from ventral.provenance import digest

CONTEXT = Path(__file__).parent / "data" / "ro-crate-1.1-context.json"
CONFIG = {
    "results": "results",
    "stimuli": {"mine": {"images": "images", "table": "my table.csv"}},
    "recordings": {"rec": {"stimuli": "mine", "responses": "responses.npy"}},
    "models": {"tiny": {"architecture": "mynet:make"}, "pixels": None},
    "dask": "tcp://here:8786",
}


class Folder:
    """A working folder after a run: raw inputs, a module, three jobs, and the record of a fourth that is not of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config = json.loads(json.dumps(CONFIG))
        (folder / "images").mkdir()
        for k in range(2):
            (folder / "images" / f"image {k}.png").write_bytes(bytes([k]))
        (folder / "my table.csv").write_text("stimulus\n")
        (folder / "responses.npy").write_bytes(b"responses")
        (folder / "mynet.py").write_text("make = None\n")
        self.write("stimuli/mine.zarr/zarr.json", "{}")
        self.write("scores.parquet", "scores")
        self.write("figures/a.svg", "<svg/>")
        images = ["images", "my table.csv"]
        self.record("stimuli/mine", 0, "stimuli", images, ["results/stimuli/mine.zarr"])
        self.record(
            "join", 1, "join", ["results/stimuli/mine.zarr/zarr.json", "responses.npy"], ["results/scores.parquet"]
        )
        self.record("figures/a", 2, "layer_profile", ["results/scores.parquet"], ["results/figures/a.svg"])
        self.record("models/gone", 3, "model", [], ["results/models/gone.json"])

    def write(self, name: str, text: str) -> None:
        path = self.folder / "results" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def record(self, name: str, minute: int, stage: str, inputs: list[str], outputs: list[str], **others: str) -> None:
        record = {
            "stage": stage,
            "config": {},
            "inputs": {path: digest(self.folder / path) for path in inputs} | others,
            "outputs": {path: digest(self.folder / path) for path in outputs if (self.folder / path).exists()}
            or dict.fromkeys(outputs, "0"),
            "code": {"ventral.store": sha256(CHECKOUT / "workflow/ventral/store.py"), "mynet": sha256("mynet.py")},
            "packages": {"numpy": "2.4.6"},
            "python": "3.11.4",
            "hardware": {"machine": "x86_64", "processor": "CPU of a test", "gpu": None},
            "started": f"2026-01-02T03:0{minute}:00+00:00",
            "seconds": 12.3,
            "cpu_seconds": 11.0,
            "peak_mb": 100,
            "sha256": "0" * 64,
        }
        self.write(f"provenance/{name}.json", json.dumps(record))

    def pack(self, *files: str) -> Path:
        files = files or ("results/scores.parquet", "results/figures/a.svg")
        output = Path("results/crate.zip")
        crate([Path(file) for file in files], output, results="results", config=self.config, snakemake="9.0")
        return output

    def graph(self, *files: str) -> dict[str, dict]:
        with zipfile.ZipFile(self.pack(*files)) as archive:
            graph = json.loads(archive.read("ro-crate-metadata.json"))["@graph"]
        assert len({entity["@id"] for entity in graph}) == len(graph)
        return {entity["@id"]: entity for entity in graph}


@pytest.fixture
def run(tmp_path, monkeypatch) -> Folder:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    return Folder(tmp_path)


def names_in(archive: Path) -> set[str]:
    with zipfile.ZipFile(archive) as opened:
        assert opened.testzip() is None
        return set(opened.namelist())


def test_the_user_s_files_are_found_wherever_the_config_names_them():
    config = {
        "stimuli": {
            "a": {"images": "a.zip", "table": None},
            "b": {"render": {"categories": {"cups": "meshes", "faces": None}, "backgrounds": ["noise", "parks"]}},
            "c": {"render": {"categories": ["faces"], "backgrounds": "photographs"}},
        },
        "recordings": {
            "d": {"responses": "d.npy", "neuroids": "d.csv", "ceiling": {"file": "c.npy", "kind": "oracle"}},
            "e": {"matrices": {"V1": "v1.npz"}},
            "f": {"matrices": "f.npz"},
            "g": {"simulate": {"teacher": {"architecture": "x", "weights": "w.pt"}}},
            "h": {"simulate": {"teacher": "resnet18"}},
        },
        "models": {"i": {"weights": "i.safetensors"}, "j": {"weights": "random"}, "k": None},
    }
    assert own_files(config) == {
        "stimuli.a.images": "a.zip",
        "stimuli.b.render.categories.cups": "meshes",
        "stimuli.b.render.backgrounds.1": "parks",
        "recordings.d.responses": "d.npy",
        "recordings.d.neuroids": "d.csv",
        "recordings.d.ceiling.file": "c.npy",
        "recordings.e.matrices.V1": "v1.npz",
        "recordings.f.matrices": "f.npz",
        "recordings.g.simulate.teacher.weights": "w.pt",
        "models.i.weights": "i.safetensors",
    }
    assert own_files({"models": ["pixels"]}) == {}
    elsewhere = moved(config | {"gres": "gpu:1", "seed": 3}, lambda path: f"there/{path}")
    assert elsewhere["stimuli"]["b"]["render"]["backgrounds"] == ["noise", "there/parks"]
    assert elsewhere["models"]["i"]["weights"] == "there/i.safetensors"
    assert elsewhere["seed"] == 3
    assert "gres" not in elsewhere
    assert config["stimuli"]["a"]["images"] == "a.zip"


def test_files_keep_their_path_unless_it_leads_out_or_is_taken(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "set" / "deep").mkdir(parents=True)
    (tmp_path / "set" / "deep" / "a.png").touch()
    (tmp_path / "x.csv").touch()
    inside = Path("set")
    assert placed(inside, {}) == ("set/", {"set/deep/a.png": Path("set/deep/a.png")})
    assert placed(inside, {"set/deep/a.png": tmp_path / "set" / "deep" / "a.png"})[0] == "set/"
    assert placed(inside, {"set/deep/a.png": b"another"})[0] == "inputs/set/"
    assert placed(inside, {"set": b"a file"})[0] == "inputs/set/"
    assert placed(Path("x.csv"), {"x.csv/y": b"in a folder"})[0] == "inputs/x.csv"
    outside = tmp_path / "x.csv"
    assert placed(outside, {}) == ("inputs/x.csv", {"inputs/x.csv": outside})
    assert placed(outside, {"inputs/x.csv": b"another"})[0] == "inputs/2/x.csv"
    assert placed(Path("../x.csv"), {})[0] == "inputs/x.csv"


def test_all_jobs_behind_an_output_are_found_and_no_others(run):
    provenance = run.folder / "results" / "provenance"
    jobs = jobs_behind(["results/figures/a.svg"], provenance)
    assert [job.name for job in jobs] == ["stimuli/mine", "join", "figures/a"]
    assert set(raw_inputs(jobs)) == {"images", "my table.csv", "responses.npy"}
    with pytest.raises(InputError, match=r"has no record of results/new.csv"):
        jobs_behind(["results/new.csv"], provenance)


def test_a_crate_has_the_run_and_all_that_is_needed_to_run_it_again(run):
    names = names_in(run.pack())
    assert names >= {
        "Snakefile",
        "README.md",
        "workflow/README.md",
        "workflow/Snakefile",
        "workflow/rules/common.smk",
        "workflow/ventral/store.py",
        "workflow/schemas/config.schema.yaml",
        "envs/requirements.lock",
        "envs/no_deps.txt",
        "profiles/default/config.yaml",
        "pyproject.toml",
        "Makefile",
        "LICENSE",
        "images/image 0.png",
        "my table.csv",
        "responses.npy",
        "mynet.py",
        "results/scores.parquet",
        "results/figures/a.svg",
        "results/provenance/join.json",
    }
    assert not [name for name in names if "__pycache__" in name or ".zarr" in name or "gone" in name]
    with zipfile.ZipFile("results/crate.zip") as archive:
        assert yaml.safe_load(archive.read("config/config.yaml")) == {k: v for k, v in CONFIG.items() if k != "dask"}
        assert archive.read("results/scores.parquet") == b"scores"


def test_the_same_run_gives_the_same_bytes(run, tmp_path):
    first = run.pack().read_bytes()
    copied = shutil.copytree(tmp_path / "images", tmp_path / "copied")
    shutil.rmtree(tmp_path / "images")
    copied.rename(tmp_path / "images")
    assert run.pack().read_bytes() == first


def test_what_lies_elsewhere_comes_inside_and_the_config_says_where(run, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "responses.npy"
    shutil.copy("responses.npy", elsewhere)
    run.config["recordings"]["rec"]["responses"] = str(elsewhere)
    run.record("join", 1, "join", ["results/stimuli/mine.zarr", str(elsewhere)], ["results/scores.parquet"])
    with zipfile.ZipFile(run.pack()) as archive:
        assert archive.read("inputs/responses.npy") == b"responses"
        config = archive.read("config/config.yaml").decode()
    assert "responses: inputs/responses.npy" in config
    assert str(elsewhere.parent) not in config


def test_a_results_folder_elsewhere_is_inside_the_crate_too(run, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("scratch")
    (elsewhere / "scores.parquet").write_text("scores")
    run.record("join", 1, "join", ["responses.npy"], [str(elsewhere / "scores.parquet")])
    shutil.copytree("results/provenance", elsewhere / "provenance")
    run.config["results"] = results = str(elsewhere)
    output = elsewhere / "crate.zip"
    crate([elsewhere / "scores.parquet"], output, results=results, config=run.config, snakemake="9.0")
    assert names_in(output) >= {"results/scores.parquet", "results/provenance/join.json"}
    with zipfile.ZipFile(output) as archive:
        assert yaml.safe_load(archive.read("config/config.yaml"))["results"] == "results"


def test_published_data_are_named_and_not_inside(run):
    path, download = next(iter(DOWNLOADS.items()))
    fetched = {"responses.npy": download["sha256"]}
    run.record("join", 1, "join", ["results/stimuli/mine.zarr"], ["results/scores.parquet"], **fetched)
    graph = run.graph()
    assert "responses.npy" not in names_in(Path("results/crate.zip"))
    assert graph["#outside/responses.npy"]["url"] == download["url"]
    with zipfile.ZipFile("results/crate.zip") as archive:
        config = yaml.safe_load(archive.read("config/config.yaml"))
        assert download["url"] in archive.read("README.md").decode()
    assert config["recordings"]["rec"]["responses"] == f"resources/{path}"


def test_a_table_that_comes_with_the_workflow_is_that_of_the_crate(run):
    table = CHECKOUT / "config" / "cowley2023_210325.csv"
    run.record("stimuli/mine", 0, "stimuli", ["images", str(table)], ["results/stimuli/mine.zarr"])
    graph = run.graph()
    assert {"@id": "config/cowley2023_210325.csv"} in graph["#job/stimuli/mine"]["object"]
    assert str(CHECKOUT) not in json.dumps(graph)


def test_the_verdict_of_an_audit_is_inside_where_there_is_one(run):
    assert "results/audit/audit.json" not in names_in(run.pack())
    run.write("audit/audit.json", "{}")
    assert run.graph()["results/audit/audit.json"]["encodingFormat"] == "application/json"
    assert "results/audit/audit.json" in names_in(Path("results/crate.zip"))


def test_every_job_is_an_action_from_what_it_read_to_what_it_made(run):
    graph = run.graph()
    job = graph["#job/join"]
    assert job["object"] == [{"@id": "#outside/results/stimuli/mine.zarr/zarr.json"}, {"@id": "responses.npy"}]
    assert job["result"] == {"@id": "results/scores.parquet"}
    assert (job["startTime"], job["endTime"]) == ("2026-01-02T03:01:00+00:00", "2026-01-02T03:01:12+00:00")
    assert graph[job["instrument"]["@id"]]["name"] == "python -m ventral join"
    assert graph[job["instrument"]["@id"]]["softwareRequirements"] == {"@id": "pkg:pypi/numpy@2.4.6"}
    memory = [graph[usage["@id"]] for usage in job["resourceUsage"] if usage["@id"].endswith("peak_mb")]
    assert [usage["value"] for usage in memory] == ["100"]
    assert graph["results/scores.parquet"]["sha256"] == sha256("results/scores.parquet")
    assert {entity["@id"] for entity in graph["#run"]["object"]} == {
        "config/config.yaml",
        "images/",
        "my%20table.csv",
        "responses.npy",
    }
    assert "#job/models/gone" not in graph


def referred(value: object) -> set[str]:
    """All identifiers that a part of the metadata refers to."""
    if isinstance(value, list):
        assert len(value) > 1
        return set().union(*map(referred, value))
    return {value["@id"]} if isinstance(value, dict) else set()


def test_all_that_is_referred_to_is_described_and_every_term_is_known(run):
    graph = run.graph()
    with zipfile.ZipFile("results/crate.zip") as archive:
        standard, own = json.loads(archive.read("ro-crate-metadata.json"))["@context"]
    assert standard == "https://w3id.org/ro/crate/1.1/context"
    known = json.loads(CONTEXT.read_text())["@context"].keys() | own.keys()
    for entity in graph.values():
        types = entity["@type"] if isinstance(entity["@type"], list) else [entity["@type"]]
        assert {*types, *entity} - {"@id", "@type"} <= known, entity
        for key, value in entity.items():
            missing = referred(value) - graph.keys()
            # What the rest conforms to is described at its address.
            assert key in ("conformsTo", "identifier", "url") or not missing, (entity["@id"], key, missing)


def test_a_changed_output_is_refused(run):
    run.write("figures/a.svg", "<svg>drawn by hand</svg>")
    with pytest.raises(InputError, match=r"results/figures/a.svg: changed since the run"):
        run.pack()
    assert not Path("results/crate.zip").exists()


def test_a_changed_input_is_refused(run):
    Path("my table.csv").write_text("stimulus,size\n")
    with pytest.raises(InputError, match=r"stimuli\.mine\.table: my table\.csv has changed"):
        run.pack()


def test_other_code_is_refused(run):
    Path("mynet.py").write_text("make = 1\n")
    with pytest.raises(InputError, match=r"stimuli/mine was made by another version of .*mynet.py"):
        run.pack()


def test_a_folder_that_a_job_made_is_inside_with_its_files(run):
    folder = "results/readouts/rec/net"
    for name in ("5.md", ".snakemake_timestamp"):
        run.write(f"readouts/rec/net/{name}", "card")
    run.record("readouts/rec/net", 4, "readout", ["results/scores.parquet"], [folder])
    files = ("results/scores.parquet", folder)
    inside = names_in(run.pack(*files))
    assert {name for name in inside if name.startswith(folder)} == {f"{folder}/", f"{folder}/5.md"}
    assert run.graph(*files)[f"{folder}/"]["description"] == "Made by the job readouts/rec/net."
    (run.folder / folder / "5.md").write_text("another card")
    with pytest.raises(InputError, match="net: changed since the run"):
        run.pack(*files)
