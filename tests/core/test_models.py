"""The family: shapes, what each member adds, and the ELBO against torch and against a numerical integral."""

import numpy as np
import pytest
import torch
from torch.distributions import Bernoulli, Independent, Normal, kl_divergence

from vae_core import checkpoints, models
from vae_core.config import KINDS, Config, ConfigError, Kind, ModelConfig, TrainingConfig
from vae_core.training import Stopped

G = torch.Generator().manual_seed(0)
X = torch.rand(8, 784, generator=G)
Y = torch.arange(8)


def make(kind, **changes):
    return models.build(ModelConfig(kind=kind, encoder=(32,), decoder=(32,), **changes), seed=1)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("likelihood", ["bernoulli", "gaussian"])
@pytest.mark.parametrize("latent_dim", [2, 20])
def test_shapes_and_the_point_or_the_posterior(kind, likelihood, latent_dim):
    """Every page relies on these shapes, and on `logvar is None` meaning "a point"."""
    model = make(kind, likelihood=likelihood, latent_dim=latent_dim)
    code = model.encode(model.observe(X), Y)
    assert code.mean.shape == (8, latent_dim)
    assert (code.logvar is None) == (not KINDS[kind].probabilistic)
    pixels = model.pixels(code.mean, Y)
    assert pixels.shape == (8, 784)
    assert pixels.min() >= 0
    assert pixels.max() <= 1
    terms = model.loss(X, Y, G)
    assert terms.reconstruction.shape == (8,)
    assert (terms.kl is None) == (code.logvar is None)


def test_one_base_class_and_final_children():
    """A VAE that inherits the AE would inherit promises it does not keep."""
    assert models.Autoencoder.kinds.keys() == KINDS.keys(), "a row without a class, or a class without a row"
    for cls in models.Autoencoder.kinds.values():
        assert cls.__mro__[1] is models.Autoencoder
        assert cls.__final__


def test_the_elbo_is_that_of_torch_distributions():
    """Reconstruction and KL of one draw, computed again by torch.distributions from encode and decode."""
    model = make("vae")
    terms = model.loss(X, Y, torch.Generator().manual_seed(5))
    x = (X >= 0.5).float()
    mean, logvar = model.encode(x)
    q = Normal(mean, torch.exp(0.5 * logvar))
    eps = torch.randn(mean.shape, generator=torch.Generator().manual_seed(5))
    p = Independent(Bernoulli(logits=model.decode(mean + q.stddev * eps)), 1)
    torch.testing.assert_close(terms.reconstruction, -p.log_prob(x))
    torch.testing.assert_close(terms.kl, kl_divergence(q, Normal(0.0, 1.0)).sum(1))


def test_the_elbo_lies_below_the_integral_by_the_kl_to_the_true_posterior():
    """log p(x) = ELBO + KL(q ‖ p(z | x)) in one latent dimension, every term by the trapezium rule."""
    model = make("vae", latent_dim=1).double()
    x = (X[:3] >= 0.5).double()
    mean, logvar = model.encode(x)
    z = torch.linspace(-12, 12, 20001, dtype=torch.float64)
    log_prior = Normal(0.0, 1.0).log_prob(z)
    with torch.no_grad():
        decoded = model.decode(z[:, None])  # (Z, 784)
        for i in range(3):
            log_joint = Independent(Bernoulli(logits=decoded), 1).log_prob(x[i]) + log_prior
            shift = log_joint.max()
            log_p = shift + torch.trapezoid((log_joint - shift).exp(), z).log()
            q = Normal(mean[i], torch.exp(0.5 * logvar[i]))
            log_q = q.log_prob(z)
            elbo = torch.trapezoid(log_q.exp() * (log_joint - log_q), z)
            gap = torch.trapezoid(log_q.exp() * (log_q - (log_joint - log_p)), z)
            assert elbo <= log_p
            assert (elbo + gap).item() == pytest.approx(log_p.item(), abs=1e-6)
            draws = torch.Generator().manual_seed(9)
            terms = model.loss(X[i : i + 1].double().expand(4000, -1), None, draws)
            estimate = -(terms.reconstruction + terms.kl)
            error = 4.5 * estimate.std().item() / 4000**0.5
            assert abs(estimate.mean().item() - elbo.item()) <= error + 1e-6


def test_ae_and_dae_differ_in_the_input_alone():
    """The comparison on the Restore page is only fair if nothing else differs."""
    ae, dae = make("ae"), make("dae")
    dae.load_state_dict(ae.state_dict())
    x = ae.observe(X)
    assert torch.equal(ae.encode(x).mean, dae.encode(x).mean)
    assert torch.equal(ae.encoder_input(x, G), x)
    assert not torch.equal(dae.encoder_input(x, G), x)


