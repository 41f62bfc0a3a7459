"""audio: the sound of every accepted trailer -> data/audio/."""

from stages.run import run_stage

if __name__ == "__main__":
    run_stage("audio")
