"""What either depth of `mmx verify` proves, for its help."""

DEPTHS = """\
Full: every byte of videos, outputs, models, store and DVC cache is hashed and compared with
its receipt, its pin, its file name and dvc.lock; every row of every shard with its receipt; every
receipt with its fingerprint; every input that a receipt names with what is there. It proves that
nothing changed since it was made, but not that it was computed correctly: see `mmx audit`.

Quick: receipts, references, names and sizes only. It proves that nothing is missing and that all
references agree, not that no byte changed."""
