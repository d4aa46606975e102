"""Which generator plays which kind of step. A new kind is one line here and one function beside the others."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from conformance.case import steps
from conformance.engine import play_calls, play_checks, play_groups, play_segments, play_states, replay_judge, replay_play, replay_steps

__all__ = ["HANDLERS"]

HANDLERS: Mapping[type[steps.Step], Callable[[Any, Any], Any]] = {
    steps.CallStep: play_calls.call,
    steps.StartStep: play_calls.start,
    steps.FinishStep: play_calls.finish,
    steps.SockoptStep: play_calls.sockopt,
    steps.InfoStep: play_states.info,
    steps.StateStep: play_states.state,
    steps.StatesStep: play_states.states,
    steps.CheckStep: play_checks.check,
    steps.InjectStep: play_segments.inject,
    steps.InjectIcmpStep: play_segments.inject_icmp,
    steps.ExpectStep: play_segments.expect,
    steps.ExpectIcmpStep: play_segments.expect_icmp,
    steps.SilenceStep: play_segments.silence,
    steps.AnyOrderStep: play_groups.any_order,
    steps.EitherStep: play_groups.either,
    steps.OptionalStep: play_groups.optional,
    steps.RepeatStep: play_groups.repeat,
    replay_steps.ReplayStep: replay_play.replay,
    replay_steps.JudgeStep: replay_judge.judge,
}
