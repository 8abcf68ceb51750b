"""Which model, and which layer, predicts my neurons, and what do my neurons make explicit?"""

import importlib

# Loaded when they are used: the workflow's parser and most stages need none of them.
PLACES = {
    "NestedRidge": "mappings.ridge",
    "nested_ridge": "mappings.ridge",
    "nested_ridge_features": "mappings.ridge_features",
    "TestSetRidge": "mappings.ridge_test_set",
    "test_set_ridge": "mappings.ridge_test_set",
    "load_readout": "readouts.loading",
    "next_experiment": "in_silico.in_notebooks",
    "controversial_images": "in_silico.controversial",
    "open_features": "activations.features",
    "open_scores": "scores.labelled",
    "brainio_scores": "scores.labelled",
}


def __getattr__(name: str):
    if name not in PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"ventral.{PLACES[name]}"), name)


__all__ = list(PLACES)
