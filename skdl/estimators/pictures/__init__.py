"""Estimators for pictures."""
