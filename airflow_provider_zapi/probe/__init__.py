"""Asks a real account what nobody has documented: sends calls, describes the answers, and puts back what it changed."""
