"""The DVC stages: one short script each, run by dvc.yaml as `python -m stages.NAME`."""
