"""An audit finds what is wrong with results, and names it."""

import json
import random
import shlex
import subprocess
import sys
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import zarr
from safetensors.numpy import save_file

from tests.unit.synthetic_scores import score_table
from ventral import provenance
from ventral.audit import verification
from ventral.audit.comparison import BOUNDS, TOLERANCE, bound_of, difference
from ventral.audit.page import as_page
from ventral.audit.plan import Job, read_plan
from ventral.audit.rerun import CleanDirectory, choose, on_what_is_here, other_circumstances, run_again, with_makers
from ventral.audit.verdicts import audit
from ventral.audit.verification import PASSED, config_differences, verify
from ventral.commands import parse, stages
from ventral.errors import InputError
from ventral.outputs import packing
from ventral.provenance import digest, digest_of_record, recorded_job, source_of

SPEC = {"name": "net", "layers": ["a", "b"], "weights": "{results}/weights/net"}
COMMANDS = {
    "stimuli": 'stimuli --input reads images.bin --options \'{"name": "mine", "spec": {"images": "images.bin"}}\' '
    "--output output {results}/stimuli/mine.zarr --provenance {results}/provenance/stimuli.json",
    "model": "model --options {spec} --input reads {results}/weights/net "
    "--output output {results}/models/net.json --provenance {results}/provenance/model.json",
    "extract": "extract --input stimuli {results}/stimuli/mine.zarr --options {spec} "
    "--input reads {results}/weights/net --input model {results}/models/net.json --batch-size 32 "
    "--output output {results}/activations/0 --provenance {results}/provenance/extract.json",
    "gram": "gram --input parts {results}/activations/0 --options '{\"seed\": 0}' --dask threads "
    "--output output {results}/grams/net.gram --provenance {results}/provenance/gram.json",
    "selectivity": "selectivity --input grams {results}/grams/net.gram --input stimuli {results}/stimuli/mine.zarr "
    '--options \'{"category": "faces", "seed": 0}\' '
    "--output output {results}/selectivity.csv --provenance {results}/provenance/selectivity.json",
    "contact_sheet": "contact_sheet --input stimuli {results}/stimuli/mine.zarr --output svg {results}/sheet.svg "
    "--output pdf {results}/sheet.pdf --output csv {results}/sheet.csv --provenance {results}/provenance/sheet.json",
}
ACTIVATIONS, GRAM, TABLE = "results/activations/0", "results/grams/net.gram", "results/selectivity.csv"


def printed(results: str = "results", spec: dict = SPEC, **changed: tuple[str, str]) -> str:
    """What a dry run prints, with another spec or parts of commands replaced."""
    spec = shlex.quote(json.dumps({"spec": spec}).replace("{results}", results))
    lines = []
    for stage, command in COMMANDS.items():
        command = command.replace("{spec}", spec).replace("{results}", results).replace(*changed.get(stage, ("", "")))
        lines += [f"rule {stage}:", f"Shell command: python -m ventral {command}", ""]
    return "\n".join([*lines, f"Would remove temporary output {results}/activations/0"])


@pytest.fixture
def results(tmp_path, monkeypatch) -> Path:
    """A folder of results whose every output has its record; activations are deleted, as they are after a run."""
    working = tmp_path / "working"
    working.mkdir()
    monkeypatch.chdir(working)
    (tmp_path / "lab").mkdir()
    (tmp_path / "lab" / "lab_network.py").write_text("layers = 3\n")
    monkeypatch.syspath_prepend(tmp_path / "lab")
    monkeypatch.setattr(provenance, "code_loaded", lambda: {"lab_network": digest(source_of("lab_network"))})
    monkeypatch.setattr(provenance, "packages_loaded", lambda: {"numpy": np.__version__})
    Path("images.bin").write_text("images")
    Path("results/weights").mkdir(parents=True)
    Path("results/weights/net").write_text("weights")
    for job in read_plan(printed()).jobs:
        make(job.arguments)
    Path(ACTIVATIONS).unlink()
    return working / "results"