@pytest.fixture
def near(monkeypatch):
    """A kind as a newcomer adds it: a row, and a class whose objective has two terms of its own."""
    monkeypatch.setitem(KINDS, "near", Kind("an AE whose code is near 0"))
    monkeypatch.setattr(models.Autoencoder, "kinds", dict(models.Autoencoder.kinds))

    class Near(models.Autoencoder, kind="near"):
        def encoder_input(self, x, generator):
            return x

        def penalty(self, shown, code, z, y, generator):
            return {"L1 of the code": 0.5 * z.abs().sum(-1), "ink of the input": shown.mean(-1)}

    return Near


def test_a_kind_brings_terms_of_its_own(near):
    """Each counts in the objective as it is named, once however many copies a step has."""
    model = make("near", corruptions=3)
    assert type(model) is near and not model.probabilistic and not model.conditional
    terms = model.loss(X, None, G)
    z = model.encode(model.observe(X)).mean
    assert terms.kl is None and list(terms.penalties) == ["L1 of the code", "ink of the input"]
    torch.testing.assert_close(terms.penalties["L1 of the code"], 0.5 * z.abs().sum(1))
    torch.testing.assert_close(terms.penalties["ink of the input"], model.observe(X).mean(1))
    whole = terms.reconstruction + 0.5 * z.abs().sum(1) + model.observe(X).mean(1)
    torch.testing.assert_close(model.objective(terms), whole.mean())


def test_a_kinds_own_terms_stand_in_the_history_of_its_card(near, tmp_path):
    """A curve that no history keeps cannot be drawn later; and a run goes on with it where it was stopped."""
    torch.set_num_threads(1)
    small = ModelConfig(kind="near", encoder=(8,), decoder=(8,))
    config = Config(small, TrainingConfig(dataset="digits", epochs=3))
    stop = {"on_step": lambda step: step.epoch == 3}
    with pytest.raises(Stopped):
        checkpoints.load_or_train(config, root=tmp_path / "a", **stop)
    for folder in "ab":
        checkpoints.load_or_train(config, root=tmp_path / folder)
    resumed, whole = (checkpoints.read_card(config.slug, tmp_path / folder)["history"] for folder in "ab")
    for row, other in zip(resumed, whole, strict=True):
        assert row.keys() == {"epoch", "reconstruction", "kl", "seconds", "L1 of the code", "ink of the input"}
        assert row | {"seconds": 0} == other | {"seconds": 0}
    assert whole[-1]["L1 of the code"] > 0 and whole[0]["ink of the input"] == pytest.approx(0.1, abs=0.1)


def test_the_dae_is_scored_against_the_clean_image_and_averages_its_corruptions():
    """L corruptions estimate an expectation: their mean over many draws is L-free, their spread shrinks."""
    one, many = make("dae"), make("dae", corruptions=16)
    many.load_state_dict(one.state_dict())
    g = torch.Generator().manual_seed(2)
    x = X[:1].expand(600, -1)
    a, b = (m.loss(x, None, g).reconstruction.detach() for m in (one, many))
    assert abs(a.mean() - b.mean()) < 4.5 * (a.std() / 600**0.5 + b.std() / 600**0.5)
    assert a.std() / b.std() == pytest.approx(4, rel=0.25)


def test_the_label_reaches_encoder_and_decoder_of_the_cvae_only():
    """A CVAE that ignores y is a VAE; a VAE that reads y would leak it."""
    cvae, vae = make("cvae"), make("vae")
    x, other = cvae.observe(X), (Y + 1) % 10
    assert not torch.equal(cvae.encode(x, Y).mean, cvae.encode(x, other).mean)
    z = torch.zeros(8, 2)
    assert not torch.equal(cvae.decode(z, Y), cvae.decode(z, other))
    assert torch.equal(vae.encode(x, Y).mean, vae.encode(x, other).mean)
    with pytest.raises(ValueError, match="needs a label"):
        cvae.encode(x)


def test_binarisation_belongs_to_bernoulli_pixels():
    """x ≥ 0.5, the half included; Gaussian pixels stay grey."""
    x = torch.tensor([[0.0, 0.49999, 0.5, 1.0]])
    assert make("ae").observe(x).tolist() == [[0, 0, 1, 1]]
    assert torch.equal(make("ae", likelihood="gaussian").observe(x), x)


