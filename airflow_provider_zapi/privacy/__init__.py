"""What is wanted of a number's privacy: settings, contacts, changes, policies, differences. No I/O, no client."""
