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
        options=options(
            name=lambda wildcards: wildcards.recording,
            spec=lambda wildcards: without(settings["recordings"][wildcards.recording], "splits"),
            seed=settings["seed"],
        ),
    shell:
        command("recording", "stimuli reads=files", "output=store", "options")


rule teacher:
    input:
        reads=watched("teachers/{recording}", lambda wildcards: checkpoint_of(teacher_of(wildcards))),
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
        options=options(
            name=lambda wildcards: wildcards.recording,
            spec=lambda wildcards: settings["recordings"][wildcards.recording]["simulate"],
        ),
    shell:
        command("teacher", "reads", "output=description", "options")


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
        options=options(
            name=lambda wildcards: wildcards.recording,
            spec=lambda wildcards: settings["recordings"][wildcards.recording]["simulate"],
            seed=settings["seed"],
        ),
    shell:
        command("simulate", "stimuli reads=checkpoint+teacher", "output=store", "options device batch_size cores")
