"""Whether torch's kernels on this machine are those that the bounds were derived for: put to the test, once a process.

The bounds were read from torch 2.13; other releases and processors may round in other places. Fixed rows go through
log_softmax and softmax: each result must keep its bound, and a 16-bit one be what the steps of `library` give, bit for
bit but for what the order of a float32 sum may move.  Those for CUDA were read from torch 2.6 to 2.14.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, get_args

import numpy as np
import torch

from xentcli.bounds.library import library_bound
from xentcli.bounds.manual import manual_bound
from xentcli.bounds.model import Kernels, LossForm, PathModel
from xentcli.bounds.projected import float64_error, rounding_error
from xentcli.bounds.transformed import logit_radius
from xentcli.bounds.z_loss import log_sum_error
from xentcli.errors import CertificateError
from xentcli.losses.machine import kernels_of
from xentcli.losses.reference import enclose
from xentcli.losses.transformed import float64_radius, in_float64
from xentcli.losses.z_loss import LogSums
from xentcli.numbers.precision import PRECISIONS
from xentcli.numbers.tensors import sent
from xentcli.question.head import Layer

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Literal

    from xentcli.losses.reference import Rows
    from xentcli.question.transform import Transform

ROWS, CLASSES = 64, 24
WHOLE = 2.0**18  # what numbers are multiplied with to be whole ones, products of which float64 adds up exactly
REPRODUCED = 0.98  # of the 16-bit results: the sum of the exponentials may be added in another order
GOLDEN, WORD = 2654435761, 1 << 32  # multiples of it are spread evenly below 2^32


@cache
def check_paths(dtype: str, kernel: Literal["last", "inner"], device: str = "cpu") -> None:
    """Raise CertificateError where torch's kernels for this format and layout are not those of the bounds; some ms."""
    _check_device(device)
    logits = _logits(dtype)  # [rows, classes]
    labels = np.arange(ROWS) % CLASSES
    model = replace(PathModel(PRECISIONS[dtype], **kernels_of(device, kernel)), flush=False)
    rows = enclose((logits if dtype == "float64" else logits.float()).numpy(), labels)
    there = sent(logits, device)
    logs = _along(torch.log_softmax, there, kernel).cpu()
    by_hand = _along(torch.softmax, there, kernel).log().cpu()
    allowed = library_bound(model, rows, LossForm()), manual_bound(model, rows, LossForm())
    for name, computed, bound in zip(("log_softmax", "softmax"), (logs, by_hand), allowed, strict=True):
        _check(name, dtype, -computed.double().numpy()[np.arange(ROWS), labels], rows, bound.allowed)
    if model.precision.is_half and _share_reproduced(logits, logs, model) < REPRODUCED:
        raise _unlike("log_softmax", dtype, "rounds in other places than the bounds assume")


@cache
def check_transform(dtype: str, transform: Transform, device: str = "cpu") -> None:
    """Raise CertificateError where torch's transform of such logits errs by more than the bounds allow; some ms."""
    kind, scaled = getattr(torch, dtype), _logits(dtype).double() * (transform.softcap or 1.0)
    logits = (scaled * (transform.temperature or 1.0)).to(kind)
    logits = logits[(logits.isfinite() & (2.0 * scaled).to(kind).isfinite()).all(1)]
    true = in_float64(transform, logits.double().numpy())
    error = np.abs(transform.applied(sent(logits, device)).cpu().double().numpy() - true)
    model = PathModel(PRECISIONS[dtype], **kernels_of(device, "last"))
    allowed = logit_radius(model, transform, np.abs(true)) + float64_radius(np.abs(true))
    if not (error <= allowed).all():
        worst = np.unravel_index(np.argmax(error - allowed), error.shape)
        raise _unlike("transform", dtype, f"errs by {error[worst]:.3g} where {allowed[worst]:.3g} is allowed")


def _check_device(device: str) -> None:
    """CertificateError where nothing is known of the kernels' exponentials and of the order of their sums."""
    is_amd = device == "cuda" and torch.version.hip is not None
    if device not in get_args(Kernels) or is_amd:
        raise CertificateError(
            "no bounds are derived for torch's kernels on this device",
            found="an AMD device, by ROCm" if is_amd else device,
            expected=f"{' or '.join(get_args(Kernels))}, of NVIDIA",
            hint="`--reference off` compares the two paths without certificates",
        )


