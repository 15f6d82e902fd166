"""The detectors on real data beside their peers."""
