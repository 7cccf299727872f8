"""Corrections: what some values of one or two columns have beside what is smooth."""