def test_beta_weighs_the_objective_and_nothing_else():
    """The ELBO is stated at β = 1 whatever β a model was trained with."""
    plain, heavy = make("vae").double(), make("vae", beta=4.0).double()
    heavy.load_state_dict(plain.state_dict())
    a, b = (m.loss(X.double(), None, torch.Generator().manual_seed(1)) for m in (plain, heavy))
    torch.testing.assert_close(a.kl, b.kl)
    difference = heavy.objective(b) - plain.objective(a)
    assert difference.item() == pytest.approx(3 * a.kl.mean().item(), rel=1e-4)


def test_a_learned_sigma_moves_and_a_fixed_one_does_not():
    """σ² = 1 of the documents must not drift in training."""
    for sigma, learns in ((1.0, False), (None, True)):
        model = make("vae", likelihood="gaussian", sigma=sigma)
        model.objective(model.loss(X, None, G)).backward()
        assert (model.log_sigma.grad is not None) == learns


def test_build_is_deterministic_and_leaves_the_global_stream_alone():
    """A page that builds a model must not change what another one draws."""
    torch.manual_seed(7)
    before = torch.get_rng_state()
    a, b = make("cvae"), make("cvae")
    assert torch.equal(torch.get_rng_state(), before)
    for p, q in zip(a.parameters(), b.parameters(), strict=True):
        assert torch.equal(p, q)
    c = models.build(a.config, seed=2)
    assert not torch.equal(next(a.parameters()), next(c.parameters()))


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"kind": "gan"}, "kind must be one of"),
        ({"latent_dim": 0}, "latent_dim must be a whole number from 1 to 1024; got 0"),
        ({"latent_dim": "2"}, "latent_dim must be a whole number from 1 to 1024; got '2'"),
        ({"latent_dim": None}, "latent_dim must be a whole number .* got None"),
        ({"latent_dim": True}, "latent_dim must be a whole number .* got True"),
        ({"encoder": (0,)}, "hidden width of the encoder must be a whole number from 1"),
        ({"decoder": (10**9,)}, "hidden width of the decoder must be .* to 8192; got 1000000000"),
        ({"decoder": (8192,) * 4}, "50,000,000 numbers at most; these widths make 208,"),
        ({"encoder": (8,) * 17}, "at most 16 hidden widths"),
        ({"encoder": 512}, "at most 16 hidden widths; got 512"),
        ({"encoder_noise": 0.7}, "encoder_noise must be a number from 0 to 0.5"),
        ({"kind": "ae", "encoder_noise": 0.1}, "denoising one"),
        ({"sigma": 0.0}, "sigma must be a number from 0.01 to 100; got 0.0"),
        ({"sigma": float("nan")}, "sigma.* got nan"),
        ({"activation": "swish"}, "activation must be one of"),
        ({"beta": -1}, "beta must be a number from 0 to 1e.06; got -1"),
        ({"beta": float("inf")}, "beta must be .* got inf"),
        ({"beta": "1"}, "beta must be .* got '1'"),
        ({"beta": 10**5000}, "got a number of more than 40 digits"),  # which Python will not write out
        ({"latent_dim": {str(n): n for n in range(1000)}}, "got an object of 1000"),
        ({"kind": "x" * 10_000}, "^.{0,200}$"),
    ],
)
def test_impossible_settings_are_sentences(changes, sentence):
    with pytest.raises(ConfigError, match=sentence):
        ModelConfig(**changes)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"epochs": -1}, "epochs must be a whole number from 0"),
        ({"epochs": 2.5}, "epochs must be a whole number .* got 2.5"),
        ({"batch_size": 0}, "batch_size must be a whole number from 1"),
        ({"seed": 2**70}, "seed must be a whole number"),
        ({"learning_rate": 0}, "learning_rate must be positive"),
        ({"learning_rate": float("inf")}, "learning_rate must be a number from 0 to 1000; got inf"),
        ({"weight_average": 1}, "decay from 0 to below 1"),
        ({"kl_start": float("nan")}, "kl_start must be a number .* got nan"),
        ({"dataset": "../../elsewhere"}, "dataset must be a name"),
        ({"precision": "float8"}, "precision must be one of"),
    ],
)
def test_impossible_trainings_are_sentences(changes, sentence):
    with pytest.raises(ConfigError, match=sentence):
        TrainingConfig(**changes)


@pytest.mark.parametrize("tag", ["../..", "a/b", "x" * 300, "é", "a b", None])
def test_a_tag_is_no_path(tag):
    """It becomes a part of a folder's name, and that folder is written."""
    with pytest.raises(ConfigError, match="letters, digits, dots and dashes"):
        Config(tag=tag)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("changes", [{}, {"encoder": ()}, {"likelihood": "gaussian", "latent_dim": 7}])
