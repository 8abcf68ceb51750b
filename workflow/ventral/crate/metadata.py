"""Write the metadata of a crate: JSON-LD after RO-Crate 1.1 and the profile Provenance Run Crate 0.5.

The profile, https://www.researchobject.org/workflow-run-crate/profiles/provenance_run_crate, describes a workflow as
steps. Each step uses a tool, here a stage of the package. A job is an action with a tool, from inputs to outputs. The
whole run is an action with the workflow.
"""

import hashlib
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, unquote

import yaml

from ventral.crate.jobs import Job

METADATA = "ro-crate-metadata.json"
CONTEXT = [
    "https://w3id.org/ro/crate/1.1/context",
    {
        "sha256": "https://w3id.org/ro/terms/workflow-run#sha256",
        "resourceUsage": "https://w3id.org/ro/terms/workflow-run#resourceUsage",
        "buildInstructions": "https://codemeta.github.io/terms/buildInstructions",
    },
]
PROFILES = {
    "https://w3id.org/ro/wfrun/process/0.5": "Process Run Crate",
    "https://w3id.org/ro/wfrun/workflow/0.5": "Workflow Run Crate",
    "https://w3id.org/ro/wfrun/provenance/0.5": "Provenance Run Crate",
    "https://w3id.org/workflowhub/workflow-ro-crate/1.0": "Workflow RO-Crate",
}
WORKFLOW, LOCK, README = "Snakefile", "envs/requirements.lock", "README.md"
# The workflow reads this config by default.
CONFIG = "config/config.yaml"
LANGUAGE = "https://w3id.org/workflowhub/workflow-ro-crate#snakemake"
FORMATS = {
    ".csv": "text/csv",
    ".html": "text/html",
    ".json": "application/json",
    ".md": "text/markdown",
    ".parquet": "application/vnd.apache.parquet",
    ".pdf": "application/pdf",
    ".py": "text/x-python",
    ".svg": "image/svg+xml",
    ".toml": "application/toml",
    ".yaml": "application/yaml",
    ".zip": "application/zip",
    ".cff": "application/yaml",
    ".lock": "text/plain",
    "": "text/plain",
}
# What is said of its parts.
CODE = {
    "workflow/": "The rules of the workflow, and the package that their jobs run.",
    "envs/": "Every package that the workflow needs, pinned.",
    "profiles/": "Profiles: settings of the workflow for kinds of machines.",
    "config/": "The config of this run, and an explanation of all keys.",
    "pyproject.toml": "Name and requirements of the package.",
    "Makefile": "Commands.",
    "LICENSE": "The licence of the workflow.",
    "CITATION.cff": "Citation of the workflow.",
    LOCK: "The versions of all packages.",
}
COMPLETED = "http://schema.org/CompletedActionStatus"
# Units by their UN/CEFACT common codes, after QUDT.
UNITS = {
    "cpu_seconds": ("processor time", "https://qudt.org/vocab/unit/SEC"),
    "peak_mb": ("peak memory", "https://qudt.org/vocab/unit/MebiBYTE"),
}


@dataclass(frozen=True)
class Run:
    """A run, and the parts of it that are in the crate.

    Attributes
    ----------
    jobs : list of Job
        Jobs in the order in which they ran.
    contents : dict
        All files of the crate except its metadata, by path in the crate: a local file, or the content in bytes.
    places : dict
        Path in the crate of each input and output, by its path in the job; the path of a folder ends with a slash.
    inputs : dict
        Paths in the crate of the user's own files, by the key of the config.
    outputs : list of str
        Paths in the crate.
    published : dict
        Addresses of files that the workflow downloads, by the path in the job.
    modules, verdict : list of str
        Paths in the crate of the user's own modules, and of the result of an audit.
    results : str
        The results folder in the crate.
    config : dict
        The config in the crate.
    snakemake : str
        Version of Snakemake.
    """

    jobs: list[Job]
    contents: dict[str, Path | bytes]
    places: dict[str, str]
    inputs: dict[str, str]
    outputs: list[str]
    published: dict[str, str]
    modules: list[str]
    verdict: list[str]
    results: str
    config: dict
    snakemake: str

    def text(self, name: str) -> str:
        """Return the content of a file of the crate."""
        source = self.contents[name]
        return source.decode() if isinstance(source, bytes) else source.read_text(encoding="utf-8")


