"""How a step changes the weights: optimizers, rates, averages, frozen layers."""
