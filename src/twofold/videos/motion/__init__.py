"""Motion without optical flow: the vectors and keyframes that a compressed video holds, in one decode.

>>> from twofold.videos.motion import motion_vectors, paint_grid
>>> for frame in motion_vectors("clip.mp4"):
...     grid = paint_grid(frame.rows, frame.height, frame.width)
"""

from twofold.videos.motion.maps import cut, flip, normalise, resize
from twofold.videos.motion.painting import paint_grid, paint_grids, paint_map
from twofold.videos.motion.vectors import Keyframe, MotionFrame, keyframes, motion_vectors, past, still_share

__all__ = [
    "Keyframe",
    "MotionFrame",
    "cut",
    "flip",
    "keyframes",
    "motion_vectors",
    "normalise",
    "paint_grid",
    "paint_grids",
    "paint_map",
    "past",
    "resize",
    "still_share",
]