def make(arguments: tuple[str, ...]) -> None:
    """Make the outputs of a job, of whatever content, and its record."""
    command = parse(arguments)
    with recorded_job(command):
        for name, path in command.outputs.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            if path.suffix == ".zarr":
                path.mkdir()
                path = path / "chunk"
            path.write_text(json.dumps({"made": f"{name} of {command.stage}"}))


def found(plan: str = "") -> dict[str, tuple[str, str]]:
    """Verdict and reason of every output."""
    findings = verify(read_plan(plan or printed())).findings
    return {path: (finding.verdict, finding.reason) for path, finding in findings.items()}


def failing(plan: str = "") -> dict[str, tuple[str, str]]:
    return {path: finding for path, finding in found(plan).items() if finding[0] not in PASSED}


def change_record(name: str, reseal: bool = True, **changes) -> None:
    path = Path(f"results/provenance/{name}.json")
    record = json.loads(path.read_text()) | changes
    if reseal:
        record["sha256"] = digest_of_record(record)
    path.write_text(json.dumps(record))


def test_what_nobody_touched_is_verified(results):
    assert failing() == {}
    assert len(found()) == 8
    assert found()[ACTIVATIONS][1] == "temporary and deleted after use, so only its record was checked"


def test_results_may_lie_elsewhere_than_where_they_were_made(results, monkeypatch):
    elsewhere = results.parents[1] / "published"
    (elsewhere / "data").mkdir(parents=True)
    results.rename(elsewhere / "of_2026")
    Path("images.bin").rename(elsewhere / "data" / "images.bin")
    monkeypatch.chdir(elsewhere)
    assert failing(printed("of_2026").replace("images.bin", "data/images.bin")) == {}
    assert failing(printed(str(elsewhere / "of_2026")).replace("images.bin", "data/images.bin")) == {}


@pytest.mark.parametrize("path", ["results/stimuli/mine.zarr/chunk", GRAM, TABLE, "results/sheet.pdf"])
def test_one_flipped_bit_is_found(results, path):
    content = bytearray(Path(path).read_bytes())
    content[3] ^= 1
    Path(path).write_bytes(content)
    output = path.removesuffix("/chunk")
    wrong = failing()
    assert wrong.keys() == {output}
    assert wrong[output][0] == "tampered"
    assert "its bytes differ from the recorded ones" in wrong[output][1]


def test_what_was_made_of_something_that_was_tampered_with_says_so(results):
    Path(GRAM).write_text("other")
    assert found()[TABLE] == ("verified", f"made from {GRAM}, which is tampered")


def test_a_record_of_before_warnings_were_kept_is_intact(results):
    path = Path("results/provenance/gram.json")
    record = json.loads(path.read_text())
    assert record.pop("warnings") == []
    path.write_text(json.dumps(record | {"sha256": digest_of_record(record)}))
    assert failing() == {}


@pytest.mark.parametrize("name", ["gram", "extract"])
def test_an_edited_record_is_found(results, name):
    change_record(name, reseal=False, seconds=99.0)
    (wrong,) = failing().values()
    assert wrong[0] == "tampered"
    assert f"its record results/provenance/{name}.json was edited" in wrong[1]


def test_a_record_that_is_sealed_anew_does_not_fit_the_others(results):
    change_record("gram", inputs={ACTIVATIONS: "0" * 64})
    verdict, reason = failing()[GRAM]
    assert verdict == "tampered"
    assert f"its record has another content of its input {ACTIVATIONS} (SHA-256 000000000000… recorded" in reason


def test_a_record_that_cannot_be_read_is_tampered_with(results):
    Path("results/provenance/gram.json").write_text('{"config": {}}')
    assert failing()[GRAM] == ("tampered", "its record results/provenance/gram.json cannot be read")


def test_a_missing_record_and_a_missing_output_are_told_apart(results):
    Path("results/provenance/gram.json").unlink()
    Path("results/sheet.svg").unlink()
    assert failing() == {
        GRAM: ("no provenance", "results/provenance/gram.json is missing"),
        "results/sheet.svg": ("missing", "the file is missing"),
    }


