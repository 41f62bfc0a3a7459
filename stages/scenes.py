"""scenes: the shots of every accepted trailer -> data/clips/."""

from stages.run import run_stage

if __name__ == "__main__":
    run_stage("scenes")
