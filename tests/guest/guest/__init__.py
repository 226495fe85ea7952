"""Guests: machines of the lab with a kernel of their own."""
from .guest import Guest, why_not

__all__ = ["Guest", "why_not"]
