"""What a run found, for people and for programs: each report is a function of results and traces.

=================  =================================================================================
``judgement``      the one classification that all reports share, and the run's summary
``records``        what a run says of itself, as the results file holds it, and its JSON Schema
``json_lines``     the results file: written a line at a time, read back even if the run was killed; ``lines`` writes any such
``junit``, ``tap`` for CI systems
``rows``           a ladder's rows and how they are drawn; ``layout`` the console, and what is indented and labelled
``exchange``       a trace drawn as a ladder
``ladder``         one case run explained: the exchange, the failure, the rule, how to run it again
``console``        a whole run on a terminal or in a log; ``progress`` while it lasts
``check``          a package: the same for what the oracle found in captures
=================  =================================================================================

rich is imported by what draws only, since that takes a tenth of a second.
"""
