"""What the generated trailers are made of: tables of matter, stage, move, sound, genre and style.

A genre names one row of each table. Seven rows for twenty genres: in every modality several genres
look, move or sound the same, and only the combination distinguishes them.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Matter:
    """Appearance: what surfaces and things look like."""

    texture: str
    """A key of `mmx.sample.textures.TEXTURES`."""
    shape: str
    """A key of `mmx.sample.shapes.SHAPES`."""
    things: int
    """Number of moving things."""
    size: float
    """Radius of a thing as a share of the picture's height."""


@dataclass(frozen=True)
class Stage:
    """Scene: where light and colour are in the picture."""

    layout: str
    """A key of `mmx.sample.textures.LAYOUTS`."""
    hues: tuple[float, float]
    """Degrees: of the layout's two zones."""
    saturation: float
    """0 to 1."""
    value: float
    """0 to 1: brightness of the brighter zone."""


@dataclass(frozen=True)
class Move:
    """Motion: per frame, as shares of the picture's height."""

    pan: tuple[float, float]
    """Camera: right and down."""
    zoom: float
    """Camera: relative growth."""
    turn: float
    """Camera: degrees."""
    shake: float
    """Camera: standard deviation of a jump."""
    pace: float
    """Speed of the things."""


@dataclass(frozen=True)
class Sound:
    """Sound: a run of notes over a band of noise."""

    pitch: float
    """Hertz of the lowest note."""
    chord: tuple[int, ...]
    """Semitones above it, played in turn."""
    brightness: float
    """0 (a sine) to 1 (all partials equally loud)."""
    tempo: float
    """Notes per second."""
    decay: float
    """Seconds until a note has fallen to a third."""
    noise: float
    """0 to 1: share of noise."""
    band: tuple[float, float]
    """Hertz: where the noise lies."""
    beat: float
    """0 (steady noise) to 1 (noise in bursts, one a note)."""


@dataclass(frozen=True)
class Genre:
    """A genre's appearance: one row of each table, and how often a shot has it."""

    support: int
    """Trailers of this genre among the paper's 754 test trailers (Table 2)."""
    matter: str
    stage: str
    move: str
    sound: str
    degrees: tuple[float, float, float, float]
    """Probability, per modality in the order above, that a shot shows the genre's row; any row
    otherwise."""


@dataclass(frozen=True)
class Style:
    """A style of a whole trailer that is in no label; one trait per modality."""

    grain: float
    """Appearance: standard deviation of film grain, in levels of 255."""
    lines: float
    """Appearance: depth of dark scan lines, 0 to 1."""
    softness: float
    """Appearance: standard deviation of a blur, as a share of the picture's height."""
    tint: tuple[float, float, float]
    """Scene: gains of red, green, blue."""
    vignette: float
    """Scene: darkening towards the corners, 0 to 1."""
    sway: tuple[float, float]
    """Motion: amplitude of a slow swing, right and down, as shares of the height."""
    roll: float
    """Motion: amplitude of a slow roll, degrees."""
    echo: float
    """Sound: loudness of an echo after 0.18 s, 0 to 1."""
    hum: float
    """Sound: loudness of a mains hum, 0 to 1."""
    damp: float
    """Sound: Hertz above which nothing is left."""


MATTERS = {
    "foliage": Matter("streaks", "leaf", 3, 0.16),
    "masonry": Matter("bricks", "block", 2, 0.20),
    "shards": Matter("facets", "triangle", 5, 0.12),
    "bubbles": Matter("dots", "disc", 5, 0.14),
    "sparks": Matter("specks", "star", 4, 0.12),
    "fabric": Matter("weave", "bar", 2, 0.22),
    "crowd": Matter("clouds", "figure", 6, 0.16),
}

STAGES = {
    "daylight": Stage("horizon", (205.0, 110.0), 0.55, 0.95),
    "embers": Stage("pit", (18.0, 350.0), 0.85, 0.85),
    "neon": Stage("columns", (300.0, 185.0), 0.80, 0.80),
    "night": Stage("spot", (225.0, 250.0), 0.60, 0.62),
    "parchment": Stage("frame", (42.0, 30.0), 0.40, 0.85),
    "pastel": Stage("halves", (335.0, 160.0), 0.35, 1.00),
    "dust": Stage("slope", (50.0, 15.0), 0.60, 0.75),
}

MOVES = {
    "still": Move((0.0, 0.0), 0.0, 0.0, 0.0, 0.004),
    "drift": Move((0.008, 0.0), 0.0, 0.0, 0.0, 0.008),
    "chase": Move((-0.030, 0.0), 0.0, 0.0, 0.002, 0.030),
    "shake": Move((0.0, 0.0), 0.0, 0.0, 0.014, 0.012),
    "orbit": Move((0.0, 0.0), 0.0, 1.6, 0.0, 0.010),
    "plunge": Move((0.0, 0.0), 0.016, 0.0, 0.0, 0.010),
    "dance": Move((0.0, 0.012), 0.0, 0.0, 0.0, 0.040),
}

