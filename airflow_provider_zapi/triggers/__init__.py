"""What waits in the triggerer in place of a task."""
