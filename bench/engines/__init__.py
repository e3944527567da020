"""The engines that are compared, behind one small interface that adds no call of its own to the measured ones."""

from bench.engines.interface import Durability, Engine
from bench.engines.registry import ENGINES, open_engine

__all__ = ["ENGINES", "Durability", "Engine", "open_engine"]
