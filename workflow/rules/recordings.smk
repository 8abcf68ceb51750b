rule recording:
    input:
        stimuli=stimuli_of,
        reads=watched(
            "recordings/{recording}",
            lambda wildcards: [
                *given(
                    settings["recordings"][wildcards.recording],
                    "responses",
                    "matrices",
                    "trials",
                    "spikes",
                    "nwb",
                    "neuroids",
                    "mask",
                ),
                *given(settings["recordings"][wildcards.recording].get("ceiling") or {}, "file"),
                *given(settings["recordings"][wildcards.recording].get("behaviour") or {}, "trials", "classes"),
            ],
        ),
    output:
        directory("<results>/recordings/{recording}.zarr"),
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
        **told(
            "recording",
            name=lambda wildcards: wildcards.recording,
            spec=lambda wildcards: without(settings["recordings"][wildcards.recording], "splits", "group"),
            seed=settings["seed"],
        ),
    shell:
        command()


use rule model as teacher with:
    input:
        reads=watched("teachers/{recording}", lambda wildcards: checkpoint_of(teacher_of(wildcards))),
    output:
        "<results>/teachers/{recording}.json",
        provenance="<provenance>/teachers/{recording}.json",
    log:
        "<logs>/teachers/{recording}.log",
    resources:
        mem_mb=scaled(4000),
        runtime=scaled(60),
        checked=options(),
    params:
        **told(
            "teacher",
            name=lambda wildcards: wildcards.recording,
            spec=lambda wildcards: settings["recordings"][wildcards.recording]["simulate"],
        ),


use rule extract as simulate with:
    input:
        stimuli=stimuli_of,
        reads=simulated_of,
    output:
        directory("<results>/recordings/{recording}.zarr"),
        provenance="<provenance>/recordings/{recording}.json",
    log:
        "<logs>/recordings/{recording}.log",
    benchmark:
        "<benchmarks>/recordings/{recording}.tsv"
    wildcard_constraints:
        recording=any_of(name for name, spec in settings["recordings"].items() if spec.get("simulate")),
    resources:
        mem_mb=scaled(8000),
        runtime=scaled(240),
        device=settings["extraction"]["device"],
        batch_size=settings["extraction"]["batch_size"],
        gres=settings["gres"].get("simulate", ""),
    params:
        **told(
            "simulate",
            name=lambda wildcards: wildcards.recording,
            spec=lambda wildcards: settings["recordings"][wildcards.recording]["simulate"],
            seed=settings["seed"],
        ),
