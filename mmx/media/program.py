"""Where the ffmpeg program is."""

import imageio_ffmpeg


def ffmpeg_program() -> str:
    """Return the path of the ffmpeg program: IMAGEIO_FFMPEG_EXE, the package's, or one on PATH.

    Raise RuntimeError where there is none.
    """
    return imageio_ffmpeg.get_ffmpeg_exe()
