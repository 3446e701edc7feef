//! How the program ends, also if its output is not read.

use std::io::{Read, Write};
use std::net::TcpStream;

use super::program::{Program, credentials};

#[test]
fn both_signals_end_it() {
    for signal in ["TERM", "INT"] {
        let program = Program::start(&[]);
        program.delete(credentials(), &["doc-001"]).unwrap();
        program.signal(signal);
        assert_eq!(program.ended().tally()["deleted"], 1, "{signal}");
    }
}

#[test]
fn requests_in_progress_are_finished_and_counted() {
    let program = Program::start(&[]);
    let addr = program.url().strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(addr).unwrap();
    stream
        .write_all(
            b"POST / HTTP/1.1\r\nhost: a.test\r\nexpect: 100-continue\r\ncontent-length: 2\r\n\r\n",
        )
        .unwrap();
    let mut go_on = [0; 25];
    stream.read_exact(&mut go_on).unwrap();
    assert_eq!(&go_on, b"HTTP/1.1 100 Continue\r\n\r\n");

    program.signal("TERM");
    while TcpStream::connect(addr).is_ok() {
        std::thread::yield_now();
    }
    stream.write_all(b"{}").unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).unwrap();
    assert!(response.starts_with("HTTP/1.1 501 "), "{response}");
    assert_eq!(program.ended().tally()["requests"], 1);
}

#[test]
fn idle_connections_do_not_delay_the_end() {
    let program = Program::start(&[]);
    let mut idle = TcpStream::connect(program.url().strip_prefix("http://").unwrap()).unwrap();
    idle.write_all(b"GET / HTTP/1.1\r\nhost: a.test\r\n\r\n").unwrap();
    assert_eq!(idle.read(&mut [0]).unwrap(), 1);
    assert_eq!(program.stop().tally()["requests"], 1);
    idle.read_to_end(&mut Vec::new()).unwrap();
}

#[test]
fn closed_output_is_not_an_error() {
    let mut program = Program::start(&[]);
    program.close_stdout();
    program.delete(credentials(), &["doc-001"]).unwrap();
    let ended = program.stop();
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
}

#[cfg(target_os = "linux")]
#[test]
fn output_that_cannot_be_written_is_an_error() {
    use std::process::{Command, Stdio};

    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_vectors-emulator"));
    command.env_clear().envs(super::program::KEY_PAIR).stdin(Stdio::null()).stdout(full);
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stderr.starts_with(b"error: cannot write the output: "), "{output:?}");
}
