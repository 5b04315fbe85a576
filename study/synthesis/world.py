"""The vocoder WORLD (Morise et al., 2016) by way of pyworld.

pyworld imports `pkg_resources`, only to ask for its own version. setuptools has removed that module in version 81, and
new virtual environments have no setuptools, so `importlib.metadata` stands in for it.
"""

import sys
from importlib.metadata import distribution
from types import ModuleType

_stand_in = ModuleType("pkg_resources")
setattr(_stand_in, "get_distribution", distribution)  # noqa: B010 (mypy knows no attributes of a new module)
_former = sys.modules.get("pkg_resources")
sys.modules["pkg_resources"] = _stand_in
try:
    from pyworld import cheaptrick, d4c, dio, stonemask, synthesize
finally:
    del sys.modules["pkg_resources"]
    if _former is not None:
        sys.modules["pkg_resources"] = _former

__all__ = ["cheaptrick", "d4c", "dio", "stonemask", "synthesize"]
