"""What keeps a training alive: memory running out, NaN, crashes and interrupts."""
