rule recording:
    input:
        stimuli=stimuli_of,
        files=watched(
            "recordings/{recording}",
            lambda wildcards: given(settings["recordings"][wildcards.recording], "responses", "matrices", "neuroids"),
        ),
    output:
        store=directory("<results>/recordings/{recording}.zarr"),
        provenance="<provenance>/recordings/{recording}.json",
    log:
        "<logs>/recordings/{recording}.log",
    benchmark:
        "<benchmarks>/recordings/{recording}.tsv"
    wildcard_constraints:
        recording=any_of(name for name, spec in settings["recordings"].items() if not spec.get("simulate")),
    conda:
        "../../envs/cpu.yaml"
    envmodules:
        *settings["envmodules"],
    resources:
        mem_mb=scaled(8000),
        runtime=scaled(120),
    params:
        spec=lambda wildcards: as_json(
            {key: value for key, value in settings["recordings"][wildcards.recording].items() if key != "splits"}
        ),
        seed=settings["seed"],
    shell:
        "python -m ventral recording {input.stimuli:q} --name {wildcards.recording:q} --spec {params.spec:q} --reads {input.files:q} "
        "--seed {params.seed} --output {output.store:q} --provenance {output.provenance:q} --log {log:q}"


rule teacher:
    input:
        watched("teachers/{recording}", lambda wildcards: checkpoint_of(teacher_of(wildcards))),
    output:
        description="<results>/teachers/{recording}.json",
        provenance="<provenance>/teachers/{recording}.json",
    log:
        "<logs>/teachers/{recording}.log",
    # First of all: a wrong name of a layer is told before any long work.
    priority: 100
    conda:
        "../../envs/gpu.yaml"
    envmodules:
        *settings["envmodules"],
    resources:
        mem_mb=scaled(4000),
        runtime=scaled(60),
    params:
        spec=lambda wildcards: as_json(settings["recordings"][wildcards.recording]["simulate"]),
    shell:
        "python -m ventral teacher --name {wildcards.recording:q} --spec {params.spec:q} --reads {input:q} --output {output.description:q} --provenance {output.provenance:q} --log {log:q}"


rule simulate:
    input:
        stimuli=stimuli_of,
        teacher="<results>/teachers/{recording}.json",
        checkpoint=watched("recordings/{recording}", lambda wildcards: checkpoint_of(teacher_of(wildcards))),
    output:
        store=directory("<results>/recordings/{recording}.zarr"),
        provenance="<provenance>/recordings/{recording}.json",
    log:
        "<logs>/recordings/{recording}.log",
    benchmark:
        "<benchmarks>/recordings/{recording}.tsv"
    wildcard_constraints:
        recording=any_of(name for name, spec in settings["recordings"].items() if spec.get("simulate")),
    conda:
        "../../envs/gpu.yaml"
    envmodules:
        *settings["envmodules"],
    threads: 8
    resources:
        mem_mb=scaled(8000),
        runtime=scaled(240),
        device=settings["extraction"]["device"],
        batch_size=settings["extraction"]["batch_size"],
        gres=settings["gres"].get("simulate", ""),
    params:
        spec=lambda wildcards: as_json(settings["recordings"][wildcards.recording]["simulate"]),
        seed=settings["seed"],
    shell:
        "python -m ventral simulate {input.stimuli:q} --name {wildcards.recording:q} --spec {params.spec:q} --reads {input.checkpoint:q} {input.teacher:q} "
        "--device {resources.device} --batch-size {resources.batch_size} --cores {threads} --seed {params.seed} "
        "--output {output.store:q} --provenance {output.provenance:q} --log {log:q}"
