"""The meaning and unit of each column of the store."""

_MEANINGS = {
    "trailer_id": "Identifier of the trailer, the same in every table.",
    "video_sha256": "sha256 of the video file that every row of this trailer derives from.",
    "video_digest": "Digest of the packets and times of the pictures, whatever the container.",
    "sound_digest": "Digest of the packets and times of the sound, whatever the container.",
    "duration_s": "Length of the video in seconds.",
    "width": "Width in pixels (trailers), or of one vector (experts).",
    "height": "Height in pixels.",
    "fps": "Average frames per second.",
    "frames": "Number of frames.",
    "has_audio": "Whether the file has a sound track.",
    "n_clips": "Number of rows that the table of clips has for this trailer.",
    "clip": "Position of the clip among the kept clips of its trailer, from 0.",
    "start": "First frame of the clip, from 0.",
    "stop": "One past the last frame of the clip.",
    "start_s": "Presentation time of the first frame, in seconds.",
    "stop_s": "End of the last frame's display, in seconds.",
    "cut_score": "Detector's score of the cut that opens the clip; null where no cut does.",
    "embedding": "The expert's vector for the clip, or its vectors over time (sequence experts).",
    "samples": "Frames, stacks or patches that the embedding was made from.",
    "padded": "How many of the network's inputs had to be repeated or borrowed.",
    "fingerprint": "sha256 of everything that determined the row: see receipts.parquet.",
    "expert": "Name of the expert, and of its folder.",
    "modality": "appearance, scene, motion or audio.",
    "claimed_width": "Width that the paper gives for this expert; null where it gives none.",
    "sequence": "Whether a clip has several vectors over time instead of one.",
    "trailers": "Number of trailers (experts), or the trailers made so (receipts).",
    "rows": "Number of clips that have an embedding.",
    "weights_sha256": "sha256 of each file of weights; empty for a descriptor without any.",
    "weights_source": "Where each file of weights comes from.",
    "weights_licence": "Licence of each file of weights.",
    "step": "The step of the pipeline.",
    "schema": "Version of the step's output format.",
    "inputs": "JSON: the digest of each input, by role.",
    "parameters": "JSON: every parameter that the step reads.",
    "code": "Digest of the step's code, without comments and docstrings.",
    "weights": "JSON: digest, source and licence of each file of weights.",
    "tools": "JSON: version of each tool that affects the output.",
    "outputs": "JSON: name, sha256 and size of each file that the step made.",
    "output_digest": "sha256 over names and digests of `outputs`: what later steps depend on.",
    "facts": "JSON: counts and flags that the step found.",
    "fault": "JSON: kind and reason where the input could not be processed, else null.",
    "adopted": "JSON: the evidence, where rows that other code or tools made were carried over.",
}


def meaning_of(column: str) -> str:
    """Return the meaning of a column; KeyError for one that the store does not have."""
    return _MEANINGS[column]


def is_known(column: str) -> bool:
    """Say whether the store has a column of this name."""
    return column in _MEANINGS
