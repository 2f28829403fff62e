"""From files of videos to clips."""