def metadata(run: Run) -> dict:
    """Return the content of `ro-crate-metadata.json`."""
    tools = _tools(run)
    actions = [_job(job, run) for job in run.jobs]
    entities = [
        {
            "@id": METADATA,
            "@type": "CreativeWork",
            "conformsTo": _ids(["https://w3id.org/ro/crate/1.1", "https://w3id.org/workflowhub/workflow-ro-crate/1.0"]),
            "about": {"@id": "./"},
        },
        _root(run),
        *_profiles(),
        *_workflow(run, tools),
        *_parts(run),
        *_parameters(run),
        *_outside(run),
        *tools.values(),
        *_packages(run.jobs),
        _package("snakemake", run.snakemake),
        {
            "@id": "#organisation",
            "@type": "OrganizeAction",
            "name": "Snakemake's work",
            "instrument": {"@id": _address("snakemake", run.snakemake)},
            "object": _ids(f"#control/{quote(job.name)}" for job in run.jobs),
            "result": {"@id": "#run"},
        },
        _whole(run),
    ]
    for action, job in zip(actions, run.jobs, strict=True):
        control = {
            "@id": f"#control/{quote(job.name)}",
            "@type": "ControlAction",
            "name": f"Start of {job.name}",
            "instrument": {"@id": f"#step/{job.record['stage']}"},
            "object": {"@id": action["@id"]},
        }
        entities += [control, action, *_usage(job)]
    # Files of several jobs are described once.
    graph = {entity["@id"]: _compact(entity) for entity in entities}
    return {"@context": CONTEXT, "@graph": list(graph.values())}


def folders(described: dict) -> list[str]:
    """Return the folders of the crate that its metadata describes, each with a slash at the end."""
    described = [entity["@id"] for entity in described["@graph"] if entity["@type"] == "Dataset"]
    return [unquote(folder) for folder in described if folder != "./"]


def readme(run: Run) -> str:
    """Return the README of the crate."""
    data = sorted(set(run.published.values()))
    text = f"""# {_title(run)}

`{run.results}` has the score table, other tables and figures. `{run.results}/provenance` has a record of how each was
made. `{METADATA}` has the same for machines, as a Workflow Run RO-Crate.

To run it again, on a machine with Python 3.11 or later and make:

    make .venv/installed
    .venv/bin/python -m snakemake --config results=again

`again/scores.parquet` then equals `{run.results}/scores.parquet`. Both are equal to the last bit if networks ran on a
processor of the same kind.

`config/config.yaml` is the config of this run, and `config/README.md` explains all keys. `workflow/README.md` describes
the workflow. The crate has all inputs{", except published data, which the workflow downloads:" if data else "."}
"""
    return text + "".join(f"- {address}\n" for address in data)


def _title(run: Run) -> str:
    datasets = run.config.get("dataset") or []
    recordings = [*([datasets] if isinstance(datasets, str) else datasets), *(run.config.get("recordings") or {})]
    return f"Which model and layer predicts {', '.join(dict.fromkeys(recordings))}"


def _root(run: Run) -> dict:
    return {
        "@id": "./",
        "@type": "Dataset",
        "name": _title(run),
        "description": f"How well layers of the models {', '.join(run.config['models'])} predict recorded neurons: "
        f"a run of the workflow ventral, with its results, its inputs, and everything needed to rerun it.",
        "conformsTo": _ids(PROFILES),
        "datePublished": max(job.ended for job in run.jobs).date().isoformat(),
        "license": {"@id": "#licence"},
        "mainEntity": {"@id": WORKFLOW},
        "hasPart": _ids(quote(name) for name in _listed(run)),
        "mentions": _ids(["#run", "#organisation", *(f"#job/{quote(job.name)}" for job in run.jobs)]),
    }


def _profiles() -> Iterable[dict]:
    for address, name in PROFILES.items():
        yield {"@id": address, "@type": "CreativeWork", "name": name, "version": address.rpartition("/")[2]}


def _listed(run: Run) -> list[str]:
    """Return the described files and folders, each once."""
    code = [name for name in CODE if any(file.startswith(name) for file in run.contents)]
    rest = [*run.places.values(), *run.modules, f"{run.results}/provenance/"]
    return list(dict.fromkeys([WORKFLOW, CONFIG, README, *code, *rest]))


