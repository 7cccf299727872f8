"""Estimators for text."""
