"""Run one piece of work per item, a limited number at a time."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


async def in_parallel(
    items: Iterable[Item], work: Callable[[Item], Awaitable[Result]], workers: int
) -> list[Result]:
    """The results of ``work`` in the order of ``items``, ``workers`` of them in flight at a time.

    Whatever ``work`` raises ends the rest and comes out in an ``ExceptionGroup``.
    """
    # One iterator that all workers draw from: whoever is free takes the next item.
    numbered = iter(enumerate(items))
    results: dict[int, Result] = {}

    async def worker() -> None:
        for number, item in numbered:
            results[number] = await work(item)

    async with asyncio.TaskGroup() as group:
        for _ in range(workers):
            group.create_task(worker())
    return [results[number] for number in sorted(results)]
