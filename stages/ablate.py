"""ablate@VARIANT: one row of tables 2 and 5, several seeds -> reports/ablations/VARIANT/."""

import sys

from mmx.errors import report_errors
from mmx.learning import ablate
from mmx.project import open_project

if __name__ == "__main__":
    with report_errors():
        ablate(sys.argv[1], open_project())
