"""What the sections must agree on: pure functions from parts to findings, one file for each section."""
