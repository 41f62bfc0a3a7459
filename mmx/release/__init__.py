"""Releases: versions of the data set in folders of their own, for people who have nothing else."""
