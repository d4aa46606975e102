//! Messages: a line of JSON-RPC 2.0 each, requests on standard input, answers and notifications on standard output.

use std::io::{self, Write};
use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use serde_json::{json, Map, Value};

pub const VERSION: u64 = 1;
/// JSON-RPC 2.0, section 5.1: invalid params.
const CANNOT: i64 = -32602;

/// What a result is made of.
pub type Members = Map<String, Value>;

#[derive(Deserialize)]
pub struct Request {
    pub id: u64,
    pub method: String,
    #[serde(default)]
    pub params: Value,
}

/// An end of a connection, or of a listener.
#[derive(Clone, Copy, Deserialize, Serialize)]
pub struct End {
    pub address: IpAddr,
    pub port: u16,
}

pub fn read(line: &str) -> Result<Request, serde_json::Error> {
    serde_json::from_str(line)
}

/// `{"value": …}`
pub fn value(value: impl Into<Value>) -> Members {
    Members::from_iter([("value".to_owned(), value.into())])
}

pub fn answer(id: u64, mut result: Members, next: Option<u64>) {
    result.insert("next".to_owned(), next.into());
    print(&json!({ "jsonrpc": "2.0", "id": id, "result": result }));
}

/// The request cannot be carried out.
pub fn refuse(id: u64, why: &str) {
    print(&json!({ "jsonrpc": "2.0", "id": id, "error": { "code": CANNOT, "message": why } }));
}

pub fn notify(method: &str, params: &Value) {
    print(&json!({ "jsonrpc": "2.0", "method": method, "params": params }));
}

fn print(message: &Value) {
    let mut out = io::stdout().lock();
    // A tester that does not read any more has closed standard input, too, which is where this program ends.
    let _ = writeln!(out, "{message}").and_then(|()| out.flush());
}
