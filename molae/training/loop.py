"""The training loop, the same for one CPU, one GPU and several processes."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import torch
from lightning_fabric import Fabric
from torch import Tensor
from torch.nn.utils import clip_grad_norm_

from molae.batch.dense import DenseBatch
from molae.batch.packed import PackedDataset
from molae.batch.samplers import BucketSampler, share
from molae.batch.skeletons import SkeletonBatch, SkeletonDataset
from molae.checkpoint import AnyModel, save_checkpoint
from molae.errors import TrainingError
from molae.registry import validate
from molae.training.augment import augment
from molae.training.average import AveragedWeights
from molae.training.config import TrainConfig, TrainingConfig, model_section
from molae.training.interrupt import Interrupt, catch_interrupt
from molae.training.logs import RunLog, SilentLog
from molae.training.prefetch import prefetch
from molae.training.processes import total
from molae.training.schedule import learning_rate, noise_seed
from molae.training.state import (
    Progress,
    flatten,
    latest_state,
    load_state,
    restore,
    save_batch,
    save_state,
)
from molae.training.validation import Validator, is_better


class Loop:
    """Trains a model; what happens in a step depends on nothing but the configuration and the step.

    Args:
        fabric: Runtime of the processes, in float32: lower precision is the loop's own business.
        model: Model to train; its weights are the same in all processes.
        config: Configuration of the run.
        training: Graphs to train on.
        validation: Graphs to validate on.
        output: Folder of the run: `states`, `best`, `last`, `metrics.csv`, `tensorboard`.
    """

    def __init__(
        self,
        fabric: Fabric,
        model: AnyModel,
        config: TrainConfig,
        training: PackedDataset | SkeletonDataset,
        validation: PackedDataset | SkeletonDataset,
        output: Path,
    ) -> None:
        self.fabric = fabric
        self.config = config
        self.settings = config.training
        self.output = output
        self.progress = Progress(step=0, config=config.model_dump(mode="json"))
        self._dataset = training
        self._sampler = BucketSampler(
            training.sizes, self.settings.batch_size, self.settings.seed, self.settings.window
        )
        self._validate_on = Validator(fabric, validation, self.settings.batch_size)
        self._model = model.train()
        self._distributed = fabric.setup_module(model)
        self._distributed.mark_forward_method("loss")
        self._optimizer = build_optimizer(model, self.settings)
        self._average = AveragedWeights(model, self.settings.ema_decay)
        self._window: list[dict[str, Tensor]] = []

    @property
    def states(self) -> Path:
        """Folder of the saved states."""
        return self.output / "states"

    def resume(self) -> None:
        """Goes on from the newest saved state, where there is one.

        Raises:
            TrainingError: If the state is corrupt or of another model.
        """
        path = latest_state(self.states)
        if path is None:
            return
        progress, tensors = load_state(path)
        # A state of an older version lacks what has a default since.
        saved = progress.config["model"]
        if validate(model_section(saved), saved, f"{path} model") != self.config.model:
            raise TrainingError(f"{path} is of another model: resume with its own [model] section")
        self.progress = dataclasses.replace(progress, config=self.progress.config)
        restore(tensors, self._model, self._average.model, self._optimizer)

    def run(self) -> None:
        """Trains to the last step, until it no longer gets better, or until a signal asks to stop.

        Raises:
            TrainingError: If the loss or its gradient is not finite; the batch is saved.
        """
        start = self.progress.step
        first = self.fabric.is_global_zero
        self._log = RunLog(self.output, start, self.settings.steps) if first else SilentLog()
        batches = prefetch(self._batch, range(start, self.settings.steps))
        if first and start:
            # A run that was killed may have saved the state and no model of it.
            self._export("last", {})
        self._saved = self._window_start = time.monotonic()
        with closing(self._log), closing(batches), catch_interrupt() as interrupt, _flushed_denormals():
            for batch in batches:
                self._update(batch)
                if self._round_off(interrupt):
                    break

    def _batch(self, step: int) -> DenseBatch | SkeletonBatch:
        whole = self._sampler.batch(step)
        mine = share(whole, self.fabric.global_rank, self.fabric.world_size)
        return self._dataset.batch(mine).to(self.fabric.device)

    def _update(self, batch: DenseBatch | SkeletonBatch) -> None:
        step = self.progress.step
        for group in self._optimizer.param_groups:
            group["lr"] = learning_rate(step, self.settings)
        torch.manual_seed(noise_seed(self.settings.seed, step, self.fabric.global_rank))
        generator = default_generator(self.fabric.device)
        if isinstance(batch, DenseBatch) and isinstance(self._dataset, PackedDataset):
            batch = augment(batch, self._dataset.schema, self.config.augment, generator)
        with self._precision(step):
            terms = self._distributed.loss(batch, generator, step)
        # Processes average their gradients: weighting by the shares makes that the mean over the whole batch.
        weight = len(batch) * self.fabric.world_size / self._sampler.batch_size
        self.fabric.backward(terms["loss"] * weight)
        norm = clip_grad_norm_(self._model.parameters(), self.settings.gradient_clip)
        self._optimizer.step()
        self._optimizer.zero_grad()
        self._average.update(step)
        # Kept as tensors until they are reported: reading them here would wait for the device in every step.
        figures = {name: term.detach().float() * weight for name, term in terms.items()}
        self._window.append(figures | {"gradient_norm": norm.detach()})
        self.progress.step = step + 1

    def _precision(self, step: int) -> torch.autocast:
        mixed = self.settings.precision == "bf16-mixed"
        mixed = mixed and step < self.settings.steps - self.settings.full_precision_steps
        return torch.autocast(self.fabric.device.type, torch.bfloat16, enabled=mixed)

    def _round_off(self, interrupt: Interrupt) -> bool:
        """Reports, validates and saves where it is time to; returns whether training ends here."""
        step = self.progress.step
        finished = step == self.settings.steps
        to_log = step % self.settings.log_every == 0
        to_validate = finished or step % self.settings.validate_every == 0
        stop = self._agreed(interrupt, to_log)
        if not (to_log or to_validate or stop):
            return False
        self._report()
        if to_validate:
            self._validate()
        out_of_patience = 0 < self.settings.patience <= self.progress.waited
        ends = finished or stop or out_of_patience
        if ends or time.monotonic() - self._saved >= 60 * self.settings.checkpoint_minutes:
            self._save()
        if finished:
            self._log.message(f"finished after step {step}")
        elif stop:
            self._log.message(f"interrupted after step {step}: the state is saved, resume to go on")
        elif out_of_patience:
            self._log.message(f"stopped after step {step}: no better for {self.progress.waited} validations")
        self._window_start = time.monotonic()
        return ends

    def _agreed(self, interrupt: Interrupt, to_log: bool) -> bool:
        """Whether a signal asks to stop; several processes ask one another now and then."""
        if self.fabric.world_size == 1:
            return interrupt.requested
        if not to_log:
            return False
        requested = torch.tensor(float(interrupt.requested), device=self.fabric.device)
        return bool(total(self.fabric, requested) > 0)

    def _report(self) -> None:
        """Logs the means over the steps since the last report.

        Raises:
            TrainingError: If the loss or its gradient was not finite in one of the steps.
        """
        names = list(self._window[0])
        values = torch.stack([torch.stack([figures[name] for name in names]) for figures in self._window])
        values = (total(self.fabric, values) / self.fabric.world_size).cpu()
        first = self.progress.step - len(self._window)
        self._window.clear()
        decisive = values[:, [names.index("loss"), names.index("gradient_norm")]]
        bad = ~decisive.isfinite().all(dim=1)
        if bad.any():
            self._fail(first + int(bad.nonzero()[0]))
        seconds = time.monotonic() - self._window_start
        self.progress.seconds += seconds
        figures = dict(zip(names, values.mean(dim=0).tolist(), strict=True))
        figures["learning_rate"] = learning_rate(self.progress.step - 1, self.settings)
        figures["graphs_per_second"] = len(values) * self._sampler.batch_size / seconds
        self._log.training(self.progress.step, figures)

    def _fail(self, step: int) -> None:
        """Saves the batch of a step, made anew, and stops.

        Raises:
            TrainingError: Always.
        """
        path = self.output / f"bad-batch-{step:08d}.safetensors"
        if self.fabric.is_global_zero:
            save_batch(self._dataset.batch(self._sampler.batch(step)), path)
        raise TrainingError(
            f"the loss or its gradient is not finite at step {step}; its batch is in {path}"
            f" and the last good state is {latest_state(self.states) or 'the first one, none was saved yet'}."
            " Try a smaller learning rate, a smaller gradient_clip or precision = '32-true'"
        )

    def _validate(self) -> None:
        figures = self._validate_on(self._average.model)
        self._log.validation(self.progress.step, figures)
        if not is_better(figures, self.progress.best):
            self.progress.waited += 1
            return
        self.progress.waited = 0
        self.progress.best = figures | {"step": self.progress.step}
        if self.fabric.is_global_zero:
            self._export("best", figures)

    def _save(self) -> None:
        self._saved = time.monotonic()
        if self.fabric.is_global_zero:
            save_state(self.states, self.progress, flatten(self._model, self._average.model, self._optimizer))
            self._export("last", {})

    def _export(self, name: str, figures: dict[str, float]) -> None:
        card = {
            "step": self.progress.step,
            "training_seconds": round(self.progress.seconds),
            "training_graphs": len(self._dataset),
            "training": self.progress.config["training"],
            "validation": figures,
        }
        save_checkpoint(self._average.model, self.output / name, card=card)


def build_optimizer(model: AnyModel, settings: TrainingConfig) -> torch.optim.AdamW:
    """AdamW that decays matrices, not biases and scales."""
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    matrices = [parameter for parameter in parameters if parameter.ndim >= 2]
    others = [parameter for parameter in parameters if parameter.ndim < 2]
    groups = [
        {"params": matrices, "weight_decay": settings.weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=settings.learning_rate, betas=settings.betas, fused=True)


def default_generator(device: torch.device) -> torch.Generator:
    """The generator that `torch.manual_seed` seeds for a device."""
    if device.type == "cuda":
        return torch.cuda.default_generators[device.index or 0]
    return torch.default_generator


@contextmanager
def _flushed_denormals() -> Iterator[None]:
    """Rounds numbers too small for a normalised float, as old moments are, to 0: they slow a CPU down."""
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(False)
