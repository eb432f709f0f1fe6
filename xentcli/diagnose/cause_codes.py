"""The causes: mistakes that make a wrong loss out of an input, in the order of how often people make them.

Where several give the same number, the first is named first; a claim of few digits is compared with the first alone.
"""

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
    "labels": [[2, 0, 1], [3, -100, -100], [1, -100, -100]],
    "class_axis": -1,
}
SCORES: Call = {"logits": [[0.5, 0.89, 0.6], [0.05, 0.01, 0.94]], "labels": [1, 2]}
MISSING: Call = {"logits": [[0.5, 0.3, 0.16], [0.05, 0.06, 0.84], [0.2, 0.66, 0.1]], "labels": [1, 2, 1]}
SHARES: Call = {"logits": scattered(3, 3), "labels": [[0.7, 0.2, 0.1], [0.2, 0.5, 0.3], [0.05, 0.9, 0.05]]}
HIDDEN: Call = {
    "logits": scattered(6, 3),
    "labels": LABELS,
    "head": scattered(4, 3, 2.0),
    "bias": [0.5, -0.25, 0.125, 1.0],
}
PYTHON = "https://docs.python.org/3/tutorial/floatingpoint.html"
GITHUB = "https://github.com/"


def _cause(code: str, formula: str, definition: str, example: Call, source: str) -> Code:
    address = source if source.startswith("https:") else GITHUB + source
    return Code(code, "cause", definition, example, formula, address if source else "")


