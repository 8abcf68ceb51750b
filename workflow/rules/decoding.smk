READ_BY = {
    "periods": periods_of,
    "units": lambda wildcards: settings["decoding"]["units"],
    "draws": lambda wildcards: settings["decoding"]["draws"],
    "reliability_threshold": settings["reliability_threshold"],
    "penalties": penalty_grid(settings["penalties"]),
    **DEAL,
}


use rule factorise as decode with:
    input:
        gram=gram_of,
        recording="<results>/recordings/{recording}.zarr",
        stimuli=stimuli_of,
    output:
        "<results>/decoding/{recording}/{model}.parquet",
        provenance="<provenance>/decoding/{recording}/{model}.json",
    log:
        "<logs>/decoding/{recording}/{model}.log",
    benchmark:
        "<benchmarks>/decoding/{recording}/{model}.tsv"
    priority: 0
    resources:
        dask=settings["dask"],
        mem_mb=scaled(8000),
        runtime=scaled(480),
    params:
        **told("decode", **READ_BY),


use rule decode as decode_areas with:
    input:
        recording="<results>/recordings/{recording}.zarr",
        stimuli=stimuli_of,
    output:
        "<results>/decoded_areas/{recording}.parquet",
        provenance="<provenance>/decoded_areas/{recording}.json",
    log:
        "<logs>/decoded_areas/{recording}.log",
    benchmark:
        "<benchmarks>/decoded_areas/{recording}.tsv"
    params:
        **told("decode_areas", **READ_BY),


use rule decode as decode_over_time with:
    input:
        recording="<results>/recordings/{recording}.zarr",
        stimuli=stimuli_of,
    output:
        "<results>/decoding_over_time/{recording}.parquet",
        provenance="<provenance>/decoding_over_time/{recording}.json",
    log:
        "<logs>/decoding_over_time/{recording}.log",
    benchmark:
        "<benchmarks>/decoding_over_time/{recording}.tsv"
    params:
        **told(
            "decode_over_time",
            classifiers=lambda wildcards: settings["decoding_over_time"]["classifiers"],
            draws=lambda wildcards: settings["decoding_over_time"]["draws"],
            shuffled_within=lambda wildcards: settings["decoding_over_time"]["shuffled_within"],
            **DEAL,
        ),


use rule decode as solution_times with:
    input:
        recording="<results>/recordings/{recording}.zarr",
        behaviour="<results>/recordings/{behaviour}.zarr",
        stimuli=stimuli_of,
        grams=grams_of_behaviour,
    output:
        "<results>/solution_times/{recording}/{behaviour}.parquet",
        provenance="<provenance>/solution_times/{recording}/{behaviour}.json",
    log:
        "<logs>/solution_times/{recording}/{behaviour}.log",
    benchmark:
        "<benchmarks>/solution_times/{recording}/{behaviour}.tsv"
    params:
        **told("solution_times", **DEAL),
