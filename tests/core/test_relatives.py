"""The relatives: each penalty against autograd or a closed form, in the mode in which it trains."""

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA
from torch.func import jacrev

from vae_core import checkpoints, data, metrics, models
from vae_core.config import Config, ConfigError, ModelConfig, TrainingConfig

X = torch.rand(24, 784, generator=torch.Generator().manual_seed(0)).round()


def make(kind, **changes):
    return models.build(ModelConfig(kind=kind, encoder=(48, 32), decoder=(32,), **changes), seed=1)


@pytest.mark.parametrize("latent_dim", [2, 20])
def test_the_contraction_is_the_jacobians_in_training_mode(latent_dim):
    """Through a batch's statistics the gradient of summed codes is exactly zero, and a penalty of zero teaches nothing:
    the reference is one image alone, its code divided by the batch's spread."""
    model = make("contractive", latent_dim=latent_dim).double().train()
    x = X.double()
    spread = model.encoder(x).std(0, correction=0).detach()
    exact = model.squared_jacobian(x).detach()
    for i in (0, 7):
        jacobian = jacrev(lambda image: model.encoder(image[None])[0] / spread)(x[i])
        assert jacobian.square().sum().item() == pytest.approx(exact[i].item(), rel=1e-9)
    parameters = [p for p in model.encoder.parameters() if p.ndim == 2]
    gradients = torch.autograd.grad(model.squared_jacobian(x).mean(), parameters)
    assert all(g.abs().max() > 0 for g in gradients)


def test_beyond_four_numbers_the_contraction_is_estimated_without_bias():
    """One random mixture of the Jacobian's rows in place of twenty: right in the mean, within four standard errors."""
    model, g = make("contractive", latent_dim=20).double().train(), torch.Generator().manual_seed(3)
    exact = model.squared_jacobian(X.double()).detach()
    draws = torch.stack([model.squared_jacobian(X.double(), g).detach() for _ in range(400)])
    error = (draws.mean(0) - exact).abs() / (draws.std(0) / 20)
    assert error.max() < 4
    assert draws.std(0).min() > 0, "no draw was made"


def test_the_price_of_a_contraction_does_not_know_the_codes_scale():
    """Otherwise the cheapest code would be a small one, which tells as much."""
    model = make("contractive").double().train()
    before = model.squared_jacobian(X.double()).detach()
    with torch.no_grad():
        model.encoder[-1].weight *= 0.01
        model.encoder[-1].bias *= 0.01
    torch.testing.assert_close(model.squared_jacobian(X.double()).detach(), before, rtol=1e-6, atol=0)


def test_a_contractive_code_is_normalised_over_all_images_in_the_end():
    model = make("contractive", latent_dim=5)
    model.settle(X)
    code = model.eval().encode(X).mean
    torch.testing.assert_close(code.mean(0), torch.zeros(5), atol=1e-5, rtol=0)
    torch.testing.assert_close(code.std(0, correction=0), torch.ones(5), atol=1e-3, rtol=0)


def test_a_sparse_code_keeps_its_drawing_when_its_columns_get_norm_one():
    """The price was that of unit columns all along: afterwards it is the plain sum of the code."""
    model = make("sparse", latent_dim=16, sparsity=0.5)
    with torch.no_grad():
        model.decoder[0].weight *= torch.linspace(0.2, 5, 16)
    code = model.encode(X)
    assert code.mean.min() >= 0 and (code.mean == 0).any()
    before, paid = model.pixels(code.mean), model.penalty(X, code, code.mean, None, torch.Generator())["sparsity"]
    model.settle(X)
    after = model.encode(X)
    torch.testing.assert_close(model.pixels(after.mean), before)
    torch.testing.assert_close(model.decoder[0].weight.norm(dim=0), torch.ones(16))
    torch.testing.assert_close(0.5 * after.mean.sum(-1), paid)
    assert not torch.allclose(code.mean, after.mean)


