"""What tests do with a page without a browser: open it, run it, and read what it sends."""

import json
from pathlib import Path

import torch
from streamlit.testing.v1 import AppTest

from ui.live import store
from vae_core import latent

ROOT = Path(__file__).resolve().parents[2]


def page(root, name: str) -> AppTest:
    at = AppTest.from_file(str(root / "studio.py"), default_timeout=60).run()
    return run(at.switch_page(f"pages/{name}.py"))


def run(at: AppTest) -> AppTest:
    at.run()
    assert not at.exception, at.exception[0]
    return at


def shown(at: AppTest) -> str:
    return "".join(element.proto.body for element in at.get("html"))


def opens_with(at: AppTest, module: str = "") -> str:
    """What stands in the place of the live view until it has mounted: of the page's own, or of the named one."""
    views = [c.proto for c in at.get("bidi_component") if module or c.proto.component_name == "lse_view"]
    (view,) = (view for view in views if module in view.json)
    return json.loads(view.json)["first"]


def source() -> str:
    """The data set that samples come from where nobody has chosen one."""
    return store.sources()[0]


def sample(index: int) -> tuple[torch.Tensor, int]:
    images, labels = store.samples(source())
    return torch.tensor(images[index])[None], int(labels[index])


def ten_in_the_hand_of(model, x: torch.Tensor, label: int) -> torch.Tensor:
    z = latent.embed(model, x, torch.tensor([label])).mean
    return latent.decode(model, z.expand(10, -1), torch.arange(10))


def visit(page: str, **query: str) -> AppTest:
    app = AppTest.from_file(str(ROOT / "studio.py"), default_timeout=120).switch_page(f"pages/{page}.py")
    for name, text in query.items():
        app.query_params[name] = text
    return app.run()


def told(app: AppTest, module: str) -> dict:
    """What a page tells its live view."""
    sent = [json.loads(e.proto.json) for e in app.get("bidi_component") if module in e.proto.json]
    (options,) = [json.loads(content["options"]) for content in sent]
    return options
