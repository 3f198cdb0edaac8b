"""Attributes derived once from an immutable object: functools' own takes a lock for each before Python 3.12."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar, overload

T = TypeVar("T")


class derived(Generic[T]):  # noqa: N801 - a decorator, named as `property` is
    """A property that is computed when first asked for and kept in the object's `__dict__` from then on.

    Only for objects that never change: nothing computes it again. Two threads may both compute it, alike.
    Source: functools.cached_property without its lock (bpo-43468), a third of the cost of a miss.
    """

    def __init__(self, compute: Callable[[Any], T]) -> None:
        self.compute = compute
        self.name = compute.__name__
        self.__doc__ = compute.__doc__

    @overload
    def __get__(self, instance: None, owner: type) -> derived[T]: ...

    @overload
    def __get__(self, instance: object, owner: type) -> T: ...

    def __get__(self, instance: object | None, owner: type) -> derived[T] | T:
        if instance is None:
            return self
        value = instance.__dict__[self.name] = self.compute(instance)
        return value
