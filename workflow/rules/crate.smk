from snakemake import __version__


# Not a part of what a plain `snakemake` makes: `snakemake crate`.
rule crate:
    input:
        files=rules.all.input,
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
        # In the order of the config: tables may follow it. A function, as Snakemake sees wildcards in braces elsewhere.
        options=lambda wildcards: json.dumps(
            {"results": settings["results"], "config": config, "snakemake": __version__}
        ),
    shell:
        command("crate", "files", "output=crate", "options")
