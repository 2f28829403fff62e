"""What each verb does for control."""
