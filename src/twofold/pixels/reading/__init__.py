"""Reading what pictures and clips share."""
