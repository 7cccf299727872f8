"""Descriptions of the parameters that several estimators share, written once."""

import re
from typing import TypeVar

_Class = TypeVar("_Class", bound=type)

DENSE = """
hidden_layer_sizes : int or sequence of int, default=(256, 128)
    Units of each hidden layer of the default network; empty for a linear model.
activation : str, default="silu"
    "relu", "silu", "gelu", "selu", "mish", "elu", "leaky_relu", "tanh", "sigmoid" or
    "identity".
dropout : float, default=0.1
    Probability that a hidden unit is zeroed in training, in [0, 1).
batch_norm : bool, default=False
    Whether to normalise each hidden layer over the batch.
network : callable, "conv" or None, default=None
    "conv" takes pictures (`NeuralClassifier` and `NeuralRegressor` only): arrays
    (n, height, width) or with channels, flattened rows, lists of PIL images, or paths.
    A callable builds your own network: called as ``network(n_inputs, n_outputs)``,
    returns a ``torch.nn.Module`` that maps ``(n_rows, n_inputs)`` float32 to raw
    outputs ``(n_rows, n_outputs)`` without a softmax or sigmoid. Set its options with
    ``functools.partial``. With it the four parameters above are not used. `n_inputs`
    counts one more column for each column with missing values; for pictures it is the
    number of channels, and the module gets ``(n_rows, channels, height, width)``.
scale_inputs : bool, default=True
    Whether to centre each column on its median, divide it by its interquartile range
    and bend outliers smoothly toward +-3 (RealMLP, arXiv 2407.04491, section 3).
    Missing values (NaN) become the median, with an indicator column, either way.
    Pictures are standardised by channel; without it bytes are divided by 255.
"""

PICTURES = """
image_shape : sequence of int, default=None
    (height, width), (height, width, channels) or (channels, height, width): how rows
    are to be read as pictures, and what size picture files are brought to. Without it
    rows make square pictures, and files must have one size.
augmentation : "auto", dict or None, default="auto"
    Random changes of training pictures, on the device: ``shift`` and ``zoom`` (shares),
    ``rotation`` (degrees), ``flip`` (bool), ``erasing`` (probability), ``mixup``
    (parameter of the beta distribution). "auto" is ``{"shift": 0.1, "rotation": 10,
    "zoom": 0.1}``; mirror pictures of things that have no left and right with
    ``{"flip": True, ...}``. None changes nothing.
test_time_augmentation : bool, default=False
    Whether predictions are means over a picture and its shifted (and, with ``flip``,
    mirrored) copies.
on_unreadable : {"error", "skip"}, default="error"
    Whether a picture file that cannot be read is an error in `fit`, or left out with a
    warning. When predicting it is always an error.
memory_limit : float, default=4096
    Mebibytes up to which picture files are read once and kept; more are read anew in
    every epoch.
"""

EMBEDDING = """
categorical_features : "from_dtype", array-like or None, default="from_dtype"
    Which columns hold categories. "from_dtype" takes those of text, categories and
    booleans, found by looking where a column holds objects; names and indices are
    added to these; a mask says it of all columns; None takes none. Numbers of any type
    are numbers unless named here.
embedding_dim : "auto", int, dict or callable, default="auto"
    Entries of the vectors: for all columns, by name of the column, or a function of
    the number of categories. "auto" is ``min(50, round(1.6 * n_categories ** 0.56))``,
    but no more than there are rows for a category, also for columns that a dict leaves
    out.
embedding_dropout : float, default=0.0
    Probability that an entry of a vector is zeroed in training, in [0, 1).
shared_embeddings : sequence of sequences of column names, default=None
    Groups of columns that hold the same kind of thing, such as
    ``[("home_team", "away_team")]``: they share categories and vectors.
random_effects : sequence of column names or tuples of them, default=None
    Columns, or combinations of columns such as ``[("year", "month", "day")]``, whose
    rows share something that no column tells, and of which there will be new ones. In
    training each group has an intercept that is drawn toward zero, so that the network
    does not learn the group by heart; new groups have none (Simchoni & Rosset 2023,
    arXiv 2206.03314). Columns in a combination keep their vectors, a column named by
    itself has none. All must be categorical, and `optimizer` "adamw" or a callable.
unknown_rate : float, default=0.01
    Share of categories that are hidden in training, so that the vector that unknown
    categories get is a trained one. A missing value has a vector of its own.
handle_unknown : {"ignore", "warn"}, default="ignore"
    Whether to count categories never seen before in a warning when predicting. They
    are no error either way. A column that is mostly unknown is named once in any case:
    it seems to come in another form than in `fit`.
shrinkage : float, default=1.0
    After training, the vector of a category with n rows is drawn toward the mean of
    its column to ``mean + n / (n + shrinkage) * (vector - mean)``.
max_categories : int or None, default=50_000
    Vectors of a column at most. Where there are more categories, the most frequent
    ones get three quarters of the vectors and all others are hashed to the last
    quarter, so that memory stays bounded.
"""

