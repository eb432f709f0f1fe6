"""Random data in pieces: the very numbers of one call of torch, whatever the pieces, and an end between two of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from xentcli.sources import generated

if TYPE_CHECKING:
    from xentcli.records.progress import Progress

SHAPES = [
    (0, 3),
    (1, 1),
    (3, 5),
    (1, 15),
    (4, 4),
    (1, 17),
    (5, 7),
    (1, 31),
    (2, 24),
    (1, 63),
    (1, 64),
    (1, 65),
    (1, 79),
]


@pytest.mark.parametrize("piece", [16, 32, 48, 1 << 22])
@pytest.mark.parametrize("scale", [1.0, -3.7])
def test_pieces_are_torchs_own_numbers(piece: int, scale: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who draws the same seed by torch gets other logits: torch draws sixteen at once, and the last ones twice."""
    monkeypatch.setattr(generated, "PIECE", piece)
    for samples, classes in SHAPES:
        logits, labels = generated.generate(samples, classes, 7, scale)
        torch.manual_seed(7)
        assert np.array_equal(logits.values, (scale * torch.randn(samples, classes)).numpy())
        assert np.array_equal(labels.values, torch.randint(classes, (samples,)).numpy())


def test_the_drawing_ends_between_two_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C is heeded when all is drawn, which takes half a minute of a large input."""
    monkeypatch.setattr(generated, "PIECE", 16)
    heard: list[Progress] = []

    def watch(progress: Progress) -> None:
        heard.append(progress)
        if progress.done == 8:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        generated.generate(50, 4, 0, watch=watch)
    assert [(each.doing, each.done) for each in heard] == [("drawing the data", done) for done in (0, 4, 8)]


def test_a_piece_takes_less_than_a_second() -> None:
    """No signal is heeded while one is drawn; a core draws a hundred million numbers a second."""
    assert generated.PIECE <= 1 << 24
    assert not generated.PIECE % generated.VECTOR
