"""The whole family on one screen: one abstract autoencoder, and classes that state only their difference.

B images of 784 pixels in [0, 1], D latent dimensions, K labels. Losses are nats per image. What is asked from outside
(`observe`, `encode`, `decode`, `loss`) raises `InputError` for a wrong shape or type, pixels out of range, a label that
there is not, and numbers that are not finite: a network answers any of them, and the answer looks like one.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, ClassVar, NamedTuple, final

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vae_core import losses
from vae_core.config import KINDS, PIXELS, ModelConfig
from vae_core.corruption import corrupt_mixed, flip
from vae_core.prior import Learned, Prior, Standard

_CODES: dict[str, Callable[[Tensor], Tensor]] = {"linear": lambda h: h, "relu": torch.relu, "sigmoid": torch.sigmoid}
_ACTIVATIONS = {"gelu": nn.GELU, "relu": nn.ReLU, "silu": nn.SiLU, "tanh": nn.Tanh}
_SLACK = 1e-3  # beyond [0, 1]: the small affine maps of training round
_LOG_SIGMA_FLOOR = math.log(0.01)  # a smaller learned σ would buy likelihood with 8-bit rounding


class InputError(ValueError):
    """What no network can be asked; the message says what was expected and what came."""


class Code(NamedTuple):
    """What the encoder says of a batch; `logvar` is None where the code is a point."""

    mean: Tensor  # (B, D)
    logvar: Tensor | Any  # (B, D), log σ², or None: whoever asks a probabilistic model need not prove that it is there


class Terms(NamedTuple):
    """The objective's terms of each image, nats; `kl` is None where there is no posterior."""

    reconstruction: Tensor  # (B,)
    kl: Tensor | None  # (B,), before β
    penalties: dict[str, Tensor]  # (B,) each: a kind's own terms, as they count in the objective


def mlp(n_in: int, hidden: tuple[int, ...], n_out: int, activation: str) -> nn.Sequential:
    layers: list[nn.Module] = []
    for width in hidden:
        layers += [nn.Linear(n_in, width), _ACTIVATIONS[activation]()]
        n_in = width
    return nn.Sequential(*layers, nn.Linear(n_in, n_out))


def _layer(network: nn.Sequential, i: int) -> nn.Linear:
    layer = network[i]
    assert isinstance(layer, nn.Linear)  # at both ends of an `mlp`
    return layer


