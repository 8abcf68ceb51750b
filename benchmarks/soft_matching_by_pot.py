"""Compute the plans of `tests/unit/test_soft_matching.py` by POT 0.9.7, which the tests do not need.

pip install pot==0.9.7 numpy
python benchmarks/soft_matching_by_pot.py > tests/unit/data/soft_matching_by_pot.json
"""

import json

import numpy as np
import ot

SIZES = [(40, 15), (15, 40), (24, 8), (9, 9), (1, 6), (120, 50)]


def costs_of(n_units: int, n_neurons: int) -> np.ndarray:
    """Return costs that every version of NumPy computes alike."""
    units, neurons = np.arange(n_units)[:, None] + 1, np.arange(n_neurons) + 1
    return 1 - np.sin(units * 1.7) * np.cos(neurons * 2.3) - 0.3 * np.sin(units * neurons * 0.37)


plans = []
for n_units, n_neurons in SIZES:
    costs = costs_of(n_units, n_neurons)
    plan = ot.emd(np.full(n_units, 1 / n_units), np.full(n_neurons, 1 / n_neurons), costs)
    rows, columns = np.nonzero(plan)
    found = {"sizes": [n_units, n_neurons], "cost": float((plan * costs).sum())}
    found |= {"rows": rows.tolist(), "columns": columns.tolist(), "masses": plan[rows, columns].round(15).tolist()}
    plans.append(found)
print(json.dumps(plans))
