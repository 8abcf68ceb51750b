"""Read the splits of a config, and name each."""

from collections.abc import Mapping, Sequence

from ventral.errors import InputError

# Kinds of splits, each with its further option.
KINDS = {"column": ("folds",), "partition": (), "random": ("train", "leave_one_out")}
RESERVED = ("stimuli", "objects", "categories", "none")


def named_splits(splits: Sequence[str | Mapping], key: str) -> list[str | dict]:
    """Return the splits, with a name for each split that has options.

    Parameters
    ----------
    splits : sequence of str or dict
        Splits in the form of the schema.
    key : str
        Their place in the config, for messages.

    Raises
    ------
    InputError
        If a split has no kind or several, an option of another kind, or the name of another split.
    """
    named: list[str | dict] = []
    for place, split in enumerate(splits):
        named.append(split if isinstance(split, str) else _named(split, f"config key {key}.{place}"))
    names = [split if isinstance(split, str) else split["name"] for split in named]
    for place, name in enumerate(names):
        if name in names[:place]:
            raise InputError(
                f"config key {key}.{place}: a split before it is called {name!r}, too; give one of them another `name`"
            )
    return named


def number_of_places(splits: Sequence[str | Mapping]) -> int:
    """Count the separate predictions of a stimulus: one per split, and one per draw of random test sets."""
    return sum(1 if isinstance(split, str) else split.get("random", 1) for split in splits)


def _named(split: Mapping, key: str) -> dict:
    kinds = [kind for kind in KINDS if kind in split]
    if len(kinds) != 1:
        raise InputError(
            f"{key}: it has {' and '.join(f'`{kind}`' for kind in kinds) or 'none of them'}; a split has one of "
            f"{', '.join(f'`{kind}`' for kind in KINDS)}"
        )
    (kind,) = kinds
    for other, options in KINDS.items():
        for option in options:
            if option in split and other != kind:
                raise InputError(f"{key}.{option}: belongs to `{other}`, not to `{kind}`; leave it out")
    name = split.get("name", kind if kind == "random" else split[kind])
    if name in RESERVED:
        raise InputError(f"{key}: {name!r} is the name of another split; choose another `name`")
    if kind == "random":
        _check_random(split, key)
    return {"name": name, **split}


def _check_random(split: Mapping, key: str) -> None:
    if "train" not in split:
        raise InputError(f"{key}.train: missing; give the number of stimuli to fit on, or their share, such as 0.8")
    train = split["train"]
    if train >= 1 and train != int(train):
        raise InputError(f"{key}.train: {train} is neither a number of stimuli nor a share below 1")
