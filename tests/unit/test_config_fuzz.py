"""Whatever stands in the config, a run is planned or the key is named: never a traceback.

`VENTRAL_FUZZ=20000 pytest tests/unit/test_config_fuzz.py` looks longer, and at other examples each time.
"""

import copy
import datetime
import os
import re

import pytest
import yaml
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from tests.unit.rich_config import nested, rich, written
from ventral.configuration.resolution import check_inputs, resolve
from ventral.configuration.schema import SCHEMA
from ventral.errors import InputError

CONFIGS = SCHEMA.parents[2] / "config"
MORE = int(os.environ.get("VENTRAL_FUZZ", "0"))
FUZZ = settings(
    max_examples=MORE or 300,
    derandomize=not MORE,
    database=None,
    print_blob=True,
    suppress_health_check=list(HealthCheck),
)
# Options of a model beside these are checked in `ventral.models.zoo`.
OPTIONS_OF_MODELS = {"train", "weights", "seed", "size", "mean", "std", "interpolation", "max_layers"}
NONSENSE = [
    None,
    True,
    False,
    float("nan"),
    float("inf"),
    -float("inf"),
    2.5,
    5.0,
    -1,
    0,
    1,
    -0.0,
    1e-320,
    1e308,
    10**30,
    2**63,
    2**5000,
    -(2**64),
    "",
    " ",
    "nan",
    "1e400",
    "5",
    "five",
    "true",
    "null",
    "-x",
    "~",
    "~/x",
    "/",
    "//",
    ".",
    "..",
    "../..",
    "/dev/null",
    "a/b",
    "{x}",
    "{",
    "<logs>",
    "<results>/x",
    "a\0b",
    "a\n",
    "\n",
    "\ud800",
    "x" * 256,
    "x/" * 3000,
    "x" * 10**6,
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "ünïcødé",
    "美しい",
    "%s",
    "$(reboot)",
    "*",
    "[",
    "(",
    "pixels",
    "mine",
    "rec",
    "images",
    "stimuli",
    "cowley2023",
    "algonauts2019",
    [],
    [[]],
    [None],
    [[[["x"]]]],
    ["a", "a"],
    ["pixels", "pixels"],
    [1, "1"],
    {},
    {"": ""},
    {"a": {"b": {"c": {}}}},
    {None: 1},
    {True: 1, "on": 2},
    {1: 1, "1": 2},
    {"a\n": 1},
    {2.5: 1},
    datetime.date(2020, 1, 1),
    datetime.datetime(2020, 1, 1, 1, 1),
    b"bytes",
    (1, 2),
    {1, 2},
    1j,
]
ANYTHING = st.one_of(
    st.sampled_from(NONSENSE),
    st.text(),
    st.integers(),
    st.floats(),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda below: st.lists(below, max_size=3) | st.dictionaries(st.text(), below, max_size=3),
        max_leaves=6,
    ),
)
KEY = re.compile(rf"(config: |(config key )?({'|'.join(yaml.safe_load(SCHEMA.read_text())['properties'])})\b)")
NAMES = st.one_of(st.sampled_from([name for name in NONSENSE if not isinstance(name, list | dict | set)]), st.text())


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return written(tmp_path_factory.mktemp("files"))


def published(name: str, folder) -> dict:
    """Return a config of the checkout, with fewer images to render."""
    config = yaml.safe_load((CONFIGS / name).read_text())
    for stimuli in config["stimuli"].values():
        if "render" in stimuli:
            stimuli["render"] |= {"images": 5}
    return config | {"results": str(folder / "results")}


@pytest.fixture(scope="module")
def configs(files) -> list[dict]:
    return [rich(files), nested(files), published("config.yaml", files), published("demo.yaml", files)]


def places(value, place=()) -> list[tuple]:
    """Return the places of all values below one, each as the keys and numbers that lead to it."""
    below = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else []
    found = [(*place, key) for key, _ in below]
    return found + [deeper for key, content in below for deeper in places(content, (*place, key))]


def is_ours(place: tuple) -> bool:
    """Say whether what is at a place of the config is checked here."""
    return not (len(place) > 2 and place[0] == "models" and place[2] not in OPTIONS_OF_MODELS)


def spoiled(configs: list[dict], data) -> tuple[dict, tuple, dict | list]:
    """Return a copy of some config, a place in it, and the part of the copy that the place is in."""
    config = copy.deepcopy(data.draw(st.sampled_from(configs), label="config"))
    place = data.draw(st.sampled_from([place for place in places(config) if is_ours(place)]), label="place")
    parent = config
    for key in place[:-1]:
        parent = parent[key]
    return config, place, parent


def said_of(config: dict) -> str:
    """Return what is said of a config, nothing where a run can be planned."""
    try:
        check_inputs(resolve(config))
    except InputError as error:
        return str(error)
    return ""


def test_the_configs_that_are_spoiled_are_right(files, configs, monkeypatch):
    monkeypatch.chdir(CONFIGS.parent)
    assert set(rich(files)) == set(yaml.safe_load(SCHEMA.read_text())["properties"])
    assert [said_of(config) for config in configs] == [""] * len(configs)


@FUZZ
@given(data=st.data())
def test_one_value_of_nonsense(configs, data):
    config, place, parent = spoiled(configs, data)
    value = data.draw(ANYTHING, label="value")
    parent[place[-1]] = value
    said = said_of(config)
    names = [key for key in place if isinstance(key, str)]
    # No recordings, say, are right where data sets bring some, and wrong where one of them is named.
    is_empty = isinstance(value, list | dict) and not value
    assert not said or (KEY.match(said) if is_empty else any(name in said for name in names[1:] or names))
    assert len(said) < 20000


@FUZZ
@given(data=st.data())
def test_one_key_deleted_added_or_renamed(configs, data):
    config, place, parent = spoiled(configs, data)
    assume(isinstance(parent, dict))
    change = data.draw(st.sampled_from(["delete", "add", "rename"]), label="change")
    content = copy.deepcopy(parent[place[-1]])
    if change != "add":
        del parent[place[-1]]
    if change != "delete":
        parent[data.draw(NAMES, label="name")] = content
    # Where a name is gone, keys that refer to it are named.
    assert all(KEY.match(line) for line in said_of(config).splitlines())
