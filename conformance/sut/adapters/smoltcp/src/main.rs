//! smoltcp behind the SUT protocol (`../PROTOCOL.md`), on the virtual clock, over a datagram socket.

mod link;
mod neighbours;
mod protocol;
#[cfg_attr(feature = "new", path = "release_new.rs")]
#[cfg_attr(not(feature = "new"), path = "release_old.rs")]
mod release;
mod session;
mod settings;
mod sockets;
mod stack;
mod states;

use std::env;
use std::io::{self, BufRead};
use std::rc::Rc;

use serde::Deserialize;
use serde_json::{json, Value};

use link::Link;
use protocol::{answer, refuse, Members, Request};
use session::Session;
use settings::Configuration;
use sockets::{Call, CALLS, FLAGS, OPTIONS};

/// Those of every release. README.md says where smoltcp says what it has not.
const CAPABILITIES: &[&str] = &[
    "ipv4",
    "ipv6",
    "states",
    "transitions",
    "blocking",
    "window_scaling",
    "simultaneous_open",
    "half_close",
    "keepalive",
];

#[derive(Deserialize)]
struct Reset {
    seed: u64,
}

#[derive(Deserialize)]
struct Advance {
    to: u64,
}

struct Adapter {
    link: Rc<Link>,
    config: Option<Rc<Configuration>>,
    session: Option<Session>,
}

impl Adapter {
    fn handle(&mut self, request: Request) {
        let id = request.id;
        if let Err(why) = self.carry_out(request) {
            refuse(id, &why);
        }
    }

    fn carry_out(&mut self, Request { id, method, params }: Request) -> Result<(), String> {
        match method.as_str() {
            "initialize" => answer(id, initialize(), None),
            "configure" => {
                let config: Configuration = read(params)?;
                if config.clock != "virtual" {
                    return Err("there is no other clock than the virtual one".to_owned());
                }
                self.config = Some(Rc::new(config));
                answer(id, Members::new(), None);
            }
            "reset" => {
                let Reset { seed } = read(params)?;
                let config = self.config.clone().ok_or("reset comes after configure")?;
                let session = self.session.insert(Session::new(config, self.link.clone(), seed)?);
                answer(id, Members::new(), session.next());
            }
            _ => self.session.as_mut().ok_or("nothing comes before reset")?.request(id, method, params)?,
        }
        Ok(())
    }
}

impl Session {
    fn request(&mut self, id: u64, method: String, params: Value) -> Result<(), String> {
        if method == "advance" {
            let Advance { to } = read(params)?;
            self.advance(to);
            let next = self.next();
            answer(id, Members::new(), next);
            return Ok(());
        }
        self.take_frames();
        match method.as_str() {
            "state" => {
                let state = self.state(params)?;
                let next = self.next();
                answer(id, state, next);
            }
            name if CALLS.contains(&name) => self.call(Call::new(id, method, read(params)?)),
            _ => return Err(format!("there is no method {method}")),
        }
        Ok(())
    }
}

fn read<T: for<'a> Deserialize<'a>>(params: Value) -> Result<T, String> {
    serde_json::from_value(params).map_err(|error| error.to_string())
}

fn initialize() -> Members {
    let capabilities = [CAPABILITIES, release::CAPABILITIES].concat();
    let Value::Object(members) = json!({
        "protocol": protocol::VERSION,
        "name": "smoltcp",
        "version": release::VERSION,
        "clocks": ["virtual"],
        "capabilities": capabilities,
        "calls": CALLS,
        "options": OPTIONS,
        "flags": FLAGS,
        "settings": settings::known(),
    }) else {
        unreachable!()
    };
    members
}

fn main() -> io::Result<()> {
    let link = Link::open(&env::var("CONFORMANCE_LINK").unwrap_or_default())?;
    let mut adapter = Adapter { link: Rc::new(link), config: None, session: None };
    for line in io::stdin().lock().lines() {
        match protocol::read(&line?) {
            Ok(request) => adapter.handle(request),
            Err(error) => eprintln!("no request: {error}"),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_the_one_that_is_built() {
        assert!(include_str!("../Cargo.toml").contains(&format!("version = \"={}\"", release::VERSION)));
    }

    #[test]
    fn every_setting_has_a_default() {
        let settings = initialize()["settings"].clone();
        assert!(settings.as_object().unwrap().values().all(|values| *values == "any" || !values[0].is_null()));
        assert_eq!(settings["mtu"][0], 1500);
    }
}