@cache
def check_log_sums(dtype: str, kernel: Literal["last", "inner"], device: str = "cpu") -> None:
    """Raise CertificateError where torch's logsumexp of such logits errs by more than the bounds allow; some ms."""
    logits = _logits(dtype)
    wide = (logits if dtype == "float64" else logits.float()).numpy()
    rows = enclose(wide, np.zeros(ROWS, np.int64))
    true = LogSums.of(rows, wide)
    there = sent(logits, device)
    found = torch.logsumexp(there, 1) if kernel == "last" else torch.logsumexp(there.T[None], 1)[0]
    error = np.abs(found.cpu().double().numpy() - true.middle) - true.radius
    model = PathModel(PRECISIONS[dtype], **kernels_of(device, kernel))
    allowed = log_sum_error(model, rows, np.abs(true.middle) + true.radius)
    if not (error <= allowed).all():
        worst = int(np.argmax(error - allowed))
        raise _unlike("logsumexp", dtype, f"errs by {error[worst]:.3g} where {allowed[worst]:.3g} is allowed")


@cache
def check_product(dtype: str) -> None:
    """Raise CertificateError where torch's linear layer errs by more than the bounds allow; some ms.

    Products of whole numbers that float64 holds must be exact, as must their sums.
    """
    numbers = _logits("float64")
    weight, bias = numbers[:CLASSES], numbers[0].clone()  # [classes, width], [classes]
    wholes = (numbers * WHOLE).round(), (weight * WHOLE).round()
    exact = [[sum(int(h) * int(w) for h, w in zip(row, each, strict=True)) for each in wholes[1]] for row in wholes[0]]
    if not torch.equal(Layer(wholes[1], None).product(wholes[0]), torch.tensor(exact, dtype=torch.float64)):
        raise _unlike("matmul", "float64", "does not multiply and add whole numbers exactly")
    kind = getattr(torch, dtype)
    layer, hidden = Layer(weight.to(kind), bias.to(kind)), numbers.to(kind)
    product = layer.of(hidden)
    model, true = PathModel(PRECISIONS[dtype], **kernels_of("cpu", "last")), product.logits.numpy()
    error = np.abs(layer.linear(hidden).double().numpy() - true)
    allowed = rounding_error(model, product, np.abs(true).max(axis=1)) + float64_error(product)
    if not (error <= allowed[:, None]).all():
        raise _unlike("linear", dtype, f"errs by {error.max():.3g} where {allowed.max():.3g} is allowed")


def _logits(dtype: str) -> torch.Tensor:
    """Rows of ordinary logits, some wide and some narrow; [rows, classes]."""
    places = np.arange(ROWS * CLASSES, dtype=np.uint64) * GOLDEN % WORD / WORD - 0.5
    widths = 2.0 ** (np.arange(ROWS) % 4)
    return torch.from_numpy(places.reshape(ROWS, CLASSES) * widths[:, None]).to(getattr(torch, dtype))


def _along(function: Callable[[torch.Tensor, int], torch.Tensor], logits: torch.Tensor, kernel: str) -> torch.Tensor:
    """Over the classes as the last axis, or as one that has others behind it; [rows, classes]."""
    return function(logits, 1) if kernel == "last" else function(logits.T[None], 1)[0].T


def _check(name: str, dtype: str, losses: np.ndarray, rows: Rows, allowed: np.ndarray) -> None:
    error = np.abs(losses - rows.loss) - rows.radius
    worst = int(np.argmax(error - allowed))
    if not (error <= allowed).all():
        raise _unlike(name, dtype, f"errs by {error[worst]:.3g} where {allowed[worst]:.3g} is allowed")


def _share_reproduced(logits: torch.Tensor, logs: torch.Tensor, model: PathModel) -> float:
    """How many results are those of the steps that the bounds were derived from."""
    shifted = logits.float() - logits.float().amax(1, keepdim=True)
    total = shifted.exp().sum(1, keepdim=True)
    stored = logits.dtype if model.stores_sum else torch.float32
    log = total.to(stored).float().log().to(stored).float()
    return float(((shifted - log).to(logits.dtype) == logs).double().mean())


def _unlike(name: str, dtype: str, found: str) -> CertificateError:
    return CertificateError(
        f"torch's {name} of {dtype} is not the one that the bounds were derived for",
        found=f"torch {torch.__version__}: it {found}",
        expected="the kernels of torch 2.13",
        hint="`--reference off` compares the two paths without certificates",
    )
