"""The scripts for Slurm, with a program that plays sbatch: it notes each job and runs arrays."""

import os
import re
import subprocess
from pathlib import Path

import pytest
import yaml

from mmx.pipeline.registry import trailer_steps
from mmx.project import open_project

TOP = Path(__file__).parents[1]
SBATCH = """#!/bin/bash
number=$(($(cat jobs | wc -l) + 1))
echo "$number $*" >> jobs
echo "$number;cluster"
while [[ $1 == --* ]]; do [[ $1 == --array=1-* ]] && last=${1#--array=1-}; shift; done
if [[ $1 == *.sbatch ]]; then
    for ((i = 1; i <= last; i++)); do SLURM_CPUS_PER_TASK=3 SLURM_ARRAY_TASK_ID=$i bash "$@"; done
fi
"""
SRUN = '#!/bin/bash\necho "$MMX_RUN_WORKERS $*" >> work\n'


def program(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A project in which every program but the scripts is played."""
    (tmp_path / "scripts").symlink_to(TOP / "scripts")
    program(tmp_path / "bin" / "sbatch", SBATCH)
    program(tmp_path / "bin" / "srun", SRUN)
    experts = yaml.safe_load((TOP / "params.yaml").read_text())["embed"]["experts"]
    stages = ["ingest", "scenes", *(f"embed@{name}" for name in experts), "features"]
    (tmp_path / "stages").write_text("\n".join(stages))
    program(tmp_path / ".venv" / "bin" / "dvc", "#!/bin/bash\ncat stages\n")
    program(tmp_path / ".venv" / "bin" / "activate", "")
    (tmp_path / "jobs").touch()
    return tmp_path


def submit(folder: Path, *arguments: str, **environment: str) -> list[str]:
    """Run the script; the options of each job."""
    path = os.pathsep.join([str(folder / "bin"), os.environ["PATH"]])
    subprocess.run(
        ["scripts/slurm_submit.sh", *arguments],
        cwd=folder,
        env={**os.environ, "PATH": path, **environment},
        check=True,
        capture_output=True,
    )
    return (folder / "jobs").read_text().splitlines()


def test_every_shard_of_every_step_is_computed(folder: Path) -> None:
    submit(folder, "3")
    worked = (folder / "work").read_text().splitlines()
    steps = [step.name for step in trailer_steps(open_project(TOP).params)]
    wanted = [f"mmx work {step} --shard {i}/3" for step in steps for i in (1, 2, 3)]
    assert sorted(line.split(" ", 2)[2] for line in worked) == sorted(wanted)
    assert all(line.startswith("3 --cpus-per-task=3 ") for line in worked)


def test_a_job_waits_for_all_that_it_needs(folder: Path) -> None:
    jobs = submit(folder, "2")
    kind = {}
    for job in jobs:
        number = job.split()[0]
        laid_out = re.search(r"dvc repro ?(.*)$", job)
        made = re.search(r"\.sbatch (\S+)", job)
        kind[number] = f"lay {laid_out[1]}".strip() if laid_out else f"work {made and made[1]}"
    after = {
        kind[job.split()[0]]: {kind[number] for number in found[1].split(":")[1:]}
        for job in jobs
        if (found := re.search(r"--dependency=afterok(\S+)", job))
    }
    experts = {name for name in kind.values() if name.startswith("work embed@")}
    assert experts and after == {
        "work scenes": {"lay ingest"},
        "lay scenes": {"work scenes"},
        "work audio": {"lay scenes"},
        "work flow": {"lay scenes"},
        "lay audio flow": {"work audio", "work flow"},
        **{name: {"lay audio flow"} for name in {*experts, "work stills"}},
        "lay": {*experts, "work stills"},
    }
    assert all("--kill-on-invalid-dep=yes" in job for job in jobs)


def test_options_reach_the_jobs_that_they_are_for(folder: Path) -> None:
    jobs = submit(
        folder, "1", MMX_SBATCH="--partition=a --time=1", MMX_SBATCH_EMBED="--gpus-per-task=1"
    )
    assert all("--partition=a --time=1" in job for job in jobs)
    assert all(("--gpus-per-task=1" in job) == ("embed@" in job) for job in jobs)


@pytest.mark.parametrize("stage", ["scenes", "audio", "flow", "embed@", "ingest"])
def test_a_job_that_is_refused_ends_the_submission(folder: Path, stage: str) -> None:
    refuse = f'[[ "$*" == *{stage}* ]] && exit 1\n'
    program(folder / "bin" / "sbatch", SBATCH.replace("\n", f"\n{refuse}", 1))
    with pytest.raises(subprocess.CalledProcessError):
        submit(folder, "1")
    assert stage not in (folder / "jobs").read_text()
