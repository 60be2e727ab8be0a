"""The stage of the program on a grid of times."""

from __future__ import annotations

import numpy as np

from kvopt.model.stopping import Stopping
from kvopt.solver.relaxations.grid_program.families import written
from kvopt.solver.relaxations.grid_program.kernel import GRID_KERNEL
from kvopt.solver.stage import Bound, Incumbent

__all__ = ["GridRelaxation"]


class GridRelaxation:
    """Lower bounds from rows on a grid of times, for every size."""

    name = "grid-program"

    def applies(self, state: Incumbent) -> bool:
        """Tell whether no bound is known to be the optimum."""
        return True

    def run(self, state: Incumbent, stop: Stopping) -> None:
        """Prove bounds, each better than the one before."""
        from kvopt.solver.relaxations.grid_program.program import GridProgram
        from kvopt.solver.relaxations.grid_program.separation import best_heights, steps_up_to
        import time, os
        t0=time.process_time()

        params = state.params.grid_program
        instance = state.instance
        functions = GRID_KERNEL.compiled(stop)
        horizon = min(state.makespan, instance.total_output)
        program = GridProgram(instance, horizon, functions, params)
        step = program.spacing
        grid = list(range(step, program.horizon - step + 1, step))
        program.add_rows([(0, r) for r in grid])
        spacing = horizon / len(instance)
        steps = steps_up_to(4 * spacing + 3)
        covers = [f for f in range(1, len(program.families.known))]
        last = idle = 0
        for number in range(params.rounds):
            done = program.solve(stop)
            if os.environ.get('V'): print(number,'bound',program.bound,'gap %.2f%%'%(100-100*program.bound/state.objective),'rows',len(program.rows),'cols',len(program.column_types),'fam',len(program.families.known),'%.1fs'%(time.process_time()-t0),flush=True)
            if program.bound > 0:
                leaf = written(program.families.known, program.best_rows, program.spacing)
                proof = {"rule": "linear-duals", "scale": program.scale, "tree": [leaf]}
                state.prove(Bound(program.bound, "linear-duals", proof))
            if not done or state.closed or stop.over():
                return
            if number > 3 and program.bound < last*1.0003: return
            last = program.bound
            added = 0
            for family in covers:
                used = program.activity(family)
                added += program.add_rows([(family, r) for r in grid if used[r] > 1.01])
            window = max(1, horizon // params.windows // (1 if number % 2 == 0 else 3))
            for begin in range(0, horizon, window):
                places, weights = program.average(begin + 1, begin + window + 1)
                if not len(places):
                    continue
                violation, heights = best_heights(
                    instance.memory, program.families.held[places], program.families.to_go[places],
                    weights, steps, params.groups, params.height_scale, params.highest)
                if violation > params.violation:
                    f = program.families.add(heights)
                    used = program.activity(f)
                    c = begin + window // 2
                    got = program.add_rows([(f, r) for r in grid if used[r] > 1.003 and abs(r - c) <= 0.75 * window + step])
                    added += got
                if stop.over():
                    return
            idle = 0 if added else idle + 1
            if idle == 2:
                return
