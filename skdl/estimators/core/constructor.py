"""The constructor of estimators: made of parameters that are declared once.

A class of parameters declares fields with their defaults and describes them in its
docstring; `_constraints` says which values they take. An estimator inherits behaviour
from its first bases and parameters from its last ones. Its signature has the fields of
the last base first, so that it reads in the order of use: what the network is, how it
is trained, where it runs.
"""

import dataclasses
import functools
from typing import Any, TypeVar, dataclass_transform

from skdl.estimators.core.wrong_names import unexpected

_Class = TypeVar("_Class", bound=type)


@dataclass_transform(kw_only_default=True, eq_default=False)
def parameters(cls: _Class) -> _Class:
    """Give a class an `__init__` of its fields and those of its bases, and constraints.

    A name that is not known is answered with the right one.
    """
    made = dataclasses.dataclass(kw_only=True, eq=False, repr=False)(cls)
    generated = made.__init__
    known = [field.name for field in dataclasses.fields(made)]

    @functools.wraps(generated)
    def init(self: Any, *args: Any, **given: Any) -> None:
        if given.keys() - set(known):
            raise TypeError(unexpected(type(self).__name__, given, known))
        generated(self, *args, **given)

    made.__init__ = init
    made._parameter_constraints = {
        name: allowed
        for base in reversed(made.__mro__)
        for name, allowed in vars(base).get("_constraints", {}).items()
    }
    return made
