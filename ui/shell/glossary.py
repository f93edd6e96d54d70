"""The words of this app, one plain sentence each: shown at the foot of every page, and as tooltips where they stand.

tests/browser/test_pages_in_browser.py reads every page and holds the list complete.
"""

from __future__ import annotations

import html
import re

import streamlit as st

from ui.shell.folded import folded

# Term → what the pages write for it (a regular expression, whole words) and the sentence.
GLOSSARY: dict[str, tuple[str, str]] = {
    "AE": (
        "AE|autoencoder",
        "Autoencoder: a network that squeezes a picture into a few numbers and draws it back from them.",
    ),
    "DAE": (
        "DAE|denoising autoencoder",
        "Denoising autoencoder: an autoencoder that is shown spoilt pictures and has to draw the clean ones.",
    ),
    "VAE": (
        "VAE|variational autoencoder",
        "Variational autoencoder: it answers with a small cloud of codes, pays in nats for what they tell of the "
        "digit, and can draw new digits from the prior.",
    ),
    "CVAE": (
        "CVAE|conditional VAE",
        "Conditional VAE: a VAE whose encoder and decoder are told the label, so that the code need not hold it.",
    ),
    "encoder, decoder": (
        "encoders?|decoders?|encode[sd]?|decode[sd]?",
        "The encoder turns a picture into a code, the decoder turns a code into a picture.",
    ),
    "code, z": (
        "codes?|z|z₁|z₂|latent",
        "The few numbers (2 or 20 here) that a model keeps of a picture; with two of them each picture is a point "
        "on a map.",
    ),
    "bottleneck": (
        "bottleneck",
        "The narrow middle of the network: all that the decoder learns of a picture has to pass through the code.",
    ),
    "nat": (
        "nats?|nats²",
        "The unit of surprise, −log of a probability with the natural logarithm: one nat more means e ≈ 2.7 times "
        "less likely, and 0.69 nats are one bit.",
    ),
    "reconstruction": (
        "reconstructions?|cross-entropy|NLL",
        "What is left to pay when the decoder has drawn: −log p(x given z), summed over the pixels, in nats; less "
        "is better.",
    ),
    "prior, N(0, I)": (
        "priors?|N\\(0, I\\)",
        "What is assumed of a code before any picture is seen: each of its numbers comes from a bell curve about 0 "
        "with a spread of 1. A mixture VAE learns another one along, of several bell curves.",
    ),
    "posterior": (
        "posteriors?",
        "Which codes could have drawn a given picture, and how likely each of them is.",
    ),
    "q": (
        "q|q\\(z",
        "The encoder's guess at the posterior of one picture: a Gaussian with a mean μ and a spread σ in each "
        "direction.",
    ),
    "aggregated posterior, q(z)": (
        "aggregated posteriors?|q\\(z\\)",
        "The posteriors of many pictures added up and divided by their number: where all their codes lie together.",
    ),
    "mutual information": (
        "mutual information",
        "How many nats a code tells, on average, of which picture it came from; of N pictures at most log N.",
    ),
    "μ, σ": (
        "μ|[0-9]?σ|sd",
        "Mean and standard deviation: where a cloud of numbers lies, and how wide it is (about 68 % of a bell curve"
        " lie within one σ of μ).",
    ),
    "Gaussian": ("Gaussians?", "The bell curve, in two directions an ellipse: given by its mean and its spread."),
    "KL": (
        "KL|KLs",
        "Kullback–Leibler divergence: how many nats more likely a draw of the first distribution is under it than "
        "under the second, on average; 0 where both are equal, never negative.",
    ),
    "ELBO": (
        "−?ELBOs?",
        "Evidence lower bound: −(reconstruction, averaged over q) − (KL of q from the prior), in nats. It is never "
        "above log p(x), a CVAE's never above log p(x given y); a lower −ELBO is better.",
    ),
    "evidence, log p(x)": (
        "evidence|log p\\(x|p\\(x",
        "How likely the model finds a picture when every code is counted that could draw it, as a logarithm in nats; a "
        "CVAE's is given the label y. Exact only where the integral over the codes can be done, here in two "
        "dimensions.",
    ),
    "gap": (
        "gaps?|amortisation|approximation",
        "What the ELBO loses against log p(x): the approximation gap because q must be an ellipse that does not lean, "
        "the amortisation gap because one encoder answers for all pictures and fits no single one of them.",
    ),
    "E-step": (
        "E-step",
        "The search for the best q of one single picture, by climbing the ELBO step by step: half of "
        "expectation–maximisation, a way to train that does without an encoder.",
    ),
    "ladder of inference": (
        "ladders?|rungs?",
        "Better and better q for one picture, each for more work: of the encoder asked once, asked again about the "
        "picture moved a little, and after a few steps of the E-step.",
    ),
    "Jensen's inequality": (
        "Jensen(?:['’]s inequality)?",
        "The mean of logarithms is at most the logarithm of the mean: why the ELBO, a mean of log weights, stays below "
        "log p(x), the logarithm of their mean.",
    ),
    "β": ("β", "What one nat of KL costs in training: at 1 the objective is −ELBO, at 0 the KL is free."),
    "mode": ("modes?|peaks?", "A peak of a distribution, higher than all around it."),
    "Bernoulli": (
        "Bernoulli",
        "A coin for each pixel that falls on white with the probability which the decoder draws as a grey.",
    ),
    "binarised": (
        "binaris(?:ed|es|ing|ation)",
        "Every pixel is made white or black, at a threshold of one half; likelihoods depend on it.",
    ),
    "L, K draws; IWAE": (
        "IWAE|importance(?:[- ]weight\\w*)?|[LK] draws|one draw|One draw",
        "Instead of an integral over the codes a mean over random ones; weighting each draw by how well it explains"
        " the picture (IWAE) lifts the bound towards log p(x).",
    ),
    "reparameterised, score function": (
        "reparameteri[sz]\\w*|score[- ]function|REINFORCE",
        "Two ways to a gradient through a random draw: move the draw with the parameters (reparameterised), or "
        "leave it and weigh how likely it was (score function, which varies far more).",
    ),
    "MSE": (
        "MSE|mean squared error",
        "Mean squared error: the average squared difference between two pictures' pixels.",
    ),
    "PSNR, dB": (
        "PSNR|dB",
        "Peak signal-to-noise ratio, −10 log₁₀ of the mean squared error, in decibels: 3 dB more is half the error.",
    ),
    "bit": ("bits?", "What one yes or no tells. A nat is 1.44 of them."),
    "PNG": ("PNG", "A format of picture files that loses nothing. Its head and frame count as part of the file."),
    "zlib": ("zlib", "A compressor for any data, which finds what comes again; the same one works inside of PNG."),
    "PCA": (
        "PCA",
        "Principal component analysis: of all compressions by weighted sums alone the one of least squared error.",
    ),
    "GAN": (
        "GANs?",
        "Generative adversarial network: one network draws, another tries to tell its drawings from real pictures, and "
        "each learns from the other. None is in this app.",
    ),
    "k-means": (
        "k-means",
        "Sorts points into k groups: each joins the nearest middle, each middle moves to the mean of its points, and "
        "so on until they hardly move.",
    ),
    "label spreading": (
        "[Ll]abel spreading|spreading",
        "Names points after a few that have names: each is tied to its nearest, and names flow along the ties.",
    ),
    "logistic regression": (
        "[Ll]ogistic regression",
        "Parts the classes by flat borders, placed so that the labelled points become likeliest.",
    ),
    "SVM": (
        "SVM|support vector machine",
        "Support vector machine: parts the classes by borders, here curved ones, that keep as far as they can from the "
        "labelled points.",
    ),
    "ridge regression": (
        "ridge|ridge regression|(?<!ogistic )regressions?",
        "Guesses each clean pixel as a weighted sum of all spoilt ones, with weights kept small.",
    ),
    "robust σ": (
        "robust|interquartile range",
        "A spread that a few far points cannot inflate: the width of the middle half of the values, divided by 1.349 "
        "so that it is σ for a bell curve.",
    ),
    "cycle error": (
        "cycle error",
        "How much a drawing changes when it is encoded and decoded again; small where the model knows its own drawing.",
    ),
    "sensitivity": (
        "sensitivity",
        "How much a drawing changes when its code moves a little: the area that a small square of codes gets among the "
        "drawings.",
    ),
    "judge": (
        "judge[sd]?|classifier",
        "A separate network, trained on digits and on pictures that are none, which reads a drawing and says "
        "whether it is a digit; it never saw an autoencoder.",
    ),
    "standard error": (
        "standard errors?",
        "How far a mean of so many values may be off by chance; four times as many values halve it.",
    ),
    "percentile": ("percentiles?", "The share of test images with a lower value."),
    "MNIST": (
        "MNIST",
        "70,000 handwritten digits of 28×28 pixels; the models learned on 60,000 and are measured on the other 10,000.",
    ),
}


