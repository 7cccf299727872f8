"""The one place that states skdl's version."""

__version__ = "0.1.0.dev0"