def test_what_was_never_made_is_missing(results):
    for path in (GRAM, "results/provenance/gram.json", "results/provenance/extract.json"):
        Path(path).unlink()
    wrong = failing()
    assert {path: verdict for path, (verdict, _) in wrong.items()} == {GRAM: "missing", ACTIVATIONS: "missing"}


def test_a_changed_key_of_the_config_is_named_and_so_is_what_depends_on_it(results):
    wrong = failing(printed(spec=SPEC | {"layers": ["a"]}))
    assert wrong.keys() == {"results/models/net.json", ACTIVATIONS, GRAM, TABLE}
    why = 'config `spec.layers`: recorded ["a", "b"], now ["a"]'
    assert wrong["results/models/net.json"] == ("stale", why)
    assert wrong[TABLE] == ("stale", f"made from {ACTIVATIONS}, which is stale ({why})")


def test_how_jobs_run_makes_nothing_stale(results):
    assert failing(printed(gram=("--dask threads", "--dask processes --cores 2"), extract=("size 32", "size 8"))) == {}


def test_a_changed_line_of_code_is_named(results):
    source_of("lab_network").write_text("layers = 4\n")
    wrong = failing()
    assert len(wrong) == 8
    assert {verdict for verdict, _ in wrong.values()} == {"stale"}
    assert all(reason.startswith("module lab_network changed") for _, reason in wrong.values())


def test_another_version_of_a_package_and_of_python_are_named(results):
    change_record("gram", packages={"numpy": "1.0", "no-such-package": "2"}, python="3.9.1")
    verdict, reason = failing()[GRAM]
    assert verdict == "stale"
    assert f"package numpy: recorded 1.0, now {np.__version__}" in reason
    assert "package no-such-package: recorded 2, now not installed" in reason
    assert "python: recorded 3.9.1, now " in reason


def test_a_changed_input_is_named(results):
    Path("images.bin").write_text("other images")
    verdict, reason = failing()["results/stimuli/mine.zarr"]
    assert verdict == "stale"
    assert reason.startswith("its input images.bin changed since (SHA-256 ")


def test_an_input_that_was_made_anew_is_named(results):
    Path(GRAM).write_text("another matrix")
    change_record("gram", outputs={GRAM: digest(GRAM)}, started="2999-01-01T00:00:00+00:00")
    assert failing()[TABLE][0] == "stale"
    assert f"its input {GRAM} changed since" in failing()[TABLE][1]


def test_an_input_more_or_less_is_named(results):
    wrong = failing(printed(selectivity=(f"{GRAM} ", f"{GRAM} results/models/net.json ")))
    assert wrong == {
        TABLE: ("stale", "it was made without results/models/net.json, which is an input of it now"),
    }
    change_record("gram", inputs={ACTIVATIONS: digest_recorded("extract", ACTIVATIONS), "old.zarr": "0"})
    assert failing()[GRAM] == ("stale", "it was made from old.zarr, which is not an input of it now")


def digest_recorded(name: str, output: str) -> str:
    return json.loads(Path(f"results/provenance/{name}.json").read_text())["outputs"][output]


def test_a_download_is_held_against_the_hash_of_its_command(results):
    pinned = json.dumps({"url": "u", "sha256": digest("images.bin")})
    line = f"\npython -m ventral fetch --options '{pinned}' --output output images.bin"
    assert failing(printed() + line) == {}
    assert "its content has the SHA-256 in its command" in found(printed() + line)["images.bin"][1]
    Path("images.bin").write_text("others")
    assert failing(printed() + line)["images.bin"][0] == "tampered"


def test_only_the_innermost_keys_that_differ_are_told():
    recorded = {"folds": 5, "spec": {"size": 32, "train": {"epochs": 4, "seed": 1}}, "gone": None}
    now = {"folds": 5, "spec": {"size": 32, "train": {"epochs": 5, "seed": 1}, "mean": [0.5] * 99}}
    told = list(config_differences(recorded, now))
    assert told[0] == "config `gone`: recorded null, now absent"
    assert told[1].startswith("config `spec.mean`: not recorded, now [0.5, 0.5")
    assert len(told[1]) < 130
    assert told[2:] == ["config `spec.train.epochs`: recorded 4, now 5"]
    layers = [f"blocks.{k}" for k in range(99)]
    (told,) = config_differences({"layers": layers}, {"layers": [*layers[:70], "head"]})
    assert told.startswith("config `layers`: recorded …")
    assert '"blocks.69", "blocks.70"' in told
    assert told.endswith('"blocks.69", "head"]')


