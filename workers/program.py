"""A linear or integer program, built row by row, and HiGHS to minimize it."""

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import highspy
import numpy as np
from numpy.typing import NDArray


class Infeasible(Exception):  # noqa: N818 - an answer, not an error of the program
    """No values satisfy all rows."""


class OutOfTime(Exception):  # noqa: N818 - likewise
    """The time limit came before the best values were found and proven."""


@dataclass(frozen=True, slots=True)
class Solution:
    """The lowest cost, the value of each column, and how long HiGHS took."""

    cost: float
    values: NDArray[np.float64]
    solve_s: float


class Program:
    """Columns (what may be chosen, each of at least 0, at a cost) and rows (what must hold between them)."""

    def __init__(self) -> None:
        self._costs: list[float] = []
        self._uppers: list[float] = []
        self._kinds: list[highspy.HighsVarType] = []
        self._at_least: list[float] = []
        self._at_most: list[float] = []
        self._starts: list[int] = [0]
        self._columns: list[int] = []
        self._factors: list[float] = []

    def column(self, cost: float, *, yes_or_no: bool = False) -> int:
        """Add a column, and return its number."""
        self._costs.append(cost)
        self._uppers.append(1 if yes_or_no else highspy.kHighsInf)
        self._kinds.append(highspy.HighsVarType.kInteger if yes_or_no else highspy.HighsVarType.kContinuous)
        return len(self._costs) - 1

    def row(
        self,
        terms: Mapping[int, float] | Iterable[int],
        *,
        at_least: float = -highspy.kHighsInf,
        at_most: float = highspy.kHighsInf,
    ) -> None:
        """Bound the sum of some columns, each times its factor if `terms` maps columns to factors."""
        factors = terms if isinstance(terms, Mapping) else dict.fromkeys(terms, 1.0)
        self._columns += factors.keys()
        self._factors += factors.values()
        self._starts.append(len(self._columns))
        self._at_least.append(at_least)
        self._at_most.append(at_most)

    def minimize(self, *, time_limit_s: float, gap: float = 0.0) -> Solution:
        """Return the cheapest values; of an integer program, values within the fraction `gap` of the lowest cost.

        Raises:
            Infeasible: no values satisfy all rows.
            OutOfTime: the search took more than `time_limit_s` seconds.

        """
        if not self._costs:
            self.column(cost=0)  # HiGHS calls a program without columns empty, and does not look at its rows
        highs = _highs(time_limit_s, gap)
        highs.passModel(self._model())
        start = time.perf_counter()
        highs.run()
        solve_s = time.perf_counter() - start
        _check(highs)
        values = np.array(highs.getSolution().col_value)
        return Solution(highs.getInfo().objective_function_value, values, solve_s)

    def _model(self) -> highspy.HighsLp:
        model = highspy.HighsLp()
        model.num_col_, model.num_row_ = len(self._costs), len(self._at_least)
        model.col_cost_, model.integrality_ = np.array(self._costs), self._kinds
        model.col_lower_, model.col_upper_ = np.zeros(len(self._costs)), np.array(self._uppers)
        model.row_lower_, model.row_upper_ = np.array(self._at_least), np.array(self._at_most)
        model.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
        model.a_matrix_.start_ = np.array(self._starts)
        model.a_matrix_.index_ = np.array(self._columns)
        model.a_matrix_.value_ = np.array(self._factors)
        return model


class _QuietHighs(highspy.Highs):
    """HiGHS without the banner that it prints while it is made, before an option can be set."""

    def enableCallbacks(self) -> None:  # noqa: N802 - HiGHS's name
        """Be silent from the first step of the making that may speak."""
        self.silent()
        super().enableCallbacks()  # type: ignore[no-untyped-call]


def _highs(time_limit_s: float, gap: float) -> highspy.Highs:
    highs = _QuietHighs()  # type: ignore[no-untyped-call]
    # The pool's processes share the cores out among them; threads of the solver's own would only fight over them.
    highs.setOptionValue("threads", 1)
    highs.setOptionValue("time_limit", time_limit_s)
    highs.setOptionValue("mip_rel_gap", gap)
    return highs


def _check(highs: highspy.Highs) -> None:
    status = highs.getModelStatus()
    # Costs and columns are at least 0, so "unbounded or infeasible", which presolve may leave open, is infeasible.
    if status in {highspy.HighsModelStatus.kInfeasible, highspy.HighsModelStatus.kUnboundedOrInfeasible}:
        raise Infeasible
    if status == highspy.HighsModelStatus.kTimeLimit:
        raise OutOfTime
    if status != highspy.HighsModelStatus.kOptimal:
        raise RuntimeError(f"HiGHS was expected to find an optimal plan, got {highs.modelStatusToString(status)!r}")
