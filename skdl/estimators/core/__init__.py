"""What every estimator is made of; it knows no kind of input."""
