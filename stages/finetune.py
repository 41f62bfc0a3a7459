"""finetune: contrastive fine-tuning -> models/fine/."""

from mmx.errors import report_errors
from mmx.learning import finetune
from mmx.project import open_project

if __name__ == "__main__":
    with report_errors():
        finetune(open_project())
