"""The steps of the pipeline, one file each: inputs, arguments, output.

A file declares `STEP` or, if params.yaml decides how many there are, a function `steps(params)`;
`mmx.pipeline.registry` finds every file in this folder. docs/adding-a-step.md has a worked example.
"""
