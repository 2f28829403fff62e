"""The images wing: photographs and other still pictures."""
