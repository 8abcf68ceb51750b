include: "workflow/Snakefile"


# An include never sets the default target.
workflow.default_target = workflow.default_target or workflow.modifier.avail_rulename("all")
