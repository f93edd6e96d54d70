"""The trainer: it learns, it repeats itself bit for bit, and it survives being stopped anywhere."""

import math
from itertools import pairwise

import pytest
import torch

from vae_core import models, training
from vae_core.config import ModelConfig, TrainingConfig
from vae_core.storage import StorageError, read_tensors, write_tensors

SMALL = ModelConfig(kind="vae", encoder=(24,), decoder=(24,), encoder_noise=0.02)


@pytest.fixture(scope="module")
def digits():
    from vae_core import data

    split = data.load("digits", "train")
    return split.images[:320], split.labels[:320]


def run(digits, config, **more):
    torch.set_num_threads(1)
    return training.fit(models.build(SMALL, 0), *digits, config, device=torch.device("cpu"), **more)


def weights(model):
    return torch.cat([p.flatten() for p in model.parameters()])


CONFIG = TrainingConfig(dataset="digits", epochs=4, batch_size=64, augmentation=0.5, kl_warmup_epochs=2, kl_start=0.5)


def test_the_objective_falls_and_the_average_is_in_eval_mode(digits):
    """The simplest thing that can be wrong: nothing is learned."""
    model, history = run(digits, CONFIG)
    assert [row.epoch for row in history] == [1, 2, 3, 4]
    assert history[-1].reconstruction < history[0].reconstruction - 20
    assert history[-1].kl > 0
    assert not model.training


def test_the_same_seed_gives_the_same_weights_and_another_seed_others(digits):
    """A card that states a seed promises this."""
    a, b = (weights(run(digits, CONFIG)[0]) for _ in range(2))
    assert torch.equal(a, b)
    other = TrainingConfig(**{**vars(CONFIG), "seed": 1})
    assert not torch.equal(a, weights(run(digits, other)[0]))


@pytest.mark.parametrize("stop_at", [1, 7, 13, 19])
def test_a_run_stopped_anywhere_resumes_to_the_same_bits(digits, tmp_path, stop_at):
    """Weights, average, Adam's moments, the generator and the step count must all come back."""
    whole, history = run(digits, CONFIG)
    state = tmp_path / "state.safetensors"
    with pytest.raises(training.Stopped):
        run(digits, CONFIG, state_file=state, on_step=lambda step: step.step == stop_at)
    resumed, again = run(digits, CONFIG, state_file=state)
    assert torch.equal(weights(whole), weights(resumed))
    assert [row[:3] for row in again] == [row[:3] for row in history]


def test_the_state_of_another_run_is_refused(digits, tmp_path):
    """Resuming into other settings would give weights that no card describes."""
    state = tmp_path / "state.safetensors"
    run(digits, CONFIG, state_file=state)
    with pytest.raises(StorageError, match="another run"):
        run(digits, TrainingConfig(**{**vars(CONFIG), "learning_rate": 0.01}), state_file=state)


def test_the_state_of_another_model_is_refused(digits, tmp_path):
    """The trainer knows no model kind: what the caller says of model and data must fit, or the card would lie."""
    state = tmp_path / "state.safetensors"
    run(digits, CONFIG, state_file=state, run="gelu")
    with pytest.raises(StorageError, match="another run"):
        run(digits, CONFIG, state_file=state, run="relu")


def test_nothing_to_train_on_is_refused():
    with pytest.raises(ValueError, match="no image"):
        run((torch.zeros(0, 784), torch.zeros(0, dtype=torch.int64)), CONFIG)


def test_a_truncated_state_is_a_sentence(digits, tmp_path):
    """A disk that filled up must not look like a bug of the trainer."""
    state = tmp_path / "state.safetensors"
    run(digits, CONFIG, state_file=state)
    state.write_bytes(state.read_bytes()[:-100])
    with pytest.raises(StorageError, match=r"not a whole safetensors file.* remove it to start again"):
        run(digits, CONFIG, state_file=state)


