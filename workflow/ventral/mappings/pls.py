"""Partial least squares from the Gram matrix alone.

Let X (n, p) be the centred features of the training stimuli, `K = X X^T` (n, n) their Gram matrix, and Y (n, t) the
centred responses. Partial least squares takes one component after another (Wold, Ruhe, Wold and Dunn 1984, SIAM Journal
on Scientific and Statistical Computing 5:735). A component is the direction X^T u of features that covaries most with
the responses. Here u = Y c, where c is the first eigenvector of Y^T K Y, and the scores are t = K u. K and Y are then
made orthogonal to t. Let U hold all vectors u, and T (orthonormal) all vectors t; then

    predictions = K_test U (T^T K U)^-1 T^T Y,

where T^T K U is upper triangular (the kernel form: Rosipal and Trejo 2001, JMLR 2:97). Features enter through K alone,
so their number does not matter. Rotating the responses, Y Q, changes neither u nor t, so targets beyond the number of
stimuli cost no further eigenvectors.
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ventral.mappings.standardisation import centred_columns

# With fewer targets, forming Y^T K Y and its first eigenvector is faster than iterating on products with vectors.
FEW_TARGETS = 256


def pls_predictions(
    gram: ArrayLike, responses: ArrayLike, folds: Sequence[ArrayLike], n_components: int
) -> NDArray[np.float64]:
    """Predict every target for every stimulus by partial least squares fitted without its fold.

    The result equals refitting scikit-learn's ``PLSRegression(n_components, scale=False)`` for every fold, iterated to
    convergence. All targets are fitted together.

    Parameters
    ----------
    gram : (n, n) array
        Inner products of the stimuli's feature vectors, of any centring.
    responses : (n, targets) or (n,) array
        Finite values.
    folds : sequence of integer arrays
        Rows of each fold; each row in one fold at most. Rows in no fold are part of every fit, and their predictions
        are NaN.
    n_components : int
        Number of components. A fold has fewer if only rounding errors are left to covary.

    Returns
    -------
    (n, targets) array
        The prediction of a target that is constant in the training part is its mean there.

    Raises
    ------
    ValueError
        If shapes disagree, values are not finite, folds overlap, or there is no component.
    """
    gram, responses = _checked(gram, responses, n_components)
    n = len(gram)
    folds = [np.asarray(fold) for fold in folds]
    held_out, counts = np.unique(np.concatenate(folds), return_counts=True)
    if (counts > 1).any() or not np.isin(held_out, np.arange(n)).all():
        raise ValueError(f"folds must hold each of the {n} stimuli at most once, and no other rows")
    rotated = with_few_columns(responses)
    predictions = np.full(responses.shape, np.nan)
    for fold in folds:
        training = np.setdiff1d(np.arange(n), fold)
        predictions[fold] = _fit_predict(gram, responses, rotated, training, fold, n_components, dominant_direction)
    return predictions


def pls_fit_predict(
    gram: ArrayLike,
    responses: ArrayLike,
    training: ArrayLike,
    test: ArrayLike,
    n_components: int,
    direction: Callable[[NDArray, NDArray], NDArray] | None = None,
) -> NDArray[np.float64]:
    """Fit some stimuli by partial least squares, and predict others.

    Parameters
    ----------
    gram, responses, n_components
        As for `pls_predictions`.
    training, test : integer arrays
        Rows to fit, and rows to predict.
    direction : callable, optional
        Finds the direction of targets for a component; the default is `dominant_direction`.

    Returns
    -------
    (len(test), targets) array

    Raises
    ------
    ValueError
        If shapes disagree, values are not finite, no stimulus is left to fit, or there is no component.
    """
    gram, responses = _checked(gram, responses, n_components)
    training, test = np.asarray(training), np.asarray(test)
    if direction is None:
        direction, rotated = dominant_direction, with_few_columns(responses)
    else:
        rotated = responses
    return _fit_predict(gram, responses, rotated, training, test, n_components, direction)


def dominant_direction(targets: NDArray, covaried: NDArray) -> NDArray[np.float64]:
    """Return the first eigenvector (t,) of Y^T K Y, of unit length.

    Parameters
    ----------
    targets : (n, t) array
        Y, made orthogonal to earlier components.
    covaried : (n, t) array
        K Y, made orthogonal to earlier components.
    """
    from scipy.linalg import eigh

    t = targets.shape[1]
    if t == 1:
        return np.ones(1)
    if t > FEW_TARGETS:
        from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, eigsh

        operator = LinearOperator((t, t), matvec=lambda c: targets.T @ (covaried @ c), dtype=np.float64)
        start = np.random.default_rng(0).normal(size=t)
        try:
            return eigsh(operator, k=1, which="LA", v0=start)[1][:, 0]
        except ArpackNoConvergence:
            # The eigenvalues are too close to each other for the iteration.
            pass
    return eigh(targets.T @ covaried, subset_by_index=[t - 1, t - 1], check_finite=False)[1][:, 0]


def _checked(gram: ArrayLike, responses: ArrayLike, n_components: int) -> tuple[NDArray, NDArray]:
    gram, responses = np.asarray(gram, dtype=np.float64), np.asarray(responses, dtype=np.float64)
    if responses.ndim == 1:
        responses = responses[:, None]
    n = len(responses)
    if gram.shape != (n, n):
        raise ValueError(f"gram has shape {gram.shape}; with {n} stimuli in responses it must be ({n}, {n})")
    if not np.isfinite(gram).all():
        raise ValueError("gram has values that are not finite")
    if not np.isfinite(responses).all():
        column = int(np.flatnonzero(~np.isfinite(responses).all(axis=0))[0])
        raise ValueError(
            f"responses of target {column} are not all finite; fit a target with missing stimuli on those it has"
        )
    if n_components < 1:
        raise ValueError(f"at least one component is needed, got {n_components}")
    return gram, responses


def with_few_columns(responses: NDArray) -> NDArray[np.float64]:
    """Return centred responses (n, min(n, t)) with the same inner products between stimuli."""
    n, n_targets = responses.shape
    if n_targets <= n:
        return responses
    return np.linalg.qr(centred_columns(responses).T, mode="r").T


def _fit_predict(
    gram: NDArray,
    responses: NDArray,
    rotated: NDArray,
    training: NDArray,
    test: NDArray,
    n_components: int,
    direction: Callable[[NDArray, NDArray], NDArray],
) -> NDArray[np.float64]:
    from scipy.linalg import solve_triangular

    if not len(training):
        raise ValueError("there is no stimulus to fit")
    mean = responses[training].mean(axis=0)
    values = centred_columns(responses[training])
    of_training = gram[np.ix_(training, training)]
    # Centring does not remove the rounding errors of the matrix of products.
    rounding = len(training) * np.finfo(float).eps * np.diag(of_training).max()
    feature_means = of_training.mean(axis=0)
    of_training -= feature_means
    of_training -= of_training.mean(axis=1, keepdims=True)
    weights, scores = _components(
        of_training,
        values if rotated is responses else centred_columns(rotated[training]),
        n_components,
        direction,
        rounding,
    )
    of_test = gram[np.ix_(test, training)] - feature_means
    of_test -= of_test.mean(axis=1, keepdims=True)
    triangle = scores.T @ (of_training @ weights)
    scores_of_test = solve_triangular(triangle, (of_test @ weights).T, trans="T", check_finite=False).T
    return mean + scores_of_test @ (scores.T @ values)


def _components(
    gram: NDArray,
    targets: NDArray,
    n_components: int,
    direction: Callable[[NDArray, NDArray], NDArray],
    rounding: float,
) -> tuple[NDArray, NDArray]:
    """Return U (n, components) and T (n, components) of a training part; fewer if only rounding is left.

    Parameters
    ----------
    gram : (n, n) array
        K, centred.
    targets : (n, t) array
        Y, centred.
    n_components, direction
        As for `pls_fit_predict`.
    rounding : float
        Largest eigenvalue that K may have by rounding alone.
    """
    n = len(gram)
    remaining = targets.copy()
    covaried = gram @ remaining
    smallest = n * np.finfo(float).eps * np.linalg.norm(targets)
    weights, scores = np.empty((n, n_components), order="F"), np.empty((n, n_components), order="F")
    for component in range(n_components):
        if np.linalg.norm(remaining) <= smallest:
            return weights[:, :component], scores[:, :component]
        weight = remaining @ direction(remaining, covaried)
        score = _without(scores[:, :component], gram @ weight)
        length = np.linalg.norm(score)
        if length <= rounding * np.linalg.norm(weight):
            return weights[:, :component], scores[:, :component]
        score /= length
        weights[:, component], scores[:, component] = weight, score
        loadings = score @ remaining
        remaining -= np.outer(score, loadings)
        also = _without(scores[:, : component + 1], gram @ score)
        covaried -= np.column_stack([score, also]) @ np.stack([score @ covaried, loadings])
    return weights, scores


def _without(directions: NDArray, vector: NDArray) -> NDArray:
    """Return a vector made orthogonal to orthonormal directions, twice to remove rounding errors."""
    for _ in range(2):
        vector = vector - directions @ (directions.T @ vector)
    return vector
