"""One stage of a simulated project, in the current folder.

python -m benchmarks.simulated_stage STEP
"""

import sys

if __name__ == "__main__":
    # Imported here for the reason that stages/run.py has.
    from benchmarks.simulated import run_stage
    from mmx.errors import report_errors

    with report_errors():
        run_stage(sys.argv[1])
