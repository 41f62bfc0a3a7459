"""A generated collection of trailers: nothing downloaded, the same bytes from the same seed."""

from mmx.sample.generate import SampleError, SampleReport, generate
from mmx.sample.looks import GENRES, STYLES

__all__ = ["GENRES", "STYLES", "SampleError", "SampleReport", "generate"]
