"""The commands of `crosswatch`, one file per subject; deploy/cli.py lists them."""
