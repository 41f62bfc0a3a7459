"""`python -m mmx`: the commands, with the code of the folder that it is called in."""

from mmx.cli import main

if __name__ == "__main__":
    main()
