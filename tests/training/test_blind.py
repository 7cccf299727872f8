"""Members that are blind to rows of their own."""

import pytest
import torch
from torch.nn import functional

from skdl.training.blind import BlindMean, BlindRows, Tempered, seen_weights
from skdl.training.objectives import (
    BinaryCrossEntropy,
    CrossEntropy,
    MemberMean,
    SquaredError,
)

N, M = 7, 3
FOLD = torch.tensor([0, 1, 2, 0, 1, 2, 0])
BLIND = FOLD.unsqueeze(1) == torch.arange(M)
CASES = [
    (CrossEntropy(4, 0.1), torch.tensor([0, 1, 2, 3, 0, 1, 2])),
    (BinaryCrossEntropy(2), torch.randint(2, (N, 2)).float()),
    (SquaredError(2), torch.randn(N, 2)),
]


def raw_of(member):
    torch.manual_seed(0)
    return torch.randn(N, M * member.n_outputs, requires_grad=True)


@pytest.mark.parametrize(("member", "target"), CASES)
@pytest.mark.parametrize("weight", [None, torch.rand(N)])
def test_without_blind_rows_it_is_the_mean_over_members(member, target, weight):
    raw = raw_of(member)
    found = BlindMean(member, M).loss(raw, target, weight)
    expected = MemberMean(member, M).loss(raw, target, weight)
    torch.testing.assert_close(found, expected)
    gradients = [torch.autograd.grad(loss, raw)[0] for loss in (found, expected)]
    torch.testing.assert_close(*gradients)
    torch.testing.assert_close(
        BlindMean(member, M).inverse_link(raw), MemberMean(member, M).inverse_link(raw)
    )


@pytest.mark.parametrize(("member", "target"), CASES)
def test_a_member_is_trained_as_if_its_blind_rows_did_not_exist(member, target):
    raw, n_outputs = raw_of(member), member.n_outputs
    loss = BlindMean(member, M).loss(raw, target, seen_weights(BLIND))
    (gradient,) = torch.autograd.grad(loss, raw)
    alone = []
    for m in range(M):
        rows = torch.nonzero(~BLIND[:, m]).flatten()
        part = raw.detach()[rows, m * n_outputs : (m + 1) * n_outputs]
        part.requires_grad_()
        alone.append(member.loss(part, target[rows], None))
        (expected,) = torch.autograd.grad(alone[-1], part)
        found = gradient[:, m * n_outputs : (m + 1) * n_outputs]
        torch.testing.assert_close(found[rows], expected)
        assert not found[BLIND[:, m]].any()
    torch.testing.assert_close(loss, torch.stack(alone).mean())


def test_weights_of_rows_count_in_the_members_that_see_them():
    weight = torch.tensor([1.0, 2, 3, 4, 0, 1, 1])
    seen = seen_weights(BLIND, weight)
    assert not seen[BLIND].any()
    torch.testing.assert_close(seen.mean(0), torch.ones(M))
    torch.testing.assert_close(seen[3, 1] / seen[0, 1], torch.tensor(4.0))


def test_a_member_that_would_see_nothing_is_refused():
    weight = torch.zeros(N)
    weight[FOLD == 0] = 1
    with pytest.raises(ValueError, match="Network 0 would have nothing to learn from"):
        seen_weights(BLIND, weight)


def by_member(raw, n_outputs):
    """Take the place of `Pack.each`: a row's inputs are its raw outputs."""

    def each(rows):  # (M, n, M * K)
        parts = rows.unflatten(2, (M, n_outputs))
        return torch.stack([parts[m, :, m] for m in range(M)])

    return each, (raw.detach(),)


@pytest.mark.parametrize(("member", "target"), CASES)
@pytest.mark.parametrize("rows_at_once", [1, 6, 4096])
def test_out_of_fold_every_row_is_predicted_by_the_member_that_never_saw_it(
    member, target, rows_at_once
):
    raw = raw_of(member)
    blind = BlindRows(BLIND)
    each, inputs = by_member(raw, member.n_outputs)
    found = blind.raw(each, inputs, rows_at_once)
    own = raw.detach().unflatten(1, (M, member.n_outputs))[torch.arange(N), FOLD]
    torch.testing.assert_close(
        blind.predictions(member, found), member.inverse_link(own)
    )
    weight = torch.rand(N)
    weight /= weight.mean()
    torch.testing.assert_close(
        blind.loss(member, found, target, weight), member.loss(own, target, weight)
    )


