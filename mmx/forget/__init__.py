"""Take trailers out of everything that was made of them, and prove it."""
