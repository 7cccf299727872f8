"""The training loop and its parts; knows torch and batches, nothing of scikit-learn."""
