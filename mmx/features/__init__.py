"""The Parquet feature store: readable by any Parquet reader."""

from mmx.features.load import Features, load
from mmx.features.read import FeaturesError, read_embeddings, read_table
from mmx.features.write import ExpertSource, build_store

__all__ = [
    "ExpertSource",
    "Features",
    "FeaturesError",
    "build_store",
    "load",
    "read_embeddings",
    "read_table",
]
