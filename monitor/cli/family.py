"""A job's family as a tree: who sent whom, from the root on."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence

from rich.console import Console
from rich.text import Text
from rich.tree import Tree

from monitor.cli import words
from monitor.job import Job

# Of a large family that part is shown which is near this job, or went wrong; the others are summed up.
MOST_CHILDREN = 8
MOST_ABOVE = 5
MOST_BELOW = 10
ORDER = {name: at for at, name in enumerate(words.LOOKS)}


def show(console: Console, job: Job, family: Sequence[Job]) -> None:
    """Print the tree: with lines on a terminal, indented elsewhere."""
    tree = _Family(job, family, is_plain=not console.is_terminal).tree()
    if console.is_terminal:
        console.print(tree, no_wrap=True, overflow="ellipsis")
    else:
        _print_indented(console, tree)


def _print_indented(console: Console, tree: Tree, depth: int = 0) -> None:
    for child in tree.children:
        console.print("  " * depth, child.label, sep="")
        _print_indented(console, child, depth + 1)


class _Family:
    """A job among its relatives."""

    def __init__(self, job: Job, family: Sequence[Job], *, is_plain: bool) -> None:
        self._job = job
        self._is_plain = is_plain
        self._members = {member.id: member for member in family}
        self._children: Mapping[str | None, list[Job]] = defaultdict(list)
        for member in family:
            self._children[self._parent(member)].append(member)
        self._line = list(self._ancestry())

    def tree(self) -> Tree:
        """Return the tree, under a root that is not shown."""
        tree = Tree("", hide_root=True, guide_style="dim")
        above = len(self._line) - 1 - MOST_ABOVE
        if above > 0:
            tree.add(Text(f"… {words.count(above, 'job')} above", "dim"))
            self._grow(tree, [self._line[MOST_ABOVE]], MOST_ABOVE + MOST_BELOW)
        else:
            self._grow(tree, self._children[None] or [self._job], MOST_ABOVE + MOST_BELOW)
        return tree

    def _parent(self, member: Job) -> str | None:
        """Return the id of a member's parent if that is a member too. A retry names the job itself as its parent."""
        return member.parent if member.parent != member.id and member.parent in self._members else None

    def _ancestry(self) -> Iterator[Job]:
        """Yield the job, its parent, and so on to the oldest that is known."""
        seen: set[str | None] = set()
        member: Job | None = self._job
        while member and member.id not in seen:
            seen.add(member.id)
            yield member
            member = self._members.get(self._parent(member) or "")

    def _grow(self, tree: Tree, children: Sequence[Job], levels: int) -> None:
        line = {member.id for member in self._line}
        kept = sorted(children, key=lambda child: (child.id not in line, ORDER[child.state]))
        kept = kept[: MOST_CHILDREN if levels else 0]
        for child in children:
            if child in kept:
                self._grow(tree.add(self._label(child)), self._children[child.id], levels - 1)
        rest = [child for child in children if child not in kept]
        if rest:
            tree.add(Text(f"… {len(rest):,} more: ", "dim") + words.by_state(Counter(child.state for child in rest)))

    def _label(self, member: Job) -> Text:
        is_this = member.id == self._job.id
        parts = [
            words.state(member.state, is_plain=True) if self._is_plain else Text(*words.LOOKS[member.state]),
            Text(member.task or "unknown task", "bold" if is_this else ""),
            Text(member.id if self._is_plain else member.id[:8], "dim"),
        ]
        if member.run_s is not None:
            parts.append(Text(words.length(member.run_s), "dim"))
        if is_this:
            parts.append(Text("this job", "bold"))
        if member.parent and member.parent not in self._members:
            parts.append(Text(f"sent by {member.parent}, which is not in this store", "dim"))
        return Text(" ").join(parts)
