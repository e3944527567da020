"""The demo: the whole product on real data, told from top to bottom. An ordinary client of `docs_layer`'s public names.

`story` holds the order of the chapters, `narration` the voice, `source` the data; each other module is a chapter.
"""

from docs_layer.demo.source import MissingDataError
from docs_layer.demo.story import run

__all__ = ["MissingDataError", "run"]
