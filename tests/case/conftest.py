from .folder import folder

__all__ = ["folder"]
