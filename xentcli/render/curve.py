"""The curve of -log p with one sample on it, in plain characters that survive every pipe."""

from __future__ import annotations

import math

WIDTH, HEIGHT = 60, 12  # characters, the axes and their labels included
MARGIN = 6  # columns left of the curve: the labels of the losses and the axis
ROWS = HEIGHT - 2
NARROWEST = 30  # columns of the curve, however narrow the page is: its axis has words
GREATEST = 4.0  # nats at the top of the linear chart
FARTHEST = 10_000.0  # nats up to which the logarithmic chart says anything


def curve(surprisal: float, width: int = WIDTH) -> list[str]:
    """-log p over p from 0 to 1, and an X where it is `surprisal`; over log p where p is too small to be seen."""
    columns = max(min(width, WIDTH) - MARGIN, NARROWEST)
    return _linear(surprisal, columns) if surprisal <= GREATEST else _logarithmic(surprisal, columns)


def _linear(surprisal: float, columns: int) -> list[str]:
    places = [(column, -math.log((column + 0.5) / columns)) for column in range(columns)]
    sample = (_column(math.exp(-surprisal), columns), surprisal)
    return _chart(places, sample, GREATEST, ("0", "p", "1"))


def _logarithmic(surprisal: float, columns: int) -> list[str]:
    decades = math.ceil(surprisal / math.log(10))
    top = decades * math.log(10)
    places = [(column, top * (1 - (column + 0.5) / columns)) for column in range(columns)]
    sample = (_column(1 - surprisal / top, columns), surprisal)
    return _chart(places, sample, top, (f"1e-{decades}", "p, on a logarithmic axis", "1"))


def _column(share: float, columns: int) -> int:
    return min(columns - 1, int(share * columns))


def _chart(
    places: list[tuple[int, float]], sample: tuple[int, float], top: float, labels: tuple[str, str, str]
) -> list[str]:
    """The rows of a chart of losses from 0 to `top` over columns; the sample hides what it stands on."""
    columns = len(places)
    grid = [[" "] * columns for _ in range(ROWS)]
    for (column, loss), sign in [*((place, ".") for place in places), (sample, "X")]:
        if loss <= top:
            grid[round((ROWS - 1) * (1 - loss / top))][column] = sign
    scale = {0: f"{top:.4g}", ROWS - 1: "0"}
    rows = [f"{scale.get(row, ''):>{MARGIN - 2}} |{''.join(signs)}".rstrip() for row, signs in enumerate(grid)]
    left, middle, right = labels
    names = left + middle.center(columns - len(left) - len(right)) + right
    return [*rows, f"{'':>{MARGIN - 2}} +{'-' * columns}", f"{'':>{MARGIN}}{names}"]
