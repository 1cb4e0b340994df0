"""What to beat: simple and customary ways to learn corrections of a skinned mesh from whole frames.

All predict corrections in the vertices' own frames; those that look at the pose see the joints over the window, turned and
shifted with the body.
"""

import numpy as np
import torch
from scipy.spatial.transform import Rotation
from torch import nn

NUM_COMPONENTS = 64
PENALTIES = tuple(10.0**power for power in range(-5, 4))
FOLDS = 8


def pose_features(rest_joints, joint_windows):
    """Return joints (T, K) of every frame in the axes of the body: where they are, and how they moved over the window.

    From windows (T, N, J, 3); the body's turn is the one that brings the joints at rest (J, 3) closest to the current ones.
    """
    rest = rest_joints - rest_joints.mean(axis=0)
    features = []
    for window in joint_windows.astype(float):
        current = window[-1] - window[-1].mean(axis=0)
        turn, _ = Rotation.align_vectors(rest, current)
        moved = [np.diff(window, order, axis=0)[-1] for order in range(1, min(3, len(window)))]
        features.append([turn.apply(current) - rest, *map(turn.apply, moved)])
    return np.array(features).reshape(len(features), -1)


class MeanCorrection:
    """The mean of each vertex' correction over the training frames."""

    def fit(self, features, corrections):
        self.mean = corrections.mean(axis=0)

    def predict(self, features):
        return np.repeat(self.mean[None], len(features), axis=0)


class PrincipalComponents:
    """Corrections as their mean and the components that explain most of them; subclasses predict the components' weights."""

    def __init__(self, groups):
        self.groups = groups

    def fit(self, features, corrections):
        self.input_mean = features.mean(axis=0)
        # position, velocity, acceleration: each to unit size
        parts = np.split(features - self.input_mean, self.groups, axis=1)
        self.input_scale = np.concatenate([np.full(part.shape[1], max(part.std(), 1e-12)) for part in parts])
        flat = corrections.reshape(len(corrections), -1)
        self.mean = flat.mean(axis=0)
        weights, size, components = np.linalg.svd(flat - self.mean, full_matrices=False)
        count = min(NUM_COMPONENTS, len(flat) - 1)
        self.components = components[:count]
        self.fit_weights(self.inputs(features), (weights * size)[:, :count])

    def inputs(self, features):
        return (features - self.input_mean) / self.input_scale

    def predict(self, features):
        flat = self.mean + self.predict_weights(self.inputs(features)) @ self.components
        return flat.reshape(len(features), -1, 3)


class RidgeRegression(PrincipalComponents):
    """Linear in the pose; the penalty leaves least in blocks of training frames kept out."""

    def fit_weights(self, inputs, weights):
        def solve(inside, penalty):
            x = inputs[inside]
            kernel = x @ x.T / x.shape[1]
            return x.T / x.shape[1] @ np.linalg.solve(kernel + penalty * len(x) * np.eye(len(x)), weights[inside])

        def left(penalty):
            blocks = np.array_split(np.arange(len(inputs)), FOLDS)
            others = [np.setdiff1d(np.arange(len(inputs)), block) for block in blocks]
            pairs = zip(blocks, others, strict=True)
            return sum(((weights[b] - inputs[b] @ solve(o, penalty)) ** 2).sum() for b, o in pairs)

        self.matrix = solve(np.arange(len(inputs)), min(PENALTIES, key=left))

    def predict_weights(self, inputs):
        return inputs @ self.matrix


class GlobalNetwork(PrincipalComponents):
    """A network from the whole pose to the weights of morph targets, as game engines ship it.

    Of all its states, the one is kept that is best on the last tenth of the training frames, left out of training.
    """

    STEPS, MEASURED_EVERY = 3000, 50

    def fit_weights(self, inputs, weights):
        self.scale = max(float(weights.std()), 1e-12)
        x, y = (torch.from_numpy(each).float() for each in (inputs, weights / self.scale))
        inside = len(x) - max(1, len(x) // 10)
        self.network = nn.Sequential(
            nn.Linear(x.shape[1], 256), nn.SiLU(), nn.Linear(256, 256), nn.SiLU(), nn.Linear(256, y.shape[1])
        )
        optimizer = torch.optim.AdamW(self.network.parameters(), lr=1e-3, weight_decay=1e-2)
        best, state = float("inf"), None
        for step in range(self.STEPS):
            some = torch.randint(inside, (min(64, inside),))
            optimizer.zero_grad()
            (self.network(x[some]) - y[some]).square().mean().backward()
            optimizer.step()
            if step % self.MEASURED_EVERY == 0:
                with torch.no_grad():
                    left = float((self.network(x[inside:]) - y[inside:]).square().mean())
                if left < best:
                    best, state = left, {name: value.clone() for name, value in self.network.state_dict().items()}
        self.network.load_state_dict(state)

    def predict_weights(self, inputs):
        with torch.no_grad():
            return self.scale * self.network(torch.from_numpy(inputs).float()).numpy().astype(float)
