"""Starting stock tools, reading checkpoints, loading trained models."""
