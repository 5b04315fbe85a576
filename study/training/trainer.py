"""Train Open-Unmix as its authors do (F.-R. Stöter et al., "Open-Unmix", 2019), with three differences.

The loss is normalized by the level of each example, the learning rate has a cosine decay, and the moving average of the
weights is validated and saved (B. Polyak and A. Juditsky, 1992). Random numbers depend only on the seed and the epoch,
so a resumed training gives the same result as an uninterrupted one.
"""

import json
import math
import random
from argparse import Namespace
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch
from openunmix.model import OpenUnmix
from openunmix.utils import EarlyStopping, bandwidth_to_max_bin
from torch import Tensor
from torch.linalg import vector_norm
from torch.optim.swa_utils import AveragedModel
from torch.utils.data import DataLoader
from tqdm import tqdm

from study.training.datasets import SAMPLE_RATE, BadFolder, Examples, Track, collate, find_tracks
from study.training.model_card import draw_losses, write_card
from study.training.partner import PartneredExamples, with_estimates

NB_CHANNELS = 2
AVERAGING = 0.999  # decay of the moving average after many steps
NB_FOR_STATISTICS = 100  # examples
VALID_EXAMPLES = 4  # of each song
FLOOR = 1e-4  # mean square magnitude of near silence
CHECKPOINT = "checkpoint.pt"


class Trainer:
    """The training of a network. `run` saves the model, loss curve, card and checkpoint after each epoch."""

    def __init__(self, arguments: Namespace):
        self.arguments = arguments
        self.device = _device(arguments.device)
        mixed = arguments.mixed_precision
        self.mixed_precision = self.device == "cuda" if mixed is None else mixed
        train_tracks, valid_tracks = find_tracks(arguments.root, arguments.target)
        self.examples = self._examples(train_tracks, arguments.samples_per_track, augmented=True)
        self.valid_examples = self._examples(valid_tracks, VALID_EXAMPLES, augmented=False)
        self.network = self._first_network().to(self.device)
        self.average = AveragedModel(self.network, multi_avg_fn=_average, use_buffers=True)
        self.optimizer = torch.optim.Adam(
            self.network.parameters(), lr=arguments.lr, weight_decay=arguments.weight_decay
        )
        nb_steps = arguments.epochs * math.ceil(len(self.examples) / arguments.batch_size)
        self.schedule = torch.optim.lr_scheduler.LambdaLR(
            self.optimizer, lambda step: 0.5 * (1 + math.cos(math.pi * min(1, step / nb_steps)))
        )
        self.stopping = EarlyStopping(patience=arguments.patience)
        self.losses: list[tuple[float, float]] = []  # of training and validation, for each epoch

    def run(self) -> None:
        """Train until the last epoch, or until early stopping."""
        arguments = self.arguments
        first, stop = len(self.losses), False
        with tqdm(range(first, arguments.epochs), desc="epochs", initial=first, total=arguments.epochs) as epochs:
            for epoch in epochs:
                self.losses.append((self._train_epoch(epoch), self._validate()))
                valid_loss = self.losses[-1][1]
                stop = self.stopping.step(valid_loss)
                if valid_loss <= min(loss for _, loss in self.losses):
                    save_model(self.average.module, arguments.out, arguments)
                self._save_checkpoint()
                draw_losses(arguments.out / "loss.png", self.losses)
                write_card(arguments.out, arguments, self.losses, len(self.examples.tracks))
                epochs.set_postfix(train=f"{self.losses[-1][0]:.4f}", valid=f"{valid_loss:.4f}")
                if stop:
                    break

    def resume(self) -> None:
        """Load the last checkpoint. Raises BadFolder."""
        path = self.arguments.out / CHECKPOINT
        if not path.is_file():
            raise BadFolder(f"{self.arguments.out.name} holds no {CHECKPOINT} to resume from.")
        state = torch.load(path, map_location=self.device, weights_only=True)
        for name in ("network", "average", "optimizer", "schedule"):
            getattr(self, name).load_state_dict(state[name])
        self.losses = [tuple(pair) for pair in state["losses"]]
        self.stopping.best, self.stopping.num_bad_epochs = state["best"], state["nb_bad_epochs"]

    def _save_checkpoint(self) -> None:
        state = {name: getattr(self, name).state_dict() for name in ("network", "average", "optimizer", "schedule")}
        state |= {"losses": self.losses, "best": self.stopping.best, "nb_bad_epochs": self.stopping.num_bad_epochs}
        part = self.arguments.out / f"{CHECKPOINT}.part"
        torch.save(state, part)
        part.replace(self.arguments.out / CHECKPOINT)

    def _examples(self, tracks: Sequence[Track], nb_per_song: int, augmented: bool) -> Examples:
        """Return `nb_per_song` examples for each song with the target, or with a partner, for each song."""
        arguments = self.arguments
        shape = (arguments.seq_dur, arguments.nfft, arguments.nhop, arguments.seed, augmented)
        if arguments.partner:
            partnered = with_estimates(tracks, str(arguments.partner), arguments.target)
            return PartneredExamples(partnered, nb_per_song * len(partnered), *shape)
        return Examples(tracks, nb_per_song * sum(track.has(True) for track in tracks), *shape)

    def _train_epoch(self, epoch: int) -> float:
        """One pass over the examples: the mean loss."""
        self.examples.epoch = epoch
        torch.manual_seed(self.arguments.seed * 100_003 + epoch)  # of what is dropped out
        self.network.train()
        total = 0.0
        for batch in self._batches(self.examples, f"epoch {epoch}"):
            self.optimizer.zero_grad()
            loss = self._loss(self.network, *batch)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
            self.optimizer.step()
            self.schedule.step()
            self.average.update_parameters(self.network)
            total += loss.item() * len(batch[0])
        return total / len(self.examples)

    @torch.no_grad()
    def _validate(self) -> float:
        """Return the mean loss of the averaged weights on the validation songs."""
        self.average.eval()
        batches = self._batches(self.valid_examples, "validation")
        return sum(self._loss(self.average, *batch).item() * len(batch[0]) for batch in batches) / len(
            self.valid_examples
        )

    def _batches(self, examples: Examples, title: str) -> Iterator[list[Tensor]]:
        arguments = self.arguments
        loader = DataLoader(
            examples, arguments.batch_size, num_workers=arguments.nb_workers,
            collate_fn=partial(collate, dtype=torch.bfloat16 if self.mixed_precision else torch.float32),
        )  # fmt: skip
        for batch in tqdm(loader, desc=title, leave=False, mininterval=1):
            yield [part.to(self.device) for part in batch]

    def _loss(
        self, network: torch.nn.Module, mixtures: Tensor, targets: Tensor, partner: Tensor | None = None
    ) -> Tensor:
        """Mean square error of the magnitudes (nb_examples, nb_channels, nb_bins, nb_frames), in parts of the mixture's
        mean square; with the partner's estimates, the error of the blend."""
        with torch.autocast(self.device, torch.bfloat16, enabled=self.mixed_precision):
            estimates = network(mixtures)
        if partner is not None:
            estimates = torch.lerp(estimates, partner, self.arguments.partner_share)
        errors, levels = (vector_norm(sound, dim=(1, 2, 3)).float() for sound in (estimates - targets, mixtures))
        return (errors.square() / (levels.square() + FLOOR * mixtures[0].numel())).mean()

    def _first_network(self) -> OpenUnmix:
        """Return a new network initialized with the mean and standard deviation of the mixtures, or the given model."""
        arguments = self.arguments
        nb_bins = arguments.nfft // 2 + 1
        max_bin = int(bandwidth_to_max_bin(SAMPLE_RATE, arguments.nfft, arguments.bandwidth))
        torch.manual_seed(arguments.seed)
        if arguments.model:
            network = OpenUnmix(nb_bins, NB_CHANNELS, arguments.hidden_size, max_bin=max_bin)
            return _with_weights(network, arguments.model, arguments.target)
        mean, spread = _statistics(self.examples)
        return OpenUnmix(
            nb_bins, NB_CHANNELS, arguments.hidden_size, input_mean=mean, input_scale=spread, max_bin=max_bin
        )


