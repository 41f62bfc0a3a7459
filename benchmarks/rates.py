"""The time of one sample of each expert on one core, for the rates that mmx ships.

    python -m benchmarks.rates

Networks are built without weights: their arithmetic takes the same time.
"""

import time

import torch

from mmx.experts.base import Expert
from mmx.experts.preprocess import Pixels
from mmx.experts.registry import expert_names, get_expert
from mmx.experts.sampling import Stacks

REPEATS = 3


def batch(expert: Expert) -> torch.Tensor:
    """Return one empty sample of the shape that the expert's network takes."""
    if not isinstance(expert.preprocess, Pixels):
        return torch.zeros(1, 1, 96, 64)
    channels = 2 if expert.reads == "flow" else 3
    length = [expert.sampling.length] if isinstance(expert.sampling, Stacks) else []
    return torch.zeros(1, channels, *length, *expert.preprocess.size)


@torch.inference_mode()
def seconds(expert: Expert) -> float:
    """Return the processor time of one sample, the best of several."""
    network, sample = expert.build(), batch(expert)
    times = []
    for _ in range(REPEATS):
        started = time.process_time()
        network(sample)
        times.append(time.process_time() - started)
    return min(times)


def main() -> None:
    """Print a line for each expert."""
    torch.set_num_threads(1)
    for expert in map(get_expert, expert_names()):
        print(f"{expert.name:<24}{seconds(expert):8.4f} s", flush=True)


if __name__ == "__main__":
    main()
