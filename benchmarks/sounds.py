"""Measure cochleagrams of sounds, and their spectrotemporal modulations.

    python benchmarks/sounds.py [--sounds 165] [--seconds 2] [--repeats 3]

Adds to benchmarks/results.json, as `sounds`: the wall and CPU seconds of each, with all cores. The sounds are noise, as
the time does not depend on what they are. Both begin and end in memory, and modulations begin with cochleagrams.
"""

import argparse
import json
import sys

from measurement import FOLDER, entry, peak_mb, repeated

sys.path.insert(0, str(FOLDER.parent / "workflow"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sounds", type=int, default=165)
    parser.add_argument("--seconds", type=float, default=2)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    figures = measured(options.sounds, options.seconds, options.repeats)
    output = FOLDER / "results.json"
    results = json.loads(output.read_text(encoding="utf-8"))
    results["measures"]["sounds"] = entry(figures)
    output.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(json.dumps(results["measures"]["sounds"]["figures"], indent=1))


def measured(n: int, seconds: float, repeats: int) -> dict:
    """Return the times of `n` sounds of some seconds, and the peak memory of the process."""
    import torch

    from ventral.models.spectrotemporal import modulation_power
    from ventral.running.allocator import keep_freed_memory
    from ventral.stimuli.cochleagram import cochleagram
    from ventral.stimuli.sounds import RATE, examples

    # As in jobs of the workflow.
    keep_freed_memory()
    waveforms = torch.from_numpy(examples(n, (round(RATE * seconds),), 0))
    with torch.inference_mode():
        of_cochleagrams, cochleagrams = repeated(repeats, lambda: cochleagram(waveforms, RATE))
        of_modulations, _ = repeated(repeats, lambda: modulation_power(cochleagrams))
    return {
        "sounds": n,
        "seconds_of_sound": seconds,
        "cochleagrams": of_cochleagrams,
        "modulations": of_modulations,
        "peak_mb": round(peak_mb()),
    }


if __name__ == "__main__":
    main()
