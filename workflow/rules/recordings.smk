rule recording:
    input:
        stimuli=stimuli_of,
        files=lambda wildcards: given(settings["recordings"][wildcards.recording], "responses", "neuroids"),
    output:
        directory("<results>/recordings/{recording}.zarr"),
    log:
        "<logs>/recordings/{recording}.log",
    benchmark:
        "<benchmarks>/recordings/{recording}.tsv"
    conda:
        "../../envs/ventral.yaml"
    resources:
        mem_mb=8000,
        runtime=120,
    params:
        spec=lambda wildcards: as_json(
            {key: value for key, value in settings["recordings"][wildcards.recording].items() if key != "splits"}
        ),
        seed=settings["seed"],
    shell:
        "python -m ventral recording {input.stimuli:q} --name {wildcards.recording:q} --spec {params.spec:q} "
        "--seed {params.seed} --output {output:q} --log {log:q}"
