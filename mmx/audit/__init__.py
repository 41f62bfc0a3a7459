"""Trace rows to their videos, verify artefacts, repair damage, recompute and compare."""
