def is_used(rule):
    """Say whether a rule has any output with this config."""
    return any_of([]) not in rule.wildcard_constraints.values()


def say_which_results_are_of_other_code():
    """Name, at the start of a run, the stages whose code has changed, and the command that reruns them."""
    stages, modules = changes.find_results_of_other_code(Path(settings["results"], "provenance"))
    used = [made for made in workflow.rules if is_own(made) and is_used(made)]
    names = [made.name for made in used if dict(made.params.items()).get("stage") in stages]
    if stages:
        logger.warning(
            f"{sum(stages.values())} results were made by other code than is here now, and are kept "
            f"({', '.join(f'{stage}: {number}' for stage, number in sorted(stages.items()))}; changed: "
            f"{shown(modules, 5)}). `--forcerun {' '.join(names)}` makes them anew; "
            f"`snakemake {workflow.modifier.modify_rulename('audit')}` names each."
        )


if workflow.is_main_process and not READ_BEFORE:
    say_which_results_are_of_other_code()


def say_what_a_run_needs():
    """Print the forecast of the run after a dry run."""
    if not workflow.dryrun or workflow.dag is None:
        return
    from ventral.launch.forecast import Planned, Predicted, forecast

    jobs = []
    for job in filter(
        lambda job: is_own(job.rule) and "stage" in dict(job.params.items()),
        workflow.dag.needrun_jobs(exclude_finished=False),
    ):
        wildcards = job.wildcards_dict
        recording = wildcards.get("recording", "")
        stimuli = wildcards.get("stimuli") or settings["recordings"].get(recording, {}).get("stimuli")
        jobs.append(Planned(job.params.stage, job.threads, wildcards.get("model", ""), stimuli or "", recording))
    extraction, penalties = settings["extraction"], penalty_grid(settings["penalties"])
    predicted = Predicted(
        settings["outputs"]["predictions"],
        neuroids_now,
        {name: number_of_places(spec["splits"]) for name, spec in settings["recordings"].items()},
        len(predicting(settings["mappings"])),
    )
    lines = forecast(
        Path(settings["results"]), jobs, stimuli_now, extraction["keep"], extraction["dtype"], len(penalties), predicted
    )
    for line in lines:
        print(f"forecast, {line}", file=sys.stderr)


if workflow.is_main_process and not READ_BEFORE:
    # Snakemake has no handler for the end of a dry run.
    atexit.register(say_what_a_run_needs)