EMBEDDING_FITTED = """
categories_ : dict of ndarray
    Categories of each categorical column.
embeddings_ : dict of pandas.DataFrame
    Vectors of each categorical column, one row a category. With several networks,
    those of the first.
random_effects_ : dict of pandas.DataFrame
    Intercepts by name or tuple of names in `random_effects`, one row a group, one
    column a raw output: in the units of y for regressors (logarithms with
    ``loss="poisson"``), log odds for classifiers. With several networks, their means.
"""

CLASSIFIER = """
class_weight : dict, "balanced" or None, default=None
    Weights of the classes; "balanced" makes them count alike. They multiply
    `sample_weight`. Not for label indicators.
label_smoothing : float or "auto", default="auto"
    Share of each target that is spread evenly over all classes, in [0, 1) (Szegedy et
    al. 2016, arXiv 1512.00567, section 7). "auto" is .1 for pictures and 0 otherwise.
"""

REGRESSOR = """
loss : str, default="squared_error"
    "squared_error" (predicts means), "absolute_error" (medians), "huber" (squared up
    to one standard deviation of the target, absolute beyond), "quantile" or "poisson"
    (expected counts, through an exponential). Targets are standardised inside, for
    "poisson" only divided by their mean.
quantile : float, default=0.5
    The quantile that ``loss="quantile"`` predicts, in (0, 1).
"""

TRAINING = """
optimizer : str or callable, default="adamw"
    "adamw" (decoupled weight decay, arXiv 1711.05101), "adam" (decay as an L2 term of
    the gradient), "sgd" (Nesterov momentum), or a ``torch.optim.Optimizer`` class or a
    ``functools.partial`` of one.
lr : float or "auto", default=1e-2
    Learning rate, where `schedule` is 1. "auto" finds one on the training data with a
    range test of at most 100 steps (see `lr_find`).
weight_decay : float, default=0.1
    Decay of weights; biases, normalisation layers and embeddings are not decayed.
betas : tuple of two floats, default=(0.9, 0.99)
    Memory of the gradient and of its square, for Adam and AdamW.
momentum : float, default=0.9
    Momentum of "sgd".
freeze : str or sequence of str, default=None
    Names of modules of your network that are not trained, such as "layer1" or
    "body.0"; "all_but_last" is all layers but the last. For going on from trained
    weights.
thaw : int, "gradual" or None, default=None
    Epochs after which frozen layers are trained too; "gradual" thaws one more layer
    after every epoch, the last one first (arXiv 1801.06146, section 3.3).
layer_lr_decay : float, default=1.0
    Learning rate of each layer as a share of that of the layer after it, in (0, 1]:
    below 1, early layers change less ("discriminative" rates, arXiv 1801.06146,
    section 3.2), which helps when going on from trained weights.
schedule : str or callable, default="one_cycle"
    "one_cycle" (rise for a quarter of training, then fall; momentum moves the other
    way by +-.05; arXiv 1803.09820), "cosine", "warm_restarts" (three cosine falls,
    each twice as long as the last; arXiv 1608.03983), "flat_cosine", "constant", or a
    function that takes progress in [0, 1] and returns the factor of `lr`.
max_epochs : int, default=20
    Passes over the training data.
batch_size : int or "auto", default="auto"
    Samples in a step; "auto" takes a power of two near a 50th of the training samples,
    from 32 to 256.
clip_grad_norm : float, default=None
    Largest norm of the gradient of all weights together; longer ones are shortened.
weight_averaging : {"ema", "nt_asgd"} or None, default=None
    "ema" keeps an exponential moving average of the weights over about the last tenth
    of training in place of the last weights. It helps with a schedule that does not
    fall to zero, such as "constant". "nt_asgd" keeps the plain mean from where the
    validation loss stops falling on (arXiv 1708.02182, section 4); it needs held-out
    data and a constant rate.
n_estimators : int, default=1
    Networks that are trained side by side, on the same batches but from other initial
    weights; predictions are their mean.
early_stopping : bool, default=False
    Whether to hold out data, stop when its loss has not fallen for `n_iter_no_change`
    epochs, and go back to the weights of the best epoch.
validation_fraction : float, default=0.1
    Share of the training samples that early stopping holds out, stratified for
    classes, unless `fit` is given `X_val` and `y_val`.
n_iter_no_change : int, default=10
    Epochs without a new lowest validation loss before early stopping.
checkpoint : str or os.PathLike, default=None
    File that the state of training is written to. If `fit` is cut off, the same `fit`
    with the same file goes on after the last epoch written; on a CPU its result is the
    same, bit for bit, as if it had never been cut off. The file is removed once `fit`
    is done. One path a fit: searches over parameters cannot share one.
checkpoint_every : int, default=1
    Epochs from one writing of `checkpoint` to the next.
warm_start : bool, default=False
    Whether `fit` goes on from the weights and scaling of the last fit.
device : str or torch.device, default="auto"
    "auto" takes a CUDA GPU where there is one; otherwise "cpu", "cuda", "cuda:1", ...
precision : str, default="auto"
    Arithmetic in training: "float32" or "bfloat16" (with float32 weights); "auto" is
    "float32", but for pictures "bfloat16" on GPUs and CPUs that are made for it.
    Predictions are always made in float32.
random_state : int, RandomState instance or None, default=None
    Governs initial weights, order of the samples, dropout and validation split; an
    int gives the same weights, bit for bit, on the same machine. None takes fresh
    entropy. Neither NumPy's nor torch's global random state is touched.
verbose : int, default=0
    1 shows a progress bar, 2 a line for every epoch.
"""

