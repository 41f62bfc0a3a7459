"""Record a first hour: every command is run, and docs/first-hour.md has its output as it was.

    python scripts/first_hour.py

Clones this repository's last commit into a temporary home and goes all the way to a report; takes
some ten minutes of two cores, and 8 GB of disk for the installation.
"""

import os
import re
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

TOP = Path(__file__).parents[1]
PAGE = TOP / "docs" / "first-hour.md"
MARK = "~~~ended~~~"
HEAD = """\
# A first hour

From a clone to the report on one's own clips: every command, and its output as it was. Recorded by
`scripts/first_hour.py`, which runs them all, on two cores ({processor}) that others used, too.
`$MMX` is the address of this repository. The clips stand for your own: `mmx sample` makes them, so
that nobody else's film is needed, and among them are such faults as collections have.
"""
PARTS = {
    "Clone and install": [
        'git clone --quiet "$MMX" my-trailers && cd my-trailers',
        "make install > install.log 2>&1; tail --lines 1 install.log; rm install.log",
        "source .venv/bin/activate",
        "mmx --version",
        "mmx doctor",
    ],
    "Look at what there is": [
        "mmx sample ~/clips --n 24",
        "head --lines 4 ~/clips/labels.csv",
    ],
    "Take it into the collection": [
        "mmx status",
        "mmx init --videos ~/clips/videos --labels ~/clips/labels.csv",
        "mmx plan",
        "mmx status",
    ],
    "Run the pipeline": [
        # Of so few trailers a tenth is too little to be tested on.
        "sed --in-place 's/train: 0.8$/train: 0.6/; s/validation: 0.1$/validation: 0.15/; "
        "s/test: 0.1$/test: 0.25/' params.yaml",
        "dvc repro",
        "mmx status",
        "mmx plan",
        "git add --all && git commit --quiet --message 'First version' && git log --oneline -1",
    ],
    "Look at the result": [
        "mmx report",
        "dvc metrics show",
        "mmx similar 0000-amber-harbour",
        "mmx trace 0000-amber-harbour --clip 0 --expert lite_scene",
        "mmx verify",
    ],
    "Correct a title: what an edit costs": [
        "sed --in-place '2s/[^,]*/A Better Title/' ~/clips/labels.csv",
        "mmx init --update --videos ~/clips/videos --labels ~/clips/labels.csv",
        "dvc repro",
    ],
    "Ask for what is not there": [
        "mmx trace 0000-amber-harbor",
        "mmx retry",
        "mmx publish releases/1.0.0 --version 1",
    ],
}


@dataclass
class Shell:
    """One bash in which commands follow each other."""

    process: "subprocess.Popen[str]"
    hidden: dict[str, str]
    """What is shown instead of names of this machine."""

    def run(self, command: str) -> tuple[str, float]:
        """Return what a command prints, and how many seconds it took."""
        assert self.process.stdin
        started = time.monotonic()
        self.process.stdin.write(f"{command}\necho; echo {MARK}\n")
        self.process.stdin.flush()
        told = "".join(self._lines()).strip("\n")
        for name, shown in self.hidden.items():
            told = told.replace(name, shown)
        return told, time.monotonic() - started

    def _lines(self) -> Iterator[str]:
        assert self.process.stdout
        for line in self.process.stdout:
            if line.strip() == MARK:
                return
            yield line


def start(home: Path) -> Shell:
    """Return a shell in an empty home."""
    kept = {name: os.environ[name] for name in os.environ if name.startswith(("PIP_", "SSL_"))}
    named = {"GIT_AUTHOR_NAME": "you", "GIT_AUTHOR_EMAIL": "you@example.org"}
    named |= {name.replace("AUTHOR", "COMMITTER"): value for name, value in named.items()}
    environment = {
        **kept, **named, "HOME": str(home), "MMX": str(TOP), "PATH": os.environ["PATH"],
        "COLUMNS": "100", "NO_COLOR": "1", "LC_ALL": "C.UTF-8", "DVC_NO_ANALYTICS": "1",
    }  # fmt: skip
    process = subprocess.Popen(
        ["bash", "--norc"], cwd=home, env=environment, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    return Shell(process, {str(home): "~", str(TOP): "$MMX", f" {socket.gethostname()}": " here"})


def block(command: str, told: str, seconds: float) -> str:
    """Return a command with its output, as a block of the page."""
    took = f"\n# {seconds:.0f} s" if seconds >= 5 else ""
    lines = [line.rstrip() for line in told.splitlines()]
    return "\n".join([f"```console\n$ {command}", *lines]).rstrip() + f"{took}\n```\n"


def processor() -> str:
    """Return the name of the processor."""
    found = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    return found[1] if found else "unknown"


def main() -> None:
    """Run all commands and write the page."""
    parts = [HEAD.format(processor=processor())]
    with tempfile.TemporaryDirectory() as folder:
        shell = start(Path(folder))
        for title, commands in PARTS.items():
            parts += [f"## {title}\n", *(block(each, *shell.run(each)) for each in commands)]
            print(title, flush=True)
        shell.process.communicate("exit\n")
    PAGE.write_text("\n".join(parts))


if __name__ == "__main__":
    main()
