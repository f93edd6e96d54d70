"""One small classifier behind every "judged digit" and every "is a digit"; it never saw an autoencoder.

Ten classes of digits and an eleventh, "no digit", trained on garbage that is made on the fly from the training
images: outlier exposure (Hendrycks, Mazeika & Dietterich 2019, arXiv 1812.04606). The rule that accepts a
picture as a digit is one threshold on one score, chosen on training images that the network did not train on.
"""

from __future__ import annotations

import dataclasses
import datetime
import platform
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, final

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vae_core import contents, data
from vae_core.config import TrainingConfig
from vae_core.corruption import corrupt
from vae_core.storage import (
    Layout,
    StorageError,
    json_bytes,
    locked,
    read_json,
    read_tensors,
    tensor_bytes,
    write_files,
)
from vae_core.training import Epoch, fit

DIGITS = 10
RECIPE = TrainingConfig(
    epochs=12,
    batch_size=128,
    learning_rate=2e-3,
    weight_average=0.998,
    augmentation=1.0,
    clean_epochs=2,
    precision="bfloat16",
)
HELD_OUT = 5000  # last training images, which choose the threshold
ACCEPTED = 0.98  # share of them, grey and binarised, that the threshold accepts
GARBAGE_SHARE = 0.25  # pictures of garbage for each digit in a training batch
TEST_SEED = 0  # of the garbage that is made from test images
_CARD = {  # as it is read
    "slug": str,
    "kind": str,
    "threshold": float,
    "config": {"widths": [int]},
    "dataset": {"test_fingerprint": str},
    "test_seed": int,
    "test": {str: object},
    "generation?": {"rows": {str: contents.QUALITY}},
}


class Terms(NamedTuple):
    """What `training.fit` asks of a loss."""

    reconstruction: Tensor  # here the classifier's cross-entropy, nats per picture
    kl: Tensor | None
    penalties: dict[str, Tensor]  # it has none


@final
class Judge(nn.Module):
    """A small convolutional network (LeCun et al. 1998) and the one rule "is a digit".

    x is (B, 784) in [0, 1], white ink on black, grey or binarised; another shape raises ValueError.
    """

    def __init__(self, threshold: float = 0.0, widths: tuple[int, int, int, int] = (16, 32, 64, 64)) -> None:
        super().__init__()
        a, b, c, hidden = widths
        self.threshold = threshold  # of `score`
        self.widths = widths
        self.network = nn.Sequential(
            nn.Conv2d(1, a, 3, padding=1), nn.MaxPool2d(2), nn.ReLU(),
            nn.Conv2d(a, b, 3, padding=1), nn.ReLU(), nn.Conv2d(b, b, 3, padding=1), nn.MaxPool2d(2), nn.ReLU(),
            nn.Conv2d(b, c, 3, padding=1), nn.ReLU(), nn.Conv2d(c, c, 3, padding=1), nn.MaxPool2d(2), nn.ReLU(),
            nn.Flatten(), nn.Linear(c * 9, hidden), nn.ReLU(), nn.Linear(hidden, DIGITS + 1),
        )  # fmt: skip
        self.to(memory_format=torch.channels_last)  # a quarter faster on a CPU in bfloat16

    def forward(self, x: Tensor) -> Tensor:
        """Logits (B, 11): the ten digits, then "no digit"."""
        if x.ndim != 2 or x.shape[1] != 784:
            raise ValueError(
                f"The judge expects pictures of shape (B, 784) in [0, 1]; got {tuple(x.shape)}. "
                "Flatten each 28×28 picture into one row."
            )
        return self.network(x.view(-1, 1, 28, 28))

    @torch.inference_mode()
    def logits(self, x: Tensor, batch: int = 1000) -> Tensor:
        """`forward` for any number of pictures, in parts that fit a cache: (B, 784) → (B, 11)."""
        return torch.cat([self(part) for part in x.split(batch)]) if len(x) else self(x)

    @torch.inference_mode()
    def features(self, x: Tensor, batch: int = 1000) -> Tensor:
        """What it sees before it decides, its last hidden layer: (B, 784) → (B, 64)."""
        seen = self.network[:-1]
        return torch.cat([seen(part.view(-1, 1, 28, 28)) for part in x.split(batch)])

    def label(self, x: Tensor) -> Tensor:
        """The most probable digit, whether or not the picture is one: (B, 784) → (B,) int64."""
        return self.logits(x)[:, :DIGITS].argmax(-1)

    def probabilities(self, x: Tensor) -> Tensor:
        """p(label | x, x is a digit): (B, 784) → (B, 10), rows sum to 1."""
        return self.logits(x)[:, :DIGITS].softmax(-1)

    def score(self, x: Tensor) -> Tensor:
        """log p(a digit | x) − log p(no digit | x) in nats, higher for a digit: (B, 784) → (B,)."""
        return _score(self.logits(x))

    def is_digit(self, x: Tensor) -> Tensor:
        """The one acceptance rule, `score` ≥ `threshold`: (B, 784) → (B,) bool."""
        return self.score(x) >= self.threshold

    def loss(self, x: Tensor, y: Tensor, generator: torch.Generator) -> Terms:
        """Cross-entropy of digits (B, 784) with labels (B,), and of garbage made from them."""
        n = round(GARBAGE_SHARE * len(x))
        with torch.autocast(x.device.type, enabled=False):  # pictures are drawn in full precision
            pictures = torch.cat([digits_as_drawn(x, y, generator), mixed_garbage(x[:n], y[:n], generator)])
        y = torch.cat([y, y.new_full((n,), DIGITS)])
        # Under autocast the network answers in bfloat16; the logarithm of a softmax wants more.
        return Terms(F.cross_entropy(self(pictures).float(), y, reduction="none"), None, {})

    def objective(self, terms: Terms, kl_weight: float = 1.0) -> Tensor:
        return terms.reconstruction.mean()

    def settle(self, images: Tensor) -> None:
        """Nothing but its weights is needed after training."""


