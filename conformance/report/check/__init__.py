"""What the oracle found in captures, for people and for programs.

==============  =====================================================================================
``summary``     what there was in a file, counted while it is read
``records``     the lines of ``check --json``, their JSON Schema, and what writes them
``account``     a connection, and what is held against it
``notes``       what an annotated capture says of its packets
``excerpt``     some packets of a connection, drawn as a ladder
``block``       one connection explained: what broke which rule, the packets around it, where to look
``console``     all of it on a terminal or in a log; ``progress`` while a long file is read
==============  =====================================================================================
"""
