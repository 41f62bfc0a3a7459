"""mmx rebuilds MMX-Trailer-20 and its paper as a pipeline in which every feature row has a past."""