def _parts(run: Run) -> Iterable[dict]:
    made = {path: job.name for job in run.jobs for path in job.record["outputs"]}
    said = {
        **CODE,
        **{name: f"Own input, `{key}` of the config." for key, name in run.inputs.items()},
        **dict.fromkeys(run.modules, "Own module."),
        **dict.fromkeys(run.verdict, "Result of an audit."),
        **{run.places[path]: f"Made by the job {job}." for path, job in made.items() if path in run.places},
        CONFIG: "The config of the run.",
        README: "Content of this crate, and how to rerun it.",
        f"{run.results}/provenance/": "Record of every job: inputs, outputs, code, packages, place and time.",
    }
    parameters: dict[str, list[str]] = {}
    for key, name in _named(run).items():
        parameters.setdefault(name, []).append(f"#parameter/{quote(key)}")
    for name in _listed(run):
        if name == WORKFLOW:
            continue
        entity = {"@id": quote(name), "@type": "Dataset" if name.endswith("/") else "File", "name": name}
        entity["description"] = said.get(name, "Comes with the workflow.")
        if not name.endswith("/"):
            content = run.contents[name]
            size = len(content) if isinstance(content, bytes) else content.stat().st_size
            entity |= {
                "encodingFormat": FORMATS.get(Path(name).suffix, "application/octet-stream"),
                "contentSize": str(size),
                "sha256": _sha256(content),
            }
        if name in parameters:
            entity["exampleOfWork"] = _ids(parameters[name])
        if name == README:
            entity["about"] = {"@id": "./"}
        if name == LOCK:
            entity["conformsTo"] = {"@id": "https://pip.pypa.io/en/stable/reference/requirements-file-format/"}
        yield entity
    yield {
        "@id": "#licence",
        "@type": "CreativeWork",
        "name": "Not stated",
        "description": "The publisher of this crate states here how its data and results may be used. The workflow "
        "has the MIT licence.",
    }


def _workflow(run: Run, tools: dict[str, dict]) -> Iterable[dict]:
    project = _project(run)
    cited = list(_citations(run))
    named = _named(run)
    yield {
        "@id": WORKFLOW,
        "@type": ["File", "SoftwareSourceCode", "ComputationalWorkflow", "HowTo"],
        "name": project["name"],
        "description": project["description"],
        "version": project["version"],
        "conformsTo": {"@id": "https://bioschemas.org/profiles/ComputationalWorkflow/1.0-RELEASE"},
        "encodingFormat": "text/plain",
        "sha256": _sha256(run.contents[WORKFLOW]),
        "programmingLanguage": {"@id": LANGUAGE},
        "license": {"@id": "https://spdx.org/licenses/MIT"},
        "author": {"@id": "#developers"},
        "citation": _ids(entity["@id"] for entity in cited),
        "buildInstructions": {"@id": LOCK},
        "input": _ids(f"#parameter/{quote(key)}" for key, name in named.items() if name not in run.outputs),
        "output": _ids(f"#parameter/{quote(key)}" for key, name in named.items() if name in run.outputs),
        "hasPart": _ids(tool["@id"] for tool in tools.values()),
        "step": _ids(f"#step/{stage}" for stage in tools),
    }
    yield {"@id": "https://spdx.org/licenses/MIT", "@type": "CreativeWork", "name": "MIT License", "description": "MIT"}
    authors = yaml.safe_load(run.text("CITATION.cff"))["authors"]
    yield {"@id": "#developers", "@type": "Organization", "name": ", ".join(author["name"] for author in authors)}
    yield {
        "@id": LANGUAGE,
        "@type": "ComputerLanguage",
        "name": "Snakemake",
        "identifier": {"@id": "https://doi.org/10.1093/bioinformatics/bts480"},
        "url": {"@id": "https://snakemake.readthedocs.io"},
        "version": run.snakemake,
    }
    yield from cited
    for position, (stage, tool) in enumerate(tools.items(), start=1):
        yield {
            "@id": f"#step/{stage}",
            "@type": "HowToStep",
            "name": stage,
            "position": str(position),
            "workExample": {"@id": tool["@id"]},
        }


def _project(run: Run) -> dict:
    return tomllib.loads(run.text("pyproject.toml"))["project"]


def _citations(run: Run) -> Iterable[dict]:
    """Yield the papers and data that the workflow cites."""
    for number, reference in enumerate(yaml.safe_load(run.text("CITATION.cff")).get("references", [])):
        kind = {"article": "ScholarlyArticle", "data": "Dataset"}.get(reference["type"], "CreativeWork")
        address = f"https://doi.org/{reference['doi']}" if "doi" in reference else reference.get("url")
        # A `Dataset` with an address would count as a folder of the crate.
        entity = {"@id": address or f"#citation/{number}", "@type": "CreativeWork" if kind == "Dataset" else kind}
        entity["name"] = reference["title"]
        if "year" in reference:
            entity["datePublished"] = str(reference["year"])
        yield entity


def _named(run: Run) -> dict[str, str]:
    """Return the inputs and outputs of the whole workflow, as paths in the crate by name."""
    outputs = {name.removeprefix(f"{run.results}/"): name for name in run.outputs}
    return {"config": CONFIG, **run.inputs, **outputs}


