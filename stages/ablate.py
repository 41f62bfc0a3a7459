"""ablate@VARIANT: one row of tables 2 and 5, several seeds -> reports/ablations/VARIANT/."""

import sys

from mmx.errors import plain_errors
from mmx.learning import ablate
from mmx.project import open_project

if __name__ == "__main__":
    with plain_errors():
        ablate(sys.argv[1], open_project())
