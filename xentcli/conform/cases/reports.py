"""Public bug reports that motivate the cases, each met by somebody's cross-entropy."""

GITHUB = "https://github.com/"
IGNORED_DENOMINATOR = (GITHUB + "PaddlePaddle/Paddle/issues/23708", GITHUB + "open-mmlab/mmsegmentation/issues/546")
IGNORED_BEYOND = (GITHUB + "PaddlePaddle/Paddle/issues/34718", GITHUB + "pytorch/pytorch/issues/15508")
IGNORED_DEFAULT = (GITHUB + "flagos-ai/FlagGems/pull/73",)
ALL_IGNORED = (GITHUB + "pytorch/pytorch/issues/70348", GITHUB + "mgmalek/efficient_cross_entropy/issues/6")
SMOOTHING_IGNORED = (GITHUB + "pytorch/pytorch/issues/73205",)
SMOOTHING_WEIGHTED = (GITHUB + "pytorch/pytorch/issues/69339", GITHUB + "pytorch/pytorch/issues/91383")
SMOOTHING_OTHERS = (GITHUB + "awslabs/sockeye/pull/203",)
WEIGHTED_MEAN = (GITHUB + "pytorch/pytorch/issues/61309", GITHUB + "pytorch/pytorch/issues/40560")
MASKED = (GITHUB + "google-deepmind/optax/issues/896", GITHUB + "OpenBMB/ModelCenter/issues/14")
UNDERFLOW = (GITHUB + "deeplearning4j/deeplearning4j/issues/785", GITHUB + "PaddlePaddle/Paddle/pull/21165")
CLIPPED = (GITHUB + "keras-team/keras/issues/17634", GITHUB + "chainer/chainer/issues/584")
OFFSET = (GITHUB + "ml-explore/mlx/pull/4188", GITHUB + "pytorch/pytorch/issues/11752")
STRIDES = (GITHUB + "NVIDIA/TransformerEngine/issues/2734", GITHUB + "pytorch/pytorch/issues/67167")
OVERWRITTEN = (GITHUB + "NVIDIA/Megatron-LM/pull/1594", GITHUB + "unslothai/unsloth/issues/5002")
TWICE = (GITHUB + "modelscope/ms-swift/issues/10129", GITHUB + "Dao-AILab/quack/pull/209")
UPSTREAM = (GITHUB + "linkedin/Liger-Kernel/pull/680", GITHUB + "paiml/aprender/pull/2182")
EXPANDED = (GITHUB + "ROCm/TransformerEngine/pull/623", GITHUB + "NVIDIA/TransformerEngine/pull/2402")
ZERO_GRADIENT = (GITHUB + "microsoft/DirectML/issues/739",)
OUT_OF_RANGE = (GITHUB + "tensorflow/tensorflow/issues/3739", GITHUB + "PaddlePaddle/Paddle/issues/10945")
LABEL_WRAP = (GITHUB + "urvashik/knnlm/issues/6",)
HALF_MEAN = (GITHUB + "pytorch/pytorch/issues/29429", GITHUB + "pytorch/pytorch/issues/61523")
ACCUMULATION = (GITHUB + "pytorch/pytorch/issues/55657", GITHUB + "awslabs/raf/pull/113")
INDEX_OVERFLOW = (
    GITHUB + "PaddlePaddle/Paddle/issues/53516",
    GITHUB + "pytorch/pytorch/issues/111484",
    GITHUB + "PaddlePaddle/Paddle/pull/30590",
)
REDUCTION = (GITHUB + "linkedin/Liger-Kernel/pull/435",)
NORMALISED = (GITHUB + "keras-team/tf-keras/issues/47",)
