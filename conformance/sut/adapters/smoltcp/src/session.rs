//! A stack and its sockets from one `reset` to the next, and the calls that wait.

use std::rc::Rc;

use serde_json::{json, Value};

use crate::link::Link;
use crate::protocol::{answer, notify, Members};
use crate::settings::Configuration;
use crate::sockets::{Asked, Call, Cause, Failure, Outcome, Sockets};
use crate::stack::Stack;

/// A call that waits, and until when.
struct Waiting {
    call: Call,
    deadline: Option<u64>,
}

pub struct Session {
    stack: Stack,
    sockets: Sockets,
    link: Rc<Link>,
    waiting: Vec<Waiting>,
}

impl Session {
    pub fn new(config: Rc<Configuration>, link: Rc<Link>, seed: u64) -> Result<Session, String> {
        while link.receive().is_some() {} // those of the stack that was
        let stack = Stack::new(config, link.clone(), seed)?;
        Ok(Session { stack, sockets: Sockets::new(seed), link, waiting: Vec::new() })
    }

    pub fn next(&mut self) -> Option<u64> {
        let deadlines = self.waiting.iter().filter_map(|waiting| waiting.deadline);
        deadlines.chain(self.stack.next()).min()
    }

    /// It is `to` now. Timers come first, then the frames on the link, which have come at this time.
    pub fn advance(&mut self, to: u64) {
        self.stack.set_time(to);
        self.stack.poll();
        self.settle(Cause::Timer);
        self.take_frames();
    }

    /// Hand over the frames on the link, one at a time.
    pub fn take_frames(&mut self) {
        while let Some(frame) = self.link.receive() {
            self.stack.receive(frame);
            self.settle(Cause::Frame);
        }
    }

    pub fn state(&mut self, params: Value) -> Result<Members, String> {
        let asked: Asked = serde_json::from_value(params).map_err(|error| error.to_string())?;
        let state = self.sockets.state(&asked, &self.stack);
        Ok(Members::from_iter([("state".to_owned(), state.to_string().into())]))
    }

    /// A socket call: it is answered, now or later.
    pub fn call(&mut self, mut call: Call) {
        let outcome = self.sockets.attempt(&mut call, &mut self.stack);
        let id = call.id;
        if let (Err(Failure::Wait(_)), true) = (&outcome, call.blocks()) {
            let deadline = call.patience.map(|patience| self.stack.now() + patience);
            self.waiting.push(Waiting { call, deadline });
            self.act();
            if self.waiting.iter().any(|waiting| waiting.call.id == id) {
                notify("blocked", &json!({ "id": id }));
            }
        } else {
            self.act();
            self.answer(id, outcome);
        }
    }

    /// What smoltcp does because of a call.
    fn act(&mut self) {
        self.settle(Cause::Call);
        self.stack.poll();
        self.settle(Cause::Timer);
    }

    /// Say what has changed, and go on with calls that waited for it, until nothing changes any more.
    fn settle(&mut self, mut cause: Cause) {
        loop {
            self.sockets.refuse_late_data(&mut self.stack);
            let changes = self.stack.changes();
            for change in &changes {
                self.sockets.changed(change, cause, &mut self.stack);
            }
            if !self.go_on() && changes.is_empty() {
                return;
            }
            self.stack.poll();
            cause = Cause::Call;
        }
    }

    /// Try the calls that wait again. Has one returned?
    fn go_on(&mut self) -> bool {
        let mut returned = false;
        for mut waiting in std::mem::take(&mut self.waiting) {
            let mut outcome = self.sockets.attempt(&mut waiting.call, &mut self.stack);
            let over = waiting.deadline.is_some_and(|deadline| deadline <= self.stack.now());
            if let (Err(Failure::Wait(_)), true) = (&outcome, over) {
                outcome = Sockets::give_up(&mut waiting.call);
            }
            if let Err(Failure::Wait(_)) = outcome {
                self.waiting.push(waiting);
            } else {
                self.stack.poll();
                self.answer(waiting.call.id, outcome);
                returned = true;
            }
        }
        returned
    }

    fn answer(&mut self, id: u64, outcome: Outcome) {
        let result = match outcome {
            Ok(members) => members,
            Err(Failure::Errno(errno) | Failure::Wait(errno)) => {
                Members::from_iter([("errno".to_owned(), errno.into())])
            }
        };
        let next = self.next();
        answer(id, result, next);
    }
}
