rule audit:
    # No outputs: those of a job that fails are deleted, and a failed audit is there to be read.
    log:
        "<logs>/audit.log",
    # A snakemake of its own says what there is to verify. It runs where it is asked for, and all by itself.
    handover: True
    threads: 8
    params:
        # Not the importer's.
        snakefile=f"{PACKAGE}/Snakefile",
        # Whatever started the jobs, here they run one after another.
        # In the order of the config: tables may follow it. A function, as Snakemake sees wildcards in braces elsewhere.
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
