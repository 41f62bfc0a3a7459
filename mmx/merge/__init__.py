"""Merge the work of several people: manifest, split and dvc.lock, as git's merge drivers."""
