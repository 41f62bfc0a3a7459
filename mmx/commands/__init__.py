"""The commands of `mmx`: each parses, calls one function, prints."""
