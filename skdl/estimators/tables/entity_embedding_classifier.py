"""EntityEmbeddingClassifier: a network on tables with categories that tells classes."""

from skdl.estimators.core.classification import ClassifierParameters
from skdl.estimators.core.constructor import parameters
from skdl.estimators.tables.certainty import TableClassifierTask
from skdl.estimators.tables.dense import DenseParameters
from skdl.estimators.tables.embedding import EntityEmbeddingEstimator
from skdl.estimators.tables.embedding_parameters import EmbeddingParameters


@parameters
class EntityEmbeddingClassifier(
    TableClassifierTask,
    EntityEmbeddingEstimator,
    ClassifierParameters,
    DenseParameters,
    EmbeddingParameters,
):
    """Classifier for tables: a trained vector for every category, and a network.

    A DataFrame goes in as it is: text, category, boolean, object and Arrow columns are
    embedded, numeric ones scaled, and missing values of both kinds are understood.

    Parameters
    ----------
    categorical_features : "from_dtype", array-like or None, default="from_dtype"
        Which columns hold categories. "from_dtype" takes those of text, categories and
        booleans, found by looking where a column holds objects; names and indices are
        added to these; a mask says it of all columns; None takes none. Numbers of any
        type are numbers unless named here; see `numeric_embedding` of those that name
        things, such as shops.
    embedding_dim : "auto", int, dict or callable, default="auto"
        Entries of the vectors: for all columns, by name of the column, or a function of
        the number of categories. "auto" is ``min(50, round(1.6 * n_categories **
        0.56))``, but no more than there are rows for a category, also for columns that
        a dict leaves out; with folds as `validation` no more than 12, or a fourth of
        these rows where that is more.
    embedding_dropout : float or None, default=None
        Probability that an entry of a vector is zeroed in training, in [0, 1). None is
        .4 for classes and .2 for numbers with folds as `validation`, in columns of few
        rows a category, and otherwise 0.
    shared_embeddings : sequence of sequences of column names, default=None
        Groups of columns that hold the same kind of thing, such as ``[("home_team",
        "away_team")]``: they share categories and vectors.
    random_effects : sequence of column names or tuples of them, default=None
        Columns, or combinations of columns such as ``[("year", "month", "day")]``,
        whose rows share something that no column tells, and of which there will be new
        ones. In training each group has an intercept that is drawn toward zero, so that
        the network does not learn the group by heart; new groups have none (Simchoni &
        Rosset 2023, arXiv 2206.03314). Columns in a combination keep their vectors, a
        column named by itself has none. All must be categorical, and `optimizer`
        "adamw", "muon" or a callable.
    handle_unknown : {"ignore", "warn"}, default="ignore"
        Whether to count categories never seen before in a warning when predicting. They
        are no error either way. A column that is mostly unknown is named once in any
        case: it seems to come in another form than in `fit`.
    max_categories : int or None, default=50000
        Vectors of a column at most. Where there are more categories, the most frequent
        ones get three quarters of the vectors and all others are hashed to the last
        quarter, so that memory stays bounded, also by `partial_fit`: there the first
        ones to come keep theirs.
    hidden_layer_sizes : int, sequence of int or None, default=None
        Units of each hidden layer of the default network; empty for a linear model.
        None is (128, 128) with folds as `validation` (of 64 units below 100 rows and
        256 from 100,000 on, a third layer for real targets from 1,000 rows on) and
        (256, 128) of one network.
    activation : str, default="silu"
        "relu", "silu", "gelu", "selu", "mish", "elu", "leaky_relu", "tanh", "sigmoid"
        or "identity".
    dropout : float or None, default=None
        Probability that a hidden unit is zeroed in training, in [0, 1). None is 0 with
        folds as `validation`, .1 of one network.
    batch_norm : bool, default=False
        Whether to normalise each hidden layer over the batch.
    network : callable, class, torch.nn.Module or None, default=None
        Your own network in place of the dense one, for which the four parameters above
        are. A callable or class is called as ``network(n_inputs, n_outputs)`` and
        returns a ``torch.nn.Module``, which maps ``(n_rows, n_inputs)`` float32 to raw
        outputs ``(n_rows, n_outputs)`` without a softmax or sigmoid; for arrays of more
        axes it gets ``(n_rows, ..., n_inputs)``. `n_inputs` counts one more column for
        each column with missing values. Options of a callable are nested parameters:
        ``set_params(network__width=64)``, ``GridSearchCV(model, {"network__width": [64,
        128]})``. What is trained is a copy, also of a module.
    scale_inputs : bool, default=True
        Whether to centre each column on its median, divide it by its interquartile
        range and bend outliers smoothly toward +-3 (RealMLP, arXiv 2407.04491, section
        3). Missing values (NaN) become the median, with an indicator column, either
        way.
    numeric_embedding : {"auto", "piecewise", "cosine"} or None, default="auto"
        Vectors of numbers that networks with folds as `validation` have beside the
        numbers themselves: "piecewise" ones bend at the edges of bins (Gorishniy et
        al. 2022, arXiv 2203.05556, section 3.1), "cosine" ones are of learned
        frequencies (arXiv 2607.05380, section 3.2). "auto" is both, where
        `scale_inputs` is True, and a vector for each value of whole numbers that name
        things, such as shops (see docs/tables.md); one network trained alone has none.
    n_estimators : int, default=1
        Networks that are trained side by side, on the same batches but from other
        initial weights; predictions are their mean.
    diversity : {"settings"} or None, default=None
        In what networks with folds as `validation` differ, beside their initial weights
        and the fold that each is blind to. With "settings" the networks of each round
        of folds have a rate, decay, dropouts, activation and vectors of numbers of
        their own, around what the other parameters say, and the first round just that.
        Settings are chosen greedily, with replacement, so that their mean has the
        lowest out-of-fold loss; networks of the others are dropped, and `settings_`
        tells of all. A search in one fit: with 4 folds ``n_estimators=16`` is four
        settings (see docs/tables.md).
    class_weight : dict, "balanced" or None, default=None
        Weights of the classes; "balanced" makes them count alike, by the training rows
        of all calls so far. They multiply `sample_weight`. Not for label indicators.
    label_smoothing : float, default=0.0
        Share of each target that is spread evenly over all classes, in [0, 1) (Szegedy
        et al. 2016, arXiv 1512.00567, section 7).
    max_epochs : int or None, default=None
        Passes over the training data; with folds as `validation` at most so many. None
        is 20 passes of one network, and with folds as many as lower the out-of-fold
        loss.
    batch_size : int or "auto", default="auto"
        Samples in a step; "auto" takes a power of two near a 50th of the training
        samples, from 32 to 256.
    lr : float, "auto" or None, default=None
        Learning rate, where `schedule` is 1. "auto" finds one on the training data with
        a range test of at most 100 steps (see `lr_find`). None is .003 with folds as
        `validation`, .01 of one network.
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
    weight_decay : float or None, default=None
        Decay of weights; biases, normalisation layers and embeddings are not decayed.
        None is, with folds as `validation`, .2 for classes, less from 40,000 rows on,
        and .02 for numbers, and .1 of one network.
    betas : tuple of two floats or None, default=None
        Memory of the gradient, which is the momentum of "sgd", and of its square, for
        Adam and AdamW; in [0, 1). None is (.9, .95) with folds as `validation`,
        (.9, .99) of one network.
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
    validation : "auto", int, "last", splitter, list, float or None, default="auto"
        What decides how long to train. With folds several networks are trained side by
        side, each blind to another part of the rows, so that every row is predicted by
        a network that has not seen it (`oof_prediction_`); their out-of-fold loss
        decides when to stop and makes the probabilities as certain as they are right,
        and all networks together predict (see docs/tables.md). An int is a number of
        folds, drawn by class and, where `fit` is given `groups`, so that groups stay
        together; "last" is the last fifth of the rows, for tables in order of time; or
        a splitter of scikit-learn, or a list of its splits, whose held-out parts count.
        There are as many networks as folds, or `n_estimators` if that is more. A float
        is a share of the rows, stratified for classes, that one network is stopped
        early by. None trains one network on all rows. "auto" is 8 folds, or 4 below 200
        rows and where these are as good (see docs/tables.md), or where `fit` is given
        `X_val` 4 networks that learn from all of X and are validated on these; but one
        network on all rows where you say yourself how it is trained: where
        `max_epochs`, a `network` of your own, `early_stopping` without `X_val`, a
        `schedule`, `weight_averaging`, ``lr="auto"``, `warm_start`, `fine_tuning` or a
        `checkpoint` is given, none of which but `max_epochs` goes with folds, or where
        there are fewer than 20 rows. `partial_fit` begins with one network and goes on
        with what is there.
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
        is "float32". Predictions are always made in float32. On CPUs without units for
        it, "bfloat16" is several times slower.
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
    columns_ : DataFrame
        How each column is treated, a row a column: its `kind`, "category" or "number";
        the `categories` that have a vector of their own, since with folds those of few
        rows count as unknown, also of a number whose integers name things; the `bins`
        of a number and the `entries` of a value's vectors, 0 where there are none;
        whether there were `missing` values.
    harmful_features_ : list
        With folds as `validation`: columns of categories that have no vectors, since
        with them rows that a network had not seen were predicted worse, by three
        standard errors: an identifier, a surname.
    random_effects_ : dict of pandas.DataFrame
        Intercepts by name or tuple of names in `random_effects`, one row a group, one
        column a raw output ("effect", or a class): in the units of y for regressors
        (logarithms with ``loss="poisson"``), log odds for classifiers. With several
        networks, their means.
    categories_ : dict of ndarray
        Categories of each categorical column.
    embeddings_ : dict of pandas.DataFrame
        Vectors of each categorical column, one row a category. With several networks,
        those of the first.
    oof_prediction_ : ndarray of shape (n_samples,) or (n_samples, n_outputs)
        With folds as `validation`: probabilities or targets of the rows that `fit` was
        given, by networks that have not learned from them. NaN of rows that no fold
        holds out, or whose weight is zero.
    oof_score_ : float
        With folds as `validation`: accuracy or R^2 of these predictions.
    temperature_ : float
        With folds as `validation`, of classifiers: what raw outputs are divided by, so
        that the probabilities are as certain as they are right.
    feature_importances_ : ndarray of shape (n_features,)
        With folds as `validation`: how much the loss of rows that a network has not
        learned from rises where a column says nothing, which is where all rows have
        the mean of what the column gives the network. Below zero where the networks do
        better without. Of at most 16,384 rows, and without `corrections_`, which say
        for themselves what they are worth.
    feature_importances_std_ : ndarray of shape (n_features,)
        Standard errors of these, from 20 parts of the rows.
    corrections_ : DataFrame
        What is added to the networks' outputs for rows with some values, one row a
        correction: the `columns`; whether their `values` are the "same", "near", or, of
        the first the same and of the second near, "same, near"; the `gain`, which is
        the share that it takes away of the loss out of fold that those before it have
        left. Empty where nothing was left over, and where rows are held out in other
        ways than at random.
    settings_ : DataFrame
        With ``diversity="settings"``, one row a setting: what it is; its lowest
        `validation_loss` and the epoch of that; its `share` of the predictions.
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
    EmbeddingTransformer : Hands the vectors to other models.
    EntityEmbeddingRegressor : The same for real targets.

    References
    ----------
    Guo & Berkhahn 2016, "Entity embeddings of categorical variables", arXiv 1604.06737.

    Examples
    --------
    >>> from skdl import EntityEmbeddingClassifier
    >>> from skdl.datasets import make_store_sales
    >>> X, y = make_store_sales(2000, random_state=0, return_X_y=True)
    >>> model = EntityEmbeddingClassifier(max_epochs=2, random_state=0)
    >>> model.fit(X, y > y.median()).predict_proba(X[:2]).shape
    (2, 2)
    """
