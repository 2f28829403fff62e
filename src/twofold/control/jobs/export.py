"""`export` for control: the encoder, or the whole policy, as a file for other libraries."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from twofold.control.jobs.agent_file import load_agent
from twofold.control.jobs.evaluate import open_encoder
from twofold.control.methods.agent import Agent
from twofold.control.nets.saved import StatesToFeatures, save_encoder
from twofold.control.options import Export
from twofold.control.world import World
from twofold.errors import UserError
from twofold.files import beside
from twofold.pixels.backbones.export import place, refuse_other_features
from twofold.printable import say

SUFFIXES = {"safetensors": ".safetensors", "onnx": ".onnx"}
TOLERANCE = 1e-4  # of the largest output


class Policy(nn.Module):
    """From states to actions, as an agent plays at its best: numbers of actions (B,), or actions (B, A)."""

    def __init__(self, agent: Agent) -> None:
        super().__init__()
        self.agent = agent

    def forward(self, states: Tensor) -> Tensor:
        return self.agent.best(states)


def run(model: str, options: Export) -> Path:
    """Write the file, run it, and print the lines that load it; see `api.export`."""
    if options.policy and options.format != "onnx":
        raise UserError("A policy is exported as a program: give --format onnx with --policy.")
    encoder, name, folder = open_encoder(model)
    if options.policy and folder is None:
        raise UserError(f"{model} is an encoder alone: give the run folder of an agent for its policy.")
    what = "policy" if options.policy else "encoder"
    suffix = SUFFIXES[options.format]
    out = Path(options.out or (folder or Path(model).parent) / f"{what}-export{suffix}")
    out = place(out, options.format, suffix)
    if options.format == "safetensors":
        save_encoder(encoder, out, {"method": name, "environment": None})
        lines = _plain_lines(encoder, out)
    else:
        network: nn.Module = Policy(load_agent(folder).agent.cpu()) if options.policy and folder else encoder
        _write_onnx(network.eval(), out, encoder.world)
        lines = _onnx_lines(out, "actions" if options.policy else "features")
    say(f"{out}: states are {_input_words(encoder.world)}. It loads with:\n")
    say("\n".join(lines))
    return out


def example(world: World) -> Tensor:
    """A few states, random."""
    draws = torch.Generator().manual_seed(0)
    if world.pixels:
        return torch.randint(0, 256, (4, *world.state), generator=draws).to(torch.uint8)
    return torch.randn(4, *world.state, generator=draws)


def _input_words(world: World) -> str:
    kind = "uint8 pictures" if world.pixels else "float32"
    return f"{kind} (B, {', '.join(map(str, world.state))}), the newest frame last"


def _write_onnx(network: nn.Module, out: Path, world: World) -> None:
    try:
        import onnxruntime
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise UserError("Export to ONNX needs the extra: pip install 'twofold[onnx]'.") from error
    states = example(world)
    with beside(out) as part:
        program = torch.onnx.export(
            network,
            (states,),
            dynamo=True,
            dynamic_shapes=({0: torch.export.Dim("batch")},),
            input_names=["states"],
            output_names=["output"],
            verbose=False,
        )
        assert program is not None
        program.save(str(part))
        session = onnxruntime.InferenceSession(str(part), providers=["CPUExecutionProvider"])
        for batch in (states, states[:1]):
            with torch.no_grad():
                own = network(batch)
            found = torch.as_tensor(session.run(None, {"states": batch.numpy()})[0])
            apart = ((found - own).abs().max() / own.abs().max().clamp_min(1)).item()
            refuse_other_features(apart, TOLERANCE, "onnx", out)


def _onnx_lines(out: Path, what: str) -> list[str]:
    return [
        "import onnxruntime",
        f"session = onnxruntime.InferenceSession({str(out)!r}, providers=['CPUExecutionProvider'])",
        f"{what} = session.run(None, {{'states': states}})[0]",
    ]


def _plain_lines(encoder: StatesToFeatures, out: Path) -> list[str]:
    return [
        "from pathlib import Path",
        "from twofold.control.nets.saved import load_encoder",
        f"encoder, about = load_encoder(Path({str(out)!r}))",
        "features = encoder(states)  # a torch tensor",
    ]
