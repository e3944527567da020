"""Whether this run is a long one: with `LAYERDB_SOAK` set, random and crash tests try far more."""

import os

SOAK = bool(os.environ.get("LAYERDB_SOAK"))
