"""The registry: each mistake that gives a wrong statistic, in the order of how often people make it.

Where several give the same number, the first is named first; a claim of few digits is compared with the first alone.
"""

from __future__ import annotations

from dataclasses import dataclass

from xentcli.diagnose.causes.mistake import Mistake, Rarity

TORCH = "https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.kl_div.html"
SAMPLED = "http://joschu.net/blog/kl-approx.html"
GITHUB = "https://github.com/"


@dataclass(frozen=True)
class PairCause:
    """One mistake about two sets of logits.

    code        as the comparison has it
    formula     what is computed instead
    definition  one sentence
    remedy      the option or the line of code that mends it
    claimed     a statistic that it changes, for the example
    source      where somebody met it, an address; empty where nobody wrote it down
    """

    code: str
    formula: str
    definition: str
    remedy: str
    claimed: str = "kl"
    source: str = ""

    def mistake(self, what: str, rarity: Rarity = Rarity.COMMON) -> Mistake:
        """It, as met in an input: `what` is the number that comes out, a noun phrase."""
        return Mistake(self.code, what, self.remedy, rarity)


PAIR_CAUSES = (
    PairCause(
        "sides-swapped", "KL(q, p), −d, 1/ratio",
        "The statistic with base and other exchanged: KL(other, base) for KL(base, other).",
        "F.kl_div takes the other's log-probabilities first and the base's probabilities second",
        source=f"{GITHUB}huggingface/trl/pull/4935",
    ),
    PairCause(
        "mean-over-classes", "Σ KL / (N·C)",
        "The sum divided by the rows and by the classes, as F.kl_div does with reduction='mean'.",
        "F.kl_div(..., reduction='batchmean') on [rows, classes]",
        source=f"{GITHUB}szagoruyko/attention-transfer/pull/30",
    ),
    PairCause(
        "summed-over-rows", "Σ_rows", "The sum over the rows, where their mean was asked for.",
        "divide by the rows that count", source=TORCH,
    ),
    PairCause(
        "divided-by-first-axis", "Σ KL / N of [N, T, C]",
        "The sum divided by the first axis alone, as F.kl_div does with reduction='batchmean' on sequences.",
        "flatten to [rows, classes] before F.kl_div(..., reduction='batchmean')",
        source=f"{GITHUB}neuralmagic/sparseml/issues/674",
    ),
    PairCause(
        "compared-with-itself", "KL(p, p) = 0", "A side compared with itself, or with a copy of the other.",
        "check that the two names, or variables, are not one",

        source=f"{GITHUB}labmlai/annotated_deep_learning_paper_implementations/issues/66",
    ),
    PairCause(
        "absolute-differences", "Σ p |log p − log q|",
        "The sum of absolute terms, which is no divergence: it is of the first order where KL is of the second.",
        "leave abs() out: Σ p (log p − log q)",
    ),
    PairCause(
        "jensen-shannon-for-kl", "½ KL(p, m) + ½ KL(q, m), m = ½ (p + q)", "The Jensen-Shannon divergence, for KL.",
        "Σ p (log p − log q), without the middle m",
    ),
    PairCause(
        "in-bits", "v / ln 2", "The number in bits, where nats were asked for.", "multiply by ln 2 = 0.6931",
    ),
    PairCause(
        "in-base-ten", "v / ln 10", "The number with decimal logarithms.", "multiply by ln 10 = 2.3026",
    ),
    PairCause(
        "halved", "v / 2", "Half of the number.", "look for a factor ½, or for a mean over two sides or directions",
    ),
    PairCause(
        "doubled", "2 v", "Twice the number, as Σ |p − q| is of the total variation.",
        "look for a missing ½, or for a sum over two sides or directions", claimed="tv",
    ),
    PairCause(
        "in-percent", "100 v", "The number in percent.", "divide by 100", claimed="same_top",
        source=f"{GITHUB}ggml-org/llama.cpp/pull/6936",
    ),
    PairCause(
        "cross-entropy-for-kl", "−Σ p log q = KL + H(p)",
        "The cross-entropy of both, from which the base's entropy was not taken off.",
        "subtract Σ p log p of the base", source=f"{GITHUB}jongwooko/distillm/issues/7",
    ),
    PairCause(
        "both-directions", "KL(p, q) + KL(q, p), or half of it", "The sum or the mean of KL in both directions.",
        "keep KL(base, other) alone",
    ),
    PairCause(
        "sampled-k1", "mean of log p_y − log q_y",
        "The estimator k1, the labels taken for samples of a side: the difference of the losses.",
        "sum over all classes: the labels are no samples of the model", source=SAMPLED,
    ),
    PairCause(
        "sampled-k2", "mean of ½ (log p_y − log q_y)²", "The estimator k2, the labels taken for samples of a side.",
        "sum over all classes: the labels are no samples of the model", source=SAMPLED,
    ),
    PairCause(
        "sampled-k3", "mean of r − 1 − log r, r = q_y / p_y",
        "The estimator k3, the labels taken for samples of a side.",
        "sum over all classes: the labels are no samples of the model",
        source=f"{GITHUB}huggingface/trl/issues/2854",
    ),
    PairCause(
        "perplexity-by-group", "mean over groups of exp(mean loss)",
        "The perplexity of each row, sequence or group, and the mean of these.",
        "exp of the mean loss over all rows", claimed="ppl_base",
        source=f"{GITHUB}huggingface/transformers/issues/4125",
    ),
    PairCause(
        "means-of-groups", "mean over groups of their means",
        "The mean of the groups' means, which are of other sizes.",
        "weigh each group by its rows",
    ),
    PairCause(
        "ignored-rows-counted", "Σ / (rows + ignored rows)", "The sum divided by the ignored rows, too.",
        "divide by the rows that count",
    ),
    PairCause(
        "cut-tail", "Σ over log p > −16", "The sum over classes that are not too unlikely, the others left out.",
        "sum over all classes", source=f"{GITHUB}ggml-org/llama.cpp/pull/5076",
    ),
    PairCause(
        "epsilon-in-logarithm", "Σ p log((p + ε)/(q + ε))",
        "A small number added to probabilities, or a floor under them.",
        "F.log_softmax of the logits, without an ε", source=f"{GITHUB}NVIDIA/Megatron-LM/issues/4055",
    ),
    PairCause(
        "logarithm-forgotten", "Σ p (log p − q)", "Probabilities, or logits, where F.kl_div takes log-probabilities.",
        "F.log_softmax of the other's logits", source=f"{GITHUB}microsoft/ProDA/issues/20",
    ),
    PairCause(
        "softmax-twice", "KL of softmax(softmax(x))", "Probabilities taken for logits on both sides, or on one.",
        "take the softmax once",
    ),
    PairCause(
        "top-k-classes", "Σ over the k most probable classes",
        "The sum over the most probable classes alone, as they are or "
        "renormalised on one side or on both.",
        "sum over all classes, or keep the rest as one more class", source=f"{GITHUB}Xilinx/brevitas/pull/1598",
    ),
    PairCause(
        "distillation-temperature", "KL of x/T and y/T, times T² or not",
        "The divergence at a temperature; the gradient's factor T² is missing, or is in it.",
        "divide the logits by no temperature", source=f"{GITHUB}IntelLabs/distiller/issues/122",
    ),
    PairCause(
        "padded-classes", "KL over the first C − k classes",
        "The last classes, which hold padding, cut off; or kept where the true vocabulary is smaller.",
        "compare the same classes: --first-classes N keeps the first N of both",
        source=f"{GITHUB}NVIDIA/Model-Optimizer/issues/2489",
    ),
    PairCause(
        "rows-shifted", "KL of row i and row i + 1",
        "Each row compared with the next or the one before of the other side.",
        "align both: the logits of position i predict token i + 1",
    ),
    PairCause(
        "sixteen-bit-base", "KL of x rounded to 16 bits",
        "The logits, or the base's log-probabilities, rounded to 16 bits.",
        "keep the logits in float32", source=f"{GITHUB}ikawrakow/ik_llama.cpp/pull/325",
    ),
    PairCause(
        "square-root", "√JS", "The square root, as scipy's jensenshannon returns it: a distance.", "square it",
        claimed="js",
        source=f"{GITHUB}scipy/scipy/pull/8295",
    ),
    PairCause(
        "ratio-for-difference", "ratio − 1, log ratio, ratio", "A ratio of perplexities, for its logarithm or for the "
        "difference from 1, or the other way round.",
        "log of the ratio is the difference of the mean losses", claimed="ppl_ratio",
    ),
    PairCause(
        "complement", "1 − v", "The share of the rows that are not so.", "take it from 1", claimed="same_top",
    ),
    PairCause(
        "other-percentile", "another percentile", "Another percentile of the rows, as the median for the mean.",
        "name it: --expect kl-median=VALUE",
    ),
    PairCause(
        "other-statistic", "another statistic", "Another statistic of the same two sets of logits.",
        "name it: --expect NAME=VALUE",
    ),
    PairCause("negated", "−v", "The number with the other sign.", "other less base, and −log p"),
)  # fmt: skip
PAIR_CODES = {cause.code: cause for cause in PAIR_CAUSES}
RANKS = {cause.code: rank for rank, cause in enumerate(PAIR_CAUSES)}