def test_a_plan_without_jobs_is_an_error():
    with pytest.raises(InputError, match="no job is planned"):
        read_plan("Nothing to be done.")


def test_jobs_come_after_those_that_they_need_in_whatever_order_they_are_printed():
    blocks = printed().split("rule ")
    for seed in range(5):
        shuffled = random.Random(seed).sample(blocks[1:], len(blocks) - 1)
        stages = [job.stage for job in read_plan("\n".join(shuffled)).jobs]
        assert sorted(stages) == sorted(COMMANDS)
        assert stages.index("stimuli") < stages.index("extract") < stages.index("gram") < stages.index("selectivity")


def test_what_is_run_again_is_drawn_by_the_seed_and_never_from_what_fails(results):
    plan = read_plan(printed())
    Path(GRAM).write_text("tampered")
    verified = verify(plan)
    drawn = [[job.stage for job in choose(plan, verified, 3, [], seed)] for seed in (0, 0, 1, 2, 3)]
    assert drawn[0] == drawn[1]
    assert len({tuple(stages) for stages in drawn}) > 1
    assert {len(stages) for stages in drawn} == {3}
    everything = [job.stage for job in choose(plan, verified, 99, [], 0)]
    assert set(everything) == set(COMMANDS) - {"gram"}
    assert [job.stage for job in choose(plan, verified, 0, ["./results/sheet.pdf", GRAM], 0)] == [
        "gram",
        "contact_sheet",
    ]
    with pytest.raises(InputError, match="audit.outputs: no job makes results/sheet.png; the nearest .*results/sheet"):
        choose(plan, verified, 0, ["results/sheet.png"], 0)


def test_the_report_shows_the_audit_and_is_not_run_again(results):
    line = "python -m ventral report --input scores results/selectivity.csv --input claims images.bin"
    line += " --output output results/report.html --provenance results/provenance/report.json"
    plan = read_plan(f"{printed()}\n{line}")
    make(plan.maker["results/report.html"].arguments)
    assert "report" not in [job.stage for job in choose(plan, verify(plan), 99, [], 0)]
    with pytest.raises(InputError, match="results/report.html shows when jobs ran"):
        choose(plan, verify(plan), 0, ["results/report.html"], 0)


def test_deleted_inputs_are_made_first(results):
    plan = read_plan(printed())
    assert [job.stage for job in with_makers(plan.maker[GRAM], plan)] == ["extract", "gram"]
    assert [job.stage for job in with_makers(plan.maker[TABLE], plan)] == ["selectivity"]


@pytest.mark.parametrize("where", ["results", "results/mine", "../results", "/absolute"])
def test_a_clean_directory_has_all_but_the_results(tmp_path, monkeypatch, where):
    working = tmp_path / "lab" / "working"
    (working / "images").mkdir(parents=True)
    (tmp_path / "lab" / "shared").mkdir()
    monkeypatch.chdir(working)
    results = Path(str(tmp_path) + where if where.startswith("/") else where)
    (results / "grams").mkdir(parents=True)
    (results / "scores").mkdir()
    (results.parent / "others").mkdir()
    paths = [f"{results}/grams", f"{results}/scores", "images", "../shared"]
    clean = CleanDirectory(results / "audit" / "rerun" / "0", results, paths)
    clean.link(f"{results}/grams")
    clean.link("images")
    assert (clean.working / "images").is_dir()
    assert (clean.working / ".." / "shared").is_dir()
    assert clean.path(f"{results}/grams").samefile(results / "grams")
    assert not clean.path(f"{results}/scores").exists()
    if not results.is_absolute():
        assert (clean.working / results.parent / "others").is_dir()
    # Nothing that is written there reaches the results.
    clean.path(f"{results}/scores").mkdir(parents=True)
    (clean.path(f"{results}/scores") / "new").touch()
    assert not list((results / "scores").iterdir())


