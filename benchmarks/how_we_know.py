"""Write docs/how_we_know.md: tables of every simulation with a known answer, before and after.

    python benchmarks/how_we_know.py [--simulate [NAME ...]] [--experiments 1000]

With `--simulate`, the named simulations run anew, or all of them (about two hours on 2 cores). Otherwise, the tables
come from benchmarks/ceilings.json, claims.json, optimism.json and simulations.json. `--experiments` is the number of
experiments for claims.
"""

import argparse
import dataclasses
import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import ceilings
import claims
import held_out_groups
import matrices
import numpy as np
import optimism
import population_curves
import resampled_ceilings
import svm_costs
import two_factor
from measurement import FOLDER, entry, timed

PAGE = FOLDER.parent / "docs" / "how_we_know.md"
RESULTS, SIMULATIONS = FOLDER / "ceilings.json", FOLDER / "simulations.json"
OPENING = """# How we know

Each statistic of this workflow was put to simulations whose right answer is known. *Before* is how this workflow
computed the statistic in earlier versions, and how much published work does. *After* is how the workflow computes
the statistic now. One command runs all simulations and writes this page: `python benchmarks/how_we_know.py --simulate`.
Small versions are among the tests: `tests/unit/test_perfect_model.py`, `tests/unit/test_contrasts.py`,
`tests/unit/test_groups.py`, `tests/unit/test_matrix_influence.py`.

## A perfect model scores 1

The predictions are the noiseless rates, so the right predictivity is 1. *Before* is the mean of r over folds, over the
root of the split-half reliability of repeated stimuli. This reliability is over all stimuli, or within the same folds.
*After* is r pooled within folds, over the root of the reliability of exactly the scored responses. The numbers are
medians over 300 neurons. *Sum ratio* is the root of summed r |r| over summed reliability. *Standard error* is the
predicted one, a median over neurons; *marked* is the share of neurons whose score is marked as uncertain.
"""
OPTIMISM = """## The best of equally good layers is no better than the others

All 18 layers are equally good. The numbers are scores over the ceiling, less the mean over layers: 0 is right.
*Maximum* is the highest score. *Before*, half of the neurons chooses a layer, and the other half scores the layer on
the same stimuli. *After*, both neurons and folds are halved. The last two columns say how often a model of 18 layers
differs from a model of one layer that is as good. At most 5 % is right.
"""
CLAIMS = """## Claims are seldom decided where nothing is there

*Holds* and *fails* are shares of experiments; where nothing is there, both are errors. *Before* is the bootstrap of
neurons between the best layers of both sides, or what the claim had in its place. A row of one fold is how ridge
regression is compared with a network that is fitted to the neurons.

At a true level of 5 %, more than 6.5 % of 1,000 experiments, or 7 % of 400, are hardly ever decided.

Fits for different held-out objects share most of their objects. So the variance over objects has the factor of the
section on them. Without the factor, ridge regression on 8 objects finds an effect of 0.25 in 84.5 % of experiments, and
on 20 objects in 99 %.
"""


@dataclass(frozen=True)
class Section:
    """A simulation with rows in benchmarks/simulations.json, and its part of the page.

    Attributes
    ----------
    text : str
        Heading and explanation.
    simulate : callable
        Gives the rows.
    formats : mapping of str
        Formats of columns that are not to have two decimals.
    """

    text: str
    simulate: Callable[[], Iterator[dict]]
    formats: Mapping[str, str] = field(default_factory=dict)

    def markdown(self, rows: Sequence[Mapping]) -> str:
        """Return the part of the page with these rows."""
        lines = [list(rows[0]), ["---", *["---:"] * (len(rows[0]) - 1)]]
        lines += [[self._cell(*cell) for cell in row.items()] for row in rows]
        return "\n".join([self.text, *(f"| {' | '.join(line)} |" for line in lines), ""])

    def _cell(self, column: str, value: str | float | None) -> str:
        return format(value, self.formats.get(column, ".2f")) if isinstance(value, float) else str(value or "")


