for file, table in TABLES.items():

    rule:
        name:
            table.stage
        input:
            **inputs_of(table),
        output:
            shown_file(f"<results>/{file}.csv", table, "Tables"),
            provenance=f"<provenance>/{file}.json",
        log:
            f"<logs>/{file}.log",
        conda:
            "../../envs/cpu.yaml"
        envmodules:
            *settings["envmodules"],
        resources:
            mem_mb=scaled(4000),
            runtime=scaled(60),
        params:
            **told_to(table),
        shell:
            command()


for file, figure in FIGURES.items():

    rule:
        name:
            figure.stage
        input:
            **inputs_of(figure),
        output:
            **{parameter: f"<results>/{other}" for parameter, other in figure.further.items()},
            svg=shown_file(f"<results>/figures/{file}.svg", figure, "Figures"),
            pdf=f"<results>/figures/{file}.pdf",
            csv=shown_file(f"<results>/figures/{file}.csv", figure, "Tables"),
            provenance=f"<provenance>/figures/{file}.json",
        log:
            f"<logs>/figures/{file}.log",
        conda:
            "../../envs/cpu.yaml"
        envmodules:
            *settings["envmodules"],
        resources:
            mem_mb=scaled(4000),
            runtime=scaled(60),
        params:
            **told_to(figure),
        shell:
            command()


rule contact_sheet:
    input:
        stimuli="<results>/stimuli/{stimuli}.zarr",
    output:
        svg=report(
            "<results>/figures/contact_sheets/{stimuli}.svg",
            caption="../report/contact_sheet.rst",
            category="Stimuli",
            labels={"figure": "{stimuli}"},
        ),
        pdf="<results>/figures/contact_sheets/{stimuli}.pdf",
        csv="<results>/figures/contact_sheets/{stimuli}.csv",
        provenance="<provenance>/figures/contact_sheets/{stimuli}.json",
    log:
        "<logs>/figures/contact_sheets/{stimuli}.log",
    wildcard_constraints:
        stimuli=any_of(sets_with_files(settings)),
    conda:
        "../../envs/cpu.yaml"
    envmodules:
        *settings["envmodules"],
    resources:
        mem_mb=scaled(4000),
        runtime=scaled(60),
    params:
        **told("contact_sheet"),
    shell:
        command()
