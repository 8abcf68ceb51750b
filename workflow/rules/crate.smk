from snakemake import __version__


# Not a part of what a plain `snakemake` makes: `snakemake crate`.
rule crate:
    input:
        rules.all.input,
    output:
        crate="<results>/crate.zip",
        provenance="<provenance>/crate.json",
    log:
        "<logs>/crate.log",
    conda:
        "../../envs/cpu.yaml"
    envmodules:
        *settings["envmodules"],
    resources:
        mem_mb=scaled(4000),
        runtime=scaled(240),
    params:
        results=lambda wildcards: settings["results"],
        # In the order of the config: tables may follow it. A function, as Snakemake sees wildcards in braces elsewhere.
        config=lambda wildcards: json.dumps(config),
        snakemake=__version__,
    shell:
        "python -m ventral crate {input:q} --results {params.results:q} --config {params.config:q} "
        "--snakemake {params.snakemake} --output {output.crate:q} --provenance {output.provenance:q} --log {log:q}"
