"""Write the conda environments of the jobs, pinned as in the lock file: ``python envs/generate.py``, or ``make lock``.

Snakemake copies an environment's file to a folder of its own before it makes the environment, so that the file cannot
refer to another beside it: every pin stands in it. The same holds for the script that Snakemake then runs in the
environment, which installs the packages of `no_deps.txt`.
"""

import re
import tomllib
from pathlib import Path

import yaml

FOLDER = Path(__file__).parent
# What the jobs of each environment need beside the dependencies of the package, of its optional ones.
EXTRAS = {"cpu": ("fmri", "sound"), "gpu": ("fmri", "networks", "hub", "sound")}
PYTHON = "3.11"


def environment(extras: tuple[str, ...]) -> str:
    """Return the text of the conda environment for the package with some of its optional dependencies."""
    project = tomllib.loads((FOLDER.parent / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [*project["dependencies"], *(one for extra in extras for one in project["optional-dependencies"][extra])]
    pins, needed_by = locked((FOLDER / "requirements.lock").read_text(encoding="utf-8"))
    names = with_dependencies({normalised(re.match(r"[\w.-]+", one)[0]) for one in wanted}, needed_by)
    content = {
        "channels": ["conda-forge", "nodefaults"],
        "dependencies": [
            f"python ={PYTHON}",
            "pip",
            {"pip": [pin for name in sorted(names) for pin in pins[name]]},
        ],
    }
    return "# Made of requirements.lock by `make lock`.\n" + yaml.safe_dump(content, sort_keys=False, width=1000)


def post_deploy() -> str:
    """Return the script that adds the packages of `no_deps.txt`, without what they ask for, to an environment."""
    return (
        "# Made of no_deps.txt by `make lock`. Snakemake runs this in the environment of the same name.\n"
        "python -m pip install --no-deps --require-hashes --requirement /dev/stdin << 'PINS'\n"
        f"{(FOLDER / 'no_deps.txt').read_text(encoding='utf-8')}PINS\n"
    )


def locked(text: str) -> tuple[dict[str, list[str]], dict[str, set[str]]]:
    """Return, for each package in a lock file by uv, its pins with their markers, and the packages that need it.

    A package has several pins where another version is for another Python.
    """
    pins: dict[str, list[str]] = {}
    needed_by: dict[str, set[str]] = {}
    name = ""
    for line in text.splitlines():
        if pin := re.match(r"([\w.-]+)==[^\\]+", line):
            name = pin[1]
            pins.setdefault(name, []).append(pin[0].strip())
        # One package on the line of `via`, or one a line below it.
        elif need := re.match(r"    #(?: via|  ) +([\w.-]+)", line):
            needed_by.setdefault(name, set()).add(need[1])
    return pins, needed_by


def with_dependencies(names: set[str], needed_by: dict[str, set[str]]) -> set[str]:
    """Return some packages and everything that they need, directly or not."""
    while more := {name for name, needing in needed_by.items() if needing & names} - names:
        names = names | more
    return names


def normalised(name: str) -> str:
    """Return a package's name as lock files and package indices write it."""
    return re.sub(r"[-_.]+", "-", name).lower()


if __name__ == "__main__":
    for name, extras in EXTRAS.items():
        (FOLDER / f"{name}.yaml").write_text(environment(extras), encoding="utf-8")
    (FOLDER / "gpu.post-deploy.sh").write_text(post_deploy(), encoding="utf-8")
