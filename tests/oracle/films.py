"""Films of case runs on the stack as it is and with each curated bug planted, remembered in ``build/oracle``."""

from __future__ import annotations

import hashlib
import pickle
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import zip_longest
from pathlib import Path
from types import CodeType

from conformance.case.case import Case
from tests.mutants import curated
from tests.mutants.children import Children, Limits
from tests.mutants.hunt import Hunt
from tests.mutants.lines import Played, measured, stack_hash
from tests.mutants.loading import Compiled, load
from tests.mutants.mutant import Mutant
from tests.mutants.subject import ROOT, StackAndSuite

from . import tolerant
from .tolerant import Film, film

__all__ = ["FOLDER", "Suite", "hunted", "plain"]

FOLDER = ROOT / "build" / "oracle"
_SLICE = 200
_LEAST, _TIMES = 2.0, 40

Tell = Callable[[str], None]


class Suite(StackAndSuite):
    """The stack and the suite. What is remembered holds as long as the stack is the same: of the tester only the frames count."""

    def __init__(self, root: Path = ROOT, only: Sequence[Path] = ()) -> None:
        super().__init__(root, only=only)
        self.state = ""
        how = Path(tolerant.__file__).read_bytes()
        self.hash = hashlib.sha256(stack_hash(self).encode() + how).hexdigest()[:16]
        """Of the stack, and of how it is filmed."""

    def case(self, number: int) -> Case:
        """The case of this run, with the profile's settings."""
        return self._cases[number][0]

    def profile(self, number: int) -> str:
        """``rfc`` or ``linux``: with Linux's choices, known deviations among them; some cases ask for these themselves."""
        twice = self.runs[number].name.endswith(" linux")
        return "linux" if twice or self.case(number).config.get("profile") == "linux" else "rfc"

    def film(self, number: int) -> Film | None:
        """On the stack that is loaded; None: it lacks what the case needs."""
        from conformance.sut.reference import Reference

        case, sut = self.case(number), Reference()
        if sut.lacks(case.config) or any(need not in sut.capabilities for need in (case.family.value, *case.needs)):
            return None
        return film(case, sut.virtual_bed(case.config), self.profile(number))


def plain(suite: Suite, numbers: Sequence[int], jobs: int, tell: Tell, fresh: bool = False, folder: Path = FOLDER) -> dict[int, Film]:
    """These runs on the stack as it is; those that it lacks something for are left out."""
    cache = folder / f"plain-{suite.hash}.pickle"
    known: dict[str, Film | None] = pickle.loads(cache.read_bytes()) if cache.is_file() and not fresh else {}
    missing = [number for number in numbers if suite.runs[number].key not in known]
    if missing:
        folder.mkdir(parents=True, exist_ok=True)
        for count, part in enumerate(_sliced(suite, missing, jobs, folder), 1):
            known |= part
            tell(f"the stack as it is: {min(count * _SLICE, len(missing))} of {len(missing)} runs")
        for old in folder.glob("plain-*.pickle"):
            old.unlink()
        _write(cache, known)
    return {number: found for number in numbers if (found := known[suite.runs[number].key]) is not None}


def _sliced(suite: Suite, numbers: Sequence[int], jobs: int, folder: Path) -> Iterator[dict[str, Film | None]]:
    children: Children[Path] = Children(jobs)
    waiting = iter(range(0, len(numbers), _SLICE))

    def work(part: Sequence[int], path: Path) -> bool:
        _write(path, {suite.runs[number].key: suite.film(number) for number in part})
        return True

    try:
        while True:
            while not children.full and (at := next(waiting, None)) is not None:
                part, path = numbers[at : at + _SLICE], folder / f"part-{at}.pickle"
                children.start(path, lambda _, part=part, path=path: work(part, path))  # type: ignore[misc]
            ended = list(children.ended())
            if not ended:
                return
            for child in ended:
                if child.result is None:
                    raise RuntimeError(f"a case run breaks the tester: {child.error or f'signal {child.signal}'}")
                yield pickle.loads(child.task.read_bytes())
                child.task.unlink()
    finally:
        children.close()


def hunted(
    suite: Suite, bugs: Sequence[curated.Bug], most: int, jobs: int, tell: Tell, fresh: bool = False, folder: Path = FOLDER
) -> Iterator[tuple[curated.Bug, list[Film]]]:
    """Each bug and the films of runs that notice it, at most ``most``, over different files of cases as far as there are."""
    folder.mkdir(parents=True, exist_ok=True)
    mutants = {bug.name: curated.apply(bug, suite.sources) for bug in bugs}
    paths = {bug.name: _path(suite, bug, mutants[bug.name], most, folder) for bug in bugs}
    missing = [bug for bug in bugs if fresh or not paths[bug.name].is_file()]
    if missing:
        _hunt(suite, missing, mutants, paths, most, jobs, tell, folder)
    for bug in bugs:
        yield bug, pickle.loads(paths[bug.name].read_bytes())