def train(arguments: Namespace) -> None:
    """Train as `arguments` say (see `python -m study train --help`). Raises BadFolder."""
    trainer = Trainer(arguments)
    arguments.out.mkdir(parents=True, exist_ok=True)
    if arguments.resume:
        trainer.resume()
    trainer.run()


def save_model(network: OpenUnmix, out: Path, arguments: Namespace) -> None:
    """Write the network in Open-Unmix's format, with weights in half precision."""
    state = {name: value.half() if value.is_floating_point() else value for name, value in network.state_dict().items()}
    torch.save({name: value.cpu() for name, value in state.items()}, out / f"{arguments.target}.pth")
    sizes = {"nfft": arguments.nfft, "nhop": arguments.nhop, "nb_channels": NB_CHANNELS}
    settings = {"args": sizes | {"hidden_size": arguments.hidden_size}}
    (out / f"{arguments.target}.json").write_text(json.dumps(settings) + "\n")
    niter = {"niter": 0} if arguments.partner else {}  # its loss is that of the masks
    (out / "separator.json").write_text(json.dumps({"sample_rate": float(SAMPLE_RATE)} | sizes | niter) + "\n")


def _device(wanted: str) -> str:
    return ("cuda" if torch.cuda.is_available() else "cpu") if wanted == "auto" else wanted


def _average(averages: Sequence[Tensor], values: Sequence[Tensor], nb_averaged: Tensor | int) -> None:
    """Update the moving average, whose decay is faster at first."""
    keep = min(AVERAGING, (1 + int(nb_averaged)) / (10 + int(nb_averaged)))
    for average, value in zip(averages, values, strict=True):
        if average.is_floating_point():
            average.lerp_(value, 1 - keep)
        else:
            average.copy_(value)


def _statistics(examples: Examples) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and standard deviation (nb_bins,) of the mixtures' magnitudes, with a lower limit for the latter."""
    rng = random.Random(examples.seed)
    chosen = rng.sample(range(len(examples)), min(NB_FOR_STATISTICS, len(examples)))
    sums = torch.zeros(2, examples[0][0].shape[1], dtype=torch.float64)
    for index in tqdm(chosen, desc="statistics", leave=False):
        mixture = examples[index][0].double()
        sums += torch.stack([mixture.mean((0, 2)), mixture.square().mean((0, 2))]) / len(chosen)
    mean, spread = sums[0], (sums[1] - sums[0] ** 2).clamp(min=0).sqrt()
    return mean.numpy(), spread.clamp(min=1e-4 * float(spread.max()) + 1e-6).numpy()


def _with_weights(network: OpenUnmix, model: Path, target: str) -> OpenUnmix:
    """Load the weights of the folder `model` for `target` into the network. Raises BadFolder."""
    from openunmix_models.errors import WeightsError
    from openunmix_models.weights import weights_file

    try:
        state = torch.load(weights_file(model, target), map_location="cpu", weights_only=True)
        network.load_state_dict(state)
    except (WeightsError, RuntimeError, OSError):
        raise BadFolder(f"{model.name} has no weights for {target} of this width and bandwidth.") from None
    return network
