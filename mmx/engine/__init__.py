"""Incremental work: items, their fingerprints, their store, their receipts, and the worker pool."""
