"""Simulate the share of decided claims without and with an effect, before and after, as Markdown.

    python benchmarks/claims.py [--experiments 1000] [--only WORDS] [--results FILE]

Writes benchmarks/claims.json and prints its table. `before` is the earlier method of a claim, mostly the bootstrap of
neurons between the best layers of both sides. `after` is `ventral.statistics.contrasts` and `groups`. With `--only`,
all other numbers stay the same.
"""

import argparse
import json
from pathlib import Path

from measurement import FOLDER, entry, timed
from null_experiments import NULL, POWER, decided_share

RESULTS = FOLDER / "claims.json"
# Fixed before any experiment was run.
SEED = 2024
COLUMNS = ("experiment", "before: holds", "fails", "after: holds", "fails", "experiments")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--experiments", type=int, default=1000)
    parser.add_argument("--only", default="", help="words in the name of an experiment")
    parser.add_argument("--results", type=Path, default=RESULTS)
    options = parser.parse_args()
    results = read(options.results)
    for kind, experiments in (("null", NULL), ("power", POWER)):
        measured = results.setdefault(kind, {})
        for name, experiment in experiments.items():
            if options.only in name:
                with timed() as taken:
                    shares = decided_share(experiment, options.experiments, SEED)
                measured[name] = entry({**shares, "experiments": options.experiments, **taken})
                results[kind] = {name: measured[name] for name in experiments if name in measured}
                options.results.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    print(markdown(results))


def read(results: Path = RESULTS) -> dict:
    """Return the stored results."""
    return json.loads(results.read_text(encoding="utf-8")) if results.exists() else {}


def markdown(results: dict) -> str:
    lines = []
    for kind, title in (("null", "nothing is there"), ("power", "an effect is there")):
        lines += [f"| {title}: {' | '.join(COLUMNS)} |", "| --- | ---: | ---: | ---: | ---: | ---: |"]
        for name, measured in results[kind].items():
            figures = measured["figures"]
            shares = [figures[f"{verdict}_{when}"] for when in ("before", "after") for verdict in ("holds", "fails")]
            lines.append(f"| {name} | {' | '.join(f'{share:.1%}' for share in shares)} | {figures['experiments']} |")
        lines.append("")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
