"""What a test says: the case language, from YAML to the immutable steps that the executor plays.

``yaml_reader`` reads text as data with positions; ``parameters`` multiplies it out; ``model`` and ``step_models`` check it, with the
notations read by ``notation``; ``step_builder`` and ``preambles`` make steps of it; ``checks`` looks at whole cases. In front of all stands
:func:`conformance.case.loader.load_suite`, and for ids and titles alone the much lighter :func:`conformance.case.listing.list_suite`.
"""
