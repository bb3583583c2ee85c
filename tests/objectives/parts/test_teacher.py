"""A teacher follows by the promised share, learns nothing itself, and is part of the state."""

import pytest
import torch
from torch import nn

from selftime.objectives.parts.teacher import Teacher


class Counting(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor([0.0, 4.0]))
        self.register_buffer("seen", torch.tensor(0))


def test_it_follows_by_the_share_and_copies_buffers():
    student = Counting()
    teacher = Teacher(student, momentum=0.9, schedule="constant")
    with torch.no_grad():
        student.weight += 10
        student.seen += 3
    teacher.follow(student, 0.7)
    torch.testing.assert_close(teacher.module.weight, torch.tensor([1.0, 5.0]))
    assert teacher.module.seen == 3
    assert torch.equal(student.weight, torch.tensor([10.0, 14.0]))


def test_momentum_0_copies_and_1_stays():
    student = Counting()
    teacher = Teacher(student, momentum=0.0, schedule="linear")
    with torch.no_grad():
        student.weight += 1
    teacher.follow(student, 1.0)
    assert torch.equal(teacher.module.weight, torch.tensor([0.0, 4.0]))
    teacher.follow(student, 0.0)
    assert torch.equal(teacher.module.weight, student.weight)


def test_it_begins_as_the_student_is_whatever_the_momentum():
    student = Counting()
    teacher = Teacher(student, momentum=1.0, schedule="constant")
    with torch.no_grad():
        student.weight += 1
    teacher.copy(student)
    assert torch.equal(teacher.module.weight, student.weight)


def test_the_momentum_stays_or_rises_to_1_in_a_line_or_along_half_a_cosine():
    wanted = {
        "constant": [0.9, 0.9, 0.9],
        "linear": [0.9, 0.925, 1.0],
        "cosine": [0.9, 0.9146447, 1],
    }
    for schedule, momenta in wanted.items():
        teacher = Teacher(Counting(), momentum=0.9, schedule=schedule)
        found = [teacher.momentum_at(progress) for progress in (0.0, 0.25, 1.0)]
        assert found == pytest.approx(momenta)


def test_nothing_in_it_is_trained_and_all_of_it_is_saved():
    teacher = Teacher(Counting(), momentum=0.9, schedule="cosine")
    assert not any(weight.requires_grad for weight in teacher.parameters())
    assert set(teacher.state_dict()) == {"module.weight", "module.seen"}
