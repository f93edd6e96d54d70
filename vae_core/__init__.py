"""Autoencoders of handwritten digits: the models, their mathematics, and what is measured on them."""
