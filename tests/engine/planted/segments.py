"""Wrong fields of a segment: its header, its options, its data, the IP header below it."""

from __future__ import annotations

from .case import Planted, established, listening, plain

__all__ = ["PLANTED"]


def _sends(name: str, field: str, expected: str, more: str = "") -> Planted:
    """The SUT sends five octets of the stream."""
    return established(name, field, f"- call: send(c, 5)\n- {{expect: '{expected}'{more}}}")


def _below(name: str, field: str, families: tuple[str, ...] = ("ipv4", "ipv6")) -> Planted:
    """The same, and what the IP header says."""
    planted = _sends(f"with-{field}", field, "P. 1:6(5) ack 1", f", with: {name}")
    return Planted(planted.name, field, planted.text, families=families)


def _answers(name: str, expected: str) -> Planted:
    """The SUT answers a SYN that has all options."""
    steps = f"""
        - inject: S 0:0(0) <mss 1460,sackOK,TS val 100 ecr 0,nop,wscale 7>
        - expect: S. 0:0(0) ack 1 {expected}
    """
    return listening(name, "options", steps)


PLANTED = (
    _sends("flags", "flags", "«P.⇒.» 1:6(5) ack 1"),
    _sends("a-flag-that-may-be-there", "flags", "«P?.⇒U?.» 1:6(5) ack 1"),
    _sends("seq", "seq", "P. «1:6⇒2:7»(5) ack 1"),
    _sends("seq-range", "seq", "P. «0..1⇒2..9»:*(5) ack 1"),
    _sends("end", "end", "P. 1:«6⇒7»(*) ack 1"),
    _sends("length", "length", "P. 1:*(«5⇒6») ack 1"),
    _sends("length-range", "length", "P. 1:*(«1..5⇒6..9») ack 1"),
    _sends("ack", "ack", "P. 1:6(5) ack «1⇒2»"),
    _sends("win", "win", "P. 1:6(5) ack 1 win «1..65535⇒0»"),
    _sends("no-urg", "urg", "P. 1:6(5) ack 1«⇒ urg 0»"),
    established("urg", "urg", "- call: send(c, 1, MSG_OOB)\n- expect: P?U. 1:2(1) ack 1 urg «1⇒2»"),
    established("payload", "data", '- call: send(c, "hello")\n- expect: P. 1:6(5) ack 1 "«hello⇒hallo»"'),
    _answers("mss", "<mss «1400..1460⇒1..1399»,...>"),
    _answers("wscale", "<any,any,any,nop,wscale «0..14⇒15»>"),
    _answers("ts-val", "<mss *,sackOK,TS val «*⇒1..2» ecr 100,...>"),
    _answers("ts-ecr", "<mss *,sackOK,TS val * ecr «100⇒101»,...>"),
    _answers("sack-permitted", "<mss *,«sackOK⇒nop»,...>"),
    _answers("option-order", "<mss *,«sackOK,TS val * ecr 100⇒TS val * ecr 100,sackOK»,nop,wscale *>"),
    _answers("option-missing", "<mss *,sackOK,TS val * ecr 100,nop,wscale *«⇒,nop»>"),
    _answers("option-too-many", "<mss *,sackOK,TS val * ecr 100«,nop,wscale *⇒»>"),
    _answers("option-kind", "<mss *,«any⇒kind 30 *»,...>"),
    _answers("no-options", "<«mss *,...⇒»>"),
    plain(
        "cookie",
        "options",
        """
        - call: s = socket()
        - call: setsockopt(s, TCP_FASTOPEN, 8)
        - call: bind(s, port)
        - call: listen(s, 8)
        - inject: S 0:0(0) <mss 1460,tfo>
        - expect: S. 0:0(0) ack 1 <mss *,tfo $cookie,...>
        - inject: S 0:0(0) <mss 1460,tfo $cookie+1>
          on: other
        - {expect: 'S. 0:0(0) ack 1 <mss *,tfo $cookie«⇒+1»,...>', on: other}
        """,
        more="config: {fast_open: server, timestamps: off, sack: off, window_scaling: off}\nconnections: {other: {}}\n",
    ),
    _sends("no-options-there", "options", "P. 1:6(5) ack 1 <«⇒nop,nop»>"),
    established(
        "sack-block",
        "options",
        "- inject: P. 11:21(10) ack 1\n- expect: . 1:1(0) ack 1 <nop,nop,sack 11:«21⇒22»>",
        options="mss 1460,sackOK",
    ),
    _below("{ttl: «64⇒63»}", "ttl"),
    _below("{tos: «0⇒4»}", "tos"),
    _below("{ecn: «not-ect⇒ect0»}", "ecn"),
    _below("{reserved: «0⇒1»}", "reserved"),
    _below("{df: «true⇒false»}", "df", ("ipv4",)),
    _below('{id: «"*"⇒0..0»}', "id", ("ipv4",)),
    _below('{flow_label: «"*"⇒0..0»}', "flow_label", ("ipv6",)),
    _below("{ip_options: «none⇒0102»}", "ip_options", ("ipv4",)),
    _below("{size: «45..65⇒46..64»}", "size"),
    _below("{sport: «port⇒port2»}", "sport"),
    _below("{dport: «1..65535⇒1..9»}", "dport"),
    _below("{src: «sut⇒foreign»}", "src"),
    _below("{dst: «peer⇒peer2»}", "dst"),
    _below('{seq: «"*"⇒0..0»}', "seq"),
    _below('{ack: «"*"⇒0..0»}', "ack"),
    _below("{data_offset: «5⇒6»}", "data_offset"),
)
