"""The neutral settings on Linux: each is known, each takes effect in the stack's own namespace, and the host keeps its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from conformance.case import settings
from conformance.case.settings import SETTINGS
from conformance.link.errors import EnvironmentFault
from conformance.sut.base import SutFault
from conformance.sut.linux import Linux, LinuxBed
from conformance.sut.linux_settings import BASE, SYSCTLS, sysctls

from .needs import namespaces

NOT_SYSCTLS = {"mtu": "a property of the link", "profile": "a choice of the reference stack"}
OTHERWISE = {
    "max_tw_buckets": "depends on the machine's memory",
    "syn_backlog": "depends on the machine's memory",
    "orphan_retries": "0 stands for 8 (tcp_orphan_retries)",
    "tw_reuse": "2, which is on for the loopback alone",
}
"""Settings whose default no file shows as it is."""
PROC = Path("/proc/sys")


def another(name: str) -> object:
    """A value, as a case file has it, that is not the one which the setting has unless a case says so."""
    kind, default = SETTINGS[name].kind, SETTINGS[name].default
    match kind:
        case settings.Switch():
            return {"on": "off", "off": "on"}[default]
        case settings.Choice(words):
            return next(word for word in words if word != default)
        case settings.Whole(low, high):
            number = int(default)
            return number - 1 if number - 1 >= low else min(number + 1, high)
        case settings.Time():
            return {"2h": "1h", "60s": "30s", "75s": "20s", "200ms": "50ms", "500ms": "100ms"}[default]
        case settings.Ports():
            return "40000..40010"
        case settings.Word():
            return "cubic"
    raise AssertionError(kind)


def default(name: str) -> object:
    """The value that the setting has unless a case says so, as a case file would have it."""
    return int(SETTINGS[name].default) if isinstance(SETTINGS[name].kind, settings.Whole) else SETTINGS[name].default


def given(name: str, value: object) -> dict[str, object]:
    """The configuration of a case whose file gives this setting this value."""
    return {name: SETTINGS[name].kind.parse(value)}


def files(name: str, value: object) -> dict[str, str]:
    """What is written for it."""
    written = sysctls(given(name, value))
    return {file: written[file] for file in SYSCTLS[name].files}


def test_every_setting_is_known_or_known_to_be_none_of_linux() -> None:
    assert set(SETTINGS) == set(SYSCTLS) | set(NOT_SYSCTLS)
    assert not set(SYSCTLS) & set(NOT_SYSCTLS)


@pytest.mark.parametrize("name", sorted(SYSCTLS))
def test_a_setting_is_not_lost_in_the_base(name: str) -> None:
    usual, other = (sysctls(given(name, value)) for value in (default(name), another(name)))
    assert set(BASE) <= set(usual)
    assert {file for file in other if other[file] != usual[file]} == set(SYSCTLS[name].files)


def test_a_setting_that_linux_lacks_is_said_to_be() -> None:
    linux = Linux(trace=False)
    try:
        assert linux.lacks({"sack": True, "mtu": 1400}) is None
        assert linux.lacks({"profile": "linux"}) is None
        assert linux.lacks({"profile": "rfc"}) == "Linux has no profile rfc"
        assert linux.lacks({"warp": 9, "sack": True}) == "Linux has no setting for warp"
    finally:
        linux.close()


def test_a_link_too_small_for_ipv6_has_no_settings_of_ipv6() -> None:
    """The kernel takes IPv6 off such a device, and the files go with it."""
    small, large = sysctls({"mtu": 576, "ttl": 9}), sysctls({"mtu": 1280, "ttl": 9})
    assert small["net/ipv4/ip_default_ttl"] == "9"
    assert large.keys() - small.keys() == {"net/ipv6/conf/sut/hop_limit"}


@namespaces
def test_a_link_too_small_for_ipv6_can_be_had(linux: Linux) -> None:
    linux.bed({"mtu": 576, "ttl": 9}).close()


@pytest.fixture(scope="module")
def linux() -> Iterator[Linux]:
    sut = Linux(trace=False)
    yield sut
    sut.close()


def read(file: str) -> str:
    return " ".join((PROC / file).read_text().split())


def of(bed: LinuxBed, names: list[str]) -> dict[str, str]:
    """What the files say in the bed's namespace."""
    with bed._pair.sut.entered():
        return {file: read(file) for file in names}


@namespaces
def test_each_setting_takes_effect_in_its_namespace_and_nowhere_else(linux: Linux, plain: LinuxBed) -> None:
    names = [name for name in SYSCTLS if linux.lacks(given(name, another(name))) is None]
    assert len(names) > len(SYSCTLS) / 2
    wanted = {file: value for name in names for file, value in files(name, another(name)).items()}
    outside = [file for file in wanted if (PROC / file).exists()]
    host, before = {file: read(file) for file in outside}, of(plain, list(wanted))
    assert not [file for file in wanted if before[file] == wanted[file]], "nothing would show that these were written"
    bed = linux.bed({key: value for name in names for key, value in given(name, another(name)).items()})
    try:
        assert of(bed, list(wanted)) == wanted
        assert of(plain, list(wanted)) == before
        assert {file: read(file) for file in outside} == host
    finally:
        bed.close()


@namespaces
def test_the_base_is_there_without_settings(plain: LinuxBed) -> None:
    assert of(plain, list(BASE)) == dict(BASE)


@namespaces
@pytest.mark.parametrize("name", sorted(set(SYSCTLS) - set(OTHERWISE)))
def test_the_default_that_is_documented_is_what_a_plain_bed_has(linux: Linux, plain: LinuxBed, name: str) -> None:
    if (why := linux.lacks(given(name, default(name)))) is not None:
        pytest.skip(why)
    wanted = files(name, default(name))
    assert of(plain, list(wanted)) == wanted


@pytest.fixture(scope="module")
def plain(linux: Linux) -> Iterator[LinuxBed]:
    bed = linux.bed({})
    yield bed
    bed.close()


@namespaces
def test_a_value_that_the_kernel_refuses_is_a_fault(linux: Linux) -> None:
    with pytest.raises(SutFault, match="net/ipv4/tcp_congestion_control = nosuch: No such file"):
        linux.bed({"congestion_control": "nosuch"})


@namespaces
def test_a_link_that_the_kernel_refuses_is_the_environment_s(linux: Linux) -> None:
    with pytest.raises(EnvironmentFault, match="veth pair cannot be made"):
        linux.bed({"mtu": 1 << 20})


def test_a_setting_that_this_kernel_has_not_got_is_lacking(linux: Linux, monkeypatch: pytest.MonkeyPatch) -> None:
    future = type(SYSCTLS["sack"])(("net/ipv4/tcp_from_the_future",), str)
    monkeypatch.setitem(SYSCTLS, "sack", future)  # type: ignore[arg-type]
    assert linux.lacks({"sack": True}) == "this kernel has no net/ipv4/tcp_from_the_future"


def test_an_algorithm_that_no_namespace_may_have_is_lacking(linux: Linux) -> None:
    assert linux.lacks({"congestion_control": "reno"}) is None
    assert "does not allow nosuch in a namespace" in str(linux.lacks({"congestion_control": "nosuch"}))