class Autoencoder(nn.Module):
    """Encoder, bottleneck, decoder. Subclasses are final, name their kind and say in what they differ: what the encoder
    sees in training, what else the objective counts."""

    kinds: ClassVar[dict[str, type[Autoencoder]]] = {}
    probabilistic: ClassVar[bool]
    conditional: ClassVar[bool]

    def __init_subclass__(cls, kind: str, **more: Any) -> None:
        super().__init_subclass__(**more)
        cls.probabilistic, cls.conditional = KINDS[kind].probabilistic, KINDS[kind].conditional
        Autoencoder.kinds[kind] = cls

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        k = config.n_classes if self.conditional else 0
        d = config.latent_dim
        self.encoder = mlp(PIXELS + k, config.encoder, 2 * d if self.probabilistic else d, config.activation)
        self.decoder = mlp(d + k, config.decoder, PIXELS, config.activation)
        self.prior: Prior = Learned(config.components, d) if KINDS[config.kind].learned_prior else Standard(d)
        if config.likelihood == "gaussian":
            start = torch.tensor(1.0 if config.sigma is None else config.sigma).log()
            self.log_sigma = nn.Parameter(start, requires_grad=config.sigma is None)

    def encoder_input(self, x: Tensor, generator: torch.Generator) -> Tensor:
        """What the encoder is shown in training in place of x: (B, 784) → (B, 784)."""
        return flip(x, self.config.encoder_noise, generator) if self.config.encoder_noise else x

    def penalty(
        self, shown: Tensor, code: Code, z: Tensor, y: Tensor | None, generator: torch.Generator
    ) -> dict[str, Tensor]:
        """A kind's own terms beside reconstruction and KL, nats (B,) each, by the names under which curves show them,
        multiplied by their weights. `shown` (B, 784) is what the encoder saw, z (B, D) a draw of its code."""
        return {}

    def begin(self, images: Tensor) -> bool:
        """Before training on images (N, 784). True where their best weights are known without it, and set."""
        return False

    def settle(self, images: Tensor) -> None:
        """After training on images (N, 784), in place: what only training needs goes, or goes into the weights."""

    def encode(self, x: Tensor, y: Tensor | None = None) -> Code:
        """Never samples. x (B, 784) as `observe` gives it (a DAE takes spoilt pixels too), y (B,) int64."""
        self._check_batch("images", x, PIXELS, y)
        _check_pixels(x)
        return self._code(x, y)

    def decode(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """z (B, D) → (B, 784): logits of Bernoulli pixels, means of Gaussian ones."""
        self._check_batch("codes", z, self.config.latent_dim, y)
        low, high = _range(z)
        if not math.isfinite(high - low):
            raise InputError(f"Codes are finite numbers; got {low:g} to {high:g}.")
        return self.decoder(self._with_label(z, y))

    def pixels(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """z (B, D) → E[x | z] (B, 784) in [0, 1], what is shown to people."""
        out = self.decode(z, y)
        return torch.sigmoid(out) if self.config.likelihood == "bernoulli" else out.clamp(0, 1)

    def observe(self, x: Tensor) -> Tensor:
        """The data as the likelihood sees them: binarised at 0.5, or unchanged where it takes grey pixels."""
        if self.config.seen == "binary":
            _check_pixels(x)  # NaN >= 0.5 is false: it would pass for black from here on
        return self._seen(x)

    def nll(self, x: Tensor, decoded: Tensor) -> Tensor:
        """−log p(x | z), nats per image (B,), for observed x and what `decode` gave."""
        if self.config.likelihood == "bernoulli":
            return losses.bernoulli_nll(decoded, x)
        return losses.gaussian_nll(decoded, x, self.log_sigma.clamp(min=_LOG_SIGMA_FLOOR))

    def sample(self, code: Code, generator: torch.Generator) -> Tensor:
        """z = μ + σ ε (Kingma & Welling 2014, section 2.4); the code itself where it is a point."""
        if code.logvar is None:
            return code.mean
        eps = torch.randn(code.mean.shape, generator=generator, device=code.mean.device, dtype=code.mean.dtype)
        return code.mean + torch.exp(0.5 * code.logvar) * eps  # (B, D)

    def loss(self, x: Tensor, y: Tensor | None, generator: torch.Generator) -> Terms:
        """The objective's terms for images x (B, 784) in [0, 1], averaged over `corruptions` draws."""
        self._check_batch("images", x, PIXELS, y)
        _check_pixels(x)
        # Inside, nothing is checked again: numbers that a diverging training makes are for the trainer to name.
        x = self._seen(x)
        reconstruction, kl = torch.zeros(len(x), device=x.device), None
        penalties: dict[str, Tensor] = {}
        for _ in range(self.config.corruptions):
            shown = self.encoder_input(x, generator)
            code = self._code(shown, y)
            # Under autocast the networks answer in bfloat16; sums of 784 terms need the images' own precision.
            code = Code(code.mean.to(x.dtype), None if code.logvar is None else code.logvar.to(x.dtype))
            z = self.sample(code, generator)
            decoded = self.decoder(self._with_label(z, y)).to(x.dtype)
            reconstruction = reconstruction + self.nll(x, decoded) / self.config.corruptions
            if code.logvar is not None:
                part = self.prior.kl_at(*code, z).sum(-1) / self.config.corruptions
                kl = part if kl is None else kl + part
            for name, term in self.penalty(shown, code, z, y, generator).items():
                penalties[name] = penalties.get(name, 0) + term / self.config.corruptions
        return Terms(reconstruction, kl, penalties)

    def objective(self, terms: Terms, kl_weight: float = 1.0) -> Tensor:
        """The scalar that training minimises: mean reconstruction + kl_weight · (β · mean KL + mean penalties)."""
        mean = terms.reconstruction.mean()
        if terms.kl is not None:
            mean = mean + kl_weight * self.config.beta * terms.kl.mean()
        return sum((kl_weight * term.mean() for term in terms.penalties.values()), mean)

    def _code(self, x: Tensor, y: Tensor | None) -> Code:
        h = self.encoder(self._with_label(x, y))  # (B, D) or (B, 2D)
        return Code(*h.chunk(2, dim=-1)) if self.probabilistic else Code(_CODES[self.config.code](h), None)

    def _seen(self, x: Tensor) -> Tensor:
        return (x >= 0.5).to(x.dtype) if self.config.seen == "binary" else x

    def _with_label(self, a: Tensor, y: Tensor | None) -> Tensor:
        if not self.conditional:
            return a
        assert y is not None  # _check_batch has seen to it
        return torch.cat([a, F.one_hot(y, self.config.n_classes).to(a.dtype)], dim=-1)

    def _check_batch(self, name: str, a: Tensor, width: int, y: Tensor | None) -> None:
        """Refuse what is not (B, width) of the network's own precision, or lacks its labels (B,)."""
        own = self.encoder[0].weight.dtype
        if not isinstance(a, Tensor) or a.ndim != 2 or a.shape[1] != width or a.dtype != own:
            raise InputError(f"Expected {name} (B, {width}) of {own}; got {_told(a)}.")
        if not self.conditional:
            return
        if y is None:
            raise InputError(f"A {self.config.kind.upper()} needs a label y (B,) for every row; got none.")
        if not isinstance(y, Tensor) or y.shape != a.shape[:1] or y.dtype != torch.int64:
            raise InputError(f"Expected labels ({len(a)},) of torch.int64, one for every row; got {_told(y)}.")
        low, high = _range(y)
        if low < 0 or high >= self.config.n_classes:
            raise InputError(f"Labels go from 0 to {self.config.n_classes - 1}; got {low:g} to {high:g}.")


def _check_pixels(x: Tensor) -> None:
    if not isinstance(x, Tensor) or not x.is_floating_point():
        raise InputError(f"Expected pixels as floating-point numbers in [0, 1]; got {_told(x)}. Divide bytes by 255.")
    low, high = _range(x)
    if not (-_SLACK <= low and high <= 1 + _SLACK):  # false for NaN, too
        raise InputError(f"Pixels are finite and in [0, 1], white ink on black; got {low:g} to {high:g}.")


def _range(a: Tensor) -> tuple[float, float]:
    """Least and largest; both NaN where a single number is."""
    low, high = a.detach().aminmax() if a.numel() else (0, 0)
    return float(low), float(high)


def _told(a: object) -> str:
    return f"{tuple(a.shape)} of {a.dtype}" if isinstance(a, Tensor) else type(a).__name__


@final
class AE(Autoencoder, kind="ae"):
    """A point code and an unspoilt input (Rumelhart, Hinton & Williams 1986)."""


@final
class DAE(Autoencoder, kind="dae"):
    """The AE with a spoilt input, scored against the clean image (Vincent et al. 2008)."""

    def encoder_input(self, x: Tensor, generator: torch.Generator) -> Tensor:
        return corrupt_mixed(x, generator)


@final
class Sparse(Autoencoder, kind="sparse"):
    """The AE that pays for every unit of its code that is in use, λ Σ_j |z_j| ‖w_j‖ (Ng 2011; Olshausen & Field 1997).

    w_j is what unit j adds to the decoder's first layer. Without its norm the network would pay less by smaller codes
    and larger weights; with it the price is that of a decoder whose columns have norm 1, which it gets in the end.
    A unit of a ReLU that answers no image of a batch has no gradient and would sleep for good: it pays for how far it
    is from waking.

    A price makes many units small, few of them 0. With a threshold, what they add little with is left out when training
    is over (the thresholded ReLU of Konda, Memisevic & Krueger 2015, arXiv 1402.3337).
    """

    WAKING = 0.05  # nats for each unit of the distance
    threshold: Tensor  # (D,): 0 in training

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        if config.threshold:
            self.register_buffer("threshold", torch.zeros(config.latent_dim))

    def _code(self, x: Tensor, y: Tensor | None) -> Code:
        z = super()._code(x, y).mean
        return Code(z * (z > self.threshold) if self.config.threshold else z, None)

    def begin(self, images: Tensor) -> bool:
        if self.config.threshold:
            self.threshold.zero_()  # another checkpoint's, where training goes on from one
        return False

    def penalty(
        self, shown: Tensor, code: Code, z: Tensor, y: Tensor | None, generator: torch.Generator
    ) -> dict[str, Tensor]:
        terms = {"sparsity": self.config.sparsity * (z.abs() * self._norms()).sum(-1)}
        asleep = (z == 0).all(0)  # no image of the batch has a use for it, so that nothing else would reach it
        if self.config.code == "relu" and self.config.sparsity:
            below = torch.relu(-self.encoder(shown).to(z.dtype)) * asleep  # (B, D)
            terms["sleep"] = self.WAKING * below.sum(-1)
        return terms

    @torch.no_grad()
    def settle(self, images: Tensor) -> None:
        """Columns of norm 1, and codes the longer for it: the drawing stays, where the code is linear or a ReLU's. Then
        the thresholds, of each unit's own root mean square."""
        if self.config.code == "sigmoid":
            return
        norms, last = self._norms().clamp(min=1e-12), _layer(self.encoder, -1)
        _layer(self.decoder, 0).weight.div_(norms)
        last.weight.mul_(norms[:, None])
        last.bias.mul_(norms)
        if self.config.threshold:
            self.threshold.zero_()
            z = self._code(self._seen(images), None).mean
            self.threshold.copy_(self.config.threshold * z.square().mean(0).sqrt())

    def _norms(self) -> Tensor:
        return _layer(self.decoder, 0).weight.norm(dim=0)  # (D,)


@final
class Contractive(Autoencoder, kind="contractive"):
    """The AE that pays for every move of its code under a move of a pixel, λ ‖∂z/∂x‖²_F over all layers (Rifai et al.
    2011), each number of the code having mean 0 and variance 1: smaller codes would be cheaper without telling less.

    In training a batch's own mean and variance make it so; `settle` puts those of all images into the last layer.
    """

    EXACT = 4  # numbers in a code up to which each row of the Jacobian is found; beyond, one random mixture of them

    def _code(self, x: Tensor, y: Tensor | None) -> Code:
        h = super()._code(x, y).mean
        return Code((h - h.mean(0)) / _spread(h) if self.training else h, None)

    def penalty(
        self, shown: Tensor, code: Code, z: Tensor, y: Tensor | None, generator: torch.Generator
    ) -> dict[str, Tensor]:
        return {"contraction": self.config.contraction * self.squared_jacobian(shown, generator)}

    def squared_jacobian(self, x: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """‖∂z/∂x‖²_F (B,) of images x (B, 784). With a generator and more than `EXACT` numbers in a code an unbiased
        estimate: the squared length of the gradient of Σ_j ±z_j, random signs (Hutchinson 1990).

        The gradient is that of the code before it is normalised, divided afterwards: through a batch's mean the codes
        of all images hang together, and the gradient of their sum is exactly zero.
        """
        scale = 1 / _spread(self.encoder(x)) if self.training else torch.ones(self.config.latent_dim, device=x.device)
        with torch.enable_grad():
            x = x.detach().requires_grad_()
            h = super()._code(x, None).mean  # (B, D)
            signs = torch.eye(self.config.latent_dim, device=x.device, dtype=h.dtype)
            if generator is not None and len(signs) > self.EXACT:
                signs = torch.randint(2, (1, len(signs)), generator=generator, device=x.device).to(h.dtype) * 2 - 1
            total = torch.zeros(len(x), device=x.device)
            for row in signs:
                (gradient,) = torch.autograd.grad((h @ (row * scale.to(h.dtype))).sum(), x, create_graph=self.training)
                total = total + gradient.square().sum(-1)
        return total

    @torch.no_grad()
    def settle(self, images: Tensor) -> None:
        h, last = self.encoder(self._seen(images)), _layer(self.encoder, -1)
        mean, spread = h.mean(0), _spread(h)
        last.weight.div_(spread[:, None])
        last.bias.copy_((last.bias - mean) / spread)


@final
class PCA(Autoencoder, kind="pca"):
    """The first D principal components (Hotelling 1933): of all linear codes the one that loses least in squared error
    (Baldi & Hornik 1989). Its pixels are Gaussian, with the σ under which the training images are likeliest."""

    @torch.no_grad()
    def begin(self, images: Tensor) -> bool:
        from sklearn.decomposition import PCA as Components

        x = self._seen(images)
        found = Components(self.config.latent_dim, svd_solver="covariance_eigh").fit(x.double().cpu().numpy())
        axes, mean = (torch.from_numpy(a).to(x) for a in (found.components_, found.mean_))  # (D, 784), (784,)
        encoder, decoder = _layer(self.encoder, 0), _layer(self.decoder, 0)
        encoder.weight.copy_(axes)
        encoder.bias.copy_(-axes @ mean)
        decoder.weight.copy_(axes.T)
        decoder.bias.copy_(mean)
        self.log_sigma.copy_((x - self.decoder(self.encoder(x))).square().mean().sqrt().log())
        return True


def _spread(h: Tensor) -> Tensor:
    """The standard deviation of each number of codes h (B, D) → (D,), never 0."""
    wide = h.to(torch.promote_types(h.dtype, torch.float32))
    return wide.var(0, correction=0).clamp(min=1e-12).sqrt()


@final
class VAE(Autoencoder, kind="vae"):
    """A Gaussian code and the KL to N(0, I) (Kingma & Welling 2014)."""


@final
class CVAE(Autoencoder, kind="cvae"):
    """The VAE with the one-hot label beside x and beside z (Sohn, Lee & Yan 2015; here p(z | y) = p(z))."""


@final
class Scrubbed(Autoencoder, kind="scrubbed"):
    """The CVAE against an adversary that reads the label from z (Edwards & Storkey 2016, arXiv 1511.05897).

    The adversary learns to read; the encoder gets its gradient reversed and λ times (Ganin & Lempitsky 2015, arXiv
    1409.7495), so that it learns not to be read. The adversary is of training alone and is not kept.
    """

    WIDTHS = (256, 256)

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        self.adversary: nn.Sequential | None = None

    def begin(self, images: Tensor) -> bool:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            self.adversary = mlp(self.config.latent_dim, self.WIDTHS, self.config.n_classes, "relu")
        return False

    def penalty(
        self, shown: Tensor, code: Code, z: Tensor, y: Tensor | None, generator: torch.Generator
    ) -> dict[str, Tensor]:
        if self.adversary is None or y is None:
            return {}
        read = self.adversary(_Reversed.apply(z, self.config.adversary))
        return {"adversary": F.cross_entropy(read.to(z.dtype), y, reduction="none")}

    def settle(self, images: Tensor) -> None:
        self.adversary = None


@final
class MixtureVAE(Autoencoder, kind="mixture"):
    """The VAE whose prior is a mixture of Gaussians, learned along (`prior.Learned`): it goes where the codes are."""


class _Reversed(torch.autograd.Function):
    """z as it is; its gradient with the other sign, λ times."""

    @staticmethod
    def forward(ctx: Any, z: Tensor, weight: float) -> Tensor:
        ctx.weight = weight
        return z.view_as(z)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return -ctx.weight * gradients[0], None


def build(config: ModelConfig, seed: int = 0) -> Autoencoder:
    """A fresh network; the same seed gives the same initial weights and leaves torch's global stream alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Autoencoder.kinds[config.kind](config)
