"""Input of any kind, good and bad, and what a call may do with it.

`rows`, `labels`, `parameters`, `modules` and `probabilities` make the input. `outcomes` calls
something with it, checks what came of it, and counts. `profiles` says how many cases there are.
"""
