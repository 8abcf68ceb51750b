def say_which_results_are_of_other_code():
    """Say at the start of a run which stages have results of other code, and how these are made anew."""
    stages, modules = changes.find_results_of_other_code(Path(settings["results"], "provenance"))
    names = [made.name for made in workflow.rules if is_own(made) and dict(made.params.items()).get("stage") in stages]
    if stages:
        logger.warning(
            f"{sum(stages.values())} results were made by other code than is here now, and are kept "
            f"({', '.join(f'{stage}: {number}' for stage, number in sorted(stages.items()))}; changed: "
            f"{shown(modules, 5)}). `--forcerun {' '.join(names)}` makes them anew; "
            f"`snakemake {workflow.modifier.modify_rulename('audit')}` names each."
        )


if workflow.is_main_process and not READ_BEFORE:
    say_which_results_are_of_other_code()
