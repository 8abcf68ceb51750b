from snakemake import __version__


# Not a part of what a plain `snakemake` makes: `snakemake crate`.
use rule join as crate with:
    input:
        files=rules.all.input,
    output:
        "<results>/crate.zip",
        provenance="<provenance>/crate.json",
    log:
        "<logs>/crate.log",
    resources:
        mem_mb=scaled(4000),
        runtime=scaled(240),
    params:
        stage="crate",
        # In the order of the config: tables may follow it. A function, as Snakemake sees wildcards in braces elsewhere.
        options=lambda wildcards: json.dumps(
            {"results": settings["results"], "config": config, "snakemake": __version__}
        ),