def test_rows_without_a_blind_member_are_nan_and_those_with_two_a_mean():
    member, raw = SquaredError(1), torch.arange(float(N * M)).view(N, M)
    several = BLIND.clone()
    several[0] = False
    several[1] = torch.tensor([True, True, False])
    blind = BlindRows(several)
    each, inputs = by_member(raw, 1)
    found = blind.predictions(member, blind.raw(each, inputs))
    assert found[0].isnan()
    torch.testing.assert_close(found[1], raw[1, :2].mean().view(1))
    torch.testing.assert_close(found[2], raw[2, 2].view(1))
    loss = blind.loss(member, blind.raw(each, inputs), torch.zeros(N, 1), None)
    own = [raw[i, FOLD[i]] ** 2 / 2 for i in range(2, N)]
    own.append((raw[1, :2] ** 2).mean() / 2)  # once, though two members give it
    torch.testing.assert_close(loss, torch.stack(own).mean())


def test_members_blind_to_a_row_may_count_by_shares():
    member, raw = SquaredError(1), torch.arange(float(N * M)).view(N, M)
    shares = torch.zeros(N, M)
    shares[1:, :2] = torch.tensor([0.3, 0.1])
    blind = BlindRows(shares)
    each, inputs = by_member(raw, 1)
    found = blind.raw(each, inputs)
    expected = 0.75 * raw[1:, 0] + 0.25 * raw[1:, 1]
    predicted = blind.predictions(member, found)
    assert predicted[0].isnan()
    torch.testing.assert_close(predicted[1:, 0], expected)
    (members, rows, mean), *others = blind.by_fold(member, found)
    assert (members, others, rows.tolist()) == ([0, 1], [], list(range(1, N)))
    torch.testing.assert_close(mean[:, 0], expected)
    loss = blind.loss(member, found, torch.zeros(N, 1), None)
    own = (0.75 * raw[1:, 0] ** 2 + 0.25 * raw[1:, 1] ** 2) / 2
    torch.testing.assert_close(loss, own.mean())


def test_a_temperature_makes_probabilities_more_or_less_certain():
    member, raw = CrossEntropy(3), torch.tensor([[2.0, 0.0, 1.0]])
    tempered = Tempered(member, 2.0)
    torch.testing.assert_close(
        tempered.inverse_link(raw), functional.softmax(raw.double() / 2, 1)
    )
    target = torch.tensor([0])
    assert tempered.n_outputs == 3
    torch.testing.assert_close(
        tempered.loss(raw, target, None), member.loss(raw, target, None)
    )
    mean = BlindMean(Tempered(member, 0.5), 2)
    torch.testing.assert_close(
        mean.inverse_link(torch.cat([raw, raw], 1)),
        functional.softmax(raw.double() * 2, 1),
    )


@pytest.mark.parametrize("n_members", [3, 8])
@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("member", [CrossEntropy(4), SquaredError(1)])
def test_a_row_by_itself_has_the_mean_it_has_among_others(member, shared, n_members):
    shares = [1 / n_members] * n_members if shared else None
    objective = BlindMean(member, n_members, shares)
    raw = torch.randn(9, n_members * member.n_outputs)
    together = objective.inverse_link(raw)
    with torch.inference_mode():
        alone = torch.cat([objective.inverse_link(row) for row in raw.split(1)])
    assert torch.equal(alone, together)


def test_a_row_by_itself_goes_through_other_kinds_of_tensors():
    objective, rows = BlindMean(SquaredError(1), 3), torch.randn(4, 1, 3)
    mapped = torch.func.vmap(objective.inverse_link)(rows)
    assert torch.equal(mapped, objective.inverse_link(rows.flatten(0, 1))[:, None])
    row = rows[0].clone().requires_grad_()
    objective.inverse_link(row).backward()
    assert torch.equal(row.grad, torch.full((1, 3), 1 / 3))
    with torch.inference_mode():
        assert objective.inverse_link(rows[0].bfloat16()).shape == (1, 1)
