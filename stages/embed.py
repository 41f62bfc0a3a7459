"""embed@EXPERT: one expert's embedding of every clip -> data/embeddings/EXPERT/."""

import sys

from stages.run import run_stage

if __name__ == "__main__":
    run_stage(f"embed@{sys.argv[1]}")
