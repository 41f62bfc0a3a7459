"""What dvc.yaml runs: `python -m stages.run STEP`."""
