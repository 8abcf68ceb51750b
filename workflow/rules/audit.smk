rule audit:
    # Snakemake deletes the outputs of failed jobs, but the result of a failed audit must stay.
    log:
        "<logs>/audit.log",
    # The rule starts its own snakemake for the plan, so it runs locally and alone.
    handover: True
    threads: 8
    params:
        # An importing workflow has another config.
        snakefile=f"{PACKAGE}/Snakefile",
        # The audit runs jobs one after another, without the run's executor.
        # Tables may follow the order of the config. A function hides braces, which Snakemake would take for wildcards.
        config=lambda wildcards: json.dumps(config | {"dask": "threads"}),
        options=options(
            results=settings["results"],
            sample=settings["audit"]["sample"],
            rerun=settings["audit"]["outputs"],
            seed=settings["seed"],
        ),
        folder=f"{settings['results']}/audit",
    shell:
        "mkdir -p {params.folder:q} && printf '%s' {params.config:q} > {params.folder:q}/config.json && "
        "python -m snakemake --snakefile {params.snakefile:q} --configfile {params.folder:q}/config.json "
        "--profile none --workflow-profile none --cores {threads} --dry-run --forceall --printshellcmds all "
        "> {params.folder:q}/plan.txt && "
        "python -m ventral audit --input plan {params.folder:q}/plan.txt --output verdicts {params.folder:q}/audit.json "
        "--output page {params.folder:q}/audit.html --options {params.options:q} --cores {threads} --log {log:q}"
