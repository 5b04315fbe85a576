"""Load the weights of one network without running code from the file (`weights_only=True`)."""

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor

from .errors import WeightsError, is_out_of_memory
from .integrity import is_intact

Network = TypeVar("Network")


def load_network(path: Path, build: Callable[[dict[str, Tensor]], Network]) -> Network:
    """Load a network.

    Args:
        path: file of weights.
        build: makes the network from its tensors by name, on the CPU; raises an exception for wrong ones.
    Raises:
        WeightsError: the file is damaged, or `build` failed; names the file.
    """
    try:
        if not is_intact(path):
            raise ValueError("checksum mismatch")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch's warnings about a file do not help the user
            return build(torch.load(path, map_location="cpu", weights_only=True))
    except Exception as error:  # torch raises exceptions of many types for damaged files
        if is_out_of_memory(error):
            raise
        raise WeightsError(f"{path.parent.name}/{path.name} is damaged, or not a network of this model.") from None
