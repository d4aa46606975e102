from .desk import read

__all__ = ["read"]