FITTED = """
network_ : torch.nn.Module
    The trained network, in evaluation mode.
history_ : pandas.DataFrame
    One row an epoch: `epoch`, `loss`, `lr` (at its end), `seconds`, and with held-out
    data `training_seconds` (`seconds` without the validation), `validation_loss` and
    `validation_score` (accuracy or R^2). Where it happened: `skipped_steps` (loss or
    gradient was not finite), `restorations` (how often training went back to the last
    good epoch, with half the rate) and `rows_at_once` (rows that fit into memory).
n_iter_ : int
    Epochs run.
best_epoch_ : int
    The epoch whose weights are kept: the last one, or the best with early stopping.
lr_ : float
    The learning rate used; halved by every restoration.
device_ : str
    Where the network is. A pickle holds no device: it loads where there is no GPU.
n_features_in_ : int
    Columns of X.
feature_names_in_ : ndarray of str
    Names of the columns, where X has string names for all of them.
"""

TEXT = """
analyzer : {"word", "char", "bpe"} or callable, default="word"
    What a token is: a word, a character, or a piece found by byte pair encoding (with
    the extra ``text``); or a function from a text to its tokens.
token_pattern : str, default=None
    For words, a regular expression that matches one, such as ``r"[a-z]+"``. None splits
    at whitespace.
lowercase : bool, default=False
    Whether to put texts into lower case.
min_frequency : int, default=2
    Rarer tokens become ``<unk>``, which so learns to stand for what is new. For "bpe",
    how often two pieces must stand side by side to be joined.
max_vocab : int, default=None
    Tokens that are kept at most, the most frequent ones. None keeps all; for "bpe" it
    is 10,000.
embedding_dim : int, default=256
    Width of the vectors of tokens.
hidden_size : int, default=256
    Width of the recurrent layers; with tied weights the last one is `embedding_dim`
    wide.
num_layers : int, default=2
    Recurrent layers.
tie_weights : bool, default=True
    Whether the softmax has the tokens' vectors as its weight (Press & Wolf 2016, arXiv
    1608.05859).
cell : {"lstm", "qrnn"}, default="lstm"
    "qrnn" makes all products of a window at once and leaves little to be done step by
    step (Bradbury et al. 2016, arXiv 1611.01576), which is faster for wide layers.
softmax : {"auto", "full", "adaptive"} or sequence of int, default="auto"
    "adaptive" puts rare tokens into clusters that are slices of the embedding, which
    takes a fraction of the time (Grave et al. 2017, arXiv 1609.04309); a sequence gives
    the first token of each cluster. Probabilities are exact either way. "auto" is
    adaptive on a CPU from 5,000 tokens on.
dropout_scale : float, default=1.0
    All dropouts are multiplied by it: more for little text, less for much.
input_dropout, hidden_dropout, output_dropout : float, default=0.2, 0.1, 0.2
    Dropout of vectors, between layers and before the softmax, with masks that stay the
    same over a window.
word_dropout : float, default=0.0
    Share of words whose vectors are zeroed in a window.
recurrent_dropout : float or "auto", default="auto"
    Dropout of recurrent weights; for "qrnn" of all weights of the layers. "auto" is 0.1
    for "lstm" and 0 for "qrnn".
zoneout : float, default=0.0
    For "qrnn", share of units that keep their past for a step.
activation_penalty, temporal_penalty : float, default=0.0
    Penalties on the size of the top layer's outputs, and on their change from step to
    step (arXiv 1708.01009).
bptt : int or "auto", default=35
    Tokens of a window, through which gradients go back. "auto" chooses among 35, 70,
    140 and 280 (less where these do not fit memory or the text): the shortest window
    that is at most 5% slower than the fastest, among those that fit into memory, leave
    200 steps an epoch and 2000 in all, and keep the loss finite. Shorter windows are
    more updates. Speed is measured with `random_state` None; otherwise it is estimated
    by formula, and the choice depends on nothing but data, parameters and how much
    memory the device has in all. It is made once; `warm_start` and `partial_fit` keep
    it.
variable_bptt : bool, default=True
    Whether windows have random lengths around `bptt`, with the rate scaled likewise
    (arXiv 1708.02182, section 5).
init_from : TextLM, default=None
    A fitted model, or a ``FrozenEstimator`` of one, with whose weights to begin. The
    vocabulary is that of the new texts; words that the other model does not know begin
    at its mean vector.
pooling : {"all", "last", "max", "mean"}, default="all"
    What `transform` makes of the top layer's outputs: the last, the highest, their
    mean, or all three beside each other. May be changed after fitting.
"""

