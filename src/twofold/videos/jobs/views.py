"""The augmentation of a run on clips: by name or of one's own, with what is changed in it."""

from __future__ import annotations

from dataclasses import replace

from twofold.errors import UserError
from twofold.pixels.views.changes import Change, changed, read_changes
from twofold.pixels.views.own import brought, is_own
from twofold.videos.options import Pretrain
from twofold.videos.views import ClipAugmentation, augmentation_named


def find_views(name: str) -> ClipAugmentation:
    """What a name stands for. Raises UserError where that is nothing."""
    found = brought(name) if is_own(name) else augmentation_named(name)
    if not isinstance(found, ClipAugmentation):
        raise UserError(f"{name} ({type(found).__name__}) makes no views of clips: give a ClipAugmentation.")
    return found


def changes_of(settings: Pretrain) -> list[Change]:
    """What is changed in the views. Raises UserError for what changes nothing."""
    return read_changes(find_views(settings.views).pictures, settings.views, settings.view_options or {})


def augmentation_of(settings: Pretrain) -> ClipAugmentation:
    """The augmentation that complete settings ask for."""
    found = find_views(settings.views)
    pictures = changed(found.pictures, changes_of(settings))
    return replace(found, pictures=pictures).resampled(settings.frames, settings.stride)
