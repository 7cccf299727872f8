"""Estimators for tables: numbers, categories and their vectors."""