def test_a_threshold_leaves_out_what_adds_little():
    """Of each unit by its own size, measured without the threshold; what is more than that stays as it is."""
    plain, model = make("sparse", latent_dim=16), make("sparse", latent_dim=16, threshold=0.5)
    for one in (plain, model):
        one.settle(X)
    z, left = plain.encode(X).mean, model.encode(X).mean
    least = 0.5 * z.square().mean(0).sqrt()
    torch.testing.assert_close(model.threshold, least)
    torch.testing.assert_close(left, torch.where(z > least, z, 0))
    assert 0 < (left > 0).sum() < (z > 0).sum()
    model.settle(X)  # as after each watched epoch
    torch.testing.assert_close(model.threshold, least)


def test_only_a_sparse_code_has_a_threshold():
    for kind, more in (("ae", {"code": "relu"}), ("vae", {}), ("sparse", {"code": "sigmoid"})):
        with pytest.raises(ConfigError, match="threshold"):
            ModelConfig(kind, threshold=0.5, **more)


def test_pca_is_scikit_learns(tmp_path):
    """By its full decomposition: same plane, same pictures, and the σ of what is left."""
    config = Config(ModelConfig(kind="pca", latent_dim=7), TrainingConfig(dataset="digits"))
    model, card = checkpoints.load_or_train(config, root=tmp_path)
    assert config.slug == "digits-pca-7d" and card["history"] == []
    seen = (data.load("digits", "train").images >= 0.5).double()
    reference = PCA(7, svd_solver="full").fit(seen.numpy())
    image = seen[:50].numpy()
    want = reference.inverse_transform(reference.transform(image))
    got = model.decode(model.encode(seen[:50].float()).mean).detach().numpy()
    np.testing.assert_allclose(got, want, atol=4e-3)  # weights are kept in half precision
    whole = reference.inverse_transform(reference.transform(seen.numpy()))
    assert model.log_sigma.exp().item() == pytest.approx(np.sqrt(np.mean((whole - seen.numpy()) ** 2)), rel=1e-3)


def test_a_scrubbed_encoder_is_pulled_where_its_adversary_reads_worse():
    """Its gradient is the adversary's reversed and λ times; the adversary's own is untouched."""
    model, plain = make("scrubbed", latent_dim=6, adversary=3.0).train(), make("scrubbed", latent_dim=6).train()
    for one in (model, plain):
        one.begin(X)
    g, y = torch.Generator().manual_seed(1), torch.arange(24) % 10
    z = torch.randn(24, 6, generator=g).requires_grad_()
    term = model.penalty(X, models.Code(z, None), z, y, g)["adversary"].mean()
    read = torch.nn.functional.cross_entropy(plain.adversary(z), y)
    assert term.item() == pytest.approx(read.item())
    for got, want, factor in ((z, z, -3.0), (model.adversary[0].weight, plain.adversary[0].weight, 1.0)):
        (one,) = torch.autograd.grad(term, got, retain_graph=True)
        (other,) = torch.autograd.grad(read, want, retain_graph=True)
        torch.testing.assert_close(one, factor * other)


def test_an_adversary_is_of_training_alone():
    """A checkpoint holds the network that is used, of exactly the shapes that its card describes."""
    model = make("scrubbed")
    model.begin(X)
    assert any("adversary" in name for name in model.state_dict())
    model.settle(X)
    assert {name: tuple(t.shape) for name, t in model.state_dict().items()} == model.config.shapes()


def test_a_training_goes_on_from_a_checkpoint(tmp_path):
    """Zero more epochs are the weights that were there; other shapes and strange names are refused in a sentence."""
    torch.set_num_threads(1)
    small = dict(encoder=(8,), decoder=(8,))

    def run(kind, **training):
        model, tag = ModelConfig(kind=kind, **small), "b" if kind == "cvae" else ""
        return checkpoints.load_or_train(Config(model, TrainingConfig("digits", **training), tag), root=tmp_path)[0]

    first = run("cvae", epochs=1)
    again = run("scrubbed", epochs=0, start="digits-cvae-2d-b")
    for name, tensor in first.state_dict().items():
        torch.testing.assert_close(again.state_dict()[name], tensor)
    with pytest.raises(ConfigError, match="widths"):
        run("vae", epochs=1, start="digits-cvae-2d-b")
    with pytest.raises(ConfigError, match="no checkpoint"):
        run("vae", epochs=1, start="digits-vae-9d")
    for name in ("../x", ".x", 3, "a" * 200):
        with pytest.raises(ConfigError, match="start"):
            TrainingConfig(start=name)


