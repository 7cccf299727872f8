"""Files of fitted models that are loaded without running code from them."""

from skdl.persistence.files import load, save
from skdl.persistence.trusted import TRUSTED_TYPES
from skdl.persistence.versions import show_versions

__all__ = ["TRUSTED_TYPES", "load", "save", "show_versions"]