SECTIONS = {
    "matrices": Section(
        """## A perfect model scores near 1 by RSA and CKA, too

The layer is the noiseless responses of 100 neurons to 60 stimuli, so the right score is 1. *Before* is the agreement of
layer and neurons over the root of the agreement of halves of the repetitions, corrected by Spearman and Brown.
*After*, the ceiling is the root of the reliability of exactly the compared matrix. *Reliability* is the estimate after.
CKA comes out at 1. RSA falls somewhat below 1 where reliability is low. The numbers are medians over 16 experiments.
""",
        matrices.perfect_models,
    ),
    "few_neurons": Section(
        """## Few neurons of a population do not lower debiased CKA

The layer is a population of 2,000 neurons. A few of these neurons are recorded, with four repetitions. The right score
is 1. *Before* is debiased CKA as it is. *After* is the same over the root of the share of the population in the
neurons' matrix.
""",
        matrices.few_neurons,
    ),
    "svm_costs": Section(
        """## C is chosen within training, and does not decide the order of layers

The numbers are balanced accuracies of a linear support vector machine on held-out stimuli. Chance is 0.125. *Before*, C
was 1 for all layers. *After*, C is chosen within the training part of each fold. The order of the first two layers
depends on C: with C = 1 the first is better, with C = 100 the second. With C chosen, each layer comes close to its
best column. A layer with nothing to read stays at chance.
""",
        svm_costs.simulate,
        dict.fromkeys(["C = 0.1", "C = 1", "C = 10", "C = 100", "C chosen"], ".3f"),
    ),
    "resampled_ceilings": Section(
        """## Resampling the stimuli leaves the ceiling of a perfect model where it is

The stimuli of a perfect model are resampled within folds. The right score is 1 in every resample. *Before* is what a
plain bootstrap of the whole analysis gives. The ceiling is then estimated anew in each resample, as if a stimulus drawn
twice were two stimuli. *After*, the ceiling is held. The numbers are means over resamples and experiments. *Covered*
says how often the 95 % interval holds 1.
""",
        resampled_ceilings.simulate,
        {"before: score": ".3f", "covered": ".0%", "after: score": ".3f", "covered, held": ".0%"},
    ),
    "population_curves": Section(
        """## Population curves end where the neurons do

The score of an area is read from 1 to all of its 12 neurons. The numbers say how often a 95 % interval holds the
score of the whole area. *Before*, the interval had the spread over draws of neurons; draws that share neurons hide
a part of it. *After*, this part is added. Curves are not extrapolated to more units than were read.
""",
        population_curves.simulate,
        {"before": ".1%", "after": ".1%"},
    ),
    "held_out_groups": Section(
        """## Fits for different held-out objects share most of their objects

Two layers are equally good on average over objects. *Variance* is that of the mean difference over k objects, divided
by the estimate from the spread over objects. *Factor* is 2 (k - 1) / (k - 2), by which the estimate is multiplied,
after Nadeau and Bengio 2003 (Machine Learning 52:239). Experiments that are decided are errors: at most 5 % is right.
Each row has 400 experiments.
""",
        held_out_groups.simulate,
        {"decided without": ".1%", "decided with": ".1%"},
    ),
    "two_factor": Section(
        """## Errors of RSA for other stimuli and other neurons are nearly right

Each experiment draws stimuli and neurons anew, and compares one layer with them by Spearman's r. *Error* is the root
mean square of an error over the spread of r over experiments: 1 is right. *Covered* says how often a 95 % interval
holds the mean r. `r_error` is about other *stimuli* alone. The *plain* bootstrap draws stimuli and neurons together.
The bootstrap of *two factors* (`r_error_both`) corrects the plain one (Schütt et al. 2023, eLife 12:e82566). This
error is 6 to 12 % too large, so that its intervals hold the mean r in 95.5 to 97 %. Each row has 200 experiments.
""",
        two_factor.simulate,
        dict.fromkeys(["covered: stimuli", "covered: plain", "covered: two factors"], ".1%"),
    ),
}
NAMES = ("ceilings", *SECTIONS, "optimism", "claims")


def simulate_ceilings() -> None:
    """Run all simulations of a perfect model, and store their results."""
    results = {}
    for name, simulated in ceilings.CASES.items():
        with timed() as taken:
            rows = [(case, dataclasses.asdict(score)) for case, score in simulated(ceilings.FULL)]
        results[name] = entry({"rows": rows, **taken})
        RESULTS.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


def simulate_section(name: str) -> None:
    """Run the simulation of one section, and store its rows beside those of the others."""
    with timed() as taken:
        rows = list(SECTIONS[name].simulate())
    kept = read_simulations() | {name: entry({"rows": rows, **taken})}
    in_order = {name: kept[name] for name in SECTIONS if name in kept}
    SIMULATIONS.write_text(json.dumps(in_order, indent=1) + "\n", encoding="utf-8")


def read_simulations() -> dict:
    """Return the stored rows of all sections."""
    return json.loads(SIMULATIONS.read_text(encoding="utf-8")) if SIMULATIONS.exists() else {}


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


def page() -> str:
    """Return the page with the stored results."""
    kept = read_simulations()
    sections = [section.markdown(kept[name]["figures"]["rows"]) for name, section in SECTIONS.items()]
    of_optimism = optimism.markdown(json.loads((FOLDER / "optimism.json").read_text(encoding="utf-8")))
    parts = [OPENING, ceilings_tables(), *sections, OPTIMISM, of_optimism, "", CLAIMS, claims.markdown(claims.read())]
    return "\n".join(parts)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--simulate", nargs="*", choices=NAMES, help="all, if none is named")
    parser.add_argument("--experiments", type=int, default=1000)
    options = parser.parse_args()
    asked = () if options.simulate is None else options.simulate or NAMES
    for name in asked:
        if name == "ceilings":
            simulate_ceilings()
        elif name in SECTIONS:
            simulate_section(name)
        else:
            told = ["--experiments", str(options.experiments)] if name == "claims" else []
            subprocess.run([sys.executable, FOLDER / f"{name}.py", *told], check=True)
    PAGE.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