def _parameters(run: Run) -> Iterable[dict]:
    for key, name in _named(run).items():
        yield {
            "@id": f"#parameter/{quote(key)}",
            "@type": "FormalParameter",
            "conformsTo": {"@id": "https://bioschemas.org/profiles/FormalParameter/1.0-RELEASE"},
            "name": key,
            "additionalType": "Dataset" if name.endswith("/") else "File",
            "workExample": {"@id": quote(name)},
        }


def _tools(run: Run) -> dict[str, dict]:
    """Return the stages that had jobs, in the order of their first jobs."""
    tools = {}
    version = _project(run)["version"]
    for job in run.jobs:
        stage, packages = job.record["stage"], job.record["packages"]
        tool = tools.setdefault(
            stage,
            {
                "@id": f"#tool/{stage}",
                "@type": "SoftwareApplication",
                "name": f"python -m ventral {stage}",
                "softwareVersion": version,
                "softwareRequirements": [],
            },
        )
        needed = _ids(_address(name, version) for name, version in packages.items())
        tool["softwareRequirements"] += [one for one in needed if one not in tool["softwareRequirements"]]
    return tools


def _packages(jobs: Iterable[Job]) -> Iterable[dict]:
    for name, version in sorted({package for job in jobs for package in job.record["packages"].items()}):
        yield _package(name, version)


def _package(name: str, version: str) -> dict:
    address = _address(name, version)
    return {"@id": address, "@type": "SoftwareApplication", "name": name, "softwareVersion": version, "url": address}


def _address(name: str, version: str) -> str:
    """Return the package URL of a package, in the scheme `pkg` (ECMA-427)."""
    return f"pkg:pypi/{quote(name)}@{quote(version)}"


def _outside(run: Run) -> Iterable[dict]:
    """Yield the inputs and outputs of jobs that are not in the crate."""
    for job in run.jobs:
        for path, digest in [*job.record["inputs"].items(), *job.record["outputs"].items()]:
            if path not in run.places:
                entity = {"@id": _reference(path, run), "@type": "CreativeWork", "name": path, "sha256": digest}
                if path in run.published:
                    yield entity | {"description": "Published; the workflow downloads it.", "url": run.published[path]}
                else:
                    yield entity | {"description": "Not in the crate."}


def _reference(path: str, run: Run) -> str:
    return quote(run.places[path]) if path in run.places else f"#outside/{quote(path.lstrip('/'))}"


def _job(job: Job, run: Run) -> dict:
    hardware = job.record["hardware"]
    where = hardware["gpu"] or hardware["processor"] or hardware["machine"]
    return {
        "@id": f"#job/{quote(job.name)}",
        "@type": "CreateAction",
        "name": job.name,
        "description": f"Stage {job.record['stage']}, on {where}; "
        f"{run.results}/provenance/{job.name}.json has the whole record.",
        "instrument": {"@id": f"#tool/{job.record['stage']}"},
        "object": _ids(_reference(path, run) for path in job.record["inputs"]),
        "result": _ids(_reference(path, run) for path in job.record["outputs"]),
        "startTime": job.started.isoformat(),
        "endTime": job.ended.isoformat(),
        "actionStatus": COMPLETED,
        "resourceUsage": _ids(entity["@id"] for entity in _usage(job)),
    }


def _usage(job: Job) -> list[dict]:
    return [
        {
            "@id": f"#usage/{quote(job.name)}/{key}",
            "@type": "PropertyValue",
            "name": name,
            "propertyID": f"https://w3id.org/ro/terms/workflow-run#{key}",
            "unitCode": unit,
            "value": str(job.record[key]),
        }
        for key, (name, unit) in UNITS.items()
    ]


def _whole(run: Run) -> dict:
    return {
        "@id": "#run",
        "@type": "CreateAction",
        "name": "The run",
        "description": f"{len(run.jobs)} jobs from the config to the figures.",
        "instrument": {"@id": WORKFLOW},
        "object": _ids(quote(name) for name in dict.fromkeys([CONFIG, *run.inputs.values()])),
        "result": _ids(quote(name) for name in run.outputs),
        "startTime": min(job.started for job in run.jobs).isoformat(),
        "endTime": max(job.ended for job in run.jobs).isoformat(),
        "actionStatus": COMPLETED,
    }


def _compact(entity: dict) -> dict:
    """Return an entity as RO-Crate 1.1 recommends: single values without a list, and no empty values."""
    return {
        key: value[0] if isinstance(value, list) and len(value) == 1 else value
        for key, value in entity.items()
        if value != []
    }


def _ids(names: Iterable[str]) -> list[dict]:
    return [{"@id": name} for name in names]


def _sha256(content: Path | bytes) -> str:
    if isinstance(content, bytes):
        return hashlib.sha256(content).hexdigest()
    with content.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
