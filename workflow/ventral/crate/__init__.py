"""Pack a run for others: results, their inputs and the workflow, as a Workflow Run RO-Crate."""
