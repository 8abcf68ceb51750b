from snakemake import __version__


# Only `snakemake crate` makes the crate; a plain run does not.
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
        # Tables may follow the order of the config. A function hides braces, which Snakemake would take for wildcards.
        options=lambda wildcards: json.dumps(
            {"results": settings["results"], "config": config, "snakemake": __version__}
        ),
