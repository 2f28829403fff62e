"""The humanoid of pybullet in poses of its motion-capture clips, drawn by its software renderer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

import numpy as np

STANDING, VIEW = 1.62, 40.0  # metres; vertical field of view in degrees
JOINTS = "chest neck right_hip right_knee right_ankle right_shoulder right_elbow "
JOINTS = (*JOINTS.split(), "left_hip", "left_knee", "left_ankle", "left_shoulder", "left_elbow")
HINGES = ("right_knee", "right_elbow", "left_knee", "left_elbow")
SKIN = ("neck", "right_elbow", "left_elbow", "right_wrist", "left_wrist")
SHIRT = ("root", "chest", "right_shoulder", "left_shoulder")


class Camera(NamedTuple):
    """Where the figure is seen from: degrees, degrees, and the height of the standing figure over the frame's."""

    azimuth: float
    elevation: float
    size: float


def columns(joint: str) -> slice:
    """Where a joint's rotation stands in a row of a motion file: a hinge's angle or a quaternion, w first."""
    start = 8
    for name in JOINTS[: JOINTS.index(joint)]:
        start += 1 if name in HINGES else 4
    return slice(start, start + (1 if joint in HINGES else 4))


QUATERNIONS = [slice(4, 8), *(columns(j) for j in JOINTS if j not in HINGES)]


def poses(rows: np.ndarray, cyclic: bool, times: np.ndarray) -> np.ndarray:
    """Rows of a motion file (N, 44) read at times in seconds: (T, 44), quaternions of unit length.

    Between rows, 16 to 60 a second, all is linear and quaternions are normalised after it. After the last row comes
    the first, moved on by the way made where the recording is a cycle.
    """
    steps = times / rows[0, 0]
    lap, place = np.divmod(steps, len(rows) - 1)
    first = place.astype(int)
    part = (place - first)[:, None]
    a, b = rows[first], rows[first + 1].copy()
    for q in QUATERNIONS:
        b[:, q] *= np.where((a[:, q] * b[:, q]).sum(1, keepdims=True) < 0, -1, 1)
    out = a + part * (b - a)
    for q in QUATERNIONS:
        out[:, q] /= np.linalg.norm(out[:, q], axis=1, keepdims=True)
    if cyclic:
        out[:, 1:4:2] += lap[:, None] * (rows[-1] - rows[0])[1:4:2]
    return out


class Stage:
    """pybullet with one humanoid in it, y upwards."""

    def __init__(self) -> None:
        import pybullet
        import pybullet_data

        self.bullet, self.data = pybullet, Path(pybullet_data.getDataPath())
        pybullet.connect(pybullet.DIRECT)
        model = str(self.data / "humanoid" / "humanoid.urdf")
        self.body = pybullet.loadURDF(model, globalScaling=0.25, useFixedBase=True)
        infos = [pybullet.getJointInfo(self.body, j) for j in range(pybullet.getNumJoints(self.body))]
        self.links = {info[12].decode(): info[0] for info in infos}

    def clip(self, name: str) -> tuple[np.ndarray, bool]:
        """A recording: its rows (N, 44), and whether it is a cycle."""
        held = json.loads((self.data / "data" / "motions" / name).read_text())
        return np.array(held["Frames"]), held["Loop"] == "wrap"

    def dress(self, skin: str, shirt: str, trousers: str) -> None:
        """Colour the figure; colours are RRGGBB."""
        for name, link in self.links.items():
            text = skin if name in SKIN else shirt if name in SHIRT else trousers
            rgb = [v / 255 for v in bytes.fromhex(text)]
            self.bullet.changeVisualShape(self.body, link, rgbaColor=[*rgb, 1])

    def pose(self, row: np.ndarray) -> None:
        """Put the figure into a row of a motion file, over the origin."""
        self.bullet.resetBasePositionAndOrientation(self.body, [0, row[2], 0], np.roll(row[4:8], -1).tolist())
        for joint in JOINTS:
            value = row[columns(joint)]
            target = value if joint in HINGES else np.roll(value, -1)
            self.bullet.resetJointStateMultiDof(self.body, self.links[joint], target.tolist())

    def frame(self, camera: Camera, width: int, height: int) -> tuple[np.ndarray, np.ndarray]:
        """The figure as uint8 (height, width, 3), and where it is, bool (height, width)."""
        distance = STANDING / camera.size / 2 / np.tan(np.radians(VIEW / 2))
        turn, up = np.radians(camera.azimuth), np.radians(camera.elevation)
        way = np.array([np.cos(up) * np.sin(turn), np.sin(up), np.cos(up) * np.cos(turn)])
        target = np.array([0, 0.85, 0])
        looking = self.bullet.computeViewMatrix((target + distance * way).tolist(), target.tolist(), [0, 1, 0])
        lens = self.bullet.computeProjectionMatrixFOV(VIEW, width / height, 0.1, 20)
        light = {"lightDirection": [way[0] + 0.5, 1.2, way[2] + 0.3], "lightAmbientCoeff": 0.65, "shadow": 0}
        software = self.bullet.ER_TINY_RENDERER
        held = self.bullet.getCameraImage(width, height, looking, lens, renderer=software, **light)
        picture = np.reshape(held[2], (height, width, 4))[..., :3].astype(np.uint8)
        return picture, np.reshape(held[4], (height, width)) >= 0
