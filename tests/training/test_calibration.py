"""Temperatures."""

import pytest
import torch

from skdl.training.calibration import best_temperature, sharpening
from skdl.training.objectives import BinaryCrossEntropy, CrossEntropy


@pytest.mark.parametrize("true", [0.5, 1.0, 3.0])
@pytest.mark.parametrize("labels", ["classes", "indicators"])
def test_the_temperature_that_labels_were_drawn_with_is_found(true, labels):
    torch.manual_seed(0)
    raw = 3 * torch.randn(20_000, 3)
    if labels == "classes":
        objective = CrossEntropy(3)
        target = torch.multinomial(objective.inverse_link(raw / true), 1).flatten()
    else:
        objective = BinaryCrossEntropy(3)
        target = torch.bernoulli(objective.inverse_link(raw / true))
    found = best_temperature(lambda t: objective.loss(raw / t, target, None).item())
    assert found == pytest.approx(true, rel=0.05)


def test_outputs_that_are_all_right_or_all_wrong_end_at_the_bounds():
    raw, right = torch.eye(2), torch.arange(2)
    for target, bound in ((right, 1 / 2), (1 - right, 50)):
        found = best_temperature(
            lambda t, y=target: CrossEntropy(2).loss(raw / t, y, None).item()
        )
        assert found == pytest.approx(bound, rel=0.01)


def test_the_mean_of_networks_is_sharpened_where_the_classes_are_clear():
    clear, noisy = (sharpening(loss, 1.0, 4) for loss in (0.05, 0.4))
    assert clear < noisy < 1
    assert sharpening(0.95, 1.0, 4) == 1  # all networks agree about noise
    assert sharpening(0.05, 1.0, 1) == 1  # there is nothing to make up for
    assert sharpening(0.05, 1.0, 16) < clear
    assert sharpening(1e-9, 0.0, 4) == 1