COMMAND_OF_JOIN = (
    "join --input tables a.parquet b.parquet --output output {0}/scores.parquet --provenance {0}/provenance/join.json"
)


@pytest.fixture(params=["results", "absolute"])
def joined(request, tmp_path, monkeypatch) -> Iterator[Path]:
    """Results of one real job, of which an audit can make the output again."""
    monkeypatch.chdir(tmp_path)
    results = Path("results") if request.param == "results" else tmp_path / "elsewhere"
    counted = {"n_stimuli": 20, "n_features": 8, "n_folds": 5, "n_leaked": 0}
    score_table({"net": 2}).assign(**counted).to_parquet("a.parquet")
    score_table({"other": 3}).assign(**counted).to_parquet("b.parquet")
    arguments = shlex.split(COMMAND_OF_JOIN.format(results))
    subprocess.run([sys.executable, "-m", "ventral", *arguments], check=True)
    Path("plan.txt").write_text(f"Shell command: python -m ventral {shlex.join(arguments)}\n")
    return results


def audited(results: Path, **options) -> dict:
    folder = results / "audit"
    try:
        audit("plan.txt", results, folder / "audit.json", folder / "audit.html", **options)
    except InputError:
        assert json.loads((folder / "audit.json").read_text())["verdict"] == "failed"
    else:
        assert json.loads((folder / "audit.json").read_text())["verdict"] == "passed"
    return json.loads((folder / "audit.json").read_text())


def test_a_job_that_is_run_again_gives_the_same_bits(joined):
    (output,) = audited(joined, sample=1)["outputs"]
    assert output == {
        "path": f"{joined}/scores.parquet",
        "stage": "join",
        "verdict": "rerun and equal",
        "reason": "rerun: as recorded, to the last bit",
    }
    assert sorted(path.name for path in (joined / "audit").iterdir()) == ["audit.html", "audit.json"]
    assert "rerun and equal" in (joined / "audit" / "audit.html").read_text()


@pytest.mark.parametrize("joined", ["results"], indirect=True)
def test_numbers_that_no_job_makes_are_found_by_running_it_again(joined):
    """Forged with care: output and record agree."""
    path = joined / "scores.parquet"
    table = pd.read_parquet(path)
    table.loc[0, "r"] += 0.01 * table["r"].abs().max()
    table.to_parquet(path, index=False)
    record = json.loads((joined / "provenance" / "join.json").read_text())
    record["outputs"] = {str(path): digest(path)}
    record["sha256"] = digest_of_record(record)
    (joined / "provenance" / "join.json").write_text(json.dumps(record))
    assert audited(joined, sample=0)["verdict"] == "passed"
    found = audited(joined, sample=0, rerun=[str(path)])
    assert found["counts"] == {"differs": 1}
    reason = found["outputs"][0]["reason"]
    assert reason.startswith("rerun: column r differs by 0.01 of its largest value; kept in ")
    kept = pd.read_parquet(reason.partition("kept in ")[2])
    assert kept.loc[0, "r"] != table.loc[0, "r"]


def test_other_hardware_may_round_otherwise():
    here = {"hardware": {"machine": "x86_64", "processor": "A", "cores": 2, "blas": ["openblas 1 Zen"], "gpu": None}}
    there = {"hardware": here["hardware"] | {"processor": "B", "cores": 8, "blas": ["openblas 1 Haswell"], "gpu": "H"}}
    assert other_circumstances(here, {"hardware": here["hardware"] | {"cores": 64}}) == ""
    assert other_circumstances(here, {"hardware": here["hardware"] | {"blas": []}}) == ""
    assert other_circumstances(here, there) == (
        "processor was 'A' and is 'B', BLAS was openblas 1 Zen and is openblas 1 Haswell, "
        "graphics card was none and is H"
    )


