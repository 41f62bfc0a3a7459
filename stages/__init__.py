"""The script that dvc.yaml runs: `python -m stages.run STEP`."""
