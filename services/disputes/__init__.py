"""Complaints of consumers and their resolution."""
