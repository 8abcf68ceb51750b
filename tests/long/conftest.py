"""The experiment of the workflow's tests, for these as well."""

from tests.workflow.conftest import experiment, undisturbed

__all__ = ["experiment", "undisturbed"]
