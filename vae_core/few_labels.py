"""How many labels a code needs: most training images lose theirs, and codes are called by what the few teach.

Every way is deterministic: the same codes and labels, the same calls. SciPy and scikit-learn are imported where they
are used: pages that ask only what there is do not wait for them.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from scipy import sparse

COUNTS = (600, 1200)  # labels for which the register of measures keeps numbers
DRAWS = 10
NEIGHBOURS = 10
ALPHA = 0.99  # of what a code holds comes from its neighbours; the rest from its own label
CANDIDATES = 80  # among which `apart` looks
TINY = 1e-12


class Codes:
    """Codes of training images, of which a few get labels, and of test images, which get none: (N, D) and (M, D)."""

    def __init__(self, train: np.ndarray, test: np.ndarray, *, alike: bool = False) -> None:
        """alike: the numbers are of one scale already, as pixels are; one that hardly varies is not to count as much
        as the others."""
        self.train, self.test, self.alike = np.asarray(train, np.float64), np.asarray(test, np.float64), alike

    @cached_property
    def graph(self) -> Graph:
        return _graph(self.train, self.test)

    @cached_property
    def standard(self) -> Codes:
        """The same, each number with mean 0 and variance 1 over the training codes, unless they are alike."""
        if self.alike:
            return self
        mean, sd = self.train.mean(0), np.maximum(self.train.std(0), TINY)
        return Codes((self.train - mean) / sd, (self.test - mean) / sd)


class Graph(NamedTuple):
    """Who lies beside whom."""

    links: sparse.csr_array  # (N, N) between training codes, symmetric: D^-½ W D^-½
    nearest: np.ndarray  # (M, NEIGHBOURS) training codes beside each test code
    weights: np.ndarray  # (M, NEIGHBOURS)


class Calls(NamedTuple):
    """What each code is called, (N,) and (M,)."""

    train: np.ndarray
    test: np.ndarray


Named = Callable[[str], np.ndarray]  # "train" or "test" → what those codes are called


class Way(NamedTuple):
    """One way to call codes by a few labels."""

    name: str
    words: str  # what it does, a plain sentence
    learn: Callable[[Codes, np.ndarray, np.ndarray], Named]


def learn(way: str, codes: Codes, at: np.ndarray, labels: np.ndarray) -> Named:
    """How codes are called where the training codes `at` (L,) have these labels (L,). Raises `ValueError` without
    any."""
    if not len(at) or len(at) != len(labels):
        raise ValueError(f"expected at least one code and a label for each, got {len(at)} codes, {len(labels)} labels")
    if (labels == labels[0]).all():  # nothing else is known
        return lambda part: np.full(len(getattr(codes, part)), labels[0])
    return WAYS[way].learn(codes, at, labels)


def call(way: str, codes: Codes, at: np.ndarray, labels: np.ndarray) -> Calls:
    """The same, of all codes."""
    return Calls(*map(learn(way, codes, at, labels), Calls._fields))


def drawn(n: int, count: int, seed: int) -> np.ndarray:
    """Which `count` of n codes get their labels: more labels of one seed are the same ones and others."""
    return np.random.default_rng(seed).permutation(n)[:count]


def apart(codes: Codes, count: int) -> np.ndarray:
    """`count` training codes for a person to label, (count,), the most useful first: each is the one, of `CANDIDATES`,
    whose label would reach most of what those before it reach least: they lie in the thick of groups of their own."""
    n = len(codes.train)
    at = drawn(n, CANDIDATES, 0)
    held = np.zeros((n, len(at)), np.float32)  # roughly will do, and is three times as fast
    held[at, np.arange(len(at))] = 1
    reach = spread(codes.graph.links.astype(np.float32), held, enough=1e-4)
    reach = np.sqrt(np.maximum(reach / reach.max(0), 0))
    reached, found = np.zeros(n, np.float32), []
    for _ in range(min(count, len(at))):
        gain = np.maximum(reach - reached[:, None], 0).sum(0)
        gain[found] = -1
        found.append(int(gain.argmax()))
        reached = np.maximum(reached, reach[:, found[-1]])
    return at[found]


class Spread(NamedTuple):
    """Of accuracies over several draws of the labels."""

    mean: float
    half: float  # of the 95 % interval of the mean, by Student's t


def accuracies(
    codes: Codes, train_labels: np.ndarray, test_labels: np.ndarray, count: int, draws: int = DRAWS
) -> dict[str, Spread]:
    """{way: accuracy over all test codes} with `count` labels, drawn anew `draws` times (seeds from 0)."""
    from scipy import stats

    scores: dict[str, list[float]] = {way: [] for way in WAYS}
    for seed in range(draws):
        at = drawn(len(codes.train), count, seed)
        for way, found in scores.items():
            found.append(float((learn(way, codes, at, train_labels[at])("test") == test_labels).mean()))
    width = stats.t.ppf(0.975, draws - 1) / np.sqrt(draws)
    return {way: Spread(float(np.mean(found)), float(width * np.std(found, ddof=1))) for way, found in scores.items()}


# The ways -------------------------------------------------------------------------------------------------------------


def _centres(codes: Codes, at: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The labels that there are, (K,), and the mean of the codes that have each, (K, D)."""
    named = np.unique(labels)
    return named, np.stack([codes.train[at[labels == label]].mean(0) for label in named])


def _asked(predict: Callable[[np.ndarray], np.ndarray], codes: Codes) -> Named:
    return lambda part: predict(getattr(codes, part))


def _by_centre(codes: Codes, at: np.ndarray, labels: np.ndarray) -> Named:
    return _nearest(codes, *_centres(codes, at, labels))


