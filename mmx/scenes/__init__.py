"""Scene detection: where a video is cut, and which clips are kept."""
