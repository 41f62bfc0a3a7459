"""The steps of the pipeline, one file each: what it needs, what it is called with, what it leaves.

A file declares `STEP`, or a function `steps(params)` where params.yaml says how many there are;
`mmx.pipeline.registry` finds it by its presence here. docs/adding-a-step.md is a worked example.
"""
