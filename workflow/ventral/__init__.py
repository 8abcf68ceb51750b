"""Which model, and which layer, predicts my neurons, and what do my neurons make explicit?"""


def __getattr__(name: str):
    # The engine is loaded when it is used: the workflow's parser and most stages need none of it.
    if name in ("NestedRidge", "nested_ridge"):
        from ventral.mappings import ridge

        return getattr(ridge, name)
    if name == "nested_ridge_features":
        from ventral.mappings.ridge_features import nested_ridge_features

        return nested_ridge_features
    if name in ("TestSetRidge", "test_set_ridge"):
        from ventral.mappings import ridge_test_set

        return getattr(ridge_test_set, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = ["NestedRidge", "TestSetRidge", "nested_ridge", "nested_ridge_features", "test_set_ridge"]