def sentence(term: str) -> str:
    """What a term means."""
    return GLOSSARY[term][1]


def in_text(text: str) -> list[str]:
    """The terms that a text uses, in the glossary's order."""
    return [term for term, (pattern, _) in GLOSSARY.items() if re.search(rf"(?<!\w)(?:{pattern})(?!\w)", text)]


def marked(text: str) -> str:
    """A short text as HTML, such as a table's head, in which the first term known here carries its sentence."""
    for term in in_text(text):
        if found := re.search(rf"(?<!\w)(?:{GLOSSARY[term][0]})(?!\w)", text):
            before, word, after = text[: found.start()], found[0], text[found.end() :]
            title = html.escape(sentence(term), quote=True)
            return f'{html.escape(before)}<abbr title="{title}">{html.escape(word)}</abbr>{html.escape(after)}'
    return html.escape(text)


def glossary(*first: str) -> None:
    """The foot of a page: the words it uses, then the others."""

    def words() -> None:
        others = [term for term in GLOSSARY if term not in first]
        for title, terms in (("On this page", first), ("Elsewhere in the app", others)):
            items = "".join(f"<dt>{html.escape(t)}</dt><dd>{html.escape(sentence(t))}</dd>" for t in terms)
            st.html(f'<div class="lse-words"><b>{title}</b><dl>{items}</dl></div>')

    folded("What the words mean", words)
