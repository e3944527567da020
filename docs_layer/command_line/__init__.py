"""The command line `layerdb`: an ordinary client of the public names of `lsm` and `docs_layer`.

One module for each group of commands; `application` puts them together and turns failures into one line and an exit
status.
"""

from docs_layer.command_line.application import main

__all__ = ["main"]
