"""Pictures of every trailer for the page: frames of its clips, how they move, how they sound."""