def _nearest(codes: Codes, named: np.ndarray, centres: np.ndarray) -> Named:
    from sklearn.neighbors import NearestNeighbors

    find = NearestNeighbors(n_neighbors=1).fit(centres)
    return _asked(lambda z: named[find.kneighbors(z, return_distance=False)[:, 0]], codes)


def _by_k_means(codes: Codes, at: np.ndarray, labels: np.ndarray) -> Named:
    from sklearn.cluster import KMeans

    named, centres = _centres(codes, at, labels)
    return _nearest(codes, named, KMeans(len(named), init=centres, n_init=1).fit(codes.train).cluster_centers_)


def _by_neighbours(k: int) -> Callable[[Codes, np.ndarray, np.ndarray], Named]:
    def find(codes: Codes, at: np.ndarray, labels: np.ndarray) -> Named:
        from sklearn.neighbors import KNeighborsClassifier

        return _asked(KNeighborsClassifier(min(k, len(at))).fit(codes.train[at], labels).predict, codes)

    return find


def _by_regression(codes: Codes, at: np.ndarray, labels: np.ndarray) -> Named:
    from sklearn.linear_model import LogisticRegression

    z = codes.standard
    return _asked(LogisticRegression(max_iter=2000).fit(z.train[at], labels).predict, z)


def _by_svm(codes: Codes, at: np.ndarray, labels: np.ndarray) -> Named:
    from sklearn.svm import SVC

    z = codes.standard
    return _asked(SVC(C=10).fit(z.train[at], labels).predict, z)


def _graph(train: np.ndarray, test: np.ndarray) -> Graph:
    """A code's weight for a neighbour is exp(−d² / (s s′)), where s and s′ are how far either has to go to its last
    one (Zelnik-Manor & Perona 2004): heaps of codes are not equally dense."""
    from scipy import sparse
    from sklearn.neighbors import NearestNeighbors

    n, k = len(train), min(NEIGHBOURS, len(train) - 1)
    find = NearestNeighbors(n_neighbors=k).fit(train)
    d, near = find.kneighbors()  # without the code itself
    scale = np.maximum(d[:, -1], TINY)
    w = np.exp(-np.square(d) / (scale[:, None] * scale[near]))
    links = sparse.csr_array((w.ravel(), (np.repeat(np.arange(n), k), near.ravel())), shape=(n, n))
    links = links.maximum(links.T)
    root = sparse.diags_array(1 / np.sqrt(np.maximum(links.sum(1), TINY)))
    d, near_test = find.kneighbors(test)
    own = np.maximum(d[:, -1:], TINY)
    return Graph((root @ links @ root).tocsr(), near_test, np.exp(-np.square(d) / (own * scale[near_test])))


def spread(links: sparse.csr_array, held: np.ndarray, enough: float = 1e-12) -> np.ndarray:
    """(1 − α S) F = Y solved for F, both (N, K): each column on its own, by conjugate gradients, until what is left is
    this share of its square (Zhou et al. 2003)."""
    found, rest = np.zeros_like(held), held.copy()
    way, square = rest.copy(), np.square(rest).sum(0)
    limit = enough * square
    for _ in range(2000):
        if (square <= limit).all():
            break
        image = way - ALPHA * (links @ way)
        along = (way * image).sum(0)
        step = np.divide(square, along, out=np.zeros_like(square), where=along > 0)
        found += step * way
        rest -= step * image
        before, square = square, np.square(rest).sum(0)
        way = rest + np.divide(square, before, out=np.zeros_like(square), where=before > 0) * way
    return found


def _by_spreading(codes: Codes, at: np.ndarray, labels: np.ndarray) -> Named:
    """Each label flows along the graph; then every class is scaled to its share of the labels (Zhu et al. 2003), one
    more counted for each: with few labels who sits in the thick of it would take all. A test code asks its
    neighbours."""
    graph = codes.graph
    named, which = np.unique(labels, return_inverse=True)
    held = np.zeros((len(codes.train), len(named)))
    held[at, which] = 1
    found = spread(graph.links, held)
    found *= (held.sum(0) + 1) / np.maximum(found.sum(0), TINY)

    def ask(part: str) -> np.ndarray:
        if part == "test":
            return named[np.einsum("mk,mkc->mc", graph.weights, found[graph.nearest]).argmax(1)]
        own = named[found.argmax(1)]
        own[at] = labels
        return own

    return ask


WAYS = {
    "k-means": Way(
        "k-means from labelled centres",
        "The middle of each digit's labelled codes starts a heap. All codes, labelled or not, join the nearest middle, "
        "the middles move to where their codes are, and so on until they hardly move; a code is called what its "
        "heap was.",
        _by_k_means,
    ),
    "centre": Way(
        "Class centres",
        "The same middles, but they stay where they are: a code is called what the nearest middle is.",
        _by_centre,
    ),
    "nearest": Way(
        "Nearest neighbour",
        "A code is called what the nearest labelled code is.",
        _by_neighbours(1),
    ),
    "five": Way("Five neighbours", "The five nearest labelled codes vote.", _by_neighbours(5)),
    "logistic": Way(
        "Logistic regression",
        "Flat borders between the digits, placed by the labelled codes.",
        _by_regression,
    ),
    "svm": Way(
        "SVM",
        "A support vector machine: curved borders that keep as far from the labelled codes as they can.",
        _by_svm,
    ),
    "spreading": Way(
        "Label spreading",
        "Every code, labelled or not, is tied to its ten nearest. Labels flow along the ties, from neighbour to "
        "neighbour, and a code is called by what reaches it most. Codes without a label show it where heaps hang "
        "together.",
        _by_spreading,
    ),
}
