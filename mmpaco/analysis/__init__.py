"""What one looks at, of data and of trained models."""