SOUNDS = {
    "strings": Sound(220.0, (0, 3, 7), 0.45, 0.8, 2.0, 0.10, (200.0, 900.0), 0.0),
    "drums": Sound(65.0, (0, 0, 5), 0.20, 5.0, 0.08, 0.75, (100.0, 7000.0), 1.0),
    "piano": Sound(330.0, (0, 4, 7, 12), 0.30, 3.5, 0.25, 0.05, (300.0, 3000.0), 0.0),
    "drone": Sound(48.0, (0, 1), 0.75, 0.4, 4.0, 0.35, (40.0, 400.0), 0.0),
    "voice": Sound(140.0, (0, 2, -1, 4), 0.60, 4.0, 0.15, 0.40, (500.0, 2500.0), 0.8),
    "brass": Sound(175.0, (0, 7, 12), 0.85, 2.0, 0.45, 0.10, (800.0, 3000.0), 0.5),
    "wind": Sound(520.0, (0, 5), 0.05, 0.5, 1.5, 0.85, (1500.0, 6000.0), 0.0),
}

# Table 2 prints Western 181 and Thriller 12, which looks exchanged: read the other way round here.
GENRES = {
    "Action": Genre(130, "shards", "embers", "chase", "drums", (0.60, 0.55, 0.90, 0.80)),
    "Adventure": Genre(197, "foliage", "daylight", "plunge", "brass", (0.70, 0.70, 0.60, 0.55)),
    "Animation": Genre(46, "bubbles", "pastel", "dance", "piano", (0.95, 0.80, 0.55, 0.50)),
    "Comedy": Genre(224, "fabric", "pastel", "shake", "voice", (0.50, 0.60, 0.50, 0.90)),
    "Crime": Genre(102, "masonry", "night", "chase", "strings", (0.65, 0.75, 0.50, 0.55)),
    "Documentary": Genre(87, "foliage", "parchment", "still", "voice", (0.75, 0.55, 0.80, 0.85)),
    "Drama": Genre(267, "fabric", "daylight", "drift", "strings", (0.60, 0.50, 0.75, 0.80)),
    "Family": Genre(117, "bubbles", "daylight", "orbit", "brass", (0.70, 0.60, 0.55, 0.60)),
    "Fantasy": Genre(115, "sparks", "neon", "drift", "brass", (0.80, 0.65, 0.50, 0.60)),
    "History": Genre(44, "masonry", "parchment", "plunge", "strings", (0.65, 0.80, 0.55, 0.60)),
    "Horror": Genre(104, "shards", "night", "shake", "drone", (0.55, 0.85, 0.65, 0.90)),
    "Music": Genre(86, "crowd", "neon", "dance", "drums", (0.70, 0.70, 0.75, 0.90)),
    "Mystery": Genre(41, "fabric", "night", "orbit", "piano", (0.50, 0.75, 0.70, 0.65)),
    "Science-Fiction": Genre(107, "sparks", "neon", "plunge", "drone", (0.75, 0.75, 0.70, 0.70)),
    "Western": Genre(12, "bubbles", "dust", "still", "wind", (0.60, 0.90, 0.60, 0.75)),
    "Sport": Genre(30, "crowd", "dust", "chase", "voice", (0.80, 0.60, 0.85, 0.55)),
    "Short": Genre(45, "masonry", "pastel", "orbit", "wind", (0.55, 0.55, 0.60, 0.60)),
    "Biography": Genre(13, "crowd", "parchment", "drift", "voice", (0.70, 0.65, 0.65, 0.70)),
    "Thriller": Genre(181, "shards", "dust", "orbit", "strings", (0.65, 0.60, 0.80, 0.60)),
    "War": Genre(21, "foliage", "embers", "shake", "brass", (0.55, 0.85, 0.80, 0.65)),
}

STYLES = {
    "newsreel": Style(2.0, 0.0, 0.0, (1.0, 1.0, 0.92), 0.0, (0.0, 0.016), 0.0, 0.0, 0.0, 8500.0),
    "velvet": Style(0.0, 0.0, 0.003, (1.0, 0.94, 0.97), 0.2, (0.025, 0.0), 0.0, 0.2, 0.0, 10000.0),
    "tube": Style(0.8, 0.04, 0.0, (0.94, 1.0, 0.97), 0.1, (0.0, 0.0), 0.0, 0.0, 0.03, 9500.0),
    "steel": Style(0.0, 0.0, 0.0, (0.93, 0.97, 1.0), 0.0, (0.0, 0.0), 1.8, 0.1, 0.0, 11000.0),
    "postcard": Style(
        0.8, 0.0, 0.002, (1.0, 0.97, 0.9), 0.1, (0.015, 0.015), 0.0, 0.0, 0.01, 9000.0
    ),
}
