"""Other libraries' Rainbow at the networks of ours, for control_updates.py: Tianshou's and TorchRL's, where installed.

Both as their own examples have it: distributional, double, dueling and noisy, prioritised. Tianshou stores frames once
and adds up n steps when it draws; TorchRL stores stacked states with what follows after n steps, made when they were
collected, so that its draw is cheaper and its replay four to eight times as large.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

ACTIONS, ATOMS, STEPS, BATCH = 6, 51, 20, 32
CONVOLUTIONS = {
    "canonical": ((32, 8, 4), (64, 4, 2), (64, 3, 1)),
    "data-efficient": ((32, 5, 5), (64, 5, 5)),
}
Update = Callable[[int], Any]


class Network(nn.Module):
    """Pictures (B, 4, 84, 84) of 0..255 -> logits (B, actions, atoms), through a library's own noisy layers."""

    def __init__(self, network: str, hidden: int, noisy: Callable[[int, int], nn.Module]) -> None:
        super().__init__()
        layers, channels = list[nn.Module](), 4
        for filters, kernel, stride in CONVOLUTIONS[network]:
            layers += [nn.Conv2d(channels, filters, kernel, stride), nn.ReLU()]
            channels = filters
        self.layers = nn.Sequential(*layers, nn.Flatten())
        width = self.layers(torch.zeros(1, 4, 84, 84)).shape[1]
        self.value = nn.Sequential(noisy(width, hidden), nn.ReLU(), noisy(hidden, ATOMS))
        self.advantage = nn.Sequential(noisy(width, hidden), nn.ReLU(), noisy(hidden, ACTIONS * ATOMS))

    def forward(self, states: Any) -> Tensor:
        features = self.layers(torch.as_tensor(states) / 255)
        advantage = self.advantage(features).view(-1, ACTIONS, ATOMS)
        return self.value(features).view(-1, 1, ATOMS) + advantage - advantage.mean(1, keepdim=True)


def lived(rows: int) -> Any:
    """Frames, actions, rewards and ends of an invented life, a row at a time."""
    rng = np.random.default_rng(0)
    frames = rng.integers(0, 256, (50, 84, 84)).astype(np.uint8)
    for t in range(rows):
        yield frames[t % 50], int(rng.integers(ACTIONS)), float(rng.random() < 0.05), t % 200 == 199


def tianshou(network: str, hidden: int, rows: int) -> Update:
    """An update of Tianshou's RainbowDQN, with its prioritised buffer of single frames."""
    import gymnasium
    from tianshou.algorithm import RainbowDQN
    from tianshou.algorithm.algorithm_base import policy_within_training_step
    from tianshou.algorithm.modelfree.c51 import C51Policy
    from tianshou.algorithm.optim import AdamOptimizerFactory
    from tianshou.data import Batch, PrioritizedReplayBuffer
    from tianshou.utils.net.discrete import NoisyLinear

    class Probabilities(Network):
        def forward(self, obs: Any, state: Any = None, info: Any = None) -> Any:
            return super().forward(obs).softmax(2), state

    model = Probabilities(network, hidden, lambda inputs, outputs: NoisyLinear(inputs, outputs, 0.1))
    policy = C51Policy(model=model, action_space=gymnasium.spaces.Discrete(ACTIONS), num_atoms=ATOMS)
    algorithm = RainbowDQN(
        policy=policy,
        optim=AdamOptimizerFactory(lr=1e-4, eps=1.5e-4),
        n_step_return_horizon=STEPS,
        target_update_freq=2000,
    )
    buffer = PrioritizedReplayBuffer(
        rows, alpha=0.5, beta=0.4, stack_num=4, ignore_obs_next=True, save_only_last_obs=True
    )
    for frame, action, reward, over in lived(rows - 100):
        seen = np.broadcast_to(frame, (4, 84, 84))
        row = {"obs": seen, "act": action, "rew": reward, "terminated": over, "truncated": False, "obs_next": seen}
        buffer.add(Batch(**row, info={}))

    def update(number: int) -> None:
        with policy_within_training_step(policy):
            algorithm.update(buffer, BATCH)

    policy.train()
    return update


def torchrl(network: str, hidden: int, rows: int) -> Update:
    """An update of TorchRL's DistributionalDQNLoss with its noisy layers and its prioritised buffer."""
    from tensordict import TensorDict
    from tensordict.nn import TensorDictModule
    from torchrl.data import LazyTensorStorage, TensorDictPrioritizedReplayBuffer
    from torchrl.modules import DistributionalQValueActor, NoisyLinear, reset_noise
    from torchrl.objectives import DistributionalDQNLoss, HardUpdate

    class AtomsFirst(Network):
        def forward(self, states: Tensor) -> Tensor:
            return super().forward(states).transpose(1, 2)

    model = AtomsFirst(network, hidden, lambda inputs, outputs: NoisyLinear(inputs, outputs, std_init=0.1))
    actor = DistributionalQValueActor(
        TensorDictModule(model, in_keys=["pixels"], out_keys=["action_value"]),
        in_keys=["pixels"],
        support=torch.linspace(-10, 10, ATOMS),
        action_space="categorical",
    )
    loss = DistributionalDQNLoss(actor, gamma=0.99, delay_value=True)
    target = HardUpdate(loss, value_network_update_interval=2000)
    optimizer = torch.optim.Adam(loss.parameters(), lr=1e-4, eps=1.5e-4, fused=True)
    buffer = TensorDictPrioritizedReplayBuffer(
        alpha=0.5, beta=0.4, storage=LazyTensorStorage(rows), batch_size=BATCH, priority_key="td_error"
    )
    life = list(lived(rows - 100))
    seen = np.stack([frame for frame, *_ in life])
    for t in range(4, len(life) - STEPS):
        following = {
            "pixels": torch.from_numpy(seen[t + STEPS - 3 : t + STEPS + 1]),
            "reward": torch.tensor([life[t][2]]),
            "done": torch.tensor([life[t][3]]),
            "terminated": torch.tensor([life[t][3]]),
        }
        own = {"pixels": torch.from_numpy(seen[t - 3 : t + 1]), "action": torch.tensor(life[t][1])}
        buffer.add(TensorDict({**own, "steps_to_next_obs": torch.tensor([STEPS]), "next": following}, []))

    def update(number: int) -> None:
        for weights in (loss.value_network_params, loss.target_value_network_params):
            with weights.to_module(loss.value_network):
                loss.value_network.apply(reset_noise)
        drawn = buffer.sample()
        found = loss(drawn)["loss"]
        found.backward()
        torch.nn.utils.clip_grad_norm_(loss.parameters(), 10.0)
        optimizer.step()
        optimizer.zero_grad()
        buffer.update_tensordict_priority(drawn)
        target.step()

    return update