@pytest.mark.parametrize(("apart", "verdict"), [(1e-9, "rerun and equal"), (1e-4, "differs")])
def test_scores_of_a_gpu_and_of_a_cpu_are_equal_within_their_bound(tmp_path, monkeypatch, apart, verdict):
    """A stage that fits, made on a GPU and made again without one."""
    monkeypatch.chdir(tmp_path)
    path, record = "results/scores.parquet", "results/provenance/fit.json"
    line = ("fit", "--output", "output", path, "--device", "cuda", "--provenance", record)
    (job,) = (plan := read_plan(f"Shell command: python -m ventral {shlex.join(line)}\n")).jobs

    def make(arguments: Sequence[str], gpu: str | None, r: float) -> None:
        command = parse(arguments)
        with recorded_job(command):
            command.outputs["output"].parent.mkdir(parents=True, exist_ok=True)
            pd.DataFrame({"r": [0.5, r]}).to_parquet(command.outputs["output"])
        made = json.loads(command.provenance.read_text())
        made["hardware"]["gpu"] = gpu
        command.provenance.write_text(json.dumps(made | {"sha256": digest_of_record(made)}))

    make(job.arguments, "NVIDIA H100", 0.25)
    told = []

    def run(self: CleanDirectory, job: Job) -> None:
        told.append(on_what_is_here(job.arguments))
        monkeypatch.chdir(self.working)
        make(told[0], None, 0.25 + apart / 2)
        monkeypatch.chdir(tmp_path)

    monkeypatch.setattr(CleanDirectory, "run", run)
    verified = verify(plan)
    run_again(job, plan, verified, Path("results"), Path("again"))
    assert told[0][4:6] == ["--device", "auto"]
    finding = verified.findings[path]
    assert finding.verdict == verdict
    said = "within" if verdict == "rerun and equal" else "more than"
    assert f", {said} 1e-06, where graphics card was NVIDIA H100 and is none" in finding.reason


def test_the_bound_is_that_of_the_least_exact_stage_that_made_an_output_anew():
    assert bound_of(["fit"]) == BOUNDS["fit"] < bound_of(["gram"]) == BOUNDS["gram"] < TOLERANCE
    assert bound_of(["gram", "fit"]) == BOUNDS["gram"]
    assert bound_of(["extract", "gram"]) == bound_of(["train"]) == TOLERANCE
    assert BOUNDS.keys() <= stages().keys()


def test_no_gpu_is_needed_to_audit_what_a_gpu_made():
    assert on_what_is_here(["fit", "--device", "cuda", "--cores", "2"]) == ["fit", "--device", "auto", "--cores", "2"]
    assert on_what_is_here(["fit", "--device", "cpu"]) == ["fit", "--device", "cpu"]
    assert on_what_is_here(["fit", "--options", "cuda"]) == ["fit", "--options", "cuda"]


def written(folder: Path, kind: str, value: float) -> Path:
    """A small output of some kind, with a number in it."""
    values = np.array([[1.0, -4.0], [value, np.nan]])
    folder.mkdir()
    path = folder / f"output{kind}"
    table = pd.DataFrame(values, columns=["r", "alpha"]).assign(model="net", n=[1, 2])
    if kind == ".zarr.zip":
        with packing(path) as unpacked:
            zarr.open_group(unpacked, mode="w").create_array("gram", data=values)
    elif kind == ".zarr":
        group = zarr.open_group(path, mode="w")
        group.create_array("layer/gram", data=values)
        group.attrs["device"] = str(folder)
    elif kind == ".parquet":
        table.to_parquet(path)
    elif kind == ".csv":
        table.to_csv(path, index=False)
    elif kind == ".npz":
        np.savez(path, V1=values)
    elif kind == "_of_training":
        path.mkdir()
        table.to_csv(path / "metrics.csv")
        save_file({"weight": values}, path / "final.safetensors")
    elif kind == ".pdf":
        path.write_bytes(b"%PDF\nstream\n" + zlib.compress(f"1 {value!r} m".encode()) + b"\nendstream\n")
    else:
        path.write_text(f"{{'a': {value!r}, 'b': -4}}")
    return path