def _score(logits: Tensor) -> Tensor:
    return logits[:, :DIGITS].logsumexp(-1) - logits[:, DIGITS]


def binarise(x: Tensor) -> Tensor:
    return (x >= 0.5).to(x.dtype)


def digits_as_drawn(x: Tensor, y: Tensor, generator: torch.Generator) -> Tensor:
    """What counts as a digit in training: a half binarised, a sixth each grey, blurred and averaged. (B, 784)

    Blurred by σ up to 1.4 pixels; averaged with the nearest images of the same class in the batch, in random
    parts. A decoder's mean is such an average, and softness alone must not make it "no digit".
    """
    which = torch.rand(len(x), 1, generator=generator, device=x.device)
    amount = torch.rand(len(x), generator=generator, device=x.device)
    near = nearest_of_the_same_class(x, y, 3)
    parts = torch.rand(near.shape[:2], generator=generator, device=x.device)
    average = torch.einsum("bk,bki->bi", parts / parts.sum(1, keepdim=True), near)
    out = torch.where(which < 1 / 3, x.lerp(average, amount[:, None]), x)
    out = torch.where(which < 1 / 6, corrupt(x, "blur", 1.4 * amount, generator), out)
    return torch.where(which < 1 / 2, out, binarise(x))


def nearest_of_the_same_class(x: Tensor, y: Tensor, k: int) -> Tensor:
    """For every image the k nearest others with its label, itself where there are fewer: (B, k, 784)."""
    distance = torch.cdist(x, x).masked_fill(y[:, None] != y[None, :], torch.inf).fill_diagonal_(torch.inf)
    found = distance.topk(min(k, len(x)), largest=False)
    itself = torch.arange(len(x), device=x.device)[:, None]
    return x[torch.where(found.values.isinf(), itself, found.indices)]


# Garbage: each maker turns images x (B, 784) with labels y (B,) into as many pictures of no digit; `turned` into fewer.


def blends(x: Tensor, y: Tensor, generator: torch.Generator, spread: float | Tensor = 0.0) -> Tensor:
    """Means of two images of different classes; of binarised ones, binarised again, the union.

    The weight is uniform in 0.5 ± `spread` (a number or (B, 1)). Raises ValueError for a single class.
    """
    if len(y.unique()) < 2:
        raise ValueError("A blend of two classes needs images of two classes at least; got one.")
    n = len(x)
    partner = torch.randint(n, (n,), generator=generator, device=x.device)
    while bool((same := y[partner] == y).any()):
        partner = torch.where(same, torch.randint(n, (n,), generator=generator, device=x.device), partner)
    weight = 0.5 + spread * (2 * torch.rand(n, 1, generator=generator, device=x.device) - 1)
    return x + weight * (x[partner] - x)