def test_what_follows_from_other_settings_stands_in_the_config():
    """A card that said "auto" would mean another network once the rule is another."""
    assert ModelConfig(kind="ae").seen == "binary" and ModelConfig(kind="ae").code == "linear"
    assert ModelConfig(kind="vae", likelihood="gaussian").seen == "grey"
    assert ModelConfig(kind="ae", likelihood="gaussian", seen="binary").seen == "binary"
    assert ModelConfig(kind="sparse").code == "relu"
    pca = ModelConfig(kind="pca", encoder=(9,), activation="tanh")
    assert (pca.encoder, pca.decoder, pca.likelihood, pca.seen, pca.code) == ((), (), "gaussian", "binary", "linear")
    assert ModelConfig(**Config(pca).to_dict()["model"]) == pca
    for wrong, said in (
        ({"kind": "vae", "code": "relu"}, "Gaussian"),
        ({"kind": "contractive", "code": "relu"}, "normalised"),
        ({"kind": "ae", "seen": "grey"}, "black or white"),
        ({"kind": "ae", "seen": "blue"}, "one of"),
    ):
        with pytest.raises(ConfigError, match=said):
            ModelConfig(**wrong)


def test_a_code_moves_as_its_jacobian_says_in_units_of_its_own_codes():
    """A linear encoder's Jacobian is its matrix; whatever turns and stretches the code changes nothing."""
    model = make("ae", latent_dim=3).double()
    model.encoder = torch.nn.Sequential(torch.nn.Linear(784, 3)).double()
    codes = model.encoder(X.double()).detach()
    found = metrics.contraction(model, X[:5].double(), None, codes)
    whiten = torch.linalg.inv(torch.linalg.cholesky(torch.cov(codes.T)))
    want = (whiten @ model.encoder[0].weight).square().sum().item()
    assert found.mean == pytest.approx(want, rel=1e-6) and found.median == pytest.approx(want, rel=1e-6)
    turned = torch.tensor([[2.0, 1.0, 0.0], [0.0, 0.5, 3.0], [1.0, 0.0, 1.0]], dtype=torch.float64)
    with torch.no_grad():
        model.encoder[0].weight.copy_(turned @ model.encoder[0].weight)
        model.encoder[0].bias.copy_(turned @ model.encoder[0].bias)
    again = metrics.contraction(model, X[:5].double(), None, codes @ turned.T)
    assert again == pytest.approx(found, rel=1e-6)
    assert found.shift > 0


def test_a_direction_without_spread_counts_for_nothing():
    """A dead unit divided by its spread of zero would be the whole of the number."""
    model = make("ae", latent_dim=2).double()
    codes = model.encode(X.double()).mean.detach()
    codes[:, 1] = 0.5
    found = metrics.contraction(model, X[:5].double(), None, codes)
    assert np.isfinite(found).all()


def test_components_beside_classes():
    """Two thirds of a class apart, and a group of two classes: by hand, and purity by scikit-learn's table."""
    from sklearn.metrics.cluster import contingency_matrix

    group, labels = torch.tensor([0, 0, 1, 1, 1, 5]), torch.tensor([0, 0, 0, 1, 1, 1])
    found = metrics.components(group, labels)
    assert found == (5 / 6, 4 / 6, 3)
    assert contingency_matrix(labels, group).max(0).sum() / 6 == found.purity


def test_units_are_counted_where_they_are_above_zero():
    found = metrics.units(torch.tensor([[0.0, 2.0, 0.0], [0.0, 4.0, 1.0], [0.0, 0.0, 3.0], [0.0, 0.0, 0.0]]))
    torch.testing.assert_close(found.use, torch.tensor([0.0, 0.5, 0.5]))
    torch.testing.assert_close(found.strength, torch.tensor([0.0, 3.0, 2.0]))