KINDS = [".zarr", ".zarr.zip", ".parquet", ".csv", ".npz", "_of_training", ".json", ".svg", ".md", ".pdf"]
# What the number is held against: the largest of its array, or of its column; in a text, itself.
SCALES = {".zarr": 4.0, ".zarr.zip": 4.0, ".npz": 4.0, ".parquet": 2.0, ".csv": 2.0, "_of_training": 2.0}


@pytest.mark.parametrize("kind", KINDS)
def test_outputs_are_compared_by_their_numbers(tmp_path, kind):
    first = written(tmp_path / "first", kind, 2.0)
    assert difference(first, written(tmp_path / "same", kind, 2.0)).size == 0
    apart = difference(first, written(tmp_path / "near", kind, 2.004))
    assert apart.size == pytest.approx(0.004 / SCALES.get(kind, 2.004))
    assert apart.where
    assert difference(first, written(tmp_path / "far", kind, 3.0)).size > TOLERANCE


@pytest.mark.parametrize("kind", [".zarr", ".parquet", ".npz"])
def test_a_value_that_is_missing_in_one_making_alone_is_no_small_difference(tmp_path, kind):
    first, second = written(tmp_path / "first", kind, 2.0), written(tmp_path / "second", kind, np.nan)
    assert difference(first, second).size == np.inf == difference(second, first).size


def test_lists_in_a_table_are_compared_by_their_numbers(tmp_path):
    for name, value, names in (("a", 2.0, "xy"), ("near", 2.002, "xy"), ("far", 3.0, "xy"), ("other", 2.0, "xz")):
        lists = [np.array([value, -1.0], np.float32), np.array([0.5], np.float32)]
        pd.DataFrame({"units": lists, "names": [list(names), []]}).to_parquet(tmp_path / f"{name}.parquet")
    sizes = {
        name: difference(tmp_path / "a.parquet", tmp_path / f"{name}.parquet") for name in ("near", "far", "other")
    }
    assert sizes["near"].size == pytest.approx(0.001, rel=1e-3)
    assert sizes["near"].where == "column units"
    assert sizes["far"].size == pytest.approx(0.5)
    assert str(sizes["other"]) == "column names differs"


def test_what_is_no_number_is_the_same_or_not(tmp_path):
    first, second = tmp_path / "a.csv", tmp_path / "b.csv"
    first.write_text("model,r,n\nnet,1.0,1\n")
    for text, where in (
        ("model,r,n\nnot,1.0,1\n", "column model"),
        ("model,r,n\nnet,1.0,2\n", "column n"),
        ("model,r\nnet,1.0\n", "the number of rows or columns of a.csv"),
    ):
        second.write_text(text)
        assert str(difference(first, second)) == f"{where} differs"
    for name, content in (("a.svg", "<a>1</a>"), ("b.svg", "<b>1</b>"), ("a.zip", "1.0"), ("b.zip", "1.00")):
        (tmp_path / name).write_text(content)
    assert difference(tmp_path / "a.svg", tmp_path / "b.svg").size == np.inf
    assert difference(tmp_path / "a.zip", tmp_path / "b.zip").size == np.inf


def test_the_page_shows_what_fails_first_and_takes_no_name_for_markup():
    outputs = [
        {"path": "fine.csv", "stage": "join", "verdict": "verified", "reason": ""},
        {"path": "<b>.csv", "stage": "fit", "verdict": "stale", "reason": "config `a`: recorded 1, now <2"},
    ]
    found = {"date": "2026-01-01", "verdict": "failed", "counts": {"stale": 1, "verified": 1}, "outputs": outputs}
    html = as_page(found, "results", PASSED)
    assert html.index("&lt;b&gt;.csv") < html.index("fine.csv")
    assert "<b>.csv" not in html
    assert "failed: 1 stale, 1 verified" in html


def test_the_worst_verdict_counts():
    finding = verification.Finding("a.csv", "join")
    assert finding.verdict == "verified"
    finding.say("rerun and equal", "rerun: the same")
    finding.say("stale", "module x changed", "module x changed")
    assert finding.verdict == "stale"
    assert finding.reason == "module x changed; rerun: the same"
