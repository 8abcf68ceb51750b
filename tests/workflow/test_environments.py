"""What jobs loaded is in the environments that their rules name."""

import json
import re

from tests.unit.test_environments import environments, names, pins_of


def test_jobs_load_only_packages_of_their_environment(undisturbed):
    environment_of, seen = environments(), set()
    available = {name: names(pins_of(name)) for name in ("cpu", "gpu")}
    # Loaded where they happen to be installed, by packages that do without.
    optional = {"rich", "setuptools"}
    for path in (undisturbed.folder / "results" / "provenance").rglob("*.json"):
        record = json.loads(path.read_text())
        name = environment_of[record["stage"]]
        loaded = {re.sub(r"[-_.]+", "-", package).lower() for package in record["packages"]}
        assert loaded, path
        assert loaded - available[name] <= optional, (record["stage"], loaded - available[name])
        seen.add(name)
    assert seen == {"cpu", "gpu"}