@pytest.mark.parametrize("harm", ["history", "generator", "adam.0.step", "model.encoder.0.bias"])
def test_a_state_that_lacks_a_part_is_a_sentence(digits, tmp_path, harm):
    """A KeyError in the middle of resuming would look like a bug of the trainer."""
    state = tmp_path / "state.safetensors"
    run(digits, CONFIG, state_file=state)
    tensors, metadata = read_tensors(state)
    write_tensors(
        state, {k: v for k, v in tensors.items() if k != harm}, {k: v for k, v in metadata.items() if k != harm}
    )
    with pytest.raises(StorageError, match=r"not the state of this training\. Remove it"):
        run(digits, CONFIG, state_file=state)


@pytest.mark.parametrize("poisoned", [11, 15])
def test_what_diverges_ends_at_once_and_leaves_no_state_to_go_on_from(digits, tmp_path, poisoned):
    """At the step whose loss is not finite, or at the end of an epoch whose last step spoilt the weights: the state of
    the last good epoch would only lead there again."""
    torch.set_num_threads(1)
    state, model, steps = tmp_path / "state.safetensors", models.build(SMALL, 0), []

    def on_step(step):
        steps.append(step.step)
        if step.step == poisoned:
            model.encoder[0].bias.data.fill_(torch.nan)

    with pytest.raises(training.Diverged, match="diverged in epoch 3 of 4"):
        training.fit(model, *digits, CONFIG, state_file=state, on_step=on_step, device=torch.device("cpu"))
    assert steps[-1] == poisoned and not state.exists()


def test_hooks_see_every_step_and_every_epoch(digits):
    """A page's progress bar hangs on them; epoch 0 is the untrained model, for the film of the codes."""
    steps, epochs = [], []
    run(digits, CONFIG, on_step=lambda s: steps.append(s), on_epoch=lambda e, m: epochs.append(e.epoch))
    assert [s.step for s in steps] == list(range(1, 21))
    assert all(s.steps == 20 and math.isfinite(s.objective) for s in steps)
    assert epochs == [0, 1, 2, 3, 4]


def test_the_schedule_warms_up_and_ends_at_zero():
    """A rate that ends high leaves the last weights noisy; the average alone cannot mend it."""
    values = [training.schedule(step, 100, 10) for step in range(100)]
    assert values[:10] == pytest.approx([(i + 1) / 10 for i in range(10)])
    assert values[10] == 1
    assert all(a >= b for a, b in pairwise(values[10:]))
    assert values[-1] < 1e-3


def test_augmentation_of_no_strength_is_the_identity_and_small_maps_keep_the_digit(digits):
    """Images that leave their frame would teach the model torn digits."""
    images = digits[0][:50]
    g = torch.Generator().manual_seed(0)
    torch.testing.assert_close(training.augment(images, 0.0, g), images, atol=1e-5, rtol=0)
    moved = training.augment(images, 1.0, g)
    assert moved.shape == images.shape
    assert moved.min() >= 0
    assert moved.max() <= 1.0001
    assert (moved - images).abs().mean() > 0.005
    ink = moved.sum(1) / images.sum(1)
    assert ink.min() > 0.7
    assert ink.max() < 1.4


def test_the_threads_of_the_caller_are_left_alone(digits):
    """Whoever serves pages beside a training sets them; the trainer must not take them back."""
    torch.set_num_threads(1)
    run(digits, TrainingConfig(dataset="digits", epochs=1, batch_size=64))
    assert torch.get_num_threads() == 1


def test_bfloat16_learns_the_same_thing(digits):
    """Half precision of the matrix products may not change what is learned by more than noise does."""
    full = run(digits, CONFIG)[1][-1].reconstruction
    half = run(digits, TrainingConfig(**{**vars(CONFIG), "precision": "bfloat16"}))[1][-1].reconstruction
    assert half == pytest.approx(full, rel=0.02)
