"""A wrong expectation, planted in any kind of step, is reported as a failure of the running kernel at that step, by the field's name."""

from __future__ import annotations

import pytest

from conformance.case.step_models import STEP_MODELS
from conformance.report.records import CaseRecord
from conformance.result import Verdict

from .harness import case_folder, play_on_linux
from .planted import PLANTED, Planted

BOTH = [pytest.param(planted, family, id=f"{planted.name}-{family}") for planted in PLANTED for family in planted.families]


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> dict[str, CaseRecord]:
    """The results of all cases, right and wrong, all played at once."""
    files = {f"right/{planted.name}": planted.right for planted in PLANTED} | {
        f"wrong/{planted.name}": planted.wrong for planted in PLANTED
    }
    assert len(files) == 2 * len(PLANTED)
    return play_on_linux(case_folder(tmp_path_factory.mktemp("planted") / "cases", files))


@pytest.mark.parametrize(("planted", "family"), BOTH)
def test_the_case_is_right_without_it(played: dict[str, CaseRecord], planted: Planted, family: str) -> None:
    record = played[f"right/{planted.name}[{family}]"]
    assert (record.verdict, record.failure) == (Verdict.PASS, None)


@pytest.mark.parametrize(("planted", "family"), BOTH)
def test_it_is_found(played: dict[str, CaseRecord], planted: Planted, family: str) -> None:
    record = played[f"wrong/{planted.name}[{family}]"]
    failure = record.failure
    assert failure is not None
    assert (record.verdict, failure.file, failure.line) == (Verdict.FAIL, f"wrong/{planted.name}.yaml", planted.line), failure
    fields = [difference.field for difference in failure.differences]
    assert planted.field in fields if planted.field else not fields, failure
    assert planted.reason in failure.reason
    assert failure.expected and failure.actual


def test_every_kind_of_step_that_expects_has_one(played: dict[str, CaseRecord]) -> None:
    failed = {record.failure.step.partition(":")[0] for record in played.values() if record.failure}
    assert failed == set(STEP_MODELS) - {"start", "inject", "inject_icmp", "any_order", "optional", "repeat"}
    for group in ("any_order", "optional", "repeat"):  # what they hold is blamed, not they
        assert any(f"- {group}:" in planted.text or f"{{{group}:" in planted.text for planted in PLANTED)
