"""A small data set, and servers on this machine that offer it as torchvision's mirrors do: well or badly."""

import gzip
import hashlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

FILES = tuple(f"{split}-{kind}-ubyte" for split in ("train", "t10k") for kind in ("images-idx3", "labels-idx1"))


def idx(values: np.ndarray) -> bytes:
    """An idx file written by the definition, byte by byte, and not by our reader's code."""
    header = bytes([0, 0, 8, values.ndim]) + b"".join(n.to_bytes(4, "big") for n in values.shape)
    return header + values.astype(np.uint8).tobytes()


@pytest.fixture(scope="module")
def content() -> dict[str, bytes]:
    """A data set of twelve training and ten test images, with every label, in the four files of MNIST."""
    rng = np.random.default_rng(0)
    sizes = {"train": 12, "t10k": 10}
    return {
        name: idx(rng.integers(0, 256, (n, 28, 28)) if "images" in name else np.arange(n) % 10)
        for name in FILES
        for n in [sizes[name.split("-")[0]]]
    }


@pytest.fixture
def small(content: dict[str, bytes], monkeypatch) -> dict[str, bytes]:
    """That data set as the official MNIST: as many images, and these files' sums."""
    from vae_core import data

    monkeypatch.setattr(data, "IMAGES", {"train": 12, "test": 10})
    sums = {name: hashlib.sha256(file).hexdigest() for name, file in content.items()}
    monkeypatch.setitem(data.DATASETS, "mnist", data.DATASETS["mnist"]._replace(sums=sums))
    return content


class Mirror(ThreadingHTTPServer):
    """Serves gzipped files on loopback; `manner` says how badly."""

    daemon_threads = True

    def __init__(self, files: dict[str, bytes], manner: str = "well"):
        super().__init__(("127.0.0.1", 0), Handler)
        self.files, self.manner, self.asked = files, manner, []
        self.let_go = threading.Event()  # a handler that stalls waits for this, so that no test waits for it
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/"

    def handle_error(self, request, client_address):
        """A client that leaves in the middle is what some tests are about."""


class Handler(BaseHTTPRequestHandler):
    server: Mirror

    def do_GET(self):
        name, manner = self.path.lstrip("/"), self.server.manner
        self.server.asked.append(name)
        if manner == "absent":
            return self.send_error(503, "Service Unavailable")
        content = self.server.files[name]
        self.send_response(200)
        if manner != "no length":
            self.send_header("Content-Length", "many" if manner == "no number" else str(len(content)))
        self.end_headers()
        if manner == "truncated":
            self.wfile.write(content[: len(content) // 2])
        elif manner == "stalls":
            self.wfile.write(content[:100])
            self.server.let_go.wait(30)
        elif manner == "waits":
            self.wfile.write(content[:100])
            self.server.let_go.wait(30)
            self.wfile.write(content[100:])
        elif manner == "drips":
            for byte in content:
                self.wfile.write(bytes([byte]))
                if self.server.let_go.wait(0.02):
                    return
        else:
            self.wfile.write(content)

    def log_message(self, *_):
        pass


@pytest.fixture
def mirror(small, monkeypatch):
    """Start mirrors and make them torchvision's: `mirror("absent", "well")` are two, asked in this order."""
    import torchvision.datasets

    packed = {f"{name}.gz": gzip.compress(content) for name, content in small.items()}
    servers: list[Mirror] = []

    def start(*manners: str) -> list[Mirror]:
        servers.extend(Mirror(packed, manner) for manner in manners)
        resources = [(name, hashlib.md5(content).hexdigest()) for name, content in packed.items()]
        monkeypatch.setattr(torchvision.datasets.MNIST, "mirrors", [server.url for server in servers])
        monkeypatch.setattr(torchvision.datasets.MNIST, "resources", resources)
        return servers

    yield start
    for server in servers:
        server.let_go.set()
        server.shutdown()
        server.server_close()
