"""Weighbridge: weigh every variant of an on-device model before you ship it."""

__version__ = "0.1.0"
