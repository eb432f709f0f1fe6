"""The causes: mistakes that make a wrong loss out of an input."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xentcli.diagnose.code import Code, favouring, scattered, softmax

if TYPE_CHECKING:
    from xentcli.diagnose.code import Call

LABELS = [2, 0, 1, 3, 3, 0]
PLAIN: Call = {"logits": scattered(6, 4), "labels": LABELS}
LEARNED: Call = {"logits": favouring(LABELS, 4, 1.5), "labels": LABELS}
WEIGHTED: Call = PLAIN | {"weight": [0.5, 2.0, 1.0, 3.0]}
IGNORED: Call = PLAIN | {"labels": [2, 0, -100, 3, -100, 0]}
SEQUENCES: Call = {
    "logits": [scattered(9, 4)[:3], scattered(9, 4)[3:6], scattered(9, 4)[6:]],  # [3 sequences, 3 positions, 4 classes]
    "labels": [[2, 0, 1], [3, -100, -100], [1, 2, -100]],
    "class_axis": -1,
}


def _cause(code: str, definition: str, example: Call) -> Code:
    return Code(code, "cause", definition, example)


CAUSES = (
    _cause("sum-instead-of-mean", "The sum of the (weighted) losses, where the mean was asked for.", PLAIN),
    _cause(
        "mean-instead-of-sum",
        "A mean, over the samples or their weights, where the sum was asked for.",
        PLAIN | {"reduction": "sum"},
    ),
    _cause(
        "weighted-mean-denominator",
        "The weighted sum over the wrong one of N and Σw: torch divides by Σw with labels, by N with probabilities.",
        WEIGHTED,
    ),
    _cause("weights-forgotten", "The loss without the class weights.", WEIGHTED),
    _cause("ignored-in-denominator", "The sum over the samples that count, divided by the number of all.", IGNORED),
    _cause(
        "ignored-counted",
        "The loss with the ignored samples scored as a class, or with an ignored label that was not declared.",
        IGNORED,
    ),
    _cause(
        "mean-of-group-means",
        "The plain mean of the means of sequences or micro-batches, in which unequally many samples count.",
        SEQUENCES,
    ),
    _cause("softmax-twice", "The loss of softmax(logits): probabilities fed as if they were logits.", PLAIN),
    _cause(
        "input-is-probs",
        "−log p of the file's own numbers: it holds probabilities, and softmax was taken of them once more.",
        {"logits": softmax(scattered(6, 4)), "labels": LABELS},
    ),
    _cause("nll-on-raw", "The label's entry taken as it is: −x or −p without log_softmax, or −log x of logits.", PLAIN),
    _cause("bits", "The loss divided by ln 2.", PLAIN),
    _cause("base10", "The loss divided by ln 10.", PLAIN),
    _cause("perplexity", "exp(loss).", PLAIN),
    _cause("perplexity-base2", "2^(loss in nats), or exp(loss in bits): perplexities that mix the bases.", PLAIN),
    _cause("negated", "The loss with the other sign: the mean log-likelihood.", PLAIN),
    _cause(
        "eps-clip",
        "−log of probabilities clipped at an epsilon, or shifted by one.",
        {"logits": favouring([1, 1, 2, 0, 0, 3], 4, 12.0), "labels": LABELS},
    ),
    _cause("labels-one-based", "The loss with 1 added to, or subtracted from, every label.", PLAIN),
    _cause("labels-shifted", "The loss with the labels one or two positions off: shifted twice, or not at all.", PLAIN),
    _cause("wrong-class-axis", "Softmax over the samples, or classes taken from another axis.", PLAIN),
    _cause(
        "smoothing-variant",
        "Another label smoothing: on, off, of another size, over C − 1 classes, or otherwise weighed.",
        PLAIN | {"label_smoothing": 0.1},
    ),
    _cause(
        "offset-cancellation",
        "logsumexp(x) − x[y], rounded at the magnitude of a large common offset.",
        {"logits": [[value + 4e6 for value in row] for row in scattered(6, 4)], "labels": LABELS, "dtype": "float32"},
    ),
    _cause(
        "low-precision",
        "The loss stored or summed, or its logits cast, in bfloat16 or float16; a loss next to 0 in float32.",
        {"logits": scattered(6, 4, 40.0), "labels": LABELS, "dtype": "float32"},
    ),
    _cause("last-class-dropped", "One class missing, or a padding class of logit 0 too many.", LEARNED),
    _cause("temperature", "The logits scaled by a constant: a temperature, or a missing 1/√d.", PLAIN),
    _cause(
        "softmax-underflow",
        "−log(softmax(x)) where a probability is smaller than the format's smallest number, so that the loss is inf.",
        {"logits": [[0.0, 120.0], [1.0, 0.0]], "labels": [0, 1], "dtype": "float32"},
    ),
    _cause(
        "exp-overflow",
        "exp(x) of logits too large for the format, whose maximum was not taken off first: the loss is inf or nan.",
        {"logits": [[100.0, 99.0], [1.0, 0.0]], "labels": [0, 1], "dtype": "float32"},
    ),
    _cause(
        "masked-product",
        "The sum of one-hot × log p over all classes, where a masked class makes 0 × inf: the loss is nan.",
        {"logits": [[1.0, -float("inf"), 0.5], [1.0, 0.0, 2.0]], "labels": [0, 1]},
    ),
    _cause(
        "float32-digits",
        "The true value as float32 computes it, printed with more digits than float32 has.",
        PLAIN,
    ),
    _cause("float64-digits", "The true value as float64 computes it, wrong in its last digits alone.", PLAIN),
    _cause("last-digit", "The true value, one unit off in the last digit printed.", PLAIN),
    _cause("compound", "Two of these at once; `steps` names them.", PLAIN),
)
