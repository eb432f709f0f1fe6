"""Write the tiny samples, one folder a lesson; README.md beside this file says what each one teaches.

    python samples/make_lessons.py                   into the folder of this script
    python samples/make_lessons.py --output DIR      somewhere else

Every machine writes the same bytes: the numbers are multiples of 1/8, exact in every format and dtype, except those of
`tutorial`, which are rounded to the four decimals that torch prints (the last bits of `randn` depend on the processor).
"""

from pathlib import Path

import click
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Array = NDArray[np.generic]
PADDING = -100


@click.command()
@click.option(
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(__file__).parent,
    metavar="DIR",
    help="Where the folders go; the folder of this script by default.",
)
def main(output: Path) -> None:
    """Write the tiny samples, one folder a lesson."""
    for name, content in (tutorial() | confident_wrong() | ignored()).items():
        np.save(parent_made(output / name), content)
    for name, lines in CSV_FILES.items():
        parent_made(output / name).write_text("\n".join(lines) + "\n", encoding="ascii", newline="\n")


def parent_made(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def tutorial() -> dict[str, Array]:
    torch.manual_seed(0)
    logits, labels = torch.randn(4, 10), torch.randint(10, (4,))
    return {"tutorial/logits.npy": logits.numpy().round(4), "tutorial/labels.npy": labels.numpy()}


def confident_wrong() -> dict[str, Array]:
    logits = torch.tensor(
        [
            [2.0, 1.0, -0.5],
            [120.0, 0.0, -3.0],  # its label is class 1: e^-120 is 0 in float32, and -log(0) is inf
            [-1.0, 0.5, 3.0],
            [0.25, 0.5, 0.125],
        ]
    )
    labels = torch.tensor([0, 1, 2, 1])
    return {"confident_wrong/logits.npy": logits.numpy(), "confident_wrong/labels.npy": labels.numpy()}


def ignored() -> dict[str, Array]:
    torch.manual_seed(1)
    logits = eighths(2, 6, 8)  # [batch, time, vocabulary]
    labels = torch.randint(8, (2, 6))  # [batch, time]
    labels[0, 4:] = PADDING  # a sentence of four tokens
    labels[1, 5:] = PADDING  # and one of five
    return {"ignored/logits.npy": logits.numpy(), "ignored/labels.npy": labels.numpy()}


def eighths(*shape: int) -> Tensor:
    """Multiples of 1/8 from -4 to 4; drawn as integers, which are the same on every processor."""
    return torch.randint(-32, 33, shape).float() / 8


CSV_FILES = {
    "masked/logits.csv": [
        "left,right,jump,wait",
        "1.5,-inf,0.25,-1.0",
        "-inf,2.0,0.5,0.125",
        "0.75,-0.5,-inf,-inf",
    ],
    "masked/labels.csv": ["label", "0", "1", "1"],
    "one_hot/logits.csv": [
        "cat,dog,bird",
        "2.0,0.5,-1.0",
        "0.25,1.5,0.0",
        "-0.5,0.75,1.25",
    ],
    "one_hot/targets.csv": [
        "cat,dog,bird",
        "1.0,0.0,0.0",
        "0.0,1.0,0.0",
        "0.0,1.0,0.0",
    ],
    "soft/logits.csv": [
        "cat,dog,bird",
        "2.0,0.5,-1.0",
        "0.25,1.5,0.0",
        "-0.5,0.75,1.25",
    ],
    "soft/targets.csv": [
        "cat,dog,bird",
        "0.75,0.125,0.125",
        "0.25,0.5,0.25",
        "0.0,0.5,0.5",
    ],
    "weights/logits.csv": [
        "common,usual,rare",
        "2.5,0.5,-1.0",
        "1.5,1.0,-0.5",
        "0.25,2.0,-0.25",
        "3.0,0.75,0.5",
        "1.25,0.5,-0.75",
        "0.5,1.75,-1.5",
    ],
    "weights/labels.csv": ["label", "0", "0", "1", "0", "2", "1"],
    "weights/weight.csv": ["weight", "0.5", "0.5", "4.0"],
    "one_file/samples.csv": [
        "a,b,c,label",
        "1.5,0.25,-0.5,0",
        "-1.0,2.0,0.5,1",
        "0.125,0.75,1.0,1",
        "-0.25,0.5,2.25,2",
    ],
}


if __name__ == "__main__":
    main()
