"""Games of the Arcade Learning Environment, as the authors of Rainbow and CURL play them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from twofold.control.environments.specification import ATARI, Specification
from twofold.control.pictures import planes, resize
from twofold.errors import UserError, clause, nearest

Frame = NDArray[np.uint8]


class Atari:
    """See `factory.Environment`. One life lost is told and the game goes on; a decision is held for some frames, and
    what is seen is the brighter of the last two.

    "reference" preprocessing makes each screen grey and small before it takes the brighter; "gymnasium" takes the
    brighter first and means over areas. No button is pressed to start a game.
    """

    pixels, discrete = True, True
    notes: tuple[str, ...] = ()

    def __init__(self, spec: Specification) -> None:
        self.spec, self.repeat, self.size = spec, spec.action_repeat or 4, spec.size or 84
        self.rom = _rom(spec.id)
        self.ale = _console()
        self.raw, self.lives = 0, 0
        frame, _ = self.reset(seed=0)
        self.frame, self.actions = frame.shape, len(self.buttons)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Frame, dict[str, Any]]:
        """See `factory.Environment`. With a seed the machine is switched on anew, so that nothing is left of before."""
        if options and options.get("life"):
            self._press(0)
            return self._seen([self._screen()]), {"raw_frames": self.raw}
        if seed is not None:
            self.draws = np.random.default_rng(seed)
            self.ale.setInt("random_seed", int(self.draws.integers(2**31 - 1)))
            self.ale.setFloat("repeat_action_probability", self.spec.sticky)
            self.ale.loadROM(self.rom)
            self.buttons = self.ale.getMinimalActionSet()
        self.ale.reset_game()
        self.raw = 0
        for _ in range(int(self.draws.integers(self.spec.noops)) if self.spec.noops else 0):
            self._press(0)
            if self.ale.game_over():
                self.ale.reset_game()
        self.lives = self.ale.lives()
        return self._seen([self._screen()]), {"raw_frames": self.raw}

    def step(self, action: Any) -> tuple[Frame, float, bool, bool, dict[str, Any]]:
        """See `factory.Environment`."""
        reward, screens = 0.0, list[NDArray[np.uint8]]()
        for frame in range(self.repeat):
            reward += self.ale.act(self.buttons[int(action)])
            self.raw += 1
            over = self.ale.game_over()
            if frame >= self.repeat - 2 or over:
                screens.append(self._screen())
            if over:
                break
        before, self.lives = self.lives, self.ale.lives()
        capped = self.raw >= self.spec.frame_cap
        # Some games show no lives before they are over (Q*bert).
        lost = self.spec.life_loss and not over and 0 < self.lives < before
        return self._seen(screens[-2:]), reward, over, capped and not over, {"raw_frames": self.raw, "life_lost": lost}

    def close(self) -> None:
        """See `factory.Environment`."""

    def _press(self, button: int) -> None:
        self.ale.act(button)
        self.raw += 1

    def _screen(self) -> NDArray[np.uint8]:
        if self.spec.grey:
            return self.ale.getScreenGrayscale()
        return self.ale.getScreenRGB()

    def _seen(self, screens: list[NDArray[np.uint8]]) -> Frame:
        if self.spec.preprocessing == "gymnasium":
            return planes(resize(np.maximum.reduce(screens), self.size, "area"))
        return planes(np.maximum.reduce([resize(screen, self.size) for screen in screens]))


def _console() -> Any:
    import ale_py

    ale_py.ALEInterface.setLoggerMode(ale_py.LoggerMode.Error)
    return ale_py.ALEInterface()


def _rom(name: str) -> str:
    """The file of a game. Raises UserError where ale-py, the game or its file is missing, each in its words."""
    import gymnasium

    try:
        import ale_py
        from ale_py import roms
    except ImportError as error:
        if isinstance(error, ModuleNotFoundError) and error.name == "ale_py":
            raise UserError(
                f"{name} needs ale-py, which you install yourself (its licence is the GPL): "
                f'pip install "ale-py>=0.12.1".'
            ) from error
        raise UserError(
            f'{name} needs an ale-py that loads, and yours does not ({clause(error)}): pip install -U "ale-py>=0.12.1".'
        ) from error
    known = [game for game in gymnasium.registry if game.startswith(ATARI)]
    if not known:
        try:
            import ale_py.vector_env
        except ImportError as error:
            raise UserError(
                f"ale-py {ale_py.__version__} does not work with gymnasium {gymnasium.__version__} ({clause(error)}): "
                f'pip install -U "gymnasium>=1.1".'
            ) from error
    if name not in known:
        raise UserError(f"There is no game {name}.{nearest(name, known)} Names are like ALE/MsPacman-v5.")
    game = (gymnasium.spec(name).kwargs or {}).get("game", "")
    path = roms.get_rom_path(game)
    if path is None:
        raise UserError(
            f'ale-py {ale_py.__version__} came without the file of {name}: pip install -U "ale-py>=0.12.1".'
        )
    return str(path)
