"""A run to give to others: results, what they were made of, and the workflow, as a Workflow Run RO-Crate."""