def intersections(x: Tensor, y: Tensor, generator: torch.Generator) -> Tensor:
    """What is left of a blend at a threshold: the strokes that two images of different classes share, binary."""
    return binarise(0.99 * blends(x, y, generator))  # dimmed: white on black must not survive alone


def superpositions(x: Tensor, y: Tensor, generator: torch.Generator) -> Tensor:
    """Two images of different classes drawn over each other: the lighter of both at each pixel, their union."""
    return torch.maximum(x, 2 * blends(x, y, generator) - x)


def turned(x: Tensor, y: Tensor, generator: torch.Generator) -> Tensor:
    """Digits turned by 90° to the left or to the right: each that is none of 0, 1 and 8, once, so fewer than came. A
    turn leaves those three a 0, a dash and an 8. Raises ValueError where there are no others."""
    others = ~torch.isin(y, y.new_tensor([0, 1, 8]))
    if not others.any():
        raise ValueError("Turned digits are garbage where they are none of 0, 1 and 8; got no other.")
    left = torch.rand(len(x), 1, 1, generator=generator, device=x.device)[others] < 0.5
    pictures = x[others].view(-1, 28, 28)
    return torch.where(left, pictures.rot90(1, (1, 2)), pictures.rot90(3, (1, 2))).reshape(-1, 784)


def dithered_blends(x: Tensor, y: Tensor, generator: torch.Generator) -> Tensor:
    """Each pixel from one of two images of different classes, by the toss of a coin."""
    half = blends(x, y, generator)
    coin = torch.rand(x.shape, generator=generator, device=x.device) < 0.5
    return torch.where(coin, x, 2 * half - x)


def patchworks(x: Tensor, y: Tensor, generator: torch.Generator, cut: int = 14) -> Tensor:
    """Square pieces of `cut` pixels, each turned by 90°, 180° or 270°: a half shuffled within their image,
    a half drawn from all images."""
    b, k = len(x), 28 // cut
    pieces = x.view(b, k, cut, k, cut).transpose(2, 3).reshape(b * k * k, cut, cut)
    own = torch.rand(b, k * k, generator=generator, device=x.device).argsort(1)
    own = own + k * k * torch.arange(b, device=x.device)[:, None]
    foreign = torch.randint(b * k * k, (b, k * k), generator=generator, device=x.device)
    mix = torch.rand(b, 1, generator=generator, device=x.device) < 0.5
    pieces = pieces[torch.where(mix, own, foreign).flatten()]
    turns = torch.randint(1, 4, (len(pieces), 1, 1), generator=generator, device=x.device)
    for quarter in (1, 2, 3):
        pieces = torch.where(turns == quarter, pieces.rot90(quarter, (1, 2)), pieces)
    return pieces.view(b, k, k, cut, cut).transpose(2, 3).reshape(b, 784)


def fine_patchworks(x: Tensor, y: Tensor, generator: torch.Generator) -> Tensor:
    """`patchworks` of 16 pieces of 7 pixels."""
    return patchworks(x, y, generator, cut=7)


def blobs(x: Tensor, y: Tensor, generator: torch.Generator) -> Tensor:
    """Smooth spots: a half one to four round Gaussians, a half blurred noise; soft or hard edges."""
    n, device = len(x), x.device
    u = torch.rand(n, 4, 4, generator=generator, device=device)
    size = 2 + 3 * u[:, :, 0]  # (B, 4) standard deviations in pixels
    present = u[:, :, 3] < torch.tensor([1.0, 0.5, 0.5, 0.5], device=device)
    axis = torch.arange(28, device=device) - 13.5
    up, along = (
        torch.exp(-0.5 * ((axis - 14 * (u[:, :, i, None] - 0.5)) / size[:, :, None]).square()) for i in (1, 2)
    )  # (B, 4, 28)
    round_ones = torch.einsum("bk,bki,bkj->bij", present.to(x.dtype), up, along).reshape(n, 784)

    sigma, level, which, edge = torch.rand(4, n, generator=generator, device=device)
    field = corrupt(torch.rand(n, 784, generator=generator, device=device), "blur", 1 + 3 * sigma, generator)
    field = (field - field.mean(1, keepdim=True)) / field.std(1, keepdim=True)
    spots = torch.where(which[:, None] < 0.5, round_ones - 0.5, (field - 1.5 * level[:, None]) / 2)
    return torch.where(edge[:, None] < 0.5, (spots + 0.5).clamp(0, 1), torch.sigmoid(20 * spots))