def _path(suite: Suite, bug: curated.Bug, mutant: Mutant, most: int, folder: Path) -> Path:
    digest = hashlib.sha256(suite.hash.encode())
    for file, text in sorted(mutant.texts.items()):
        digest.update(f"{file}\0{text}\0".encode())
    return folder / f"{bug.name}-{most}-{digest.hexdigest()[:16]}.pickle"


def _hunt(
    suite: Suite,
    bugs: Sequence[curated.Bug],
    mutants: Mapping[str, Mutant],
    paths: Mapping[str, Path],
    most: int,
    jobs: int,
    tell: Tell,
    folder: Path,
) -> None:
    compiled = Compiled(suite.sources, suite.modules)
    played = measured(suite, compiled.with_texts({}), folder, jobs, tell)
    hunter = Hunt(suite, compiled, played, jobs)
    children: Children[tuple[curated.Bug, list[int], int]] = Children(jobs)
    waiting = [(bug, _order(suite, bug, hunter.order(mutants[bug.name])), 0) for bug in reversed(bugs)]
    for bug in bugs:
        for old in folder.glob(f"{bug.name}-{most}-{'?' * 16}.pickle"):
            old.unlink()
    done = 0
    try:
        while True:
            while not children.full and waiting:
                task = waiting.pop()
                bug, order, hung = task
                args = compiled.with_texts(mutants[bug.name].texts), order, played, paths[bug.name], most, bool(hung)
                children.start(task, lambda limits, args=args: _child(suite, limits, *args))  # type: ignore[misc]
            ended = list(children.ended())
            if not ended:
                return
            for child in ended:
                bug, order, hung = child.task
                if child.error:
                    raise RuntimeError(f"{bug.name}: {child.error}")
                if child.signal and child.piece and hung < most:  # the stack hangs in this run, which is how it notices
                    waiting.append((bug, order[child.piece - 1 :], hung + 1))
                    continue
                if not paths[bug.name].is_file():
                    _write(paths[bug.name], [])
                done += 1
                tell(f"bugs: {done} of {len(bugs)} hunted for")
    finally:
        children.close()


def _order(suite: Suite, bug: curated.Bug, able: Sequence[int]) -> list[int]:
    """In turn a run of a case about what the bug breaks and one of another file; as Linux only when nothing else is left."""
    about, others, linux = [], [], []
    seen: Counter[str] = Counter()
    for number in sorted(able, key=lambda number: suite.runs[number].key):  # so that parameters and families come mixed
        case = suite.case(number)
        here = any(requirement in bug.breaks for requirement in case.requirements)
        group = case.id.partition("[")[0] if here else suite.runs[number].group
        rank = seen[group], number
        seen[group] += 1
        (linux if suite.profile(number) == "linux" else about if here else others).append(rank)
    turns = zip_longest(sorted(about), sorted(others))
    return [rank[1] for turn in turns for rank in turn if rank] + [number for _, number in sorted(linux)]


def _child(
    suite: Suite,
    limits: Limits,
    code: Mapping[str, CodeType],
    order: Sequence[int],
    played: Sequence[Played],
    path: Path,
    most: int,
    hung: bool,
) -> int:
    """Counts pieces from 1; 0 is loading the stack. ``hung``: the first run is known to notice, for it does not come to an end."""
    limits.memory()
    limits.begin(0, 10 * _LEAST)
    load(code, suite.modules)
    judge = suite.judge()
    films: list[Film] = pickle.loads(path.read_bytes()) if path.is_file() else []
    for piece, number in enumerate(order, 1):
        if len(films) >= most or (films and suite.profile(number) == "linux"):
            break
        limits.begin(piece, _LEAST + _TIMES * played[number].seconds)
        notices = (hung and piece == 1) or judge(number) is not None
        if notices and (found := suite.film(number)) is not None and found.failed:
            films.append(found)
            _write(path, films)
    return len(films)


def _write(path: Path, what: object) -> None:
    new = path.with_suffix(".new")
    new.write_bytes(pickle.dumps(what))
    new.replace(path)


def teller() -> Tell:
    """To standard error."""
    return lambda text: print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True) if sys.stderr.isatty() else None
