"""Train a small network on scikit-learn's digits, or on MNIST, and keep its held-out logits and labels.

    python samples/train_digits.py                                 digits, into samples/digits
    python samples/train_digits.py --mnist FOLDER --output DIR     the four IDX files of MNIST, raw or .gz

Written are `logits.npy` (float32, [samples, 10]), `labels.npy` (int64, [samples]) and the same two as CSV, and the
logits of the same network with weights of 8 and of 4 bits, `int8.npy` and `int4.npy`, and on images whose pixels are
moved by up to half a grey level, `floor.npy`: what the grey levels of the images leave open. The last line printed is
the mean cross-entropy of the first in nats, with all digits. Seeds are fixed; even so another processor or another
torch may add in another order and change the last bits.
"""

import gzip
import math
import struct
import zlib
from copy import deepcopy
from pathlib import Path

import click
import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader, TensorDataset

CLASSES = 10


class BadData(click.ClickException):
    """A data file that cannot be used; click prints the one line and exits with 2."""

    exit_code = 2


@click.command(context_settings={"show_default": True})
@click.option("--mnist", type=click.Path(path_type=Path), metavar="FOLDER", help="Train on these IDX files instead.")
@click.option(
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Where the files go; by default digits or mnist, beside this script.",
)
@click.option("--epochs", type=click.IntRange(min=1), default=10, help="Passes over the training images.")
def main(mnist: Path | None, output: Path | None, epochs: int) -> None:
    """Train a small network and write its held-out logits and labels."""
    torch.manual_seed(0)
    train, held_out = load_mnist(mnist) if mnist else load_sklearn_digits()
    folder = output or Path(__file__).with_name("mnist" if mnist else "digits")
    folder.mkdir(parents=True, exist_ok=True)  # now, so that a bad folder does not cost the training

    pixels = train.tensors[0].shape[1]
    model = nn.Sequential(nn.Linear(pixels, 64), nn.ReLU(), nn.Linear(64, CLASSES))
    fit(model, train, held_out, epochs)

    logits, labels = predict(model, held_out), held_out.tensors[1]
    save(folder, logits, labels)
    for bits in (8, 4):
        np.save(folder / f"int{bits}.npy", predict(quantised(model, bits), held_out).numpy())
    np.save(folder / "floor.npy", predict(model, between_levels(held_out, 255 if mnist else 16)).numpy())
    print(f"held-out loss {cross_entropy(logits, labels).item()!r}")