def noise(x: Tensor, y: Tensor, generator: torch.Generator) -> Tensor:
    """A quarter each: uniform grey, half-normal grey, single white pixels, an image's own pixels shuffled."""
    n = len(x)
    u = torch.rand(x.shape, generator=generator, device=x.device)
    amount, which = torch.rand(2, n, 1, generator=generator, device=x.device)
    normal = torch.randn(x.shape, generator=generator, device=x.device).abs() * amount
    dots = (u < 0.02 + 0.6 * amount).to(x.dtype)
    shuffled = x.gather(1, u.argsort(1))
    out = torch.where(which < 0.25, u, torch.where(which < 0.5, normal.clamp(0, 1), dots))
    return torch.where(which < 0.75, out, shuffled)


def scribbles(x: Tensor, y: Tensor, generator: torch.Generator) -> Tensor:
    """Tangled pen strokes of a digit's width and size: closed curves of five harmonics."""
    n, device = len(x), x.device
    t = torch.linspace(0, 2 * torch.pi, 160, device=device)
    k = torch.arange(1, 6, device=device)
    phase = 2 * torch.pi * torch.rand(n, 2, 5, 1, generator=generator, device=device)
    size = torch.randn(n, 2, 5, 1, generator=generator, device=device)
    path = (size * torch.sin(k[:, None] * t + phase)).sum(2)  # (B, 2, 160)
    path = 9 * path / path.abs().amax((1, 2), keepdim=True) + 13.5
    axis = torch.arange(28, device=device, dtype=x.dtype)
    out = []
    for part in path.split(50):  # distances of (B, 28, 28, 160): all at once would be gigabytes
        up = (axis[:, None] - part[:, 0, None, :]).square()
        along = (axis[:, None] - part[:, 1, None, :]).square()
        out.append((up[:, :, None] + along[:, None]).amin(-1).sqrt())
    return (1.6 - torch.cat(out)).clamp(0, 1).reshape(n, 784)


Maker = Callable[[Tensor, Tensor, torch.Generator], Tensor]
GARBAGE: dict[str, Maker] = {"blends": blends, "patchworks": patchworks, "blobs": blobs, "noise": noise}
# Kinds that the judge is never trained on, so that its card shows what it learned. Intersections stay out for another
# reason too: a judge that was trained to refuse them also refused thin and broken pen strokes.
UNSEEN: dict[str, Maker] = {
    "fine_patchworks": fine_patchworks,
    "dithered_blends": dithered_blends,
    "scribbles": scribbles,
    "intersections": intersections,
}
# Kinds that were thought of when the judge had shipped; the rates of the others must not move, so these come last.
LATER: dict[str, Maker] = {"superpositions": superpositions, "turned": turned}


def make_garbage(maker: Maker, x: Tensor, y: Tensor, generator: torch.Generator, *, binarised: bool) -> Tensor:
    """Garbage from grey images, or from binarised ones and binarised again: (B, 784), as many as the maker makes."""
    return binarise(maker(binarise(x), y, generator)) if binarised else maker(x, y, generator)


def mixed_garbage(x: Tensor, y: Tensor, generator: torch.Generator) -> Tensor:
    """The judge's training mixture of `GARBAGE`, the first half binarised: (B, 784)."""
    half = len(x) // 2
    # A binarised blend is garbage at equal weights only; at others it is one of the two digits.
    sharp = _mixture(binarise(x[:half]), y[:half], generator, spread=0.0)
    return torch.cat([binarise(sharp), _mixture(x[half:], y[half:], generator, spread=0.2)])


def _mixture(x: Tensor, y: Tensor, generator: torch.Generator, spread: float) -> Tensor:
    out = blends(x, y, generator, spread)
    for maker, start, stop in ((patchworks, 0.40, 0.65), (blobs, 0.65, 0.85), (noise, 0.85, 1.0)):
        rows = slice(round(start * len(x)), round(stop * len(x)))  # a batch is in random order already
        out[rows] = maker(x[rows], y[rows], generator)
    return out