# What TextLM has otherwise.
TEXT_TRAINING = {
    "lr": """
lr : float or "auto", default=4e-3
    Learning rate, where `schedule` is 1. "auto" finds one on the training texts with a
    range test of at most 100 steps (see `lr_find`).
""",
    "weight_decay": """
weight_decay : float, default=0.01
    Decay of weights; biases are not decayed.
""",
    "betas": """
betas : tuple of two floats, default=(0.8, 0.99)
    Memory of the gradient and of its square, for Adam and AdamW.
""",
    "max_epochs": """
max_epochs : int, default=10
    Passes over the training texts.
""",
    "batch_size": """
batch_size : int or "auto", default=20
    Streams that are read side by side. "auto" chooses as `bptt` does, among 10 to 80,
    on a GPU 20 to 160, and takes the fewest tokens a step.
""",
    "clip_grad_norm": """
clip_grad_norm : float, default=0.25
    Largest norm of the gradient of all weights together; longer ones are shortened.
""",
    "n_estimators": "",
    "validation_fraction": """
validation_fraction : float, default=0.1
    Share of the documents that early stopping holds out, at random, unless `fit` is
    given `X_val`; of a single document its end.
""",
    "precision": """
precision : str, default="auto"
    Arithmetic in training: "float32" or "bfloat16" (with float32 weights); "auto" is
    "bfloat16" on GPUs and CPUs that are made for it. All else is float32.
""",
}


def _changed(document: str, changes: dict[str, str]) -> str:
    """Put other descriptions of some parameters into a document."""
    blocks = re.split(r"(?m)^(?=\w)", document)
    names = [block.split(" ", 1)[0] for block in blocks]
    parts = [
        changes.get(name, block).lstrip("\n")
        for name, block in zip(names, blocks, strict=True)
    ]
    return "".join(parts)


_SECTIONS = {
    "text": TEXT,
    "text_training": _changed(TRAINING, TEXT_TRAINING),
    "dense": DENSE,
    "pictures": PICTURES,
    "embedding": EMBEDDING,
    "embedding_fitted": EMBEDDING_FITTED,
    "classifier": CLASSIFIER,
    "regressor": REGRESSOR,
    "training": TRAINING,
    "fitted": FITTED,
}


def fill_docstring(cls: _Class) -> _Class:
    """Put the shared descriptions where the docstring has `{dense}` and the like."""
    document = cls.__doc__ or ""
    for name, text in _SECTIONS.items():
        document = document.replace(f"    {{{name}}}\n", _indent(text))
    cls.__doc__ = document
    return cls


def _indent(text: str) -> str:
    lines = text.strip("\n").splitlines()
    return "".join(f"    {line}\n" if line else "\n" for line in lines)
