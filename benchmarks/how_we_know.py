"""Write docs/how_we_know.md: every simulation with a known answer, before and after, as tables.

    python benchmarks/how_we_know.py [--simulate [ceilings] [claims]] [--experiments 400]

With `--simulate` all simulations run anew (about half an hour on 2 cores); else the tables are those of
benchmarks/ceilings.json and benchmarks/claims.json.
"""

import argparse
import dataclasses
import json
import subprocess
import sys

import ceilings
import claims
import numpy as np
from measurement import FOLDER, entry, timed

PAGE = FOLDER.parent / "docs" / "how_we_know.md"
RESULTS = FOLDER / "ceilings.json"
OPENING = """# How we know

Each statistic of this workflow was put to simulations whose right answer is known. *Before* is how this workflow
computed the statistic in earlier versions, and how much published work does. *After* is how the workflow computes
the statistic now. One command runs all simulations and writes this page: `python benchmarks/how_we_know.py --simulate`.
Small versions are among the tests: `tests/unit/test_perfect_model.py`, `tests/unit/test_contrasts.py`,
`tests/unit/test_groups.py`, `tests/unit/test_matrix_influence.py`.

## A perfect model scores 1

The predictions are the noiseless rates, so the right predictivity is 1. *Before* is the mean of r over folds, over the
root of the split-half reliability of repeated stimuli: over all stimuli, or within the same folds. *After* is r pooled
within folds, over the root of the reliability of exactly the scored responses. The numbers are medians over 300
neurons. *Sum ratio* is the root of summed r |r| over summed reliability. *Standard error* is the predicted one, a
median over neurons; *marked* is the share of neurons whose score is marked as uncertain.
"""
CLAIMS = """
## Claims are decided in at most 5 % of experiments in which nothing is there

*Holds* and *fails* are shares of experiments; where nothing is there, both are errors. *Before* is the bootstrap of
neurons between the best layers of both sides, or what the claim had in its place.
"""


def simulate_ceilings() -> None:
    """Run all simulations of a perfect model, and keep their results."""
    results = {}
    for name, simulated in ceilings.CASES.items():
        with timed() as taken:
            rows = [(case, dataclasses.asdict(score)) for case, score in simulated(ceilings.FULL)]
        results[name] = entry({"rows": rows, **taken})
        RESULTS.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


def ceilings_tables() -> str:
    """Return the results of a perfect model as Markdown, a table for each kind of case."""
    tables = []
    for name, measured in json.loads(RESULTS.read_text(encoding="utf-8")).items():
        rows = [(case, ceilings.Score(**_with_nan(score))) for case, score in measured["figures"]["rows"]]
        tables.append(f"{ceilings.CASES[name].__doc__}\n\n{ceilings.markdown(rows)}\n")
    return "\n".join(tables)


def _with_nan(score: dict) -> dict:
    # JSON has null in its place.
    return {key: np.nan if value is None else value for key, value in score.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--simulate", nargs="*", choices=("ceilings", "claims"), help="both, if none is named")
    parser.add_argument("--experiments", type=int, default=400)
    options = parser.parse_args()
    asked = options.simulate if options.simulate or options.simulate is None else ("ceilings", "claims")
    if asked and "ceilings" in asked:
        simulate_ceilings()
    if asked and "claims" in asked:
        subprocess.run([sys.executable, FOLDER / "claims.py", "--experiments", str(options.experiments)], check=True)
    PAGE.write_text(
        "\n".join([OPENING, ceilings_tables(), CLAIMS, claims.markdown(claims.read()), ""]), encoding="utf-8"
    )


if __name__ == "__main__":
    main()
