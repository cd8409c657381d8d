"""What the privacy settings of a WhatsApp number are: the settings, changes of their lists, and phones."""