def fit(model: nn.Module, train: TensorDataset, held_out: TensorDataset, epochs: int) -> None:
    """The training loop of the tutorials; prints how training and held-out loss go down."""
    loss_function = nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    batches = DataLoader(train, batch_size=32, shuffle=True)

    for epoch in range(1, epochs + 1):
        total = 0.0
        for images, labels in batches:
            loss = loss_function(model(images), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() * len(labels)  # the last batch is smaller: weigh every sample alike

        logits, labels = predict(model, held_out), held_out.tensors[1]
        accuracy = (logits.argmax(dim=1) == labels).double().mean().item()
        print(
            f"epoch {epoch:2}   training loss {total / len(train):.4f}   "
            f"held-out loss {loss_function(logits, labels).item():.4f}   accuracy {accuracy:.2%}"
        )


@torch.no_grad()
def predict(model: nn.Module, data: TensorDataset) -> Tensor:
    logits: Tensor = model(data.tensors[0])  # [samples, classes]
    return logits


@torch.no_grad()
def quantised(model: nn.Module, bits: int) -> nn.Module:
    """The network with its weights rounded to whole steps, 2^(bits - 1) - 1 up to the greatest of each row."""
    rounded = deepcopy(model)
    for layer in rounded.modules():
        if isinstance(layer, nn.Linear):
            step = layer.weight.abs().amax(dim=1, keepdim=True) / (2 ** (bits - 1) - 1)
            layer.weight.copy_((layer.weight / step).round() * step)
    return rounded


def between_levels(data: TensorDataset, levels: int) -> TensorDataset:
    """The images with each pixel moved by up to half a grey level, at random."""
    images, labels = data.tensors
    noise = torch.rand(images.shape, generator=torch.Generator().manual_seed(0)) - 0.5
    return TensorDataset(images + noise / levels, labels)


def save(folder: Path, logits: Tensor, labels: Tensor) -> None:
    """Write both formats; nine significant digits bring every float32 back exactly."""
    np.save(folder / "logits.npy", logits.numpy())
    np.save(folder / "labels.npy", labels.numpy())
    names = ",".join(f"digit_{digit}" for digit in range(CLASSES))
    rows = [",".join(f"{logit:.9g}" for logit in row) for row in logits.tolist()]
    write_lines(folder / "logits.csv", [names, *rows])
    write_lines(folder / "labels.csv", ["label", *map(str, labels.tolist())])


def write_lines(path: Path, lines: list[str]) -> None:
    path.write_text("\n".join(lines) + "\n", encoding="ascii", newline="\n")


def load_sklearn_digits() -> tuple[TensorDataset, TensorDataset]:
    """scikit-learn's 1797 digits of 8 x 8 pixels, a quarter of them held out."""
    images, labels = load_digits(return_X_y=True)
    parts = train_test_split(images / 16, labels, test_size=0.25, stratify=labels, random_state=0)
    train_images, held_out_images, train_labels, held_out_labels = parts
    return dataset(train_images, train_labels), dataset(held_out_images, held_out_labels)


def load_mnist(folder: Path) -> tuple[TensorDataset, TensorDataset]:
    """The training and the test part of MNIST, or of any data set in its format (Fashion-MNIST, KMNIST)."""
    train, held_out = load_mnist_part(folder, "train"), load_mnist_part(folder, "t10k")
    pixels, held_out_pixels = train.tensors[0].shape[1], held_out.tensors[0].shape[1]
    if pixels != held_out_pixels:
        raise BadData(f"{folder}: train images have {pixels} pixels, t10k images {held_out_pixels}")
    return train, held_out


def load_mnist_part(folder: Path, part: str) -> TensorDataset:
    images = read_idx(folder, f"{part}-images-idx3-ubyte", dimensions=3)  # [samples, height, width]
    labels = read_idx(folder, f"{part}-labels-idx1-ubyte", dimensions=1)  # [samples]
    if len(images) != len(labels):
        raise BadData(f"{folder}: {len(images)} {part} images, but {len(labels)} {part} labels")
    if images.size == 0:
        raise BadData(f"{folder}: the {part} images are empty")
    if labels.max() >= CLASSES:
        raise BadData(f"{folder}: {part} label {labels.max()} is out of range, expected 0 to {CLASSES - 1}")
    return dataset(images.reshape(len(images), -1) / 255, labels)


def read_idx(folder: Path, name: str, dimensions: int) -> NDArray[np.uint8]:
    """The bytes of an IDX file: magic 0 0 8 D, D sizes as big-endian uint32, then exactly their product of bytes."""
    path = raw_or_gz(folder / name)
    content = read_bytes(path)
    magic, start = bytes([0, 0, 8, dimensions]), 4 + 4 * dimensions
    if content[:4] != magic:
        raise BadData(f"{path}: starts with {content[:4].hex(' ') or 'nothing'}, expected {magic.hex(' ')}")
    if len(content) < start:
        raise BadData(f"{path}: ends after {len(content)} bytes, inside its header of {start} bytes")
    sizes = struct.unpack_from(f">{dimensions}I", content, offset=4)
    if len(content) - start != math.prod(sizes):
        announced = " x ".join(map(str, sizes))
        raise BadData(f"{path}: the header announces {announced} bytes, found {len(content) - start}")
    return np.frombuffer(content, dtype=np.uint8, offset=start).reshape(sizes)


def raw_or_gz(path: Path) -> Path:
    packed = path.with_name(f"{path.name}.gz")
    found = next((candidate for candidate in (path, packed) if candidate.is_file()), None)
    if found is None:
        raise BadData(f"{path}: not found, and no {packed.name} either")
    return found


def read_bytes(path: Path) -> bytes:
    try:
        return gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (OSError, EOFError, zlib.error) as error:
        raise BadData(f"{path}: cannot be read: {error}") from error


def dataset(images: NDArray[np.generic], labels: NDArray[np.generic]) -> TensorDataset:
    return TensorDataset(torch.from_numpy(images.astype(np.float32)), torch.from_numpy(labels.astype(np.int64)))


if __name__ == "__main__":
    main()
