"""The trigger that waits for an instance in the triggerer."""
