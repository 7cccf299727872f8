"""ImageClassifier: a network on pictures that tells their classes."""

from skdl.estimators.core.classification import (
    ClassifierParameters,
    ClassifierTask,
)
from skdl.estimators.core.constructor import parameters
from skdl.estimators.core.parameters import FineTuningParameter
from skdl.estimators.pictures.image import ImageEstimator, ImageParameters


@parameters
class ImageClassifier(
    ClassifierTask,
    ImageEstimator,
    FineTuningParameter,
    ClassifierParameters,
    ImageParameters,
):
    """Classifier for pictures, with a convolutional network.

    Binary, multiclass and multilabel; labels may be of any kind.

    Pictures are arrays (n, height, width) or with channels, flattened rows, lists of
    PIL images, or paths of files. Training pictures are shifted, turned and zoomed at
    random.

    Parameters
    ----------
    image_shape : sequence of int, default=None
        (height, width), (height, width, channels) or (channels, height, width): how
        rows are to be read as pictures, and what size picture files are brought to.
        Without it rows make square pictures, and files must have one size.
    augmentation : "auto", dict or None, default="auto"
        Random changes of training pictures, on the device: ``shift`` and ``zoom``
        (shares), ``rotation`` (degrees), ``flip`` (bool), ``erasing`` (probability),
        ``mixup`` (parameter of the beta distribution). "auto" is ``{"shift": 0.1,
        "rotation": 10, "zoom": 0.1}``; mirror pictures of things that have no left and
        right with ``{"flip": True, ...}``. None changes nothing.
    test_time_augmentation : bool, default=False
        Whether predictions are means over a picture and its shifted (and, with
        ``flip``, mirrored) copies.
    on_unreadable : {"error", "skip"}, default="error"
        Whether a picture file that cannot be read is an error in `fit`, or left out
        with a warning. When predicting it is always an error.
    memory_limit : float, default=4096
        Mebibytes up to which picture files are read once and kept; more are read anew
        in every epoch.
    network : callable, class, torch.nn.Module or None, default=None
        None is a small residual network, as deep as the pictures are large. A callable
        or class is called as ``network(n_channels, n_outputs)`` and returns a
        ``torch.nn.Module``, which maps ``(n_rows, channels, height, width)`` float32 to
        raw outputs ``(n_rows, n_outputs)`` without a softmax or sigmoid. Options of a
        callable are nested parameters: ``set_params(network__width=64)``. What is
        trained is a copy, also of a module.
    activation : str, default="silu"
        Of the default network: "relu", "silu", "gelu", "selu", "mish", "elu",
        "leaky_relu", "tanh", "sigmoid" or "identity".
    dropout : float, default=0.1
        Probability that an entry of the default network's last layer is zeroed in
        training, in [0, 1).
    scale_inputs : bool, default=True
        Whether pictures are standardised by channel; without it bytes are divided by
        255.
    n_estimators : int, default=1
        Networks that are trained side by side, on the same batches but from other
        initial weights; predictions are their mean.
    class_weight : dict, "balanced" or None, default=None
        Weights of the classes; "balanced" makes them count alike, by the training rows
        of all calls so far. They multiply `sample_weight`. Not for label indicators.
    label_smoothing : float, default=0.1
        Share of each target that is spread evenly over all classes, in [0, 1) (Szegedy
        et al. 2016, arXiv 1512.00567, section 7).
    fine_tuning : FineTuning or None, default=None
        What of the network is frozen, when it thaws, and how much more slowly early
        layers learn, when going on from trained weights.
    max_epochs : int, default=20
        Passes over the training data.
    batch_size : int or "auto", default="auto"
        Samples in a step; "auto" takes a power of two near a 50th of the training
        samples, from 32 to 256.
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
    weight_decay : float, default=0.1
        Decay of weights; biases, normalisation layers and embeddings are not decayed.
    betas : tuple of two floats, default=(0.9, 0.99)
        Memory of the gradient, which is the momentum of "sgd", and of its square, for
        Adam and AdamW; in [0, 1).
    clip_grad_norm : float, default=None
        Largest norm of the gradient of all weights together; longer ones are shortened.
    weight_averaging : {"ema", "nt_asgd"} or None, default=None
        "ema" keeps an exponential moving average of the weights over about the last
        tenth of training in place of the last weights. It helps with a schedule that
        does not fall to zero, such as "constant". "nt_asgd" keeps the plain mean from
        where the validation loss stops falling on (arXiv 1708.02182, section 4); it
        needs held-out data and a constant rate.
    early_stopping : bool, default=False
        Whether to hold out data, stop when its loss has not fallen for
        `n_iter_no_change` epochs, and go back to the weights of the best epoch.
    validation : float, default=0.1
        Share of the training samples that early stopping holds out, stratified for
        classes, unless `fit` is given `X_val` and `y_val`.
    n_iter_no_change : int, default=10
        Epochs without a new lowest validation loss before early stopping.
    warm_start : bool, default=False
        Whether `fit` goes on from the last fit: its weights, and scales and categories
        that go on being learned.
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
        is "bfloat16" on GPUs and CPUs that are made for it. Predictions are always made
        in float32.
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
    image_shape_ : tuple of three int
        Channels, height and width of the pictures.
    n_features_in_ : int
        Columns of X.
    feature_names_in_ : ndarray of str
        Names of the columns, where X has string names for all of them.
    network_ : torch.nn.Module
        The trained network, in evaluation mode.
    history_ : pandas.DataFrame
        One row an epoch: `epoch`, `loss`, `lr` (at its end), `seconds`, and with
        held-out data `training_seconds` (`seconds` without the validation),
        `validation_loss` and `validation_score` (accuracy or R^2). Where it happened:
        `skipped_steps` (loss or gradient was not finite), `restorations` (how often
        training went back to the last good epoch, with half the rate) and
        `rows_at_once` (rows that fit into memory).
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
    ImageRegressor : The same for real targets.
    MistakesDisplay : The pictures that a classifier is most confidently wrong about.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_digits
    >>> from skdl import ImageClassifier
    >>> digits = load_digits()
    >>> X, y = digits.images.astype(np.uint8), digits.target
    >>> model = ImageClassifier(max_epochs=3, random_state=0).fit(X[:500], y[:500])
    >>> model.predict_proba(X[:2]).shape
    (2, 10)
    """

    # Without it a network learns pictures by heart (mnist_10k .988 -> .995).
    label_smoothing: float = 0.1