CAUSES = (
    _cause(
        "softmax-twice",
        "−log softmax(softmax(x))[y]",
        "The loss of softmax(logits): probabilities fed as if they were logits.",
        PLAIN,
        "ariecattan/SciCo/issues/2",
    ),
    _cause(
        "sum-instead-of-mean",
        "Σ L",
        "The sum of the (weighted) losses, where the mean was asked for.",
        PLAIN,
        "tensorflow/tensorflow/pull/1358",
    ),
    _cause(
        "ignored-counted",
        "Σ L / N, over ignored samples too",
        "The loss with the ignored samples scored as a class, or with an ignored label that was not declared.",
        IGNORED,
        "lucidrains/DALLE-pytorch/issues/57",
    ),
    _cause(
        "ignored-in-denominator",
        "Σ L / (N + ignored)",
        "The sum over the samples that count, divided by the number of all.",
        IGNORED,
        "IBM/pytorch-seq2seq/issues/125",
    ),
    _cause(
        "mean-of-group-means",
        "mean over g of (Σ_{i in g} L / N_g)",
        "The plain mean of the means of sequences or micro-batches, in which unequally many samples count.",
        SEQUENCES,
        "huggingface/blog/pull/2414",
    ),
    _cause(
        "labels-shifted",
        "−log p_t[y_{t+1}]",
        "The loss with the labels one or two positions off: shifted twice, or not at all.",
        PLAIN,
        "huggingface/transformers/issues/47394",
    ),
    _cause(
        "one-vs-rest-bce",
        "−Σ_c [t·log p + (1 − t)·log(1 − p)], p = sigmoid(x) or softmax(x)",
        "The binary cross-entropy of every class with one-hot targets, added up or averaged over the classes.",
        PLAIN,
        "keras-team/keras/issues/3396",
    ),
    _cause("bits", "L / ln 2", "The loss divided by ln 2.", PLAIN, "NVIDIA/sentiment-discovery/issues/25"),
    _cause("perplexity", "e^L", "exp(loss).", PLAIN, "ysmiao/nvdm/issues/8"),
    _cause(
        "softmax-underflow",
        "−log 0",
        "−log(softmax(x)) where a probability is smaller than the format's smallest number, so that the loss is inf.",
        {"logits": [[0.0, 120.0], [1.0, 0.0]], "labels": [0, 1], "dtype": "float32"},
        "deeplearning4j/deeplearning4j/issues/785",
    ),
    _cause(
        "exp-overflow",
        "log ∞ or ∞/∞",
        "exp(x) of logits too large for the format, whose maximum was not taken off first: the loss is inf or nan.",
        {"logits": [[100.0, 99.0], [1.0, 0.0]], "labels": [0, 1], "dtype": "float32"},
        "uTensor/uTensor/issues/175",
    ),
    _cause(
        "masked-product",
        "Σ t·log p, 0 × ∞",
        "The sum of one-hot × log p over all classes, where a masked class makes 0 × inf: the loss is nan.",
        {"logits": [[1.0, -float("inf"), 0.5], [1.0, 0.0, 2.0]], "labels": [0, 1]},
        "https://stackoverflow.com/questions/33712178/tensorflow-nan-bug",
    ),
    _cause(
        "low-precision",
        "L in 16 bits",
        "The loss stored or summed, or its logits cast, in bfloat16 or float16; a loss next to 0 in float32.",
        {"logits": scattered(6, 4, 40.0), "labels": LABELS, "dtype": "float32"},
        "Modalities/modalities/pull/464",
    ),
    _cause(
        "nll-on-raw",
        "−x[y], −p[y] or −log x[y]",
        "The label's entry taken as it is: −x or −p without log_softmax, or −log x of logits.",
        PLAIN,
        "AnubhavGupta3377/Text-Classification-Models-Pytorch/issues/9",
    ),
    _cause(
        "input-is-probs",
        "−log x[y], Σ x = 1",
        "−log p of the file's own numbers: it holds probabilities, and softmax was taken of them once more.",
        {"logits": softmax(scattered(6, 4)), "labels": LABELS},
        "keras-team/keras/issues/6143",
    ),
    _cause(
        "from-logits-forgotten",
        "−log clip(x[y] / Σ x, 1e-7, 1 − 1e-7)",
        "Keras' loss of probabilities, given logits or scores: they are divided by their row's sum and clipped.",
        SCORES,
        "xiph/LPCNet/issues/97",
    ),
    _cause(
        "scores-normalised",
        "−log(x[y] / Σ x)",
        "−log of scores or of probabilities that miss 1, divided by their row's sum first.",
        MISSING,
        "keras-team/keras/issues/17102",
    ),
    _cause(
        "not-divided-by-steps",
        "k·L",
        "The losses of k accumulation steps added up, and not divided by k.",
        PLAIN,
        "huggingface/transformers/issues/37766",
    ),
    _cause(
        "mean-over-classes",
        "Σ L / (N·C)",
        "The mean over all entries of one-hot × log p, by which the loss is divided by the classes as well.",
        PLAIN,
        "GMvandeVen/continual-learning/issues/5",
    ),
    _cause(
        "averaged-twice",
        "L / N",
        "The mean divided by the number of samples, or of entries of the batch, once more.",
        PLAIN,
        "tensorflow/tensorflow/issues/2158",
    ),
    _cause(
        "sum-per-sequence",
        "Σ L / B",
        "The sum over positions or pixels, averaged over sequences or images alone.",
        SEQUENCES,
        "awni/speech/issues/18",
    ),
    _cause(
        "weighted-mean-denominator",
        "Σ w·L / N, or Σ w·L / Σ w of probabilities",
        "The weighted sum over the wrong one of N and Σw: torch divides by Σw with labels, by N with probabilities.",
        WEIGHTED,
        "pytorch/pytorch/issues/40560",
    ),
    _cause(
        "weights-forgotten",
        "Σ L / N",
        "The loss without the class weights.",
        WEIGHTED,
        "pytorch/pytorch/issues/14184",
    ),
    _cause(
        "labels-one-based",
        "−log p[y ± 1]",
        "The loss with 1 added to, or subtracted from, every label.",
        PLAIN,
        "pytorch/pytorch/issues/15666",
    ),
    _cause(
        "wrong-class-axis",
        "−log softmax(x, other axis)[y]",
        "Softmax over the samples, or classes taken from another axis.",
        PLAIN,
        "fxia22/pointnet.pytorch/issues/27",
    ),
    _cause(
        "negated",
        "log p[y]",
        "The loss with the other sign: the mean log-likelihood.",
        PLAIN,
        "abhimanyudubey/confusion/issues/2",
    ),
    _cause(
        "mean-instead-of-sum",
        "Σ L / N",
        "A mean, over the samples or their weights, where the sum was asked for.",
        PLAIN | {"reduction": "sum"},
        "Open-Deep-ML/DML-OpenProblem/pull/358",
    ),
    _cause(
        "focal",
        "α·(1 − p[y])^γ·(−log p[y])",
        "The focal loss, which weighs down what is predicted well.",
        PLAIN,
        "pytorch/vision/issues/3250",
    ),
    _cause(
        "smoothing-variant",
        "(1 − ε)·L + ε·S, otherwise made",
        "Another label smoothing: on, off, of another size, over C − 1 classes, over a shard, or otherwise weighed.",
        PLAIN | {"label_smoothing": 0.1},
        "NVIDIA/Megatron-LM/issues/7464",
    ),
    _cause(
        "kl-instead-of-ce",
        "Σ t·(log t − log p)",
        "The Kullback-Leibler divergence: the cross-entropy less the entropy of the targets.",
        SHARES,
        "HikariTJU/LD/issues/74",
    ),
    _cause(
        "mean-of-perplexities",
        "mean of e^L",
        "The mean of the perplexities of samples or sequences, instead of the perplexity of their mean loss.",
        PLAIN,
        "lisa-lab/pylearn2/issues/1383",
    ),
    _cause("base10", "L / ln 10", "The loss divided by ln 10.", PLAIN, "huawei-noah/Efficient-Computing/issues/12"),
    _cause(
        "perplexity-base2",
        "2^L or e^(L / ln 2)",
        "2^(loss in nats), or exp(loss in bits): perplexities that mix the bases.",
        PLAIN,
        "facebookresearch/fairseq/issues/5464",
    ),
    _cause(
        "broadcast-all-pairs",
        "Σ_i Σ_j −log p_i[y_j] / N or / N²",
        "The losses of every prediction with every label, N × N of them by broadcasting.",
        PLAIN,
        "pytorch/pytorch/issues/16045",
    ),
    _cause(
        "uniform-target",
        "−Σ_c log p_c / C",
        "The loss of a uniform target, −log p averaged over all classes.",
        PLAIN,
        "hendrycks/outlier-exposure/issues/12",
    ),
    _cause(
        "other-label",
        "−log max p",
        "The loss with other labels: the likeliest class of each sample, or class 0.",
        PLAIN,
        "iBelieveCJM/pseudo_label-pytorch/issues/2",
    ),
    _cause(
        "z-loss-included",
        "L + z·log² Σ exp(x)",
        "The loss with a z-loss added, which keeps Σ exp(x) near 1 in training.",
        PLAIN,
        "allenai/OLMo-core/pull/702",
    ),
    _cause(
        "z-loss-wrong",
        "L, L + z·log Σ exp(x), or z·log² Σ exp(x) over ignored samples too",
        "The loss without the z-loss that was asked for, or with it not squared, or averaged over other samples.",
        IGNORED | {"z_loss": 0.01},
        "allenai/OLMo/pull/760",
    ),
    _cause(
        "bias-left-out",
        "−log softmax(h·Wᵀ)[y]",
        "The loss of hidden states times the head, without the bias that is added to the product.",
        HIDDEN,
        "apple/ml-cross-entropy/issues/52",
    ),
    _cause(
        "softcap",
        "−log softmax(c·tanh(x / c))[y]",
        "The loss of softly capped logits, or of logits whose cap is left out or wrong.",
        {"logits": scattered(6, 4, 60.0), "labels": LABELS},
        "apple/ml-cross-entropy/issues/48",
    ),
    _cause(
        "temperature",
        "−log softmax(x·s)[y]",
        "The logits scaled by a constant: a temperature, or a missing 1/√d.",
        PLAIN,
        "GMISWE/tinker-cloud/pull/26",
    ),
    _cause(
        "eps-clip",
        "−log max(p, ε) or −log(p + ε)",
        "−log of probabilities clipped at an epsilon, or shifted by one.",
        {"logits": favouring([1, 1, 2, 0, 0, 3], 4, 12.0), "labels": LABELS},
        "keras-team/keras/issues/17634",
    ),
    _cause(
        "last-class-dropped",
        "−log softmax(x[:C − 1])[y]",
        "One class missing, or a padding class of logit 0 too many.",
        LEARNED,
        "unslothai/unsloth/pull/10616",
    ),
    _cause(
        "weights-on-logits",
        "−log softmax(w·x)[y]",
        "The logits multiplied by the class weights, instead of the losses.",
        WEIGHTED,
        "jakeret/tf_unet/issues/8",
    ),
    _cause(
        "complement-misplaced",
        "−[t·log p + (1 − t)·(1 − log p)], or 1 − log p",
        "1 − log p in place of log(1 − p).",
        PLAIN,
        "deeplearning4j/nd4j/issues/1319",
    ),
    _cause(
        "shard-log-k",
        "L + ln k",
        "The loss + ln k, where k ranks had all classes and their sums of exponentials were added up.",
        PLAIN,
        "NVIDIA/Megatron-LM/issues/7452",
    ),
    _cause(
        "bytes-for-tokens",
        "L / ln 2, or L / (4·ln 2)",
        "Bits per byte by the number of tokens, or by a usual number of bytes a token.",
        SEQUENCES,
        "EleutherAI/lm-evaluation-harness/pull/242",
    ),
    _cause(
        "offset-cancellation",
        "logsumexp(x) − x[y], each rounded",
        "logsumexp(x) − x[y], rounded at the magnitude of a large common offset.",
        {"logits": [[value + 4e6 for value in row] for row in scattered(6, 4)], "labels": LABELS, "dtype": "float32"},
        "google-deepmind/optax/issues/1020",
    ),
    _cause(
        "wrong-divisor",
        "L × a/b",
        "The true value times a small ratio of the input's own numbers, such as N, C, B, T or a batch size.",
        SEQUENCES,
        "rinuboney/ladder/issues/5",
    ),
    _cause(
        "float32-digits",
        "float32(L)",
        "The true value as float32 computes it, printed with more digits than float32 has.",
        PLAIN,
        PYTHON,
    ),
    _cause(
        "float64-digits",
        "float64(L)",
        "The true value as float64 computes it, wrong in its last digits alone.",
        PLAIN,
        PYTHON,
    ),
    _cause("last-digit", "L ± 10^-d", "The true value, one unit off in the last digit printed.", PLAIN, PYTHON),
    _cause("compound", "g(f(x))", "Two of these at once; `steps` names them.", PLAIN, ""),
)
