"""The Parquet feature store: readable by any Parquet reader."""

from mmx.features.read import Features, load, read_embeddings, read_table
from mmx.features.write import ExpertSource, build_store

__all__ = ["ExpertSource", "Features", "build_store", "load", "read_embeddings", "read_table"]
