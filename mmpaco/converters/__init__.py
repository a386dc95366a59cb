"""Data sets and released checkpoints, made into what the configs read."""
