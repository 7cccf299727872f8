"""TextClassifier: labels for strings."""

from skdl.estimators.core.classification import Classification, ClassWeightParameter
from skdl.estimators.core.constructor import parameters
from skdl.estimators.text.labelled import LabelledTextEstimator
from skdl.estimators.text.labelled_parameters import LabelledTextParameters


@parameters
class TextClassifier(
    Classification,
    LabelledTextEstimator,
    ClassWeightParameter,
    LabelledTextParameters,
):
    """Classifier of texts: strings in, labels out.

    Parameters
    ----------
    analyzer : {"word", "char", "bpe"} or callable, default="word"
        What a token is: a word, a character, or a piece found by byte pair encoding
        (with the extra ``text``); or a function from a text to its tokens.
    token_pattern : str, default="auto"
        For words, a regular expression that matches one, such as ``r"[a-z]+"``. "auto"
        takes words and punctuation marks, None splits at whitespace.
    lowercase : bool, default=True
        Whether to put texts into lower case.
    min_frequency : int, default=2
        Words, and runs of them, that occur less often or in fewer texts are not
        counted. For "bpe", how often two pieces must stand side by side to be joined.
    max_vocab : int, default=None
        Tokens that are kept at most, the most frequent ones. None keeps all; for "bpe"
        it is 10,000.
    ngram_range : tuple of two int, default=(1, 3)
        Lengths of the shortest and the longest runs of words that are counted. For
        ``analyzer="char"``, (1, 5) is a good choice.
    language_model : TextLM or None, default=None
        A language model whose vectors of the texts are read beside their words. A
        fitted one, or a ``FrozenEstimator`` of one, stays as it is (`clone` and
        searches take the fit from one that is not frozen); one that is not fitted
        learns in `fit`, from X and the unlabelled texts. None reads words only.
    fine_tuning : FineTuning, "gradual" or None, default=None
        How the language model's layers are trained on labels, below a head of their
        own, beside the other branches. "gradual" is the recipe of Howard & Ruder 2018
        (arXiv 1801.06146): the head first, one more layer in every epoch, each at a
        rate 2.6 times lower than the one above it; its names in a `FineTuning` are
        "reading" and "head". None leaves them as they are, which takes a fraction of
        the time: their vectors go to a linear model.
    dropout : float, default=0.4
        With `fine_tuning`, of a text's vector, in [0, 1).
    bptt : int, default=128
        With `fine_tuning`, tokens at the end of a text that gradients go through. The
        state goes through all of it.
    class_weight : dict, "balanced" or None, default=None
        Weights of the classes; "balanced" makes them count alike, by the training rows
        of all calls so far. They multiply `sample_weight`. Not for label indicators.
    max_epochs : int, default=12
        With `fine_tuning`, passes over the texts that the reader learns from.
    batch_size : int or "auto", default="auto"
        With `fine_tuning`, texts in a step; "auto" is 32.
    lr : float or "auto", default=0.01
        Learning rate, where `schedule` is 1. "auto" finds one on the training data with
        a range test of at most 100 steps (see `lr_find`).
    optimizer : str or callable, default="adamw"
        "adamw" (decoupled weight decay, arXiv 1711.05101), "adam" (decay as an L2 term
        of the gradient), "sgd" (Nesterov momentum), "muon" (orthogonal steps of hidden
        matrices, arXiv 2502.16982; the rest by AdamW), or a ``torch.optim.Optimizer``
        class or a ``functools.partial`` of one.
    schedule : str or callable, default="one_cycle"
        "one_cycle" (rise for a quarter of training, then fall; momentum moves the other
        way by +-.05; arXiv 1803.09820), "cosine", "warm_restarts" (three cosine falls,
        each twice as long as the last; arXiv 1608.03983), "flat_cosine", "constant", or
        a function that takes progress in [0, 1] and returns the factor of `lr`.
    weight_decay : float, default=0.01
        Decay of weights; biases, normalisation layers and embeddings are not decayed.
    betas : tuple of two floats, default=(0.8, 0.99)
        Memory of the gradient, which is the momentum of "sgd", and of its square, for
        Adam and AdamW; in [0, 1).
    clip_grad_norm : float, default=1.0
        Largest norm of the gradient of all weights together; longer ones are shortened.
    weight_averaging : {"ema", "nt_asgd"} or None, default=None
        "ema" keeps an exponential moving average of the weights over about the last
        tenth of training in place of the last weights. It helps with a schedule that
        does not fall to zero, such as "constant". "nt_asgd" keeps the plain mean from
        where the validation loss stops falling on (arXiv 1708.02182, section 4); it
        needs held-out data and a constant rate.
    early_stopping : bool, default=True
        With `fine_tuning`, whether to stop when the loss of the texts held out has not
        fallen for `n_iter_no_change` epochs, and go back to the weights of the best
        epoch. Texts are held out either way, to weigh the reader.
    validation : float, default=0.1
        With `fine_tuning`, share of the texts that the reader does not learn from,
        stratified for classes, unless `fit` is given `X_val` and `y_val`.
    n_iter_no_change : int, default=10
        Epochs without a new lowest validation loss before early stopping.
    warm_start : bool, default=False
        Must be False: words and their weights are learned anew in every fit.
    checkpoint : str, os.PathLike or tuple of a path and an int, default=None
        File that the state of training is written to after every epoch, or with a tuple
        after so many. If `fit` is cut off, the same `fit` with the same file goes on
        after the last epoch written; on a CPU its result is the same, bit for bit, as
        if it had never been cut off. The file is removed once `fit` is done. One path a
        fit: searches over parameters cannot share one.
    device : str or torch.device, default="auto"
        "auto" takes a CUDA GPU where there is one; otherwise "cpu", "cuda", "cuda:1",
        ... A list, such as ["cuda:0", "cuda:1"] or ["cpu", "cpu"], trains with a
        process on each, and predicts on the first; not for text (docs/scaling.md).
    precision : str, default="auto"
        Arithmetic in training: "float32" or "bfloat16" (with float32 weights); "auto"
        is "bfloat16" on GPUs and CPUs that are made for it. All else is float32.
    random_state : int, RandomState instance or None, default=None
        Governs initial weights, order of the samples, dropout and validation split; an
        int gives the same weights, bit for bit, on the same machine. None takes fresh
        entropy. Neither NumPy's nor torch's global random state is touched.
    verbose : int, default=0
        1 shows a progress bar, 2 a line for every epoch.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The labels, sorted; for label indicators the numbers of the columns.
    branches_ : pandas.DataFrame
        What says how much: a row for each branch ("presence" of words and runs of
        them, "tf-idf", "topics" in which words go together, and the vectors of a
        "language model"), with its `loss` on texts that it has not learned from, the
        inverse `strength` of its penalty that was chosen so, and its `weight`; and the
        loss of all "together". With `fine_tuning` the "reader", with its loss on texts
        held out and its weight beside the others.
    oof_prediction_ : ndarray of shape (n_samples,) or (n_samples, n_outputs)
        Probabilities or targets of the texts that `fit` was given, by models that have
        not learned from them. NaN of texts whose weight is zero, and of those beyond
        20,000.
    oof_score_ : float
        Accuracy or R^2 of these predictions.
    language_model_ : TextLM or None
        The fitted language model whose vectors are read.
    network_ : torch.nn.Module or None
        With `fine_tuning`, the trained network, in evaluation mode.
    history_ : pandas.DataFrame
        With `fine_tuning`, one row an epoch of training the network: `epoch`, `loss`,
        `lr` (at its end), `seconds`, `training_seconds`, and of texts held out
        `validation_loss` and `validation_score` (accuracy or R^2); else empty.
    n_iter_ : int
        Epochs run.
    best_epoch_ : int
        The epoch whose weights are kept: the last one, or the best with early stopping.
    lr_ : float
        The learning rate where `schedule` is 1; halved by every restoration. What
        `partial_fit` went on at is in `history_`.
    device_ : str
        Where the network is. A pickle holds no device: it loads where there is no GPU.

    See Also
    --------
    TextRegressor : The same for real targets.
    TextLM : The language model that it may read with.

    Examples
    --------
    >>> from skdl import TextClassifier
    >>> texts = ["a fine film", "what a bore", "fine acting", "a bore of a film"] * 5
    >>> model = TextClassifier(random_state=0).fit(texts, ["+", "-", "+", "-"] * 5)
    >>> model.predict(["fine"]).tolist(), model.predict_proba(texts).shape
    (['+'], (20, 2))
    """

    max_epochs: int = 12
    batch_size: int | str = "auto"
    lr: float | str = 1e-2
    weight_decay: float = 0.01
    betas: tuple[float, float] = (0.8, 0.99)
    clip_grad_norm: float | None = 1.0
    early_stopping: bool = True

    label_smoothing = 0.0  # it is for networks
