"""The wanted privacy of a number: settings, contacts, changes, policies, differences. No I/O, no client."""
