"""The language of ARM templates."""