def test_the_shapes_that_a_config_states_are_those_that_are_built(kind, changes):
    """What is read from a file is measured against them before a network is allocated."""
    config = ModelConfig(**({"kind": kind, "encoder": (5, 6), "decoder": (7,), "n_classes": 3} | changes))
    built = {name: tuple(tensor.shape) for name, tensor in models.build(config).state_dict().items()}
    assert config.shapes() == built
    assert config.numbers == sum(p.numel() for p in models.build(config).parameters())


X_NAN, X_WIDE = X.clone(), X.clone()
X_NAN[3, 100], X_WIDE[0, 0] = float("nan"), 1.5


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("call", ["encode", "loss"])
@pytest.mark.parametrize(
    ("x", "y", "sentence"),
    [
        (X_NAN, Y, r"finite and in \[0, 1\], .* got nan to nan"),
        (X_WIDE, Y, r"in \[0, 1\], .* to 1.5"),
        (-X, Y, r"in \[0, 1\], .* got -"),
        (X[0], Y, r"images \(B, 784\) of torch.float32; got \(784,\) of torch.float32"),
        (X.view(8, 28, 28), Y, r"got \(8, 28, 28\)"),
        (X.double(), Y, r"got \(8, 784\) of torch.float64"),
        ((255 * X).byte(), Y, r"got \(8, 784\) of torch.uint8"),
        (X.numpy(), Y, "got ndarray"),
    ],
)
def test_images_that_are_none_are_sentences(kind, call, x, y, sentence):
    """A network answers NaN, bytes up to 255 or float64 with numbers, or with a sentence of torch's about matrices."""
    with pytest.raises(ValueError, match=sentence):
        make(kind).encode(x, y) if call == "encode" else make(kind).loss(x, y, G)
    if x is X_NAN or x is X_WIDE:
        with pytest.raises(ValueError, match=sentence):
            make(kind).observe(x)  # NaN >= 0.5 is false: it would be black ink from here on


@pytest.mark.parametrize("call", ["encode", "decode", "loss"])
@pytest.mark.parametrize(
    ("y", "sentence"),
    [
        (None, "A CVAE needs a label"),
        (Y[:3], r"labels \(8,\) .* got \(3,\)"),
        (Y.float(), r"torch.int64, .* got \(8,\) of torch.float32"),
        (Y + 3, "from 0 to 9; got 3 to 10"),
        (Y - 1, "from 0 to 9; got -1 to 6"),
    ],
)
def test_labels_that_are_none_are_sentences(call, y, sentence):
    model = make("cvae")
    ask = {
        "encode": lambda: model.encode(X, y),
        "decode": lambda: model.decode(torch.zeros(8, 2), y),
        "loss": lambda: model.loss(X, y, G),
    }
    with pytest.raises(ValueError, match=sentence):
        ask[call]()


@pytest.mark.parametrize(
    ("z", "sentence"),
    [
        (torch.full((8, 2), float("inf")), "Codes are finite numbers; got inf to inf"),
        (torch.tensor([[0.0, float("nan")]]), "Codes are finite"),
        (torch.zeros(8, 3), r"codes \(B, 2\) of torch.float32; got \(8, 3\)"),
        (torch.zeros(2), r"got \(2,\)"),
        (torch.zeros(8, 2, dtype=torch.int64), "of torch.int64"),
    ],
)
def test_codes_that_are_none_are_sentences(z, sentence):
    for ask in (make("vae").decode, make("ae").pixels):
        with pytest.raises(ValueError, match=sentence):
            ask(z)


def test_config_survives_json_and_names_its_checkpoint():
    """A card is the only source a model is rebuilt from."""
    import json

    config = Config(ModelConfig(kind="cvae", latent_dim=20), TrainingConfig(dataset="fashion_mnist"), "trial")
    assert Config.from_dict(json.loads(json.dumps(config.to_dict()))) == config
    assert config.slug == "fashion-mnist-cvae-20d-trial"
    assert Config(ModelConfig(beta=0.25, likelihood="gaussian")).slug == "mnist-vae-2d-gaussian-beta0.25"
    with pytest.raises(ConfigError, match="no field depth"):
        Config.from_dict({"model": {"depth": 3}})


def test_means_do_not_depend_on_the_batch():
    """An embedding that changes with its neighbours could not be cached by index."""
    model = make("vae")
    x = model.observe(X)
    alone = torch.cat([model.encode(x[i : i + 1]).mean for i in range(8)])
    np.testing.assert_allclose(alone.detach(), model.encode(x).mean.detach(), atol=1e-5)
