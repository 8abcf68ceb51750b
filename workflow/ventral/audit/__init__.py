"""Whether results are what they say they are: provenance of every output, and its verification."""