def train_judge(
    train: data.Split,
    recipe: TrainingConfig = RECIPE,
    *,
    on_epoch: Callable[[Epoch, nn.Module], None] | None = None,
    state_file: Path | None = None,
    run: str = "",
) -> tuple[Judge, list[Epoch]]:
    """Train on a split without its last `recipe.held_out` images; where there are some they set the threshold.

    `state_file` and `run` as for `training.fit`.
    """
    kept = len(train.images) - recipe.held_out
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        judge = Judge()
    fitted, history = fit(
        judge, train.images[:kept], train.labels[:kept], recipe, on_epoch=on_epoch, state_file=state_file, run=run
    )
    assert isinstance(fitted, Judge)
    judge = fitted.requires_grad_(False)
    if recipe.held_out:
        judge.threshold = choose_threshold(judge, train.images[kept:])
    return judge, history


def choose_threshold(judge: Judge, images: Tensor) -> float:
    """The score that the share `ACCEPTED` of these images, grey and binarised, reaches, rounded down."""
    scores = torch.cat([judge.score(images), judge.score(binarise(images))])
    return float((scores.quantile(1 - ACCEPTED) * 100).floor() / 100)


def evaluate_judge(judge: Judge, test: data.Split, seed: int = TEST_SEED) -> dict[str, Any]:
    """Shares from 0 to 1 of a split, as they stand on the card: right labels, accepted digits, accepted garbage.

    `soft_accepted`: grey images blurred by σ pixels; averages of an image and its three nearest of the same class.
    `garbage_accepted` is by kind for the kinds of the training, `unseen_garbage_accepted` and
    `later_garbage_accepted` for the others; at most one picture of each kind for each image.
    """
    x, y = test
    forms = _forms(x)
    generator = torch.Generator().manual_seed(seed)
    soft = {f"blur_{s:g}": corrupt(x, "blur", s, generator) for s in (0.5, 0.7, 1.0)}
    average = torch.empty_like(x)
    for k in y.unique():
        near = nearest_of_the_same_class(x[y == k], y[y == k], 3)
        average[y == k] = (x[y == k] + near.sum(1)) / 4
    soft |= {"average_of_4": average, "average_of_4_binarised": binarise(average)}

    def accepted(makers: dict[str, Maker]) -> dict[str, dict[str, float]]:
        return {
            form: {
                kind: _share(judge.is_digit(make_garbage(make, x, y, generator, binarised=form == "binarised")))
                for kind, make in makers.items()
            }
            for form in forms
        }

    return {
        "accuracy": {form: _share(judge.label(v) == y) for form, v in forms.items()},
        "accepted": {form: _share(judge.is_digit(v)) for form, v in forms.items()},
        "soft_accepted": {form: _share(judge.is_digit(v)) for form, v in soft.items()},
        "garbage_accepted": accepted(GARBAGE),
        "unseen_garbage_accepted": accepted(UNSEEN),
        "later_garbage_accepted": accepted(LATER),
    }


def load_or_train(
    folder: Path,
    *,
    data_folder: Path | None = None,
    on_epoch: Callable[[str], None] | None = None,
    retrain: bool = False,
) -> dict[str, Any]:
    """The card of the judge in `folder`; train it on MNIST and save it first where it is missing.

    When several processes ask, one trains and the others wait. A training that was stopped goes on from its last
    whole epoch.
    """
    work = folder.parent / ".training" / folder.name
    with locked(work):
        if not (folder / "card.json").is_file() or retrain:
            train, test = (data.load("mnist", split, data_folder) for split in ("train", "test"))
            _train_and_save(folder, work, train, test, on_epoch)
            shutil.rmtree(work, ignore_errors=True)
        return read_card(folder)


