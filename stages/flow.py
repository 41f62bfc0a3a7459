"""flow: Dual TV-L1 optical flow within the clips of every trailer -> data/flow/."""

from stages.run import run_stage

if __name__ == "__main__":
    run_stage("flow")
