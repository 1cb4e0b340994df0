"""Which frames are kept out of a fit together, so that nothing like them is left in it."""

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import pdist

UNLIKE_FOLDS = 4


def unlike_folds(seen: Float[ndarray, "T C"], sequences: Int[ndarray, " T"]) -> Int[ndarray, " T"]:
    """Return the fold of every frame (T,): the sequences that they are from, where there are as many as folds; otherwise
    clusters of what is `seen` in them (T, C).

    Clusters are merged by Ward's criterion (Ward 1963, "Hierarchical grouping to optimize an objective function"): that of
    k-means, without its dependence on chance. Neighbouring frames are alike, so that a cluster is a kind of pose and motion
    that no frame of the others shows.
    """
    of_sequences = np.unique(sequences, return_inverse=True)[1]
    if of_sequences.max(initial=0) + 1 >= UNLIKE_FOLDS:
        return of_sequences * UNLIKE_FOLDS // (of_sequences.max() + 1)
    if len(seen) <= UNLIKE_FOLDS:
        return np.arange(len(seen))
    return fcluster(linkage(pdist(seen), "ward"), UNLIKE_FOLDS, "maxclust") - 1