def _train_and_save(
    folder: Path, work: Path, train: data.Split, test: data.Split, on_epoch: Callable[[str], None] | None
) -> None:
    """Choose the threshold with a judge that has not seen the last training images, train the final one on
    all of them, score it once on the test split, and save it."""
    fingerprint = data.fingerprint(train)

    def say(part: str) -> Callable[[Epoch, nn.Module], None]:
        def hook(epoch: Epoch, model: nn.Module) -> None:
            if on_epoch is not None and epoch.epoch:
                on_epoch(
                    f"judge  {part}  epoch {epoch.epoch} of {RECIPE.epochs}  "
                    f"cross-entropy {epoch.reconstruction:.4f} nats  {epoch.seconds:.0f} s"
                )

        return hook

    chooser, _ = train_judge(
        train,
        dataclasses.replace(RECIPE, held_out=HELD_OUT),
        on_epoch=say("for the threshold"),
        state_file=work / "threshold.safetensors",
        run=fingerprint,
    )
    held_out = data.Split(train.images[-HELD_OUT:], train.labels[-HELD_OUT:])
    judge, history = train_judge(
        train, RECIPE, on_epoch=say("final"), state_file=work / "final.safetensors", run=fingerprint
    )
    judge.threshold = chooser.threshold
    card: dict[str, Any] = {
        "format": 1,
        "slug": "judge",
        "kind": "judge",
        "rule": "a picture is a digit where score >= threshold",
        "score": "log p(a digit | x) - log p(no digit | x), nats",
        "threshold": judge.threshold,
        "parameters": sum(p.numel() for p in judge.parameters()),
        "config": {
            "widths": list(judge.widths),
            "training": dataclasses.asdict(RECIPE),
            "garbage_share": GARBAGE_SHARE,
            "accepted_when_chosen": ACCEPTED,
            "threshold_images": HELD_OUT,
        },
        "dataset": {
            "name": "mnist",
            "train_fingerprint": fingerprint,
            "test_fingerprint": data.fingerprint(test),
            "train_images": len(train.images),
        },
        "seed": RECIPE.seed,
        "test_seed": TEST_SEED,
        "command": "python -m vae_core train judge",
        "date": datetime.date.today().isoformat(),
        "seconds": round(history[-1].seconds, 1),
        "versions": {"python": platform.python_version(), "torch": torch.__version__.split("+")[0]},
        "history": [
            {"epoch": row.epoch, "cross_entropy": round(row.reconstruction, 5), "seconds": round(row.seconds, 1)}
            for row in history
        ],
        "held_out": evaluate_judge(chooser, held_out),
    }
    full = {form: _share(judge.label(x) == test.labels) for form, x in _forms(test.images).items()}
    judge = judge.half().float()  # what is scored is what ships: the weights after rounding
    card["test"] = evaluate_judge(judge, test)
    card["half_precision_moved"] = {k: round(v - full[k], 4) for k, v in card["test"]["accuracy"].items()}
    save(judge, card, folder)


def save(judge: Judge, card: dict[str, Any], folder: Path) -> None:
    """Weights in half precision, then the card: a judge is there when its card is."""
    weights = {k: v.half() for k, v in judge.state_dict().items()}
    files = {
        "weights.safetensors": tensor_bytes("the judge's weights", weights),
        "card.json": json_bytes("the judge's card", card),
    }
    write_files(folder, files)  # the old card goes first: it must not speak for the new weights


def read_card(folder: Path) -> dict[str, Any]:
    """The judge's card. Raises `StorageError` where it is missing or not as it should be."""
    path = folder / "card.json"
    card = read_json(path)
    contents.expect(path, card, _CARD)
    widths = card["config"]["widths"]
    if len(widths) != 4 or not all(1 <= width <= 1024 for width in widths):
        raise StorageError(
            f"{path} is not as it should be: config.widths are four numbers from 1 to 1024. "
            "Restore it, or train the judge again."
        )
    return card


def load(folder: Path) -> Judge:
    """The judge in eval mode. Raises `StorageError` where the files are missing, broken or do not fit."""
    card = read_card(folder)
    widths = tuple(card["config"]["widths"])
    with torch.device("meta"):  # shapes alone: they are compared before anything is allocated
        shapes = {name: tuple(tensor.shape) for name, tensor in Judge(0.0, widths).state_dict().items()}
    tensors, _ = read_tensors(folder / "weights.safetensors", Layout(shapes))
    judge = Judge(float(card["threshold"]), widths)
    judge.load_state_dict({k: v.float() for k, v in tensors.items()}, strict=True)
    return judge.eval().requires_grad_(False)


def _forms(x: Tensor) -> dict[str, Tensor]:
    return {"grey": x, "binarised": binarise(x)}


def _share(which: Tensor) -> float:
    return round(which.double().mean().item(), 5)
