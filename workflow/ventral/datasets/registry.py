"""The published data sets that a config may name."""

from ventral.datasets import (
    Dataset,
    algonauts2019,
    algonauts2023,
    cowley2023,
    henaff2021,
    kriegeskorte2008,
    nsd,
    things_fmri,
)

DATASETS: dict[str, Dataset] = {
    "cowley2023": cowley2023.DATASET,
    "kriegeskorte2008": kriegeskorte2008.DATASET,
    "algonauts2019": algonauts2019.DATASET,
    "henaff2021": henaff2021.DATASET,
    "nsd": nsd.DATASET,
    "algonauts2023": algonauts2023.DATASET,
    "things_fmri": things_fmri.DATASET,
}
# What can be downloaded, by path below the folder of downloads.
DOWNLOADS = {path: download for dataset in DATASETS.values() for path, download in dataset.downloads.items()}
