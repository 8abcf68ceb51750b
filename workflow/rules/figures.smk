rule layer_profile:
    input:
        "<results>/scores.parquet",
    output:
        svg=report(
            "<results>/figures/layer_profile.svg",
            caption="../report/layer_profile.rst",
            category="Figures",
            labels={"figure": "Predictivity by layer"},
        ),
        pdf="<results>/figures/layer_profile.pdf",
        csv=report(
            "<results>/figures/layer_profile.csv",
            caption="../report/layer_profile.rst",
            category="Tables",
            labels={"table": "Predictivity by layer"},
        ),
    log:
        "<logs>/figures/layer_profile.log",
    conda:
        "../../envs/ventral.yaml"
    resources:
        mem_mb=4000,
        runtime=60,
    params:
        threshold=settings["reliability_threshold"],
    shell:
        "python -m ventral layer_profile {input:q} --svg {output.svg:q} --pdf {output.pdf:q} --csv {output.csv:q} "
        "--reliability-threshold {params.threshold} --log {log:q}"


rule categorisation:
    input:
        "<results>/scores.parquet",
    output:
        svg=report(
            "<results>/figures/categorisation.svg",
            caption="../report/categorisation.rst",
            category="Figures",
            labels={"figure": "Categorisation against predictivity"},
        ),
        pdf="<results>/figures/categorisation.pdf",
        csv=report(
            "<results>/figures/categorisation.csv",
            caption="../report/categorisation.rst",
            category="Tables",
            labels={"table": "Categorisation against predictivity"},
        ),
    log:
        "<logs>/figures/categorisation.log",
    conda:
        "../../envs/ventral.yaml"
    resources:
        mem_mb=4000,
        runtime=60,
    params:
        threshold=settings["reliability_threshold"],
    shell:
        "python -m ventral categorisation {input:q} --svg {output.svg:q} --pdf {output.pdf:q} --csv {output.csv:q} "
        "--reliability-threshold {params.threshold} --log {log:q}"
