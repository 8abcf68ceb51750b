rule model:
    input:
        lambda wildcards: checkpoint_of(settings["models"][wildcards.model]),
    output:
        "<results>/models/{model}.json",
    log:
        "<logs>/models/{model}.log",
    # First of all: a wrong name of a layer is told before any long work.
    priority: 100
    conda:
        "../../envs/ventral.yaml"
    resources:
        mem_mb=4000,
        runtime=60,
    params:
        spec=lambda wildcards: as_json(settings["models"][wildcards.model]),
    shell:
        "python -m ventral model --spec {params.spec:q} --output {output:q} --log {log:q}"
