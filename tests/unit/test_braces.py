"""Paths in braces are those that bash makes of them, and those that the audit reads."""

import shlex
import subprocess

from hypothesis import given
from hypothesis import strategies as st

from ventral.running.braces import expanded, in_braces

NAMES = st.from_regex(r"\A[A-Za-z0-9_][A-Za-z0-9_.-]{0,6}\Z")
FOLDERS = st.sampled_from(["results", "./results", "/data/a lab's", "r{1,2}/$HOME", "a 'b/", ""])
RECORDINGS = st.sampled_from(["monkey/", "human V4/", "a,b/", ""])
PATHS = st.lists(
    st.tuples(FOLDERS, RECORDINGS, NAMES, st.sampled_from([".parquet", ".csv", ""])),
    min_size=1,
    max_size=20,
).map(lambda parts: [f"{folder}/{recording}{model}{suffix}".lstrip("/") for folder, recording, model, suffix in parts])


def by_bash(words: str) -> list[str]:
    printed = subprocess.run(["bash", "-c", f"printf '%s\\n' {words}"], capture_output=True, check=True, text=True)
    return printed.stdout.splitlines()


@given(PATHS)
def test_bash_and_the_audit_read_the_paths_that_were_written(paths):
    words = in_braces(paths)
    assert shlex.split(expanded(words)) == paths
    assert by_bash(words) == paths


def test_a_command_of_ten_thousand_pairs_is_no_longer_than_linux_takes():
    folder = "/scratch/projects/visual_neuroscience/somebody/ventral/results/scores"
    paths = [f"{folder}/recording_{r}/network_{m}.parquet" for r in range(10) for m in range(1000)]
    assert len(" ".join(paths)) > 2**17 > len(in_braces(paths))


def test_only_words_of_paths_are_expanded():
    command = """ventral fit 'a {b,c} d' --rsa '{"distances": ["cosine", "correlation"]}' --units {} x/{m,n}.csv"""
    assert expanded(command) == command.replace("x/{m,n}.csv", "x/m.csv x/n.csv")
