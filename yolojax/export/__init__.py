"""Trained detectors as files that run elsewhere."""
