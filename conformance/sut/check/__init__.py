"""``conformance sut-check``: walks an adapter through the SUT protocol, and says what it lacks.

- ``desk.py``: an adapter that was started as the tester starts it, and the peers' end of its link, on either clock
- ``peer.py``: a peer of one connection
- ``requests.py``, ``opening.py``, ``exchange.py``, ``waiting.py``, ``watching.py``, ``timing.py``: the checks, and their tables
- ``walk.py``: which of them are made, in what order, and what became of each
- ``costs.py``: the cases of the suite that the stack cannot play
"""
