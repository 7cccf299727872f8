"""What only text needs of training: windows, next tokens, reading and writing."""
